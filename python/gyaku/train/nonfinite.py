"""NaN and infinity in a training: detection, the layer of origin, and the last good weights."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku.backend import _core
from gyaku.precision import use_precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.history import History
    from gyaku.train.steps import Training
    from gyaku.train.trainee import Use

__all__ = ["Guard", "NonFiniteError", "Snapshot"]

# A copy of the weights is made when 50 times as long as the last one took has passed.
_COPY_SHARE = 50


class NonFiniteError(FloatingPointError):
    """Error of a training with a NaN or infinite value; the last good weights are kept.

    Parameters
    ----------
    message : str
        The message.
    step : int
        Step with the first such value, counted from 1.
    layer : str or None
        Name of the layer in which it arose, if any.

    Attributes
    ----------
    step : int
        Step with the first such value, counted from 1.
    layer : str or None
        Name of the layer in which it arose, if any.
    history : History or None
        History up to the last finished epoch.

    Examples
    --------
    >>> error = NonFiniteError("fit: stopped at step 3", 3, "dense")
    >>> error.step, error.layer
    (3, 'dense')
    """

    def __init__(self, message: str, step: int, layer: str | None) -> None:
        super().__init__(message)
        self.step = step
        self.layer = layer
        self.history: History | None = None


class Snapshot:
    """Copy of arrays, for restoring them.

    Parameters
    ----------
    arrays : sequence of ndarray
        The arrays.
    """

    def __init__(self, arrays: Sequence[NDArray[Any]]) -> None:
        self._arrays = arrays
        self._copies = [array.copy() for array in arrays]

    def save(self) -> None:
        """Copy the present values."""
        for array, copy in zip(self._arrays, self._copies, strict=True):
            np.copyto(copy, array)

    def restore(self) -> None:
        """Restore the values of the copy."""
        for array, copy in zip(self._arrays, self._copies, strict=True):
            np.copyto(array, copy)


class Guard:
    """Snapshots of good weights, and the search for the step with the first non-finite value.

    Parameters
    ----------
    training : Training
        The training.

    Raises
    ------
    NonFiniteError
        If the initial weights are not finite.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        for name, view in training.model.params.items():
            if not np.isfinite(view).all():
                layer = name.rpartition(".")[0]
                raise NonFiniteError(f"fit: {name} is not finite before the first step", 0, layer)
        self._step = training.step
        self._snapshot = Snapshot(training.state)
        self._schedule = training.optimizer.schedule_state
        self._cost = 0.0
        self._time = perf_counter()

    @property
    def is_due(self) -> bool:
        """Whether the last snapshot is old enough for another, or the rate is new."""
        if self.training.optimizer.schedule_state != self._schedule:
            return True
        return perf_counter() - self._time >= _COPY_SHARE * self._cost

    def keep(self) -> None:
        """Take a snapshot of the weights."""
        start = perf_counter()
        schedule = self.training.optimizer.schedule_state
        # Of memory that processes share, all must have seen the weights before any restores them.
        if self.training.ranks.any(not self._weights_are_finite()):
            self.stop()
        self._snapshot.save()
        self._schedule = schedule
        self._step = self.training.step
        self._time = perf_counter()
        self._cost = self._time - start

    def check(self, *, weights: bool = False) -> None:
        """Raise if the loss or the weights are not finite.

        Parameters
        ----------
        weights : bool
            Whether to check the weights too, which the last step has changed.

        Raises
        ------
        NonFiniteError
            If a loss of the last steps is not finite.
        """
        if not self.is_good(weights=weights):
            self.stop()

    def is_good(self, *, weights: bool = False) -> bool:
        """Return whether the loss, and if asked the weights, are finite.

        Parameters
        ----------
        weights : bool
            Whether to check the weights too.

        Returns
        -------
        bool
            Whether they are.
        """
        return self._loss_is_finite() and (not weights or self._weights_are_finite())

    def _loss_is_finite(self) -> bool:
        return bool(_core.is_finite(self.training.meters.totals["loss"]))

    def _weights_are_finite(self) -> bool:
        weights = self.training.model.flat_params
        with np.errstate(invalid="ignore", over="ignore"):
            return bool(np.isfinite(weights.sum()) or np.isfinite(weights).all())

    def stop(self) -> None:
        """Restore the last good weights and raise.

        Raises
        ------
        NonFiniteError
            Always.
        """
        training = self.training
        training.optimizer.schedule_state = self._schedule
        if not (training.is_repeatable and self._is_repeatable()):
            self._stop_between()
        bad = self._find(training.step)
        # One step in Python, layer by layer, from the last good weights.
        training.step = bad - 1
        where, layer, better = _first_non_finite(training)
        self._snapshot.restore()
        epoch = (bad - 1) // training.per_epoch + 1
        rate = training.optimizer.rate
        advice = "Try a smaller learning rate" + (f", now {rate:.3g}" if rate else "")
        advice += ", or inputs of smaller magnitude"
        if where.startswith("the loss"):
            better = next((e.advice for e in training.criterion.losses if e.advice), "")
            largest = max(float(np.abs(y).max()) for y in training.samples.y)
            if largest > np.sqrt(np.finfo(training.model.dtype).max) / 1e3:
                better = f"The targets are too large, up to {largest:.3g}; scale them"
        raise NonFiniteError(
            f"fit: stopped at step {bad} (epoch {epoch}): the first value that is not finite arose"
            f" in {where}; the model keeps the weights from before this step. {better or advice}",
            bad,
            layer,
        )

    def _is_repeatable(self) -> bool:
        """Return whether the steps since the snapshot do again what they did."""
        training, end = self.training, self.training.step
        after = [array.tobytes() for array in training.state]
        self._go_back()
        while training.step < end:
            training.advance(min(end - training.step, training.room))
        return after == [array.tobytes() for array in training.state]

    def _stop_between(self) -> None:
        """Raise for steps of which the first bad one is unknown."""
        training, last = self.training, self.training.step
        reason = training.once
        if training.is_repeatable:
            reason = "repeating the steps gives other numbers, as after a change of the model by a"
            reason += " callback"
            self._go_back()
            for training.step in range(self._step, last):
                _first_non_finite(training)  # which raises if the data have become invalid
            self._go_back()
        self._snapshot.restore()
        raise NonFiniteError(
            f"fit: stopped, a value is not finite after step {last}; in which step it arose is"
            f" unknown, since {reason}. The model keeps the weights from after step {self._step}."
            " Try a smaller learning rate",
            last,
            None,
        )

    def _find(self, bad: int) -> int:
        """Return the first bad step, with the weights from before it in the snapshot."""
        while bad - self._step > 1:
            middle = (self._step + bad) // 2
            self._go_back()
            if self._is_good_until(middle):
                self._snapshot.save()
                self._step = middle
            else:
                bad = middle
        self._go_back()
        return bad

    def _is_good_until(self, step: int) -> bool:
        training = self.training
        while training.step < step and self._loss_is_finite():
            training.advance(min(step - training.step, training.room))
        return self._loss_is_finite() and self._weights_are_finite()

    def _go_back(self) -> None:
        self._snapshot.restore()
        self.training.step = self._step
        self.training.meters.clear()


