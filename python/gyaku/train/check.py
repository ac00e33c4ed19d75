"""Validation of batches that are read while a model trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.train.dataset import validated

if TYPE_CHECKING:
    from gyaku.train.criterion import Criterion
    from gyaku.train.dataset import Given
    from gyaku.train.samples import Samples
    from gyaku.train.trainee import Passes, Trainee

__all__ = ["Check"]


class Check:
    """Validation of the batches of a source by the rules of arrays in memory.

    Parameters
    ----------
    model : Trainee
        The model.
    passes : Passes
        The passes of the model, adopted or not.
    criterion : Criterion or None
        The losses of the outputs; None without targets.
    size : int, optional
        Number of samples in the first batch of a training; None if nothing is trained.
    """

    def __init__(
        self,
        model: Trainee,
        passes: Passes,
        criterion: Criterion | None,
        size: int | None = None,
    ) -> None:
        self.model, self.passes, self.criterion, self.size = model, passes, criterion, size
        self._extras: tuple[bool, ...] | None = None

    def __call__(self, owner: str, given: Given) -> Samples:
        """Validate batches.

        Parameters
        ----------
        owner : str
            The function that was called and the number of the batch, for errors.
        given : Given
            The batches.

        Returns
        -------
        Samples
            The arrays.

        Raises
        ------
        ValueError
            If an array does not fit the model, or lengths or weights come with some batches only.
        TypeError
            If one does not hold real numbers.
        """
        self._check_extras(owner, given.lengths, given.weights)
        return validated(owner, self.model, self.criterion, given, self.passes)[1]

    def _check_extras(self, owner: str, *extras: object) -> None:
        """Raise if a batch has lengths or weights and the first one had none, or the reverse."""
        given = tuple(each is not None for each in extras)
        self._extras = self._extras or given
        for name, now, first in zip(("lengths", "weights"), given, self._extras, strict=True):
            if now != first:
                has, had = ("has", "had none") if now else ("has no", "had some")
                raise ValueError(f"{owner} {has} {name}, but the first batch {had}")

    def check_size(self, owner: str, size: int) -> None:
        """Raise if no training step is possible on a batch of this size.

        Parameters
        ----------
        owner : str
            The function that was called and the number of the batch, for errors.
        size : int
            The number of samples.

        Raises
        ------
        ValueError
            If a layer needs more samples, or carries states from a batch of another size.
        """
        if self.size is None:
            return
        least, layer = self.passes.least_batch
        if size < least:
            raise ValueError(f"{owner}: {layer} needs at least {least} samples, got {size}")
        if self.passes.stateful and size != self.size:
            raise ValueError(
                f"{owner}: {self.passes.stateful} carries states from batch to batch, but the first"
                f" has {self.size} samples and this one {size}"
            )
