"""Large batches in slices: a few samples at a time, whose values stay in a cache."""

from __future__ import annotations

from itertools import groupby
from math import prod
from time import perf_counter
from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.train.capture import Steps, repeat
from gyaku.train.meters import Meters, Pace
from gyaku.train.steps import Training
from gyaku.train.updates import Updates

if TYPE_CHECKING:
    from gyaku.optim import Optimizer
    from gyaku.train.capture import Step
    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.samples import Samples
    from gyaku.train.trainee import Trainee

__all__ = ["SlicedTraining", "training_of"]

# Rows for which products read their weights; ordinary batches are smaller than two slices.
_LEAST = 1024
# Of the values of a slice and their gradients: a part of a third-level cache. Equal on all
# machines, since the order of a sum depends on it.
_BYTES = 8 << 20


class SlicedTraining(Training):
    """Steps of a training on large batches, whose gradient is the sum of those of their slices.

    Parameters
    ----------
    model, samples, criterion, optimizer, course : object
        Those of `Training`, for a model and a criterion that are `by_sample`.
    most : int
        Largest number of samples of a slice.
    """

    def __init__(
        self,
        model: Trainee,
        samples: Samples,
        criterion: Criterion,
        optimizer: Optimizer,
        course: Course,
        most: int,
    ) -> None:
        super().__init__(model, samples, criterion, optimizer, course)
        self._slices = -(-self.batch_size // most)
        self._size = -(-self.batch_size // self._slices)
        self._sums = Updates(self._slices)
        self._sums.begin(self.trained.flat_grads, self.updates.has_counts)
        self.state += self._sums.state
        self._slice_steps = Steps(self._add_slice)
        self._sum_updates = Steps(self._update_by_sum)
        self._mean_steps = Steps(self._finish_sum)
        self._pace = Pace()
        self._meters = Meters(criterion, 1)  # of the last batch
        self._is_evaluated = False

    def _add_slice(self, size: int) -> None:
        results = self._gradients(size, 0)
        self._add(self._sums, size, results)
        self._meters.add(*results)
        ops.advance(self.cursor, size)

    def _finish_sum(self, samples: int) -> None:
        self._sums.finish(self.trained.flat_grads, self._weight(samples))

    def _update_by_sum(self, samples: int) -> None:
        self._finish_sum(samples)
        self._update(samples)

    def advance(self, steps: int) -> None:
        """Run steps; none behind one that has converged.

        Parameters
        ----------
        steps : int
            Number of steps.
        """
        for _ in range(steps):
            size, _ = self.seek()
            if self.optimizer.acts_between:
                self._advance_in_parts((size, 0))
                if self.optimizer.converged:
                    return
                continue
            self._prepare(1)
            self._sum(size)
            repeat([(self._sum_updates.of(size), 1)])
            self.meters.absorb(self._meters)
            self.step += 1

    def _sum(self, batch: int) -> None:
        """Add up gradients, loss and metrics of a batch; an interruption leaves no trace."""
        clock = self.model.clock.copy()
        self._meters.clear()
        try:
            for size, slices in groupby(self.pieces(batch)):
                self._run(self._slice_steps.of(size), len(list(slices)))
        except BaseException:
            self.model.clock[...] = clock
            for each in self._sums.state:
                each.fill(0)
            raise

    def pieces(self, batch: int) -> list[int]:
        """Return the numbers of samples of the slices of a batch.

        Parameters
        ----------
        batch : int
            Number of samples of the batch.

        Returns
        -------
        list of int
            The numbers.
        """
        whole, tail = divmod(batch, self._size)
        return [self._size] * whole + [tail] * (tail > 0)

    def _run(self, step: Step, times: int) -> None:
        """Run a step several times, in native calls of about 100 ms."""
        while times:
            count = min(times, self._pace.steps)
            start = perf_counter()
            repeat([(step, count)])
            self._pace.took(count, perf_counter() - start)
            times -= count
            if self.pause is not None:
                self.pause()

    def _advance_in_parts(self, shape: tuple[int, int]) -> None:
        size, clock, cursor = shape[0], self.model.clock.copy(), self.cursor.copy()

        def gradients() -> float:
            # Each evaluation is that of the same step: with its dropout masks, counted once.
            self.model.clock[...], self.cursor[...] = clock, cursor
            self._sum(size)
            repeat([(self._mean_steps.of(size), 1)])
            self._is_evaluated = True
            return float(self._meters.values(slice(0, 1), size)["loss"][0])

        self.optimizer.prepare(1)
        self.optimizer.run_step(gradients, lambda: repeat([(self.update_step, 1)]))
        if not self._is_evaluated:  # the gradient was known, by a training that is resumed
            gradients()
        self.meters.absorb(self._meters)
        self.step += 1

    @property
    def parts(self) -> list[Step]:
        """The step on a slice, and those on the sum of all."""
        first = self._slice_steps.of(self._size)
        if self.optimizer.acts_between:
            return [first, self._mean_steps.of(self.batch_size), self.update_step]
        return [first, self._sum_updates.of(self.batch_size)]

    @property
    def runs(self) -> list[int]:
        """Number of runs of each of the parts in a step."""
        return [self._slices] + [1] * (len(self.parts) - 1)


def training_of(
    model: Trainee, samples: Samples, criterion: Criterion, optimizer: Optimizer, course: Course
) -> Training:
    """Return the steps of a training by one process, in slices if batches are large.

    Parameters
    ----------
    model, samples, criterion, optimizer, course : object
        Those of `Training`.

    Returns
    -------
    Training
        The steps.

    Notes
    -----
    Samples must not depend on one another, and one output has one divisor. Batches that an update
    takes together are left as they were given.
    """
    given = model, samples, criterion, optimizer, course
    passes = model.passes(model.input_shapes or ())
    batch = min(course.batch_size, samples.count)
    is_single = course.updates is None or course.updates.batches == 1
    is_plain = is_single and course.by_length is None and len(passes.outputs) == 1
    values = sum(map(prod, passes.shapes.values()))  # of a sample, between layers
    most = max(_LEAST, _BYTES // (2 * model.dtype.itemsize * values))
    if batch < 2 * most or not (is_plain and passes.by_sample and criterion.by_sample):
        return Training(*given)
    return SlicedTraining(*given, most)
