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

    from gyaku.model import Model
    from gyaku.train.criterion import Criterion
    from gyaku.train.samples import Samples

__all__ = ["Evaluation", "Prediction", "predicted"]


class Evaluation:
    """The steps of an evaluation, which can be run again and again.

    Parameters
    ----------
    model : Model
        What is evaluated.
    samples : Samples
        What on.
    criterion : Criterion
        Losses and metrics.
    batch_size : int
        The samples of a step.
    """

    def __init__(
        self,
        model: Model,
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
        self.full_step = Step(self._measure, self.batch_size)
        self.tail_step = Step(self._measure, self.tail)

    def _measure(self, size: int) -> None:
        """Measure one batch."""
        x = gather(self.samples.x, self.order, self.cursor, size, self.model.dtype)
        t = gather(self.samples.y, self.order, self.cursor, size, self.model.dtype)
        y = self.model.run_forward(x)
        self.meters.add(self.criterion(y, t)[0], y, t)
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


def predicted(model: Model, x: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Predict samples at once, which costs less than a program that would run once.

    Parameters
    ----------
    model : Model
        The model.
    x : sequence of ndarray
        The inputs.

    Returns
    -------
    list of ndarray
        The outputs, (samples, ...), of which the model keeps nothing.
    """
    dtype = model.dtype
    if any(each.dtype is not dtype for each in x):
        count = len(x[0])
        x = gather(x, np.arange(count), memory.zeros((1,), np.int64), count, dtype)
    return [y.copy() for y in model.run_forward(x)]


class Prediction:
    """The steps of a prediction in several batches.

    Parameters
    ----------
    model : Model
        What predicts.
    x : sequence of ndarray
        The inputs.
    batch_size : int
        The samples of a step.
    """

    def __init__(self, model: Model, x: Sequence[NDArray[Any]], batch_size: int) -> None:
        self.model, self.x = model, x
        self.count = len(x[0])
        self.batch_size = min(batch_size, self.count)
        self.order = np.arange(self.count)
        self.cursor = memory.zeros((1,), np.int64)
        self.full_step = Step(self._predict, self.batch_size)
        self.tail_step = Step(self._predict, self.count % self.batch_size)
        self.outputs: dict[int, list[NDArray[Any]]] = {}

    def _predict(self, size: int) -> list[NDArray[Any]]:
        """Predict one batch; replay fills the same outputs again."""
        x = gather(self.x, self.order, self.cursor, size, self.model.dtype)
        self.outputs[size] = y = self.model.run_forward(x)
        return y

    def run(self) -> list[NDArray[Any]]:
        """Predict all samples.

        Returns
        -------
        list of ndarray
            The outputs, (samples, ...).
        """
        dtype = self.model.dtype
        results = [np.empty((self.count, *shape), dtype) for shape in self.model.output_shapes]
        for start in range(0, self.count, self.batch_size):
            self.cursor[0] = start
            size = min(self.batch_size, self.count - start)
            repeat([(self.full_step if size == self.batch_size else self.tail_step, 1)])
            for result, output in zip(results, self.outputs[size], strict=True):
                result[start : start + size] = output
        return results
