"""Metrics of the order of the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.metrics.base import Overall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["AUC"]


class AUC(Overall):
    """Area under the ROC curve.

    Notes
    -----
    The probability that a sample of a class has a larger score than one of another class, ties
    counted half (Mann and Whitney). With one output, or two, the scores are those of class 1; with
    more, the mean over the classes, each against all others, of the probabilities, which are the
    softmax of outputs that are none. NaN if a class is missing.

    Examples
    --------
    >>> y, t = np.array([[0.1], [0.4], [0.35], [0.8]]), np.array([0, 0, 1, 1])
    >>> AUC().of([(y, t)])
    0.75
    """

    name = "auc"
    larger_is_better = True

    def __init__(self) -> None:
        pass

    def of(self, summaries: Sequence[Any]) -> float:
        """Return the area; see `Overall`."""
        y, t = (np.concatenate(part) for part in zip(*summaries, strict=True))
        y = y.astype(np.float64)
        if y.shape[1] == 1:
            return _area(y[:, 0], t.reshape(-1) > 0.5)
        true = t if t.ndim == 1 else t.argmax(axis=1)
        if y.shape[1] == 2:
            return _area(y[:, 1] - y[:, 0], true == 1)
        if (y < 0).any() or not np.allclose(y.sum(axis=1), 1, atol=1e-3):
            y = np.exp(y - y.max(axis=1, keepdims=True))
            y /= y.sum(axis=1, keepdims=True)
        return float(np.mean([_area(y[:, each], true == each) for each in range(y.shape[1])]))


def _area(scores: NDArray[np.float64], is_positive: NDArray[np.bool_]) -> float:
    """Return the area from the ranks of the positive samples."""
    positive = int(is_positive.sum())
    negative = len(scores) - positive
    if not positive or not negative:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # means, counted from 1
    return float(
        (ranks[place][is_positive].sum() - positive * (positive + 1) / 2) / (positive * negative)
    )
