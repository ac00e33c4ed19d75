"""Options of a training: the numbers and switches among the arguments of fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gyaku.checks import duration, number, truth, whole
from gyaku.precision import checked_precision

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    from gyaku.data.augment import Augment
    from gyaku.precision import Precision
    from gyaku.train.samples import Samples

__all__ = ["Options", "options_of"]


class Options(NamedTuple):
    """Numbers and switches among the arguments of `fit`, validated.

    Parameters
    ----------
    epochs, initial_epoch : int
        See `fit`, as for all others.
    steps_per_epoch, overfit_batches : int or None
        See there.
    max_time : float or None
        Seconds.
    batch_size : int or None
        See there.
    validation_split : float
        See there.
    validation_freq : int
        See there.
    validation_batch_size : int or None
        See there.
    shuffle, by_length : bool
        See there.
    augment : Augment or None
        See there.
    precision : str
        See there.
    """

    epochs: int
    initial_epoch: int
    steps_per_epoch: int | None
    overfit_batches: int | None
    max_time: float | None
    batch_size: int | None
    validation_split: float
    validation_freq: int
    validation_batch_size: int | None
    shuffle: bool
    by_length: bool
    augment: Augment | None
    precision: Precision

    @property
    def passes(self) -> int:
        """Number of epochs to train."""
        return self.epochs - self.initial_epoch

    @property
    def validations(self) -> int:
        """Number of validations."""
        return -(-self.passes // self.validation_freq)

    def check_augment(self, samples: Samples) -> None:
        """Raise if images are to be augmented, and the inputs are none.

        Parameters
        ----------
        samples : Samples
            The data.

        Raises
        ------
        ValueError
            If they are none, or smaller than the shift.
        """
        if self.augment is None:
            return
        images = [x for x in samples.x if x.ndim == 4]
        if not images:
            shapes = " and ".join(str(x.shape[1:]) for x in samples.x)
            raise ValueError(
                "fit: augment is for images of shape (height, width, channels), got samples of"
                f" shape {shapes}"
            )
        shortest = min(side for x in images for side in x.shape[1:3])
        if self.augment.shift >= shortest:
            raise ValueError(
                f"fit: augment's shift must be less than the {shortest} pixels of an image's"
                f" shorter side, got {self.augment.shift}"
            )


def options_of(
    *,
    epochs: object,
    initial_epoch: object,
    steps_per_epoch: object,
    overfit_batches: object,
    max_time: object,
    batch_size: object,
    validation_split: object,
    validation_freq: object,
    validation_batch_size: object,
    shuffle: object,
    by_length: object,
    augment: object,
    precision: object,
    dtype: np.dtype[Any],
) -> Options:
    """Validate arguments of `fit`.

    Parameters
    ----------
    epochs, initial_epoch, steps_per_epoch, overfit_batches : object
        See `fit`.
    max_time, batch_size, validation_split, validation_freq, validation_batch_size : object
        See there.
    shuffle, by_length, augment, precision : object
        See there.
    dtype : dtype
        The model's.

    Returns
    -------
    Options
        They.

    Raises
    ------
    ValueError
        If one is out of range.
    TypeError
        If one is of the wrong kind.
    """
    last = whole("fit", "epochs", epochs)
    first = whole("fit", "initial_epoch", initial_epoch, least=0)
    if first >= last:
        raise ValueError(
            f"fit: epochs must be more than initial_epoch ({first}), since it is the index at which"
            f" the training ends, got {last}"
        )
    return Options(
        last,
        first,
        _whole("steps_per_epoch", steps_per_epoch),
        _whole("overfit_batches", overfit_batches),
        None if max_time is None else duration("fit", "max_time", max_time),
        _whole("batch_size", batch_size),
        number("fit", "validation_split", validation_split, least=0, below=1),
        whole("fit", "validation_freq", validation_freq),
        _whole("validation_batch_size", validation_batch_size),
        truth("fit", "shuffle", shuffle),
        truth("fit", "by_length", by_length),
        _augment(augment),
        checked_precision("fit", precision, dtype),
    )


def _whole(name: str, given: object) -> int | None:
    return None if given is None else whole("fit", name, given)


def _augment(given: object) -> Augment | None:
    if given is None:
        return None
    from gyaku.data.augment import Augment

    if not isinstance(given, Augment):
        raise TypeError(
            f"fit: augment must be a gyaku.data.Augment or None, got {type(given).__name__}"
        )
    return given
