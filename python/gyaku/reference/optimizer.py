"""Updates of flat parameters; each returns new arrays in the order of its array arguments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["adadelta", "adagrad", "adam", "adamax", "adamw", "amsgrad", "momentum", "nadam"]
__all__ += ["optimizer_tick", "radam", "rmsprop", "rmsprop_momentum", "rprop", "sgd"]


def optimizer_tick(
    clock: NDArray[Any],
    rates: NDArray[Any],
    *,
    beta1: float = 1.0,
    beta2: float = 1.0,
    warmup: float = 0.0,
) -> NDArray[Any]:
    """Advance the step state of an optimizer."""
    # step' = step + 1, learning rate = rates[1 + min(step - rates[0], len(rates) - 2)],
    # powers multiplied by beta1 of this step and beta2.
    step = clock[0]
    index = min(max(int(step - rates[0]), 0), len(rates) - 2)
    beta1 = _warmed(beta1, warmup, float(step) + 1)
    return np.array([step + 1, rates[1 + index], clock[2] * beta1, clock[3] * beta2], clock.dtype)


def _warmed(beta1: float, warmup: float, step: float) -> float:
    """Return β₁ (1 - qᵗ / 2)."""
    return beta1 * (1 - math.pow(warmup, step) / 2)


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
    rate_in_velocity: bool = True,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return v' = μ v - η g, p' = p + v', or p' = p + μ v' - η g with Nesterov's look-ahead."""
    # Or v' = μ v + (1 - τ) g, p' = p - η v'; the first step is not dampened.
    step, rate, *_ = (float(number) for number in clock)
    undamped = 1 if step == 1 else 1 - dampening
    outside, inside = (1, -rate) if rate_in_velocity else (-rate, undamped)
    change = inside * _decayed(grads, params, weight_decay)
    velocity = momentum * velocity + change
    return params + outside * (momentum * velocity + change if nesterov else velocity), velocity


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
    step, rate, power1, power2 = (float(number) for number in clock)
    grads = _decayed(grads, params, weight_decay)
    keep = _kept_coarse if m.dtype == np.uint16 else _kept
    if m.dtype == np.uint16:
        m, v = _of_bfloat16(m), _of_bfloat16(v)
    m, v = _means(grads, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - power1), v / (1 - power2)
    return params - rate * m_hat / (np.sqrt(v_hat) + epsilon), *keep(m, v, step)


def _kept(m: NDArray[Any], v: NDArray[Any], step: float) -> tuple[NDArray[Any], NDArray[Any]]:
    del step
    return m, v


