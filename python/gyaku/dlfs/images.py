"""Arrays as the kernels take them: one dtype, contiguous, images with the channels last."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import ops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

__all__: list[str] = []


def alike(*arrays: ArrayLike) -> list[Array]:
    """Return arrays in their common dtype, float32 or float64.

    Parameters
    ----------
    *arrays : array_like
        Arrays of real numbers.

    Returns
    -------
    list of ndarray
        The arrays, in their memory layout.
    """
    dtype = np.result_type(*arrays)
    if dtype != np.float32:
        dtype = np.dtype(np.float64)
    return [np.asarray(array).astype(dtype, copy=False) for array in arrays]


def floats(*arrays: ArrayLike) -> list[Array]:
    """Return contiguous arrays in their common dtype, float32 or float64.

    Parameters
    ----------
    *arrays : array_like
        Arrays of real numbers.

    Returns
    -------
    list of ndarray
        The arrays, C-contiguous.
    """
    return [np.ascontiguousarray(array) for array in alike(*arrays)]


@lru_cache(maxsize=16)
def _places(shape: tuple[int, ...], axes: tuple[int, ...]) -> NDArray[np.int64]:
    return np.arange(math.prod(shape)).reshape(shape).transpose(axes).flatten()


def permuted(x: Array, axes: Sequence[int]) -> Array:
    """Return a contiguous copy with permuted axes, by an operation that a program records.

    Parameters
    ----------
    x : ndarray
        Array of float32 or float64.
    axes : sequence of int
        Permutation of the axes, as of `numpy.transpose`.

    Returns
    -------
    ndarray
        The copy.
    """
    shape = tuple(x.shape[axis] for axis in axes)
    last = x.ndim - 1
    if axes[-1] == last:  # rows stay together
        places, row = _places(x.shape[:-1], tuple(axes[:-1])), x.shape[last]
    else:
        places, row = _places(x.shape, tuple(axes)), 1
    return ops.embedding(places, x.reshape(-1, row)).reshape(shape)


def channels_last(x: Array) -> Array:
    """Return images (n, c, h, w) as a contiguous array of shape (n, h, w, c).

    Parameters
    ----------
    x : ndarray
        Images with the channels first, float32 or float64.

    Returns
    -------
    ndarray
        The same memory if `x` is a view made by `channels_first`, else a copy.
    """
    view = x.transpose(0, 2, 3, 1)
    return view if view.flags.c_contiguous else permuted(x, (0, 2, 3, 1))


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
        return channels_first(op(*map(channels_last, alike(*arrays))))
    return op(*floats(*arrays))
