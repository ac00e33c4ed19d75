"""Validation and conversion of array arguments to the form of a kernel.

Arrays that are C-contiguous, aligned and of the right dtype are used in place. Others are converted
once; while a step is recorded, the conversion is recorded with it. A buffer that an operation
changes, or that changes between steps, is never converted: it must fit.

An operation passes its arguments to `gyaku._core` first, which checks them in a fraction of a
microsecond. The functions here see only arguments that it cannot use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.checks import is_masked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FLOAT32",
    "FLOAT64",
    "INT32",
    "INT64",
    "UINT8",
    "allocate",
    "buffer",
    "check_no_overlap",
    "check_same_shape",
    "check_shape",
    "convert",
    "floating",
    "floats",
    "lengths_of",
    "matrix",
    "real_buffer",
    "real_numbers",
    "result",
    "results",
    "rows_in_place",
    "shape_of",
]

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
UINT8 = np.dtype(np.uint8)
_ndarray = np.ndarray


def allocate(op: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an uninitialised array that starts on a cache line.

    Parameters
    ----------
    op : str
        Operation, for the error.
    shape : tuple of int
        Shape.
    dtype : dtype
        Dtype.

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


def shape_of(x: ArrayLike) -> tuple[int, ...]:
    """Return the shape of an array; raise for arguments that need conversion.

    Parameters
    ----------
    x : array_like
        Argument of an operation.

    Returns
    -------
    tuple of int
        Its shape.

    Raises
    ------
    TypeError
        If it is no array.
    """
    if not isinstance(x, _ndarray):
        raise TypeError("no array")
    shape: tuple[int, ...] = x.shape
    return shape


def real_numbers(op: str, name: str, x: ArrayLike) -> NDArray[Any]:
    """Return an argument as an array of real numbers, of any dtype.

    Parameters
    ----------
    op : str
        Operation, for errors.
    name : str
        Argument, for errors.
    x : array_like
        Real numbers.

    Returns
    -------
    ndarray
        The array; x itself if it is one.

    Raises
    ------
    TypeError
        If x is masked, or does not hold real numbers.
    ValueError
        If its rows differ in length.
    """
    if is_masked(x):
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


def convert(op: str, array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array in the form of a kernel's input.

    Parameters
    ----------
    op : str
        Operation, for errors.
    array : ndarray
        Array of real numbers.
    dtype : dtype
        Dtype of the result.

    Returns
    -------
    ndarray
        C-contiguous and aligned; while a step is recorded, a conversion is recorded with it.
    """
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.aligned:
        return array.view(dtype)  # the same elements under the canonical dtype object
    converted = allocate(op, array.shape, dtype)

    def copy() -> None:
        with np.errstate(over="ignore"):  # values beyond float32's range become infinite
            np.copyto(converted, array, casting="unsafe")

    if _core.recording():
        _core.host(copy, [array], [converted])
    else:
        copy()
    return converted


