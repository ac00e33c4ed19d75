"""Elementary steps of layers that treat one axis after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.separable import matrices
from gyaku.windows import Axis

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.source.forward_pass import ForwardPass

__all__ = ["AXIS_STEPS", "broadcast", "mixed", "taken"]


def taken(
    made: ForwardPass, value: int, axis: int, places: NDArray[np.int64], constant: float = 0.0
) -> int:
    """Return the elements at places along an axis of a value.

    Parameters
    ----------
    made : ForwardPass
        The forward pass.
    value : int
        Index of the value.
    axis : int
        Axis of a sample.
    places : ndarray of int64
        The places.
    constant : float
        The element where a place is below zero.

    Returns
    -------
    int
        Index of the elements.
    """
    shape = made.values[value].shape
    if places.tolist() == [*range(shape[axis])]:
        return value
    shape = (*shape[:axis], len(places), *shape[axis + 1 :])
    return made.step("take", [value], shape, places=places, axis=axis, constant=constant)


def broadcast(made: ForwardPass, value: int, shape: tuple[int, ...]) -> int:
    """Return a value with axes of length 1, or missing, repeated.

    Parameters
    ----------
    made : ForwardPass
        The forward pass.
    value : int
        Index of the value.
    shape : tuple of int
        The shape of a sample of the result.

    Returns
    -------
    int
        Index of the result.
    """
    own = made.values[value].shape
    if len(own) < len(shape):
        own = ((1,) * (len(shape) - len(own))) + own
        value = made.step("reshape", [value], own)
    for axis, (given, wanted) in enumerate(zip(own, shape, strict=True)):
        if given != wanted:
            value = taken(made, value, axis, np.zeros(wanted, np.int64))
    return value


def mixed(made: ForwardPass, value: int, axis: int, matrix: NDArray[Any]) -> int:
    """Return the product of an axis of a value and a constant matrix.

    Parameters
    ----------
    made : ForwardPass
        The forward pass.
    value : int
        Index of the value.
    axis : int
        Axis of a sample.
    matrix : ndarray
        The matrix, of shape (old length, new length).

    Returns
    -------
    int
        Index of the product.
    """
    return _interpolated(made, value, axis, *_taps_of(matrix))


def _selection(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    (value,) = values
    for axis, places in enumerate(layer.positions(layer.input_shape)):
        value = taken(made, value, axis, places, layer.constant)
    return [value]


def _upsample(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    (value,) = values
    for axis, (places, weight, _) in enumerate(layer._taps):
        value = _interpolated(made, value, axis, places, weight)
    return [value]


def _interpolated(
    made: ForwardPass, value: int, axis: int, places: NDArray[np.int64], weight: NDArray[Any]
) -> int:
    """Return the sums of weighted elements along an axis; of one each, the elements."""
    if len(places) == 1 and (weight == 1).all():
        return taken(made, value, axis, places[0])
    given = made.values[value].shape
    shape = (*given[:axis], places.shape[1], *given[axis + 1 :])
    arrays = {f"weight_{axis}": weight}
    return made.step("interpolate", [value], shape, arrays, places=places, axis=axis)


def _separable_maximum(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    """Take windows side by side along each axis, and pool them without overlap."""
    (value,), (*sizes, channels) = values, layer.output_shape
    kernel = []
    for axis, places in enumerate(layer.positions()):
        value = taken(made, value, axis, places.T.ravel(), -np.inf)
        kernel.append(len(places))
    # Two axes at a time, as an image: those before them join its rows, or its columns.
    depth, rows, columns = (1,) * (3 - len(sizes)) + tuple(sizes)
    lengths = (1,) * (3 - len(kernel)) + tuple(kernel)
    tall = (depth * lengths[0] * rows * lengths[1], columns * lengths[2], channels)
    value = _pooled(made, value, tall, lengths[1:])
    value = _pooled(made, value, (depth * lengths[0], rows * columns, channels), (lengths[0], 1))
    return [made.step("reshape", [value], layer.output_shape)]


def _pooled(made: ForwardPass, value: int, shape: tuple[int, ...], kernel: tuple[int, ...]) -> int:
    """Return the maxima of the windows of an image, which do not overlap."""
    value = made.step("reshape", [value], shape)
    if set(kernel) == {1}:
        return value
    axes = tuple(Axis.sliding(n, taps, taps) for n, taps in zip(shape, kernel, strict=False))
    pooled = (*(axis.windows for axis in axes), shape[-1])
    return made.step("max_pool", [value], pooled, axes=axes)


def _separable_mean(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    (value,) = values
    for axis, matrix in enumerate(matrices(layer)):
        value = mixed(made, value, axis, matrix)
    return [value]


def _taps_of(matrix: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return places and weights of the elements other than zero in each column."""
    counts = np.count_nonzero(matrix, axis=0)
    order = np.argsort(matrix == 0, axis=0, kind="stable")[: max(counts.max(), 1)]
    # A shorter column repeats its last element, so that no infinity meets a zero.
    taps = np.arange(len(order))[:, np.newaxis]
    places = np.take_along_axis(order, np.minimum(taps, np.maximum(counts - 1, 0)), axis=0)
    repeats = np.where(taps < counts - 1, 1, len(order) - counts + 1)
    return places, np.take_along_axis(matrix, places, axis=0) / repeats


_MEANS = (
    *(layers.AdaptiveAvgPool1D, layers.AdaptiveAvgPool2D, layers.AdaptiveAvgPool3D),
    layers.AvgPool3D,
)
_MAXIMA = (
    *(layers.AdaptiveMaxPool1D, layers.AdaptiveMaxPool2D, layers.AdaptiveMaxPool3D),
    layers.MaxPool3D,
)
AXIS_STEPS: dict[type, Callable[[ForwardPass, Any, list[int]], list[int]]] = {
    **dict.fromkeys(_MEANS, _separable_mean),
    **dict.fromkeys(_MAXIMA, _separable_maximum),
    **dict.fromkeys((layers.Crop, layers.Pad, layers.Slice), _selection),
    layers.Upsample: _upsample,
}
"""The functions that append the steps, by class."""
