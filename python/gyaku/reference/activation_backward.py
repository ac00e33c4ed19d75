"""Gradients of the activation functions, from the output where it is enough, else from the input.

Where the slope is zero by definition (a dead `relu`, `step`, a saturated `hard_sigmoid`), the
gradient is zero whatever arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.activation import SELU_ALPHA, SELU_SCALE, sigmoid
from gyaku.reference.normal import normal_cdf, normal_pdf

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "BACKWARD",
    "elu_backward",
    "gelu_backward",
    "hard_sigmoid_backward",
    "identity_backward",
    "leaky_relu_backward",
    "relu_backward",
    "selu_backward",
    "sigmoid_backward",
    "silu_backward",
    "softplus_backward",
    "step_backward",
    "tanh_backward",
]


def identity_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of the arriving gradient.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y; not looked at.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy.

    Examples
    --------
    >>> identity_backward(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([1., 2.])
    """
    del saved
    return dy.copy()


def step_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return zeros: a step is flat wherever it has a slope.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y; not looked at.

    Returns
    -------
    ndarray
        Zeros.

    Notes
    -----
    dx = 0.

    Examples
    --------
    >>> step_backward(np.array([1.0, 2.0]), np.array([0.0, 1.0]))
    array([0., 0.])
    """
    del saved
    return np.zeros_like(dy)


def sigmoid_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the logistic function.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy y (1 - y).

    Examples
    --------
    >>> sigmoid_backward(np.array([1.0, 2.0]), np.array([0.5, 0.75]))
    array([0.25 , 0.375])
    """
    return np.asarray(dy * saved * (1 - saved))


def tanh_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the hyperbolic tangent.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy (1 - y²).

    Examples
    --------
    >>> tanh_backward(np.array([1.0, 2.0]), np.array([0.0, 0.5]))
    array([1. , 1.5])
    """
    return np.asarray(dy * (1 - saved * saved))


def relu_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the rectifier; at zero it is zero.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy if y > 0, else 0.

    Examples
    --------
    >>> relu_backward(np.array([1.0, 2.0]), np.array([0.0, 5.0]))
    array([0., 2.])
    """
    return np.where(saved > 0, dy, 0)


def leaky_relu_backward(
    dy: NDArray[Any], saved: NDArray[Any], *, alpha: float = 0.01
) -> NDArray[Any]:
    """Return the gradient of the leaky rectifier.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y.
    alpha : float, default 0.01
        Slope for negative values.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy if y > 0, else alpha dy; y and x have the same sign because alpha is not negative.

    Examples
    --------
    >>> leaky_relu_backward(np.array([1.0, 2.0]), np.array([-0.03, 5.0]))
    array([0.01, 2.  ])
    """
    return np.where(saved > 0, dy, alpha * dy)


def elu_backward(dy: NDArray[Any], saved: NDArray[Any], *, alpha: float = 1.0) -> NDArray[Any]:
    """Return the gradient of the exponential linear unit.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y.
    alpha : float, default 1.0
        Magnitude of the limit for very negative values.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy if y > 0, else dy (y + alpha), since alpha exp(x) = y + alpha there.

    Examples
    --------
    >>> elu_backward(np.array([1.0, 2.0]), np.array([-0.75, 5.0]))
    array([0.25, 2.  ])
    """
    return np.where(saved > 0, dy, dy * (saved + alpha))


def selu_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the self-normalizing exponential linear unit.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = scale dy if y > 0, else dy (y + scale alpha).

    Examples
    --------
    >>> selu_backward(np.array([1.0, 1.0]), np.array([-1.0, 5.0])).round(4)
    array([0.7581, 1.0507])
    """
    return np.where(saved > 0, SELU_SCALE * dy, dy * (saved + SELU_SCALE * SELU_ALPHA))


@np.errstate(invalid="ignore")  # inf * 0, whose limit is 0
def gelu_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the Gaussian error linear unit.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The input x.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy (Φ(x) + x φ(x)).

    Examples
    --------
    >>> gelu_backward(np.array([1.0, 1.0]), np.array([-1.0, 0.0])).round(4)
    array([-0.0833,  0.5   ])
    """
    x = saved
    return np.asarray(dy * (normal_cdf(x) + np.where(np.isinf(x), 0, x * normal_pdf(x))))


@np.errstate(invalid="ignore")  # inf * 0, whose limit is 0
def silu_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the sigmoid-weighted linear unit.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The input x.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy s (1 + x (1 - s)) with s = sigmoid(x) and 1 - s = sigmoid(-x).

    Examples
    --------
    >>> silu_backward(np.array([1.0, 1.0]), np.array([-1.0, 0.0])).round(4)
    array([0.0723, 0.5   ])
    """
    x = saved
    s = sigmoid(x)
    return np.asarray(dy * (s + np.where(np.isinf(x), 0, x * s * sigmoid(-x))))


def softplus_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the smooth rectifier.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The input x.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy sigmoid(x).

    Examples
    --------
    >>> softplus_backward(np.array([1.0, 2.0]), np.array([0.0, 0.0]))
    array([0.5, 1. ])
    """
    return np.asarray(dy * sigmoid(saved))


def hard_sigmoid_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the sigmoid made of lines.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output.
    saved : ndarray
        The output y.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Notes
    -----
    dx = dy / 6 if 0 < y < 1, else 0.

    Examples
    --------
    >>> hard_sigmoid_backward(np.array([6.0, 6.0]), np.array([0.5, 1.0]))
    array([1., 0.])
    """
    return np.where((saved > 0) & (saved < 1), dy / 6, 0)


BACKWARD: dict[str, Callable[..., NDArray[Any]]] = {
    function.__name__.removesuffix("_backward"): function
    for function in (
        identity_backward,
        step_backward,
        sigmoid_backward,
        tanh_backward,
        relu_backward,
        leaky_relu_backward,
        elu_backward,
        selu_backward,
        gelu_backward,
        silu_backward,
        softplus_backward,
        hard_sigmoid_backward,
    )
}
