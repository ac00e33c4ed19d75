"""Pooling: the maximum, the mean or a norm of each window, channel by channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.windows import each_tap, pad, unpad
from gyaku.windows import pool_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gyaku.windows import Axis, Padding, Sides

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
]


def max_pool2d(
    x: NDArray[Any],
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the maximum of each window, and its index in the window."""
    # NaN counts as larger than any number. Of equal elements the first is the maximum; padding
    # never is. A window of padding alone, which is possible with dilation, gives minus infinity
    # and element 0. The index of the kernel element suffices for the gradient, also of
    # overlapping windows.
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = pool_axes("max_pool2d", x.shape, kernel_size, ceil_mode=ceil_mode, **where)
    cover = pad(x, rows, columns, -np.inf)
    inside = pad(np.ones((1, *x.shape[1:3], 1), bool), rows, columns, False)
    y = np.full((len(x), rows.windows, columns.windows, x.shape[3]), -np.inf, x.dtype)
    argmax = np.full(y.shape, -1)
    for i, j, tap in each_tap(rows, columns):
        value = cover[tap]
        better = (argmax < 0) | (value > y) | (np.isnan(value) & ~np.isnan(y))
        better &= inside[tap]
        y[better] = value[better]
        argmax[better] = i * columns.taps + j
    # A byte if possible: a quarter of the size of the maxima themselves.
    dtype = np.uint8 if rows.taps * columns.taps <= 256 else np.int32
    return y, np.maximum(argmax, 0).astype(dtype)


def max_pool2d_backward(
    dy: NDArray[Any],
    argmax: NDArray[Any],
    size: tuple[int, int],
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
) -> NDArray[Any]:
    """Return the gradient of maximum pooling."""
    # dx is zero except at the maxima: there it is the sum of dy over the windows with this
    # maximum.
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = pool_axes(
        "max_pool2d_backward",
        (len(dy), *size, dy.shape[3]),
        kernel_size,
        ceil_mode=ceil_mode,
        **where,
    )
    cover = np.zeros((len(dy), rows.span, columns.span, dy.shape[3]), dy.dtype)
    for i, j, tap in each_tap(rows, columns):
        cover[tap] += np.where(argmax == i * columns.taps + j, dy, 0)
    return unpad(cover, rows, columns)


def _divisor(
    rows: Axis,
    columns: Axis,
    count_include_pad: bool,
    divisor_override: int | None,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    if divisor_override is not None:
        return np.asarray(divisor_override, dtype)
    heights = rows.pixels(padded=count_include_pad)
    widths = columns.pixels(padded=count_include_pad)
    counted: NDArray[Any] = np.maximum(heights[:, np.newaxis] * widths, 1)
    return counted[:, :, np.newaxis].astype(dtype)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def avg_pool2d(
    x: NDArray[Any],
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    divisor_override: int | None = None,
) -> NDArray[Any]:
    """Return y = Σ x / m, over the m pixels of each window."""
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = pool_axes("avg_pool2d", x.shape, kernel_size, ceil_mode=ceil_mode, **where)
    cover = pad(x, rows, columns)
    total = np.zeros((len(x), rows.windows, columns.windows, x.shape[3]), x.dtype)
    for _, _, tap in each_tap(rows, columns):
        total += cover[tap]
    return np.asarray(
        total / _divisor(rows, columns, count_include_pad, divisor_override, x.real.dtype)
    )


def avg_pool2d_backward(
    dy: NDArray[Any],
    size: tuple[int, int],
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    divisor_override: int | None = None,
) -> NDArray[Any]:
    """Return dx = Σ dy / m, over the windows that cover the pixel, m pixels each."""
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = pool_axes(
        "avg_pool2d_backward",
        (len(dy), *size, dy.shape[3]),
        kernel_size,
        ceil_mode=ceil_mode,
        **where,
    )
    share = dy / _divisor(rows, columns, count_include_pad, divisor_override, dy.real.dtype)
    cover = np.zeros((len(dy), rows.span, columns.span, dy.shape[3]), dy.dtype)
    for _, _, tap in each_tap(rows, columns):
        cover[tap] += share
    return unpad(cover, rows, columns)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def lp_pool2d(
    x: NDArray[Any],
    norm_type: float,
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> NDArray[Any]:
    """Return y = (Σ |x|^p)^(1/p), over each window."""
    where: dict[str, Any] = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    rows, columns = pool_axes("lp_pool2d", x.shape, kernel_size, **where)
    cover = pad(np.abs(x), rows, columns)
    total = np.zeros((len(x), rows.windows, columns.windows, x.shape[3]), x.dtype)
    for _, _, tap in each_tap(rows, columns):
        total += cover[tap] ** norm_type
    return np.asarray(total ** (1 / norm_type))


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def lp_pool2d_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    norm_type: float,
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> NDArray[Any]:
    """Return dx = sign(x) Σ dy (|x| / y)^(p-1) over the windows with y > 0 that cover the pixel."""
    where: dict[str, Any] = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    rows, columns = pool_axes("lp_pool2d_backward", x.shape, kernel_size, **where)
    size, share = pad(np.abs(x), rows, columns), np.where(y == 0, 0, dy)
    cover = np.zeros_like(size)
    for _, _, tap in each_tap(rows, columns):
        cover[tap] += share * (size[tap] / np.where(y == 0, 1, y)) ** (norm_type - 1)
    return np.asarray(np.sign(x) * unpad(cover, rows, columns))


def global_max_pool2d(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return `max_pool2d` with a window that covers the whole image."""
    pixels = x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])
    argmax = pixels.argmax(axis=1)  # the first, and NaN before all numbers
    y = np.take_along_axis(pixels, argmax[:, np.newaxis], axis=1)[:, 0]
    return y, argmax.astype(np.int32)


def global_max_pool2d_backward(
    dy: NDArray[Any], argmax: NDArray[Any], size: tuple[int, int]
) -> NDArray[Any]:
    """Return dx = dy at the maximum, and zero elsewhere."""
    pixel = np.arange(math.prod(size)).reshape(*size, 1)
    here = argmax[:, np.newaxis, np.newaxis, :] == pixel
    return np.where(here, dy[:, np.newaxis, np.newaxis, :], 0)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def global_avg_pool2d(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = Σ x / (h w)."""
    return np.asarray(x.mean(axis=(1, 2)))


def global_avg_pool2d_backward(dy: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return dx = dy / (h w), for each pixel."""
    share = dy / math.prod(size)
    return np.broadcast_to(
        share[:, np.newaxis, np.newaxis, :], (len(dy), *size, dy.shape[1])
    ).copy()
