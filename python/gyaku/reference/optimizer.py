"""Updates of flat parameters; each returns new arrays in the order of its array arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["adadelta", "adagrad", "adam", "adamw", "momentum", "optimizer_tick", "rmsprop", "sgd"]


def optimizer_tick(
    clock: NDArray[Any], rates: NDArray[Any], *, beta1: float = 1.0, beta2: float = 1.0
) -> NDArray[Any]:
    """Advance the step state of an optimizer."""
    # step' = step + 1, learning rate = rates[1 + min(step - rates[0], len(rates) - 2)],
    # powers multiplied by beta1 and beta2.
    step = clock[0]
    index = min(max(int(step - rates[0]), 0), len(rates) - 2)
    return np.array([step + 1, rates[1 + index], clock[2] * beta1, clock[3] * beta2], clock.dtype)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def sgd(
    params: NDArray[Any], grads: NDArray[Any], clock: NDArray[Any], *, weight_decay: float = 0.0
) -> NDArray[Any]:
    """Return p' = p - η (g + λ p)."""
    rate = float(clock[1])
    return params - rate * _decayed(grads, params, weight_decay)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def momentum(
    params: NDArray[Any],
    grads: NDArray[Any],
    velocity: NDArray[Any],
    clock: NDArray[Any],
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return v' = μ v - η g, p' = p + v', or p' = p + μ v' - η g with Nesterov's look-ahead."""
    rate = float(clock[1])
    change = rate * _decayed(grads, params, weight_decay)
    velocity = momentum * velocity - change
    return params + (momentum * velocity - change if nesterov else velocity), velocity


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def adam(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return p' = p - η m̂ / (√v̂ + ε), with m̂ = m' / (1 - β₁ᵗ) and v̂ = v' / (1 - β₂ᵗ)."""
    # m' = β₁ m + (1 - β₁) g, v' = β₂ v + (1 - β₂) g².
    _, rate, power1, power2 = (float(number) for number in clock)
    grads = _decayed(grads, params, weight_decay)
    m = beta1 * m + (1 - beta1) * grads
    v = beta2 * v + (1 - beta2) * grads * grads
    m_hat, v_hat = m / (1 - power1), v / (1 - power2)
    return params - rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def adamw(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return p' = (1 - η λ) p - η m̂ / (√v̂ + ε), with the moments of `adam`."""
    kept = (1 - float(clock[1]) * weight_decay) * params
    return adam(kept, grads, m, v, clock, beta1=beta1, beta2=beta2, epsilon=epsilon)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def adagrad(
    params: NDArray[Any],
    grads: NDArray[Any],
    h: NDArray[Any],
    clock: NDArray[Any],
    *,
    epsilon: float = 1e-10,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return h' = h + g², p' = p - η g / (√h' + ε)."""
    grads = _decayed(grads, params, weight_decay)
    h = h + grads * grads
    return params - float(clock[1]) * grads / (np.sqrt(h) + epsilon), h


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def rmsprop(
    params: NDArray[Any],
    grads: NDArray[Any],
    h: NDArray[Any],
    clock: NDArray[Any],
    *,
    rho: float = 0.99,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return h' = ρ h + (1 - ρ) g², p' = p - η g / (√h' + ε)."""
    grads = _decayed(grads, params, weight_decay)
    h = rho * h + (1 - rho) * grads * grads
    return params - float(clock[1]) * grads / (np.sqrt(h) + epsilon), h


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def adadelta(
    params: NDArray[Any],
    grads: NDArray[Any],
    h: NDArray[Any],
    e: NDArray[Any],
    clock: NDArray[Any],
    *,
    rho: float = 0.9,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return h' = ρ h + (1 - ρ) g², d = g √(e + ε) / √(h' + ε), e' = ρ e + (1 - ρ) d², p - η d."""
    grads = _decayed(grads, params, weight_decay)
    h = rho * h + (1 - rho) * grads * grads
    change = np.sqrt(e + epsilon) / np.sqrt(h + epsilon) * grads
    e = rho * e + (1 - rho) * change * change
    return params - float(clock[1]) * change, h, e


def _decayed(grads: NDArray[Any], params: NDArray[Any], weight_decay: float) -> NDArray[Any]:
    # Without decay, an infinite parameter does not change its gradient: zero times infinity is NaN.
    return grads + weight_decay * params if weight_decay else grads
