"""Losses of classes and labels: cross-entropies, of scores and of probabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number, truth
from gyaku.losses.base import Loss
from gyaku.losses.equation import Equation, checked_weights, one_hot, weights_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "KLDivergence", "NegativeLogLikelihood"]
__all__ += ["SigmoidCrossEntropy", "SoftmaxCrossEntropy"]


class Weighed(Loss):
    """Base of losses of classes, which may have weights, and of which one may not count.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.
    class_weight : sequence of float, optional
        Weight of each class; the mean is ``Σ w E / Σ w`` then.
    ignore_index : int, optional
        Class number of samples or positions that do not count.
    """

    native = True
    takes = "classes"
    class_weight: tuple[float, ...] | None = None

    def __init__(
        self,
        *,
        reduction: str = "mean",
        class_weight: Sequence[float] | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(reduction=reduction)
        owner = type(self).__name__
        self.class_weight = weights_of(owner, class_weight)
        if ignore_index is not None:
            self.ignore_index = int(number(owner, "ignore_index", ignore_index))

    def _of_classes(self, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the weight of each class."""
        if self.class_weight is None:
            return np.ones(y.shape[-1])
        return checked_weights(type(self).__name__, self.class_weight, y.shape[-1])

    def _weigh(
        self, y: NDArray[Any], t: NDArray[Any], sample_weight: NDArray[np.float64] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        """Return targets and weights of a batch, with the weights of the classes."""
        if self.class_weight is None and self.ignore_index is None:
            return t, sample_weight
        y, t = np.asarray(y), np.asarray(t)
        positions, of_class = y.shape[:-1], self._of_classes(y)
        if t.shape == y.shape:  # rows, whose terms have the weights
            rows = memory.empty(y.shape, y.dtype)
            memory.host(lambda: np.multiply(t, of_class.astype(y.dtype), out=rows), [t], [rows])
            return rows, sample_weight
        if t.dtype.kind not in "iub" or t.size != math.prod(positions):
            return t, sample_weight  # the operation says what is wrong
        labels = memory.empty(positions, np.int64)
        weights = memory.empty(positions, np.float64)

        def weigh() -> None:
            np.copyto(labels, t.reshape(positions))
            ignored = labels == self.ignore_index
            labels[ignored] = 0
            weights[...] = of_class.take(labels, mode="clip")
            weights[ignored] = 0
            if sample_weight is not None:
                axes = (1,) * (weights.ndim - sample_weight.ndim)
                np.multiply(weights, sample_weight.reshape(*sample_weight.shape, *axes), weights)

        given = [t] if sample_weight is None else [t, sample_weight]
        memory.host(weigh, given, [labels, weights])
        return labels, weights


class CrossEntropy(Weighed):
    """Cross-entropy of probabilities, the outputs of a softmax layer.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.
    delta : float
        Small constant in the logarithm.
    class_weight : sequence of float, optional
        Weight of each class; the mean is ``Σ w E / Σ w`` then.
    ignore_index : int, optional
        Class number of samples or positions that do not count.

    Notes
    -----
    ``E = -Σ_k t_k log(y_k + δ)`` a sample, which has one class. For several labels a sample, the
    outputs of a sigmoid layer, there is `BinaryCrossEntropy`. `SoftmaxCrossEntropy` on a layer
    without activation is faster and more exact.
    """

    native = True
    advice = "It takes probabilities: end the model with Softmax, or use SoftmaxCrossEntropy"

    def __init__(
        self,
        *,
        reduction: str = "mean",
        delta: float = 1e-7,
        class_weight: Sequence[float] | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(reduction=reduction, class_weight=class_weight, ignore_index=ignore_index)
        self.delta = number("CrossEntropy", "delta", delta, least=0)

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        t, sample_weight = self._weigh(y, t, sample_weight)
        return ops.cross_entropy(
            *(y, t),
            lengths=lengths,
            sample_weight=sample_weight,
            delta=self.delta,
            reduction=self.reduction,
        )


class SoftmaxCrossEntropy(Weighed):
    """Softmax and cross-entropy in one, for a last layer without activation.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.
    label_smoothing : float
        Fraction of the target that is spread evenly over all classes.
    class_weight : sequence of float, optional
        Weight of each class; the mean is ``Σ w E / Σ w`` then.
    ignore_index : int, optional
        Class number of samples or positions that do not count.

    Notes
    -----
    ``E = -Σ_k t_k log p_k`` a sample with ``p = softmax(y)``; ``dE/dy = p - t``. With weights, the
    terms are ``w_k t_k log p_k``, and the mean is divided by those of the class numbers; with rows
    of probabilities it stays that over the samples.

    Examples
    --------
    >>> logits = np.zeros((1, 4), np.float32)
    >>> loss, dlogits = SoftmaxCrossEntropy()(logits, np.array([2]))
    >>> print(f"{loss:.4f}", dlogits)
    1.3863 [[ 0.25  0.25 -0.75  0.25]]
    """

    native = True

    def __init__(
        self,
        *,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        class_weight: Sequence[float] | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(reduction=reduction, class_weight=class_weight, ignore_index=ignore_index)
        self.label_smoothing = number(
            "SoftmaxCrossEntropy", "label_smoothing", label_smoothing, least=0, below=1
        )

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        smoothing = self.label_smoothing
        if smoothing and self.class_weight is not None:
            t, sample_weight = self._smooth(y, t, sample_weight)
            smoothing = 0.0
        else:
            t, sample_weight = self._weigh(y, t, sample_weight)
        return ops.softmax_cross_entropy(
            *(y, t),
            lengths=lengths,
            sample_weight=sample_weight,
            label_smoothing=smoothing,
            reduction=self.reduction,
        )

    def _smooth(
        self, y: NDArray[Any], t: NDArray[Any], sample_weight: NDArray[np.float64] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        """Return smoothed rows, whose terms have the weights of the classes, and weights."""
        y, t = np.asarray(y), np.asarray(t)
        is_row, even, of_class = t.shape == y.shape, self.label_smoothing, self._of_classes(y)
        if not is_row:
            t, sample_weight = self._weigh(y, t, sample_weight)
        rows = memory.empty(y.shape, y.dtype)

        def smooth() -> None:
            target = (1 - even) * one_hot("SoftmaxCrossEntropy", t, y) + even / y.shape[-1]
            np.multiply(target, of_class, out=rows, casting="same_kind")
            if not is_row:  # the weight of the class number is that of the sample
                own = np.where(of_class > 0, of_class, 1)[t]
                np.divide(rows, own[..., np.newaxis], out=rows, casting="same_kind")

        memory.host(smooth, [t], [rows])
        return rows, sample_weight


class NegativeLogLikelihood(Weighed):
    """Negative logarithm of the probability of the class, for a last layer `LogSoftmax`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.
    class_weight : sequence of float, optional
        Weight of each class; the mean is ``Σ w E / Σ w`` then.
    ignore_index : int, optional
        Class number of samples or positions that do not count.

    Notes
    -----
    ``E = -Σ_k t_k y_k`` a sample, whose outputs are logarithms of probabilities. It is PyTorch's
    ``NLLLoss``; `SoftmaxCrossEntropy` on a layer without activation is faster.

    Examples
    --------
    >>> loss, dy = NegativeLogLikelihood()(np.log([[0.25, 0.75]]), np.array([0]))
    >>> print(f"{loss:.4f}", dy + 0)
    1.3863 [[-1.  0.]]
    """

    native = True

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        t, sample_weight = self._weigh(y, t, sample_weight)
        return _LogLikelihood(reduction=self.reduction).compute(y, t, lengths, sample_weight)


class _LogLikelihood(Equation):
    """The terms of `NegativeLogLikelihood`."""

    native = True
    takes = "classes"
    of_positions = True

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        rows = one_hot("NegativeLogLikelihood", t, y)
        return -np.where(rows == 0, 0, rows * y).sum(axis=-1), -rows


class KLDivergence(Equation):
    """Kullback-Leibler divergence of the targets from the outputs, for a last layer `LogSoftmax`.

    Parameters
    ----------
    log_target : bool
        Whether the targets are logarithms of probabilities, too.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = Σ_k t_k (log t_k - y_k)`` a sample, whose outputs are logarithms of probabilities:
    PyTorch's ``KLDivLoss(reduction="batchmean")``. It runs in NumPy.

    Examples
    --------
    >>> loss, dy = KLDivergence()(np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]]))
    >>> print(f"{loss:.4f}", dy + 0)
    0.6931 [[-1.  0.]]
    """

    native = True
    of_positions = True

    def __init__(self, *, log_target: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.log_target = truth("KLDivergence", "log_target", log_target)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        p, log_p = (np.exp(t), t) if self.log_target else (t, np.log(np.where(t == 0, 1, t)))
        return (p * (log_p - y)).sum(axis=-1), -p


class BinaryCrossEntropy(Loss):
    """Binary cross-entropy of probabilities: several yes-or-no labels a sample.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.
    delta : float
        Small constant in the logarithms.

    Notes
    -----
    ``E = -1/K Σ_k (t_k log(y_k + δ) + (1 - t_k) log(1 - y_k + δ))`` a sample of K labels, any of
    which may be 1, for outputs of a sigmoid. `SigmoidCrossEntropy` on a layer without activation is
    faster and more exact.

    Examples
    --------
    >>> loss, _ = BinaryCrossEntropy()(np.array([[0.9, 0.2]]), np.array([[1.0, 0.0]]))
    >>> print(f"{loss:.4f}")
    0.1643
    """

    native = True
    advice = "It takes probabilities: end the model with Sigmoid, or use SigmoidCrossEntropy"

    def __init__(self, *, reduction: str = "mean", delta: float = 1e-7) -> None:
        super().__init__(reduction=reduction)
        self.delta = number("BinaryCrossEntropy", "delta", delta, above=0)

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.binary_cross_entropy(
            *(y, t),
            lengths=lengths,
            sample_weight=sample_weight,
            delta=self.delta,
            reduction=self.reduction,
        )


class SigmoidCrossEntropy(Loss):
    """Sigmoid and binary cross-entropy in one, for a last layer without activation.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.
    positive_weight : float or sequence of float, optional
        Weight of the labels that are 1, for all of them or for each: above one for rare labels.

    Notes
    -----
    ``E = -1/K Σ_k (t_k log p_k + (1 - t_k) log(1 - p_k))`` a sample of K labels, any of which may
    be 1, with ``p = sigmoid(y)``; ``dE/dy = 1/K (p - t)``. Exact for any logit, however large. The
    metric is ``BinaryAccuracy(threshold=0)``. With weights w, ``w_k t_k log p_k`` in place of
    ``t_k log p_k``, in NumPy.

    Examples
    --------
    >>> loss, dlogits = SigmoidCrossEntropy()(np.array([[0.0, 1e4]]), np.array([[1.0, 1.0]]))
    >>> print(f"{loss:.4f}", dlogits)
    0.3466 [[-0.25  0.  ]]
    """

    native = True

    def __init__(
        self,
        *,
        reduction: str = "mean",
        positive_weight: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(reduction=reduction)
        self.positive_weight: float | tuple[float, ...] | None = None
        if isinstance(positive_weight, (int, float)):
            self.positive_weight = _positive(positive_weight)
        elif positive_weight is not None:
            self.positive_weight = tuple(_positive(each) for each in positive_weight)

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        if self.positive_weight is not None:
            weighted = _RareLabels(self.positive_weight, reduction=self.reduction)
            return weighted.compute(y, t, lengths, sample_weight)
        return ops.sigmoid_cross_entropy(
            *(y, t), lengths=lengths, sample_weight=sample_weight, reduction=self.reduction
        )


def _positive(weight: object) -> float:
    return number("SigmoidCrossEntropy", "positive_weight", weight, least=0)


class _RareLabels(Equation):
    """The terms of `SigmoidCrossEntropy` with weights of the labels that are 1."""

    native = True

    def __init__(self, weight: float | tuple[float, ...], *, reduction: str) -> None:
        super().__init__(reduction=reduction)
        self.weight = weight

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        weight = np.asarray(self.weight, y.dtype)
        if weight.ndim and weight.shape != y.shape[-1:]:
            raise ValueError(
                f"SigmoidCrossEntropy: positive_weight has {weight.size} weights, the outputs have"
                f" {y.shape[-1]} labels"
            )
        softplus = np.maximum(y, 0) + np.log1p(np.exp(-np.abs(y)))  # log (1 + e^y)
        p = np.exp(y - softplus)
        losses = weight * t * (softplus - y) + (1 - t) * softplus
        return losses, (1 - t) * p - weight * t * np.exp(-softplus)
