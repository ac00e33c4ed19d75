"""Normalisation over the batch and over the features, with gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_inference",
    "layer_norm",
    "layer_norm_backward",
    "update_running",
]


def _statistics(
    x: NDArray[Any], axes: tuple[int, ...], epsilon: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    mean = x.mean(axis=axes, keepdims=True)
    distance = x - mean
    variance = (distance**2).mean(axis=axes, keepdims=True)
    inverse = np.asarray(1 / np.sqrt(variance + epsilon))
    large = np.isfinite(mean) & np.isinf(variance)
    if large.any():  # the squares overflow, beside which epsilon is nothing
        largest = np.abs(distance).max(axis=axes, keepdims=True)
        deviation = largest * np.sqrt(((distance / largest) ** 2).mean(axis=axes, keepdims=True))
        inverse = np.where(large, 1 / deviation, inverse)
    return mean, variance, inverse


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def batch_norm(
    x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], *, epsilon: float = 1e-5
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return μ = Σ x / m, σ² = Σ (x - μ)² / m, r = 1 / √(σ² + ε), y = γ (x - μ) r + β."""
    axes = tuple(range(x.ndim - 1))
    mean, variance, inverse = (each.reshape(x.shape[-1]) for each in _statistics(x, axes, epsilon))
    return gamma * ((x - mean) * inverse) + beta, mean, inverse, variance


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def batch_norm_inference(
    x: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
    *,
    epsilon: float = 1e-5,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return r = 1 / √(σ² + ε), y = γ (x - μ) r + β."""
    inverse = 1 / np.sqrt(variance + epsilon)
    return gamma * ((x - mean) * inverse) + beta, inverse


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def update_running(
    running_mean: NDArray[Any],
    running_var: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
    *,
    samples: int,
    momentum: float = 0.1,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Update running statistics by those of a batch."""
    # The running variance takes the unbiased one: μ' = (1 - α) μ' + α μ, σ'² = (1 - α) σ'² +
    # α σ² m / (m - 1), where a single sample counts as it is.
    unbiased = variance * (samples / max(samples - 1, 1))
    return (
        (1 - momentum) * running_mean + momentum * mean,
        (1 - momentum) * running_var + momentum * unbiased,
    )


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def batch_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: NDArray[Any],
    mean: NDArray[Any],
    inverse: NDArray[Any],
    *,
    training: bool = True,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of batch normalisation."""
    # With z = (x - μ) r: dβ = Σ dy, dγ = Σ dy z, and dx = γ r (dy - dβ / m - z dγ / m), or dx
    # = γ r dy by running statistics, which do not depend on x.
    axes = tuple(range(x.ndim - 1))
    z = (x - mean) * inverse
    dbeta, dgamma = dy.sum(axis=axes), (dy * z).sum(axis=axes)
    if not training:
        return gamma * inverse * dy, dgamma, dbeta
    samples = max(math.prod(x.shape[:-1]), 1)
    dx = gamma * inverse * (dy - dbeta / samples - z * (dgamma / samples))
    return dx, dgamma, dbeta


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def layer_norm(
    x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], *, epsilon: float = 1e-5
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return y = γ (x - μ) r + β, as `batch_norm`, by statistics of each sample's features."""
    axes = tuple(range(-gamma.ndim, 0))
    mean, _, inverse = _statistics(x, axes, epsilon)
    y = gamma * ((x - mean) * inverse) + beta
    return y, mean.squeeze(axes), inverse.squeeze(axes)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def layer_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: NDArray[Any],
    mean: NDArray[Any],
    inverse: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of layer normalisation."""
    # With z = (x - μ) r, g = γ dy, and means over the features of a sample: dx = r (g -
    # mean(g) - z mean(g z)), dγ = Σ dy z, dβ = Σ dy.
    features = tuple(range(-gamma.ndim, 0))
    samples = tuple(range(x.ndim - gamma.ndim))
    mean, inverse = np.expand_dims(mean, features), np.expand_dims(inverse, features)
    z = (x - mean) * inverse
    g = gamma * dy
    g_mean = g.mean(axis=features, keepdims=True)
    gz_mean = (g * z).mean(axis=features, keepdims=True)
    dx = inverse * (g - g_mean - z * gz_mean)
    return dx, (dy * z).sum(axis=samples), dy.sum(axis=samples)
