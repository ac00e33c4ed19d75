"""Sums, products, concatenations of arrays: where the branches of a graph meet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.ops.arrays import (
    check_no_overlap,
    floating,
    floats,
    real_buffer,
    result,
)
from gyaku.ops.broadcast import broadcast_to
from gyaku.ops.op import operation, per_element, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

__all__ = ["add", "copy_columns", "divide", "multiply", "subtract", "take_columns"]


def _check_columns(op: str, name: str, x: NDArray[Any], start: int, count: int) -> None:
    if not 0 <= start <= start + count <= x.shape[-1]:
        raise ValueError(
            f"{op}: {name} has {x.shape[-1]} columns, not {start} to {start + count - 1}"
        )


def _broadcast(shapes: Shapes, **_keywords: Any) -> tuple[Shape, ...]:
    return (np.broadcast_shapes(*shapes),)


def _merged(op: str, a: ArrayLike, b: ArrayLike, out: NDArray[Any] | None) -> NDArray[Any]:
    a, b = floats(op, a=a, b=b)
    if a.shape != b.shape:
        try:
            (shape,) = _broadcast([a.shape, b.shape])
        except ValueError:
            raise ValueError(
                f"{op}: a and b must have shapes that can be broadcast to one, got {a.shape} and"
                f" {b.shape}"
            ) from None
        a, b = (x if x.shape == shape else broadcast_to(x, shape) for x in (a, b))
    out = result(op, out, a.shape, a.dtype)
    for name, x in (("a", a), ("b", b)):
        if x.ctypes.data != out.ctypes.data:  # out may be an input as a whole
            check_no_overlap(op, out, **{name: x})
    return prepared(a=a, b=b, out=out)


@operation(
    _core.add,
    inputs="a b",
    outputs="y",
    shapes=_broadcast,
    flops=per_element(1),
    no_gradient="its gradient is dy",
    roundings=1,
    cancels=True,
)
def add(a: ArrayLike, b: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Add two arrays, element by element.

    Parameters
    ----------
    a : array_like
        First array.
    b : array_like
        Second array; both are broadcast to one shape, as in NumPy.
    out : ndarray or None, optional
        Array of this shape that the result is written to. It may be a or b.

    Returns
    -------
    ndarray
        The sums: float64 if a or b is, else float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or out has another dtype than the result.
    ValueError
        If shapes do not match, or out overlaps an input that it is not.

    Notes
    -----
    y = a + b; the gradient with respect to a and to b is dy.
    That of an array that was broadcast is the sum over its copies, `sum_to`.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.add([1.0, 2.0], [3.0, 4.0])
    array([4., 6.])
    """
    return _merged("add", a, b, out)


