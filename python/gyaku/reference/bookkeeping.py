"""Bookkeeping of a step: counters, running totals, and the count of correct samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["accumulate", "advance", "count_correct"]


def count_correct(scores: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """Count the samples whose highest score is that of the target."""
    # The highest score is the first maximum, and NaN counts as one. With one column, a sample
    # is right if score and target are on the same side of 1/2.
    if scores.shape[1] == 1:
        correct = (scores[:, 0] > 0.5) == (target.reshape(-1) > 0.5)
    else:
        labels = target if target.ndim == 1 else target.argmax(axis=1)
        correct = scores.argmax(axis=1) == labels
    return np.array([correct.sum()], np.float64)


def accumulate(
    value: NDArray[Any], totals: NDArray[Any], slot: NDArray[Any], *, weight: float
) -> NDArray[Any]:
    """Return totals, with weight value added to totals[slot]."""
    new = totals.copy()
    new[slot[0]] += weight * value[0]
    return new


def advance(counter: NDArray[Any], amount: int) -> NDArray[Any]:
    """Return counter + amount."""
    return counter + amount
