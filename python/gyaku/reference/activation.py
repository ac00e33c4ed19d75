"""Activation functions, element by element: NaN in, NaN out.

A gradient is computed from the output if that is sufficient, else from the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.gaussian import normal_cdf, normal_pdf

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "BACKWARD",
    "FORWARD",
    "activate",
    "celu",
    "celu_backward",
    "elu",
    "elu_backward",
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "hard_swish",
    "hard_swish_backward",
    "identity",
    "identity_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "mish",
    "mish_backward",
    "relu",
    "relu_backward",
    "selu",
    "selu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softplus",
    "softplus_backward",
    "softsign",
    "softsign_backward",
    "step",
    "step_backward",
    "tanh",
    "tanh_backward",
]

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
GELU_SLOPE, GELU_CUBIC = 1.5957691216057308, 0.044715  # 2 √(2/π)


# Branches depend on the real part, for derivatives of smooth functions by a complex step.
def _negative_magnitude(x: NDArray[Any]) -> NDArray[Any]:
    return np.where(x.real > 0, -x, x)


def identity(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = x."""
    return x.copy()


def identity_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = dy."""
    del saved
    return dy.copy()


def step(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = 1 if x > 0, else 0."""
    return np.where(np.isnan(x), x, x > 0)


def step_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = 0."""
    del saved
    return np.zeros_like(dy)


def sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    """Squash to (0, 1) by the logistic function."""
    # y = 1 / (1 + exp(-x)), written for negative x as exp(x) / (1 + exp(x)): exp never
    # overflows.
    e = np.exp(_negative_magnitude(x))
    return np.asarray(np.where(x.real > 0, 1, e) / (1 + e))


def sigmoid_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = dy y (1 - y)."""
    return np.asarray(dy * saved * (1 - saved))


