"""Training by several processes on batches that each of them has of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.train.streamed import PLACE, StreamedTraining
from gyaku.train.together import TrainingTogether

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from gyaku.optim import Optimizer
    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.ranks import Ranks
    from gyaku.train.stream import Chunks
    from gyaku.train.trainee import Trainee

__all__ = ["StreamedTogether"]


class StreamedTogether(TrainingTogether, StreamedTraining):
    """Steps of a training by several processes, each of which yields a batch for a step.

    All batches of a step have the same weight. An epoch ends with that of the process whose batches
    end first.

    Parameters
    ----------
    model : Trainee
        The model.
    source : Chunks
        The data of this process.
    criterion, optimizer, course : object
        Those of `StreamedTraining`.
    ranks : Ranks
        The processes.
    """

    def __init__(
        self,
        model: Trainee,
        source: Chunks,
        criterion: Criterion,
        optimizer: Optimizer,
        course: Course,
        ranks: Ranks,
    ) -> None:
        expected = ranks.gather(source.expected)
        source.expected = None if None in expected else min(expected)
        self._own = source
        self._agreed = 0  # steps for which all processes have a batch
        super().__init__(model, source, criterion, optimizer, course, ranks)  # type: ignore[arg-type]

    def ready(self) -> bool:
        """Wait a moment for the next batches of all processes.

        Returns
        -------
        bool
            Whether each has one; if not, the epoch may have ended.
        """
        if not self._agreed:
            self._stream.ready(self._epoch, self.position)
            each = self.ranks.gather((self._stream.room, self._stream.ended))
            if any(ended for _, ended in each):
                self._end()
                self._own.leave()
            else:
                self._agreed = min(room for room, _ in each)
        return self._agreed > 0

    @property
    def room(self) -> int:
        """Number of steps for which all processes have a batch."""
        return self._agreed

    def advance(self, steps: int) -> None:
        """Run steps, the same number in all processes.

        Parameters
        ----------
        steps : int
            Number of steps.
        """
        super().advance(steps)
        self._agreed -= steps

    def values(self, epochs: range) -> dict[str, NDArray[np.float64]]:
        """Return loss and metrics of the last epoch over the samples of all processes.

        Parameters
        ----------
        epochs : range
            The epoch.

        Returns
        -------
        dict of str to ndarray of float64
            The means.
        """
        self.reduction.settle()
        return self.meters.values(slice(0, 1), self._seen_by_all, ranks=self.ranks)

    @property
    def _seen_by_all(self) -> int:
        return sum(self.ranks.gather(self._seen))

    def so_far(self) -> dict[str, float]:
        """Return loss and metrics of the present epoch over the samples of this process.

        Returns
        -------
        dict of str to float
            Means over the samples so far.
        """
        return StreamedTraining.so_far(self)

    def merge(self, epoch: int) -> None:
        """Add up the sums of all processes, for the checkpoints of the first one.

        Parameters
        ----------
        epoch : int
            The first epoch that the history does not have.
        """
        super().merge(epoch)
        place = {name: getattr(self, name) for name in PLACE} | {"_seen": self._seen_by_all}
        assert self._totals is not None
        self._totals["place"] = [*place.values()]

    def resume(self, epoch: int, sums: dict[str, list[Any]]) -> None:
        """Go on with the sums of an earlier training, which the first process keeps.

        Parameters
        ----------
        epoch, sums : object
            See `Training.resume`.
        """
        if not self.ranks.is_first:
            place = dict(zip(PLACE, sums["place"], strict=True)) | {"_seen": 0}
            sums = self.meters.none_of(sums) | {"place": [*place.values()]}
        StreamedTraining.resume(self, epoch, sums)
