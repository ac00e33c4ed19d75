"""What is measured while batches go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.losses import Loss
    from gyaku.metrics import Metric

__all__ = ["Meters", "Pace"]


class Pace:
    """How many steps a native call should take: about 100 ms of them.

    Attributes
    ----------
    steps : int
        The number, from how long the last call took.
    """

    __slots__ = ("steps",)
    SECONDS = 0.1

    def __init__(self) -> None:
        self.steps = 1

    def took(self, steps: int, seconds: float) -> None:
        """Learn from a call.

        Parameters
        ----------
        steps : int
            The steps that it took.
        seconds : float
            The time that it took.
        """
        self.steps = max(1, int(steps * self.SECONDS / max(seconds, 1e-9)))


class Meters:
    """Loss and metrics, summed over the batches of each of several epochs.

    Parameters
    ----------
    loss : Loss
        The loss.
    metrics : sequence of Metric
        The metrics.
    slots : int
        The number of epochs.

    Attributes
    ----------
    slot : ndarray of int64, of shape (1,)
        The epoch that is summed.
    totals : dict of str to ndarray of float64
        The sums of each epoch.
    """

    def __init__(self, loss: Loss, metrics: Sequence[Metric], slots: int) -> None:
        self.loss = loss
        self.metrics = metrics
        self.slot = memory.zeros((1,), np.int64)
        names = ["loss", *(metric.name for metric in metrics)]
        self.totals = {name: memory.zeros((slots,), np.float64) for name in names}

    def clear(self) -> None:
        """Begin all sums anew."""
        for total in self.totals.values():
            total.fill(0)

    def add(self, loss: NDArray[np.float64], y: NDArray[Any], t: NDArray[Any]) -> None:
        """Add a batch.

        Parameters
        ----------
        loss : ndarray of float64
            Its loss.
        y, t : ndarray
            Its outputs and targets.
        """
        size = float(len(y))
        weight = size if self.loss.reduction == "mean" else 1.0
        ops.accumulate(loss.reshape(1), self.totals["loss"], self.slot, weight=weight)
        for metric in self.metrics:
            weight = 1.0 if metric.counts else size
            ops.accumulate(metric(y, t), self.totals[metric.name], self.slot, weight=weight)

    def values(self, slots: slice, samples: int) -> dict[str, NDArray[np.float64]]:
        """Return the loss and the metrics of some epochs.

        Parameters
        ----------
        slots : slice
            The epochs.
        samples : int
            How many samples were added to each.

        Returns
        -------
        dict of str to ndarray of float64
            Averages over the samples; the sum for a loss that is one.
        """
        found = {name: total[slots] / samples for name, total in self.totals.items()}
        if self.loss.reduction == "sum":
            found["loss"] = self.totals["loss"][slots].copy()
        return found
