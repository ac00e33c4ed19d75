"""The steps of an evaluation and of a prediction."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.train.capture import Step, repeat
from gyaku.train.meters import Meters, Pace
from gyaku.train.samples import gather

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.model import Model
    from gyaku.train.samples import Samples

__all__ = ["Evaluation", "Prediction"]


class Evaluation:
    """The steps of an evaluation, which can be run again and again.

    Parameters
    ----------
    model : Model
        What is evaluated.
    samples : Samples
        What on.
    loss : Loss
        The loss.
    metrics : sequence of Metric
        What else is measured.
    batch_size : int
        The samples of a step.
    """

    def __init__(
        self,
        model: Model,
        samples: Samples,
        loss: Loss,
        metrics: Sequence[Metric],
        batch_size: int,
    ) -> None:
        self.model, self.samples, self.loss = model, samples, loss
        self.batch_size = min(batch_size, samples.count)
        self.full, self.tail = divmod(samples.count, self.batch_size)
        rows = np.arange(samples.count) if samples.rows is None else samples.rows
        self.order = memory.empty((samples.count,), np.int64)
        self.order[:] = rows
        self.cursor = memory.zeros((1,), np.int64)
        self.meters = Meters(loss, metrics, 1)
        self.pace = Pace()
        self.full_step = Step(self._measure, self.batch_size)
        self.tail_step = Step(self._measure, self.tail)

    def _measure(self, size: int) -> None:
        """Measure one batch."""
        x = gather(self.samples.x, self.order, self.cursor, size, self.model.dtype)
        t = gather(self.samples.y, self.order, self.cursor, size, self.model.dtype)
        y = self.model.forward(x)
        self.meters.add(self.loss(y, t)[0], y, t)
        ops.advance(self.cursor, size)

    def run(self, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Measure all samples.

        Parameters
        ----------
        between : callable
            Called about every 100 ms; what it raises ends the evaluation.

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
            repeat([(self.full_step, steps)])
            self.pace.took(steps, perf_counter() - start)
            left -= steps
            between()
        repeat([(self.tail_step, int(self.tail > 0))])
        found = self.meters.values(slice(0, 1), self.samples.count)
        return {name: float(value[0]) for name, value in found.items()}


class Prediction:
    """The steps of a prediction.

    Parameters
    ----------
    model : Model
        What predicts.
    x : ndarray
        The inputs.
    batch_size : int
        The samples of a step.
    """

    def __init__(self, model: Model, x: NDArray[Any], batch_size: int) -> None:
        self.model, self.x = model, x
        self.batch_size = min(batch_size, len(x))
        self.order = np.arange(len(x))
        self.cursor = memory.zeros((1,), np.int64)
        self.full_step = Step(self._predict, self.batch_size)
        self.tail_step = Step(self._predict, len(x) % self.batch_size)
        self.outputs: dict[int, NDArray[Any]] = {}

    def _predict(self, size: int) -> list[NDArray[Any]]:
        """Predict one batch; replay fills the same outputs again."""
        x = gather(self.x, self.order, self.cursor, size, self.model.dtype)
        self.outputs[size] = y = self.model.forward(x)
        return [y]

    def run(self) -> NDArray[Any]:
        """Predict all samples.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        result = np.empty((len(self.x), *self.model.output_shape), self.model.dtype)
        for start in range(0, len(self.x), self.batch_size):
            self.cursor[0] = start
            part = result[start : start + self.batch_size]
            whole = len(part) == self.batch_size
            repeat([(self.full_step if whole else self.tail_step, 1)])
            part[...] = self.outputs[len(part)]
        return result
