"""Pooling: the maximum or the mean of what a window shows, channel by channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.windows import axes, covered, each_tap, uncovered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gyaku.reference.windows import Axis, Padding, Sides

__all__ = [
    "argmax_dtype",
    "avg_pool2d",
    "avg_pool2d_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
]


def argmax_dtype(window: tuple[int, ...]) -> np.dtype[Any]:
    """Return the integers that number the taps of a window.

    Parameters
    ----------
    window : tuple of int
        Taps along each axis.

    Returns
    -------
    dtype
        A byte if it is enough: a quarter of what the maxima themselves take. Else int32.

    Examples
    --------
    >>> argmax_dtype((16, 16)), argmax_dtype((16, 17))
    (dtype('uint8'), dtype('int32'))
    """
    return np.dtype(np.uint8 if math.prod(window) <= 256 else np.int32)


def max_pool2d(
    x: NDArray[Any],
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the largest number that each window shows, and which tap of the window sees it.

    Parameters
    ----------
    x : ndarray
        Images, of shape (n, h, w, c).
    window : int or sequence of int
        Height and width of the window.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Minus infinity around the images, see `gyaku.reference.windows.axes`.
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image; it may not start there.

    Returns
    -------
    y : ndarray
        The maxima, of shape (n, rows, columns, c).
    argmax : ndarray
        Number of the tap, row by row, of the same shape; uint8 for up to 256 taps, else int32.

    Notes
    -----
    y = max over the taps, and NaN counts as larger than any number. Among equals the first tap
    wins; padding never does. A window that sees nothing but padding, which a dilation can make,
    gives minus infinity and tap 0. The number of a tap is enough to lead a gradient back, however
    windows overlap. Zhou and Chellappa, "Computation of optical flow using a neural network", 1988.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 5.0, 5.0], [4.0, 3.0, 5.0, 0.0]]).reshape(1, 2, 4, 1)
    >>> y, argmax = max_pool2d(x, 2)
    >>> y.ravel(), argmax.ravel()
    (array([4., 5.]), array([2, 0], dtype=uint8))
    """
    rows, columns = axes(
        x.shape[1:3],
        window,
        stride=window if stride is None else stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    cover = covered(x, rows, columns, -np.inf)
    inside = covered(np.ones((1, *x.shape[1:3], 1), bool), rows, columns, False)
    y = np.full((len(x), rows.windows, columns.windows, x.shape[3]), -np.inf, x.dtype)
    argmax = np.full(y.shape, -1)
    for i, j, seen in each_tap(rows, columns):
        value = cover[seen]
        better = (argmax < 0) | (value > y) | (np.isnan(value) & ~np.isnan(y))
        better &= inside[seen]
        y[better] = value[better]
        argmax[better] = i * columns.taps + j
    return y, np.maximum(argmax, 0).astype(argmax_dtype((rows.taps, columns.taps)))


def max_pool2d_backward(
    dy: NDArray[Any],
    argmax: NDArray[Any],
    size: tuple[int, int],
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
) -> NDArray[Any]:
    """Return the gradient of maximum pooling.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the maxima, of shape (n, rows, columns, c).
    argmax : ndarray
        The tap that saw the maximum, of the same shape.
    size : tuple of int
        Height and width of the images.
    window : int or sequence of int
        Height and width of the window.
    stride : int, sequence of int or None, optional
        Step of the pooling; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the pooling.
    dilation : int or sequence of int, default 1
        Dilation of the pooling.
    ceil_mode : bool, default False
        Whether a last window might reach beyond the padded image.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

    Notes
    -----
    dx is zero but where a maximum came from: there it is the sum of dy over the windows whose
    maximum it is.

    Examples
    --------
    >>> dy, argmax = np.array([1.0, 2.0, 4.0]), np.array([1, 0, 1], np.uint8)
    >>> shape = (1, 1, 3, 1)
    >>> dx = max_pool2d_backward(dy.reshape(shape), argmax.reshape(shape), (1, 4), (1, 2), stride=1)
    >>> dx.ravel()
    array([0., 3., 0., 4.])
    """
    rows, columns = axes(
        size,
        window,
        stride=window if stride is None else stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    cover = np.zeros((len(dy), rows.span, columns.span, dy.shape[3]), dy.dtype)
    for i, j, seen in each_tap(rows, columns):
        cover[seen] += np.where(argmax == i * columns.taps + j, dy, 0)
    return uncovered(cover, rows, columns)


def _divisor(
    rows: Axis, columns: Axis, count_include_pad: bool, dtype: np.dtype[Any]
) -> NDArray[Any]:
    heights = rows.pixels(padded=count_include_pad)
    widths = columns.pixels(padded=count_include_pad)
    return (heights[:, np.newaxis] * widths)[:, :, np.newaxis].astype(dtype)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def avg_pool2d(
    x: NDArray[Any],
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> NDArray[Any]:
    """Return the mean of what each window shows.

    Parameters
    ----------
    x : ndarray
        Images, of shape (n, h, w, c).
    window : int or sequence of int
        Height and width of the window.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images, see `gyaku.reference.windows.axes`.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image; it may not start there.
    count_include_pad : bool, default False
        Whether the mean counts the zeros of the padding. What a last window covers beyond the
        padding is never counted.

    Returns
    -------
    ndarray
        The means, of shape (n, rows, columns, c).

    Notes
    -----
    y = Σ x / m, over the m pixels that the window shows. LeCun et al., "Gradient-based learning
    applied to document recognition", Proceedings of the IEEE 86 (1998).

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(1, 1, 5, 1)
    >>> avg_pool2d(x, (1, 2), ceil_mode=True).ravel()
    array([1.5, 3.5, 5. ])
    """
    rows, columns = axes(
        x.shape[1:3],
        window,
        stride=window if stride is None else stride,
        padding=padding,
        ceil_mode=ceil_mode,
    )
    cover = covered(x, rows, columns)
    total = np.zeros((len(x), rows.windows, columns.windows, x.shape[3]), x.dtype)
    for _, _, seen in each_tap(rows, columns):
        total += cover[seen]
    return np.asarray(total / _divisor(rows, columns, count_include_pad, x.real.dtype))


def avg_pool2d_backward(
    dy: NDArray[Any],
    size: tuple[int, int],
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> NDArray[Any]:
    """Return the gradient of mean pooling.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the means, of shape (n, rows, columns, c).
    size : tuple of int
        Height and width of the images.
    window : int or sequence of int
        Height and width of the window.
    stride : int, sequence of int or None, optional
        Step of the pooling; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the pooling.
    ceil_mode : bool, default False
        Whether a last window might reach beyond the padded image.
    count_include_pad : bool, default False
        Whether the mean counted the zeros of the padding.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

    Notes
    -----
    dx = Σ dy / m over the windows that show the pixel, m pixels each.

    Examples
    --------
    >>> dy = np.array([2.0, 4.0, 1.0]).reshape(1, 1, 3, 1)
    >>> avg_pool2d_backward(dy, (1, 5), (1, 2), ceil_mode=True).ravel()
    array([1., 1., 2., 2., 1.])
    """
    rows, columns = axes(
        size,
        window,
        stride=window if stride is None else stride,
        padding=padding,
        ceil_mode=ceil_mode,
    )
    share = dy / _divisor(rows, columns, count_include_pad, dy.real.dtype)
    cover = np.zeros((len(dy), rows.span, columns.span, dy.shape[3]), dy.dtype)
    for _, _, seen in each_tap(rows, columns):
        cover[seen] += share
    return uncovered(cover, rows, columns)


def global_max_pool2d(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the largest number of each channel, and which pixel it is.

    Parameters
    ----------
    x : ndarray
        Images, of shape (n, h, w, c).

    Returns
    -------
    y : ndarray
        The maxima, of shape (n, c).
    argmax : ndarray
        Number of the pixel, row by row, int32 of the same shape.

    Notes
    -----
    `max_pool2d` with a window that shows the whole image.

    Examples
    --------
    >>> global_max_pool2d(np.array([1.0, 3.0, 2.0]).reshape(1, 1, 3, 1))
    (array([[3.]]), array([[1]], dtype=int32))
    """
    pixels = x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])
    argmax = pixels.argmax(axis=1)  # the first, and NaN before all numbers
    y = np.take_along_axis(pixels, argmax[:, np.newaxis], axis=1)[:, 0]
    return y, argmax.astype(np.int32)


def global_max_pool2d_backward(
    dy: NDArray[Any], argmax: NDArray[Any], size: tuple[int, int]
) -> NDArray[Any]:
    """Return the gradient of global maximum pooling.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the maxima, of shape (n, c).
    argmax : ndarray
        The pixels that they came from, of the same shape.
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

    Notes
    -----
    dx is dy where the maximum came from, and zero elsewhere.

    Examples
    --------
    >>> global_max_pool2d_backward(np.array([[2.0]]), np.array([[1]]), (1, 3)).ravel()
    array([0., 2., 0.])
    """
    pixel = np.arange(math.prod(size)).reshape(*size, 1)
    here = argmax[:, np.newaxis, np.newaxis, :] == pixel
    return np.where(here, dy[:, np.newaxis, np.newaxis, :], 0)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def global_avg_pool2d(x: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of each channel.

    Parameters
    ----------
    x : ndarray
        Images, of shape (n, h, w, c).

    Returns
    -------
    ndarray
        The means, of shape (n, c).

    Notes
    -----
    y = Σ x / (h w); Lin, Chen and Yan, "Network in network", ICLR 2014.

    Examples
    --------
    >>> global_avg_pool2d(np.array([1.0, 3.0, 2.0]).reshape(1, 1, 3, 1))
    array([[2.]])
    """
    return np.asarray(x.mean(axis=(1, 2)))


def global_avg_pool2d_backward(dy: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return the gradient of global mean pooling.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the means, of shape (n, c).
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

    Notes
    -----
    dx = dy / (h w), for each pixel.

    Examples
    --------
    >>> global_avg_pool2d_backward(np.array([[6.0]]), (1, 3)).ravel()
    array([2., 2., 2.])
    """
    share = dy / math.prod(size)
    return np.broadcast_to(
        share[:, np.newaxis, np.newaxis, :], (len(dy), *size, dy.shape[1])
    ).copy()
