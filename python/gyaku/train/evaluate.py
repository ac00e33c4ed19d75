"""Evaluation: loss and metrics of a model on a data set."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import whole
from gyaku.train.advice import advise_on_bytes
from gyaku.train.capture import Steps, repeat
from gyaku.train.criterion import last_criterion
from gyaku.train.dataset import checked_inputs, checked_lengths, checked_samples
from gyaku.train.meters import Meters, Pace
from gyaku.train.samples import gather, gather_lengths
from gyaku.train.verb import verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.train.criterion import Criterion
    from gyaku.train.samples import Samples
    from gyaku.train.trainee import Trainee

__all__ = ["Evaluation", "evaluate"]


@verb
def evaluate(
    self: Trainee,
    x: object,
    y: object,
    *,
    lengths: object = None,
    loss: str | Loss | Callable[..., Any] | None = None,
    metrics: str | Metric | Iterable[Any] | None = None,
    batch_size: int = 512,
) -> dict[str, float]:
    """Measure loss and metrics.

    Parameters
    ----------
    x, y, lengths : array_like
        Inputs, targets and lengths of padded sequences, as in `fit`.
    loss : str or Loss or callable, optional
        The loss; by default that of `fit`.
    metrics : sequence of str or Metric or callable, optional
        The metrics; by default those of `fit`.
    batch_size : int
        Samples per batch.

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
    criterion = last_criterion("evaluate", self, loss, self.metrics if metrics is None else metrics)
    given = checked_inputs("evaluate", self, x)
    passes = self.passes([each.shape[1:] for each in given])
    known = checked_lengths("evaluate", self, passes, lengths, given)
    samples = checked_samples("evaluate", self, passes, (x, given), y, criterion, known)
    advise_on_bytes("evaluate", self, passes, samples.x)
    self.adopt(passes)
    return Evaluation(self, samples, criterion, size).run()


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
    """

    def __init__(
        self,
        model: Trainee,
        samples: Samples,
        criterion: Criterion,
        batch_size: int,
    ) -> None:
        self.model, self.samples, self.criterion = model, samples, criterion
        self.batch_size = min(batch_size, samples.count)
        self.full, self.tail = divmod(samples.count, self.batch_size)
        rows = np.arange(samples.count) if samples.rows is None else samples.rows
        self.order = memory.empty((samples.count,), np.int64)
        self.order[:] = rows
        self.cursor = memory.zeros((1,), np.int64)
        self.meters = Meters(criterion, 1)
        self.pace = Pace()
        self.steps = Steps(self._measure)

    def _measure(self, size: int) -> None:
        """Measure one batch."""
        x = gather(self.samples.x, self.order, self.cursor, size, self.model.dtype)
        t = gather(self.samples.y, self.order, self.cursor, size, self.model.dtype)
        given = gather_lengths(self.samples.lengths, self.order, self.cursor, size)
        y = self.model.run_forward(x, lengths=given)
        lengths = self.model.output_lengths
        self.meters.add(self.criterion(y, t, lengths)[0], y, t, lengths)
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
        left = self.full
        while left:
            steps = min(left, self.pace.steps)
            start = perf_counter()
            repeat([(self.steps.of(self.batch_size), steps)])
            self.pace.took(steps, perf_counter() - start)
            left -= steps
            between()
        if self.tail:
            repeat([(self.steps.of(self.tail), 1)])
        found = self.meters.values(slice(0, 1), self.samples.count)
        return {name: float(value[0]) for name, value in found.items()}
