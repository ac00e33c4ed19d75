"""Losses with their gradients, and the counts that metrics and running totals are made of.

A loss is added up in float64 (or in a wider type that it is given) and comes as an array of
shape (1,).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.softmax import log_softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "accumulate",
    "count_correct",
    "cross_entropy",
    "mean_squared_error",
    "softmax_cross_entropy",
    "sum_squared_error",
]


def _total(terms: NDArray[Any], factor: float) -> NDArray[Any]:
    wide = np.promote_types(terms.dtype, np.float64)
    return np.asarray(terms.sum(dtype=wide, keepdims=True).reshape(1) * factor)


def _probabilities(target: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    if target.ndim == 2:
        return target
    return np.asarray((target[:, np.newaxis] == np.arange(like.shape[1])).astype(like.real.dtype))


def _per_sample(reduction: str, samples: int) -> float:
    return 1 / samples if reduction == "mean" else 1.0


@np.errstate(invalid="ignore", over="ignore")  # inf - inf and 0 * inf
def softmax_cross_entropy(
    logits: NDArray[Any],
    target: NDArray[Any],
    *,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the cross-entropy between targets and the softmax of scores, with its gradient.

    Parameters
    ----------
    logits : ndarray
        Scores, of shape (n, c).
    target : ndarray
        Integer labels of shape (n,), or probabilities of shape (n, c).
    label_smoothing : float, default 0.0
        Share ε of every target that is spread evenly over the classes.
    reduction : {"mean", "sum"}, default "mean"
        Whether the loss is the mean or the sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, of shape (1,).
    dlogits : ndarray
        Gradient of the loss by the scores, of shape (n, c).

    Notes
    -----
    With t' = (1 - ε) t + ε / c and p = softmax(x): L = -Σ t' log p, dx = p Σ t' - t', where the
    sum runs over the row (it is one for probabilities), both divided by n for the mean. A class
    of target zero adds nothing, even if its score is -inf. Label smoothing: Szegedy et al.,
    "Rethinking the Inception architecture for computer vision", CVPR 2016.

    Examples
    --------
    >>> loss, dlogits = softmax_cross_entropy(np.array([[0.0, 0.0]]), np.array([1]))
    >>> loss.round(4)
    array([0.6931])
    >>> dlogits
    array([[ 0.5, -0.5]])
    """
    samples, classes = logits.shape
    factor = _per_sample(reduction, samples)
    t = _probabilities(target, logits)
    t = (1 - label_smoothing) * t + label_smoothing / max(classes, 1)
    log_p = log_softmax(logits)
    loss = _total(np.where(t == 0, 0, t * log_p), -factor)
    return loss, factor * (np.exp(log_p) * t.sum(axis=1, keepdims=True) - t)


