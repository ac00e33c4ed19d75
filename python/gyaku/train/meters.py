"""Running sums of loss and metrics over batches, and the length of native calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.criterion import Criterion

    Arrays = Sequence[NDArray[Any]]

__all__ = ["Meters", "Pace"]


class Pace:
    """Number of steps in a native call of about 100 ms.

    Attributes
    ----------
    steps : int
        The number, from the time of the last call.
    """

    __slots__ = ("steps",)
    SECONDS = 0.1

    def __init__(self) -> None:
        self.steps = 1

    def took(self, steps: int, seconds: float) -> None:
        """Update the number from the time of a call.

        Parameters
        ----------
        steps : int
            Steps of the call.
        seconds : float
            Time of the call.
        """
        self.steps = max(1, int(steps * self.SECONDS / max(seconds, 1e-9)))


class Meters:
    """Running sums of loss and metrics over the batches of each of several epochs.

    Parameters
    ----------
    criterion : Criterion
        Losses and metrics.
    slots : int
        The number of epochs.

    Attributes
    ----------
    slot : ndarray of int64, of shape (1,)
        Index of the present epoch.
    totals : dict of str to ndarray of float64
        The sums of each epoch.
    """

    def __init__(self, criterion: Criterion, slots: int) -> None:
        self.criterion = criterion
        self.slot = memory.zeros((1,), np.int64)
        names = ["loss", *criterion.names, *(name for name, _, _ in criterion.metrics)]
        self.totals = {name: memory.zeros((slots,), np.float64) for name in names}

    def clear(self) -> None:
        """Set all sums to zero."""
        for total in self.totals.values():
            total.fill(0)

    def add(self, losses: Arrays, y: Arrays, t: Arrays) -> None:
        """Add a batch.

        Parameters
        ----------
        losses : sequence of ndarray of float64
            Loss of each output.
        y, t : sequence of ndarray
            Outputs and targets.
        """
        size = float(len(y[0]))
        once = size if self.criterion.reduction == "mean" else 1.0
        for value, weight in zip(losses, self.criterion.weights, strict=True):
            ops.accumulate(value.reshape(1), self.totals["loss"], self.slot, weight=weight * once)
        for name, value in zip(self.criterion.names, losses, strict=False):
            ops.accumulate(value.reshape(1), self.totals[name], self.slot, weight=once)
        for name, place, metric in self.criterion.metrics:
            weight = 1.0 if metric.counts else size
            value = metric(y[place], t[place])
            ops.accumulate(value, self.totals[name], self.slot, weight=weight)

    def values(self, slots: slice, samples: int) -> dict[str, NDArray[np.float64]]:
        """Return the loss and the metrics of some epochs.

        Parameters
        ----------
        slots : slice
            The epochs.
        samples : int
            Number of samples in each epoch.

        Returns
        -------
        dict of str to ndarray of float64
            Means over the samples; sums for a loss with reduction "sum".
        """
        found = {name: total[slots] / samples for name, total in self.totals.items()}
        if self.criterion.reduction == "sum":
            for name in ("loss", *self.criterion.names):
                found[name] = self.totals[name][slots].copy()
        return found
