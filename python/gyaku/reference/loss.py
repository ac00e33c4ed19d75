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


def _total(
    terms: NDArray[Any], factor: float, weights: NDArray[np.float64] | None = None
) -> NDArray[Any]:
    terms = _weighted(terms, weights)
    wide = np.promote_types(terms.dtype, np.float64)
    return np.asarray(terms.sum(dtype=wide, keepdims=True).reshape(1) * factor)


def _weighted(x: NDArray[Any], weights: NDArray[np.float64] | None) -> NDArray[Any]:
    if weights is None:
        return x
    factor = weights.reshape(*weights.shape, *(1,) * (x.ndim - weights.ndim)).astype(x.dtype)
    return np.where(factor == 0, 0, factor * x)  # where it is 0, whatever x holds


def _probabilities(target: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    if target.shape == like.shape:
        return target
    hit = target.reshape(*like.shape[:-1], 1) == np.arange(like.shape[-1])
    return np.asarray(hit.astype(like.real.dtype))


def _by_position(
    loss: Callable[..., tuple[NDArray[Any], NDArray[Any]]],
    y: NDArray[Any],
    t: NDArray[Any],
    lengths: NDArray[np.int64] | None,
    weights: NDArray[np.float64] | None,
    **options: Any,
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    # Each real step, or weighted position, is a sample; None if samples are. There is no gradient
    # with respect to padded steps.
    axes = max(1 if weights is None else weights.ndim, 1 if lengths is None else 2)
    if axes == 1:
        return None
    positions = y.shape[:axes]
    real = np.ones(positions, bool)
    if lengths is not None:
        real &= _behind(np.arange(y.shape[1]) < lengths[:, np.newaxis], axes)
    if weights is not None:
        of_each = np.broadcast_to(_behind(weights, axes), positions)[real]
        options["sample_weight"] = of_each
    value, gradient = loss(y[real], t[real], **options)
    dy = np.zeros(y.shape, gradient.dtype)
    dy[real] = gradient
    return value, dy


def _behind(x: NDArray[Any], axes: int) -> NDArray[Any]:
    # With axes of length one behind its own.
    return x.reshape(*x.shape, *(1,) * (axes - x.ndim))


def _per_sample(reduction: str, samples: int, weights: NDArray[np.float64] | None = None) -> float:
    if reduction != "mean":
        return 1.0
    total = samples if weights is None else float(weights.sum()) * (samples / len(weights))
    return 1 / total if total else 0.0


def _per_element(
    reduction: str, y: NDArray[Any], weights: NDArray[np.float64] | None = None
) -> float:
    return _per_sample(reduction, len(y), weights) / max(y[:1].size, 1)


@np.errstate(invalid="ignore", over="ignore")  # inf - inf and 0 * inf
def softmax_cross_entropy(
    logits: NDArray[Any],
    target: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the cross-entropy between targets and the softmax of scores, with its gradient."""
    # With t' = (1 - ε) t + ε / c and p = softmax(x): L = -Σ t' log p, dx = p Σ t' - t', where
    # the sum runs over the row (it is one for probabilities), both divided by the number of rows
    # for the mean. A class of target zero adds nothing, even if its score is -inf.
    options: dict[str, Any] = {"label_smoothing": label_smoothing, "reduction": reduction}
    data = (logits, target, lengths, sample_weight)
    if found := _by_position(softmax_cross_entropy, *data, **options):
        return found
    *positions, classes = logits.shape
    factor = _per_sample(reduction, math.prod(positions), sample_weight)
    t = _probabilities(target, logits)
    t = (1 - label_smoothing) * t + label_smoothing / max(classes, 1)
    log_p = log_softmax(logits)
    loss = _total(np.where(t == 0, 0, t * log_p), -factor, sample_weight)
    slope = np.exp(log_p) * t.sum(axis=-1, keepdims=True) - t
    return loss, factor * _weighted(slope, sample_weight)


@np.errstate(invalid="ignore")  # the logarithm of a negative number is NaN
def cross_entropy(
    p: NDArray[Any],
    target: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    delta: float = 1e-7,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = -Σ t log(p + δ), dp = -t / (p + δ), both divided by m for the mean."""
    options: dict[str, Any] = {"delta": delta, "reduction": reduction}
    if found := _by_position(cross_entropy, p, target, lengths, sample_weight, **options):
        return found
    factor = _per_sample(reduction, math.prod(p.shape[:-1]), sample_weight)
    t = _probabilities(target, p)
    loss = _total(t * np.log(p + delta), -factor, sample_weight)
    return loss, _weighted(-factor * t / (p + delta), sample_weight)


def _squared_error(
    y: NDArray[Any],
    t: NDArray[Any],
    loss_factor: float,
    gradient_factor: float,
    weights: NDArray[np.float64] | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    difference = y - t
    loss = _total(difference * difference, loss_factor, weights)
    return loss, gradient_factor * _weighted(difference, weights)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def sum_squared_error(
    y: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ (y - t)² / 2, dy = y - t, both divided by n for the mean."""
    data = (y, t, lengths, sample_weight)
    if found := _by_position(sum_squared_error, *data, reduction=reduction):
        return found
    factor = _per_sample(reduction, len(y), sample_weight)
    return _squared_error(y, t, factor / 2, factor, sample_weight)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def mean_squared_error(
    y: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ (y - t)² / f, dy = 2 (y - t) / f, both divided by n for the mean."""
    data = (y, t, lengths, sample_weight)
    if found := _by_position(mean_squared_error, *data, reduction=reduction):
        return found
    factor = _per_element(reduction, y, sample_weight)
    return _squared_error(y, t, factor, 2 * factor, sample_weight)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def mean_absolute_error(
    y: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ |y - t| / f, dy = sign(y - t) / f, both divided by n for the mean."""
    data = (y, t, lengths, sample_weight)
    if found := _by_position(mean_absolute_error, *data, reduction=reduction):
        return found
    difference = y - t
    factor = _per_element(reduction, y, sample_weight)
    loss = _total(np.abs(difference), factor, sample_weight)
    return loss, factor * _weighted(np.sign(difference), sample_weight)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def huber(
    y: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    delta: float = 1.0,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ c (|y - t| - c / 2) / f with c = min(|y - t|, δ), dy = c sign(y - t) / f."""
    options: dict[str, Any] = {"delta": delta, "reduction": reduction}
    if found := _by_position(huber, y, t, lengths, sample_weight, **options):
        return found
    difference = y - t
    near = np.clip(difference, -delta, delta)
    factor = _per_element(reduction, y, sample_weight)
    terms = np.abs(near) * (np.abs(difference) - np.abs(near) / 2)
    return _total(terms, factor, sample_weight), factor * _weighted(near, sample_weight)


@np.errstate(invalid="ignore")  # the logarithm of a negative number is NaN
def binary_cross_entropy(
    p: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    delta: float = 1e-7,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = -Σ (t log(p + δ) + (1 - t) log(1 - p + δ)) / f and its gradient."""
    options: dict[str, Any] = {"delta": delta, "reduction": reduction}
    if found := _by_position(binary_cross_entropy, p, t, lengths, sample_weight, **options):
        return found
    yes, no = p + delta, 1 - p + delta
    factor = _per_element(reduction, p, sample_weight)
    loss = _total(t * np.log(yes) + (1 - t) * np.log(no), -factor, sample_weight)
    return loss, factor * _weighted((1 - t) / no - t / yes, sample_weight)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def sigmoid_cross_entropy(
    logits: NDArray[Any],
    t: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L = Σ (log(1 + e^x) - x t) / f, dx = (sigmoid(x) - t) / f."""
    data = (logits, t, lengths, sample_weight)
    if found := _by_position(sigmoid_cross_entropy, *data, reduction=reduction):
        return found
    factor = _per_element(reduction, logits, sample_weight)
    loss = _total(softplus(logits) - logits * t, factor, sample_weight)
    return loss, factor * _weighted(sigmoid(logits) - t, sample_weight)