def _of_bfloat16(bits: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers whose upper halves these are."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _kept_coarse(
    m: NDArray[Any], v: NDArray[Any], step: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the upper halves, rounded up with the probability of the lower ones."""
    # 16 bits for each are drawn from step and element.
    drawn = _hashed(np.arange(m.size, dtype=np.uint32).reshape(m.shape) ^ _hashed(np.uint32(step)))
    return _rounded_up(m, drawn & 0xFFFF), _rounded_up(v, drawn >> 16)


@np.errstate(over="ignore")  # products of 32 bits
def _hashed(x: Any) -> Any:
    x = x ^ x >> np.uint32(16)
    x = x * np.uint32(0x7FEB352D)
    x = x ^ x >> np.uint32(15)
    x = x * np.uint32(0x846CA68B)
    return x ^ x >> np.uint32(16)


def _rounded_up(x: NDArray[Any], drawn: NDArray[Any]) -> NDArray[Any]:
    upper = x.astype(np.float32).view(np.uint32) + drawn >> 16
    return np.where(np.isnan(x), 0x7FC0, upper).astype(np.uint16)


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
def amsgrad(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    v_max: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return v_max' = max(v_max, v'), p' = p - η m̂ / (√(v_max' / (1 - β₂ᵗ)) + ε)."""
    _, rate, power1, power2 = (float(number) for number in clock)
    params, grads = _either_decay(params, grads, rate, weight_decay, decoupled)
    m, v = _means(grads, m, v, beta1, beta2)
    v_max = np.maximum(v_max, v)
    root = np.sqrt(v_max / (1 - power2)) + epsilon
    return params - rate * m / (1 - power1) / root, m, v, v_max


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def nadam(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    warmup: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return p' = p - η (μ' m' / (1 - P μ') + (1 - μ) g / (1 - P)) / (√v̂ + ε)."""
    # μ and μ' are β₁ (1 - qᵗ / 2) of this step and the next, P is the product of all so far.
    step, rate, product, power2 = (float(number) for number in clock)
    now, after = _warmed(beta1, warmup, step), _warmed(beta1, warmup, step + 1)
    params, grads = _either_decay(params, grads, rate, weight_decay, decoupled)
    m, v = _means(grads, m, v, beta1, beta2)
    mean = after / (1 - product * after) * m + (1 - now) / (1 - product) * grads
    return params - rate * mean / (np.sqrt(v / (1 - power2)) + epsilon), m, v


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def radam(
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
    decoupled: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return p' = p - η r m̂ √(1 - β₂ᵗ) / (√v' + ε) if ρ > 5, and p' = p - η m̂ before."""
    # ρ∞ = 2 / (1 - β₂) - 1, ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ),
    # r² = (ρ - 4) (ρ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ).
    step, rate, power1, power2 = (float(number) for number in clock)
    params, grads = _either_decay(params, grads, rate, weight_decay, decoupled)
    m, v = _means(grads, m, v, beta1, beta2)
    most = 2 / (1 - beta2) - 1
    length = most - 2 * step * power2 / (1 - power2)
    change = rate / (1 - power1) * m
    if length > 5:
        squared = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
        change = change * np.sqrt(squared * (1 - power2)) / (np.sqrt(v) + epsilon)
    return params - change, m, v


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def adamax(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    u: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return m' = β₁ m + (1 - β₁) g, u' = max(β₂ u, |g| + ε), p' = p - η m̂ / u'."""
    _, rate, power1, _ = (float(number) for number in clock)
    grads = _decayed(grads, params, weight_decay)
    m = beta1 * m + (1 - beta1) * grads
    u = np.maximum(beta2 * u, np.abs(grads) + epsilon)
    return params - rate / (1 - power1) * m / u, m, u


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def rprop(
    params: NDArray[Any],
    grads: NDArray[Any],
    previous: NDArray[Any],
    size: NDArray[Any],
    clock: NDArray[Any],
    *,
    shrink: float = 0.5,
    grow: float = 1.2,
    least: float = 1e-6,
    most: float = 50.0,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return p' = p - s' sign(g) with s' = η₊ s, η₋ s or s, as g keeps its sign or not, or is 0."""
    # Where the sign changes, the parameter stays, and so does its step after the next gradient.
    step, rate, *_ = (float(number) for number in clock)
    grads = _decayed(grads, params, weight_decay)
    sign = np.sign(grads * previous)
    factor = np.where(sign > 0, grow, np.where(sign < 0, shrink, sign + 1))
    before = np.full_like(size, rate) if step == 1 else size
    size = np.clip(before * factor, least, most).astype(params.dtype)
    grads = np.where(sign < 0, np.zeros_like(grads), grads)
    return params - np.sign(grads) * size, grads, size


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
def rmsprop_momentum(
    params: NDArray[Any],
    grads: NDArray[Any],
    h: NDArray[Any],
    mean: NDArray[Any],
    velocity: NDArray[Any],
    clock: NDArray[Any],
    *,
    rho: float = 0.99,
    epsilon: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return v' = μ v + g / (√h' + ε), p' = p - η v', with h' - mean'² for h' if centred."""
    # h' = ρ h + (1 - ρ) g², mean' = ρ mean + (1 - ρ) g.
    grads = _decayed(grads, params, weight_decay)
    mean, h = _means(grads, mean, h, rho, rho)
    variance = np.maximum(h - mean * mean, 0) if centered else h
    velocity = momentum * velocity + grads / (np.sqrt(variance) + epsilon)
    return params - float(clock[1]) * velocity, h, mean, velocity


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


def _either_decay(
    params: NDArray[Any], grads: NDArray[Any], rate: float, weight_decay: float, decoupled: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the parameters and gradients of a step with weight decay of either kind."""
    if decoupled:
        return (1 - rate * weight_decay) * params, grads
    return params, _decayed(grads, params, weight_decay)


def _means(
    grads: NDArray[Any], m: NDArray[Any], v: NDArray[Any], beta1: float, beta2: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return m' = β₁ m + (1 - β₁) g, v' = β₂ v + (1 - β₂) g²."""
    return beta1 * m + (1 - beta1) * grads, beta2 * v + (1 - beta2) * grads * grads
