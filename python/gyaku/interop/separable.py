"""Layers that are a matrix along each axis of a sample: means, sums and interpolations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.layers import LPPool2D, Upsample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["matrices"]


def matrices(layer: Any) -> list[NDArray[np.float64]]:
    """Return the matrices of a mean pooling, an upsampling, or the sums of an `LPPool2D`.

    Parameters
    ----------
    layer : Layer
        The layer, built.

    Returns
    -------
    list of ndarray
        A matrix (inputs, outputs) for each axis but the channels.

    Examples
    --------
    >>> import gyaku as gk
    >>> layer = gk.AdaptiveAvgPool1D(2)
    >>> model = gk.Sequential(layer)
    >>> model.build((3, 1))
    >>> matrices(layer)[0]
    array([[0.5, 0. ],
           [0.5, 0.5],
           [0. , 0.5]])
    """
    sizes = layer.input_shape[:-1]
    if isinstance(layer, Upsample):
        return [_interpolation(*taps) for taps in layer._taps]
    if hasattr(layer, "axes"):
        windows = [axis.slices() for axis in layer.axes]
        divisors = _divisors(layer)
    else:
        windows, divisors = layer.windows, layer.divisors
    return [_sums(*each) for each in zip(sizes, windows, divisors, strict=True)]


def _divisors(layer: Any) -> list[Any]:
    if isinstance(layer, LPPool2D):
        return [1] * len(layer.axes)
    if layer.divisor_override:
        return [layer.divisor_override, *(1 for _ in layer.axes[1:])]
    return [np.maximum(axis.pixels(padded=layer.count_include_pad), 1) for axis in layer.axes]


def _sums(size: int, windows: Sequence[slice], divisor: Any) -> NDArray[np.float64]:
    matrix = np.zeros((size, len(windows)))
    for place, window in enumerate(windows):
        matrix[window, place] = 1
    return np.asarray(matrix / divisor)


def _interpolation(places: NDArray[Any], weight: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Return the matrix of weighted elements, (elements, outputs)."""
    matrix = np.zeros((size, places.shape[1]))
    np.add.at(matrix, (places, np.arange(places.shape[1])), weight)
    return matrix
