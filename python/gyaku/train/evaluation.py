"""The steps of an evaluation: loss and metrics over all batches of a data set."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.precision import use_precision
from gyaku.train.by_length import batches
from gyaku.train.capture import MOST, Steps, repeat
from gyaku.train.meters import Meters, Pace
from gyaku.train.ranks import ALONE
from gyaku.train.samples import gather, gather_lengths
from gyaku.train.stream import Stream
from gyaku.train.weights import gather_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyaku.precision import Precision
    from gyaku.train.by_length import ByLength
    from gyaku.train.criterion import Criterion
    from gyaku.train.ranks import Ranks
    from gyaku.train.samples import Samples
    from gyaku.train.stream import Chunks
    from gyaku.train.trainee import Trainee

__all__ = ["Evaluation", "StreamedEvaluation"]


class Evaluation:
    """Steps of an evaluation, for any number of runs.

    Parameters
    ----------
    model : Trainee
        The model.
    samples : Samples
        The data.
    criterion : Criterion
        Losses and metrics.
    batch_size : int
        Samples per step.
    by_length : ByLength or None
        Batches of sequences of similar lengths, if there are to be any.
    ranks : Ranks
        The processes; each measures its part of the samples.

    Attributes
    ----------
    precision : str
        Precision of the products.
    """

    ranks = ALONE
    precision: Precision = "float32"

    def __init__(
        self,
        model: Trainee,
        samples: Samples,
        criterion: Criterion,
        batch_size: int,
        by_length: ByLength | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.model, self.samples, self.criterion = model, samples, criterion
        self.ranks, self.timed = ranks, () if by_length is None else by_length.timed
        rows = np.arange(samples.count) if samples.rows is None else samples.rows
        begin, end = (len(rows) * part // ranks.size for part in (ranks.rank, ranks.rank + 1))
        self.batch_size = min(batch_size, max(1, end - begin))
        self.order = memory.empty((end - begin,), np.int64)
        self.order[:] = rows[begin:end]
        self.cursor = memory.zeros((1,), np.int64)
        self.meters = Meters(criterion, 1)
        self.pace = Pace()
        self.batches = batches(self.order, self.batch_size, by_length)
        most = MOST if by_length is None else 2 * len(by_length.counts)
        self.steps = Steps(self._measure, most)

    def _measure(self, size: int, steps: int) -> None:
        """Measure one batch."""
        samples, place = self.samples, (self.order, self.cursor, size, self.model.dtype, ())
        x = gather(samples.x, *place, [steps] * len(samples.x))
        t = gather(samples.y, *place, [steps * each for each in self.timed])
        given = gather_lengths(self.samples.lengths, self.order, self.cursor, size)
        with use_precision(self.precision):
            y = self.model.run_forward(x, lengths=given)
        lengths = self.model.output_lengths
        weights = gather_weights(samples, *place[:3], [steps * each for each in self.timed])
        self.meters.add(self.criterion(y, t, lengths, weights)[0], y, t, lengths, weights)
        ops.advance(self.cursor, size)

    def run(self, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Measure all samples.

        Parameters
        ----------
        between : callable
            Function to call about every 100 ms; an exception ends the evaluation.

        Returns
        -------
        dict of str to float
            Loss and metrics.
        """
        self.cursor[0] = 0
        self.meters.clear()
        for shape, left in self.batches:
            while left:
                steps = self.meters.room(shape[0], min(left, self.pace.steps))
                start = perf_counter()
                repeat([(self.steps.of(*shape), steps)])
                self.pace.took(steps, perf_counter() - start)
                self.meters.take()
                left -= steps
                between()
        found = self.meters.values(slice(0, 1), self.samples.count, ranks=self.ranks)
        return {name: float(value[0]) for name, value in found.items()}


class StreamedEvaluation(Evaluation):
    """Steps of an evaluation on data that are not in memory, for any number of runs.

    Parameters
    ----------
    model : Trainee
        The model.
    source : Chunks
        The data.
    criterion : Criterion
        Losses and metrics.
    by_length : ByLength or None
        Batches of sequences of similar lengths, if there are to be any.

    Attributes
    ----------
    runs : int
        Number of runs so far, as data that differ from pass to pass count them.
    """

    def __init__(
        self,
        model: Trainee,
        source: Chunks,
        criterion: Criterion,
        by_length: ByLength | None = None,
    ) -> None:
        self.model, self.source, self.criterion = model, source, criterion
        most = MOST if by_length is None else 2 * len(by_length.counts)
        self.timed = ()
        self.cursor = memory.zeros((1,), np.int64)
        self.meters = Meters(criterion, 1)
        self.steps = Steps(self._measure, most)
        self._stream, self.runs = Stream(source, most), 0

    def _measure(self, size: int, slab: int) -> None:
        super()._measure(size, 0)

    def run(self, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Measure all samples.

        Parameters
        ----------
        between : callable
            Function to call between batches and while there is none; an exception ends the
            evaluation.

        Returns
        -------
        dict of str to float
            Loss and metrics.
        """
        self.meters.clear()
        seen, stream = 0, self._stream
        try:
            while True:
                if stream.ready(self.runs):
                    assert stream.portion is not None
                    portion, self.cursor[0] = stream.portion, stream.place
                    self.samples, self.order = portion.slab.samples, portion.slab.order
                    step = self.steps.of(portion.size, portion.slab.number)
                    count = self.meters.room(portion.size, stream.room)
                    repeat([(step, count)])
                    self.meters.take()
                    stream.used += count
                    seen += portion.size * count
                elif stream.ended:
                    break
                between()
        finally:
            self.runs += 1
            stream.close()
        found = self.meters.values(slice(0, 1), seen)
        return {name: float(value[0]) for name, value in found.items()}
