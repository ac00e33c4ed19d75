"""Softmax and its logarithm over the last axis, with their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def _shifted(x: NDArray[Any]) -> NDArray[Any]:
    # The result does not change when the row maximum is subtracted, and exp cannot overflow.
    return np.asarray(x - x.max(axis=-1, keepdims=True, initial=-np.inf))


@np.errstate(invalid="ignore", over="ignore")  # inf - inf, and a gap beyond the largest number
def softmax(x: NDArray[Any]) -> NDArray[Any]:
    """Turn each row of scores into probabilities.

    Parameters
    ----------
    x : ndarray
        Scores, of shape (..., c).

    Returns
    -------
    ndarray
        Probabilities of the same shape; each row sums to one. A row that holds NaN or +inf, or
        nothing but -inf, becomes NaN.

    Notes
    -----
    y_i = exp(x_i) / Σ_j exp(x_j); Bridle, "Probabilistic interpretation of feedforward
    classification network outputs", 1990.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    e = np.exp(_shifted(x))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def softmax_backward(dy: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of softmax.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output, of shape (..., c).
    y : ndarray
        The output, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx_i = y_i (dy_i - Σ_j dy_j y_j).

    Examples
    --------
    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    array([[ 0.25, -0.25]])
    """
    return np.asarray(y * (dy - (dy * y).sum(axis=-1, keepdims=True)))


@np.errstate(invalid="ignore", over="ignore", divide="ignore")  # the same, and an empty sum
def log_softmax(x: NDArray[Any]) -> NDArray[Any]:
    """Return the logarithm of softmax without computing softmax.

    Parameters
    ----------
    x : ndarray
        Scores, of shape (..., c).

    Returns
    -------
    ndarray
        Logarithms of probabilities, of the same shape.

    Notes
    -----
    y_i = x_i - log Σ_j exp(x_j).

    Examples
    --------
    >>> log_softmax(np.array([1000.0, 0.0]))
    array([    0., -1000.])
    """
    shifted = _shifted(x)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def log_softmax_backward(dy: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the logarithm of softmax.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output, of shape (..., c).
    y : ndarray
        The output, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx_i = dy_i - exp(y_i) Σ_j dy_j.

    Examples
    --------
    >>> log_softmax_backward(np.array([[1.0, 0.0]]), np.log(np.array([[0.5, 0.5]])))
    array([[ 0.5, -0.5]])
    """
    return np.asarray(dy - np.exp(y) * dy.sum(axis=-1, keepdims=True))
