"""Losses with their gradients, and the counts that metrics and running totals are made of.

A loss comes as a float64 array of shape (1,), so that a recorded step can go on computing with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.arrays import (
    FLOAT64,
    INT64,
    UNFIT,
    allocate,
    buffer,
    floating,
    matrix,
    per_sample,
    same_shape,
    target_of,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["accumulate", "count_correct", "cross_entropy", "mean_squared_error"]
__all__ += ["softmax_cross_entropy", "sum_squared_error"]


def softmax_cross_entropy(
    logits: ArrayLike, target: ArrayLike, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the cross-entropy between targets and the softmax of scores, with its gradient.

    Parameters
    ----------
    logits : array_like
        Scores, of shape (n, c).
    target : array_like
        Integer labels of shape (n,) or (n, 1), or probabilities of shape (n, c).
    label_smoothing : float, default 0.0
        Share ε of every target that is spread evenly over the classes, 0 to 1.
    reduction : {"mean", "sum"}, default "mean"
        Whether the loss is the mean or the sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dlogits : ndarray
        Gradient of the loss by the scores, of shape (n, c).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, the batch is empty, or a label or a keyword is out of range.

    Notes
    -----
    With t' = (1 - ε) t + ε / c and p = softmax(x): L = -Σ t' log p, dx = p Σ t' - t', where the
    sum runs over the row (it is one for probabilities), both divided by n for the mean. A class
    of target zero adds nothing, even if its score is -inf. Label smoothing: Szegedy et al.,
    "Rethinking the Inception architecture for computer vision", CVPR 2016.

    Examples
    --------
    >>> from gyaku import ops
    >>> loss, dlogits = ops.softmax_cross_entropy([[0.0, 0.0]], [1])
    >>> loss.round(4)
    array([0.6931])
    >>> dlogits
    array([[ 0.5, -0.5]])
    """
    try:
        if active.native:
            return _core.softmax_cross_entropy(logits, target, label_smoothing, reduction)
    except UNFIT:
        pass
    op = "softmax_cross_entropy"
    logits = matrix(op, "logits", logits)
    target = target_of(op, target, logits)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{op}: label_smoothing must be 0 to 1, got {label_smoothing}")
    per_sample(op, reduction, len(logits))
    if active.native:
        return _core.softmax_cross_entropy(logits, target, label_smoothing, reduction)
    loss = allocate(op, (1,), FLOAT64)
    dlogits = allocate(op, logits.shape, logits.dtype)
    loss[...], dlogits[...] = reference.softmax_cross_entropy(
        logits, target, label_smoothing=label_smoothing, reduction=reduction
    )
    return loss, dlogits


