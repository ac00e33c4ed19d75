"""Arguments at the border: arrays that a kernel can use as they are, or an error that says why not.

What is C-contiguous, aligned and of the right dtype is used in place. Anything else is converted
once; while a step is recorded, the conversion is recorded with it. A buffer that an operation
changes, or that changes between steps, is never converted: it must fit.

An operation hands its arguments to `gyaku._core` first, which checks them in a fraction of a
microsecond. Only if they do not fit as they are, it comes here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FLOAT32",
    "FLOAT64",
    "INT32",
    "INT64",
    "UINT8",
    "UNFIT",
    "allocate",
    "apart",
    "brought",
    "buffer",
    "check_bytes",
    "floating",
    "matrix",
    "per_sample",
    "real_buffer",
    "result",
    "rows_in_place",
    "same_shape",
    "target_of",
]

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
UINT8 = np.dtype(np.uint8)
UNFIT = (MemoryError, TypeError, ValueError)
"""What `gyaku._core` raises if it cannot use the arguments as they are."""
_ndarray = np.ndarray


def allocate(op: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an uninitialised array that starts on a cache line.

    Parameters
    ----------
    op : str
        The operation, for the error.
    shape : tuple of int
        Its shape.
    dtype : dtype
        Its dtype.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    ValueError
        If its size in bytes is beyond 64 bits.
    MemoryError
        If there is not that much memory.
    """
    return _core.empty(shape, dtype, op)


def check_bytes(owner: str, what: str, shape: tuple[int, ...], beside: str) -> None:
    """Refuse a shape that 64-bit arithmetic cannot place, whichever dtype its numbers have.

    Parameters
    ----------
    owner : str
        The operation or the layer, for the error.
    what : str
        What is to have the shape, for the error.
    shape : tuple of int
        The shape.
    beside : str
        The shapes that it came from, for the error.

    Raises
    ------
    ValueError
        If its size in bytes is beyond 64 bits.

    Examples
    --------
    >>> check_bytes("Dense", "the output", (2**60,), "input (3,)")
    Traceback (most recent call last):
    ...
    ValueError: Dense: the output of shape (1152921504606846976,) would be beyond 2^63 bytes
    (input (3,))
    """
    if 8 * math.prod(max(length, 1) for length in shape) >= 2**63:
        raise ValueError(f"{owner}: {what} of shape {shape} would be beyond 2^63 bytes ({beside})")


