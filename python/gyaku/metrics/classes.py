"""Metrics of classifiers: from the numbers of samples by true and predicted class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import number, whole
from gyaku.metrics.base import Overall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

__all__ = ["F1", "BalancedAccuracy", "Precision", "Recall", "confusion_matrix"]


def confusion_matrix(y: ArrayLike, t: ArrayLike) -> NDArray[np.int64]:
    """Return the number of samples by true and predicted class.

    Parameters
    ----------
    y : array_like
        The outputs, (..., classes), of which the largest is the prediction; or one output,
        (..., 1), which predicts class 1 above 1/2.
    t : array_like
        The targets: class numbers, (...), or rows like the outputs.

    Returns
    -------
    ndarray of int64, of shape (classes, classes)
        A row for each true class, a column for each predicted one.

    Raises
    ------
    ValueError
        If outputs and targets do not belong together.

    Examples
    --------
    >>> confusion_matrix([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 1])
    array([[1, 0],
           [1, 1]])
    """
    outputs, targets = np.asarray(y), np.asarray(t)
    if outputs.ndim == 0 or targets.shape not in (outputs.shape, outputs.shape[:-1]):
        raise ValueError(
            f"confusion_matrix: t must have the shape {outputs.shape[:-1]}, or {outputs.shape} of"
            f" y, got {targets.shape}"
        )
    is_class = targets.shape != outputs.shape
    rows = targets.reshape(-1) if is_class else targets.reshape(-1, outputs.shape[-1])
    return _confusions(outputs.reshape(-1, outputs.shape[-1]), rows)


def _confusions(
    y: NDArray[Any], t: NDArray[Any], weights: NDArray[np.float64] | None = None
) -> NDArray[Any]:
    classes = max(2, y.shape[1])
    if y.shape[1] == 1:
        predicted = (y[:, 0] > 0.5).astype(np.int64)
        true = (t.reshape(-1) > 0.5).astype(np.int64)
    else:
        predicted = y.argmax(axis=1)
        true = t if t.ndim == 1 else t.argmax(axis=1)
    pairs = true.astype(np.int64) * classes + predicted
    return np.bincount(pairs, weights, minlength=classes**2).reshape(classes, classes)


def _label_confusions(
    y: NDArray[Any], t: NDArray[Any], threshold: float, weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the confusion matrix of each of several labels a sample."""
    yes = np.stack([t.reshape(y.shape) > 0.5, y > threshold]).astype(np.float64)
    of_true, of_predicted = np.stack([1 - yes, yes], axis=-1)
    if weights is not None:
        of_true = of_true * weights[:, np.newaxis, np.newaxis]
    return np.asarray(np.einsum("nki,nkj->kij", of_true, of_predicted))


