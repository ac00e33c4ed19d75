"""Metrics that are means over samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import ops
from gyaku.checks import number, whole
from gyaku.metrics.base import Metric

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Accuracy", "BinaryAccuracy", "MeanAbsoluteError", "MeanSquaredError", "TopAccuracy"]


class Accuracy(Metric):
    """Fraction of samples whose largest output is that of the right class.

    Notes
    -----
    The target is a class number or a row whose largest element marks the class. With one output
    alone, a sample is right if output and target are on the same side of 1/2. Outputs with further
    axes, (samples, steps, classes) or (samples, height, width, classes), have a class at each
    position, and the fraction is that of the positions; of the real ones if sequences are padded.

    Examples
    --------
    >>> correct = Accuracy()(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    >>> print(correct / 2)
    [0.5]
    """

    native = True
    name = "accuracy"
    counts = larger_is_better = True

    def positions(self, shape: tuple[int, ...]) -> int:
        """Return the product of all axes but the last; see `Metric`."""
        return math.prod(shape[:-1])

    def __call__(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the number of right samples; see `Metric`."""
        return ops.count_correct(y, t, lengths=lengths, sample_weight=sample_weight)


class TopAccuracy(Accuracy):
    """Fraction of samples whose right class is among those of the k largest outputs.

    Parameters
    ----------
    k : int
        The number of outputs.

    Notes
    -----
    A class counts as one of them if less than k outputs are larger than its own.

    Examples
    --------
    >>> correct = TopAccuracy(2)(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), np.array([1, 2]))
    >>> print(correct / 2)
    [0.5]
    """

    native = True

    def __init__(self, k: int = 5) -> None:
        self.k = whole("TopAccuracy", "k", k)
        self.name = f"top_{self.k}_accuracy"

    def __call__(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the number of right samples; see `Metric`."""
        return ops.count_correct(y, t, lengths=lengths, sample_weight=sample_weight, top=self.k)


class BinaryAccuracy(Metric):
    """Fraction of yes-or-no labels that are right, of several a sample.

    Parameters
    ----------
    threshold : float
        Output above which a label counts as yes: 0.5 for probabilities, 0 for logits.

    Notes
    -----
    The targets have the shape of the outputs, and those above 1/2 are yes. All labels of a sample
    count; of padded sequences, those of the real steps.

    Examples
    --------
    >>> correct = BinaryAccuracy()(np.array([[0.9, 0.2, 0.6]]), np.array([[1.0, 0.0, 0.0]]))
    >>> print(correct / 3)
    [0.6667]
    """

    native = True
    name = "binary_accuracy"
    counts = larger_is_better = True

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = number("BinaryAccuracy", "threshold", threshold)

    def positions(self, shape: tuple[int, ...]) -> int:
        """Return the product of all axes; see `Metric`."""
        return math.prod(shape)

    def __call__(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the number of right labels; see `Metric`."""
        return ops.count_correct(
            *(y[..., np.newaxis], t[..., np.newaxis]),
            lengths=lengths,
            sample_weight=sample_weight,
            threshold=self.threshold,
        )


class MeanSquaredError(Metric):
    """Mean of the squared differences between outputs and targets."""

    native = True
    name = "mean_squared_error"

    def __call__(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the mean; see `Metric`."""
        return ops.mean_squared_error(y, t, lengths=lengths, sample_weight=sample_weight)[0]


class MeanAbsoluteError(Metric):
    """Mean of the absolute differences between outputs and targets."""

    native = True
    name = "mean_absolute_error"

    def __call__(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the mean; see `Metric`."""
        return ops.mean_absolute_error(y, t, lengths=lengths, sample_weight=sample_weight)[0]
