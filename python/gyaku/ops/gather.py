"""Gather of a data set's rows in a given order, and rescaling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.ops.arrays import FLOAT32, FLOAT64, INT32, INT64, UINT8, buffer, floating
from gyaku.ops.op import like_first, operation, per_element, prepared
from gyaku.ops.random import check_seed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["gather", "gather_images", "keep_rows", "rescale"]

_NUMBERS = (UINT8, FLOAT32, FLOAT64)


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
    # As unsigned integers the negative rows are the largest: one pass finds both kinds.
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
    fits = source.ndim == out.ndim > 0 and source.shape[2:] == out.shape[2:]
    if not fits or (out.ndim > 1 and out.shape[1] > source.shape[1]):
        raise ValueError(
            f"{op}: source of shape {source.shape} and out of shape {out.shape} must have"
            " rows of the same shape"
        )


@operation(
    _core.gather,
    inputs="source order cursor",
    outputs="out",
    shapes=lambda shapes, **_keywords: (shapes[3],),
    flops=per_element(1),
    elements=lambda _inputs, outputs: 2 * math.prod(outputs[0]) + outputs[0][0] + 1,
    in_place=True,
    no_gradient="data are not trained",
    roundings=3,
)
def gather(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    out: NDArray[Any],
    *,
    scale: float = 1.0,
) -> None:
    """Gather the next rows of a data set into an array.

    Parameters
    ----------
    source : ndarray
        Data set of shape (m, ...): uint8, float32 or float64, or int32 or int64 for labels and
        indices, which are copied.
    order : ndarray
        Row indices, int64 of shape (k,).
    cursor : ndarray
        Position in the order of the first row, int64 of shape (1,).
    out : ndarray
        Array for the rows, of shape (n, ...): float32 or float64, or integers like the source's.
        Its first axis behind n may be shorter: the last steps of padded sequences are left out.
    scale : float, default 1.0
        Factor of the elements; 1 for labels and indices.

    Raises
    ------
    TypeError
        If an argument is no array, or of another dtype.
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
    _check("gather", source, order, cursor, out, scale)


