"""Data frames and series: pandas, polars and whatever else narwhals reads."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["from_frame", "is_array"]

# Modules of arrays and other objects that are no frames.
_ARRAYS = {"builtins", "numpy", "torch", "scipy", "h5py", "zarr", "PIL"}


def from_frame(owner: str, name: str, given: object) -> object:
    """Return the numbers of a data frame or series as an array.

    Numbers are taken at their value, False and True as 0 and 1. A column of categories becomes a
    column of 0 and 1 for each category, in their order; a series of categories becomes their
    numbers.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    given : object
        The frame or series, or anything else.

    Returns
    -------
    object
        An array; the same object if it is no frame, or narwhals is not installed.

    Raises
    ------
    TypeError
        If a column holds text, dates or other objects.
    ValueError
        If a value is missing in a column that is not of floats.
    """
    if is_array(given):
        return given
    try:
        import narwhals as nw
        import narwhals.stable.v2 as stable
    except ImportError:
        return given
    native: Any = given
    if isinstance(given, (nw.DataFrame, nw.Series)):
        native = nw.to_native(given)
    if stable.dependencies.is_into_series(native):
        series: Any = stable.from_native(native, series_only=True)
        if series.dtype in (stable.Categorical, stable.Enum):
            return _coded(owner, name, series)[0]
        return _numbers(owner, name, series) if _is_plain(series) else native
    if not stable.dependencies.is_into_dataframe(native):
        return native
    frame: Any = stable.from_native(native, eager_only=True)
    columns = [_features(owner, name, frame.get_column(column)) for column in frame.columns]
    return np.column_stack(columns) if columns else np.empty((len(frame), 0))


def is_array(given: object) -> bool:
    """Return whether an object is known to be no frame.

    Parameters
    ----------
    given : object
        Anything.

    Returns
    -------
    bool
        Whether it is of a module of arrays, or a built-in one.
    """
    return type(given).__module__.partition(".")[0] in _ARRAYS


def _is_plain(series: Any) -> bool:
    """Return whether a series holds numbers or booleans."""
    import narwhals.stable.v2 as nw

    return bool(series.dtype.is_numeric() or series.dtype == nw.Boolean)


def _features(owner: str, name: str, column: Any) -> NDArray[Any]:
    """Return a column as a feature, or as one for each of its categories."""
    import narwhals.stable.v2 as nw

    place = f"column {column.name!r} of {name}"
    if _is_plain(column):
        return _numbers(owner, place, column)
    if column.dtype in (nw.Categorical, nw.Enum):
        labels, count = _coded(owner, place, column)
        return np.asarray(labels[:, np.newaxis] == np.arange(count), np.uint8)
    return _objects(owner, name, column)


def _numbers(owner: str, place: str, column: Any) -> NDArray[Any]:
    """Return numbers; raise if one is missing where there is no NaN for it."""
    if column.dtype.is_float():
        floats: NDArray[Any] = column.to_numpy()
        return floats if floats.dtype.kind == "f" else np.array(column.to_list(), np.float64)
    _check_complete(owner, place, column)
    values: NDArray[Any] = column.to_numpy()
    if values.dtype.kind in "biu":
        return values
    return values.astype(np.float64 if column.dtype.is_decimal() else np.int64)


def _objects(owner: str, name: str, column: Any) -> NDArray[Any]:
    """Return objects that are numbers; raise if one is none."""
    values = column.to_list()
    odd = [row for row, each in enumerate(values) if not isinstance(each, (Real, np.bool_))]
    if odd:
        value = values[odd[0]]
        hint = "; pandas.get_dummies makes numbers of a column of names"
        if not column.implementation.is_pandas():
            hint = "; a column of names must be categories, which are taken as 0 and 1"
        raise TypeError(
            f"{owner}: {name} must hold real numbers, but column {column.name!r} holds {value!r} in"
            f" row {odd[0]}{hint if isinstance(value, str) else ''}"
        )
    whole = all(isinstance(each, (Integral, np.bool_)) for each in values)
    return np.array(values, object).astype(np.int64 if whole else np.float64)


def _check_complete(owner: str, place: str, column: Any) -> None:
    """Raise if a value is missing."""
    missing = np.flatnonzero(column.is_null().to_numpy())
    if missing.size:
        raise ValueError(
            f"{owner}: {place} has no value in row {missing[0]}; fill or drop what is missing"
        )


def _coded(owner: str, place: str, column: Any) -> tuple[NDArray[np.int64], int]:
    """Return the numbers of a column's categories, and how many there are."""
    import narwhals.stable.v2 as nw

    _check_complete(owner, place, column)
    categories = column.cat.get_categories().to_list()
    if column.implementation.is_polars() and column.dtype == nw.Categorical:
        categories.sort()  # their own order depends on the strings seen before
    numbers = {each: number for number, each in enumerate(categories)}
    return np.array([numbers[each] for each in column.to_list()], np.int64), len(categories)