@operation(
    _core.subtract,
    inputs="a b",
    outputs="y",
    shapes=_broadcast,
    flops=per_element(1),
    no_gradient="its gradient is dy and -dy",
    roundings=1,
    cancels=True,
)
def subtract(a: ArrayLike, b: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Subtract an array from another, element by element.

    Parameters
    ----------
    a : array_like
        First array.
    b : array_like
        Second array; both are broadcast to one shape, as in NumPy.
    out : ndarray or None, optional
        Array of this shape that the result is written to. It may be a or b.

    Returns
    -------
    ndarray
        The differences: float64 if a or b is, else float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or out has another dtype than the result.
    ValueError
        If shapes do not match, or out overlaps an input that it is not.

    Notes
    -----
    y = a - b; the gradient with respect to a is dy, that with respect to b is -dy.
    That of an array that was broadcast is the sum over its copies, `sum_to`.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.subtract([1.0, 2.0], [3.0, 4.0])
    array([-2., -2.])
    """
    return _merged("subtract", a, b, out)


@operation(
    _core.multiply,
    inputs="a b",
    outputs="y",
    shapes=_broadcast,
    flops=per_element(1),
    saves="input",
    gradient="multiply",
    roundings=1,
)
def multiply(a: ArrayLike, b: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Multiply two arrays, element by element.

    Parameters
    ----------
    a : array_like
        First array.
    b : array_like
        Second array; both are broadcast to one shape, as in NumPy.
    out : ndarray or None, optional
        Array of this shape that the result is written to. It may be a or b.

    Returns
    -------
    ndarray
        The products: float64 if a or b is, else float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or out has another dtype than the result.
    ValueError
        If shapes do not match, or out overlaps an input that it is not.

    Notes
    -----
    y = a b; the gradient with respect to a is b dy, that with respect to b is a dy. The gradient of
    an array that was broadcast is the sum over its copies, `sum_to`.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.multiply([1.0, 2.0], [3.0, 4.0])
    array([3., 8.])
    """
    return _merged("multiply", a, b, out)


@operation(
    _core.divide,
    inputs="a b",
    outputs="y",
    shapes=_broadcast,
    flops=per_element(1),
    saves="input",
    gradient="divide",
    roundings=1,
)
def divide(a: ArrayLike, b: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Divide an array by another, element by element.

    Parameters
    ----------
    a : array_like
        First array.
    b : array_like
        Second array; both are broadcast to one shape, as in NumPy.
    out : ndarray or None, optional
        Array of this shape that the result is written to. It may be a or b.

    Returns
    -------
    ndarray
        The quotients: float64 if a or b is, else float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or out has another dtype than the result.
    ValueError
        If shapes do not match, or out overlaps an input that it is not.

    Notes
    -----
    y = a / b; the gradient with respect to a is dy / b, that with respect to b is -y dy / b.
    That of an array that was broadcast is the sum over its copies, `sum_to`.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.divide([1.0, 2.0], [3.0, 4.0]).round(4)
    array([0.3333, 0.5   ])
    """
    return _merged("divide", a, b, out)


@operation(
    _core.copy_columns,
    inputs="x",
    outputs="out",
    shapes=lambda shapes, **_keywords: (shapes[1],),
    flops=lambda _inputs, _outputs: 0,
    elements=lambda inputs, _outputs: 2 * math.prod(inputs[0]),
    in_place=True,
    gradient="take_columns",
    exact="elements are copied",
)
def copy_columns(x: ArrayLike, out: NDArray[Any], *, start: int) -> None:
    """Copy an array into columns of a wider one, in place.

    Parameters
    ----------
    x : array_like
        Array of shape (..., c).
    out : ndarray
        Array of shape (..., d), float32 or float64.
    start : int
        Column of out for the first column of x.

    Returns
    -------
    None
        The result is in out.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or out is no array of float32 or float64.
    ValueError
        If shapes do not fit, out cannot be used in place, or it overlaps x.

    Notes
    -----
    out[..., start + j] = x[..., j], for j < c. To concatenate arrays, call it for each, in
    ascending order of start; `take_columns` returns their gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> out = np.zeros((1, 4))
    >>> ops.copy_columns([[1.0, 2.0]], out, start=1)
    >>> out
    array([[0., 1., 2., 0.]])
    """
    op = "copy_columns"
    real_buffer(op, "out", out)
    x = floating(op, "x", x, out.dtype)
    if not x.ndim or x.shape[:-1] != out.shape[:-1]:
        raise ValueError(
            f"{op}: x and out must have the same rows, got shapes {x.shape} and {out.shape}"
        )
    _check_columns(op, "out", out, start, x.shape[-1])
    check_no_overlap(op, out, x=x)
    return prepared(x=x)  # type: ignore[return-value]


@operation(
    _core.take_columns,
    inputs="x",
    outputs="y",
    shapes=lambda shapes, *, count, **_keywords: ((*shapes[0][:-1], count),),
    flops=lambda _inputs, _outputs: 0,
    elements=lambda _inputs, outputs: 2 * math.prod(outputs[0]),
    no_gradient="it is a gradient",
    exact="elements are copied",
)
def take_columns(x: ArrayLike, *, start: int, count: int) -> NDArray[Any]:
    """Return a copy of adjacent columns of an array.

    Parameters
    ----------
    x : array_like
        Array of shape (..., c).
    start : int
        First column.
    count : int
        Number of columns.

    Returns
    -------
    ndarray
        Array of shape (..., count).

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If x does not have these columns.

    Notes
    -----
    y[..., j] = x[..., start + j], for j < count: the gradient of `copy_columns` with
    respect to x.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.take_columns([[1.0, 2.0, 3.0]], start=1, count=2)
    array([[2., 3.]])
    """
    op = "take_columns"
    x = floating(op, "x", x)
    if not x.ndim:
        raise ValueError(f"{op}: x must have at least one dimension, got a single number")
    _check_columns(op, "x", x, start, count)
    return prepared(x=x)
