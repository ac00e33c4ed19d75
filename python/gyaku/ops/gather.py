"""Rows of a data set in a given order and on another scale, and the counter that walks through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.arrays import (
    FLOAT32,
    FLOAT64,
    INT32,
    INT64,
    UINT8,
    UNFIT,
    allocate,
    buffer,
    floating,
)
from gyaku.ops.random import check_seed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["advance", "gather", "gather_images", "rescale"]

_NUMBERS = (UINT8, FLOAT32, FLOAT64)


def gather(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    out: NDArray[Any],
    *,
    scale: float = 1.0,
) -> None:
    """Collect the next rows of a data set into an array.

    Parameters
    ----------
    source : ndarray
        The data set, of shape (m, ...): uint8, float32 or float64 numbers, or int32 or int64
        labels and indices, which are copied.
    order : ndarray
        Row numbers, int64 of shape (k,).
    cursor : ndarray
        Place in the order of the first row, int64 of shape (1,).
    out : ndarray
        Where the rows go, of shape (n, ...): float32 or float64, or integers like the source's.
    scale : float, default 1.0
        What the numbers are multiplied by; 1 for integers that are copied.

    Raises
    ------
    TypeError
        If an argument is no array, or of a dtype that is not named here.
    ValueError
        If shapes do not match, an array cannot be used in place, or a row is out of range.

    Notes
    -----
    out_i = scale source[order[cursor + i]]. Nothing is converted beforehand: a data set of bytes
    stays bytes in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> source = np.array([[10], [20], [30]], np.uint8)
    >>> out = np.empty((2, 1), np.float32)
    >>> ops.gather(source, np.array([2, 0, 1]), np.array([1]), out, scale=0.5)
    >>> out
    array([[ 5.],
           [10.]], dtype=float32)
    """
    try:
        if active.native:
            _core.gather(source, order, cursor, out, scale)
            return
    except UNFIT:
        pass
    _check("gather", source, order, cursor, out, scale)
    if active.native:
        _core.gather(source, order, cursor, out, scale)
    else:
        out[...] = reference.gather(source, order, cursor, out, scale=scale)


def gather_images(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    epoch: NDArray[Any],
    out: NDArray[Any],
    *,
    scale: float = 1.0,
    shift: int = 0,
    flip: bool = False,
    seed: int = 0,
) -> None:
    """Collect the next images of a data set into an array, each moved and mirrored at random.

    Parameters
    ----------
    source : ndarray
        The data set, of shape (m, height, width, channels): uint8, float32 or float64.
    order : ndarray
        Row numbers, int64 of shape (k,).
    cursor : ndarray
        Place in the order of the first row, int64 of shape (1,).
    epoch : ndarray
        The epoch, int64 of shape (1,): new random numbers for each.
    out : ndarray
        Where the images go, float32 or float64 of shape (n, height, width, channels).
    scale : float, default 1.0
        What the numbers are multiplied by.
    shift : int, default 0
        By how many pixels at most an image moves in each direction, less than it has.
    flip : bool, default False
        Whether half of the images have left and right exchanged, before they move.
    seed : int, default 0
        Seed of the random numbers, 0 to 2^64 - 1.

    Raises
    ------
    TypeError
        If an argument is no array, or of a dtype that is not named here.
    ValueError
        If shapes do not match, an array cannot be used in place, or a number is out of range.

    Notes
    -----
    What moves in from outside is zero. Moves are uniformly distributed, and a function of seed,
    epoch and sample alone, whatever the batch: `gyaku.reference.gather_images` says how. Simard,
    Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> source = np.array([1, 2, 3], np.uint8).reshape(1, 1, 3, 1)
    >>> out, start = np.empty((1, 1, 3, 1), np.float32), np.array([0])
    >>> ops.gather_images(source, start, start, np.array([0]), out, flip=True)
    >>> out.ravel()
    array([3., 2., 1.], dtype=float32)
    """
    try:
        if active.native:
            _core.gather_images(source, order, cursor, epoch, out, scale, shift, flip, seed)
            return
    except UNFIT:
        pass
    op = "gather_images"
    _check(op, source, order, cursor, out, scale)
    buffer(op, "epoch", epoch, INT64, (1,), written=False)
    if source.ndim != 4 or source.dtype in (INT32, INT64):
        raise ValueError(
            f"{op}: source must hold images of shape (height, width, channels), got"
            f" {source.dtype} of shape {source.shape[1:]}"
        )
    if not 0 <= shift < min(source.shape[1:3]):
        raise ValueError(
            f"{op}: shift must be at least 0 and less than the height and width of an image, got"
            f" {shift} for {source.shape[1]} x {source.shape[2]} pixels"
        )
    check_seed(op, seed)
    options: dict[str, Any] = {"scale": scale, "shift": shift, "flip": flip, "seed": seed}
    if active.native:
        _core.gather_images(source, order, cursor, epoch, out, **options)
    else:
        out[...] = reference.gather_images(source, order, cursor, epoch, out, **options)


def _check(
    op: str,
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    out: NDArray[Any],
    scale: float,
) -> None:
    _check_source(op, source, out, scale)
    buffer(op, "order", order, INT64, written=False)
    buffer(op, "cursor", cursor, INT64, (1,), written=False)
    if order.ndim != 1:
        raise ValueError(f"{op}: order must have one dimension, got shape {order.shape}")
    first, rows = cursor.item(), len(out)
    if first < 0 or first + rows > len(order):
        raise ValueError(
            f"{op}: cursor {first} and {rows} rows go beyond the {len(order)} rows of order"
        )
    wanted = order[first : first + rows]
    # As unsigned numbers the negative rows are the largest: one pass finds both kinds.
    if rows and int(wanted.view(np.uint64).max()) >= len(source):
        bad = wanted[(wanted < 0) | (wanted >= len(source))]
        raise ValueError(f"{op}: order names row {bad[0]}, source has {len(source)} rows")


def _check_source(op: str, source: NDArray[Any], out: NDArray[Any], scale: float) -> None:
    for name, x in (("source", source), ("out", out)):
        if not isinstance(x, np.ndarray):
            raise TypeError(f"{op}: {name} must be an array, got {type(x).__name__}")
    if out.dtype in (INT32, INT64):
        buffer(op, "source", source, out.dtype, written=False)
        if scale != 1:
            raise ValueError(f"{op}: scale must be 1 for labels, got {scale}")
    elif source.dtype not in _NUMBERS:
        raise TypeError(f"{op}: source must be uint8, float32 or float64, got {source.dtype}")
    elif out.dtype not in _NUMBERS[1:]:
        raise TypeError(f"{op}: out must be float32, float64, int32 or int64, got {out.dtype}")
    else:
        buffer(op, "source", source, source.dtype, written=False)
    buffer(op, "out", out, out.dtype)
    if source.ndim == 0 or out.ndim == 0 or source.shape[1:] != out.shape[1:]:
        raise ValueError(
            f"{op}: source of shape {source.shape} and out of shape {out.shape} must have"
            " rows of the same shape"
        )


def rescale(x: ArrayLike, *, scale: float, offset: float = 0.0) -> NDArray[Any]:
    """Multiply an array by a number and add another one.

    Parameters
    ----------
    x : array_like
        Input.
    scale : float
        The factor.
    offset : float, default 0.0
        The number that is added to the products.

    Returns
    -------
    ndarray
        The result, of the shape of x: float64 if x is, else float32.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = scale x + offset; its gradient with respect to x is scale dy, which is the same operation
    without an offset. In a program, the `gather` that x comes from multiplies as it converts.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.rescale([0.0, 127.5, 255.0], scale=2 / 255, offset=-1.0)
    array([-1.,  0.,  1.])
    """
    try:
        if active.native:
            return _core.rescale(x, scale, offset)
    except UNFIT:
        pass
    x = floating("rescale", "x", x)
    if active.native:
        return _core.rescale(x, scale, offset)
    y = allocate("rescale", x.shape, x.dtype)
    y[...] = reference.rescale(x, scale=scale, offset=offset)
    return y


def advance(counter: NDArray[Any], amount: int) -> None:
    """Move a counter on, in place.

    Parameters
    ----------
    counter : ndarray
        The counter, int64 of shape (1,).
    amount : int
        What is added to it.

    Raises
    ------
    TypeError
        If counter is no int64 array.
    ValueError
        If counter has another shape or may not be written to.

    Notes
    -----
    counter += amount.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> cursor = np.array([3])
    >>> ops.advance(cursor, 2)
    >>> cursor
    array([5])
    """
    try:
        if active.native:
            _core.advance(counter, amount)
            return
    except UNFIT:
        pass
    buffer("advance", "counter", counter, INT64, (1,))
    if active.native:
        _core.advance(counter, amount)
    else:
        counter[...] = reference.advance(counter, amount)
