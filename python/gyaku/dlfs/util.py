"""Windows as columns, shuffled data, smoothed curves: under the textbook's module name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

__all__ = ["clip_grads", "col2im", "im2col", "shuffle_dataset", "smooth_curve"]


def im2col(input_data: Array, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> Array:
    """Return the windows of images as rows of a matrix.

    Parameters
    ----------
    input_data : ndarray
        Images, of shape (n, c, h, w).
    filter_h, filter_w : int
        Height and width of a window.
    stride : int, default 1
        Step from one window to the next.
    pad : int, default 0
        Zeros on each side.

    Returns
    -------
    ndarray
        Matrix of shape (n * rows * columns, c * filter_h * filter_w).
    """
    sides = ((0, 0), (0, 0), (pad, pad), (pad, pad))
    padded = np.pad(input_data, sides)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (filter_h, filter_w), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride].transpose(0, 2, 3, 1, 4, 5)
    return windows.reshape(-1, input_data.shape[1] * filter_h * filter_w)


def col2im(
    col: Array,
    input_shape: Sequence[int],
    filter_h: int,
    filter_w: int,
    stride: int = 1,
    pad: int = 0,
) -> Array:
    """Return images in which overlapping windows are added up: the adjoint of `im2col`.

    Parameters
    ----------
    col : ndarray
        Windows, in the form that `im2col` returns.
    input_shape : sequence of int
        Shape (n, c, h, w) of the images.
    filter_h, filter_w : int
        Height and width of a window.
    stride : int, default 1
        Step from one window to the next.
    pad : int, default 0
        Zeros on each side.

    Returns
    -------
    ndarray
        Images, of shape `input_shape`.
    """
    n, c, h, w = input_shape
    rows = (h + 2 * pad - filter_h) // stride + 1
    columns = (w + 2 * pad - filter_w) // stride + 1
    windows = col.reshape(n, rows, columns, c, filter_h, filter_w).transpose(0, 3, 4, 5, 1, 2)
    images = np.zeros((n, c, h + 2 * pad, w + 2 * pad), col.dtype)
    for y, x in np.ndindex(filter_h, filter_w):
        pixels = images[:, :, y : y + stride * rows : stride, x : x + stride * columns : stride]
        pixels += windows[:, :, y, x]
    return images[:, :, pad : pad + h, pad : pad + w]


def shuffle_dataset(x: Array, t: Array) -> tuple[Array, Array]:
    """Return samples and targets in one random order.

    Parameters
    ----------
    x : ndarray
        Samples along the first axis.
    t : ndarray
        Their targets.

    Returns
    -------
    x : ndarray
        The samples, in an order drawn from `numpy.random`.
    t : ndarray
        The targets, in the same order.
    """
    order = np.random.permutation(len(x))
    return x[order], t[order]


def smooth_curve(x: ArrayLike) -> Array:
    """Return a curve smoothed by a Kaiser window of 11 points.

    Parameters
    ----------
    x : array_like
        Values at equal distances, such as the losses of steps; at least 11.

    Returns
    -------
    ndarray
        Weighted means around each point, the curve mirrored at its ends; as many as in `x`.

    Raises
    ------
    ValueError
        If there are fewer than 11 values.
    """
    x = np.asarray(x, float)
    if x.ndim != 1 or len(x) < 11:
        raise ValueError(f"smooth_curve: x must hold at least 11 values, got shape {x.shape}")
    window = np.kaiser(11, 2)
    return np.convolve(np.pad(x, 5, mode="reflect"), window / window.sum(), mode="valid")


def clip_grads(grads: Sequence[Array], max_norm: float) -> None:
    """Scale gradients in place to at most a norm over all of them.

    Parameters
    ----------
    grads : sequence of ndarray
        The gradients.
    max_norm : float
        The largest Euclidean norm.
    """
    norm = np.sqrt(sum(float(np.sum(g.astype(float) ** 2)) for g in grads))
    if norm > max_norm:
        for gradient in grads:
            gradient *= max_norm / norm
