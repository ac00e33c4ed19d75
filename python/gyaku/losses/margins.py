"""Losses of margins: scores that should differ by a distance, as in support vector machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import number, truth
from gyaku.losses.equation import Equation, checked_weights, one_hot, parts_of, weights_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["CosineEmbedding", "Hinge", "HingeEmbedding", "MultiLabelMargin", "MultiMargin"]
__all__ += ["TripletMargin"]


class Hinge(Equation):
    """Mean hinge loss of yes-or-no labels, for a last layer without activation.

    Parameters
    ----------
    margin : float
        Score from which on a label costs nothing.
    squared : bool
        Whether to square the distances.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1/K Σ_k max(0, m - s_k y_k)`` a sample of K labels with ``s = 1`` for labels above zero
    and ``s = -1`` for the others, whether 0 or -1. The metric is ``BinaryAccuracy(threshold=0)``.
    It runs in NumPy. C. Cortes and V. Vapnik, Support-vector networks (1995).

    Examples
    --------
    >>> loss, dy = Hinge()(np.array([[0.5, 2.0]]), np.array([[0.0, 1.0]]))
    >>> print(loss, dy)
    0.75 [[ 0.5 -0. ]]
    """

    native = True

    def __init__(
        self, margin: float = 1.0, *, squared: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin = number("Hinge", "margin", margin, least=0)
        self.squared = truth("Hinge", "squared", squared)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        sign = np.where(t > 0, y.dtype.type(1), y.dtype.type(-1))
        losses = np.maximum(self.margin - sign * y, 0)
        if self.squared:
            return losses * losses, -2 * sign * losses
        return losses, -sign * (losses > 0)


class HingeEmbedding(Equation):
    """Mean hinge loss of distances: small ones of pairs of a kind, large ones of the others.

    Parameters
    ----------
    margin : float
        Distance from which on two of different kinds cost nothing.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1/K Σ_k y_k`` of the labels above zero and ``max(0, m - y_k)`` of the others, whether 0 or
    -1: PyTorch's ``HingeEmbeddingLoss``. It runs in NumPy.

    Examples
    --------
    >>> loss, dy = HingeEmbedding()(np.array([[0.5, 0.25]]), np.array([[1.0, -1.0]]))
    >>> print(loss, dy)
    0.625 [[ 0.5 -0.5]]
    """

    native = True

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = number("HingeEmbedding", "margin", margin)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        left = np.maximum(self.margin - y, 0).astype(y.dtype)
        slopes = np.where(t > 0, 1, -(left > 0).astype(y.dtype)).astype(y.dtype)
        return np.where(t > 0, y, left), slopes


class CosineEmbedding(Equation):
    """One minus the cosine between two embeddings of a kind, a hinge on that of two others.

    Parameters
    ----------
    margin : float
        Cosine up to which two of different kinds cost nothing.
    epsilon : float
        Small constant added to the squared lengths.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    The outputs are two embeddings side by side, such as those that `Concatenate` makes of one
    model applied to both. Targets are one label a position: ``E = 1 - cos(a, b)`` if it is above
    zero and ``max(0, cos(a, b) - m)`` otherwise, whether 0 or -1: PyTorch's
    ``CosineEmbeddingLoss``. It runs in NumPy.

    Examples
    --------
    >>> outputs = np.array([[3.0, 4.0, 0.0, 2.0], [1.0, 0.0, 1.0, 0.0]])
    >>> loss, dy = CosineEmbedding(0.5)(outputs, np.array([1, -1]))
    >>> print(f"{loss:.2f}", dy[0, :3].round(3))
    0.35 [ 0.048 -0.036 -0.15 ]
    """

    native = True
    takes = "anything"
    of_positions = True

    def __init__(
        self, margin: float = 0.0, *, epsilon: float = 1e-12, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin = number("CosineEmbedding", "margin", margin)
        self.epsilon = number("CosineEmbedding", "epsilon", epsilon, above=0)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        a, b = parts_of("CosineEmbedding", y, 2, "embeddings")
        if t.size * a.shape[-1] != a.size:
            raise ValueError(
                f"CosineEmbedding: targets must be one label a position, {a.shape[:-1]}, got the"
                f" shape {t.shape}"
            )
        alike = t.reshape(a.shape[:-1]) > 0
        lengths = [np.sqrt((x * x).sum(-1, keepdims=True) + self.epsilon) for x in (a, b)]
        product = lengths[0] * lengths[1]
        cosine = (a * b).sum(-1, keepdims=True) / product
        slopes = [
            other / product - cosine * own / (length * length)
            for own, other, length in zip((a, b), (b, a), lengths, strict=True)
        ]
        beyond = cosine[..., 0] - self.margin
        losses = np.where(alike, 1 - cosine[..., 0], np.maximum(beyond, 0))
        sign = np.where(alike, -1, beyond > 0).astype(y.dtype)[..., np.newaxis]
        return losses, sign * np.concatenate(slopes, axis=-1).astype(y.dtype)


class MultiLabelMargin(Equation):
    """Hinge loss of several labels a sample, for a last layer without activation.

    Parameters
    ----------
    margin : float
        Distance by which the score of a label should exceed those of the others.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1/C Σ_j Σ_i max(0, m - y_j + y_i)`` over the labels j of a sample, whose targets are
    above zero, and the other classes i, among C: PyTorch's ``MultiLabelMarginLoss``, whose targets
    are lists of labels instead. It runs in NumPy.

    Examples
    --------
    >>> scores = np.array([[0.5, 1.0, 0.0, -2.0]])
    >>> loss, dy = MultiLabelMargin()(scores, np.array([[1.0, 1.0, 0.0, 0.0]]))
    >>> print(loss, dy)
    0.125 [[-0.25  0.    0.25  0.  ]]
    """

    native = True
    of_positions = True

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = number("MultiLabelMargin", "margin", margin, least=0)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        is_label, classes = t > 0, y.shape[-1]
        distances = self.margin - y[..., :, np.newaxis] + y[..., np.newaxis, :]
        pairs = is_label[..., :, np.newaxis] & ~is_label[..., np.newaxis, :]
        active = (pairs & (distances > 0)).astype(y.dtype)
        slopes = active.sum(axis=-2) - active.sum(axis=-1)
        losses = np.where(active > 0, distances, 0).sum(axis=(-2, -1))
        return losses / classes, slopes / classes


class MultiMargin(Equation):
    """Hinge loss of several classes, for a last layer without activation.

    Parameters
    ----------
    margin : float
        Distance by which the score of the class should exceed the others.
    squared : bool
        Whether to square the distances.
    class_weight : sequence of float, optional
        Weight of each class, by which the loss of its samples is multiplied.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1/C Σ_{k≠c} max(0, m - y_c + y_k)`` a sample of class c, among C, which is the number or
    the place of the largest target: PyTorch's ``MultiMarginLoss``. The mean is that over the
    samples, also with weights. It runs in NumPy. K. Crammer and Y. Singer, On the algorithmic
    implementation of multiclass kernel-based vector machines (2001), with the sum for the maximum.

    Examples
    --------
    >>> loss, dy = MultiMargin()(np.array([[0.5, 1.0, 0.0, -2.0]]), np.array([1]))
    >>> print(loss, dy)
    0.125 [[ 0.25 -0.25  0.    0.  ]]
    """

    native = True
    takes = "classes"
    of_positions = True

    class_weight: tuple[float, ...] | None = None

    def __init__(
        self,
        margin: float = 1.0,
        *,
        squared: bool = False,
        class_weight: Sequence[float] | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin = number("MultiMargin", "margin", margin)
        self.squared = truth("MultiMargin", "squared", squared)
        self.class_weight = weights_of("MultiMargin", class_weight)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        rows = one_hot("MultiMargin", t, y, largest=True)
        score = (rows * y).sum(axis=-1, keepdims=True)
        distances = np.where(rows > 0, 0, np.maximum(self.margin - score + y, 0)).astype(y.dtype)
        slopes = 2 * distances if self.squared else (distances > 0).astype(y.dtype)
        if self.squared:
            distances = distances * distances
        if self.class_weight is not None:
            weights = checked_weights("MultiMargin", self.class_weight, y.shape[-1])
            weight = rows @ weights.astype(y.dtype)[:, np.newaxis]
            distances, slopes = distances * weight, slopes * weight
        slopes -= rows * slopes.sum(axis=-1, keepdims=True)
        classes = y.shape[-1]
        return distances.sum(axis=-1) / classes, slopes / classes


class TripletMargin(Equation):
    """Hinge loss of embeddings: an anchor is to be nearer to its kind than to another.

    Parameters
    ----------
    margin : float
        Distance by which the negative should be farther from the anchor than the positive.
    norm_type : float
        Exponent p of the distance, at least 1; 2 is the Euclidean one.
    epsilon : float
        Small constant added to each difference.
    swap : bool
        Whether the distance of the negative is that from the positive, where it is smaller.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    The outputs are three embeddings side by side, such as those that `Concatenate` makes of one
    model applied to anchor, positive and negative. ``E = max(0, |a - p + ε|_p - |a - n + ε|_p +
    m)``: PyTorch's ``TripletMarginLoss``. Targets are not used. It runs in NumPy. V. Balntas and
    others, Learning local feature descriptors with triplets (2016).

    Examples
    --------
    >>> loss, dy = TripletMargin()(np.array([[0.0, 2.0, 1.5]]), np.zeros(1))
    >>> print(f"{loss:.2f}", dy)
    1.50 [[ 0.  1. -1.]]
    """

    native = True
    takes = "anything"
    of_positions = True

    def __init__(
        self,
        margin: float = 1.0,
        *,
        norm_type: float = 2.0,
        epsilon: float = 1e-6,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin = number("TripletMargin", "margin", margin, least=0)
        self.norm_type = number("TripletMargin", "norm_type", norm_type, least=1)
        self.epsilon = number("TripletMargin", "epsilon", epsilon, least=0)
        self.swap = truth("TripletMargin", "swap", swap)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        anchor, positive, negative = parts_of("TripletMargin", y, 3, "embeddings")
        near, to_near = self._distance(anchor - positive)
        far, to_far = self._distance(anchor - negative)
        of_anchor, of_positive, of_negative = to_near - to_far, -to_near, to_far
        if self.swap:
            other, to_other = self._distance(positive - negative)
            swapped = (other < far)[..., np.newaxis]
            far = np.minimum(far, other)
            of_anchor = np.where(swapped, to_near, of_anchor)
            of_positive = np.where(swapped, -to_near - to_other, of_positive)
            of_negative = np.where(swapped, to_other, of_negative)
        losses = near - far + self.margin
        slopes = np.concatenate([of_anchor, of_positive, of_negative], axis=-1)
        return np.maximum(losses, 0), slopes * (losses > 0)[..., np.newaxis]

    def _distance(self, difference: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the norm, and its derivative with respect to the difference."""
        p, moved = self.norm_type, difference + difference.dtype.type(self.epsilon)
        length = (np.abs(moved) ** p).sum(axis=-1, keepdims=True) ** (1 / p)
        unit = np.divide(moved, length, where=length > 0, out=np.zeros_like(moved))
        return length[..., 0], np.sign(unit) * np.abs(unit) ** (p - 1)
