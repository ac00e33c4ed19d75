"""Aligned buffers for programs, and Python functions between native tasks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from gyaku.backend import _core, active

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from numpy.typing import DTypeLike, NDArray

__all__ = ["behind", "copy", "empty", "host", "zeros"]


@contextmanager
def behind(array: NDArray[Any]) -> Iterator[None]:
    """Run operations that a replay begins behind those that write an array.

    Parameters
    ----------
    array : ndarray
        The array, which the operations do not read. Their results take no memory until then.

    Yields
    ------
    None
        Nothing.
    """
    _core.begin_behind(array)
    try:
        yield
    finally:
        _core.begin_behind(None)


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array that starts on a cache line.

    Parameters
    ----------
    shape : tuple of int
        Shape.
    dtype : dtype
        Dtype.

    Returns
    -------
    ndarray
        The array, not initialised.
    """
    return _core.empty(shape, np.dtype(dtype))


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros that starts on a cache line.

    Parameters
    ----------
    shape : tuple of int
        Shape.
    dtype : dtype
        Dtype.

    Returns
    -------
    ndarray
        The array.
    """
    return _core.zeros(shape, np.dtype(dtype))


def copy(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that starts on a cache line.

    Parameters
    ----------
    array : ndarray
        The array.

    Returns
    -------
    ndarray
        The copy.
    """
    copied = zeros(array.shape, array.dtype)
    copied[...] = array
    return copied


def host(
    function: Callable[[], object],
    reads: Sequence[NDArray[Any]],
    writes: Sequence[NDArray[Any]],
) -> None:
    """Call a Python function within a step, and again at each replay.

    Parameters
    ----------
    function : callable
        The function; its arrays must stay in place.
    reads, writes : sequence of ndarray
        The arrays that it reads and writes.
    """
    if active.native:
        _core.host(function, reads, writes)
    else:
        function()
