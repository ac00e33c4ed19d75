"""Softmax and its logarithm over the last axis, with their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.arrays import UNFIT, allocate, floating, same_shape

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def _not_a_number(op: str, name: str, x: NDArray[Any]) -> None:
    if x.ndim == 0:
        raise ValueError(f"{op}: {name} must have at least one dimension, got a single number")


def softmax(x: ArrayLike) -> NDArray[Any]:
    """Turn each row of scores into probabilities.

    Parameters
    ----------
    x : array_like
        Scores, of shape (..., c).

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
        If x is a single number.

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
    try:
        if active.native:
            return _core.softmax(x, None)
    except UNFIT:
        pass
    x = floating("softmax", "x", x)
    _not_a_number("softmax", "x", x)
    if active.native:
        return _core.softmax(x, None)
    y = allocate("softmax", x.shape, x.dtype)
    y[...] = reference.softmax(x)
    return y


def log_softmax(x: ArrayLike) -> NDArray[Any]:
    """Return the logarithm of softmax without computing softmax.

    Parameters
    ----------
    x : array_like
        Scores, of shape (..., c).

    Returns
    -------
    ndarray
        Logarithms of probabilities, of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If x is a single number.

    Notes
    -----
    y_i = x_i - log Σ_j exp(x_j), with the row maximum subtracted from x first.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    try:
        if active.native:
            return _core.log_softmax(x, None)
    except UNFIT:
        pass
    x = floating("log_softmax", "x", x)
    _not_a_number("log_softmax", "x", x)
    if active.native:
        return _core.log_softmax(x, None)
    y = allocate("log_softmax", x.shape, x.dtype)
    y[...] = reference.log_softmax(x)
    return y


def softmax_backward(dy: ArrayLike, y: ArrayLike) -> NDArray[Any]:
    """Return the gradient of softmax.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output, of shape (..., c).
    y : array_like
        The output, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes differ, or an argument is a single number.

    Notes
    -----
    dx_i = y_i (dy_i - Σ_j dy_j y_j).

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.softmax_backward([1.0, 0.0], [0.5, 0.5])
    array([ 0.25, -0.25])
    """
    try:
        if active.native:
            return _core.softmax_backward(dy, y, None)
    except UNFIT:
        pass
    y = floating("softmax_backward", "y", y)
    dy = floating("softmax_backward", "dy", dy, y.dtype)
    same_shape("softmax_backward", "dy and y", dy, y)
    _not_a_number("softmax_backward", "y", y)
    if active.native:
        return _core.softmax_backward(dy, y, None)
    dx = allocate("softmax_backward", y.shape, y.dtype)
    dx[...] = reference.softmax_backward(dy, y)
    return dx


def log_softmax_backward(dy: ArrayLike, y: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the logarithm of softmax.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output, of shape (..., c).
    y : array_like
        The output, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes differ, or an argument is a single number.

    Notes
    -----
    dx_i = dy_i - exp(y_i) Σ_j dy_j.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.log_softmax_backward([1.0, 0.0], ops.log_softmax([3.0, 3.0])).round(4)
    array([ 0.5, -0.5])
    """
    try:
        if active.native:
            return _core.log_softmax_backward(dy, y, None)
    except UNFIT:
        pass
    y = floating("log_softmax_backward", "y", y)
    dy = floating("log_softmax_backward", "dy", dy, y.dtype)
    same_shape("log_softmax_backward", "dy and y", dy, y)
    _not_a_number("log_softmax_backward", "y", y)
    if active.native:
        return _core.log_softmax_backward(dy, y, None)
    dx = allocate("log_softmax_backward", y.shape, y.dtype)
    dx[...] = reference.log_softmax_backward(dy, y)
    return dx
