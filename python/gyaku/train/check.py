"""Validation of batches that are read while a model trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.train.dataset import checked_inputs, checked_lengths, checked_samples
from gyaku.train.samples import Samples
from gyaku.train.weights import weighted

if TYPE_CHECKING:
    from gyaku.train.criterion import Criterion
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

    def __call__(
        self, owner: str, x: object, y: object, lengths: object, weights: object
    ) -> Samples:
        """Validate batches.

        Parameters
        ----------
        owner : str
            The function that was called and the number of the batch, for errors.
        x, y, lengths, weights : object
            Inputs, targets, lengths and weights.

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
        model, passes = self.model, self.passes
        self._check_extras(owner, lengths, weights)
        given = checked_inputs(owner, model, x, passes)
        known = checked_lengths(owner, model, passes, lengths, given)
        if self.criterion is None:
            return Samples(given, [], lengths=known)
        samples = checked_samples(owner, model, passes, (x, given), y, self.criterion, known)
        return weighted(owner, samples, weights, model.output_names, passes, self.criterion)

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