class _Found(Exception):
    """First value that is not finite: description, the layer's name, and its advice."""


def _first_non_finite(training: Training) -> tuple[str, str | None, str]:
    """Run one step in Python and return the origin of the first value that is not finite."""
    size, steps = training.seek()

    def watch_output(use: Use, y: NDArray[Any]) -> None:
        if not np.isfinite(y).all():
            raise _Found(f"the output of {use.layer}", use.path, use.advice)

    def watch_gradient(use: Use, arrays: Iterable[NDArray[Any]]) -> None:
        if not all(np.isfinite(array).all() for array in arrays):
            raise _Found(f"the gradient of {use.layer}", use.path, "")

    try:
        for part in training.pieces(size):
            (x, t), lengths = training.batch(part, steps), training.input_lengths(part)
            with use_precision(training.precision):
                y = training.model.run_forward(x, training=True, seen=watch_output, lengths=lengths)
            weights = training.weights(part, steps)
            losses, dy = training.criterion(y, t, training.model.output_lengths, weights)
            for loss, value in zip(training.criterion.losses, losses, strict=True):
                if not np.isfinite(value):
                    raise _Found(f"the loss, {loss!r}", None, "")
            with use_precision(training.precision):
                training.model.run_backward(dy, watch_gradient)
            training.cursor += part
    except _Found as found:
        where, layer, advice = found.args
        return where, layer, advice
    return "the update of the weights", None, ""
