"""Buffers that programs point to, and Python that runs between native tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.backend import _core, active

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import DTypeLike, NDArray

__all__ = ["empty", "host", "zeros"]


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array that starts on a cache line.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : dtype
        Its dtype.

    Returns
    -------
    ndarray
        The array, with whatever the memory held.
    """
    return _core.empty(shape, np.dtype(dtype))


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros that starts on a cache line.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : dtype
        Its dtype.

    Returns
    -------
    ndarray
        The array.
    """
    return _core.zeros(shape, np.dtype(dtype))


def host(
    function: Callable[[], object],
    reads: Sequence[NDArray[Any]],
    writes: Sequence[NDArray[Any]],
) -> None:
    """Call Python in the middle of a step, and again at each replay of it.

    Parameters
    ----------
    function : callable
        What is called. It works on arrays that stay where they are.
    reads, writes : sequence of ndarray
        The arrays that it reads and writes.
    """
    if active.native:
        _core.host(function, reads, writes)
    else:
        function()
