"""The loop of fit: native steps; between them validation, callbacks and progress."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import TYPE_CHECKING

from gyaku.history import History
from gyaku.train.interrupt import Interrupt
from gyaku.train.meters import Pace
from gyaku.train.nonfinite import Guard, NonFiniteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyaku.callbacks import Callbacks
    from gyaku.train.evaluate import Evaluation
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

    Returns
    -------
    History
        Loss and metrics of each epoch.

    Raises
    ------
    NonFiniteError
        If a loss or weight becomes NaN or infinite.
    """
    loop = Loop(training, validation, validation_freq, callbacks)
    with Interrupt() as interrupt:
        loop.interrupt = interrupt
        loop.progress = progress()
        try:
            loop.run()
            loop.progress.note(training.threads)
        finally:
            loop.progress.close()
    if loop.history.stopped == "interrupted":
        epoch, batch = divmod(training.step, training.per_epoch)
        warnings.warn(
            f"fit: interrupted after {epoch} epochs and {batch} steps; the model keeps the weights"
            " of the last finished step",
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
    """

    interrupt: Interrupt
    progress: Progress

    def __init__(
        self,
        training: Training,
        validation: Evaluation | None,
        validation_freq: int,
        callbacks: Callbacks,
    ) -> None:
        self.training = training
        self.validation = validation
        self.validation_freq = validation_freq
        self.callbacks = callbacks
        self.history = History(training.samples.count)
        self.pace = Pace()
        self.guard = Guard(training)

    def run(self) -> None:
        """Run all epochs, between `on_train_begin` and `on_train_end` of the callbacks."""
        call = self.callbacks.call
        self.callbacks.prepare(self.training.per_epoch, self.training.samples)
        try:
            call("on_train_begin")
            self._epochs()
            self.history.stopped = self.callbacks.stopped
        except KeyboardInterrupt as error:
            self.history.stopped = "interrupted"
            call("on_exception", error)
        except NonFiniteError as error:
            error.history = self.history
            self.history.stopped = str(error)
            call("on_exception", error)
            raise
        except BaseException as error:
            call("on_exception", error)
            raise
        finally:
            call("on_train_end")
            self.callbacks.release()

    def _epochs(self) -> None:
        training, callbacks = self.training, self.callbacks
        self._epoch_began = perf_counter()
        while training.step < training.total and callbacks.stopped is None:
            epoch, position = divmod(training.step, training.per_epoch)
            if callbacks.epochs and position == 0:
                callbacks.call("on_epoch_begin", epoch)
            self._steps(self._native_steps(epoch, position))
            finished = range(epoch, training.step // training.per_epoch)
            if finished:
                self._finish(finished)
            self.progress.update(training.samples_seen, training.so_far())
            self.interrupt.check()

    def _native_steps(self, epoch: int, position: int) -> int:
        """Return the number of steps without Python: part of an epoch, or several whole ones."""
        training, per_epoch = self.training, self.training.per_epoch
        if self.callbacks.batches:
            return 1
        steps = min(self.pace.steps, training.room)
        if position or steps < 2 * per_epoch:
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
        batch = training.step % training.per_epoch
        if callbacks.batches:
            callbacks.call("on_train_batch_begin", batch)
        self.guard.keep()
        start = perf_counter()
        training.advance(steps)
        training.model.epochs_begun = training.epochs_begun
        self.pace.took(steps, perf_counter() - start)
        self.guard.check(weights=training.step == training.total)
        if training.optimizer.converged:
            callbacks.stopped = callbacks.stopped or training.optimizer.converged
        if callbacks.batches:
            callbacks.call("on_train_batch_end", batch, training.so_far())

    def _finish(self, epochs: range) -> None:
        """Record and show loss and metrics of finished epochs."""
        columns = {name: each.tolist() for name, each in self.training.values(epochs).items()}
        if self.validation:
            columns |= self._validate(epochs, list(columns))
        now = perf_counter()
        self.history.extend(columns, now - self._epoch_began)
        self._epoch_began = now
        self.progress.finish(epochs, columns, self.history.seconds[-1])
        if self.callbacks.epochs:
            self.callbacks.call("on_epoch_end", epochs[-1], self.history.last())

    def _validate(self, epochs: range, names: list[str]) -> dict[str, list[float]]:
        """Return validation loss and metrics: NaN for all of `epochs` but the last."""
        assert self.validation
        unknown = [float("nan")] * (len(epochs) - 1)
        if epochs.stop % self.validation_freq and epochs.stop * self.training.per_epoch != (
            self.training.total
        ):
            return {f"val_{name}": [*unknown, float("nan")] for name in names}
        with self.validation.model.states_aside():
            found = self.validation.run(self.interrupt.check)
        return {f"val_{name}": [*unknown, value] for name, value in found.items()}