@operation(
    _core.gather_images,
    inputs="source order cursor epoch",
    outputs="out",
    shapes=lambda shapes, **_keywords: (shapes[4],),
    flops=per_element(1),
    elements=lambda _inputs, outputs: 2 * math.prod(outputs[0]) + outputs[0][0] + 2,
    in_place=True,
    no_gradient="data are not trained",
    roundings=3,
)
def gather_images(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    epoch: NDArray[Any],
    out: NDArray[Any],
    *,
    numbers: NDArray[Any] | None = None,
    scale: float = 1.0,
    shift: int = 0,
    flip: bool = False,
    seed: int = 0,
) -> None:
    """Gather the next images of a data set into an array, each shifted and flipped at random.

    Parameters
    ----------
    source : ndarray
        Data set of shape (m, height, width, channels): uint8, float32 or float64.
    order : ndarray
        Row indices, int64 of shape (k,).
    cursor : ndarray
        Position in the order of the first row, int64 of shape (1,).
    epoch : ndarray
        Epoch, int64 of shape (1,); each has random numbers of its own.
    out : ndarray
        Array for the images, float32 or float64 of shape (n, height, width, channels).
    numbers : ndarray or None, optional
        Number of each row of the source, int64 of shape (m,), from which its random numbers
        follow: of the sample, where the rows are only some of all samples. By default its index.
    scale : float, default 1.0
        Factor of the elements.
    shift : int, default 0
        Largest shift in each direction in pixels, less than the height and width.
    flip : bool, default False
        Whether to mirror half of the images, left to right, before the shift.
    seed : int, default 0
        Seed of the random numbers, 0 to 2^64 - 1.

    Raises
    ------
    TypeError
        If an argument is no array, or of another dtype.
    ValueError
        If shapes do not match, an array cannot be used in place, or a number is out of range.

    Notes
    -----
    Pixels from outside the image are zero. Shifts are uniformly distributed, and depend on seed,
    epoch and sample alone, not on the batch; `gyaku.reference.gather_images` is the definition.
    Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to
    visual document analysis", ICDAR 2003.

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
    op = "gather_images"
    _check(op, source, order, cursor, out, scale)
    buffer(op, "epoch", epoch, INT64, (1,), written=False)
    if numbers is not None:
        buffer(op, "numbers", numbers, INT64, (len(source),), written=False)
    if source.ndim != 4 or source.shape[1:] != out.shape[1:] or source.dtype in (INT32, INT64):
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


@operation(
    _core.keep_rows,
    inputs="rows kept cursor",
    outputs="kept",
    shapes=lambda shapes, **_keywords: (shapes[1],),
    flops=lambda _inputs, _outputs: 0,
    elements=lambda inputs, _outputs: 2 * math.prod(inputs[0]),
    in_place=True,
    no_gradient="it copies what is measured",
    exact="it copies",
)
def keep_rows(rows: NDArray[Any], kept: NDArray[Any], cursor: NDArray[Any]) -> None:
    """Copy the rows of a batch into an array that keeps those of several, in place.

    Parameters
    ----------
    rows : ndarray
        Rows, of any dtype of real numbers.
    kept : ndarray
        Array of the same dtype whose rows have the same shape, or more steps on their first axis,
        of which those behind stay as they are.
    cursor : ndarray
        Index in `kept` of the first row, int64 of shape (1,).

    Raises
    ------
    TypeError
        If an argument is no array, or of another dtype.
    ValueError
        If shapes do not match, or `kept` has no room for the rows.

    Notes
    -----
    kept[cursor + i] = rows[i].

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> kept = np.zeros((4, 1))
    >>> ops.keep_rows(np.array([[5.0], [7.0]]), kept, np.array([1]))
    >>> kept.ravel()
    array([0., 5., 7., 0.])
    """
    op = "keep_rows"
    if not isinstance(rows, np.ndarray):
        raise TypeError(f"{op}: rows must be an array, got {type(rows).__name__}")
    if rows.dtype.kind not in "biuf":
        raise TypeError(f"{op}: rows must hold real numbers, got dtype {rows.dtype}")
    buffer(op, "kept", kept, rows.dtype)
    buffer(op, "rows", rows, rows.dtype, written=False)
    buffer(op, "cursor", cursor, INT64, (1,), written=False)
    shapes = rows.shape, kept.shape
    if not rows.ndim or rows.ndim != kept.ndim or shapes[0][2:] != shapes[1][2:]:
        raise ValueError(f"{op}: rows of shape {shapes[0]} do not fit kept, of shape {shapes[1]}")
    if rows.shape[1:2] > kept.shape[1:2]:
        raise ValueError(f"{op}: rows of shape {shapes[0]} do not fit kept, of shape {shapes[1]}")
    if not 0 <= cursor.item() <= len(kept) - len(rows):
        raise ValueError(
            f"{op}: cursor {cursor.item()} and {len(rows)} rows go beyond the {len(kept)} rows of"
            " kept"
        )


@operation(
    _core.rescale,
    inputs="x",
    outputs="y",
    shapes=like_first,
    flops=per_element(2),
    gradient="rescale",
    roundings=3,
)
def rescale(x: ArrayLike, *, scale: float, offset: float = 0.0) -> NDArray[Any]:
    """Rescale an array: multiply by a factor and add an offset.

    Parameters
    ----------
    x : array_like
        Input.
    scale : float
        Factor of the elements.
    offset : float, default 0.0
        Constant added to the products.

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
    without an offset. In a program it is fused with the `gather` in front of it.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.rescale([0.0, 127.5, 255.0], scale=2 / 255, offset=-1.0)
    array([-1.,  0.,  1.])
    """
    return prepared(x=floating("rescale", "x", x))
