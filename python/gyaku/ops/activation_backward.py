"""Gradients of the activation functions, from the output where it is enough, else from the input.

Where the slope is zero by definition (a dead `relu`, `step`, a saturated `hard_sigmoid`), the
gradient is zero whatever arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.activation import DEFAULT_ALPHA
from gyaku.ops.arrays import UNFIT, allocate, floating, same_shape

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["elu_backward", "gelu_backward", "hard_sigmoid_backward", "identity_backward"]
__all__ += ["leaky_relu_backward", "relu_backward", "selu_backward", "sigmoid_backward"]
__all__ += ["silu_backward", "softplus_backward", "step_backward", "tanh_backward"]


def _backward(name: str, dy: ArrayLike, saved: ArrayLike, alpha: float = 0.0) -> NDArray[Any]:
    try:
        if active.native:
            return _core.activation_backward(dy, saved, None, name, alpha)
    except UNFIT:
        pass
    op = name + "_backward"
    saved = floating(op, "saved", saved)
    dy = floating(op, "dy", dy, saved.dtype)
    same_shape(op, "dy and saved", dy, saved)
    if active.native:
        return _core.activation_backward(dy, saved, None, name, alpha)
    dx = allocate(op, saved.shape, saved.dtype)
    options = {"alpha": alpha} if name in DEFAULT_ALPHA else {}
    dx[...] = reference.BACKWARD[name](dy, saved, **options)
    return dx


def _with_alpha(name: str, dy: ArrayLike, saved: ArrayLike, alpha: float) -> NDArray[Any]:
    if not alpha >= 0:
        raise ValueError(f"{name}_backward: alpha must be at least 0, got {alpha}")
    return _backward(name, dy, saved, alpha)


def identity_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the identity.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `identity`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = dy.

    Examples
    --------
    >>> identity_backward([1.0, 2.0], [3.0, 4.0])
    array([1., 2.])
    """
    return _backward("identity", dy, saved)


def step_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the step, which is zero wherever it exists.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `step`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = 0.

    Examples
    --------
    >>> step_backward([1.0, 2.0], [0.0, 1.0])
    array([0., 0.])
    """
    return _backward("step", dy, saved)


def sigmoid_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the logistic function.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `sigmoid`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = dy y (1 - y).

    Examples
    --------
    >>> sigmoid_backward([1.0, 2.0], [0.5, 0.75])
    array([0.25 , 0.375])
    """
    return _backward("sigmoid", dy, saved)


def tanh_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the hyperbolic tangent.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `tanh`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = dy (1 - y²).

    Examples
    --------
    >>> tanh_backward([1.0, 2.0], [0.0, 0.5])
    array([1. , 1.5])
    """
    return _backward("tanh", dy, saved)


def relu_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the rectifier; at zero it is zero.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `relu`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = dy if y > 0, else 0.

    Examples
    --------
    >>> relu_backward([1.0, 2.0], [0.0, 5.0])
    array([0., 2.])
    """
    return _backward("relu", dy, saved)


def leaky_relu_backward(dy: ArrayLike, saved: ArrayLike, *, alpha: float = 0.01) -> NDArray[Any]:
    """Return the gradient of the leaky rectifier.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `leaky_relu`, of the same shape.
    alpha : float, default 0.01
        Slope for negative values, at least zero.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ, or alpha is negative.

    Notes
    -----
    dx = dy if y > 0, else alpha dy; y and x have the same sign because alpha is not negative.

    Examples
    --------
    >>> leaky_relu_backward([1.0, 2.0], [-0.03, 5.0], alpha=0.5)
    array([0.5, 2. ])
    """
    return _with_alpha("leaky_relu", dy, saved, alpha)


def elu_backward(dy: ArrayLike, saved: ArrayLike, *, alpha: float = 1.0) -> NDArray[Any]:
    """Return the gradient of the exponential linear unit.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `elu`, of the same shape.
    alpha : float, default 1.0
        Magnitude of the limit for very negative values, at least zero.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ, or alpha is negative.

    Notes
    -----
    dx = dy if y > 0, else dy (y + alpha), since alpha exp(x) = y + alpha there.

    Examples
    --------
    >>> elu_backward([1.0, 2.0], [-0.75, 5.0])
    array([0.25, 2.  ])
    """
    return _with_alpha("elu", dy, saved, alpha)


def selu_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the self-normalizing exponential linear unit.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `selu`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = scale dy if y > 0, else dy (y + scale alpha), with the constants of `selu`.

    Examples
    --------
    >>> selu_backward([1.0, 1.0], [-1.0, 5.0]).round(4)
    array([0.7581, 1.0507])
    """
    return _backward("selu", dy, saved)


def gelu_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the Gaussian error linear unit.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The input x of `gelu`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = dy (Φ(x) + x φ(x)), with the normal distribution and its density.

    Examples
    --------
    >>> gelu_backward([1.0, 1.0], [-1.0, 0.0]).round(4)
    array([-0.0833,  0.5   ])
    """
    return _backward("gelu", dy, saved)


def silu_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the sigmoid-weighted linear unit.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The input x of `silu`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = dy s (1 + x (1 - s)) with s = sigmoid(x).

    Examples
    --------
    >>> silu_backward([1.0, 1.0], [-1.0, 0.0]).round(4)
    array([0.0723, 0.5   ])
    """
    return _backward("silu", dy, saved)


def softplus_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the smooth rectifier.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The input x of `softplus`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = dy sigmoid(x).

    Examples
    --------
    >>> softplus_backward([1.0, 2.0], [0.0, 0.0])
    array([0.5, 1. ])
    """
    return _backward("softplus", dy, saved)


def hard_sigmoid_backward(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the sigmoid made of lines.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output.
    saved : array_like
        The output y of `hard_sigmoid`, of the same shape.

    Returns
    -------
    ndarray
        Gradient of the loss by the input.

    Raises
    ------
    TypeError, ValueError
        If an argument does not hold real numbers; if the shapes differ.

    Notes
    -----
    dx = dy / 6 if 0 < y < 1, else 0.

    Examples
    --------
    >>> hard_sigmoid_backward([6.0, 6.0], [0.5, 1.0])
    array([1., 0.])
    """
    return _backward("hard_sigmoid", dy, saved)
