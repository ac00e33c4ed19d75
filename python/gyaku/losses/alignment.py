"""Loss of label sequences whose places in the outputs are unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.checks import truth, whole
from gyaku.losses.base import Loss
from gyaku.ops.arrays import floating

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["CTC"]


class CTC(Loss):
    """Connectionist temporal classification: labels in order, at steps that nobody has stated.

    Parameters
    ----------
    blank : int
        Class of the steps at which there is no label.
    zero_infinity : bool
        Whether samples with fewer steps than their labels need count zero, not infinity.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all samples.

    Notes
    -----
    ``E = -log p`` a sample, where p is the probability of all ways to read its labels from the
    steps: equal labels behind one another are one, unless a blank is between them. The outputs are
    scores, (samples, steps, classes), for a last layer without activation; targets are class
    numbers, (samples, labels), padded with -1 behind their ends. Lengths of padded sequences are
    heeded. PyTorch's ``CTCLoss`` takes logarithms of probabilities, and its mean divides each loss
    by the number of labels first. It runs in NumPy. A. Graves and others, Connectionist temporal
    classification (2006).

    Examples
    --------
    >>> loss, dy = CTC()(np.zeros((1, 2, 3)), np.array([[2, -1]]))
    >>> print(f"{loss:.4f}", dy.round(3)[0, 0])  # of nine, 0 2, 2 0 and 2 2 read 2
    1.0986 [ 0.     0.333 -0.333]
    """

    native = True
    takes = "anything"

    def __init__(
        self, blank: int = 0, *, zero_infinity: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank = whole("CTC", "blank", blank, least=0)
        self.zero_infinity = truth("CTC", "zero_infinity", zero_infinity)

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        y, t = floating("CTC", "y", y), np.asarray(t)
        self._check(y, t)
        value, dy = memory.empty((1,), np.float64), memory.empty(y.shape, y.dtype)

        def call() -> None:
            weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
            losses, slopes = self._of_samples(y, t, lengths)
            total = float(weights.sum()) if self.reduction == "mean" else 1.0
            factor = weights / total if total else np.zeros_like(weights)
            value[0] = np.where(factor == 0, 0, losses * factor).sum()
            factor = factor[:, np.newaxis, np.newaxis]
            dy[...] = np.where(factor == 0, 0, slopes * factor)

        given = (y, t, lengths, sample_weight)
        memory.host(call, [each for each in given if each is not None], [value, dy])
        return value, dy

    def _of_each(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None,
        sample_weight: NDArray[np.float64] | None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        y = floating("CTC", "y", y)
        self._check(y, t)
        losses, slopes = self._of_samples(y, t, lengths)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        factor = weights[:, np.newaxis, np.newaxis]
        dy = np.where(factor == 0, 0, slopes * factor).astype(y.dtype)
        return np.where(weights == 0, 0, losses * weights), dy

    def _check(self, y: NDArray[Any], t: NDArray[Any]) -> None:
        """Raise if outputs or targets have other axes, or labels no class."""
        if y.ndim != 3 or not len(y):
            raise ValueError(
                f"CTC: y must be scores of shape (samples, steps, classes), got {y.shape}"
            )
        if t.ndim != 2 or len(t) != len(y) or t.dtype.kind not in "iuf":
            raise ValueError(
                f"CTC: targets must be class numbers of shape ({len(y)}, labels), padded with -1,"
                f" got {t.dtype} of shape {t.shape}"
            )
        classes = y.shape[-1]
        if self.blank >= classes:
            raise ValueError(f"CTC: blank must be below the {classes} classes, got {self.blank}")

    def _of_samples(
        self, y: NDArray[Any], t: NDArray[Any], lengths: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the losses of samples, and their gradients with respect to the scores."""
        samples, steps, classes = y.shape
        ends = np.full(samples, steps) if lengths is None else np.asarray(lengths)
        labels, counts = self._labels(t, classes)
        scores = y.astype(np.float64)
        scores -= scores.max(axis=-1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
        # Log-probabilities of the states: the labels, with blanks around them.
        with np.errstate(invalid="ignore"):
            emitted = np.take_along_axis(scores, labels[:, np.newaxis], axis=-1)
            before = _forward(emitted, labels, self.blank)
            behind = _backward(emitted, labels, self.blank, ends, counts)
            rows = np.arange(samples)
            last = before[rows, ends - 1]
            ends_in = np.where(counts > 0, last[rows, np.maximum(2 * counts - 1, 0)], -np.inf)
            likelihood = np.logaddexp(last[rows, 2 * counts], ends_in)
            states = np.exp(before + behind - likelihood[:, np.newaxis, np.newaxis])
        slopes = np.exp(scores)
        for state in range(labels.shape[1]):
            slopes[rows, :, labels[:, state]] -= states[:, :, state]
        slopes[np.arange(steps) >= ends[:, np.newaxis]] = 0
        if self.zero_infinity:
            slopes[np.isneginf(likelihood)] = 0
            likelihood = np.where(np.isneginf(likelihood), 0, likelihood)
        return -likelihood, slopes

    def _labels(self, t: NDArray[Any], classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the states of all samples, and the number of labels of each."""
        is_over = np.logical_or.accumulate(t < 0, axis=1)
        # `fit` hands on the class numbers as floats.
        wrong = ~is_over & ~((t < classes) & (t != self.blank) & (t == np.trunc(t)))
        if wrong.any():
            row, place = np.argwhere(wrong)[0]
            raise ValueError(
                f"CTC: label {place} of sample {row} is {t[row, place]:g}, it must be a class"
                f" number below {classes} and not the blank {self.blank}"
            )
        states = np.full((len(t), 2 * t.shape[1] + 1), self.blank)
        states[:, 1::2] = np.where(is_over, self.blank, t)
        return states, (~is_over).sum(axis=1)


def _steps(states: NDArray[Any], blank: int) -> NDArray[np.bool_]:
    """Return the states that may follow that before the last one, over a blank."""
    skips = np.zeros(states.shape, bool)
    skips[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    return skips


def _joined(one: NDArray[Any], skips: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the sum of the ways into each state: from itself, the one before, or over a blank."""
    found = one.copy()
    found[:, 1:] = np.logaddexp(found[:, 1:], one[:, :-1])
    over = np.where(skips[:, 2:], one[:, :-2], -np.inf)
    found[:, 2:] = np.logaddexp(found[:, 2:], over)
    return found


def _forward(emitted: NDArray[Any], states: NDArray[Any], blank: int) -> NDArray[Any]:
    """Return the log-probabilities of all ways that end in a state at a step."""
    found, skips = np.full(emitted.shape, -np.inf), _steps(states, blank)
    found[:, 0, :2] = emitted[:, 0, :2]
    for step in range(1, emitted.shape[1]):
        found[:, step] = _joined(found[:, step - 1], skips) + emitted[:, step]
    return found


def _backward(
    emitted: NDArray[Any],
    states: NDArray[Any],
    blank: int,
    ends: NDArray[Any],
    counts: NDArray[Any],
) -> NDArray[Any]:
    """Return the log-probabilities of all that follows a state at a step."""
    found, rows = np.full(emitted.shape, -np.inf), np.arange(len(emitted))
    skips = np.zeros(states.shape, bool)
    skips[:, :-2] = _steps(states, blank)[:, 2:]  # seen from the other end
    turned = skips[:, ::-1]
    final = np.full(states.shape, -np.inf)
    final[rows, 2 * counts] = 0
    final[rows, np.maximum(2 * counts - 1, 0)] = 0
    for step in range(emitted.shape[1] - 1, -1, -1):
        if step + 1 < emitted.shape[1]:
            later = (found[:, step + 1] + emitted[:, step + 1])[:, ::-1]
            found[:, step] = _joined(later, turned)[:, ::-1]
        is_last = ends == step + 1
        found[is_last, step] = final[is_last]
    return found
