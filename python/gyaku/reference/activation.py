"""Activation functions, element by element: NaN in, NaN out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.normal import normal_cdf

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "FORWARD",
    "SELU_ALPHA",
    "SELU_SCALE",
    "activate",
    "elu",
    "gelu",
    "hard_sigmoid",
    "identity",
    "leaky_relu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "step",
    "tanh",
]

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


# A branch is chosen by the real part, so that a complex step differentiates every smooth function.
def _negative_magnitude(x: NDArray[Any]) -> NDArray[Any]:
    return np.where(x.real > 0, -x, x)


def identity(x: NDArray[Any]) -> NDArray[Any]:
    """Return a copy.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        The same values.

    Notes
    -----
    y = x.

    Examples
    --------
    >>> identity(np.array([-1.0, 2.0]))
    array([-1.,  2.])
    """
    return x.copy()


def step(x: NDArray[Any]) -> NDArray[Any]:
    """Return one for positive values and zero for the rest.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Zeros and ones; NaN stays NaN.

    Notes
    -----
    y = 1 if x > 0, else 0; Rosenblatt's threshold, Psychological Review 65 (1958).

    Examples
    --------
    >>> step(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 1.])
    """
    return np.where(np.isnan(x), x, x > 0)


def sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    """Squash to (0, 1) by the logistic function.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Notes
    -----
    y = 1 / (1 + exp(-x)), written for negative x as exp(x) / (1 + exp(x)): exp never overflows.

    Examples
    --------
    >>> sigmoid(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.2689, 0.5   , 0.7311])
    """
    e = np.exp(_negative_magnitude(x))
    return np.asarray(np.where(x.real > 0, 1, e) / (1 + e))


def tanh(x: NDArray[Any]) -> NDArray[Any]:
    """Squash to (-1, 1) by the hyperbolic tangent.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Notes
    -----
    y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Examples
    --------
    >>> tanh(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.7616,  0.    ,  0.7616])
    """
    return np.asarray(np.tanh(x))


def relu(x: NDArray[Any]) -> NDArray[Any]:
    """Rectify: negative values become zero.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape; -0 stays -0.

    Notes
    -----
    y = max(x, 0); Nair and Hinton, "Rectified linear units improve restricted Boltzmann
    machines", ICML 2010.

    Examples
    --------
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return np.where(x.real < 0, 0, x)


@np.errstate(invalid="ignore", over="ignore")  # alpha = 0 at infinity, or alpha beyond one
def leaky_relu(x: NDArray[Any], *, alpha: float = 0.01) -> NDArray[Any]:
    """Rectify, but let negative values leak through with a small slope.

    Parameters
    ----------
    x : ndarray
        Input of any shape.
    alpha : float, default 0.01
        Slope for negative values, at least zero.

    Returns
    -------
    ndarray
        Output of the same shape.

    Notes
    -----
    y = x if x > 0, else alpha x; Maas, Hannun and Ng, "Rectifier nonlinearities improve neural
    network acoustic models", ICML 2013.

    Examples
    --------
    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return np.where(x.real > 0, x, alpha * x)


def elu(x: NDArray[Any], *, alpha: float = 1.0) -> NDArray[Any]:
    """Bend negative values exponentially towards -alpha.

    Parameters
    ----------
    x : ndarray
        Input of any shape.
    alpha : float, default 1.0
        Magnitude of the limit for very negative values, at least zero.

    Returns
    -------
    ndarray
        Output of the same shape.

    Notes
    -----
    y = x if x > 0, else alpha (exp(x) - 1); Clevert, Unterthiner and Hochreiter, "Fast and
    accurate deep network learning by exponential linear units", ICLR 2016.

    Examples
    --------
    >>> elu(np.array([-1.0, 2.0])).round(4)
    array([-0.6321,  2.    ])
    """
    return np.where(x.real > 0, x, alpha * np.expm1(_negative_magnitude(x)))


@np.errstate(over="ignore")  # the scale is above one
def selu(x: NDArray[Any]) -> NDArray[Any]:
    """Apply the exponential linear unit that keeps mean zero and variance one.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Notes
    -----
    y = 1.0507... elu(x, alpha=1.6733...); Klambauer, Unterthiner, Mayr and Hochreiter,
    "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> selu(np.array([-1.0, 2.0])).round(4)
    array([-1.1113,  2.1014])
    """
    return np.asarray(SELU_SCALE * elu(x, alpha=SELU_ALPHA))


@np.errstate(invalid="ignore")  # -inf * 0, whose limit is 0
def gelu(x: NDArray[Any]) -> NDArray[Any]:
    """Weight the input by the normal distribution function at it.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape; zero at -inf.

    Notes
    -----
    y = x Φ(x) = x (1 + erf(x / √2)) / 2; Hendrycks and Gimpel, "Gaussian error linear units",
    arXiv:1606.08415.

    Examples
    --------
    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    return np.where(x.real == -np.inf, -0.0, x * normal_cdf(x))


@np.errstate(invalid="ignore")  # -inf * 0, whose limit is 0
def silu(x: NDArray[Any]) -> NDArray[Any]:
    """Weight the input by its own sigmoid; also known as swish.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape; zero at -inf.

    Notes
    -----
    y = x sigmoid(x); Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", Neural
    Networks 107 (2018).

    Examples
    --------
    >>> silu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    return np.where(x.real == -np.inf, -0.0, x * sigmoid(x))


def softplus(x: NDArray[Any]) -> NDArray[Any]:
    """Rectify smoothly: the integral of the sigmoid.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Notes
    -----
    y = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), which never overflows; Dugas et al.,
    "Incorporating second-order functional knowledge", NeurIPS 2000.

    Examples
    --------
    >>> softplus(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.3133, 0.6931, 1.3133])
    """
    return np.asarray(np.where(x.real > 0, x, 0) + np.log1p(np.exp(_negative_magnitude(x))))


def hard_sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    """Approximate the sigmoid by a line cut off at zero and one.

    Parameters
    ----------
    x : ndarray
        Input of any shape.

    Returns
    -------
    ndarray
        Output of the same shape.

    Notes
    -----
    y = min(max(x / 6 + 1/2, 0), 1); Howard et al., "Searching for MobileNetV3", ICCV 2019.

    Examples
    --------
    >>> hard_sigmoid(np.array([-4.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """
    return np.asarray(np.clip(x / 6 + 0.5, 0, 1))


FORWARD: dict[str, Callable[..., NDArray[Any]]] = {
    function.__name__: function
    for function in (
        identity,
        step,
        sigmoid,
        tanh,
        relu,
        leaky_relu,
        elu,
        selu,
        gelu,
        silu,
        softplus,
        hard_sigmoid,
    )
}


def activate(x: NDArray[Any], name: str | None, alpha: float | None = None) -> NDArray[Any]:
    """Apply an activation function given by name.

    Parameters
    ----------
    x : ndarray
        Input of any shape.
    name : str or None
        A key of `FORWARD`; None is the identity.
    alpha : float or None, optional
        The parameter of `leaky_relu` and `elu`; None is the function's default.

    Returns
    -------
    ndarray
        Output of the same shape.

    Examples
    --------
    >>> activate(np.array([-1.0, 2.0]), "leaky_relu", 0.5)
    array([-0.5,  2. ])
    """
    function = FORWARD[name or "identity"]
    return function(x) if alpha is None else function(x, alpha=alpha)
