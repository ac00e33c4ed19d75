"""Softmax and its logarithm over one axis, with their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.sums import sum_over

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def _shifted(x: NDArray[Any], axis: int) -> NDArray[Any]:
    # Subtracting the row maximum changes no result, and exp cannot overflow.
    return np.asarray(x - x.max(axis=axis, keepdims=True, initial=-np.inf))


@np.errstate(invalid="ignore", over="ignore")  # inf - inf, and a gap beyond the largest number
def softmax(x: NDArray[Any], *, axis: int = -1) -> NDArray[Any]:
    """Return y_i = exp(x_i) / Σ_j exp(x_j)."""
    e = np.exp(_shifted(x, axis))
    return np.asarray(e / sum_over(e, axis))


def softmax_backward(dy: NDArray[Any], y: NDArray[Any], *, axis: int = -1) -> NDArray[Any]:
    """Return dx_i = y_i (dy_i - Σ_j dy_j y_j)."""
    return np.asarray(y * (dy - sum_over(dy * y, axis)))


@np.errstate(invalid="ignore", over="ignore", divide="ignore")  # the same, and an empty sum
def log_softmax(x: NDArray[Any], *, axis: int = -1) -> NDArray[Any]:
    """Return y_i = x_i - log Σ_j exp(x_j)."""
    shifted = _shifted(x, axis)
    return np.asarray(shifted - np.log(sum_over(np.exp(shifted), axis)))


def log_softmax_backward(dy: NDArray[Any], y: NDArray[Any], *, axis: int = -1) -> NDArray[Any]:
    """Return dx_i = dy_i - exp(y_i) Σ_j dy_j."""
    return np.asarray(dy - np.exp(y) * sum_over(dy, axis))