def tanh(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return np.asarray(np.tanh(x))


def tanh_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = dy (1 - y²)."""
    return np.asarray(dy * (1 - saved * saved))


def relu(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = max(x, 0)."""
    return np.where(x.real < 0, 0, x)


def relu_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = 0 if y <= 0, else dy."""
    return np.where(saved <= 0, 0, dy)


@np.errstate(invalid="ignore", over="ignore")  # alpha = 0 at infinity, or alpha beyond one
def leaky_relu(x: NDArray[Any], *, alpha: float = 0.01) -> NDArray[Any]:
    """Return y = x if x > 0, else alpha x."""
    return np.where(x.real > 0, x, alpha * x)


def leaky_relu_backward(
    dy: NDArray[Any], saved: NDArray[Any], *, alpha: float = 0.01
) -> NDArray[Any]:
    """Return the gradient of the leaky rectifier."""
    # dx = alpha dy if y <= 0, else dy; y and x have the same sign unless alpha is negative, when
    # x is saved.
    return np.where(saved <= 0, alpha * dy, dy)


def elu(x: NDArray[Any], *, alpha: float = 1.0) -> NDArray[Any]:
    """Return y = x if x > 0, else alpha (exp(x) - 1)."""
    return np.where(x.real > 0, x, alpha * np.expm1(_negative_magnitude(x)))


def elu_backward(dy: NDArray[Any], saved: NDArray[Any], *, alpha: float = 1.0) -> NDArray[Any]:
    """Return dx = dy if x > 0, else dy alpha exp(x)."""
    return np.where(saved > 0, dy, dy * (alpha * np.exp(_negative_magnitude(saved))))


@np.errstate(over="ignore")  # the scale is above one
def selu(
    x: NDArray[Any], *, alpha: float | None = None, gamma: float | None = None
) -> NDArray[Any]:
    """Return y = gamma elu(x, alpha), by default 1.0507... elu(x, 1.6733...)."""
    alpha, scale = _selu_parameters(alpha, gamma)
    return np.asarray(scale * elu(x, alpha=alpha))


def selu_backward(
    dy: NDArray[Any],
    saved: NDArray[Any],
    *,
    alpha: float | None = None,
    gamma: float | None = None,
) -> NDArray[Any]:
    """Return dx = gamma dy if x > 0, else dy gamma alpha exp(x)."""
    alpha, scale = _selu_parameters(alpha, gamma)
    return np.asarray(scale * elu_backward(dy, saved, alpha=alpha))


def _selu_parameters(alpha: float | None, gamma: float | None) -> tuple[float, float]:
    return SELU_ALPHA if alpha is None else alpha, SELU_SCALE if gamma is None else gamma


@np.errstate(invalid="ignore")  # -inf * 0, whose limit is 0
def gelu(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = x Φ(x) = x (1 + erf(x / √2)) / 2."""
    return np.where(x.real == -np.inf, -0.0, x * normal_cdf(x))


@np.errstate(invalid="ignore")  # inf * 0, whose limit is 0
def gelu_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = dy (Φ(x) + x φ(x))."""
    x = saved
    return np.asarray(dy * (normal_cdf(x) + np.where(np.isinf(x), 0, x * normal_pdf(x))))


def _exponent(x: NDArray[Any]) -> NDArray[Any]:
    """Return u with (1 + tanh(u / 2)) / 2 = sigmoid(u)."""
    return np.asarray(GELU_SLOPE * (x + GELU_CUBIC * x**3))


@np.errstate(invalid="ignore", over="ignore")  # -inf * 0, whose limit is 0, and cubes
def gelu_tanh(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2."""
    return np.where(x.real == -np.inf, -0.0, x * sigmoid(_exponent(x)))


@np.errstate(over="ignore")  # far from zero, where the slope is 0 or 1
def gelu_tanh_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = dy (s + x s (1 - s) u'), with y = x s and s = sigmoid(u)."""
    x = np.clip(saved, -100, 100)  # each s is 0 or 1 beyond
    u = _exponent(x)
    du = GELU_SLOPE * (1 + 3 * GELU_CUBIC * x * x)
    return np.asarray(dy * (sigmoid(u) + x * du * sigmoid(u) * sigmoid(-u)))


@np.errstate(invalid="ignore")  # -inf * 0, whose limit is 0
def silu(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = x sigmoid(x)."""
    return np.where(x.real == -np.inf, -0.0, x * sigmoid(x))


@np.errstate(invalid="ignore")  # inf * 0, whose limit is 0
def silu_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = dy s (1 + x (1 - s)) with s = sigmoid(x) and 1 - s = sigmoid(-x)."""
    x = saved
    s = sigmoid(x)
    return np.asarray(dy * (s + np.where(np.isinf(x), 0, x * s * sigmoid(-x))))


@np.errstate(over="ignore")  # infinities are values here
def softplus(
    x: NDArray[Any], *, beta: float | None = None, threshold: float | None = None
) -> NDArray[Any]:
    """Rectify smoothly: the integral of the sigmoid."""
    # y = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), which never overflows; Dugas et
    # al., "Incorporating second-order functional knowledge", NeurIPS 2000.
    z = x if beta is None else beta * x
    y = np.where(z.real > 0, z, 0) + np.log1p(np.exp(_negative_magnitude(z)))
    y = y if beta is None else y / beta
    return np.asarray(y if threshold is None else np.where(z.real > threshold, x, y))


@np.errstate(over="ignore")  # infinities are values here
def softplus_backward(
    dy: NDArray[Any],
    saved: NDArray[Any],
    *,
    beta: float | None = None,
    threshold: float | None = None,
) -> NDArray[Any]:
    """Return dx = dy sigmoid(beta x), and dy beyond the threshold."""
    z = saved if beta is None else beta * saved
    dx = dy * sigmoid(z)
    return np.asarray(dx if threshold is None else np.where(z > threshold, dy, dx))


def hard_sigmoid(
    x: NDArray[Any], *, alpha: float | None = None, beta: float | None = None
) -> NDArray[Any]:
    """Return y = min(max(x / 6 + 1/2, 0), 1); Howard et al., "Searching for MobileNetV3", 2019."""
    line = x / 6 if alpha is None else alpha * x
    return np.asarray(np.clip(line + (0.5 if beta is None else beta), 0, 1))


def hard_sigmoid_backward(
    dy: NDArray[Any],
    saved: NDArray[Any],
    *,
    alpha: float | None = None,
    beta: float | None = None,
) -> NDArray[Any]:
    """Return dx = 0 if y <= 0 or y >= 1, else alpha dy, by default dy / 6."""
    del beta
    return np.where((saved <= 0) | (saved >= 1), 0, dy / 6 if alpha is None else alpha * dy)


@np.errstate(invalid="ignore")  # -inf * 0, whose limit is 0
def mish(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = x tanh(softplus(x))."""
    return np.where(x.real == -np.inf, -0.0, x * np.tanh(softplus(x)))


@np.errstate(invalid="ignore")  # inf * 0, whose limit is 0
def mish_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = dy (t + x sigmoid(x) (1 - t²)) with t = tanh(softplus(x))."""
    x, s = saved, sigmoid(saved)
    # In sigmoids nothing cancels: 1 - t² = 4 (1 - s)² / (1 + (1 - s)²)², 1 - s = sigmoid(-x).
    rest = sigmoid(-x) ** 2
    slope = 4 * s * rest / (1 + rest) ** 2
    return np.asarray(dy * (np.tanh(softplus(x)) + np.where(np.isinf(x), 0, x * slope)))


@np.errstate(invalid="ignore")  # -inf * 0, whose limit is 0
def hard_swish(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = x min(max(x / 6 + 1/2, 0), 1)."""
    return np.where(x == -np.inf, -0.0, x * (np.clip(x + 3, 0, 6) / 6))


def hard_swish_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = 0 if x <= -3, dy if x >= 3, else dy (x / 3 + 1/2)."""
    x = saved
    return np.where(x <= -3, 0, np.where(x >= 3, dy, dy * (np.clip(x, -3, 3) / 3 + 0.5)))


@np.errstate(invalid="ignore")  # inf / inf, whose limit is 1
def softsign(x: NDArray[Any]) -> NDArray[Any]:
    """Return y = x / (1 + |x|)."""
    return np.asarray(np.where(np.isinf(x), np.sign(x), x / (1 - _negative_magnitude(x))))


def softsign_backward(dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
    """Return dx = dy (1 - |y|)², since 1 - |y| = 1 / (1 + |x|)."""
    return np.asarray(dy * (1 - np.abs(saved)) ** 2)


def celu(x: NDArray[Any], *, alpha: float = 1.0) -> NDArray[Any]:
    """Return y = max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)."""
    return np.where(x.real > 0, x, alpha * np.expm1(_negative_magnitude(x) / alpha))


def celu_backward(dy: NDArray[Any], saved: NDArray[Any], *, alpha: float = 1.0) -> NDArray[Any]:
    """Return dx = dy if x > 0, else dy exp(x / alpha)."""
    return np.where(saved > 0, dy, dy * np.exp(_negative_magnitude(saved) / alpha))


FORWARD: dict[str, Callable[..., NDArray[Any]]] = {
    name: globals()[name] for name in list(globals()) if name + "_backward" in globals()
}
"""The functions by name, in the order of their definition."""
BACKWARD: dict[str, Callable[..., NDArray[Any]]] = {
    name: globals()[name + "_backward"] for name in FORWARD
}
"""Their gradients by the same names."""


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
