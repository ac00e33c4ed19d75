"""Callbacks of scikit-learn 1.9: each epoch is a task of which they are told."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from gyaku.callbacks import Callback
from gyaku.sklearn.inputs import Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["CallbackSupportMixin", "Tasks", "with_callbacks"]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Support of callbacks, which earlier releases of scikit-learn lack."""

    def with_callbacks(method: Any) -> Any:
        """Return the method.

        Parameters
        ----------
        method : callable
            The method.

        Returns
        -------
        callable
            The same.
        """
        return method


class Tasks(Callback):
    """Epochs as tasks of scikit-learn's callbacks, each of which may end the training.

    Parameters
    ----------
    estimator : Estimator
        The estimator.
    root : CallbackContext
        The context of its fit.
    x : object
        The samples as they were given to `fit`.
    y : ndarray
        The targets.
    weights : ndarray, optional
        Weights of the samples.
    """

    def __init__(self, estimator: Any, root: Any, x: Any, y: Any, weights: Any) -> None:
        self.estimator, self.root = estimator, root
        metadata = None if weights is None else {"sample_weight": weights}
        x = x.given() if isinstance(x, Inputs) else x
        self._data = {"X": x, "y": y, "metadata": metadata}
        self._task: Any = None

    def on_train_begin(self) -> None:
        """Begin the task of the whole training."""
        self.root.call_on_fit_task_begin(estimator=self.estimator, **self._data)

    def on_epoch_begin(self, epoch: int) -> None:
        """Begin a task; see `Callback.on_epoch_begin`."""
        self._task = self.root.subcontext(task_name="epoch")
        self._task.call_on_fit_task_begin(estimator=self.estimator, **self._data)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> str:
        """End the task; see `Callback.on_epoch_end`."""
        stop = self._task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=self._fitted,
            **self._data,
        )
        return "a callback of scikit-learn ended it" if stop else ""

    def on_train_end(self) -> None:
        """End the task of the whole training."""
        self.root.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=self._fitted, **self._data
        )

    def _fitted(self) -> dict[str, Any]:
        # A copy, since scikit-learn's of the estimator is shallow and the training goes on.
        return {"model_": copy.copy(self.model)}