def floating(op: str, name: str, x: ArrayLike, dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
    """Return an argument as a float array in the form of a kernel's input.

    Parameters
    ----------
    op : str
        Operation, for errors.
    name : str
        Argument, for errors.
    x : array_like
        Real numbers.
    dtype : dtype or None, optional
        Dtype of the result; None is float32 for dtypes that float32 holds exactly, else float64.

    Returns
    -------
    ndarray
        C-contiguous, aligned, float32 or float64; x itself if possible.

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
    array = real_numbers(op, name, x)
    if dtype is None:
        fits = np.promote_types(array.dtype, FLOAT32) == FLOAT32
        dtype = FLOAT32 if fits else FLOAT64
    return convert(op, array, dtype)


def floats(op: str, **arguments: ArrayLike) -> list[NDArray[Any]]:
    """Return arguments as float arrays of one dtype: float64 if one of them needs it.

    Parameters
    ----------
    op : str
        Operation, for errors.
    **arguments : array_like
        Arguments by name.

    Returns
    -------
    list of ndarray
        The arrays, see `floating`.
    """
    arrays = {name: floating(op, name, x) for name, x in arguments.items()}
    dtype = FLOAT64 if any(x.dtype is FLOAT64 for x in arrays.values()) else FLOAT32
    return [floating(op, name, x, dtype) for name, x in arrays.items()]


def matrix(op: str, name: str, x: ArrayLike, dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
    """Return an argument as a float matrix in the form of a kernel's input.

    Parameters
    ----------
    op : str
        Operation, for errors.
    name : str
        Argument, for errors.
    x : array_like
        Real numbers, two-dimensional.
    dtype : dtype or None, optional
        Dtype of the result, see `floating`.

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


OF_A_MASK = "; those of a mask are mask.sum(axis=1)"


def lengths_of(
    op: str, lengths: ArrayLike | None, samples: int, steps: int, *, name: str = "lengths"
) -> NDArray[np.int64] | None:
    """Return the lengths of padded sequences in the form of a kernel's input.

    Parameters
    ----------
    op : str
        Operation, for errors.
    lengths : array_like or None
        Integers of shape (samples,), from 1 to steps; None if all steps are real.
    samples : int
        Number of sequences.
    steps : int
        Number of time steps of the batch.
    name : str, default "lengths"
        Argument, for errors.

    Returns
    -------
    ndarray of int64 or None
        The lengths.

    Raises
    ------
    TypeError
        If lengths are no integers.
    ValueError
        If there is not one for each sample, or one is out of range.
    """
    if lengths is None:
        return None
    array = real_numbers(op, name, lengths)
    if array.dtype.kind not in "iu":
        hint = OF_A_MASK if array.dtype == bool else ""
        raise TypeError(f"{op}: {name} must be integers, got dtype {array.dtype}{hint}")
    if array.shape != (samples,):
        hint = OF_A_MASK if array.shape == (samples, steps) else ""
        raise ValueError(f"{op}: {name} must have shape {(samples,)}, got {array.shape}{hint}")
    outside = (array < 1) | (array > steps)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(
            f"{op}: {name} must be 1 to {steps}, the time steps of the batch, got"
            f" {int(array[row])} for sample {row}"
        )
    return convert(op, array, INT64)


def rows_in_place(x: NDArray[Any]) -> bool:
    """Return whether a matrix product can read a matrix in place.

    Parameters
    ----------
    x : ndarray
        The matrix.

    Returns
    -------
    bool
        Whether its rows are contiguous and aligned, with any row stride.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.zeros((4, 6))
    >>> rows_in_place(x[:, 1:4]), rows_in_place(x[:, ::2]), rows_in_place(x[::-1])
    (True, False, False)
    """
    (rows, columns), (row, column), item = x.shape, x.strides, x.itemsize
    contiguous = columns == 1 or column == item
    disjoint = rows == 1 or (row >= columns * item and row % item == 0)
    return x.flags.aligned and (x.size == 0 or (contiguous and disjoint))


def buffer(
    op: str,
    name: str,
    x: NDArray[Any],
    dtype: np.dtype[Any],
    shape: tuple[int, ...] | None = None,
    *,
    written: bool = True,
    row_stride: bool = False,
) -> None:
    """Raise if an argument cannot be used in place.

    Parameters
    ----------
    op : str
        Operation, for errors.
    name : str
        Argument, for errors.
    x : ndarray
        The argument.
    dtype : dtype
        Required dtype.
    shape : tuple of int or None, optional
        Required shape; None for any.
    written : bool, default True
        Whether the operation writes to it.
    row_stride : bool, default False
        Whether it may be a matrix with gaps between its rows, see `rows_in_place`.

    Raises
    ------
    TypeError
        If x is no array, masked, or of another dtype.
    ValueError
        If x has another shape, is not contiguous, not aligned, or read-only though written to.
    """
    if not isinstance(x, _ndarray):
        raise TypeError(f"{op}: {name} must be an array of {dtype}, got {type(x).__name__}")
    if is_masked(x):
        raise TypeError(f"{op}: {name} must not be masked, it is used in place")
    if x.dtype != dtype:
        raise TypeError(f"{op}: {name} must be an array of {dtype}, got {x.dtype}")
    if shape is not None:
        check_shape(op, name, x, shape)
    flags = x.flags
    if not (flags.c_contiguous and flags.aligned) and not (row_stride and rows_in_place(x)):
        raise ValueError(f"{op}: {name} must be C-contiguous and aligned, it is used in place")
    if written and not flags.writeable:
        raise ValueError(f"{op}: {name} must be writeable, it is updated in place")


def real_buffer(op: str, name: str, x: Any) -> None:
    """Raise if an argument cannot be updated in place as float32 or float64.

    Parameters
    ----------
    op : str
        Operation, for errors.
    name : str
        Argument, for errors.
    x : ndarray
        The argument.

    Raises
    ------
    TypeError
        If x is no array of float32 or float64.
    ValueError
        If x is not contiguous, not aligned, or read-only.
    """
    if not isinstance(x, _ndarray) or x.dtype not in (FLOAT32, FLOAT64):
        given = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"{op}: {name} must be an array of float32 or float64, got {given}")
    buffer(op, name, x, x.dtype)