class _Confusions(Overall, abstract=True):
    """Base of the metrics that follow from the confusion matrix.

    Parameters
    ----------
    label : int, optional
        The class or label that is meant. By default class 1 of two, and otherwise the mean of all
        classes.
    threshold : float, optional
        Output above which a label counts as yes, where samples have several labels: targets of 0
        and 1 in the shape of the outputs. By default a sample has one class.
    """

    larger_is_better = True

    def __init__(self, *, label: int | None = None, threshold: float | None = None) -> None:
        owner = type(self).__name__
        self.label = None if label is None else whole(owner, "label", label, least=0)
        self.threshold = None if threshold is None else number(owner, "threshold", threshold)
        self.name = self.stem if label is None else f"{self.stem}_{label}"

    stem: str

    @property
    def confusions(self) -> dict[str, Any]:
        """Arguments of `ops.count_confusions`; see `Overall`."""
        by_label = self.threshold is not None
        return {"threshold": self.threshold if by_label else 0.5, "by_label": by_label}

    def summary(
        self, y: NDArray[Any], t: NDArray[Any], sample_weight: NDArray[np.float64] | None = None
    ) -> NDArray[Any]:
        """Return the confusion matrix, or one for each label; see `Overall`."""
        if self.threshold is not None:
            return _label_confusions(y, t, self.threshold, sample_weight)
        return _confusions(y, t, sample_weight)

    def of(self, summaries: Sequence[NDArray[Any]]) -> float:
        """Return the metric; see `Overall`."""
        confusions = summaries[0].astype(np.float64)
        if confusions.ndim == 3:  # of the class "yes" of each label
            right, true, predicted = (
                confusions[:, 1, 1],
                confusions[:, 1].sum(1),
                confusions[:, :, 1].sum(1),
            )
        else:
            right, true, predicted = confusions.diagonal(), confusions.sum(1), confusions.sum(0)
        each = self.of_each(right, true, predicted)
        if self.label is not None:
            if self.label >= len(each):
                raise ValueError(
                    f"{type(self).__name__}: label must be below {len(each)}, the number of"
                    f" classes, got {self.label}"
                )
            return float(each[self.label])
        if confusions.ndim == 3:
            return float(each.mean())
        if len(each) == 2:
            return float(each[1])
        seen = true + predicted > 0
        return float(each[seen].mean()) if seen.any() else 0.0

    def of_each(
        self, right: NDArray[Any], true: NDArray[Any], predicted: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return the metric of each class.

        Parameters
        ----------
        right, true, predicted : ndarray of float64, of shape (classes,)
            Numbers of samples of each class that are right, and by true and predicted class.

        Returns
        -------
        ndarray of float64, of shape (classes,)
            The metric.
        """
        raise NotImplementedError


def _ratio(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return a / b, and 0 where b is 0."""
    ratio: NDArray[np.float64] = np.divide(a, b, out=np.zeros(len(a)), where=b > 0)
    return ratio


class Precision(_Confusions):
    """Fraction of the samples predicted as a class that are of this class.

    Parameters
    ----------
    label : int, optional
        The class or label that is meant. By default class 1 of two, and otherwise the mean of all
        classes that occur, or of all labels.
    threshold : float, optional
        Output above which a label counts as yes, where samples have several labels: targets of 0
        and 1 in the shape of the outputs. By default a sample has one class.

    Notes
    -----
    0 where a class is never predicted.

    Examples
    --------
    >>> y = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    >>> Precision().of([confusion_matrix(y, [0, 1, 0])])
    0.5
    """

    stem = "precision"

    def of_each(
        self, right: NDArray[Any], true: NDArray[Any], predicted: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return the precision of each class; see `_Confusions`."""
        return _ratio(right, predicted)


class Recall(_Confusions):
    """Fraction of the samples of a class that are predicted as this class.

    Parameters
    ----------
    label : int, optional
        The class or label that is meant. By default class 1 of two, and otherwise the mean of all
        classes that occur, or of all labels.
    threshold : float, optional
        Output above which a label counts as yes, where samples have several labels: targets of 0
        and 1 in the shape of the outputs. By default a sample has one class.

    Notes
    -----
    0 where a class has no samples.

    Examples
    --------
    >>> y = np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]])
    >>> Recall().of([confusion_matrix(y, [0, 1, 1])])
    0.5
    """

    stem = "recall"

    def of_each(
        self, right: NDArray[Any], true: NDArray[Any], predicted: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return the recall of each class; see `_Confusions`."""
        return _ratio(right, true)


class F1(_Confusions):
    """Harmonic mean of precision and recall.

    Parameters
    ----------
    label : int, optional
        The class or label that is meant. By default class 1 of two, and otherwise the mean of all
        classes that occur, or of all labels.
    threshold : float, optional
        Output above which a label counts as yes, where samples have several labels: targets of 0
        and 1 in the shape of the outputs. By default a sample has one class.

    Examples
    --------
    >>> y = np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]])
    >>> round(F1().of([confusion_matrix(y, [0, 1, 1])]), 4)
    0.6667
    """

    stem = "f1"

    def of_each(
        self, right: NDArray[Any], true: NDArray[Any], predicted: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return 2 TP / (2 TP + FP + FN) of each class; see `_Confusions`."""
        return _ratio(2 * right, true + predicted)


class BalancedAccuracy(_Confusions):
    """Mean over the classes of the fraction of samples that are predicted right.

    Notes
    -----
    Classes without a sample do not count.

    Examples
    --------
    >>> y = np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]])
    >>> BalancedAccuracy().of([confusion_matrix(y, [0, 1, 1])])
    0.75
    """

    stem = "balanced_accuracy"

    def __init__(self) -> None:
        super().__init__()

    def of(self, summaries: Sequence[NDArray[Any]]) -> float:
        """Return the mean recall; see `Overall`."""
        confusions = summaries[0].astype(np.float64)
        true = confusions.sum(1)
        recalls = _ratio(confusions.diagonal(), true)[true > 0]
        return float(recalls.mean()) if recalls.size else 0.0
