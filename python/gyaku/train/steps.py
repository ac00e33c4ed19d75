"""The steps of a training: buffers, programs and the position in the data."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.precision import use_precision
from gyaku.threads import explained
from gyaku.train.augmentation import Augmentation
from gyaku.train.capture import MOST, Step, Steps, repeat
from gyaku.train.meters import Meters, count_of, most_slots
from gyaku.train.ranks import ALONE
from gyaku.train.samples import gather, gather_lengths
from gyaku.train.updates import Updates
from gyaku.train.weights import gather_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.optim import Optimizer
    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.samples import Samples
    from gyaku.train.trainee import Passes, Trainee

    Arrays = Sequence[NDArray[Any]]
    Lengths = Sequence[NDArray[np.int64] | None]
    Weights = Sequence[NDArray[np.float64] | None]
    Results = tuple[Arrays, Arrays, Arrays, Lengths, Weights]

__all__ = ["Training"]

# Indices in `order`: epochs of a small data set share it, and with it a native call.
_ORDER = 1 << 16


class Training:
    """Steps of a training: run natively, repeated from any step, parts for the optimizer.

    Parameters
    ----------
    model : Trainee
        The model.
    samples : Samples
        The data.
    criterion : Criterion
        The loss to minimise, and the metrics.
    optimizer : Optimizer
        The optimizer.
    course : Course
        Extent of the training, and order of its samples.

    Attributes
    ----------
    step : int
        Number of steps done, those before `initial_epoch` included.
    count : int
        Number of samples in an epoch, the last one if epochs differ.
    per_epoch, total : int
        Number of steps in an epoch and in the training.
    is_whole : bool
        Whether each batch is the full batch, whose samples are in the order of the data.
    state : list of ndarray
        All arrays that carry state from a step to the next.
    """

    once = "the batches of an iterable pass once"
    """Reason why steps cannot be repeated, if they cannot."""
    offset = 0
    """First sample of a block in its batch."""
    ranks = ALONE
    pause: Callable[[], None] | None = None
    """Function to call in the middle of a long step, which is undone if it raises."""

    def __init__(
        self,
        model: Trainee,
        samples: Samples,
        criterion: Criterion,
        optimizer: Optimizer,
        course: Course,
    ) -> None:
        self.model, self.samples = model, samples
        self.criterion, self.optimizer = criterion, optimizer
        self.seed, self.first_epoch = course.seed, course.first_epoch
        self.precision = course.precision
        self.shuffle, self.by_length = course.shuffle, course.by_length
        self.batch_size = min(course.batch_size, samples.count)
        per_epoch = course.steps_per_epoch
        self.count = per_epoch * self.batch_size if per_epoch else samples.count
        self.full, self.tail = divmod(self.count, self.batch_size)
        self.per_epoch, self.total = self._extent(course.epochs)
        self.is_whole = self.per_epoch == 1 and self.count == samples.count
        self.initial_epoch = course.initial_epoch
        first = self.per_epoch * self.initial_epoch
        self.step = first if course.steps_done is None else course.steps_done
        passes = model.passes(model.input_shapes or ())
        self._plan_order(course.epochs, most_slots(criterion, passes.output_shapes))
        self.meters = Meters(criterion, self.block)
        self.augmentation = Augmentation(samples, course.augment, self.seed)

        self.trained = model.trained  # in this training; layers may be frozen for the next
        self.updates = course.updates or Updates()
        self.updates.begin(self.trained.flat_grads, self._has_counts(passes))
        optimizer.begin(model, self.planned, steps_done=course.updates_done)
        optimizer.same_batch = self.is_whole and passes.repeatable and not self.augmentation
        self.state = [model.flat_params, model.flat_buffers, *optimizer.state.values()]
        self.state += [optimizer.clock, model.clock, *self.updates.state]
        most = MOST if self.by_length is None else 2 * len(self.by_length.counts)
        self.steps = Steps(self._train, most)
        self.epoch_end = Step(self._end_epoch)
        self.update_steps = Steps(self._update, most)  # by the samples of an update
        # The parts of a step for an optimizer that acts between them.
        self.gradient_steps = Steps(self._keep_gradients, most)
        self.update_step = Step(self._update, 0)
        self.measure_steps = Steps(self._measure_results, most)
        self._results: dict[tuple[int, int], Results] = {}  # by the shape of the batch

    def _has_counts(self, passes: Passes) -> bool:
        """Return whether losses are divided by sums of weights, or by numbers of real steps."""
        samples = self.samples
        first = [each if each is None else each[:1] for each in samples.lengths]
        found = passes.lengths([each[:1] for each in samples.x], first)
        is_mean = self.criterion.reduction == "mean"
        return is_mean and (bool(samples.weights) or any(map(found.__contains__, passes.outputs)))

    def _plan_order(self, epochs: int, most: int) -> None:
        """Prepare the order of some epochs."""
        self.block = max(1, min(epochs - self.initial_epoch, _ORDER // self.count, most))
        self.first = -self.block  # of the epochs that `order` holds
        self.order = memory.empty((self.block * self.count,), np.int64)
        batches = self.full + bool(self.tail)
        self.batch_steps = np.zeros((self.block, batches), np.int64)  # of batches by length
        self.cursor = memory.zeros((1,), np.int64)

    @property
    def _order(self) -> NDArray[np.int64]:
        """The order, as the present block of a batch sees it."""
        return self.order[self.offset :] if self.offset else self.order

    def _extent(self, epochs: int) -> tuple[int, int]:
        """Return the number of steps in an epoch and in the training."""
        steps = self.full + bool(self.tail)
        return steps, steps * epochs

    @property
    def planned(self) -> int | None:
        """Number of updates in the training for schedules, None if unknown."""
        return self._updates_between(self.per_epoch * self.initial_epoch, self.total)

    @property
    def updates_done(self) -> int:
        """Number of updates in this training so far."""
        return self._updates_between(self.per_epoch * self.initial_epoch, self.step)

    @property
    def expected_steps(self) -> int:
        """Number of steps in an epoch for callbacks, 0 if unknown."""
        return self.per_epoch

    @property
    def epoch(self) -> int:
        """Index of the present epoch."""
        return self.step // self.per_epoch

    @property
    def position(self) -> int:
        """Number of steps done in the present epoch."""
        return self.step % self.per_epoch

    @property
    def in_place(self) -> bool:
        """Whether a full batch is the data itself, which need no copy."""
        return self.is_whole and self.samples.rows is None and self.by_length is None

    @property
    def is_done(self) -> bool:
        """Whether all epochs have ended."""
        return self.step >= self.total

    @property
    def data(self) -> Samples | None:
        """The samples, None if they are not in memory."""
        return self.samples

    @property
    def data_count(self) -> int:
        """Number of samples in the data, 0 if unknown."""
        return self.samples.count

    @property
    def is_repeatable(self) -> bool:
        """Whether the data of earlier steps are still there."""
        return True

    def ready(self) -> bool:
        """Return whether the data of the next step are there.

        Returns
        -------
        bool
            Always True for arrays in memory.
        """
        return True

    def close(self) -> None:
        """Release what reads the data."""

    def _train(self, size: int, steps: int) -> None:
        """Run one step on a batch of `size` samples: the whole of training, in Python."""
        results = self._gradients(size, steps)
        if self.updates.batches > 1:
            self._add(self.updates, size, results)
        else:
            self._update(size)
        self._measure(*results)

    def _add(self, sums: Updates, size: int, results: Results) -> None:
        """Add the gradients of some samples."""
        _, y, _, lengths, weights = results
        count = None
        if sums.has_counts:
            # Of any output: see `check_accumulates`.
            count = count_of(y[0], next(iter(lengths), None), next(iter(weights), None))
        sums.add(self.trained.flat_grads, self._weight(size), count)

    def _gradients(self, size: int, steps: int) -> Results:
        x, t = self.batch(size, steps)
        with use_precision(self.precision):
            y = self.model.run_forward(x, training=True, lengths=self.input_lengths(size))
        lengths, weights = self.model.output_lengths, self.weights(size, steps)
        losses, dy = self.criterion(y, t, lengths, weights)
        with use_precision(self.precision):
            self._run_backward(dy, lengths, weights)
        return losses, y, t, lengths, weights

    def _run_backward(self, dy: Arrays, lengths: Lengths, weights: Weights) -> None:
        self.model.run_backward(dy)

    def _update(self, samples: int) -> None:
        self.updates.finish(self.trained.flat_grads, self._weight(samples))
        self.optimizer.step(self.trained)

    def _weight(self, samples: int) -> int:
        """Return the weight of the gradient of some samples in an update."""
        is_counted = self.criterion.reduction == "mean" and not self.updates.has_counts
        return samples if is_counted else 1

    def _measure(
        self, losses: Arrays, y: Arrays, t: Arrays, lengths: Lengths, weights: Weights
    ) -> None:
        self.meters.add(losses, y, t, lengths, weights)
        ops.advance(self.cursor, len(y[0]))

    def _keep_gradients(self, size: int, steps: int) -> list[NDArray[Any]]:
        self._results[size, steps] = results = self._gradients(size, steps)
        return [array for arrays in results for array in arrays if array is not None]

    def _measure_results(self, size: int, steps: int) -> None:
        self._measure(*self._results[size, steps])

    def _end_epoch(self) -> None:
        ops.advance(self.meters.slot, 1)
        if self.augmentation:
            ops.advance(self.augmentation.epoch, 1)

    def batch(self, size: int, steps: int) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Gather the next inputs and targets.

        Parameters
        ----------
        size : int
            The number of samples.
        steps : int
            The number of steps of sequences, 0 for all.

        Returns
        -------
        x : list of ndarray
            The inputs.
        t : list of ndarray
            The targets.
        """
        place = self._order, self.cursor, size, self.model.dtype
        images, more = self.augmentation, self.augmentation.options
        timed = () if self.by_length is None else self.by_length.timed
        more = {"in_place": self.in_place and size == self.samples.count, **more}
        return (
            gather(self.samples.x, *place, images.of_x, [steps] * len(self.samples.x), **more),
            gather(self.samples.y, *place, images.of_y, [steps * each for each in timed], **more),
        )

    def input_lengths(self, size: int) -> Lengths:
        """Gather the lengths of the next inputs.

        Parameters
        ----------
        size : int
            The number of samples.

        Returns
        -------
        sequence of ndarray of int64 or None
            Those of the inputs that are padded sequences; () if none is.
        """
        return gather_lengths(self.samples.lengths, self._order, self.cursor, size)

    def weights(self, size: int, steps: int) -> Weights:
        """Gather the weights of the next batch.

        Parameters
        ----------
        size : int
            The number of samples.
        steps : int
            The number of steps of sequences, 0 for all.

        Returns
        -------
        sequence of ndarray of float64 or None
            Those of samples or positions for each output; () without weights.
        """
        timed = () if self.by_length is None else self.by_length.timed
        place = (self._order, self.cursor, size)
        return gather_weights(self.samples, *place, [steps * each for each in timed])

    def seek(self) -> tuple[int, int]:
        """Set the buffers to the position of `step`.

        Returns
        -------
        size : int
            The number of samples in the next step's batch.
        steps : int
            The number of its time steps if it is one of the batches by length, otherwise 0.
        """
        epoch, position = divmod(self.step, self.per_epoch)
        if not self.first <= epoch < self.first + self.block:
            self.first = epoch - epoch % self.block
            self._fill_order()
            self.meters.clear()
        self.meters.slot[0] = slot = epoch - self.first
        self.augmentation.epoch[0] = self.first_epoch + epoch
        self.cursor[0] = slot * self.count + position * self.batch_size
        return self._shape(position)

    def _shape(self, position: int) -> tuple[int, int]:
        """Return the shape of a batch of the present epoch."""
        size = self.batch_size if position < self.full else self.tail
        return size, int(self.batch_steps[self.meters.slot[0], position])

    def _fill_order(self) -> None:
        # An epoch is a pass, or else a piece of the sequence of all passes.
        start = (self.first_epoch + self.first) * self.count
        is_shuffled = self.shuffle and not self.is_whole
        self.samples.write_order(self.order, start, self.seed if is_shuffled else None)
        if self.by_length is None:
            return
        for slot, order in enumerate(self.order.reshape(self.block, -1)):
            key = (self.seed, self.first_epoch + self.first + slot) if self.shuffle else None
            self.batch_steps[slot] = self.by_length.arrange(order, self.batch_size, key)

    @property
    def room(self) -> int:
        """Number of steps left in the epochs that `meters` has room for."""
        epoch = self.step // self.per_epoch
        return (epoch - epoch % self.block + self.block) * self.per_epoch - self.step

    def advance(self, steps: int) -> None:
        """Run steps, in as few native calls as possible; none behind one that has converged.

        Parameters
        ----------
        steps : int
            Number of steps.
        """
        while steps:
            shape = self.seek()
            if self.optimizer.acts_between:
                self._advance_in_parts(shape)
                self.meters.take()
                steps = 0 if self.optimizer.converged else steps - 1
                continue
            ready = self._prepare(self.meters.room(self.batch_size, min(steps, self.room)))
            position = self.step % self.per_epoch
            alike = self.by_length is None and not self.meters.keeps  # all epochs
            epochs = ready // self.per_epoch if alike and not position else 0
            if epochs > 1:
                epoch = [*self._batches(0, self.per_epoch), (self.epoch_end, 1)]
                repeat(epoch, epochs)
                done = epochs * self.per_epoch
            else:
                done = min(ready, self.per_epoch - position)
                repeat(self._batches(position, done))
            self.step += done
            steps -= done
            self.meters.take()

    def _prepare(self, steps: int) -> int:
        """Prepare the learning rates of the next steps, and return the number of these steps."""
        updates = self._updates_between(self.step, self.step + steps)
        ready = self.optimizer.prepare(updates)
        return steps if ready == updates else ready

    def _updates_between(self, start: int, stop: int) -> int:
        before = self.updates.before
        return before(stop, self.per_epoch) - before(start, self.per_epoch)

    def _batches(self, position: int, count: int) -> list[tuple[Step, int]]:
        """Return the next steps of the present epoch, each with its number of runs."""
        if self.updates.batches > 1:
            runs = groupby(self._with_updates(position, count))
            return [(step, len(list(run))) for step, run in runs]
        if self.by_length is not None:
            shapes = groupby(map(self._shape, range(position, position + count)))
            return [(self.steps.of(*shape), len(list(group))) for shape, group in shapes]
        full = min(count, max(0, self.full - position))
        counts = (self.batch_size, full), (self.tail, count - full)
        return [(self.steps.of(size, 0), count) for size, count in counts if count]

    def _with_updates(self, position: int, count: int) -> Iterator[Step]:
        """Yield the next steps of the present epoch, and the updates behind them."""
        for place in range(position, position + count):
            yield self.steps.of(*self._shape(place))
            if self.updates.ends(place, self.per_epoch):
                first = place - place % self.updates.batches
                end = min((place + 1) * self.batch_size, self.count)
                yield self.update_steps.of(end - first * self.batch_size)

    def _advance_in_parts(self, shape: tuple[int, int]) -> None:
        """Run one step in parts, for an optimizer that acts between them."""
        clock, buffers = self.model.clock, self.model.flat_buffers
        before, kept = clock.copy(), buffers.copy()

        def gradients() -> float:
            # Each evaluation is that of the same step: with its dropout masks, counted once.
            clock[...], buffers[...] = before, kept
            repeat([(self.gradient_steps.of(*shape), 1)])
            return self._loss(shape)

        self.optimizer.prepare(1)
        self.optimizer.run_step(gradients, lambda: repeat([(self.update_step, 1)]))
        repeat([(self.measure_steps.of(*shape), 1)])
        self.step += 1

    def _loss(self, shape: tuple[int, int]) -> float:
        """Return the loss of the batch of which the gradients were computed."""
        losses, weights = self._results[shape][0], self.criterion.weights
        return sum(float(loss) * w for loss, w in zip(losses, weights, strict=True))

    @property
    def parts(self) -> list[Step]:
        """The step on a whole batch, in parts if the optimizer acts between them."""
        return self._parts_of(self.batch_size, int(self.batch_steps[0, 0]))

    def pieces(self, batch: int) -> list[int]:
        """Return the numbers of samples that pass through the model together.

        Parameters
        ----------
        batch : int
            Number of samples of a batch.

        Returns
        -------
        list of int
            The numbers, whose sum is that of the batch.
        """
        return [batch]

    @property
    def runs(self) -> list[int]:
        """Number of runs of each of the parts in a step."""
        return [1] * len(self.parts)

    def _parts_of(self, *shape: int) -> list[Step]:
        if self.optimizer.acts_between:
            parts = self.gradient_steps.of(*shape), self.measure_steps.of(*shape)
            return [parts[0], self.update_step, parts[1]]
        if self.updates.batches > 1:
            samples = min(self.updates.batches * self.batch_size, self.count)
            return [self.steps.of(*shape), self.update_steps.of(samples)]
        return [self.steps.of(*shape)]

    @property
    def threads(self) -> str:
        """How many threads run the step, and why; empty if nothing was captured."""
        program = self.parts[0].program
        return "" if program is None else explained(program.team())

    def values(self, epochs: range) -> dict[str, NDArray[np.float64]]:
        """Return loss and metrics of finished epochs that `meters` still holds.

        Parameters
        ----------
        epochs : range
            The epochs.

        Returns
        -------
        dict of str to ndarray of float64
            Means of each epoch.
        """
        slots = slice(epochs.start - self.first, epochs.stop - self.first)
        return self.meters.values(slots, self.count)

    def sums(self, epoch: int) -> dict[str, list[Any]]:
        """Return the sums of loss and metrics of the present epoch, and of those before it.

        Parameters
        ----------
        epoch : int
            The first of them; the history has those before it.

        Returns
        -------
        dict of str to list
            The sums of each epoch, for `resume`.
        """
        begun = -(-self.step // self.per_epoch)
        return self.meters.kept(slice(epoch - self.first, max(epoch, begun) - self.first))

    def merge(self, epoch: int) -> None:
        """Add up what several processes have, for `sums`; one alone has all.

        Parameters
        ----------
        epoch : int
            Argument of `sums`.
        """

    def resume(self, epoch: int, sums: dict[str, list[Any]]) -> None:
        """Go on with the sums of an earlier training.

        Parameters
        ----------
        epoch, sums : object
            Argument and result of its `sums`.
        """
        if self.step > epoch * self.per_epoch:
            done, self.step = self.step, self.step - 1  # whose epoch is the last with a sum
            self.seek()
            self.step = done
            self.meters.put(epoch - self.first, sums)

    def so_far(self) -> dict[str, float]:
        """Return loss and metrics of the present epoch.

        Returns
        -------
        dict of str to float
            Means over the samples so far, without metrics that keep all outputs.
        """
        epoch, position = divmod(self.step, self.per_epoch)
        if position == 0:
            epoch, position = epoch - 1, self.per_epoch
        seen = min(position * self.batch_size, self.count)
        slot = epoch - self.first
        found = self.meters.values(slice(slot, slot + 1), seen, finished=False)
        return {name: float(value[0]) for name, value in found.items()}

    @property
    def epochs_begun(self) -> int:
        """Number of epochs begun with this seed, by earlier trainings too."""
        return self.first_epoch + -(-self.step // self.per_epoch)

    @property
    def samples_seen(self) -> int:
        """Number of samples in all steps so far."""
        epochs, position = divmod(self.step, self.per_epoch)
        return epochs * self.count + position * self.batch_size
