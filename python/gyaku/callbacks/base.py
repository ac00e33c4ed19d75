"""Base of the callbacks, and their calls in a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import no_class
from gyaku.components import Configured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

__all__ = ["Callback", "Callbacks"]


class Callback(Configured):
    """Base of the callbacks: override what you need.

    Attributes
    ----------
    model : Model
        The model in training; ``model.optimizer`` is its optimizer.
    training : object
        The training: ``training.step`` is the number of steps done, ``training.save(path)`` writes
        a checkpoint from which ``fit(resume=path)`` goes on.
    steps_per_epoch : int
        Number of steps in an epoch of this training.
    resumed : bool
        Whether this training resumes an earlier one.
    every_steps : int
        Number of steps to whose multiples `on_steps_end` is called in any case; 0 for none.
    signals : tuple of str
        Names of the signals that `on_signal` handles.
    samples : Samples
        Its samples: ``samples.x`` and ``samples.y`` are the arrays of all inputs and outputs, and
        ``samples.rows`` those to train on, None for all. None if the data are not in memory.

    Notes
    -----
    Callbacks are called in the order of the list. A method of an epoch or a batch ends the training
    by returning True, or a string: the reason, which the history keeps. Any other value is ignored.
    ``self.model.stop_training = True`` ends the training, too. Overriding a method of the batches
    makes each step a native call of its own, which costs small networks most of their speed.

    A callback with a state of its own returns it from `state_dict`; a resumed training calls
    `on_train_begin`, then `load_state_dict`.

    Examples
    --------
    >>> class StopWhenGood(Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         return logs["loss"] < 0.01 and "it is good enough"
    >>> StopWhenGood().on_epoch_end(7, {"loss": 0.001})
    'it is good enough'
    """

    model: Any  # a `Model`, which cannot be imported here
    training: Any
    steps_per_epoch: int
    samples: Any
    resumed: bool = False
    every_steps: int = 0
    signals: tuple[str, ...] = ()
    keeps_training: bool = False
    """Whether it is called before the others at the end, since they change the weights."""

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

    def on_steps_end(self, step: int) -> object:
        """Run about ten times a second, behind a step and all other methods for it.

        Parameters
        ----------
        step : int
            Number of steps of this training so far.

        Returns
        -------
        bool or str or None
            True or a reason to end the training.
        """

    def on_signal(self, name: str) -> object:
        """Run behind the step in which a signal arrived; after SIGTERM the process ends.

        Parameters
        ----------
        name : str
            Name of the signal, one of `signals`.
        """

    def state_dict(self) -> Mapping[str, Any]:
        """Return the state, for checkpoints.

        Returns
        -------
        mapping of str to object
            Arrays, numbers, strings, None, and lists and mappings of these.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, behind `on_train_begin`.

        Parameters
        ----------
        state : mapping of str to object
            Result of `state_dict`.
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
        import inspect  # deferred, since it takes 5 ms

        self.function = function
        try:
            inspect.signature(function).bind(0, {})
        except ValueError:  # no signature is known
            return
        except TypeError:
            name = getattr(function, "__name__", repr(function))
            raise TypeError(
                f"fit: a function among the callbacks is called as {name}(epoch, logs) behind each"
                " epoch, and must take both"
            ) from None

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
    epochs, batches, steps : bool
        Whether any of them has a method for each epoch, for each step, or behind some steps.
    signals : set of str
        Names of the signals that any of them handles.
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
        self._at_end = sorted(self._all, key=lambda each: not each.keeps_training)
        for each in self._all:
            each.model = model
        self.model = model
        model.stop_training = False
        self.stopped: str | None = None
        self.epochs = self._any("on_epoch_begin", "on_epoch_end")
        self.batches = self._any("on_train_batch_begin", "on_train_batch_end")
        self.steps = self._any("on_steps_end")
        self._every = [each.every_steps for each in self._all if each.every_steps]
        self.signals = {name for each in self._all for name in each.signals}
        self._names = {name for name, _ in self._named()}
        self._file = str(next((each.path for each in self._resumable()), ""))

    def prepare(self, training: Any, steps_per_epoch: int, resumed: bool, samples: Any) -> None:
        """Tell each what it may ask for.

        Parameters
        ----------
        training : Loop
            The training, with `step` and `save`.
        steps_per_epoch : int
            Number of steps in an epoch.
        resumed : bool
            Whether the training resumes an earlier one.
        samples : Samples
            The samples to train on.
        """
        for each in self._all:
            each.training, each.steps_per_epoch, each.resumed = training, steps_per_epoch, resumed
            each.samples = samples

    def share(self, of_first: Callable[[Any], Any]) -> None:
        """Call for what the callbacks of the first of several processes need.

        Parameters
        ----------
        of_first : callable
            Function that returns the value of the first process.
        """
        names = "epochs", "batches", "steps", "signals", "_every", "_file", "_names"
        vars(self).update(of_first({name: vars(self)[name] for name in names}))

    def steps_until_end(self, step: int) -> int:
        """Return the number of steps to the next one at which `on_steps_end` is due.

        Parameters
        ----------
        step : int
            Number of steps so far.

        Returns
        -------
        int
            The number; 0 if no callback asks for any.
        """
        return min([every - step % every for every in self._every]) if self._every else 0

    @property
    def checkpoint(self) -> str:
        """File that holds where the training stands, "" if no callback writes one."""
        return self._file

    def _resumable(self) -> Iterator[Any]:
        return (each for each in self._all if getattr(each, "is_resumable", False))

    def states(self) -> dict[str, Mapping[str, Any]]:
        """Return the states of those that have one.

        Returns
        -------
        dict of str to mapping
            The states, by class name, and number if there are several of a class.
        """
        found = {name: each.state_dict() for name, each in self._named()}
        return {name: state for name, state in found.items() if state}

    def check_states(self, states: Iterable[str]) -> None:
        """Raise if a state belongs to no callback.

        Parameters
        ----------
        states : iterable of str
            Names of the result of `states`.
        """
        missing = [name for name in states if name not in self._names]
        if missing:
            raise ValueError(
                f"fit: callbacks lack the {' and the '.join(missing)} of the checkpoint; resume"
                " with the same callbacks"
            )

    def load_states(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Go on from states; a callback without one begins anew.

        Parameters
        ----------
        states : mapping of str to mapping
            Result of `states`.
        """
        for name, each in self._named():
            if name in states:
                each.load_state_dict(states[name])

    def _named(self) -> Iterator[tuple[str, Callback]]:
        seen: dict[str, int] = {}
        for each in self._all:
            kind = type(each).__name__
            seen[kind] = number = seen.get(kind, 0) + 1
            yield (kind if number == 1 else f"{kind} {number}"), each

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
        for each in self._at_end if name in ("on_exception", "on_train_end") else self._all:
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