@np.errstate(invalid="ignore")  # the logarithm of a negative number is NaN
def cross_entropy(
    p: NDArray[Any], target: NDArray[Any], *, delta: float = 1e-7, reduction: str = "mean"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the cross-entropy between targets and given probabilities, with its gradient.

    Parameters
    ----------
    p : ndarray
        Probabilities, of shape (n, c).
    target : ndarray
        Integer labels of shape (n,), or probabilities of shape (n, c).
    delta : float, default 1e-7
        Small positive number that keeps the logarithm finite at zero.
    reduction : {"mean", "sum"}, default "mean"
        Whether the loss is the mean or the sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, of shape (1,).
    dp : ndarray
        Gradient of the loss by the probabilities, of shape (n, c).

    Notes
    -----
    L = -Σ t log(p + δ), dp = -t / (p + δ), both divided by n for the mean; Saito, "Deep learning
    from scratch", section 4.2.

    Examples
    --------
    >>> loss, dp = cross_entropy(np.array([[0.5, 0.5]]), np.array([1]))
    >>> loss.round(4)
    array([0.6931])
    >>> dp.round(4)
    array([[-0., -2.]])
    """
    factor = _per_sample(reduction, len(p))
    t = _probabilities(target, p)
    return _total(t * np.log(p + delta), -factor), -factor * t / (p + delta)


def _squared_error(
    y: NDArray[Any], t: NDArray[Any], loss_factor: float, gradient_factor: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    difference = y - t
    return _total(difference * difference, loss_factor), gradient_factor * difference


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def sum_squared_error(
    y: NDArray[Any], t: NDArray[Any], *, reduction: str = "mean"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return half the sum of squared differences of each sample, with its gradient.

    Parameters
    ----------
    y : ndarray
        Outputs, of shape (n, ...).
    t : ndarray
        Targets, of the same shape.
    reduction : {"mean", "sum"}, default "mean"
        Whether the loss is the mean or the sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, of shape (1,).
    dy : ndarray
        Gradient of the loss by the outputs.

    Notes
    -----
    L = Σ (y - t)² / 2, dy = y - t, both divided by n for the mean.

    Examples
    --------
    >>> sum_squared_error(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]]))
    (array([2.5]), array([[1., 2.]]))
    """
    factor = _per_sample(reduction, len(y))
    return _squared_error(y, t, factor / 2, factor)


@np.errstate(invalid="ignore", over="ignore")  # infinities are values here
def mean_squared_error(
    y: NDArray[Any], t: NDArray[Any], *, reduction: str = "mean"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the mean of squared differences of each sample, with its gradient.

    Parameters
    ----------
    y : ndarray
        Outputs, of shape (n, ...), f numbers a sample.
    t : ndarray
        Targets, of the same shape.
    reduction : {"mean", "sum"}, default "mean"
        Whether the loss is the mean or the sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, of shape (1,).
    dy : ndarray
        Gradient of the loss by the outputs.

    Notes
    -----
    L = Σ (y - t)² / f, dy = 2 (y - t) / f, both divided by n for the mean.

    Examples
    --------
    >>> mean_squared_error(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]]))
    (array([2.5]), array([[1., 2.]]))
    """
    features = max(y[:1].size, 1)
    factor = _per_sample(reduction, len(y)) / features
    return _squared_error(y, t, factor, 2 * factor)


def count_correct(scores: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """Count the samples whose highest score is that of the target.

    Parameters
    ----------
    scores : ndarray
        Scores, of shape (n, c).
    target : ndarray
        Integer labels of shape (n,), or scores of the classes of shape (n, c).

    Returns
    -------
    ndarray
        The count, float64 of shape (1,).

    Notes
    -----
    The highest score is the first maximum, and NaN counts as one. With one column, a sample is
    right if score and target are on the same side of 1/2.

    Examples
    --------
    >>> count_correct(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    array([1.])
    """
    if scores.shape[1] == 1:
        correct = (scores[:, 0] > 0.5) == (target.reshape(-1) > 0.5)
    else:
        labels = target if target.ndim == 1 else target.argmax(axis=1)
        correct = scores.argmax(axis=1) == labels
    return np.array([correct.sum()], np.float64)


def accumulate(
    value: NDArray[Any], totals: NDArray[Any], slot: NDArray[Any], *, weight: float
) -> NDArray[Any]:
    """Add a weighted value to one of several running totals.

    Parameters
    ----------
    value : ndarray
        The value, of shape (1,).
    totals : ndarray
        Running totals, of shape (k,).
    slot : ndarray
        Index of the total that grows, an integer of shape (1,).
    weight : float
        What the value is multiplied by.

    Returns
    -------
    ndarray
        The new totals.

    Notes
    -----
    totals[slot] += weight value.

    Examples
    --------
    >>> accumulate(np.array([2.0]), np.array([1.0, 1.0]), np.array([1]), weight=3.0)
    array([1., 7.])
    """
    new = totals.copy()
    new[slot[0]] += weight * value[0]
    return new
