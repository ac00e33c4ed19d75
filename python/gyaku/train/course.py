"""Course of a training: its extent, and the order of its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gyaku.data.augment import Augment
    from gyaku.precision import Precision
    from gyaku.train.by_length import ByLength
    from gyaku.train.updates import Updates

__all__ = ["Course"]


class Course(NamedTuple):
    """Extent of a training, and order of its samples.

    Parameters
    ----------
    batch_size : int
        Samples per step.
    epochs : int
        Index of the epoch at which the training ends.
    seed : int
        Seed of the order.
    shuffle : bool
        Whether to shuffle the samples before each epoch.
    first_epoch : int
        Number of epochs that earlier trainings ran with this seed; order and augmentation go on.
    initial_epoch : int
        Index of the first epoch.
    steps_per_epoch : int or None
        Number of batches in an epoch, by default those of one pass over the data; the next epoch
        goes on behind them.
    steps_done : int or None
        Number of steps of this training that are done already, if it is resumed; it counts those
        before `initial_epoch`.
    updates_done : int
        Number of updates of this training that are done already.
    by_length : ByLength or None
        Batches of sequences of similar lengths, if there are to be any.
    augment : Augment or None
        Augmentation of images.
    updates : Updates or None
        Accumulation and limits of gradients, by default none.
    precision : str
        Precision of the products in the passes.
    """

    batch_size: int
    epochs: int
    seed: int
    shuffle: bool
    first_epoch: int = 0
    initial_epoch: int = 0
    steps_per_epoch: int | None = None
    steps_done: int | None = None
    updates_done: int = 0
    by_length: ByLength | None = None
    augment: Augment | None = None
    updates: Updates | None = None
    precision: Precision = "float32"
