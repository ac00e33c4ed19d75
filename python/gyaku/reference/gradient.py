"""Flat gradients between the backward pass and an update: mean over batches, and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add_gradients", "clip_by_norm", "clip_by_value", "mean_gradients"]


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def add_gradients(
    total: NDArray[Any],
    grads: NDArray[Any],
    *,
    weight: float,
    count: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Return total + weight count grads."""
    return total + weight * (1 if count is None else count.item()) * grads


def mean_gradients(
    grads: NDArray[Any],
    total: NDArray[Any],
    *,
    weight: float,
    count: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return total / (weight count), or 0 for a count of 0, and zeros for the next sum."""
    del grads
    divisor = weight * (1 if count is None else count.item())
    return total / (divisor or 1), np.zeros_like(total)


def clip_by_value(grads: NDArray[Any], *, limit: float) -> NDArray[Any]:
    """Return the gradients, each element limited to the range from -limit to limit."""
    return np.asarray(np.clip(grads, -limit, limit))


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def clip_by_norm(grads: NDArray[Any], *, norm: float) -> NDArray[Any]:
    """Return the gradients times min(1, norm / |g|)."""
    wide = np.promote_types(grads.dtype, np.float64)
    length = np.sqrt(np.square(grads, dtype=wide).sum())
    return grads * grads.dtype.type(norm / length) if length > norm else grads.copy()
