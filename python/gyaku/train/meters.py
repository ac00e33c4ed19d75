"""Running sums of loss and metrics over batches, and the length of native calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.metrics import Overall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.metrics import Metric
    from gyaku.train.criterion import Criterion

    Arrays = Sequence[NDArray[Any]]
    Lengths = Sequence[NDArray[np.int64] | None]

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
    steps : dict of int to ndarray of float64
        Number of real steps in each epoch, of the outputs that are padded sequences.
    names : list of str
        The names of loss and metrics, in the order of `values`.
    """

    def __init__(self, criterion: Criterion, slots: int) -> None:
        self.criterion = criterion
        self.slot = memory.zeros((1,), np.int64)
        self._means: list[tuple[str, int, Metric]] = []
        self._overall: list[tuple[str, int, Overall]] = []
        for name, place, metric in criterion.metrics:
            if isinstance(metric, Overall):
                self._overall.append((name, place, metric))
            else:
                self._means.append((name, place, metric))
        self._summaries: dict[tuple[str, int], list[Any]] = {}  # by name and slot
        names = ["loss", *criterion.names, *(name for name, _, _ in self._means)]
        self.names = [*names, *(name for name, _, _ in self._overall)]
        self.totals = {name: memory.zeros((slots,), np.float64) for name in names}
        self.steps: dict[int, NDArray[np.float64]] = {}
        self._positions = dict.fromkeys(names, 1)  # of a sample or a real step
        self._outputs = {"loss": 0} | {name: place for place, name in enumerate(criterion.names)}
        self._outputs |= {name: place for name, place, _ in criterion.metrics}

    def clear(self) -> None:
        """Set all sums to zero."""
        for total in (*self.totals.values(), *self.steps.values()):
            total.fill(0)
        self._summaries.clear()

    def kept(self, slots: slice) -> dict[str, list[Any]]:
        """Return the sums of some epochs, for `put`.

        Parameters
        ----------
        slots : slice
            The epochs.

        Returns
        -------
        dict of str to list
            Sums by name, real steps by output, and what metrics of the whole epoch have kept, for
            each epoch.
        """
        places = range(slots.start, slots.stop)
        return {
            "totals": [{name: sums[slot] for name, sums in self.totals.items()} for slot in places],
            "steps": [{str(n): sums[slot] for n, sums in self.steps.items()} for slot in places],
            "summaries": [
                {name: self._summaries.get((name, slot), []) for name, _, _ in self._overall}
                for slot in places
            ],
        }

    def put(self, slot: int, kept: dict[str, list[Any]]) -> None:
        """Set the sums of some epochs.

        Parameters
        ----------
        slot : int
            The first of them.
        kept : dict of str to list
            Result of `kept`.
        """
        each = zip(kept["totals"], kept["steps"], kept["summaries"], strict=True)
        for place, (totals, steps, summaries) in enumerate(each, slot):
            for name, sums in self.totals.items():
                sums[place] = totals[name]
            for output, count in steps.items():
                self._steps_of(int(output))[place] = count
            self._summaries |= {(name, place): [*found] for name, found in summaries.items()}

    def _steps_of(self, output: int) -> NDArray[np.float64]:
        """Return the number of real steps of an output in each epoch."""
        if output not in self.steps:
            self.steps[output] = memory.zeros(self.totals["loss"].shape, np.float64)
        return self.steps[output]

    def add(self, losses: Arrays, y: Arrays, t: Arrays, lengths: Lengths = ()) -> None:
        """Add a batch.

        Parameters
        ----------
        losses : sequence of ndarray of float64
            Loss of each output.
        y, t : sequence of ndarray
            Outputs and targets.
        lengths : sequence of ndarray of int64 or None
            Lengths of the outputs that are padded sequences; () if none is.
        """
        known = lengths or [None] * len(y)
        counts = [self._count(place, y[place], each) for place, each in enumerate(known)]
        is_mean = self.criterion.reduction == "mean"
        each = zip(losses, self.criterion.weights, counts, strict=True)
        for value, weight, count in each:
            self._accumulate("loss", value, weight, is_mean, len(y[0]), count)
        for name, value, count in zip(self.criterion.names, losses, counts, strict=False):
            self._accumulate(name, value, 1.0, is_mean, len(y[0]), count)
        for name, place, metric in self._means:
            count, shape = counts[place], y[place].shape[1:]
            self._positions[name] = metric.positions(shape if count is None else shape[1:])
            more = () if known[place] is None else (known[place],)
            value = metric(y[place], t[place], *more)
            self._accumulate(name, value, 1.0, not metric.counts, len(y[0]), count)

        for name, place, overall in self._overall:
            self._summarise(name, overall, y[place], t[place], known[place])

    def _summarise(
        self,
        name: str,
        metric: Overall,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None,
    ) -> None:
        """Add what a metric of the whole data set needs of a batch."""

        def call() -> None:
            real: Any = ...
            if lengths is not None:
                real = np.arange(y.shape[1]) < lengths[:, np.newaxis]
            rows = y[real].reshape(-1, y.shape[-1])
            targets = t[real].reshape(rows.shape if t.shape == y.shape else -1)
            summary = metric.summary(rows, targets)
            kept = self._summaries.setdefault((name, int(self.slot[0])), [])
            if kept and isinstance(summary, np.ndarray):
                kept[0] = kept[0] + summary
            else:
                kept.append(summary)

        reads = [y, t, self.slot] if lengths is None else [y, t, self.slot, lengths]
        memory.host(call, reads, [])

    def _count(
        self, place: int, y: NDArray[Any], lengths: NDArray[np.int64] | None
    ) -> NDArray[Any] | None:
        """Count the real steps of an output, if it is a padded sequence."""
        if lengths is None:
            return None
        count = ops.count_steps(lengths, steps=y.shape[1])
        ops.accumulate(count, self._steps_of(place), self.slot, weight=1.0)
        return count

    def _accumulate(
        self,
        name: str,
        value: NDArray[Any],
        weight: float,
        is_mean: bool,
        size: int,
        count: NDArray[Any] | None,
    ) -> None:
        """Add the value of a batch, a mean over its samples or real steps, or their sum."""
        if is_mean and count is None:
            weight *= size
        count = count if is_mean else None
        ops.accumulate(value.reshape(1), self.totals[name], self.slot, weight=weight, count=count)

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
            Means over the samples, or over the real steps of padded sequences; sums for a loss
            with reduction "sum".
        """
        found = {}
        for name, total in self.totals.items():
            steps = self.steps.get(self._outputs[name])
            count = samples if steps is None else steps[slots]
            found[name] = total[slots] / (count * self._positions[name])
        for name, _, overall in self._overall:
            kept = [self._summaries[name, slot] for slot in range(slots.start, slots.stop)]
            found[name] = np.array([overall.of(summaries) for summaries in kept])
        weights, names = self.criterion.weights, self.criterion.names
        if self.criterion.reduction == "sum":
            for name in ("loss", *names):
                found[name] = self.totals[name][slots].copy()
        elif self.steps and names:  # outputs with counts of their own
            each = zip(weights, names, strict=True)
            found["loss"] = np.sum([weight * found[name] for weight, name in each], axis=0)
        return found
