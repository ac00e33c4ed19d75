"""Softmax and its logarithm over one axis, with their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.checks import whole
from gyaku.ops.arrays import check_same_shape, floating
from gyaku.ops.op import in_numpy, like_first, operation, per_element, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shapes

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def _columns(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return inputs[0][-1]


def _rows(op: str, name: str, x: ArrayLike) -> NDArray[Any]:
    rows = floating(op, name, x)
    if rows.ndim == 0:
        raise ValueError(f"{op}: {name} must have at least one dimension, got a single number")
    return rows


def _along(op: str, axis: int, **arrays: NDArray[Any]) -> NDArray[Any]:
    """Return the arguments: the kernels take the last axis, the equations take any."""
    axes = next(iter(arrays.values())).ndim
    given = whole(op, "axis", axis, least=-axes)
    if given >= axes:
        raise ValueError(f"{op}: axis must be below {axes}, the number of axes, got {axis!r}")
    is_last = given in (-1, axes - 1)
    by = None if is_last else in_numpy(op)
    return prepared(by, **arrays, axis=-1 if is_last else given)


def _gradient(op: str, dy: ArrayLike, y: ArrayLike, axis: int) -> NDArray[Any]:
    y = _rows(op, "y", y)
    dy = floating(op, "dy", dy, y.dtype)
    check_same_shape(op, "dy and y", dy, y)
    return _along(op, axis, dy=dy, y=y)


@operation(
    _core.softmax,
    inputs="x",
    outputs="y",
    shapes=like_first,
    flops=per_element(5),
    saves="output",
    gradient="softmax_backward",
    roundings=6,
    terms=_columns,
)
def softmax(x: ArrayLike, *, axis: int = -1) -> NDArray[Any]:
    """Turn each row of scores into probabilities.

    Parameters
    ----------
    x : array_like
        Scores, of shape (..., c).
    axis : int, default -1
        Axis of the classes, if it is not the last one.

    Returns
    -------
    ndarray
        Probabilities of the same shape; each row sums to one. A row that holds NaN or +inf, or
        nothing but -inf, becomes NaN.

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If x is a single number, or has no such axis.

    Notes
    -----
    y_i = exp(x_i) / Σ_j exp(x_j), with the row maximum subtracted from x first; Bridle,
    "Probabilistic interpretation of feedforward classification network outputs", 1990.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.softmax([[0.0, 0.0], [1000.0, 0.0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    return _along("softmax", axis, x=_rows("softmax", "x", x))


@operation(
    _core.log_softmax,
    inputs="x",
    outputs="y",
    shapes=like_first,
    flops=per_element(5),
    saves="output",
    gradient="log_softmax_backward",
    roundings=7,
    terms=_columns,
)
def log_softmax(x: ArrayLike, *, axis: int = -1) -> NDArray[Any]:
    """Compute the logarithm of softmax without computing softmax.

    Parameters
    ----------
    x : array_like
        Scores, of shape (..., c).
    axis : int, default -1
        Axis of the classes, if it is not the last one.

    Returns
    -------
    ndarray
        Logarithms of probabilities, of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If x is a single number, or has no such axis.

    Notes
    -----
    y_i = x_i - log Σ_j exp(x_j), with the row maximum subtracted from x first.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    return _along("log_softmax", axis, x=_rows("log_softmax", "x", x))


@operation(
    _core.softmax_backward,
    inputs="dy y",
    outputs="dx",
    shapes=like_first,
    flops=per_element(4),
    no_gradient="it is a gradient",
    roundings=4,
    terms=_columns,
)
def softmax_backward(dy: ArrayLike, y: ArrayLike, *, axis: int = -1) -> NDArray[Any]:
    """Return the gradient of softmax.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (..., c).
    y : array_like
        The output, of the same shape.
    axis : int, default -1
        Axis of the classes, if it is not the last one.

    Returns
    -------
    ndarray
        Gradient with respect to the input.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes differ, an argument is a single number, or there is no such axis.

    Notes
    -----
    dx_i = y_i (dy_i - Σ_j dy_j y_j).

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.softmax_backward([1.0, 0.0], [0.5, 0.5])
    array([ 0.25, -0.25])
    """
    return _gradient("softmax_backward", dy, y, axis)


@operation(
    _core.log_softmax_backward,
    inputs="dy y",
    outputs="dx",
    shapes=like_first,
    flops=per_element(4),
    no_gradient="it is a gradient",
    roundings=5,
    terms=_columns,
)
def log_softmax_backward(dy: ArrayLike, y: ArrayLike, *, axis: int = -1) -> NDArray[Any]:
    """Return the gradient of the logarithm of softmax.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (..., c).
    y : array_like
        The output, of the same shape.
    axis : int, default -1
        Axis of the classes, if it is not the last one.

    Returns
    -------
    ndarray
        Gradient with respect to the input.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes differ, an argument is a single number, or there is no such axis.

    Notes
    -----
    dx_i = dy_i - exp(y_i) Σ_j dy_j.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.log_softmax_backward([1.0, 0.0], ops.log_softmax([3.0, 3.0])).round(4)
    array([ 0.5, -0.5])
    """
    return _gradient("log_softmax_backward", dy, y, axis)
