"""Training on batches that a thread reads ahead."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gyaku.train.capture import MOST, Step, repeat
from gyaku.train.steps import Training
from gyaku.train.stream import Stream

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from gyaku.optim import Optimizer
    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.steps import Weights
    from gyaku.train.stream import Chunks
    from gyaku.train.trainee import Trainee

__all__ = ["PLACE", "StreamedTraining"]

_UNKNOWN = sys.maxsize
PLACE = "count", "_epoch", "_start", "_seen_of", "_seen", "_seen_before", "_since"
"""Where a training stands in data that do not tell their number of batches."""


class StreamedTraining(Training):
    """Steps of a training on data that are not in memory; see `Training`.

    Parameters
    ----------
    model : Trainee
        The model.
    source : Chunks
        The data, begun for this training.
    criterion : Criterion
        The loss to minimise, and the metrics.
    optimizer : Optimizer
        The optimizer.
    course : Course
        Extent of the training, and order of its samples.
    """

    def __init__(
        self,
        model: Trainee,
        source: Chunks,
        criterion: Criterion,
        optimizer: Optimizer,
        course: Course,
    ) -> None:
        self.source, self._epochs, self._first = source, course.epochs, course.initial_epoch
        known, first, by_length = source.is_repeatable, source.samples, course.by_length
        super().__init__(
            model, first, criterion, optimizer,
            course._replace(
                batch_size=first.count, steps_per_epoch=None,
                initial_epoch=course.initial_epoch if known else 0,
            ),
        )  # fmt: skip
        self.initial_epoch = course.initial_epoch
        self._stream = Stream(source, MOST if by_length is None else 2 * len(by_length.counts))
        self._epoch, self._start, self._at = course.initial_epoch, 0, 0
        self._seen_of, self._seen, self._seen_before = -1, 0, 0
        self._since = 0  # samples since the last update
        self._updates_done = course.updates_done
        self._shape_of_last = (first.count, 0)
        self.count = source.count or 0
        if known:
            self.count, self.batch_size = source.epoch_count, source.batch_size
            self._go_to(self.step)
            self._seen_before = self.count * self._epoch
        optimizer.same_batch = optimizer.same_batch and known and self.count == source.count

    def _extent(self, epochs: int) -> tuple[int, int]:
        steps = self.source.steps or _UNKNOWN
        return steps, _UNKNOWN if steps == _UNKNOWN else steps * epochs

    @property
    def planned(self) -> int | None:
        """Number of updates in the training by the data's own account, None if unknown."""
        if not self.source.expected:
            return None
        in_epoch = -(-self.source.expected // self.updates.batches)
        return in_epoch * (self._epochs - self._first)

    @property
    def updates_done(self) -> int:
        """Number of updates in this training so far."""
        return super().updates_done if self.is_repeatable else self._updates_done

    @property
    def in_place(self) -> bool:
        """Whether a batch is the data itself: never, since the slab is written again."""
        return False

    @property
    def data(self) -> None:
        """The samples, which are not in memory."""
        return

    @property
    def data_count(self) -> int:
        """Number of samples in the data, 0 if unknown."""
        return self.source.count or 0

    @property
    def is_repeatable(self) -> bool:
        """Whether the data of earlier steps can be read again."""
        return self.source.is_repeatable

    @property
    def expected_steps(self) -> int:
        """Number of steps in an epoch by the data's own account, 0 if unknown."""
        return self.source.expected or 0

    @property
    def epoch(self) -> int:
        """Index of the present epoch."""
        return self._epoch

    @property
    def position(self) -> int:
        """Number of steps done in the present epoch."""
        return self.step - self._start

    @property
    def is_done(self) -> bool:
        """Whether all epochs have ended."""
        return self._epoch >= self._epochs

    def batch(self, size: int, steps: int) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Gather the next inputs and targets.

        Parameters
        ----------
        size : int
            The number of samples.
        steps : int
            The number of their slab, which tells programs apart.

        Returns
        -------
        x : list of ndarray
            The inputs.
        t : list of ndarray
            The targets.
        """
        return super().batch(size, 0)

    def weights(self, size: int, steps: int) -> Weights:
        """Gather the weights of the next batch.

        Parameters
        ----------
        size : int
            The number of samples.
        steps : int
            The number of their slab.

        Returns
        -------
        sequence of ndarray of float64 or None
            Those of each output; () without weights.
        """
        return super().weights(size, 0)

    def ready(self) -> bool:
        """Wait a moment for the next batch.

        Returns
        -------
        bool
            Whether there is one; if not, the epoch may have ended.
        """
        if self._at != self.step:
            self._go_to(self.step)
        found = self._stream.ready(self._epoch, self.position)
        if self._stream.ended:
            self._end()
        return found

    def _go_to(self, step: int) -> None:
        """Go to another step of data that can be read again."""
        self._stream.close()
        self._epoch, self._at = step // self.per_epoch, step
        self._start = self._epoch * self.per_epoch
        self._since = self.position % self.updates.batches * self.batch_size

    def _end(self) -> None:
        """End the epoch."""
        self._finish_update()
        self._stream.close()
        self._epoch, self._start = self._epoch + 1, self.step
        self.count = self._seen

    def close(self) -> None:
        """End the reading thread."""
        self._stream.close()

    def seek(self) -> tuple[int, int]:
        """Set the buffers to the position of `step`.

        Returns
        -------
        size : int
            The number of samples in the next step's batch.
        slab : int
            The number of their slab.
        """
        while not self.ready():
            pass
        if self._seen_of != self._epoch:
            self._seen_of, self._seen, self._seen_before = (
                self._epoch, 0, self._seen_before + self._seen
            )  # fmt: skip
            self.meters.clear()
        portion = self._stream.portion
        assert portion is not None
        self.samples, self.order = portion.slab.samples, portion.slab.order
        if self.augmentation:
            self.augmentation.epoch[0] = self.first_epoch + self._epoch
            self.augmentation.options["numbers"] = portion.slab.rows
        self.cursor[0] = self._stream.place
        self._shape_of_last = portion.size, portion.slab.number
        return self._shape_of_last

    @property
    def room(self) -> int:
        """Number of steps on batches that are ready."""
        while not self.ready():
            pass
        return self._stream.room

    def advance(self, steps: int) -> None:
        """Run steps on batches that are ready; none behind one that has converged.

        Parameters
        ----------
        steps : int
            Number of steps.
        """
        while steps:
            shape = self.seek()
            if self.optimizer.acts_between:
                done = 1
                self._advance_in_parts(shape)
            else:
                most = self.meters.room(shape[0], min(steps, self._stream.room))
                done = self._run(shape, most)
                self.step += done
            self.meters.take()
            self._at = self.step
            self._stream.used += done
            self._seen += done * shape[0]
            if self.position == self.per_epoch:
                self._end()
            steps = 0 if self.optimizer.converged else steps - done

    def _run(self, shape: tuple[int, int], steps: int) -> int:
        """Run steps on batches of one shape, and return their number."""
        if self.updates.batches == 1:
            done = self.optimizer.prepare(steps)
            repeat([(self.steps.of(*shape), done)])
            self._updates_done += done
            return done
        repeat([(self.steps.of(*shape), 1)])
        self._since += shape[0]
        if (self.position + 1) % self.updates.batches == 0:
            self._finish_update()
        return 1

    def _finish_update(self) -> None:
        """Update the parameters by the batches since the last update, if there are any."""
        if self._since:
            self.optimizer.prepare(1)
            repeat([(self.update_steps.of(self._since), 1)])
            self._since = 0
            self._updates_done += 1

    @property
    def parts(self) -> list[Step]:
        """The last step, in parts if the optimizer acts between them."""
        return self._parts_of(*self._shape_of_last)

    def values(self, epochs: range) -> dict[str, NDArray[np.float64]]:
        """Return loss and metrics of the last epoch.

        Parameters
        ----------
        epochs : range
            The epoch.

        Returns
        -------
        dict of str to ndarray of float64
            The means.
        """
        return self.meters.values(slice(0, 1), self._seen)

    def sums(self, epoch: int) -> dict[str, list[Any]]:
        """Return the sums of loss and metrics of the present epoch, if it has begun.

        Parameters
        ----------
        epoch : int
            The first that the history does not have.

        Returns
        -------
        dict of str to list
            The sums of each epoch, for `resume`.
        """
        begun = self._epoch + (self.position > 0)
        found = self.meters.kept(slice(0, int(begun > epoch)))
        if not self.is_repeatable:  # so that the step does not tell the place
            found["place"] = [getattr(self, name) for name in PLACE]
        return found

    def resume(self, epoch: int, sums: dict[str, list[Any]]) -> None:
        """Go on with the sums of an earlier training.

        Parameters
        ----------
        epoch, sums : object
            Argument and result of its `sums`.
        """
        self._at = self.step
        if "place" in sums:
            for name, value in zip(PLACE, sums["place"], strict=True):
                setattr(self, name, value)
        elif self.step > epoch * self.per_epoch:
            self._seen_of = self._epoch if self.position else self._epoch - 1
            self._seen = self.position * self.batch_size or self.count
            self._seen_before = self._seen_of * self.count
        self.meters.put(0, sums)

    def so_far(self) -> dict[str, float]:
        """Return loss and metrics of the present epoch.

        Returns
        -------
        dict of str to float
            Means over the samples so far.
        """
        found = self.meters.values(slice(0, 1), self._seen, finished=False)
        return {name: float(value[0]) for name, value in found.items()}

    @property
    def epochs_begun(self) -> int:
        """Number of epochs begun with this seed, by earlier trainings too."""
        return self.first_epoch + self._epoch + (self.position > 0)

    @property
    def samples_seen(self) -> int:
        """Number of samples in all steps so far."""
        return self._seen_before + self._seen
