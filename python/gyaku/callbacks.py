"""Callbacks: calls between the epochs and steps of a training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import no_class, number, whole
from gyaku.components import Configured
from gyaku.names import ALIASES, missing_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from numpy.typing import NDArray

    _Weights = tuple[NDArray[Any], NDArray[Any]]

__all__ = ["Callback", "EarlyStopping"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)


class Callback(Configured):
    """Base of the callbacks: override what you need.

    Attributes
    ----------
    model : Model
        The model in training; ``model.optimizer`` is its optimizer.
    steps_per_epoch : int
        Number of steps in an epoch of this training.

    Notes
    -----
    Callbacks are called in the order of the list. A method of an epoch or a batch ends the training
    by returning True, or a string: the reason, which the history keeps. Any other value is ignored.
    ``self.model.stop_training = True`` ends the training, too. Overriding a method of the batches
    makes each step a native call of its own, which costs small networks most of their speed.

    Examples
    --------
    >>> class StopWhenGood(Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         return logs["loss"] < 0.01 and "it is good enough"
    >>> StopWhenGood().on_epoch_end(7, {"loss": 0.001})
    'it is good enough'
    """

    model: Any  # a `Model`, which cannot be imported here
    steps_per_epoch: int

    def on_train_begin(self) -> object:
        """Run before the first step."""

    def on_train_end(self) -> object:
        """Run after the last step, however the training ended."""

    def on_epoch_begin(self, epoch: int) -> object:
        """Run before an epoch.

        Parameters
        ----------
        epoch : int
            Index of the epoch, from 0.

        Returns
        -------
        bool or str or None
            True or a reason to end the training.
        """

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> object:
        """Run after an epoch.

        Parameters
        ----------
        epoch : int
            Index of the epoch, from 0.
        logs : mapping of str to float
            Loss and metrics; NaN for those of the validation in epochs without one.

        Returns
        -------
        bool or str or None
            True or a reason to end the training.
        """

    def on_train_batch_begin(self, batch: int) -> object:
        """Run before a step.

        Parameters
        ----------
        batch : int
            Index of the step within the epoch, from 0.

        Returns
        -------
        bool or str or None
            True or a reason to end the training.
        """

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> object:
        """Run after a step.

        Parameters
        ----------
        batch : int
            Index of the step within the epoch, from 0.
        logs : mapping of str to float
            Loss and metrics of the epoch so far.

        Returns
        -------
        bool or str or None
            True or a reason to end the training.
        """

    def on_exception(self, error: BaseException) -> object:
        """Run when an error or Ctrl-C ends the training.

        Parameters
        ----------
        error : BaseException
            The error, or KeyboardInterrupt.
        """


class EarlyStopping(Callback):
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

    best: float
    best_epoch: int

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        mode: str = "auto",
        patience: int = 5,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"EarlyStopping: mode must be 'auto', 'min' or 'max', got {mode!r}")
        self.monitor = monitor
        self.mode = mode
        self.patience = whole("EarlyStopping", "patience", patience)
        self.min_delta = number("EarlyStopping", "min_delta", min_delta, least=0)
        self.restore_best = restore_best
        self._sign = -1.0 if mode == "max" or (mode == "auto" and _is_gain(monitor)) else 1.0
        self.on_train_begin()

    def on_train_begin(self) -> None:
        """Reset the state."""
        self.best = self._sign * math.inf
        self.best_epoch = -1
        self._before: _Weights | None = None
        self._best_weights: _Weights | None = None

    def on_epoch_begin(self, epoch: int) -> None:
        """Keep the weights that the loss of a single step is computed with."""
        if self.restore_best and self.steps_per_epoch == 1 and not self.monitor.startswith("val_"):
            self._before = self._weights()

    def _weights(self) -> _Weights:
        return self.model.flat_params.copy(), self.model.flat_buffers.copy()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> str | None:
        """Compare; see `Callback.on_epoch_end`."""
        stem = self.monitor.removeprefix("val_")
        monitor = self.monitor.removesuffix(stem) + ALIASES.get(stem, stem)
        if monitor not in logs:
            from gyaku.metrics import METRICS

            validated = any(name.startswith("val_") for name in logs)
            without = self.monitor.startswith("val_") and not validated
            hint = " (fit has no validation data)" if without else ""
            if monitor.removeprefix("val_") in METRICS:
                hint = hint or f" (give fit metrics={monitor.removeprefix('val_')!r})"
            raise ValueError(
                f"EarlyStopping: there is no {self.monitor!r} to monitor{hint}, only"
                f" {', '.join(logs)}"
            )
        value = logs[monitor]
        if math.isnan(value):  # not validated in this epoch
            return None
        if self.best_epoch < 0 or self._sign * (self.best - value) > self.min_delta:
            self.best, self.best_epoch = value, epoch
            if self.restore_best:
                self._best_weights = self._before or self._weights()
        elif epoch - self.best_epoch >= self.patience:
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


def _is_gain(monitor: str) -> bool:
    """Return whether larger values of a quantity are better, as far as its name says."""
    from gyaku.metrics import METRICS

    stem = monitor.removeprefix("val_")
    if stem.endswith(("accuracy", "acc")):
        return True
    known = METRICS.get(stem) or METRICS.get(stem.rpartition("_")[0])  # such as f1_3
    return known is not None and known.larger_is_better


class _Function(Callback):
    """A function of epoch and logs."""

    def __init__(self, function: Callable[[int, Mapping[str, float]], object]) -> None:
        self.function = function

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> object:
        return self.function(epoch, logs)


class Callbacks:
    """The callbacks of a training, called one after the other.

    Parameters
    ----------
    given : Callback or callable or iterable of these or None
        The callbacks; a function is called with epoch and logs at the end of each epoch.
    model : Model
        The model to train.

    Attributes
    ----------
    epochs, batches : bool
        Whether any of them has a method for each epoch or for each step.
    stopped : str or None
        Reason of the callback that ended the training.
    """

    def __init__(
        self, given: Callback | Callable[..., object] | Iterable[Any] | None, model: Any
    ) -> None:
        if given is None:
            given = ()
        one = isinstance(given, Callback) or callable(given) or not hasattr(given, "__iter__")
        listed: list[Any] = [given] if one else list(given)  # type: ignore[arg-type]
        for each in listed:
            no_class("fit: a callback", each)
            if not (isinstance(each, Callback) or callable(each)):
                raise TypeError(
                    f"fit: a callback must be a Callback or a function (epoch, logs), got {each!r}"
                )
        self._all = [each if isinstance(each, Callback) else _Function(each) for each in listed]
        for each in self._all:
            each.model = model
        self.model = model
        model.stop_training = False
        self.stopped: str | None = None
        self.epochs = self._any("on_epoch_begin", "on_epoch_end")
        self.batches = self._any("on_train_batch_begin", "on_train_batch_end")

    def prepare(self, steps_per_epoch: int) -> None:
        """Tell each what it may ask for.

        Parameters
        ----------
        steps_per_epoch : int
            Number of steps in an epoch.
        """
        for each in self._all:
            each.steps_per_epoch = steps_per_epoch

    def _any(self, *names: str) -> bool:
        """Return whether any callback has one of these methods of its own."""
        return any(
            getattr(type(each), name) is not getattr(Callback, name)
            for each in self._all
            for name in names
        )

    def call(self, name: str, *arguments: Any) -> None:
        """Call a method of each; keep the reason of the first that ends the training.

        Parameters
        ----------
        name : str
            The method.
        *arguments : object
            Its arguments.
        """
        for each in self._all:
            answer = getattr(each, name)(*arguments)
            if self.stopped is None:
                self.stopped = _reason(each, answer) or None


def _reason(callback: Callback, answer: object) -> str:
    """Return the reason of a callback to end the training, "" without."""
    if isinstance(answer, str):
        return answer
    # A comparison of NumPy scalars is a NumPy bool.
    if callback.model.stop_training or (isinstance(answer, (bool, np.bool_)) and answer):
        return getattr(getattr(callback, "function", type(callback)), "__name__", "a callback")
    return ""
