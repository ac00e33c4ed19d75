"""Augmentation of the images of a training, while a batch is gathered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.train.samples import same_memory

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.data import Augment
    from gyaku.train.samples import Samples

__all__ = ["Augmentation"]


class Augmentation:
    """Augmentation of the images of a training.

    Parameters
    ----------
    samples : Samples
        The data, or the first of them.
    augment : Augment or None
        The augmentation, None for none.
    seed : int
        Seed of the random numbers.

    Attributes
    ----------
    of_x, of_y : list of bool
        Whether each input and target holds images to augment; [] without augmentation.
    epoch : ndarray of int64, of shape (1,)
        The present epoch, from which the random numbers follow.
    options : dict of str to object
        Arguments of `gather`; {} without augmentation.
    """

    def __init__(self, samples: Samples, augment: Augment | None, seed: int) -> None:
        self.epoch = memory.zeros((1,), np.int64)
        self.of_x: list[bool] = []
        self.of_y: list[bool] = []
        self.options: dict[str, Any] = {}
        if augment and (augment.shift or augment.flip):
            self.of_x = [each.ndim == 4 for each in samples.x]
            images = [each for each in samples.x if each.ndim == 4]
            # The target of an autoencoder is the augmented image.
            self.of_y = [any(_is_same(image, each) for image in images) for each in samples.y]
            moves = {"shift": augment.shift, "flip": augment.flip}
            self.options = {"epoch": self.epoch, "seed": seed, **moves}

    def __bool__(self) -> bool:
        return bool(self.options)


def _is_same(x: NDArray[Any], y: NDArray[Any]) -> bool:
    return x.shape == y.shape and same_memory(x, y)
