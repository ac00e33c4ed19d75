"""MNIST in the textbook's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pair = tuple[NDArray[Any], NDArray[Any]]

__all__ = ["load_mnist"]


def load_mnist(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[Pair, Pair]:
    """Return the images and labels of MNIST, found as by `gyaku.data.mnist`.

    Parameters
    ----------
    normalize : bool, default True
        Whether pixels are float32 between 0 and 1, else bytes.
    flatten : bool, default True
        Whether an image is a row of 784 pixels, else of shape (1, 28, 28).
    one_hot_label : bool, default False
        Whether a label is a row of ten with a one.

    Returns
    -------
    train : tuple of ndarray
        Images and labels, 60,000 of them.
    test : tuple of ndarray
        Images and labels, 10,000 of them.
    """
    from gyaku.data import mnist

    def converted(x: NDArray[Any], t: NDArray[Any]) -> Pair:
        x = x.reshape(len(x), -1) if flatten else x.reshape(len(x), 1, 28, 28)
        x = x.astype(np.float32) / np.float32(255) if normalize else x
        return x, np.eye(10)[t] if one_hot_label else t

    train, test = mnist()
    return converted(*train), converted(*test)
