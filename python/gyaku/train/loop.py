"""The loop of fit: native steps; between them validation, callbacks and progress."""

from __future__ import annotations

import math
import warnings
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING

from gyaku.history import History
from gyaku.train import checkpoint
from gyaku.train.interrupt import Interrupt, Signals
from gyaku.train.meters import Pace
from gyaku.train.nonfinite import Guard, NonFiniteError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from typing import Any

    from gyaku.callbacks import Callbacks
    from gyaku.train.checkpoint import Resumption
    from gyaku.train.evaluation import Evaluation
    from gyaku.train.progress import Progress
    from gyaku.train.steps import Training

__all__ = ["run"]


def run(
    training: Training,
    *,
    validation: Evaluation | None,
    validation_freq: int,
    callbacks: Callbacks,
    progress: Callable[[], Progress],
    settings: Mapping[str, Any],
    max_time: float | None = None,
    resumption: Resumption | None = None,
) -> History:
    """Train to the last epoch, or until a callback, Ctrl-C or an error stops it.

    Parameters
    ----------
    training : Training
        The steps.
    validation : Evaluation or None
        Evaluation on the validation data.
    validation_freq : int
        Number of epochs between validations.
    callbacks : Callbacks
        The callbacks.
    progress : callable
        Constructor of the progress display.
    settings : mapping of str to object
        Settings that the history keeps.
    max_time : float or None
        Seconds after which the training ends.
    resumption : Resumption or None
        Checkpoint of which `training` has the weights and the step already.

    Returns
    -------
    History
        Loss and metrics of each epoch.

    Raises
    ------
    NonFiniteError
        If a loss or weight becomes NaN or infinite.
    """
    loop = Loop(training, validation, validation_freq, callbacks, max_time)
    loop.history.settings = dict(settings)
    with Signals(callbacks.signals) as signals, Interrupt() as interrupt:
        loop.signals, loop.interrupt = signals, interrupt
        interrupt.undoes = not training.optimizer.acts_between and training.ranks.size == 1
        training.pause = interrupt.check if interrupt.undoes else None
        loop.progress = progress()
        try:
            loop.run(resumption)
            loop.progress.note(training.threads)
        except BaseException as error:
            if not loop.ends_together:
                training.ranks.fail(error)
            raise
        finally:
            loop.progress.close()
    if loop.history.stopped == "interrupted" and training.ranks.is_first:
        warnings.warn(
            f"fit: interrupted after {training.epoch} epochs and {training.position} steps; the"
            " model keeps the weights of the last finished step",
            stacklevel=4,
        )
    return loop.history


