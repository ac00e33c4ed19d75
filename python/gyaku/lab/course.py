"""The course of a training as the lab notes it: place, speed, time left, present loss."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Course"]

_WINDOW = 2.0  # seconds over which the speed is a mean

STEPS = "step/"
"""Beginning of the names of series whose points are within an epoch."""


class Course:
    """Course of a training from its first note on.

    Parameters
    ----------
    loop : Loop
        The training, of which nothing changes.
    steps_per_epoch : int
        Number of steps in an epoch, 0 if unknown.
    """

    def __init__(self, loop: Any, steps_per_epoch: int) -> None:
        self._loop, self._per_epoch = loop, steps_per_epoch
        self._began, self._first = perf_counter(), self.place
        self._seen = [(self._began, loop.training.samples_seen)]
        self._last: tuple[int, int, dict[str, float]] = (-1, 0, {})

    @property
    def place(self) -> float:
        """Number of epochs so far, with the fraction of the present one if it is known."""
        steps = self._loop.training
        part = steps.position / self._per_epoch if self._per_epoch else 0.0
        return float(steps.epoch + min(part, 1.0))

    def rested(self, seconds: float) -> None:
        """Leave a pause out of the times.

        Parameters
        ----------
        seconds : float
            How long it was.
        """
        self._began += seconds
        self._seen = [(at + seconds, samples) for at, samples in self._seen]

    def numbers(self) -> dict[str, Any]:
        """Return where the training stands.

        Returns
        -------
        dict of str to object
            Epochs and steps so far, learning rate, samples a second, seconds so far and left.
        """
        loop, steps, now = self._loop, self._loop.training, perf_counter()
        self._seen = [each for each in self._seen[:-1] if now - each[0] < _WINDOW] + self._seen[-1:]
        self._seen.append((now, steps.samples_seen))
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        epochs = loop.history.settings["epochs"]
        done, seconds = self.place - self._first, now - self._began
        left = None if done <= 0 else seconds / done * max(0.0, epochs - self.place)
        return {
            "epoch": self.place,
            "epochs": epochs,
            "step": steps.step,
            "rate": float(steps.optimizer.rate),
            "speed": (last - first) / max(end - start, 1e-9),
            "seconds": seconds,
            "left": left,
        }

    def since_last(self) -> dict[str, float]:
        """Return learning rate, and loss and metrics since the last call, within an epoch.

        Returns
        -------
        dict of str to float
            The values by the names of their series. Means over the samples since the last call;
            over the epoch so far where samples have weights or steps, or a metric is no mean.
        """
        steps = self._loop.training
        found = {"learning_rate": float(steps.optimizer.rate)}
        if not (self._per_epoch and steps.position):
            return found
        epoch, seen = steps.epoch, steps.position * steps.batch_size
        so_far = steps.so_far()
        last_epoch, before, known = self._last
        if last_epoch != epoch:
            before, known = 0, {}
        if seen > before:
            is_mean = steps.criterion.reduction == "mean"
            plain = is_mean and steps.is_repeatable and not steps.meters.counts
            for name, mean in so_far.items():
                found[STEPS + name] = mean
                if plain and name in steps.meters.totals:
                    total = mean * seen - known.get(name, 0.0) * before
                    found[STEPS + name] = total / (seen - before)
            self._last = epoch, seen, so_far
        return found
