"""Bookkeeping of a step: counters, running totals, and the count of correct samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.checks import whole
from gyaku.ops.arrays import FLOAT64, INT64, buffer, convert, lengths_of, real_numbers
from gyaku.ops.loss import scores_of, sequence_lengths_of, target_of, weights_of
from gyaku.ops.op import like_first, operation, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["accumulate", "advance", "count_confusions", "count_correct", "count_steps"]
__all__ += ["sum_weights"]


@operation(
    _core.count_correct,
    inputs="scores target",
    outputs="correct",
    shapes=lambda _shapes, **_keywords: ((1,),),
    flops=lambda inputs, _outputs: math.prod(inputs[0]),
    no_gradient="a count is flat wherever it has a slope",
    exact="it counts",
)
def count_correct(
    scores: ArrayLike,
    target: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    threshold: float = 0.5,
    top: int = 0,
) -> NDArray[Any]:
    """Count the samples, or positions of samples, whose highest score is that of the target.

    Parameters
    ----------
    scores : array_like
        Scores, of shape (n, ..., c).
    target : array_like
        Integer labels of shape (n, ...) or (n, ..., 1), or scores of the classes of shape
        (n, ..., c).
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,) for scores of shape (n, t, ..., c); only real
        steps count.
    sample_weight : array_like or None, optional
        Weights with which right samples, or positions of them, count instead of 1, of the shape of
        the first axes of the scores.
    threshold : float, default 0.5
        Score above which a single column, c = 1, says yes; 0 for logits.
    top : int, default 0
        Number of scores among which that of the target must be: less than `top` may be larger.
        With 0 it must be the first of the highest.

    Returns
    -------
    ndarray
        The count, or the sum of weights, float64 of shape (1,).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, there is no column, a label is out of range, or top is negative.

    Notes
    -----
    The highest score is the first maximum, and NaN counts as one. With one column, a sample is
    right if its score is above the threshold where its target is above 1/2, and only there.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.count_correct([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    array([1.])
    """
    op = "count_correct"
    whole(op, "top", top, least=0)
    scores = scores_of(op, "scores", scores)
    columns = scores.shape[-1]
    lengths = sequence_lengths_of(op, "scores", lengths, scores)
    target = target_of(op, target, scores, lengths, classes=max(columns, 2))
    weights = weights_of(op, "scores", sample_weight, scores)
    return prepared(scores=scores, target=target, lengths=lengths, sample_weight=weights)


@operation(
    _core.count_confusions,
    inputs="scores target totals slot",
    outputs="totals",
    shapes=lambda shapes, **_keywords: (shapes[2],),
    flops=lambda inputs, _outputs: math.prod(inputs[0]),
    elements=lambda inputs, _outputs: math.prod(inputs[0]) + math.prod(inputs[1]),
    in_place=True,
    no_gradient="a count is flat wherever it has a slope",
    exact="it counts",
)
def count_confusions(
    scores: ArrayLike,
    target: ArrayLike,
    totals: NDArray[Any],
    slot: NDArray[Any],
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    threshold: float = 0.5,
    by_label: bool = False,
) -> None:
    """Add the samples of a batch to one of several confusion matrices, in place.

    Parameters
    ----------
    scores : array_like
        Scores, of shape (n, ..., c).
    target : array_like
        Integer labels of shape (n, ...) or (n, ..., 1), or scores of the classes of shape
        (n, ..., c).
    totals : ndarray
        Numbers of samples by true and predicted class: float64 of shape (k, max(c, 2), max(c, 2));
        of shape (k, c, 2, 2) if `by_label`.
    slot : ndarray
        Index of the matrix to add to, int64 of shape (1,).
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,) for scores of shape (n, t, ..., c); only real
        steps count.
    sample_weight : array_like or None, optional
        Weights with which samples, or positions of them, count instead of 1, of the shape of the
        first axes of the scores.
    threshold : float, default 0.5
        Score above which a label, or a single column, says yes.
    by_label : bool, default False
        Whether each column is a label of its own, which says yes or no.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, there is no column, a label or the slot is out of range.

    Notes
    -----
    totals[slot, true, predicted] += 1. A class is that of the highest score, as in `count_correct`;
    with one column, or by label, it is whether the score is above the threshold, and the target
    above 1/2.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> totals = np.zeros((1, 2, 2))
    >>> ops.count_confusions([[0.1, 0.9], [0.2, 0.8]], [1, 0], totals, np.array([0]))
    >>> totals
    array([[[0., 1.],
            [0., 1.]]])
    """
    op = "count_confusions"
    scores = scores_of(op, "scores", scores)
    columns = scores.shape[-1]
    classes = 2 if by_label else max(columns, 2)
    lengths = sequence_lengths_of(op, "scores", lengths, scores)
    target = target_of(op, target, scores, lengths, classes=classes)
    if by_label and target.shape != scores.shape:
        raise ValueError(f"{op}: target must be like the scores, {scores.shape}, by label")
    weights = weights_of(op, "scores", sample_weight, scores)
    wanted = (columns, 2, 2) if by_label else (classes, classes)
    buffer(op, "totals", totals, FLOAT64)
    buffer(op, "slot", slot, INT64, (1,), written=False)
    if totals.shape[1:] != wanted or not totals.ndim:
        raise ValueError(f"{op}: totals must have matrices of shape {wanted}, got {totals.shape}")
    if not 0 <= slot.item() < len(totals):
        raise ValueError(f"{op}: slot {slot.item()} is not in totals of shape {totals.shape}")
    return prepared(scores=scores, target=target, lengths=lengths, sample_weight=weights)  # type: ignore[return-value]


@operation(
    _core.count_steps,
    inputs="lengths",
    outputs="count",
    shapes=lambda _shapes, **_keywords: ((1,),),
    flops=lambda _inputs, _outputs: 0,
    no_gradient="it counts",
    exact="it counts",
)
def count_steps(lengths: ArrayLike, *, steps: int) -> NDArray[Any]:
    """Count the real steps of a batch of padded sequences.

    Parameters
    ----------
    lengths : array_like
        Integers of shape (n,).
    steps : int
        Number of time steps of the batch.

    Returns
    -------
    ndarray
        The count, float64 of shape (1,).

    Raises
    ------
    TypeError
        If lengths are no integers.
    ValueError
        If lengths have another shape, or steps is below 1.

    Notes
    -----
    Σ min(lengths, steps).

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.count_steps([2, 4], steps=4)
    array([6.])
    """
    op = "count_steps"
    whole(op, "steps", steps)
    array = real_numbers(op, "lengths", lengths)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{op}: lengths must be integers, got {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{op}: lengths must have one dimension, got shape {array.shape}")
    return prepared(lengths=convert(op, array, INT64))


@operation(
    _core.sum_weights,
    inputs="weights",
    outputs="count",
    shapes=lambda _shapes, **_keywords: ((1,),),
    flops=lambda _inputs, _outputs: 0,
    no_gradient="weights are not trained",
    roundings=2,
    terms=lambda inputs, _outputs: math.prod(inputs[0]),
)
def sum_weights(
    weights: ArrayLike, *, lengths: ArrayLike | None = None, steps: int = 1
) -> NDArray[Any]:
    """Add up the sample weights of a batch.

    Parameters
    ----------
    weights : array_like
        Weights of shape (n,), or (n, t, ...) for weights of time steps or other positions.
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,); only real steps count, each of them with the
        weight of its sample if there is one weight a sample.
    steps : int, default 1
        Number t of time steps for weights of shape (n,) with lengths.

    Returns
    -------
    ndarray
        The sum, float64 of shape (1,).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or lengths are no integers.
    ValueError
        If there are no weights, or lengths have another shape.

    Notes
    -----
    Σ w over the samples or positions; Σ w min(length, t) for one weight a sample with lengths.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.sum_weights([1.0, 0.5], lengths=[2, 4], steps=4)
    array([4.])
    """
    op = "sum_weights"
    array = convert(op, real_numbers(op, "weights", weights), FLOAT64)
    if not array.ndim or not array.size:
        raise ValueError(f"{op}: weights must hold one or more, got shape {array.shape}")
    known = lengths_of(op, lengths, len(array), array.shape[1] if array.ndim > 1 else steps)
    return prepared(weights=array, lengths=known)


@operation(
    _core.accumulate,
    inputs="value totals slot",
    outputs="totals",
    shapes=lambda shapes, **_keywords: (shapes[1],),
    flops=lambda _inputs, _outputs: 2,
    elements=lambda _inputs, _outputs: 4,
    in_place=True,
    no_gradient="bookkeeping",
    roundings=2,
)
def accumulate(
    value: NDArray[Any],
    totals: NDArray[Any],
    slot: NDArray[Any],
    *,
    weight: float,
    count: NDArray[Any] | None = None,
) -> None:
    """Add a weighted value to one of several running totals, in place.

    Parameters
    ----------
    value : ndarray
        Value, float64 of shape (1,).
    totals : ndarray
        Running totals, float64 of shape (k,).
    slot : ndarray
        Index of the total to add to, int64 of shape (1,).
    weight : float
        Factor of the value.
    count : ndarray or None, optional
        Another factor, that may change from step to step: float64 of shape (1,).

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If an argument has another shape, or the slot is out of range.

    Notes
    -----
    totals[slot] += weight value count.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> totals = np.array([1.0, 1.0])
    >>> ops.accumulate(np.array([2.0]), totals, np.array([1]), weight=3.0)
    >>> totals
    array([1., 7.])
    """
    op = "accumulate"
    buffer(op, "value", value, FLOAT64, (1,), written=False)
    buffer(op, "totals", totals, FLOAT64)
    buffer(op, "slot", slot, INT64, (1,), written=False)
    if count is not None:
        buffer(op, "count", count, FLOAT64, (1,), written=False)
    if totals.ndim != 1 or not 0 <= slot.item() < len(totals):
        raise ValueError(f"{op}: slot {slot.item()} is not in totals of shape {totals.shape}")


@operation(
    _core.advance,
    inputs="counter",
    outputs="counter",
    shapes=like_first,
    flops=lambda _inputs, _outputs: 0,
    in_place=True,
    no_gradient="bookkeeping",
    exact="integers are added",
)
def advance(counter: NDArray[Any], amount: int) -> None:
    """Add to a counter, in place.

    Parameters
    ----------
    counter : ndarray
        Counter, int64 of shape (1,).
    amount : int
        Amount to add.

    Raises
    ------
    TypeError
        If counter is no int64 array.
    ValueError
        If counter has another shape or may not be written to.

    Notes
    -----
    counter += amount.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> cursor = np.array([3])
    >>> ops.advance(cursor, 2)
    >>> cursor
    array([5])
    """
    buffer("advance", "counter", counter, INT64, (1,))