class Loop:
    """State of a training loop.

    Parameters
    ----------
    training : Training
        The steps.
    validation : Evaluation or None
        Evaluation on the validation data.
    validation_freq : int
        Number of epochs between validations.
    callbacks : Callbacks
        The callbacks.
    max_time : float or None
        Seconds after which the training ends.

    Attributes
    ----------
    is_between_steps : bool
        Whether the training has begun and all steps so far are whole, so that it could go on.
    ends_together : bool
        Whether all processes know of the error or of the Ctrl-C that ends the training.
    """

    interrupt: Interrupt
    signals: Signals
    progress: Progress

    def __init__(
        self,
        training: Training,
        validation: Evaluation | None,
        validation_freq: int,
        callbacks: Callbacks,
        max_time: float | None = None,
    ) -> None:
        self.training = training
        self.ranks = training.ranks
        self.validation = validation
        self.validation_freq = validation_freq
        self.callbacks = callbacks
        self.max_time = max_time
        self.end = math.inf if max_time is None else perf_counter() + max_time
        self.overtime: str | None = None  # no reason for a resumed training
        self.history = History(training.count, training.initial_epoch)
        self.pace = Pace()
        self.guard = Guard(training)
        self.is_between_steps = False
        self.ends_together = False
        self._fails = False
        self._epoch_began = perf_counter()

    @property
    def step(self) -> int:
        """Number of steps done."""
        return self.training.step

    @property
    def epoch_seconds(self) -> float:
        """Time since the end of the last epoch that the history has."""
        return perf_counter() - self._epoch_began

    def rested(self, seconds: float) -> None:
        """Leave a rest out of the time of the epoch, and of that of the training.

        Parameters
        ----------
        seconds : float
            Time for which a callback made the training wait.
        """
        self._epoch_began += seconds
        self.end += seconds

    @property
    def is_asked_to_end(self) -> bool:
        """Whether Ctrl-C or SIGTERM has arrived."""
        return self.interrupt.requested or self.signals.ended

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint, from which `fit` can resume this training.

        Parameters
        ----------
        path : str or path-like
            The file; `gyaku.load` reads its model.
        """
        checkpoint.save(self, path)

    def run(self, resumption: Resumption | None = None) -> None:
        """Run all epochs, between `on_train_begin` and `on_train_end` of the callbacks.

        Parameters
        ----------
        resumption : Resumption or None
            Checkpoint to go on from.
        """
        call, training = self._call, self.training
        self.callbacks.prepare(self, training.expected_steps, resumption is not None, training.data)
        try:
            call("on_train_begin")
            if resumption is not None:
                self._resume(resumption)
            self.is_between_steps = True
            self._epochs()
            self._heed_signals()  # of the last moment
            stopped = self.callbacks.stopped or self.overtime
            self.history.stopped = self.ranks.of_first("SIGTERM" if self.signals.ended else stopped)
        except KeyboardInterrupt as error:
            self.history.stopped = "interrupted"
            self._fails = True
            call("on_exception", error)
            if self.interrupt.insisted or self._is_alone:
                raise
        except NonFiniteError as error:
            error.history = self.history
            self.history.stopped = str(error)
            self._fails = self.ends_together = True
            call("on_exception", error)
            raise
        except BaseException as error:
            self._fails = True
            call("on_exception", error)
            raise
        finally:
            self.training.close()
            call("on_train_end")
            self.callbacks.release()

    @property
    def _is_alone(self) -> bool:
        """Whether the other processes, if there are any, do not know what ends this one."""
        return self.ranks.size > 1 and self._fails and not self.ends_together

    def _call(self, name: str, *arguments: Any) -> None:
        """Call the callbacks, which only the first process has; the others follow it."""
        if self.ranks.size == 1 or self._is_alone:
            self.callbacks.call(name, *arguments)
            return
        optimizer, model = self.training.optimizer, self.training.model
        before = optimizer.schedule_state
        self.callbacks.call(name, *arguments)
        changed = optimizer.schedule_state if optimizer.schedule_state != before else None
        self.callbacks.stopped, changed = self.ranks.of_first((self.callbacks.stopped, changed))
        if changed is not None:
            optimizer.schedule_state = changed
        if name not in ("on_steps_end", "on_signal"):
            self.ranks.spread([model.flat_params, model.flat_buffers])

    def _resume(self, resumption: Resumption) -> None:
        """Go on where the checkpoint was written, with what was left to do behind its step."""
        training = self.training
        self._epoch_began -= resumption.put(self)
        training.model.epochs_begun = training.epochs_begun
        self.progress.start(training.samples_seen)
        begin = training.initial_epoch + self.history.epochs
        finished = range(begin, training.epoch)
        if finished:
            self._finish(finished)
        self._pause()

    def _epochs(self) -> None:
        training, callbacks = self.training, self.callbacks
        begun = -1
        while not training.is_done and not self._is_stopped:
            epoch, position = training.epoch, training.position
            if callbacks.epochs and position == 0 and begun != epoch:
                self._call("on_epoch_begin", epoch)
            begun = epoch
            if is_ready := training.ready():
                self._steps(self.ranks.of_first(self._native_steps(epoch, position)))
            else:
                self._check(weights=training.is_done)
            finished = range(epoch, training.epoch)
            if finished:
                self._finish(finished)
            self._pause()
            if is_ready or finished:
                shown = training.epoch + (training.position > 0)
                self.progress.update(training.samples_seen, shown, training.so_far)
            self.ends_together = self.ranks.any(self.interrupt.requested)
            self.interrupt.requested = self.ends_together
            self.interrupt.check()
            self._watch_time()

    def _watch_time(self) -> None:
        """Stop the training if its time is over."""
        if self.max_time is None or self.training.is_done:
            return
        if self.ranks.of_first(perf_counter() >= self.end):
            self.overtime = f"max_time of {self.max_time:g} s is over"

    @property
    def _is_stopped(self) -> bool:
        ended = bool(self.callbacks.stopped or self.overtime) or self.signals.ended
        return self.ranks.any(ended)

    def _pause(self) -> None:
        """Let the callbacks act on signals and on what the steps have come to."""
        self._heed_signals()
        if self.callbacks.steps:
            self.training.merge(self.training.initial_epoch + self.history.epochs)
            self._call("on_steps_end", self.training.step)

    def _heed_signals(self) -> None:
        """Let the callbacks act on signals, whichever process they arrived at."""
        names = self.signals.take()
        if self.callbacks.signals:  # which arrive here sooner than there
            names = list(dict.fromkeys(chain(*self.ranks.gather(names))))
            self.signals.ended = self.signals.ended or "SIGTERM" in names
        if names:
            self.training.merge(self.training.initial_epoch + self.history.epochs)
        for name in names:
            self._call("on_signal", name)

    def _native_steps(self, epoch: int, position: int) -> int:
        """Return the number of steps without Python: part of an epoch, or several whole ones."""
        training, per_epoch = self.training, self.training.per_epoch
        if self.callbacks.batches:
            return 1
        steps = min(self.pace.within(self.end - perf_counter()), training.room)
        if limit := self.callbacks.steps_until_end(training.step):
            steps = min(steps, limit)
        if position or steps < 2 * per_epoch:  # as always if the epochs' lengths are unknown
            return min(steps, per_epoch - position)
        last = training.total // per_epoch
        if self.validation:
            last = min(last, epoch - epoch % self.validation_freq + self.validation_freq)
        if self.callbacks.epochs:
            last = epoch + 1
        return min(steps // per_epoch, last - epoch) * per_epoch

    def _steps(self, steps: int) -> None:
        """Run steps and check that the loss is finite."""
        training, callbacks = self.training, self.callbacks
        batch = training.position
        if callbacks.batches:
            self._call("on_train_batch_begin", batch)
        self.is_between_steps = False
        if self.ranks.of_first(self.guard.is_due):
            self.guard.keep()
        start = perf_counter()
        training.advance(steps)
        training.model.epochs_begun = training.epochs_begun
        self.pace.took(steps, perf_counter() - start)
        self._check(weights=training.is_done)
        self.is_between_steps = True
        if training.optimizer.converged:
            callbacks.stopped = callbacks.stopped or training.optimizer.converged
        if callbacks.batches:
            self._call("on_train_batch_end", batch, training.so_far())

    def _check(self, *, weights: bool) -> None:
        """Raise if a loss or the weights are not finite, in whatever process."""
        if self.ranks.any(not self.guard.is_good(weights=weights)):
            self.guard.stop()

    def _finish(self, epochs: range) -> None:
        """Record and show loss and metrics of finished epochs."""
        columns = {name: each.tolist() for name, each in self.training.values(epochs).items()}
        if self.validation:
            columns |= self._validate(epochs, list(columns))
        now = perf_counter()
        self.history.extend(columns, now - self._epoch_began)
        self.history.samples = self.progress.samples = self.training.count
        self._epoch_began = now
        self.progress.finish(epochs, columns, self.history.seconds[-1])
        if self.callbacks.epochs:
            self._call("on_epoch_end", epochs[-1], self.history.last())

    def _validate(self, epochs: range, names: list[str]) -> dict[str, list[float]]:
        """Return validation loss and metrics: NaN for all of `epochs` but the last."""
        assert self.validation
        unknown = [float("nan")] * (len(epochs) - 1)
        if epochs.stop % self.validation_freq and not self.training.is_done:
            return {f"val_{name}": [*unknown, float("nan")] for name in names}
        with self.validation.model.states_aside():
            # Processes that measure their parts wait for each other.
            alone = self.ranks.size == 1
            found = self.validation.run(self.interrupt.check if alone else lambda: None)
        return {f"val_{name}": [*unknown, value] for name, value in found.items()}