def floating(op: str, name: str, x: ArrayLike, dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
    """Return an argument as a float array that a kernel can read.

    Parameters
    ----------
    op : str
        The operation, for errors.
    name : str
        The argument, for errors.
    x : array_like
        Real numbers.
    dtype : dtype or None, optional
        The dtype to bring it to; None is float32 for what float32 holds exactly, else float64.

    Returns
    -------
    ndarray
        C-contiguous, aligned, float32 or float64; x itself if it is so already.

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    """
    if type(x) is _ndarray:
        own = x.dtype
        if own is dtype or (dtype is None and (own is FLOAT32 or own is FLOAT64)):
            flags = x.flags
            if flags.c_contiguous and flags.aligned:
                return x
    array = _real(op, name, x)
    wanted = dtype
    if wanted is None:
        fits = np.promote_types(array.dtype, FLOAT32) == FLOAT32
        wanted = FLOAT32 if fits else FLOAT64
    return brought(op, array, wanted)


def matrix(op: str, name: str, x: ArrayLike, dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
    """Return an argument as a float matrix that a kernel can read.

    Parameters
    ----------
    op : str
        The operation, for errors.
    name : str
        The argument, for errors.
    x : array_like
        Real numbers, two-dimensional.
    dtype : dtype or None, optional
        The dtype to bring it to, see `floating`.

    Returns
    -------
    ndarray
        The matrix.

    Raises
    ------
    ValueError
        If x does not have two dimensions.
    """
    array = floating(op, name, x, dtype)
    if array.ndim != 2:
        raise ValueError(f"{op}: {name} must have two dimensions, got shape {array.shape}")
    return array


def rows_in_place(x: NDArray[Any]) -> bool:
    """Return whether a matrix product takes a matrix where it lies.

    Parameters
    ----------
    x : ndarray
        The matrix.

    Returns
    -------
    bool
        Whether its rows are contiguous, wherever the next one begins behind the last, and aligned.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.zeros((4, 6))
    >>> rows_in_place(x[:, 1:4]), rows_in_place(x[:, ::2]), rows_in_place(x[::-1])
    (True, False, False)
    """
    (rows, columns), (row, column), item = x.shape, x.strides, x.itemsize
    rows_are_contiguous = columns == 1 or column == item
    rows_are_apart = rows == 1 or (row >= columns * item and row % item == 0)
    return x.flags.aligned and (x.size == 0 or (rows_are_contiguous and rows_are_apart))


def buffer(
    op: str,
    name: str,
    x: NDArray[Any],
    dtype: np.dtype[Any],
    shape: tuple[int, ...] | None = None,
    *,
    written: bool = True,
    rows_apart: bool = False,
) -> None:
    """Refuse an argument that cannot be used in place.

    Parameters
    ----------
    op : str
        The operation, for errors.
    name : str
        The argument, for errors.
    x : ndarray
        The argument.
    dtype : dtype
        The dtype it must have.
    shape : tuple of int or None, optional
        The shape it must have; None takes any.
    written : bool, default True
        Whether the operation writes to it.
    rows_apart : bool, default False
        Whether it may be a matrix whose rows lie apart, see `rows_in_place`.

    Raises
    ------
    TypeError
        If x is no array, or of another dtype.
    ValueError
        If x has another shape, is not contiguous, not aligned, or may not be written to.
    """
    if not isinstance(x, _ndarray):
        raise TypeError(f"{op}: {name} must be an array of {dtype}, got {type(x).__name__}")
    if x.dtype != dtype:
        raise TypeError(f"{op}: {name} must be an array of {dtype}, got {x.dtype}")
    if shape is not None and x.shape != shape:
        raise ValueError(f"{op}: {name} must have shape {shape}, got {x.shape}")
    flags = x.flags
    if not (flags.c_contiguous and flags.aligned) and not (rows_apart and rows_in_place(x)):
        raise ValueError(f"{op}: {name} must be C-contiguous and aligned, it is used in place")
    if written and not flags.writeable:
        raise ValueError(f"{op}: {name} must be writeable, it is updated in place")


def real_buffer(op: str, name: str, x: Any) -> None:
    """Refuse an argument that cannot be updated in place as float32 or float64.

    Parameters
    ----------
    op : str
        The operation, for errors.
    name : str
        The argument, for errors.
    x : ndarray
        The argument.

    Raises
    ------
    TypeError
        If x is no array of float32 or float64.
    ValueError
        If x is not contiguous, not aligned, or may not be written to.
    """
    if not isinstance(x, _ndarray) or x.dtype not in (FLOAT32, FLOAT64):
        given = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"{op}: {name} must be an array of float32 or float64, got {given}")
    buffer(op, name, x, x.dtype)


def result(
    op: str,
    out: NDArray[Any] | None,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    rows_apart: bool = False,
) -> NDArray[Any]:
    """Return the array that a result goes to.

    Parameters
    ----------
    op : str
        The operation, for errors.
    out : ndarray or None
        The array that was asked for, or None for a new one.
    shape : tuple of int
        The result's shape.
    dtype : dtype
        The result's dtype.
    rows_apart : bool, default False
        Whether out may be a matrix whose rows lie apart.

    Returns
    -------
    ndarray
        The array.
    """
    if out is None:
        return allocate(op, shape, dtype)
    buffer(op, "out", out, dtype, shape, rows_apart=rows_apart)
    return out


def apart(op: str, out: NDArray[Any], name: str, x: NDArray[Any]) -> None:
    """Refuse a result that would overwrite an input.

    Parameters
    ----------
    op : str
        The operation, for the error.
    out : ndarray
        Where the result goes.
    name : str
        The input, for the error.
    x : ndarray
        The input.

    Raises
    ------
    ValueError
        If the two share memory.
    """
    if np.may_share_memory(out, x):
        raise ValueError(f"{op}: out must not overlap {name}, which is read while out is written")


def same_shape(op: str, names: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    """Refuse two arguments of different shapes.

    Parameters
    ----------
    op : str
        The operation, for the error.
    names : str
        The two arguments, as in "dy and saved".
    x : ndarray
        One of them.
    y : ndarray
        The other.

    Raises
    ------
    ValueError
        If their shapes differ.
    """
    if x.shape != y.shape:
        raise ValueError(f"{op}: {names} must have the same shape, got {x.shape} and {y.shape}")


def per_sample(op: str, reduction: str, samples: int) -> float:
    """Return what each sample's loss is multiplied by.

    Parameters
    ----------
    op : str
        The operation, for errors.
    reduction : {"mean", "sum"}
        The reduction.
    samples : int
        The number of samples.

    Returns
    -------
    float
        One over the number of samples, or one.

    Raises
    ------
    ValueError
        If there is no such reduction, or no sample.
    """
    if samples == 0:
        raise ValueError(f"{op}: the batch is empty, a loss needs at least one sample")
    if reduction == "mean":
        return 1 / samples
    if reduction == "sum":
        return 1.0
    raise ValueError(f'{op}: reduction must be "mean" or "sum", got {reduction!r}')


def target_of(
    op: str, target: ArrayLike, like: NDArray[Any], *, classes: int | None = None
) -> NDArray[Any]:
    """Return targets as labels or as one number for each class.

    Parameters
    ----------
    op : str
        The operation, for errors.
    target : array_like
        Integer labels of shape (n,) or (n, 1), or numbers of shape (n, c).
    like : ndarray
        Scores of shape (n, c), whose dtype the numbers get.
    classes : int or None, optional
        Number of classes if it is not c.

    Returns
    -------
    ndarray
        Labels, int64 of shape (n,), or numbers of shape (n, c).

    Raises
    ------
    TypeError
        If the target is one number a sample and no integer.
    ValueError
        If shapes do not match, or a label is out of range.
    """
    array = target if type(target) is _ndarray else _real(op, "target", target)
    samples, columns = like.shape
    if array.dtype.kind in "iub" and (array.ndim == 1 or array.shape[1:] == (1,)):
        return _labels(op, array, samples, columns if classes is None else classes)
    if array.shape == like.shape:
        return floating(op, "target", array, like.dtype)
    if array.ndim == 1 and array.dtype.kind == "f":
        raise TypeError(f"{op}: target must be integer labels, got {array.dtype} labels")
    raise ValueError(
        f"{op}: target must be {samples} labels or numbers of shape {like.shape},"
        f" got shape {array.shape}"
    )


def _labels(op: str, array: NDArray[Any], samples: int, classes: int) -> NDArray[Any]:
    if len(array) != samples:
        raise ValueError(f"{op}: target must be {samples} labels, got {len(array)}")
    labels = brought(op, array if array.ndim == 1 else array.reshape(-1), INT64)
    # As unsigned numbers the negative labels are the largest: one pass finds both kinds.
    if samples and int(labels.view(np.uint64).max()) >= classes:
        row = int(((labels < 0) | (labels >= classes)).argmax())
        raise ValueError(
            f"{op}: target in row {row} is label {int(labels[row])},"
            f" with {classes} classes it must be 0 to {classes - 1}"
        )
    return labels


def _real(op: str, name: str, x: ArrayLike) -> NDArray[Any]:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{op}: {name} must not be masked; fill it first, as in x.filled(0)")
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError(
            f"{op}: {name} must be a regular array, its rows differ in length"
        ) from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{op}: {name} must be real numbers, got dtype {array.dtype}")
    return array


def brought(op: str, array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array in the form that a kernel can read.

    Parameters
    ----------
    op : str
        The operation, for errors.
    array : ndarray
        Numbers.
    dtype : dtype
        The dtype to bring them to.

    Returns
    -------
    ndarray
        C-contiguous and aligned; while a step is recorded, a conversion is recorded with it.
    """
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.aligned:
        return array.view(dtype)  # the same numbers under the canonical dtype object
    converted = allocate(op, array.shape, dtype)

    def convert() -> None:
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite in it
            np.copyto(converted, array, casting="unsafe")

    if _core.recording():
        _core.host(convert, [array], [converted])
    else:
        convert()
    return converted
