"""Arrays as the kernels take them: one dtype, contiguous, images with the channels last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

__all__: list[str] = []


def floats(*arrays: ArrayLike) -> list[Array]:
    """Return arrays in their common dtype, float32 or float64.

    Parameters
    ----------
    *arrays : array_like
        Arrays of real numbers.

    Returns
    -------
    list of ndarray
        The arrays, C-contiguous.
    """
    dtype = np.result_type(*arrays)
    if dtype != np.float32:
        dtype = np.dtype(np.float64)
    return [np.ascontiguousarray(array, dtype) for array in arrays]


def channels_last(x: Array) -> Array:
    """Return images (n, c, h, w) as a contiguous array of shape (n, h, w, c).

    Parameters
    ----------
    x : ndarray
        Images with the channels first.

    Returns
    -------
    ndarray
        The same memory if `x` is a view made by `channels_first`, else a copy.
    """
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def channels_first(y: Array) -> Array:
    """Return a view of shape (n, c, h, w) of images (n, h, w, c).

    Parameters
    ----------
    y : ndarray
        Images with the channels last.

    Returns
    -------
    ndarray
        The view.
    """
    return y.transpose(0, 3, 1, 2)


def elementwise(op: Callable[..., Array], *arrays: Array) -> Array:
    """Return the result of an elementwise operation, in the memory layout of its last argument.

    Parameters
    ----------
    op : callable
        Function of contiguous arrays.
    *arrays : ndarray
        Arrays of one shape.

    Returns
    -------
    ndarray
        The result, of the same shape.
    """
    last = arrays[-1]
    if last.ndim == 4 and not last.flags.c_contiguous:
        return channels_first(op(*floats(*map(channels_last, arrays))))
    return op(*floats(*arrays))
