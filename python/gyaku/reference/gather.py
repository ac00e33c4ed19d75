"""Rows of a data set in a given order, and the counter that walks through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["advance", "gather"]


def gather(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    out: NDArray[Any],
    *,
    scale: float = 1.0,
) -> NDArray[Any]:
    """Collect the next rows of a data set.

    Parameters
    ----------
    source : ndarray
        The data set, of shape (m, ...).
    order : ndarray
        Row numbers, int64 of shape (k,).
    cursor : ndarray
        Place in the order of the first row, int64 of shape (1,).
    out : ndarray
        Array whose length and dtype the result takes; it is left alone.
    scale : float, default 1.0
        What the numbers are multiplied by.

    Returns
    -------
    ndarray
        The rows, as many as out has.

    Notes
    -----
    y_i = scale source[order[cursor + i]].

    Examples
    --------
    >>> import numpy as np
    >>> source = np.array([[10], [20], [30]], np.uint8)
    >>> gather(source, np.array([2, 0, 1]), np.array([1]), np.empty((2, 1)), scale=0.5)
    array([[ 5.],
           [10.]])
    """
    first = int(cursor[0])
    rows = source[order[first : first + len(out)]].astype(out.dtype)
    scaled: NDArray[Any] = rows if scale == 1 else rows * scale
    return scaled


def advance(counter: NDArray[Any], amount: int) -> NDArray[Any]:
    """Move a counter on.

    Parameters
    ----------
    counter : ndarray
        The counter, int64 of shape (1,).
    amount : int
        What is added to it.

    Returns
    -------
    ndarray
        The new counter.

    Notes
    -----
    counter + amount.

    Examples
    --------
    >>> import numpy as np
    >>> advance(np.array([3]), 2)
    array([5])
    """
    return counter + amount