def cross_entropy(
    p: ArrayLike, target: ArrayLike, *, delta: float = 1e-7, reduction: str = "mean"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the cross-entropy between targets and given probabilities, with its gradient.

    Parameters
    ----------
    p : array_like
        Probabilities, of shape (n, c).
    target : array_like
        Integer labels of shape (n,) or (n, 1), or probabilities of shape (n, c).
    delta : float, default 1e-7
        Small positive number that keeps the logarithm finite at zero.
    reduction : {"mean", "sum"}, default "mean"
        Whether the loss is the mean or the sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dp : ndarray
        Gradient of the loss by the probabilities, of shape (n, c).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, the batch is empty, or a label or a keyword is out of range.

    Notes
    -----
    L = -Σ t log(p + δ), dp = -t / (p + δ), both divided by n for the mean; Saito, "Deep learning
    from scratch", section 4.2.

    Examples
    --------
    >>> from gyaku import ops
    >>> loss, dp = ops.cross_entropy([[0.5, 0.5]], [1])
    >>> loss.round(4)
    array([0.6931])
    >>> dp.round(4) + 0
    array([[ 0., -2.]])
    """
    try:
        if active.native:
            return _core.cross_entropy(p, target, delta, reduction)
    except UNFIT:
        pass
    p = matrix("cross_entropy", "p", p)
    target = target_of("cross_entropy", target, p)
    if not delta > 0:
        raise ValueError(f"cross_entropy: delta must be above 0, got {delta}")
    per_sample("cross_entropy", reduction, len(p))
    if active.native:
        return _core.cross_entropy(p, target, delta, reduction)
    loss = allocate("cross_entropy", (1,), FLOAT64)
    dp = allocate("cross_entropy", p.shape, p.dtype)
    loss[...], dp[...] = reference.cross_entropy(p, target, delta=delta, reduction=reduction)
    return loss, dp


def _squared_error(
    op: str, y: ArrayLike, t: ArrayLike, reduction: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    by_features = op == "mean_squared_error"
    try:
        if active.native:
            return _core.squared_error(y, t, by_features, reduction)
    except UNFIT:
        pass
    y = floating(op, "y", y)
    t = floating(op, "t", t, y.dtype)
    same_shape(op, "y and t", y, t)
    if y.ndim == 0:
        raise ValueError(f"{op}: y must have at least one dimension, got a single number")
    per_sample(op, reduction, len(y))
    if active.native:
        return _core.squared_error(y, t, by_features, reduction)
    loss = allocate(op, (1,), FLOAT64)
    dy = allocate(op, y.shape, y.dtype)
    equation = reference.mean_squared_error if by_features else reference.sum_squared_error
    loss[...], dy[...] = equation(y, t, reduction=reduction)
    return loss, dy


def sum_squared_error(
    y: ArrayLike, t: ArrayLike, *, reduction: str = "mean"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return half the sum of squared differences of each sample, with its gradient.

    Parameters
    ----------
    y : array_like
        Outputs, of shape (n, ...).
    t : array_like
        Targets, of the same shape.
    reduction : {"mean", "sum"}, default "mean"
        Whether the loss is the mean or the sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dy : ndarray
        Gradient of the loss by the outputs.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, the batch is empty, or there is no such reduction.

    Notes
    -----
    L = Σ (y - t)² / 2, dy = y - t, both divided by n for the mean.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.sum_squared_error([[1.0, 2.0]], [[0.0, 0.0]])
    (array([2.5]), array([[1., 2.]]))
    """
    return _squared_error("sum_squared_error", y, t, reduction)


def mean_squared_error(
    y: ArrayLike, t: ArrayLike, *, reduction: str = "mean"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the mean of squared differences of each sample, with its gradient.

    Parameters
    ----------
    y : array_like
        Outputs, of shape (n, ...), f numbers a sample.
    t : array_like
        Targets, of the same shape.
    reduction : {"mean", "sum"}, default "mean"
        Whether the loss is the mean or the sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dy : ndarray
        Gradient of the loss by the outputs.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, the batch is empty, or there is no such reduction.

    Notes
    -----
    L = Σ (y - t)² / f, dy = 2 (y - t) / f, both divided by n for the mean.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.mean_squared_error([[1.0, 2.0]], [[0.0, 0.0]])
    (array([2.5]), array([[1., 2.]]))
    """
    return _squared_error("mean_squared_error", y, t, reduction)


def count_correct(scores: ArrayLike, target: ArrayLike) -> NDArray[Any]:
    """Count the samples whose highest score is that of the target.

    Parameters
    ----------
    scores : array_like
        Scores, of shape (n, c).
    target : array_like
        Integer labels of shape (n,) or (n, 1), or scores of the classes of shape (n, c).

    Returns
    -------
    ndarray
        The count, float64 of shape (1,).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, there is no column, or a label is out of range.

    Notes
    -----
    The highest score is the first maximum, and NaN counts as one. With one column, a sample is
    right if score and target are on the same side of 1/2.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.count_correct([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    array([1.])
    """
    try:
        if active.native:
            return _core.count_correct(scores, target)
    except UNFIT:
        pass
    scores = matrix("count_correct", "scores", scores)
    columns = scores.shape[1]
    if columns == 0:
        raise ValueError(f"count_correct: scores must have a column, got shape {scores.shape}")
    target = target_of("count_correct", target, scores, classes=max(columns, 2))
    if active.native:
        return _core.count_correct(scores, target)
    correct = allocate("count_correct", (1,), FLOAT64)
    correct[...] = reference.count_correct(scores, target)
    return correct


def accumulate(
    value: NDArray[Any], totals: NDArray[Any], slot: NDArray[Any], *, weight: float
) -> None:
    """Add a weighted value to one of several running totals, in place.

    Parameters
    ----------
    value : ndarray
        The value, float64 of shape (1,).
    totals : ndarray
        Running totals, float64 of shape (k,).
    slot : ndarray
        Index of the total that grows, int64 of shape (1,).
    weight : float
        What the value is multiplied by.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If an argument has another shape, or the slot is out of range.

    Notes
    -----
    totals[slot] += weight value.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> totals = np.array([1.0, 1.0])
    >>> ops.accumulate(np.array([2.0]), totals, np.array([1]), weight=3.0)
    >>> totals
    array([1., 7.])
    """
    try:
        if active.native:
            _core.accumulate(value, totals, slot, weight)
            return
    except UNFIT:
        pass
    buffer("accumulate", "value", value, FLOAT64, (1,), written=False)
    buffer("accumulate", "totals", totals, FLOAT64)
    buffer("accumulate", "slot", slot, INT64, (1,), written=False)
    if totals.ndim != 1 or not 0 <= slot.item() < len(totals):
        raise ValueError(f"accumulate: slot {slot.item()} is not in totals of shape {totals.shape}")
    if active.native:
        _core.accumulate(value, totals, slot, weight)
    else:
        totals[...] = reference.accumulate(value, totals, slot, weight=weight)
