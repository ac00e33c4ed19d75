"""Evaluation: loss and metrics of a model on a data set."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import truth, whole
from gyaku.train.advice import advise, of_new_inputs
from gyaku.train.by_length import ByLength, batches
from gyaku.train.capture import MOST, Steps, repeat
from gyaku.train.check import Check
from gyaku.train.criterion import last_criterion
from gyaku.train.dataset import checked_inputs, checked_lengths, checked_samples
from gyaku.train.meters import Meters, Pace
from gyaku.train.samples import Samples, gather, gather_lengths
from gyaku.train.source import check_arguments, source_of
from gyaku.train.stream import Stream
from gyaku.train.verb import verb
from gyaku.train.weights import gather_weights, weighted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.train.criterion import Criterion
    from gyaku.train.source import Source
    from gyaku.train.trainee import Trainee

__all__ = ["Evaluation", "StreamedEvaluation", "evaluate", "evaluation_of"]


@verb
def evaluate(
    self: Trainee,
    x: object,
    y: object = None,
    *,
    lengths: object = None,
    sample_weight: object = None,
    loss: str | Loss | Callable[..., Any] | None = None,
    metrics: str | Metric | Iterable[Any] | None = None,
    batch_size: int = 512,
    by_length: bool = False,
) -> dict[str, float]:
    """Measure loss and metrics.

    Parameters
    ----------
    x, y, lengths : array_like
        Inputs, targets and lengths of padded sequences, as in `fit`; or arrays on disk, or an
        iterable of batches alone.
    sample_weight : array_like, optional
        Weights of the samples, as in `fit`.
    loss : str or Loss or callable, optional
        The loss; by default that of `fit`.
    metrics : sequence of str or Metric or callable, optional
        The metrics; by default those of `fit`.
    batch_size : int
        Samples per batch.
    by_length : bool
        Whether to sort sequences by length and to cut each batch behind its longest one, as in
        `fit`.

    Returns
    -------
    dict of str to float
        "loss" and each metric.

    Raises
    ------
    ValueError
        If data or arguments are invalid.
    TypeError
        If one of them is of the wrong kind.
    """
    size = whole("evaluate", "batch_size", batch_size)
    by_length = truth("evaluate", "by_length", by_length)
    criterion = last_criterion("evaluate", self, loss, self.metrics if metrics is None else metrics)
    source = source_of("evaluate", self, x, y, lengths)
    if source is not None:
        check_arguments(
            "evaluate",
            source,
            by_length=by_length,
            batch_size=batch_size != 512,
            sample_weight=sample_weight is not None,
        )
        x, y, lengths, sample_weight = source.first(size)
    given = checked_inputs("evaluate", self, x)
    passes = self.passes([each.shape[1:] for each in given])
    known = checked_lengths("evaluate", self, passes, lengths, given)
    samples = checked_samples("evaluate", self, passes, (x, given), y, criterion, known)
    samples = weighted("evaluate", samples, sample_weight, self.output_names, passes, criterion)
    advise("evaluate", of_new_inputs(self, passes, samples.x))
    sorting = ByLength("evaluate", passes, samples) if by_length else None
    if source is not None:
        source.prepare(Check(self, passes, criterion), samples)
    self.adopt(passes)
    return evaluation_of(self, source or samples, criterion, size, sorting).run()


def evaluation_of(
    model: Trainee,
    data: Samples | Source,
    criterion: Criterion,
    batch_size: int,
    by_length: ByLength | None = None,
) -> Evaluation:
    """Return the steps of an evaluation.

    Parameters
    ----------
    model : Trainee
        The model.
    data : Samples or Batches or OnDisk
        The data.
    criterion : Criterion
        Losses and metrics.
    batch_size : int
        Samples per step, of arrays.
    by_length : ByLength or None
        Batches of sequences of similar lengths, if there are to be any.

    Returns
    -------
    Evaluation
        The steps.
    """
    if isinstance(data, Samples):
        return Evaluation(model, data, criterion, batch_size, by_length)
    data.begin(batch_size)
    return StreamedEvaluation(model, data, criterion)


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
    """

    def __init__(
        self,
        model: Trainee,
        samples: Samples,
        criterion: Criterion,
        batch_size: int,
        by_length: ByLength | None = None,
    ) -> None:
        self.model, self.samples, self.criterion = model, samples, criterion
        self.batch_size = min(batch_size, samples.count)
        self.timed = () if by_length is None else by_length.timed
        rows = np.arange(samples.count) if samples.rows is None else samples.rows
        self.order = memory.empty((samples.count,), np.int64)
        self.order[:] = rows
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
                steps = min(left, self.pace.steps)
                start = perf_counter()
                repeat([(self.steps.of(*shape), steps)])
                self.pace.took(steps, perf_counter() - start)
                left -= steps
                between()
        found = self.meters.values(slice(0, 1), self.samples.count)
        return {name: float(value[0]) for name, value in found.items()}


class StreamedEvaluation(Evaluation):
    """Steps of an evaluation on data that are not in memory, for any number of runs.

    Parameters
    ----------
    model : Trainee
        The model.
    source : Batches or OnDisk
        The data.
    criterion : Criterion
        Losses and metrics.
    """

    def __init__(self, model: Trainee, source: Source, criterion: Criterion) -> None:
        self.model, self.source, self.criterion = model, source, criterion
        self.timed = ()
        self.cursor = memory.zeros((1,), np.int64)
        self.meters = Meters(criterion, 1)
        self.steps = Steps(self._measure)
        self._stream, self._runs = Stream(source), 0

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
                if stream.ready(self._runs):
                    assert stream.portion is not None
                    portion, self.cursor[0] = stream.portion, stream.place
                    self.samples, self.order = portion.slab.samples, portion.slab.order
                    repeat([(self.steps.of(portion.size, portion.slab.number), portion.batches)])
                    stream.used = portion.batches
                    seen += portion.size * portion.batches
                elif stream.ended:
                    break
                between()
        finally:
            self._runs += 1
            stream.close()
        found = self.meters.values(slice(0, 1), seen)
        return {name: float(value[0]) for name, value in found.items()}
