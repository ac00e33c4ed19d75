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
    softmax of outputs that are none. Where samples have several labels, as some rows of the targets
    without exactly one label show, the mean over the labels. NaN if a class is missing.

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
        y, t, *weights = (np.concatenate(part) for part in zip(*summaries, strict=True))
        y = y.astype(np.float64)
        w = weights[0] if weights else None
        if y.shape[1] == 1:
            return _area(y[:, 0], t.reshape(-1) > 0.5, w)
        if t.ndim == 2 and (t.sum(axis=1) != 1).any():
            return float(np.mean([_area(*each, w) for each in zip(y.T, t.T > 0.5, strict=True)]))
        true = t if t.ndim == 1 else t.argmax(axis=1)
        if y.shape[1] == 2:
            return _area(y[:, 1] - y[:, 0], true == 1, w)
        if (y < 0).any() or not np.allclose(y.sum(axis=1), 1, atol=1e-3):
            y = np.exp(y - y.max(axis=1, keepdims=True))
            y /= y.sum(axis=1, keepdims=True)
        return float(np.mean([_area(y[:, each], true == each, w) for each in range(y.shape[1])]))


def _area(
    scores: NDArray[np.float64],
    is_positive: NDArray[np.bool_],
    weights: NDArray[np.float64] | None,
) -> float:
    """Return the fraction of the pairs of a positive and a negative sample in the right order."""
    positive, negative = scores[is_positive], scores[~is_positive]
    if weights is None:
        of_positive, before = np.ones(len(positive)), np.arange(len(negative) + 1.0)
        negative, positive = np.sort(negative), np.sort(positive)
    else:
        order = np.argsort(negative)
        of_positive, negative = weights[is_positive], negative[order]
        before = np.append(0.0, np.cumsum(weights[~is_positive][order]))
    pairs = of_positive.sum() * before[-1]
    if not pairs:
        return float("nan")
    below = [before[np.searchsorted(negative, positive, side)] for side in ("left", "right")]
    return float(of_positive @ (below[0] + below[1]) / 2 / pairs)
