"""Base of the callbacks, and their calls in a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import no_class
from gyaku.components import Configured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

__all__ = ["Callback", "Callbacks"]


class Callback(Configured):
    """Base of the callbacks: override what you need.

    Attributes
    ----------
    model : Model
        The model in training; ``model.optimizer`` is its optimizer.
    steps_per_epoch : int
        Number of steps in an epoch of this training.
    samples : Samples
        Its samples: ``samples.x`` and ``samples.y`` are the arrays of all inputs and outputs, and
        ``samples.rows`` those to train on, None for all.

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
    samples: Any

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

    def prepare(self, steps_per_epoch: int, samples: Any) -> None:
        """Tell each what it may ask for.

        Parameters
        ----------
        steps_per_epoch : int
            Number of steps in an epoch.
        samples : Samples
            The samples to train on.
        """
        for each in self._all:
            each.steps_per_epoch, each.samples = steps_per_epoch, samples

    def release(self) -> None:
        """Forget the samples, which callbacks would keep in memory."""
        for each in self._all:
            each.samples = None

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
