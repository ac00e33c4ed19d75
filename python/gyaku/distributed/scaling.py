"""A model of the time of a training step by many processes: computation, sums, their overlap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.checks import number, whole
from gyaku.distributed.reductions import ranges_of
from gyaku.table import Table
from gyaku.train.profile import settle, steps_to_profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.trainee import Trainee

__all__ = ["Network", "StepTimes", "scaling", "step_times"]

_UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UPDATES = ("update", "optimizer")
MOST = 1024
"""Largest number of processes in a table."""


class Network(NamedTuple):
    """What a message between two processes costs: latency, and time for its bytes.

    Parameters
    ----------
    bandwidth : float
        Bytes per second in one direction.
    latency : float
        Seconds of an empty message.

    Examples
    --------
    >>> Network.of("25G").bandwidth
    3125000000.0
    """

    bandwidth: float
    latency: float = 2e-5

    @classmethod
    def of(cls, rate: str, latency: float = 2e-5) -> Network:
        """Return a network from its rate as text.

        Parameters
        ----------
        rate : str
            Bits per second, such as "25G" or "100G".
        latency : float
            Seconds of an empty message; 20 µs by default, as of TCP over Ethernet.

        Returns
        -------
        Network
            The network.

        Raises
        ------
        ValueError
            If the rate is none.
        """
        text = rate.strip().upper().removesuffix("BIT/S").strip()
        factor = _UNITS.get(text[-1:], 0.0)
        try:
            bits = float(text[:-1]) * factor if factor else float(text)
        except ValueError:
            bits = 0.0
        if not 0 < bits < math.inf:
            raise ValueError(
                f"network: the rate is bits a second, such as 10G or 25G, got {rate!r}"
            )
        return cls(bits / 8, number("network", "latency", latency, least=0))

    def sum_seconds(self, size: int, processes: int) -> float:
        """Return the time of an all-reduce.

        Parameters
        ----------
        size : int
            Number of bytes.
        processes : int
            Number of processes.

        Returns
        -------
        float
            Seconds: ``2 ⌈log₂ n⌉ a + 2 (n - 1) / n · B / b`` for n processes and B bytes, latency a
            and bandwidth b; a reduce-scatter and an allgather by halving and doubling. R. Thakur,
            R. Rabenseifner and W. Gropp, Optimization of collective communication operations in
            MPICH (2005).
        """
        rounds = 2 * math.ceil(math.log2(processes)) if processes > 1 else 0
        return rounds * self.latency + 2 * (processes - 1) / processes * size / self.bandwidth


class StepTimes(NamedTuple):
    """Times of a training step of one process.

    Parameters
    ----------
    samples : int
        Number of samples.
    buckets : tuple of (float, int)
        Time from the beginning of the step at which each range of gradients is complete, and its
        bytes, in the order in which their sums begin.
    backward : float
        Time at which the backward pass has ended.
    step : float
        Time of the whole step.
    """

    samples: int
    buckets: tuple[tuple[float, int], ...]
    backward: float
    step: float

    def together(self, network: Network, processes: int) -> tuple[float, float]:
        """Return the time of a step by several processes.

        Parameters
        ----------
        network : Network
            The network.
        processes : int
            Their number.

        Returns
        -------
        seconds : float
            The time of the step: sums go one after the other, each from when its range is
            complete, and the update of a range waits for its sum.
        hidden : float
            Share of the communication that takes place behind the computation.
        """
        end = total = 0.0
        clock, update = self.backward, self.step - self.backward
        size_of_all = sum(size for _, size in self.buckets)
        for ready, size in self.buckets:
            seconds = network.sum_seconds(size, processes)
            end = max(end, ready) + seconds
            clock = max(clock, end) + update * size / size_of_all
            total += seconds
        waiting = max(0.0, clock - self.step)
        hidden = 1 - min(waiting, total) / total if total else 1.0
        return self.step + waiting, hidden

    def every(self, network: Network, processes: int, steps: int) -> float:
        """Return the mean time of a step if the processes add up in every so many steps.

        Parameters
        ----------
        network : Network
            The network.
        processes : int
            Their number.
        steps : int
            Number of steps for each sum; the others are local.

        Returns
        -------
        float
            Seconds.
        """
        return self.step + (self.together(network, processes)[0] - self.step) / steps

    def halved(self) -> StepTimes:
        """Return the times for gradients that are sent in half the bytes, such as bfloat16.

        Returns
        -------
        StepTimes
            They, without the time of the conversion.
        """
        return self._replace(buckets=tuple((ready, size // 2) for ready, size in self.buckets))

    def larger(self, factor: int) -> StepTimes:
        """Return the times for a batch that is a whole number of times as large.

        Parameters
        ----------
        factor : int
            The number.

        Returns
        -------
        StepTimes
            They: forward and backward pass in proportion, the same update.
        """
        buckets = tuple((ready * factor, size) for ready, size in self.buckets)
        backward = self.backward * factor
        update = self.step - self.backward
        return StepTimes(self.samples * factor, buckets, backward, backward + update)


def step_times(
    model: Trainee, *, batch_size: int = 128, bucket_bytes: int = 1 << 20, steps: int = 20
) -> StepTimes:
    """Measure the times of a step of a model that is built, on random data.

    Parameters
    ----------
    model : Model
        The model.
    batch_size : int
        Samples in a step.
    bucket_bytes : int
        Bytes of a range of gradients, as in `MPI`.
    steps : int
        Number of steps to measure.

    Returns
    -------
    StepTimes
        The times.
    """
    size = whole("step_times", "batch_size", batch_size)
    generator = np.random.default_rng(0)
    shapes = zip(model.input_shapes or (), model.input_dtypes, strict=True)
    x = tuple(
        np.zeros((size, *shape), dtype)
        if dtype
        else generator.random((size, *shape)).astype(model.dtype)
        for shape, dtype in shapes
    )
    y = tuple(generator.random((size, *shape)).astype(model.dtype) for shape in model.output_shapes)
    training = steps_to_profile(
        *(model, x[0] if len(x) == 1 else x, y[0] if len(y) == 1 else y),
        lengths=None,
        loss="mean_squared_error",
        optimizer="adam",
        batch_size=size,
        steps=steps,
        in_slices=False,
    )
    before = [array.copy() for array in training.state]
    try:
        settle(training)
        training.optimizer.prepare(steps)
        (program,) = (part.program for part in training.parts)
        seconds, tasks = program.profile(steps), program.tasks()
    finally:
        for array, kept in zip(training.state, before, strict=True):
            array[...] = kept
    return _times(training, seconds, tasks, bucket_bytes)


def _times(
    training: Any, seconds: Sequence[float], tasks: Sequence[dict[str, Any]], bucket_bytes: int
) -> StepTimes:
    params, grads = training.trained.flat_params, training.trained.flat_grads
    first, itemsize = grads.ctypes.data, grads.itemsize
    written: dict[int, tuple[int, float]] = {}  # by first element: number, and when at last
    clock = 0.0
    for task, taken in zip(tasks, seconds, strict=True):
        if any(_is_in(params, memory) for memory, _ in task["writes"]):
            continue  # an update, which several processes make behind the backward pass
        clock += taken
        for memory, size in task["writes"]:
            if _is_in(grads, memory):
                written[(memory - first) // itemsize] = size // itemsize, clock
    backward = max((when for _, when in written.values()), default=clock)
    ranges = ranges_of(grads, bucket_bytes)
    cuts = [
        (when, cut)
        for start, (size, when) in sorted(written.items(), key=lambda each: each[1][1])
        for cut in ranges.wrote(start, size)
    ]
    cuts += [(backward, cut) for cut in ranges.rest()]
    buckets = tuple((when, (cut.stop - cut.start) * itemsize) for when, cut in cuts)
    return StepTimes(training.batch_size, buckets, backward, sum(seconds))


def _is_in(array: NDArray[Any], memory: int) -> bool:
    return bool(0 <= memory - array.ctypes.data < array.nbytes)


def scaling(
    model: Trainee,
    network: Network,
    *,
    batch_size: int = 128,
    processes: Iterable[int] = (),
    name: str = "the model",
) -> Table:
    """Return how the training of a model by many processes pays, from the times of one.

    Parameters
    ----------
    model : Model
        The model, which is built.
    network : Network
        The network between the processes.
    batch_size : int
        Samples in a step of each process.
    processes : iterable of int
        Their numbers, by default powers of two up to 1,024.
    name : str
        Name of the model, for the title.

    Returns
    -------
    Table
        A row for each number of processes: the time of a step, the share of the communication that
        is hidden, samples a second, and those per process compared with one.
    """
    times = step_times(model, batch_size=batch_size)
    counts = [*processes] or [1 << power for power in range(MOST.bit_length())]
    rows = []
    for count in counts:
        seconds, hidden = times.together(network, count)
        rows.append(
            [
                f"{count:,}",
                f"{1e3 * seconds:.3g} ms",
                f"{100 * hidden:.0f} %" if count > 1 else "",
                f"{count * times.samples / seconds:,.0f}",
                f"{100 * times.step / seconds:.0f} %",
            ]
        )
    total = sum(size for _, size in times.buckets)
    rate = 8 * network.bandwidth / 1e9
    title = (
        f"{name}, {times.samples} samples a step of each process, {total / 1e6:.3g} MB of"
        f" gradients, {rate:g} Gbit/s, {1e6 * network.latency:g} µs"
    )
    header = ["processes", "step", "hidden", "samples/s", "efficiency"]
    return Table(title, header, rows, _advice(times, network))


def _advice(times: StepTimes, network: Network) -> str:
    """Return from which number of processes on half of the work is waiting, and what moves it."""

    def limit(given: StepTimes, by: Network = network, steps: int = 1) -> int:
        counts = [1 << power for power in range(MOST.bit_length())]
        return max(n for n in counts if 2 * given.step >= given.every(by, n, steps))

    own = limit(times)
    if own == MOST:
        return f"more than half of each process works for up to {MOST:,} processes"
    faster = network._replace(bandwidth=4 * network.bandwidth)
    moved = {
        "a batch four times as large": limit(times.larger(4)),
        "gradients in half the bytes": limit(times.halved()),
        "sums in every fourth step": limit(times, steps=4),
        "a network four times as fast": limit(times, faster),
    }
    better = [f"{what}: {count:,}" for what, count in moved.items() if count > own]
    more = f"; with {', '.join(better)}" if better else ""
    first = "by two processes" if own == 1 else f"beyond {own:,} processes"
    return f"{first}, more than half of the time is waiting{more}"
