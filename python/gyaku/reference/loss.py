"""Losses with their gradients.

A loss is summed in float64 (or a wider type, if its arguments are), as an array of shape (1,).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.activation import sigmoid, softplus
from gyaku.reference.softmax import log_softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["binary_cross_entropy", "cross_entropy", "huber", "mean_absolute_error"]
__all__ += ["mean_squared_error", "sigmoid_cross_entropy", "softmax_cross_entropy"]
__all__ += ["sum_squared_error"]


def _total(terms: NDArray[Any], factor: float) -> NDArray[Any]:
    wide = np.promote_types(terms.dtype, np.float64)
    return np.asarray(terms.sum(dtype=wide, keepdims=True).reshape(1) * factor)


def _probabilities(target: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    if target.shape == like.shape:
        return target
    hit = target.reshape(*like.shape[:-1], 1) == np.arange(like.shape[-1])
    return np.asarray(hit.astype(like.real.dtype))


def _of_real_steps(
    loss: Callable[..., tuple[NDArray[Any], NDArray[Any]]],
    y: NDArray[Any],
    t: NDArray[Any],
    lengths: NDArray[np.int64],
    **options: Any,
) -> tuple[NDArray[Any], NDArray[Any]]:
    # Each real step is a sample; there is no gradient with respect to the others.
    real = np.arange(y.shape[1]) < lengths[:, np.newaxis]
    value, gradient = loss(y[real], t[real], **options)
    dy = np.zeros(y.shape, gradient.dtype)
    dy[real] = gradient
    return value, dy


def _per_sample(reduction: str, samples: int) -> float:
    return 1 / samples if reduction == "mean" else 1.0


def _per_element(reduction: str, y: NDArray[Any]) -> float:
    return _per_sample(reduction, len(y)) / max(y[:1].size, 1)


@np.errstate(invalid="ignore", over="ignore")  # inf - inf and 0 * inf
def softmax_cross_entropy(
    logits: NDArray[Any],
    target: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the cross-entropy between targets and the softmax of scores, with its gradient."""
    # With t' = (1 - ε) t + ε / c and p = softmax(x): L = -Σ t' log p, dx = p Σ t' - t', where
    # the sum runs over the row (it is one for probabilities), both divided by the number of rows
    # for the mean. A class of target zero adds nothing, even if its score is -inf.
    options: dict[str, Any] = {"label_smoothing": label_smoothing, "reduction": reduction}
    if lengths is not None:
        return _of_real_steps(softmax_cross_entropy, logits, target, lengths, **options)
    *positions, classes = logits.shape
    factor = _per_sample(reduction, math.prod(positions))
    t = _probabilities(target, logits)
    t = (1 - label_smoothing) * t + label_smoothing / max(classes, 1)
    log_p = log_softmax(logits)
    loss = _total(np.where(t == 0, 0, t * log_p), -factor)
    return loss, factor * (np.exp(log_p) * t.sum(axis=-1, keepdims=True) - t)


@np.errstate(invalid="ignore")  # the logarithm of a negative number is NaN
def cross_entropy(
    p: NDArray[Any],
    target: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    delta: float = 1e-7,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = -Σ t log(p + δ), dp = -t / (p + δ), both divided by m for the mean."""
    if lengths is not None:
        options: dict[str, Any] = {"delta": delta, "reduction": reduction}
        return _of_real_steps(cross_entropy, p, target, lengths, **options)
    factor = _per_sample(reduction, math.prod(p.shape[:-1]))
    t = _probabilities(target, p)
    return _total(t * np.log(p + delta), -factor), -factor * t / (p + delta)


def _squared_error(
    y: NDArray[Any], t: NDArray[Any], loss_factor: float, gradient_factor: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    difference = y - t
    return _total(difference * difference, loss_factor), gradient_factor * difference


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def sum_squared_error(
    y: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ (y - t)² / 2, dy = y - t, both divided by n for the mean."""
    if lengths is not None:
        return _of_real_steps(sum_squared_error, y, t, lengths, reduction=reduction)
    factor = _per_sample(reduction, len(y))
    return _squared_error(y, t, factor / 2, factor)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def mean_squared_error(
    y: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ (y - t)² / f, dy = 2 (y - t) / f, both divided by n for the mean."""
    if lengths is not None:
        return _of_real_steps(mean_squared_error, y, t, lengths, reduction=reduction)
    factor = _per_element(reduction, y)
    return _squared_error(y, t, factor, 2 * factor)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def mean_absolute_error(
    y: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ |y - t| / f, dy = sign(y - t) / f, both divided by n for the mean."""
    if lengths is not None:
        return _of_real_steps(mean_absolute_error, y, t, lengths, reduction=reduction)
    difference = y - t
    factor = _per_element(reduction, y)
    return _total(np.abs(difference), factor), factor * np.sign(difference)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def huber(
    y: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    delta: float = 1.0,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ c (|y - t| - c / 2) / f with c = min(|y - t|, δ), dy = c sign(y - t) / f."""
    if lengths is not None:
        return _of_real_steps(huber, y, t, lengths, delta=delta, reduction=reduction)
    difference = y - t
    near = np.clip(difference, -delta, delta)
    factor = _per_element(reduction, y)
    return _total(np.abs(near) * (np.abs(difference) - np.abs(near) / 2), factor), factor * near


@np.errstate(invalid="ignore")  # the logarithm of a negative number is NaN
def binary_cross_entropy(
    p: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    delta: float = 1e-7,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = -Σ (t log(p + δ) + (1 - t) log(1 - p + δ)) / f and its gradient."""
    if lengths is not None:
        return _of_real_steps(binary_cross_entropy, p, t, lengths, delta=delta, reduction=reduction)
    yes, no = p + delta, 1 - p + delta
    factor = _per_element(reduction, p)
    loss = _total(t * np.log(yes) + (1 - t) * np.log(no), -factor)
    return loss, factor * ((1 - t) / no - t / yes)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def sigmoid_cross_entropy(
    logits: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ (log(1 + e^x) - x t) / f, dx = (sigmoid(x) - t) / f."""
    if lengths is not None:
        return _of_real_steps(sigmoid_cross_entropy, logits, t, lengths, reduction=reduction)
    factor = _per_element(reduction, logits)
    loss = softplus(logits) - logits * t
    return _total(loss, factor), factor * (sigmoid(logits) - t)
