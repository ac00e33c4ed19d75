"""Metrics of regressions over a whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.metrics.base import Overall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["R2", "RootMeanSquaredError"]


class RootMeanSquaredError(Overall):
    """Square root of the mean of the squared differences between outputs and targets.

    Examples
    --------
    >>> metric = RootMeanSquaredError()
    >>> metric.of([metric.summary(np.array([[3.0], [5.0]]), np.array([[0.0], [1.0]]))])
    3.5355339059327378
    """

    name = "root_mean_squared_error"

    def __init__(self) -> None:
        pass

    def summary(
        self, y: NDArray[Any], t: NDArray[Any], sample_weight: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the sum of squares and the number of differences; see `Overall`."""
        squares = np.square(np.subtract(y, t.reshape(y.shape), dtype=np.float64))
        if sample_weight is None:
            return np.array([squares.sum(), squares.size])
        return np.array([sample_weight @ squares.sum(axis=1), sample_weight.sum() * y.shape[1]])

    def of(self, summaries: Sequence[NDArray[np.float64]]) -> float:
        """Return the root of the mean; see `Overall`."""
        total, count = summaries[0]
        return float(np.sqrt(total / count))


class R2(Overall):
    """Coefficient of determination: the fraction of the targets' variance that is explained.

    Notes
    -----
    ``R² = 1 - Σ (t - y)² / Σ (t - t̄)²``, of each output, and their mean. A constant output counts 1
    if it is predicted exactly, otherwise 0, as in scikit-learn.

    Examples
    --------
    >>> y, t = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]])
    >>> R2().of([(y, t)])
    0.5
    """

    name = "r2"
    larger_is_better = True

    def __init__(self) -> None:
        pass

    def of(self, summaries: Sequence[Any]) -> float:
        """Return the mean over the outputs; see `Overall`."""
        parts = (np.concatenate(part).astype(np.float64) for part in zip(*summaries, strict=True))
        y, t, *weights = parts
        t = t.reshape(y.shape)
        if weights:
            w = weights[0][:, np.newaxis]
            unexplained = (w * np.square(t - y)).sum(axis=0)
            total = (w * np.square(t - (w * t).sum(axis=0) / w.sum())).sum(axis=0)
        else:
            unexplained = np.square(t - y).sum(axis=0)
            total = np.square(t - t.mean(axis=0)).sum(axis=0)
        constant = np.where(unexplained == 0, 1.0, 0.0)
        fraction = np.divide(unexplained, total, out=1 - constant, where=total > 0)
        return float((1 - fraction).mean())
