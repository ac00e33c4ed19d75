"""Branches that meet: their sum, and columns put side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add", "copy_columns", "take_columns"]


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def add(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Add two arrays of the same shape.

    Parameters
    ----------
    a : ndarray
        One of them.
    b : ndarray
        The other.

    Returns
    -------
    ndarray
        The sums, of the same shape.

    Notes
    -----
    y = a + b; the gradient by either is dy.

    Examples
    --------
    >>> add(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([4., 6.])
    """
    return np.asarray(a + b)


def copy_columns(x: NDArray[Any], out: NDArray[Any], *, start: int) -> NDArray[Any]:
    """Put an array among the columns of a wider one.

    Parameters
    ----------
    x : ndarray
        Array of shape (..., c).
    out : ndarray
        Array of shape (..., d).
    start : int
        The column of out where the first column of x goes.

    Returns
    -------
    ndarray
        A copy of out, whose columns start, ..., start + c - 1 are those of x.

    Notes
    -----
    y[..., start + j] = x[..., j], for j < c.

    Examples
    --------
    >>> copy_columns(np.array([[1.0, 2.0]]), np.zeros((1, 4)), start=1)
    array([[0., 1., 2., 0.]])
    """
    y = out.copy()
    y[..., start : start + x.shape[-1]] = x
    return y


def take_columns(x: NDArray[Any], *, start: int, count: int) -> NDArray[Any]:
    """Return some columns of an array.

    Parameters
    ----------
    x : ndarray
        Array of shape (..., c).
    start : int
        The first column.
    count : int
        How many of them.

    Returns
    -------
    ndarray
        Array of shape (..., count).

    Notes
    -----
    y[..., j] = x[..., start + j], for j < count: the gradient of `copy_columns` by x.

    Examples
    --------
    >>> take_columns(np.array([[1.0, 2.0, 3.0]]), start=1, count=2)
    array([[2., 3.]])
    """
    return x[..., start : start + count].copy()
