"""The end of a training that improves no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.callbacks.monitor import Monitor
from gyaku.checks import whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    _Weights = tuple[NDArray[Any], NDArray[Any]]

__all__ = ["EarlyStopping"]


class EarlyStopping(Monitor):
    """Stop when a metric has not improved for some epochs.

    Parameters
    ----------
    monitor : str
        Name of the loss or metric in the history, or an alias of it such as "val_acc".
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" maximises accuracies and the metrics whose larger
        values are better, and minimises all else.
    patience : int
        Number of epochs without an improvement.
    min_delta : float
        Smallest change that counts as an improvement.
    restore_best : bool
        Whether the model gets the weights of its best epoch back at the end; not after Ctrl-C or
        an error. They are those behind the epoch. If `monitor` is a quantity of the training and an
        epoch is a single step, they are those before it, which the quantity was computed with.

    Attributes
    ----------
    best : float
        Best value so far.
    best_epoch : int
        Epoch of the best value, from 0; -1 before the first.

    Examples
    --------
    >>> EarlyStopping("val_accuracy", patience=3)
    EarlyStopping(monitor='val_accuracy', patience=3)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        mode: str = "auto",
        patience: int = 5,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        super().__init__(monitor, mode=mode, min_delta=min_delta)
        self.patience = whole("EarlyStopping", "patience", patience)
        self.restore_best = restore_best
        self.on_train_begin()

    def on_train_begin(self) -> None:
        """Reset the state."""
        self.forget()
        self._before: _Weights | None = None
        self._best_weights: _Weights | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and the best weights; see `Callback`."""
        return {**super().state_dict(), "before": self._before, "weights": self._best_weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; see `Callback`."""
        super().load_state_dict(state)
        self._before, self._best_weights = state["before"], state["weights"]

    def on_epoch_begin(self, epoch: int) -> None:
        """Keep the weights that the loss of a single step is computed with."""
        if self.restore_best and self.steps_per_epoch == 1 and not self.monitor.startswith("val_"):
            self._before = self._weights()

    def _weights(self) -> _Weights:
        return self.model.flat_params.copy(), self.model.flat_buffers.copy()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> str | None:
        """Compare; see `Callback.on_epoch_end`."""
        improves = self.improves(epoch, logs)
        if improves and self.restore_best:
            self._best_weights = self._before or self._weights()
        elif improves is False and epoch - self.best_epoch >= self.patience:
            return (
                f"{self.monitor} has not improved since epoch {self.best_epoch + 1},"
                f" where it was {self.best:.4g}"
            )
        return None

    def on_exception(self, error: BaseException) -> None:
        """Keep the last weights."""
        self._before = self._best_weights = None

    def on_train_end(self) -> None:
        """Restore the best weights."""
        if self._best_weights is not None:
            self.model.flat_params[...], self.model.flat_buffers[...] = self._best_weights
            self._before = self._best_weights = None
