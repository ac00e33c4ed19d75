"""Precision of products: their operands as they are, or rounded to bfloat16.

A bfloat16 is the upper half of a float32: its exponent, and 8 significant bits. The product of two
is exact in float32, in which all sums are.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from gyaku import _core

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

    from numpy.typing import NDArray

    Precision = Literal["float32", "bfloat16"]

__all__ = ["use_precision"]

PRECISIONS = ("float32", "bfloat16")
"""The precisions of products."""
_BITS = 8  # of the significand, the leading one included


def rounded(x: NDArray[Any]) -> NDArray[Any]:
    """Return numbers with the 8 significant bits of bfloat16.

    Parameters
    ----------
    x : ndarray
        Numbers of any float dtype.

    Returns
    -------
    ndarray
        The nearest such numbers, in a tie those whose last bit is zero, in the dtype of `x`. In
        float32 numbers beyond the largest become infinite; NaN stays.

    Examples
    --------
    >>> rounded(np.float32([1.001, 1.01, -0.1])).tolist()
    [1.0, 1.0078125, -0.10009765625]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        significand, exponent = np.frexp(x)
        found: NDArray[Any] = np.ldexp(np.rint(np.ldexp(significand, _BITS)), exponent - _BITS)
    return found


def operand(x: NDArray[Any]) -> NDArray[Any]:
    """Return an operand of a product, in the present precision.

    Parameters
    ----------
    x : ndarray
        The operand.

    Returns
    -------
    ndarray
        Itself, or rounded to bfloat16.
    """
    return rounded(x) if _core.precision() == "bfloat16" else x


@contextmanager
def use_precision(name: Precision) -> Iterator[None]:
    """Compute products in a precision.

    Parameters
    ----------
    name : {"float32", "bfloat16"}
        The precision of matrix products, convolutions and products of recurrent layers, on this
        thread, eager and in programs that are recorded meanwhile. In bfloat16 their operands are
        rounded, and so are the rows that are summed for the gradient of a bias; sums and results
        are in float32.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> from gyaku import ops
    >>> with use_precision("bfloat16"):
    ...     ops.matmul([[1.001, 2.0]], [[1.0], [3.0]])
    array([[7.]])
    """
    before = _core.precision()
    _core.set_precision(_known("use_precision", "name", name))
    try:
        yield
    finally:
        _core.set_precision(before)


def checked_precision(owner: str, given: object, dtype: np.dtype[Any]) -> Precision:
    """Return the precision of the products of a model.

    Parameters
    ----------
    owner : str
        Function, for errors.
    given : object
        Its argument `precision`.
    dtype : dtype
        The model's.

    Returns
    -------
    {"float32", "bfloat16"}
        The precision.

    Raises
    ------
    ValueError
        If it is unknown, or the model is in float64.
    """
    name = _known(owner, "precision", given)
    if name == "bfloat16" and dtype != np.float32:
        raise ValueError(
            f'{owner}: precision="bfloat16" is for models of float32, this one is of {dtype};'
            " build it with dtype='float32'"
        )
    return name


def _known(owner: str, argument: str, given: object) -> Precision:
    if given not in PRECISIONS:
        raise ValueError(f'{owner}: {argument} must be "float32" or "bfloat16", got {given!r}')
    return given  # type: ignore[return-value]
