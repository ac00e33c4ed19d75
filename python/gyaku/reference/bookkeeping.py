"""Bookkeeping of a step: counters, running totals, and the count of correct samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["accumulate", "advance", "count_confusions", "count_correct", "count_steps"]
__all__ += ["sum_weights"]


def count_correct(
    scores: NDArray[Any],
    target: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    threshold: float = 0.5,
    top: int = 0,
) -> NDArray[Any]:
    """Count the positions whose highest score is that of the target."""
    # The highest score is the first maximum, and NaN counts as one. With one column, a position
    # is right if the score is above the threshold where the target is above 1/2, and only there.
    positions = scores.shape[:-1]
    if scores.shape[-1] == 1:
        correct = (scores[..., 0] > threshold) == (target.reshape(positions) > 0.5)
    else:
        rows = target.shape == scores.shape
        labels = target.argmax(axis=-1) if rows else target.reshape(positions)
        correct = scores.argmax(axis=-1) == labels
        if top:
            place = np.clip(labels, 0, scores.shape[-1] - 1)[..., np.newaxis]
            own = np.take_along_axis(scores, place, axis=-1)
            correct = (scores > own).sum(axis=-1) < top
    weights = np.ones(1) if sample_weight is None else sample_weight
    counted = correct * weights.reshape(*weights.shape, *(1,) * (correct.ndim - weights.ndim))
    if lengths is not None:
        counted = counted[np.arange(scores.shape[1]) < lengths[:, np.newaxis]]
    return np.array([counted.sum()], np.float64)


def count_confusions(
    scores: NDArray[Any],
    target: NDArray[Any],
    totals: NDArray[Any],
    slot: NDArray[Any],
    *,
    lengths: NDArray[np.int64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    threshold: float = 0.5,
    by_label: bool = False,
) -> NDArray[Any]:
    """Return totals, with the weight of each position added at slot, true and predicted class."""
    positions = scores.shape[:-1]
    true: NDArray[Any]
    predicted: NDArray[Any]
    if by_label:
        true, predicted = target > 0.5, scores > threshold
        place: tuple[Any, ...] = (np.arange(scores.shape[-1]), true * 1, predicted * 1)
    else:
        binary, rows = scores.shape[-1] == 1, target.shape == scores.shape
        predicted = scores[..., 0] > threshold if binary else scores.argmax(axis=-1)
        true = target.reshape(positions) if binary or not rows else target.argmax(axis=-1)
        if binary:
            true = true > 0.5
        place = (true * 1, predicted * 1)
    weights = np.ones(1) if sample_weight is None else sample_weight
    of_each = np.broadcast_to(
        weights.reshape(*weights.shape, *(1,) * (len(positions) - weights.ndim)), positions
    )
    real = np.ones(positions, bool)
    if lengths is not None:
        real[np.arange(scores.shape[1]) >= lengths[:, np.newaxis]] = False
    new = totals.copy()
    if by_label:
        of_each = of_each[..., np.newaxis]
    indices = [np.broadcast_to(each, predicted.shape)[real] for each in place]
    np.add.at(new[slot[0]], tuple(indices), np.broadcast_to(of_each, predicted.shape)[real])
    return new


def sum_weights(
    weights: NDArray[np.float64], *, lengths: NDArray[np.int64] | None = None, steps: int = 1
) -> NDArray[Any]:
    """Return Σ w, or Σ w min(length, steps)."""
    if lengths is not None and weights.ndim == 1:
        weights = weights * np.clip(lengths, 0, steps)
    elif lengths is not None:
        weights = weights[np.arange(weights.shape[1]) < lengths[:, np.newaxis]]
    return np.array([weights.sum()], np.float64)


def count_steps(lengths: NDArray[np.int64], *, steps: int) -> NDArray[Any]:
    """Return Σ min(lengths, steps)."""
    return np.array([np.clip(lengths, 0, steps).sum()], np.float64)


def accumulate(
    value: NDArray[Any],
    totals: NDArray[Any],
    slot: NDArray[Any],
    *,
    weight: float,
    count: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Return totals, with weight value count added to totals[slot]."""
    new = totals.copy()
    new[slot[0]] += weight * value[0] * (1 if count is None else count[0])
    return new


def advance(counter: NDArray[Any], amount: int) -> NDArray[Any]:
    """Return counter + amount."""
    return counter + amount
