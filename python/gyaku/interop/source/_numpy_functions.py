"""Functions of exported models, in plain NumPy; a file gets the source of those that it uses."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["arrays", "avg_pool", "checked", "conv", "conv_transpose", "interpolate"]
__all__ += ["lp_pool", "max_pool", "max_unpool", "operand", "take"]

Axis = tuple[int, int, int, int, int, int]
# Windows along an axis: size of the image, taps of a window, stride, dilation, padding before the
# image, number of windows. Window o covers o * stride - before + i * dilation, for i < taps.


def taps(rows: Axis, columns: Axis) -> Iterator[tuple[int, int, tuple[slice, ...]]]:
    """Yield row and column of each element of a window, and its pixels in all windows."""
    for i in range(rows[1]):
        for j in range(columns[1]):
            parts = [
                slice(n * dilation, n * dilation + (windows - 1) * stride + 1, stride)
                for n, (_, _, stride, dilation, _, windows) in ((i, rows), (j, columns))
            ]
            yield i, j, (slice(None), *parts)


def span(axis: Axis) -> int:
    """Return the length from the start of the first window to the end of the last."""
    return (axis[5] - 1) * axis[2] + axis[3] * (axis[1] - 1) + 1


def pad(x: NDArray[Any], rows: Axis, columns: Axis, fill: float = 0.0) -> NDArray[Any]:
    """Return the part of images that windows cover, with padding around it."""
    (size, width), (top, left) = (span(rows), span(columns)), (rows[4], columns[4])
    padded = np.full((len(x), size, width, x.shape[3]), fill, x.dtype)
    part = x[:, : max(size - top, 0), : max(width - left, 0)]
    padded[:, top : top + part.shape[1], left : left + part.shape[2]] = part
    return padded


def split(x: NDArray[Any], groups: int) -> NDArray[Any]:
    """Reshape (..., channels) to (groups, pixels, channels / groups)."""
    return x.reshape(-1, groups, x.shape[-1] // groups).swapaxes(0, 1)


def conv(
    x: NDArray[Any],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    rows: Axis,
    columns: Axis,
    groups: int,
) -> NDArray[Any]:
    """Return the convolution of images (samples, height, width, channels)."""
    padded, filters = pad(x, rows, columns), weight.shape[3]
    shape = (len(x), rows[5], columns[5], filters)
    y = np.zeros((groups, shape[0] * shape[1] * shape[2], filters // groups), x.dtype)
    for i, j, tap in taps(rows, columns):
        y += split(padded[tap], groups) @ split(weight[i, j], groups)
    y = y.swapaxes(0, 1).reshape(shape)
    return y if bias is None else y + bias


def conv_transpose(
    x: NDArray[Any],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    rows: Axis,
    columns: Axis,
    groups: int,
) -> NDArray[Any]:
    """Return the adjoint of the convolution: pixels add their kernels to the result."""
    filters = weight.shape[2] * groups
    y = np.zeros((len(x), span(rows), span(columns), filters), x.dtype)
    for i, j, tap in taps(rows, columns):
        product = split(x, groups) @ split(weight[i, j], groups).swapaxes(1, 2)
        y[tap] += product.swapaxes(0, 1).reshape(*x.shape[:3], filters)
    image = np.zeros((len(x), rows[0], columns[0], filters), x.dtype)
    part = y[:, rows[4] : rows[4] + rows[0], columns[4] : columns[4] + columns[0]]
    image[:, : part.shape[1], : part.shape[2]] = part
    return image if bias is None else image + bias


def max_pool(x: NDArray[Any], rows: Axis, columns: Axis) -> NDArray[Any]:
    """Return the maximum of each window."""
    padded = pad(x, rows, columns, -np.inf)
    return np.asarray(np.max([padded[tap] for _, _, tap in taps(rows, columns)], axis=0))


def max_unpool(x: NDArray[Any], images: NDArray[Any], rows: Axis, columns: Axis) -> NDArray[Any]:
    """Return the values at the places of the maxima of images, zero elsewhere."""
    padded = pad(images, rows, columns, -np.inf)
    best = np.array([padded[tap] for _, _, tap in taps(rows, columns)]).argmax(axis=0)
    i, j = np.divmod(best, columns[1])
    row = np.arange(rows[5])[:, None, None] * rows[2] - rows[4] + i * rows[3]
    column = np.arange(columns[5])[:, None] * columns[2] - columns[4] + j * columns[3]
    places, pixels = row * columns[0] + column, (len(x), -1, x.shape[3])
    y = np.zeros_like(images).reshape(pixels)
    np.put_along_axis(y, places.reshape(pixels), x.reshape(pixels), axis=1)
    return y.reshape(images.shape)


def avg_pool(x: NDArray[Any], rows: Axis, columns: Axis, counts: list[list[int]]) -> NDArray[Any]:
    """Return the sum of each window over the number of its pixels along both axes."""
    padded = pad(x, rows, columns)
    total = sum(padded[tap] for _, _, tap in taps(rows, columns))
    return np.asarray(total / np.outer(counts[0], counts[1])[:, :, np.newaxis].astype(x.dtype))


def lp_pool(x: NDArray[Any], rows: Axis, columns: Axis, norm_type: float) -> NDArray[Any]:
    """Return the norm (Σ |x|^p)^(1/p) of each window."""
    padded = np.abs(pad(x, rows, columns))
    total = sum(padded[tap] ** norm_type for _, _, tap in taps(rows, columns))
    return np.asarray(total ** (1 / norm_type))


def take(x: NDArray[Any], places: list[int], axis: int, constant: float) -> NDArray[Any]:
    """Return the elements at places along an axis, a constant for those below zero."""
    y = x.take(places, axis)
    y[(slice(None),) * axis + (np.array(places) < 0,)] = constant
    return y


def interpolate(
    x: NDArray[Any], places: list[list[int]], weight: NDArray[Any], axis: int
) -> NDArray[Any]:
    """Return sums of weighted elements along an axis: places and weights (taps, outputs)."""
    weight = weight.reshape(*weight.shape, *(1,) * (x.ndim - axis - 1))
    return np.asarray(sum(x.take(at, axis) * w for at, w in zip(places, weight, strict=True)))


def operand(x: NDArray[Any]) -> NDArray[Any]:
    """Return an operand of a product as it is: a file computes in the model's precision."""
    return x


def checked(name: str, x: Any, shape: tuple[int | None, ...], dtype: str) -> NDArray[Any]:
    """Return an input as an array, or raise if its shape is wrong; None is any length."""
    array = np.asarray(x)
    if dtype == "ids" and array.dtype.kind not in "iu":
        raise TypeError(f"predict: {name} must hold integers, got {array.dtype}")
    found = array.shape[1:]
    known = [m if n is None else n for n, m in zip(shape, found, strict=False)]
    if len(found) != len(shape) or known != list(found):
        wanted = ", ".join(["samples", *("steps" if n is None else str(n) for n in shape)])
        raise ValueError(f"predict: {name} must have the shape ({wanted}), got {array.shape}")
    return array if dtype == "ids" else array.astype(dtype)


def arrays(text: str, dtype: str, shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Return arrays from their bytes in base64."""
    numbers, found, start = np.frombuffer(base64.b64decode(text), dtype), {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        found[name] = numbers[start : start + size].reshape(shape)
        start += size
    return found
