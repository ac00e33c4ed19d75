"""Normalisation of a sample by itself: over groups of channels, rows, and neighbouring channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.sums import sum_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["group_norm", "group_norm_backward", "local_response_norm"]
__all__ += ["local_response_norm_backward", "rms_norm", "rms_norm_backward"]


def _positions(x: NDArray[Any]) -> NDArray[Any]:
    """Return an array of shape (n, positions, c)."""
    return x.reshape(len(x), -1 if x.size else 0, x.shape[-1])


def _of_groups(sums: NDArray[Any], groups: int) -> NDArray[Any]:
    """Add up what belongs to the channels of a group: (n, c) to (n, groups)."""
    return np.asarray(sums.reshape(len(sums), groups, -1).sum(axis=-1))


def _of_channels(values: NDArray[Any], channels: int) -> NDArray[Any]:
    """Repeat the value of a group for each channel: (n, groups) to (n, 1, c)."""
    return np.repeat(values, channels // values.shape[1], axis=1)[:, np.newaxis]


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def group_norm(
    x: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    *,
    groups: int,
    epsilon: float = 1e-5,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return y = γ (x - μ) r + β, with r = 1 / √(σ² + ε) of each sample and group, μ and r."""
    flat, channels = _positions(x), x.shape[-1]
    count = flat.shape[1] * channels // groups
    mean = _of_groups(sum_positions(flat), groups) / count
    y = flat - _of_channels(mean, channels)
    variance = _of_groups(sum_positions(y, y), groups) / count
    inverse = 1 / np.sqrt(variance + epsilon)
    y *= _of_channels(inverse, channels) * gamma
    y += beta
    return y.reshape(x.shape), mean, inverse


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def group_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: NDArray[Any],
    mean: NDArray[Any],
    inverse: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return dx = r (g - mean(g) - z mean(g z)), dγ = Σ dy z, dβ = Σ dy, with g = γ dy."""
    # z = (x - μ) r, and means over the elements of a group.
    flat, slopes = _positions(x), _positions(dy)
    groups, channels = mean.shape[1], x.shape[-1]
    count = flat.shape[1] * channels // groups
    r = _of_channels(inverse, channels)
    z = (flat - _of_channels(mean, channels)) * r
    sums, products = sum_positions(slopes), sum_positions(slopes, z)
    first = _of_channels(_of_groups(sums * gamma, groups) / count, channels)
    second = _of_channels(_of_groups(products * gamma, groups) / count, channels)
    dgamma, dbeta = (sum_positions(each[np.newaxis])[0] for each in (products, sums))
    z *= second
    z += first
    dx = (slopes * gamma - z) * r
    return dx.reshape(x.shape), dgamma, dbeta


def _of_rows(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return Σ x y of each row."""
    return sum_positions(x[..., np.newaxis], y[..., np.newaxis])[:, 0]


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def rms_norm(
    x: NDArray[Any], gamma: NDArray[Any], *, epsilon: float = 1e-6
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return y = γ x r and r = 1 / √(mean(x²) + ε) of each sample."""
    flat = x.reshape(-1, gamma.size)
    mean = _of_rows(flat, flat) / max(gamma.size, 1)
    inverse = 1 / np.sqrt(mean + epsilon)
    y = flat * inverse[:, np.newaxis] * gamma.ravel()
    return y.reshape(x.shape), inverse.reshape(x.shape[: x.ndim - gamma.ndim])


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def rms_norm_backward(
    dy: NDArray[Any], x: NDArray[Any], gamma: NDArray[Any], inverse: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return dx = r (g - z mean(g z)) and dγ = Σ dy z, with z = x r and g = γ dy."""
    r = inverse.reshape(-1, 1)
    z, slopes = x.reshape(-1, gamma.size) * r, dy.reshape(-1, gamma.size)
    g = slopes * gamma.ravel()
    mean = _of_rows(g, z)[:, np.newaxis] / max(gamma.size, 1)
    dgamma = sum_positions(slopes[np.newaxis], z[np.newaxis]).reshape(gamma.shape)
    return (r * (g - z * mean)).reshape(x.shape), dgamma


def _neighbours(x: NDArray[Any], before: int, behind: int) -> NDArray[Any]:
    """Add up neighbouring channels: `before` in front of each one and `behind` behind it."""
    total = x.copy()
    for shift in range(1, before + 1):
        total[..., shift:] += x[..., :-shift]
    for shift in range(1, behind + 1):
        total[..., :-shift] += x[..., shift:]
    return total


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def local_response_norm(
    x: NDArray[Any], *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> NDArray[Any]:
    """Return y = x / (k + α / size Σ x²)^β, with the sum over neighbouring channels."""
    squares = _neighbours(x * x, size // 2, (size - 1) // 2)
    return np.asarray(x * (k + alpha / size * squares) ** -beta)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def local_response_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    *,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> NDArray[Any]:
    """Return dx = dy d^-β - 2 α β / size x Σ dy x d^(-β-1), with d = k + α / size Σ x²."""
    # The second sum is over the channels that have this one as a neighbour.
    before, behind = size // 2, (size - 1) // 2
    base = k + alpha / size * _neighbours(x * x, before, behind)
    power = base**-beta
    shared = _neighbours(dy * x * power / base, behind, before)
    return np.asarray(dy * power - 2 * alpha * beta / size * x * shared)
