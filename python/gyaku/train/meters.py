"""Running sums of loss and metrics over batches, and the length of native calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.calls import real_rows
from gyaku.metrics import Overall
from gyaku.train.kept import Kept
from gyaku.train.ranks import ALONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.metrics import Metric
    from gyaku.train.criterion import Criterion
    from gyaku.train.ranks import Ranks

    Arrays = Sequence[NDArray[Any]]
    Lengths = Sequence[NDArray[np.int64] | None]
    Weights = Sequence[NDArray[np.float64] | None]

__all__ = ["Meters", "Pace", "count_of", "most_slots"]

# In place of a sum of weights that is zero so far, for a mean of zero.
_TINY = np.finfo(np.float64).tiny

# In the confusion matrices of all epochs that are summed up without Python.
_CELLS = 1 << 18


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

    def within(self, seconds: float) -> int:
        """Return the number of steps of a native call that may take no longer.

        Parameters
        ----------
        seconds : float
            Time that is left.

        Returns
        -------
        int
            The number, at least one.
        """
        return max(1, int(self.steps * min(1.0, seconds / self.SECONDS)))


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
    counts : dict of int to ndarray of float64
        Number of real steps, or sum of weights, in each epoch, of the outputs that are padded
        sequences or whose samples have weights.
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
        self._stores: dict[int, Kept] = {}  # by output
        self._matrices: dict[tuple[Any, ...], NDArray[np.float64]] = {}  # by output and arguments
        for _, place, overall in self._overall:
            if overall.confusions is None:
                self._stores.setdefault(place, Kept())
        names = ["loss", *criterion.names, *(name for name, _, _ in self._means)]
        self.names = [*names, *(name for name, _, _ in self._overall)]
        self.totals = {name: memory.zeros((slots,), np.float64) for name in names}
        self.counts: dict[int, NDArray[np.float64]] = {}
        self._positions = dict.fromkeys(names, 1)  # of a sample or a real step
        self._outputs = {"loss": 0} | {name: place for place, name in enumerate(criterion.names)}
        self._outputs |= {name: place for name, place, _ in criterion.metrics}

    def clear(self) -> None:
        """Set all sums to zero."""
        for total in (*self.totals.values(), *self.counts.values(), *self._matrices.values()):
            total.fill(0)
        self._summaries.clear()
        for kept in self._stores.values():
            kept.clear()

    def absorb(self, batch: Meters) -> None:
        """Add the sums of a batch, whose metrics are all means.

        Parameters
        ----------
        batch : Meters
            Meters of one epoch.
        """
        for name, sums in batch.totals.items():
            self.totals[name][self.slot] += sums[0]
        for output, count in batch.counts.items():
            self._steps_of(output)[self.slot] += count[0]
        self._positions |= batch._positions

    @property
    def keeps(self) -> bool:
        """Whether outputs are kept, which `take` must take out."""
        return bool(self._stores)

    def room(self, size: int, steps: int) -> int:
        """Return the number of steps that are possible before the next `take`.

        Parameters
        ----------
        size : int
            Samples per batch.
        steps : int
            The wanted number.

        Returns
        -------
        int
            The number, at most the wanted one.
        """
        return min([steps, *(kept.room(size) for kept in self._stores.values())])

    def take(self) -> None:
        """Summarise the outputs that the last steps have kept, all of them of the present slot."""
        for output, kept in self._stores.items():
            for batch in kept.take():
                for name, place, metric in self._overall:
                    if place == output and metric.confusions is None:
                        self._summarise(name, metric, *batch)

    def kept(self, slots: slice) -> dict[str, list[Any]]:
        """Return the sums of some epochs, for `put`.

        Parameters
        ----------
        slots : slice
            The epochs.

        Returns
        -------
        dict of str to list
            Sums by name, counts by output, and what metrics of the whole epoch have kept, for
            each epoch.
        """
        places = range(slots.start, slots.stop)
        return {
            "totals": [{name: sums[slot] for name, sums in self.totals.items()} for slot in places],
            "steps": [{str(n): sums[slot] for n, sums in self.counts.items()} for slot in places],
            "summaries": [
                {name: self._summary(name, slot) for name, _, _ in self._overall} for slot in places
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
        names = "totals", "steps", "summaries"
        each = zip(*(kept[name] for name in names), strict=True)
        for place, (totals, steps, summaries) in enumerate(each, slot):
            for name, sums in self.totals.items():
                sums[place] = totals[name]
            for output, count in steps.items():
                self._steps_of(int(output))[place] = count
            for name, output, metric in self._overall:
                found = summaries[name]
                if metric.confusions is None:
                    self._summaries[name, place] = [*found]
                elif found:
                    self._matrix(output, metric, found[0].shape)[place] = found[0]

    def _summary(self, name: str, slot: int) -> list[Any]:
        """Return what a metric of the whole data set has kept of an epoch."""
        place, metric = next((place, each) for one, place, each in self._overall if one == name)
        matrices = self._matrices.get(_key(place, metric))
        return self._summaries.get((name, slot), []) if matrices is None else [matrices[slot]]

    def _matrix(self, place: int, metric: Overall, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the confusion matrices of all epochs, which several metrics may have in common."""
        key = _key(place, metric)
        if key not in self._matrices:
            slots = len(self.totals["loss"])
            self._matrices[key] = memory.zeros((slots, *shape), np.float64)
        return self._matrices[key]

    def merged(self, each: Sequence[dict[str, list[Any]]]) -> dict[str, list[Any]]:
        """Return the sums of several processes as those of one.

        Parameters
        ----------
        each : sequence of dict
            The result of `kept` in each process.

        Returns
        -------
        dict of str to list
            Their sums.
        """
        merged = {
            kind: [_added(slot) for slot in zip(*(one[kind] for one in each), strict=True)]
            for kind in ("totals", "steps")
        }
        slots = zip(*(one["summaries"] for one in each), strict=True)
        summaries = [
            {name: _together([found[name] for found in slot]) for name in slot[0]} for slot in slots
        ]
        return {**merged, "summaries": summaries}

    def none_of(self, kept: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return sums of zero for the epochs of others.

        Parameters
        ----------
        kept : dict of str to list
            Result of `kept`.

        Returns
        -------
        dict of str to list
            The zeros.
        """
        zero = {
            kind: [dict.fromkeys(slot, 0) for slot in kept[kind]] for kind in ("totals", "steps")
        }
        return {**zero, "summaries": [{name: [] for name in slot} for slot in kept["summaries"]]}

    def _kept(self, name: str, slot: int, ranks: Ranks) -> list[Any]:
        """Return what a metric of the whole data set has kept of an epoch, in all processes."""
        return _together(ranks.gather(self._summary(name, slot)))

    def _steps_of(self, output: int) -> NDArray[np.float64]:
        """Return the count of an output in each epoch."""
        if output not in self.counts:
            self.counts[output] = memory.zeros(self.totals["loss"].shape, np.float64)
        return self.counts[output]

    def add(
        self,
        losses: Arrays,
        y: Arrays,
        t: Arrays,
        lengths: Lengths = (),
        weights: Weights = (),
    ) -> None:
        """Add a batch.

        Parameters
        ----------
        losses : sequence of ndarray of float64
            Loss of each output.
        y, t : sequence of ndarray
            Outputs and targets.
        lengths : sequence of ndarray of int64 or None
            Lengths of the outputs that are padded sequences; () if none is.
        weights : sequence of ndarray of float64 or None
            Weights of samples or positions for each output; () if all are one.
        """
        nothing = [None] * len(y)
        given = list(zip(lengths or nothing, weights or nothing, strict=True))
        counts = [self._count(place, y[place], *each) for place, each in enumerate(given)]
        is_mean = self.criterion.reduction == "mean"
        each = zip(losses, self.criterion.weights, counts, strict=True)
        for value, weight, count in each:
            self._accumulate("loss", value, weight, is_mean, len(y[0]), count)
        for name, value, count in zip(self.criterion.names, losses, counts, strict=False):
            self._accumulate(name, value, 1.0, is_mean, len(y[0]), count)
        for name, place, metric in self._means:
            count = counts[place]
            self._positions[name] = metric.positions(y[place].shape[_counted(*given[place]) :])
            value = metric(y[place], t[place], *given[place])
            self._accumulate(name, value, 1.0, not metric.counts, len(y[0]), count)
        for place, kept in self._stores.items():
            kept.add(y[place], t[place], *given[place])
        counted = set()
        for _, place, overall in self._overall:
            key, more = _key(place, overall), overall.confusions
            if more is not None and key not in counted:
                counted.add(key)
                self._count_confusions(place, overall, y[place], t[place], *given[place])

    def _count_confusions(
        self,
        place: int,
        metric: Overall,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None,
        weights: NDArray[np.float64] | None,
    ) -> None:
        """Add a batch to the confusion matrix of the present slot."""
        more = metric.confusions or {}
        columns = y.shape[-1]
        shape = (columns, 2, 2) if more["by_label"] else (max(columns, 2),) * 2
        if more["by_label"] and t.shape != y.shape:
            raise ValueError(
                f"the metric {metric.name!r} has a threshold, which is for several labels a sample:"
                f" targets of 0 and 1 in the shape of the outputs, {y.shape[1:]}, got {t.shape[1:]}"
            )
        totals = self._matrix(place, metric, shape)
        ops.count_confusions(
            y, t, totals, self.slot, lengths=lengths, sample_weight=weights, **more
        )

    def _summarise(
        self,
        name: str,
        metric: Overall,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None,
        weights: NDArray[np.float64] | None,
    ) -> None:
        """Add what a metric of the whole data set needs of some batches."""
        real, more = real_rows(y.shape[1] if y.ndim > 1 else 1, lengths, weights)
        rows = y[real].reshape(-1, y.shape[-1])
        targets = t[real].reshape(rows.shape if t.shape == y.shape else -1)
        summary = metric.summary(rows, targets, **_of_rows(len(rows), **more))
        kept = self._summaries.setdefault((name, int(self.slot[0])), [])
        if kept and isinstance(summary, np.ndarray):
            kept[0] = kept[0] + summary
        else:
            kept.append(summary)

    def _count(
        self,
        place: int,
        y: NDArray[Any],
        lengths: NDArray[np.int64] | None,
        weights: NDArray[np.float64] | None,
    ) -> NDArray[Any] | None:
        """Count the real steps of an output, or add up its weights, if it has any."""
        count = count_of(y, lengths, weights)
        if count is not None:
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

    def _sums(
        self, slots: slice, ranks: Ranks
    ) -> tuple[dict[str, NDArray[Any]], dict[int, NDArray[Any]], dict[str, int]]:
        """Return sums, counts and positions of some epochs, of all processes together."""
        own = (
            {name: each[slots] for name, each in self.totals.items()},
            {output: each[slots] for output, each in self.counts.items()},
            self._positions,
        )
        if ranks.size == 1:
            return own
        totals, counts, positions = zip(*ranks.gather(own), strict=True)
        most = {name: max(each[name] for each in positions) for name in self._positions}
        return _added(totals), _added(counts), most  # a process may have had no batch

    def values(
        self, slots: slice, samples: int, *, finished: bool = True, ranks: Ranks = ALONE
    ) -> dict[str, NDArray[np.float64]]:
        """Return the loss and the metrics of some epochs.

        Parameters
        ----------
        slots : slice
            The epochs.
        samples : int
            Number of samples in each epoch.
        finished : bool
            Whether to compute metrics that keep all outputs, whose cost grows with the samples.
        ranks : Ranks
            The processes over whose samples to compute them.

        Returns
        -------
        dict of str to ndarray of float64
            Means over the samples, or over the real steps of padded sequences; sums for a loss
            with reduction "sum".
        """
        found = {}
        totals, counts, positions = self._sums(slots, ranks)
        for name, total in totals.items():
            steps = counts.get(self._outputs[name])
            count = samples if steps is None else np.maximum(steps, _TINY)
            found[name] = total / (count * positions[name])
        for name, _, overall in self._overall:
            kept = [self._kept(name, slot, ranks) for slot in range(slots.start, slots.stop)]
            if not finished and not (kept[-1] and isinstance(kept[-1][0], np.ndarray)):
                continue
            found[name] = np.array([overall.of(summaries) for summaries in kept])
        weights, names = self.criterion.weights, self.criterion.names
        if self.criterion.reduction == "sum":
            for name in ("loss", *names):
                found[name] = totals[name].copy()
        elif counts and names:  # outputs with counts of their own
            each = zip(weights, names, strict=True)
            found["loss"] = np.sum([weight * found[name] for weight, name in each], axis=0)
        return found


def _together(each: Sequence[list[Any]]) -> list[Any]:
    """Return the summaries of several processes as those of one: their sum, or all of them."""
    if len(each) == 1:
        return each[0]
    found = [summary for summaries in each for summary in summaries]
    if found and isinstance(found[0], np.ndarray):
        return [np.sum(found, axis=0)]
    return found


def most_slots(criterion: Criterion, shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of epochs for whose confusion matrices there is room.

    Parameters
    ----------
    criterion : Criterion
        Losses and metrics.
    shapes : sequence of tuple of int
        Shapes of the outputs' samples.

    Returns
    -------
    int
        The number.
    """
    overall = [shapes[place] for _, place, each in criterion.metrics if isinstance(each, Overall)]
    cells = max((shape[-1] ** 2 for shape in overall if shape), default=1)
    return _CELLS // cells


def _key(place: int, metric: Overall) -> tuple[Any, ...]:
    """Return the key of a confusion matrix: output, and arguments of its count."""
    return place, *(metric.confusions or {}).values()


def count_of(
    y: NDArray[Any],
    lengths: NDArray[np.int64] | None,
    weights: NDArray[np.float64] | None,
) -> NDArray[np.float64] | None:
    """Count the real steps of an output, or add up its weights, if it has any.

    Parameters
    ----------
    y : ndarray
        The output, of which only the shape is read.
    lengths : ndarray of int64 or None
        Lengths, if it is a padded sequence.
    weights : ndarray of float64 or None
        Weights of samples or positions, if there are any.

    Returns
    -------
    ndarray of float64, of shape (1,), or None
        The count; None if all samples count alike.
    """
    steps = y.shape[1] if y.ndim > 1 else 1
    if weights is not None:
        return ops.sum_weights(weights, lengths=lengths, steps=steps)
    return None if lengths is None else ops.count_steps(lengths, steps=steps)


def _added(each: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Return the sums of several processes, in their order, of which some may lack one."""
    names = dict.fromkeys(name for sums in each for name in sums)
    # -0.0 + x is x, whatever its sign.
    return {name: sum((sums[name] for sums in each if name in sums), -0.0) for name in names}


def _counted(lengths: NDArray[Any] | None, weights: NDArray[Any] | None) -> int:
    """Return the number of axes whose positions count as samples: of samples, steps or pixels."""
    return max(1 if lengths is None else 2, 1 if weights is None else weights.ndim)


def _of_rows(
    rows: int, sample_weight: NDArray[np.float64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return the weight of each row as an argument, from those of samples or positions."""
    if sample_weight is None:
        return {}
    each = sample_weight.reshape(-1)
    return {"sample_weight": np.repeat(each, rows // len(each))}
