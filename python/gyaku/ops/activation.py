"""Activation functions, element by element: NaN in, NaN out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.arrays import UNFIT, allocate, floating

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["DEFAULT_ALPHA", "check_activation", "elu", "gelu", "hard_sigmoid", "identity"]
__all__ += ["leaky_relu", "relu", "selu", "sigmoid", "silu", "softplus", "step", "tanh"]

DEFAULT_ALPHA = {"leaky_relu": 0.01, "elu": 1.0}
"""The activation functions that have a parameter."""


def check_activation(op: str, name: str, alpha: float) -> None:
    """Refuse an activation that an operation cannot end with.

    Parameters
    ----------
    op : str
        The operation, for errors.
    name : str
        The activation's name.
    alpha : float
        Its parameter.

    Raises
    ------
    ValueError
        If there is no such activation, or its parameter is negative.
    """
    if name not in reference.FORWARD:
        known = ", ".join(reference.FORWARD)
        raise ValueError(f"{op}: unknown activation {name!r}, known are {known}")
    if not alpha >= 0:
        raise ValueError(f"{op}: alpha must be at least 0, got {alpha}")


def _activated(name: str, x: ArrayLike, alpha: float = 0.0) -> NDArray[Any]:
    try:
        if active.native:
            return _core.activation(x, None, name, alpha)
    except UNFIT:
        pass
    x = floating(name, "x", x)
    if active.native:
        return _core.activation(x, None, name, alpha)
    y = allocate(name, x.shape, x.dtype)
    y[...] = reference.activate(x, name, alpha if name in DEFAULT_ALPHA else None)
    return y


def _with_alpha(name: str, x: ArrayLike, alpha: float) -> NDArray[Any]:
    if not alpha >= 0:
        raise ValueError(f"{name}: alpha must be at least 0, got {alpha}")
    return _activated(name, x, alpha)


def identity(x: ArrayLike) -> NDArray[Any]:
    """Return a copy: no activation.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        The same values.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = x.

    Examples
    --------
    >>> identity([-1.0, 2.0])
    array([-1.,  2.])
    """
    return _activated("identity", x)


def step(x: ArrayLike) -> NDArray[Any]:
    """Return one for positive values and zero for the rest.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Zeros and ones; NaN stays NaN.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = 1 if x > 0, else 0; Rosenblatt's threshold, Psychological Review 65 (1958).

    Examples
    --------
    >>> step([-1.0, 0.0, 2.0])
    array([0., 0., 1.])
    """
    return _activated("step", x)


def sigmoid(x: ArrayLike) -> NDArray[Any]:
    """Squash to (0, 1) by the logistic function.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = 1 / (1 + exp(-x)).

    Examples
    --------
    >>> sigmoid([0.0, 1000.0])
    array([0.5, 1. ])
    """
    return _activated("sigmoid", x)


def tanh(x: ArrayLike) -> NDArray[Any]:
    """Squash to (-1, 1) by the hyperbolic tangent.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Examples
    --------
    >>> tanh([0.0, 1000.0])
    array([0., 1.])
    """
    return _activated("tanh", x)


def relu(x: ArrayLike) -> NDArray[Any]:
    """Rectify: negative values become zero.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = max(x, 0); Nair and Hinton, "Rectified linear units improve restricted Boltzmann
    machines", ICML 2010.

    Examples
    --------
    >>> relu([-1.0, 2.0])
    array([0., 2.])
    """
    return _activated("relu", x)


def leaky_relu(x: ArrayLike, *, alpha: float = 0.01) -> NDArray[Any]:
    """Rectify, but let negative values leak through with a small slope.

    Parameters
    ----------
    x : array_like
        Input of any shape.
    alpha : float, default 0.01
        Slope for negative values, at least zero.

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If alpha is negative.

    Notes
    -----
    y = x if x > 0, else alpha x; Maas, Hannun and Ng, "Rectifier nonlinearities improve neural
    network acoustic models", ICML 2013.

    Examples
    --------
    >>> leaky_relu([-1.0, 2.0], alpha=0.5)
    array([-0.5,  2. ])
    """
    return _with_alpha("leaky_relu", x, alpha)


def elu(x: ArrayLike, *, alpha: float = 1.0) -> NDArray[Any]:
    """Bend negative values exponentially towards -alpha.

    Parameters
    ----------
    x : array_like
        Input of any shape.
    alpha : float, default 1.0
        Magnitude of the limit for very negative values, at least zero.

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If alpha is negative.

    Notes
    -----
    y = x if x > 0, else alpha (exp(x) - 1); Clevert, Unterthiner and Hochreiter, "Fast and
    accurate deep network learning by exponential linear units", ICLR 2016.

    Examples
    --------
    >>> elu([-1000.0, 2.0], alpha=0.5)
    array([-0.5,  2. ])
    """
    return _with_alpha("elu", x, alpha)


def selu(x: ArrayLike) -> NDArray[Any]:
    """Apply the exponential linear unit that keeps mean zero and variance one.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = 1.0507... elu(x, alpha=1.6733...); Klambauer, Unterthiner, Mayr and Hochreiter,
    "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> selu([-1000.0, 1.0]).round(4)
    array([-1.7581,  1.0507])
    """
    return _activated("selu", x)


def gelu(x: ArrayLike) -> NDArray[Any]:
    """Weight the input by the normal distribution function at it.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape; zero at -inf.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = x Φ(x) = x (1 + erf(x / √2)) / 2; Hendrycks and Gimpel, "Gaussian error linear units",
    arXiv:1606.08415.

    Examples
    --------
    >>> gelu([-1.0, 0.0, 1.0]).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    return _activated("gelu", x)


def silu(x: ArrayLike) -> NDArray[Any]:
    """Weight the input by its own sigmoid; also known as swish.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape; zero at -inf.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = x sigmoid(x); Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", Neural
    Networks 107 (2018).

    Examples
    --------
    >>> silu([-1.0, 0.0, 1.0]).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    return _activated("silu", x)


def softplus(x: ArrayLike) -> NDArray[Any]:
    """Rectify smoothly: the integral of the sigmoid.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = log(1 + exp(x)); Dugas et al., "Incorporating second-order functional knowledge",
    NeurIPS 2000.

    Examples
    --------
    >>> softplus([-1.0, 0.0, 1.0]).round(4)
    array([0.3133, 0.6931, 1.3133])
    """
    return _activated("softplus", x)


def hard_sigmoid(x: ArrayLike) -> NDArray[Any]:
    """Approximate the sigmoid by a line cut off at zero and one.

    Parameters
    ----------
    x : array_like
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Notes
    -----
    y = min(max(x / 6 + 1/2, 0), 1); Howard et al., "Searching for MobileNetV3", ICCV 2019.

    Examples
    --------
    >>> hard_sigmoid([-4.0, 0.0, 1.5])
    array([0.  , 0.5 , 0.75])
    """
    return _activated("hard_sigmoid", x)
