"""Conversion of array-likes (lists, tables, objects) to arrays of real numbers."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING

import numpy as np

from gyaku.backend import _core
from gyaku.checks import from_dlpack, is_masked
from gyaku.train.frames import from_frame

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["beyond", "floating", "indices", "real", "scaled", "to_dtype"]


_WORDS = "; words become ids by a gyaku.data.Vocabulary"


def real(
    owner: str, name: str, given: object, *, names: str = "", whole: bool = False
) -> NDArray[Any]:
    """Return an array of real numbers.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    given : object
        The data; a table whose columns are of several dtypes, too: see `from_frame`.
    names : str
        Hint of the error message if they are names, for example of classes.
    whole : bool
        Whether integers are wanted, such as ids of words, for the error message.

    Returns
    -------
    ndarray
        The same array if possible, of any dtype of booleans, integers or floats.

    Raises
    ------
    TypeError
        If it holds something else, or is no array.
    ValueError
        If its rows differ in shape.
    """
    wanted = f"{owner}: {name} must hold {'integers' if whole else 'real numbers'}"
    names = names or (_WORDS if whole else "")
    if is_masked(given):
        raise TypeError(f"{owner}: {name} must not be a masked array, fill or drop what is masked")
    given = from_dlpack(owner, name, from_frame(owner, name, given))
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ValueError(
            f"{owner}: {name} cannot be made an array: {_ragged(name, given) or error}"
        ) from None
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind != "O":
        text = names or "; pandas.get_dummies makes numbers of a column of names"
        hint = text if array.dtype.kind in "UST" else ""
        if isinstance(given, str):
            hint = f", {given!r}; numpy.load, numpy.loadtxt and pandas.read_csv read files"
        raise TypeError(f"{wanted}, got dtype {array.dtype}{hint}")
    if not array.ndim:
        raise TypeError(f"{owner}: {name} must be an array of samples, {_instead(name, given)}")
    return _of_objects(wanted, array, getattr(given, "columns", None), names)


def _ragged(name: str, given: Any) -> str:
    """Describe why data are no array: tuples, or a sample whose shape differs from the first."""
    try:
        if not isinstance(given, (list, tuple)) and isinstance(given[0], tuple):
            kind = type(given).__name__
            return f"a sample of {kind} is a tuple; fit takes batches, as DataLoader({name}) has"
        shapes = [np.shape(sample) for sample in given]
    except (TypeError, ValueError):
        return ""
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    return "" if odd is None else f"row {odd} has the shape {shapes[odd]}, row 0 {shapes[0]}"


def _instead(name: str, given: object) -> str:
    """Describe the value given instead of an array, and its conversion."""
    kind = type(given).__name__
    if hasattr(given, "toarray"):
        return f"got a sparse {kind}; {name}.toarray() makes it one"
    if hasattr(given, "shape"):
        shape = given.shape
        return f"got a {kind} of shape {shape}, which NumPy cannot read; give a dense array of it"
    if hasattr(given, "__next__"):
        return f"got a {kind}, which yields them one by one; np.array(list({name})) collects them"
    if isinstance(given, (set, frozenset)):
        return f"got a {kind}, which has no order; a list has"
    return f"got {'None' if given is None else kind}"


def _of_objects(
    wanted: str, array: NDArray[Any], columns: Iterable[object] | None, names: str
) -> NDArray[Any]:
    """Return objects as integers if all of them are, else as floats if all are numbers."""
    flat = array.reshape(-1)
    kinds = {type(each) for each in flat}
    odd = {kind for kind in kinds if not issubclass(kind, (numbers.Real, np.bool_))}
    if odd:
        place = next(i for i, each in enumerate(flat) if type(each) in odd)
        raise TypeError(
            f"{wanted}, but"
            f" {_found(flat[place], np.unravel_index(place, array.shape), columns, names)}"
        )
    whole = all(issubclass(kind, (numbers.Integral, np.bool_)) for kind in kinds)
    try:
        return array.astype(np.int64 if whole else np.float64)
    except OverflowError:
        return array.astype(np.float64)


def _found(
    value: object, where: tuple[Any, ...], columns: Iterable[object] | None, names: str
) -> str:
    """Describe the place of a value that is no number, with a hint for names."""
    row, *inner = where
    found = f"row {row} holds {value!r}"
    if inner:
        column = inner[-1] if columns is None else repr([*columns][inner[-1]])
        found = f"column {column} holds {value!r} in row {row}"
        names = names or "; pandas.get_dummies makes numbers of a column of names"
    return found + names if isinstance(value, str) else found


def floating(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of real numbers as floats.

    Parameters
    ----------
    array : ndarray
        The numbers.
    dtype : numpy.dtype
        Dtype of the result, unless the array is native float32 or float64 already.

    Returns
    -------
    ndarray
        The same array if possible.
    """
    if array.dtype.char in "fd" and array.dtype.isnative:
        return array
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def to_dtype(owner: str, name: str, given: object, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return real numbers in the dtype of a model; NaN and infinities stay.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    given : array_like
        The numbers.
    dtype : numpy.dtype
        Dtype of the model.

    Returns
    -------
    ndarray
        C-contiguous, the same array if possible.

    Raises
    ------
    TypeError
        If they are no real numbers.
    ValueError
        If a finite number is beyond the range of the dtype.
    """
    array = real(owner, name, given)
    with np.errstate(over="ignore"):
        found = np.require(array, dtype, ["C", "A"])
    if found is not array and array.dtype.kind == "f" and not _core.is_finite(found):
        places = np.argwhere(np.isinf(found) & np.isfinite(array))
        if len(places):
            row = f" in row {places[0][0]}" if array.ndim else ""
            raise ValueError(f"{owner}: {name}{beyond(array[tuple(places[0])], dtype, row)}")
    return found


def beyond(value: object, dtype: np.dtype[Any], where: str) -> str:
    """Return the end of a sentence about a number that a dtype does not hold.

    Parameters
    ----------
    value : object
        The number.
    dtype : numpy.dtype
        The dtype.
    where : str
        Its place, such as " in row 3".

    Returns
    -------
    str
        The end.
    """
    return (
        f" holds {value}{where}, beyond the range of {dtype}; scale it down, or give the model"
        " dtype='float64'"
    )


def scaled(array: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return bytes divided by 255, as models from files of format 1 take them.

    Parameters
    ----------
    array : ndarray of uint8
        The bytes.
    dtype : numpy.dtype
        Dtype of the quotients.

    Returns
    -------
    ndarray
        Values from 0 to 1.
    """
    quotients: NDArray[Any] = np.multiply(array, dtype.type(1 / 255), dtype=dtype)
    return quotients


def indices(owner: str, name: str, array: NDArray[Any], kind: str) -> NDArray[Any]:
    """Return whole numbers as integers, for layers that take indices.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    array : ndarray
        Integers, or floats without a fractional part.
    kind : {"int32", "int64", "integer"}
        Dtype of the result; "integer" keeps int32 and int64 and widens shorter ones to int32.

    Returns
    -------
    ndarray
        C-contiguous int32 or int64, the same array if possible.

    Raises
    ------
    TypeError
        If `array` does not hold real numbers.
    ValueError
        If a value is not whole, or out of the dtype's range.
    """
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{owner}: {name} must hold integers, got dtype {array.dtype}")
    short = np.can_cast(array.dtype, np.int32)
    dtype = np.dtype({"integer": "int32" if short else "int64"}.get(kind, kind))
    if not np.can_cast(array.dtype, dtype):
        limits = np.iinfo(dtype)
        # A float that rounds to 2^63 is out of int64's range.
        fits = (array >= limits.min) & (array < limits.max + 1)
        if array.dtype.kind == "f":
            fits &= array == np.floor(array)
        if not fits.all():
            row = int(np.argwhere(~fits)[0, 0])
            raise ValueError(
                f"{owner}: {name} must hold indices that are whole numbers of {dtype}, but row"
                f" {row} holds {array[~fits][0]}"
            )
    return np.require(array, dtype, ["C", "A"])
