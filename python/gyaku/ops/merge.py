"""Branches that meet: their sum, and columns put side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.arrays import (
    FLOAT64,
    UNFIT,
    allocate,
    apart,
    floating,
    real_buffer,
    result,
    same_shape,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["add", "copy_columns", "take_columns"]


def add(a: ArrayLike, b: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Add two arrays of the same shape.

    Parameters
    ----------
    a : array_like
        One of them.
    b : array_like
        The other.
    out : ndarray or None, optional
        Array of the same shape that the result is written to. It may be a or b.

    Returns
    -------
    ndarray
        The sums: float64 if a or b is, else float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or out has another dtype than the result.
    ValueError
        If shapes differ, or out overlaps an input that it is not.

    Notes
    -----
    y = a + b; the gradient by either is dy.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.add([1.0, 2.0], [3.0, 4.0])
    array([4., 6.])
    """
    try:
        if active.native:
            return _core.add(a, b, out)
    except UNFIT:
        pass
    a, b = floating("add", "a", a), floating("add", "b", b)
    if a.dtype is not b.dtype:
        a, b = floating("add", "a", a, FLOAT64), floating("add", "b", b, FLOAT64)
    same_shape("add", "a and b", a, b)
    y = result("add", out, a.shape, a.dtype)
    for name, x in (("a", a), ("b", b)):
        if out is not None and out.ctypes.data != x.ctypes.data:
            apart("add", out, name, x)
    if active.native:
        return _core.add(a, b, y)
    y[...] = reference.add(a, b)
    return y


def copy_columns(x: ArrayLike, out: NDArray[Any], *, start: int) -> None:
    """Put an array among the columns of a wider one, in place.

    Parameters
    ----------
    x : array_like
        Array of shape (..., c).
    out : ndarray
        Array of shape (..., d), float32 or float64.
    start : int
        The column of out where the first column of x goes.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or out is no array of float32 or float64.
    ValueError
        If shapes do not fit, out cannot be used in place, or it overlaps x.

    Notes
    -----
    out[..., start + j] = x[..., j], for j < c. Arrays side by side are one call for each, in rising
    order of start; their gradients are `take_columns`.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> out = np.zeros((1, 4))
    >>> ops.copy_columns([[1.0, 2.0]], out, start=1)
    >>> out
    array([[0., 1., 2., 0.]])
    """
    try:
        if active.native:
            _core.copy_columns(x, out, start)
            return
    except UNFIT:
        pass
    real_buffer("copy_columns", "out", out)
    x = floating("copy_columns", "x", x, out.dtype)
    if not x.ndim or x.shape[:-1] != out.shape[:-1]:
        raise ValueError(
            f"copy_columns: x and out must have the same rows, got shapes {x.shape} and {out.shape}"
        )
    _columns("copy_columns", "out", out, start, x.shape[-1])
    apart("copy_columns", out, "x", x)
    if active.native:
        _core.copy_columns(x, out, start)
    else:
        out[...] = reference.copy_columns(x, out, start=start)


def take_columns(x: ArrayLike, *, start: int, count: int) -> NDArray[Any]:
    """Return some columns of an array.

    Parameters
    ----------
    x : array_like
        Array of shape (..., c).
    start : int
        The first column.
    count : int
        How many of them.

    Returns
    -------
    ndarray
        Array of shape (..., count).

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If x does not have these columns.

    Notes
    -----
    y[..., j] = x[..., start + j], for j < count: the gradient of `copy_columns` by x.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.take_columns([[1.0, 2.0, 3.0]], start=1, count=2)
    array([[2., 3.]])
    """
    try:
        if active.native:
            return _core.take_columns(x, start, count)
    except UNFIT:
        pass
    x = floating("take_columns", "x", x)
    if not x.ndim:
        raise ValueError("take_columns: x must have at least one dimension, got a single number")
    _columns("take_columns", "x", x, start, count)
    if active.native:
        return _core.take_columns(x, start, count)
    y = allocate("take_columns", (*x.shape[:-1], count), x.dtype)
    y[...] = reference.take_columns(x, start=start, count=count)
    return y


def _columns(op: str, name: str, x: NDArray[Any], start: int, count: int) -> None:
    if not 0 <= start <= start + count <= x.shape[-1]:
        raise ValueError(
            f"{op}: {name} has {x.shape[-1]} columns, not {start} to {start + count - 1}"
        )
