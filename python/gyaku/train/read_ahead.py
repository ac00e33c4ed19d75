"""Data that a thread reads ahead: what arrays on disk and batches of an iterable have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.train.check import Check
from gyaku.train.course import Course
from gyaku.train.dataset import validated
from gyaku.train.evaluation import StreamedEvaluation
from gyaku.train.source import Source
from gyaku.train.streamed import StreamedTraining
from gyaku.train.streamed_together import StreamedTogether

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gyaku.optim import Optimizer
    from gyaku.train.by_length import ByLength
    from gyaku.train.criterion import Criterion
    from gyaku.train.reader import Chunk
    from gyaku.train.trainee import Passes, Trainee

__all__ = ["ReadAhead"]


class ReadAhead(Source):
    """Data of which the next batches are read while the present one is used; see `Source`.

    Parameters
    ----------
    owner, part : str
        See there.

    Attributes
    ----------
    check : Check
        Validation of batches.
    steps, expected : int or None
        Number of batches in an epoch, the second one by the data's own account.
    batch_size, epoch_count : int
        Samples per batch and per epoch of a training that was begun, where they are known.
    """

    check: Check
    steps: int | None
    expected: int | None
    batch_size: int
    epoch_count: int

    def validate(
        self,
        model: Trainee,
        criterion: Criterion | None,
        size: int = 1,
        passes: Passes | None = None,
    ) -> Passes:
        """Validate the first samples; see `Source`."""
        self.model, self.criterion = model, criterion
        owner = f"{self.owner}: validation_data" if self.part else self.owner
        self.passes, self.samples = validated(owner, model, criterion, self.first(size), passes)
        trains = self.owner == "fit" and not self.part
        self.check = Check(model, self.passes, criterion, self.samples.count if trains else None)
        return self.passes

    def batch_of(self, epoch: int, batch: int) -> str:
        """Return the function that was called and a batch, for errors.

        Parameters
        ----------
        epoch, batch : int
            Indices from 0.

        Returns
        -------
        str
            The beginning of a sentence.
        """
        of = f"epoch {epoch + 1}, " if epoch else ""
        return f"{self.owner}: {of}{'validation ' if self.part else ''}batch {batch + 1}"

    def begin(self, course: Course) -> None:
        """Begin a training, an evaluation or a prediction.

        Parameters
        ----------
        course : Course
            Extent and order.
        """

    def epoch(self, index: int, position: int = 0) -> Iterator[Chunk]:
        """Return the batches of an epoch; each is read when it is asked for.

        Parameters
        ----------
        index : int
            Index of the epoch.
        position : int
            Number of batches that are used already.

        Returns
        -------
        iterator of Chunk
            The batches.
        """
        raise NotImplementedError

    def leave(self) -> None:
        """Leave the rest of a pass out: the next epoch begins a new one."""

    def check_schedule(self, optimizer: Optimizer) -> None:
        """Raise if a schedule spans a training of unknown length; see `Source`."""
        given = optimizer.learning_rate
        spans = hasattr(given, "spanning") and given.spanning(1) is not given
        if spans and not self.is_repeatable and self.expected is None:
            raise ValueError(
                f"{self.owner}: the schedule {given!r} spans the whole training, but the iterable"
                " does not tell its number of batches; give steps_per_epoch, or the schedule its"
                " own length"
            )

    def training(self, optimizer: Optimizer, course: Course) -> StreamedTraining:
        """Return the steps of a training; see `Source`."""
        assert self.criterion is not None
        self.begin(course)
        given = self.model, self, self.criterion, optimizer, course
        if self.ranks.blocks > 1:
            return StreamedTogether(*given, self.ranks)
        return StreamedTraining(*given)

    def evaluation(self, size: int, by_length: bool = False) -> StreamedEvaluation:
        """Return the steps of an evaluation; see `Source`."""
        assert self.criterion is not None
        sorting: ByLength | None = self.by_length() if by_length else None
        self.begin(Course(size, 1, seed=0, shuffle=False, by_length=sorting))
        return StreamedEvaluation(self.model, self, self.criterion, sorting)
