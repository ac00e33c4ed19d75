"""Base of the kinds of data: arrays in memory, arrays on disk, batches of an iterable."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from gyaku.components import Documented
from gyaku.train.dataset import validated
from gyaku.train.ranks import ALONE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from gyaku.optim import Optimizer
    from gyaku.train.by_length import ByLength
    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.dataset import Given
    from gyaku.train.evaluation import Evaluation
    from gyaku.train.ranks import Ranks
    from gyaku.train.samples import Samples
    from gyaku.train.steps import Training
    from gyaku.train.trainee import Passes, Trainee

__all__ = ["Source"]


class Source(Documented):
    """Data of a call: their validation, and the trainings and evaluations on them.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    part : str
        Prefix of the arguments' names, for errors.

    Attributes
    ----------
    model : Trainee
        The model, from `validate` on.
    passes : Passes
        The passes of the model, adopted or not.
    criterion : Criterion or None
        The losses of the outputs; None without targets.
    samples : Samples
        The samples; the first of them if not all are in memory.
    """

    kind: ClassVar[str]
    refused: ClassVar[Mapping[str, str]] = {}
    """Arguments that this kind of data cannot have, each with what to do instead."""

    is_repeatable: bool = True
    """Whether the data of earlier steps can be read again."""

    ranks: Ranks = ALONE
    """The processes that train together."""

    model: Trainee
    passes: Passes
    criterion: Criterion | None
    samples: Samples

    def __init__(self, owner: str, part: str = "") -> None:
        self.owner, self.part = owner, part

    def refuse(self, **given: bool) -> None:
        """Raise if an argument was given that this kind of data cannot have.

        Parameters
        ----------
        **given : bool
            Whether each argument was given.

        Raises
        ------
        ValueError
            If one was.
        """
        for name, is_given in given.items():
            if is_given and name in self.refused:
                raise ValueError(
                    f"{self.owner}: {name} is not for {self.kind}; {self.refused[name]}"
                )

    def check_passes(self, passes: int) -> None:
        """Raise if there are not so many passes over the data.

        Parameters
        ----------
        passes : int
            Number of passes.
        """

    def first(self, size: int) -> Given:
        """Return the samples to validate before anything is computed: all that are in memory.

        Parameters
        ----------
        size : int
            Largest number of samples to read.

        Returns
        -------
        Given
            They, in the form of the arguments of `fit`.
        """
        raise NotImplementedError

    def validate(
        self,
        model: Trainee,
        criterion: Criterion | None,
        size: int = 1,
        passes: Passes | None = None,
    ) -> Passes:
        """Validate the data, or the first of them.

        Parameters
        ----------
        model : Trainee
            The model.
        criterion : Criterion or None
            Losses and metrics; None without targets.
        size : int
            Largest number of samples to read.
        passes : Passes, optional
            The passes of the model, by default those for these inputs.

        Returns
        -------
        Passes
            The passes.

        Raises
        ------
        ValueError
            If an array does not fit the model.
        TypeError
            If one does not hold real numbers.
        """
        self.model, self.criterion = model, criterion
        self.passes, self.samples = validated(
            self.owner, model, criterion, self.first(size), passes, self.part
        )
        return self.passes

    @property
    def count(self) -> int | None:
        """Number of samples, None if unknown."""
        return self.samples.count

    def size(self, given: int | None) -> int:
        """Return the number of samples in a batch.

        Parameters
        ----------
        given : int or None
            The argument `batch_size`, None for all samples.

        Returns
        -------
        int
            The number.
        """
        return given or self.count or self.samples.count

    def steps_of(self, size: int, given: int | None) -> int | None:
        """Return the number of batches in an epoch, None if they are unknown.

        Parameters
        ----------
        size : int
            Samples per batch.
        given : int or None
            The argument `steps_per_epoch`.

        Returns
        -------
        int or None
            The number.
        """
        return given or -(-(self.count or self.samples.count) // size)

    def check_schedule(self, optimizer: Optimizer) -> None:
        """Raise if a schedule spans a training of unknown length.

        Parameters
        ----------
        optimizer : Optimizer
            The optimizer.
        """

    def split(self, fraction: float, seed: int, shuffle: bool) -> tuple[Self, Self]:
        """Split the samples into training and validation samples.

        Parameters
        ----------
        fraction, seed, shuffle : object
            See `Samples.split`.

        Returns
        -------
        training : Source
            The training samples.
        validation : Source
            The validation samples.
        """
        raise NotImplementedError

    def by_class(self, weights: str | Mapping[Any, Any]) -> Self:
        """Return training samples whose weights are multiplied by those of their classes.

        Parameters
        ----------
        weights : str or mapping
            The argument `class_weight`.

        Returns
        -------
        Source
            The samples.
        """
        raise NotImplementedError

    def chosen(self, count: int, seed: int | None) -> Self:
        """Return some of the samples; see `Samples.chosen`.

        Parameters
        ----------
        count, seed : object
            See there.

        Returns
        -------
        Source
            The samples.
        """
        raise NotImplementedError

    def by_length(self) -> ByLength:
        """Return the batches of sequences of similar lengths.

        Returns
        -------
        ByLength
            Their order and numbers of steps.
        """
        raise NotImplementedError

    def training(self, optimizer: Optimizer, course: Course) -> Training:
        """Return the steps of a training.

        Parameters
        ----------
        optimizer : Optimizer
            The optimizer.
        course : Course
            Extent and order.

        Returns
        -------
        Training
            The steps.
        """
        raise NotImplementedError

    def evaluation(self, size: int, by_length: bool = False) -> Evaluation:
        """Return the steps of an evaluation.

        Parameters
        ----------
        size : int
            Samples per batch, where the data do not have batches of their own.
        by_length : bool
            Whether to make batches of sequences of similar lengths.

        Returns
        -------
        Evaluation
            The steps.
        """
        raise NotImplementedError