def check_shape(op: str, name: str, x: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise if an argument does not have the required shape.

    Parameters
    ----------
    op : str
        Operation, for the error.
    name : str
        Argument, for the error.
    x : ndarray
        The argument.
    shape : tuple of int
        Required shape.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if x.shape != shape:
        raise ValueError(f"{op}: {name} must have shape {shape}, got {x.shape}")


def check_same_shape(op: str, names: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    """Raise if two arguments differ in shape.

    Parameters
    ----------
    op : str
        Operation, for the error.
    names : str
        The two arguments, as in "dy and saved".
    x : ndarray
        One of them.
    y : ndarray
        The other.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if x.shape != y.shape:
        raise ValueError(f"{op}: {names} must have the same shape, got {x.shape} and {y.shape}")


def check_no_overlap(op: str, out: NDArray[Any], **read: NDArray[Any] | None) -> None:
    """Raise if a result would overwrite an input.

    Parameters
    ----------
    op : str
        Operation, for the error.
    out : ndarray
        Array for the result.
    **read : ndarray or None
        Inputs by name.

    Raises
    ------
    ValueError
        If the result shares memory with an input.
    """
    for name, x in read.items():
        if x is not None and np.may_share_memory(out, x):
            raise ValueError(
                f"{op}: out must not overlap {name}, which is read while out is written"
            )


def result(
    op: str,
    out: NDArray[Any] | None,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    row_stride: bool = False,
    **read: NDArray[Any] | None,
) -> NDArray[Any]:
    """Return the array for a result.

    Parameters
    ----------
    op : str
        Operation, for errors.
    out : ndarray or None
        The given array, or None for a new one.
    shape : tuple of int
        Shape of the result.
    dtype : dtype
        Dtype of the result.
    row_stride : bool, default False
        Whether out may be a matrix with gaps between its rows.
    **read : ndarray or None
        Inputs by name, which out must not overlap.

    Returns
    -------
    ndarray
        The array.
    """
    if out is None:
        return allocate(op, shape, dtype)
    buffer(op, "out", out, dtype, shape, row_stride=row_stride)
    check_no_overlap(op, out, **read)
    return out


def results(
    op: str,
    names: str,
    out: Any,
    shapes: Sequence[tuple[int, ...]],
    **read: NDArray[Any],
) -> tuple[NDArray[Any], ...]:
    """Return the arrays for several results.

    Parameters
    ----------
    op : str
        Operation, for errors.
    names : str
        Names of the results, as in "dw db".
    out : tuple of (ndarray or None) or None
        The given arrays, None for new ones.
    shapes : sequence of tuple of int
        Shapes of the results.
    **read : ndarray
        Inputs by name, which no result may overlap; the first one's dtype is that of the results.

    Returns
    -------
    tuple of ndarray
        The arrays.

    Raises
    ------
    ValueError
        If out is no tuple of the right length, or two of its arrays overlap.
    """
    every = names.split()
    if out is None:
        out = (None,) * len(every)
    if not isinstance(out, tuple) or len(out) != len(every):
        raise ValueError(f"{op}: out must be a tuple ({', '.join(every)}), got {out!r}")
    dtype = next(iter(read.values())).dtype
    for i, (name, array, shape) in enumerate(zip(every, out, shapes, strict=True)):
        if array is None:
            continue
        buffer(op, name, array, dtype, shape)
        check_no_overlap(op, array, **read)
        for other, earlier in zip(every[:i], out[:i], strict=True):
            if earlier is not None and np.may_share_memory(array, earlier):
                raise ValueError(f"{op}: {other} and {name} must not overlap, both are written to")
    given = zip(out, shapes, strict=True)
    return tuple(allocate(op, shape, dtype) if y is None else y for y, shape in given)
