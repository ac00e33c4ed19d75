"""Losses of margins: scores that should differ by a distance, as in support vector machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import number, truth
from gyaku.losses.equation import Equation, one_hot, parts_of

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Hinge", "MultiMargin", "TripletMargin"]


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


class MultiMargin(Equation):
    """Hinge loss of several classes, for a last layer without activation.

    Parameters
    ----------
    margin : float
        Distance by which the score of the class should exceed the others.
    squared : bool
        Whether to square the distances.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1/C Σ_{k≠c} max(0, m - y_c + y_k)`` a sample of class c, among C, which is the number or
    the place of the largest target: PyTorch's
    ``MultiMarginLoss``. It runs in NumPy. K. Crammer and Y. Singer, On the algorithmic
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

    def __init__(
        self, margin: float = 1.0, *, squared: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin = number("MultiMargin", "margin", margin, least=0)
        self.squared = truth("MultiMargin", "squared", squared)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        rows = one_hot("MultiMargin", t, y, largest=True)
        score = (rows * y).sum(axis=-1, keepdims=True)
        distances = np.where(rows > 0, 0, np.maximum(self.margin - score + y, 0)).astype(y.dtype)
        slopes = 2 * distances if self.squared else (distances > 0).astype(y.dtype)
        if self.squared:
            distances = distances * distances
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
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin = number("TripletMargin", "margin", margin, least=0)
        self.norm_type = number("TripletMargin", "norm_type", norm_type, least=1)
        self.epsilon = number("TripletMargin", "epsilon", epsilon, least=0)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        anchor, positive, negative = parts_of("TripletMargin", y, 3, "embeddings")
        near, to_near = self._distance(anchor - positive)
        far, to_far = self._distance(anchor - negative)
        losses = near - far + self.margin
        slopes = np.concatenate([to_near - to_far, -to_near, to_far], axis=-1)
        return np.maximum(losses, 0), slopes * (losses > 0)[..., np.newaxis]

    def _distance(self, difference: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the norm, and its derivative with respect to the difference."""
        p, moved = self.norm_type, difference + difference.dtype.type(self.epsilon)
        length = (np.abs(moved) ** p).sum(axis=-1, keepdims=True) ** (1 / p)
        unit = np.divide(moved, length, where=length > 0, out=np.zeros_like(moved))
        return length[..., 0], np.sign(unit) * np.abs(unit) ** (p - 1)
