"""Whatever holds numbers as an array of them: lists, indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["floating", "indices", "real", "scaled"]


def real(owner: str, name: str, given: object, *, names: str = "") -> NDArray[Any]:
    """Return an array of real numbers.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    given : object
        The data.
    names : str
        The end of the sentence if they are names, for example of classes.

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
    if isinstance(given, np.ma.MaskedArray):
        raise TypeError(f"{owner}: {name} must not be a masked array, fill or drop what is masked")
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ValueError(
            f"{owner}: {name} cannot be made an array: {_ragged(given) or error}"
        ) from None
    if array.dtype.kind in "biuf":
        return array
    hint = names if array.dtype.kind in "USTO" else ""
    raise TypeError(f"{owner}: {name} must hold real numbers, got dtype {array.dtype}{hint}")


def _ragged(given: Any) -> str:
    """Return which sample has another shape than the first."""
    try:
        shapes = [np.shape(sample) for sample in given]
    except (TypeError, ValueError):
        return ""
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    return "" if odd is None else f"row {odd} has the shape {shapes[odd]}, row 0 {shapes[0]}"


def floating(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers as floats.

    Parameters
    ----------
    array : ndarray
        The numbers.
    dtype : numpy.dtype
        What all but native float32 and float64 are converted to.

    Returns
    -------
    ndarray
        The same array if possible.
    """
    if array.dtype in (np.float32, np.float64) and array.dtype.isnative:
        return array
    return array.astype(dtype)


def scaled(array: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return bytes divided by 255, as models from files of format 1 take them.

    Parameters
    ----------
    array : ndarray of uint8
        The bytes.
    dtype : numpy.dtype
        The dtype of the quotients.

    Returns
    -------
    ndarray
        Numbers from 0 to 1.
    """
    quotients: NDArray[Any] = np.multiply(array, dtype.type(1 / 255), dtype=dtype)
    return quotients


def indices(owner: str, name: str, array: NDArray[Any], kind: str) -> NDArray[Any]:
    """Return whole numbers as integers that layers can take for indices.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    array : ndarray
        The numbers: integers, or floats that are whole.
    kind : {"int32", "int64", "integer"}
        The dtype, "integer" for int32 or int64 as they come, and int32 for shorter ones.

    Returns
    -------
    ndarray
        C-contiguous int32 or int64, the same array if possible.

    Raises
    ------
    TypeError
        If `array` does not hold real numbers.
    ValueError
        If a number is not whole or beyond the dtype.
    """
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{owner}: {name} must hold integers, got dtype {array.dtype}")
    short = np.can_cast(array.dtype, np.int32)
    dtype = np.dtype({"integer": "int32" if short else "int64"}.get(kind, kind))
    if not np.can_cast(array.dtype, dtype):
        limits = np.iinfo(dtype)
        # What rounds to 2^63 as a float is beyond int64 itself.
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
