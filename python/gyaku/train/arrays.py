"""Arrays in memory, as the data of a call."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from gyaku.train.by_length import ByLength
from gyaku.train.evaluation import Evaluation
from gyaku.train.slices import training_of
from gyaku.train.source import Source
from gyaku.train.together import TrainingTogether
from gyaku.train.weights import by_class

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from gyaku.optim import Optimizer
    from gyaku.train.course import Course
    from gyaku.train.dataset import Given
    from gyaku.train.samples import Samples
    from gyaku.train.steps import Training

__all__ = ["Arrays"]


class Arrays(Source):
    """Arrays in memory; see `Source`.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    given : Given
        The data.
    part : str
        Prefix of the arguments' names, for errors.
    """

    kind = "arrays in memory"

    def __init__(self, owner: str, given: Given, part: str = "") -> None:
        super().__init__(owner, part)
        self._given = given

    def first(self, size: int) -> Given:
        """Return all samples; see `Source`."""
        return self._given

    def _of(self, samples: Samples) -> Self:
        found = copy.copy(self)
        found.samples = samples
        return found

    def split(self, fraction: float, seed: int, shuffle: bool) -> tuple[Self, Self]:
        """Split the samples; see `Source`."""
        training, validation = self.samples.split(fraction, seed, shuffle)
        return self._of(training), self._of(validation)

    def by_class(self, weights: str | Mapping[Any, Any]) -> Self:
        """Return samples with weights of classes; see `Source`."""
        assert self.criterion is not None
        outputs = self.model.output_names
        return self._of(
            by_class(self.owner, self.samples, weights, outputs, self.passes, self.criterion)
        )

    def chosen(self, count: int, seed: int | None) -> Self:
        """Return some of the samples; see `Source`."""
        return self._of(self.samples.chosen(count, seed))

    def by_length(self) -> ByLength:
        """Return the batches of similar lengths; see `Source`."""
        samples = self.samples
        found = self.passes.lengths(samples.x, samples.lengths)
        return ByLength(self.owner, self.passes, samples.x[0].shape[1], found)

    def training(self, optimizer: Optimizer, course: Course) -> Training:
        """Return the steps of a training; see `Source`."""
        assert self.criterion is not None
        given = self.model, self.samples, self.criterion, optimizer, course
        if self.ranks.blocks > 1:
            return TrainingTogether(*given, self.ranks)
        return training_of(*given)

    def evaluation(self, size: int, by_length: bool = False) -> Evaluation:
        """Return the steps of an evaluation; see `Source`."""
        assert self.criterion is not None
        sorting = self.by_length() if by_length else None
        return Evaluation(self.model, self.samples, self.criterion, size, sorting, self.ranks)
