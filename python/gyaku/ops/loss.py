"""Losses with their gradients.

A loss is a float64 array of shape (1,), so that a recorded step can compute with it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.ops.arrays import INT64, check_same_shape, convert, floating, matrix, real_numbers
from gyaku.ops.op import operation, per_element, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

    LossAndGradient = tuple[NDArray[Any], NDArray[Any]]

__all__ = ["cross_entropy", "mean_squared_error", "softmax_cross_entropy", "sum_squared_error"]


def _loss_and_gradient(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    return (1,), shapes[0]


def _classes(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return inputs[0][-1]


def _features(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return math.prod(inputs[0][1:])


def target_of(
    op: str, target: ArrayLike, scores: NDArray[Any], *, classes: int | None = None
) -> NDArray[Any]:
    """Return targets as labels, or as an array of the shape of the scores.

    Parameters
    ----------
    op : str
        Operation, for errors.
    target : array_like
        Integer labels of shape (n,) or (n, 1), or real numbers of shape (n, c).
    scores : ndarray
        Scores of shape (n, c).
    classes : int or None, optional
        Number of classes of labels; None is c.

    Returns
    -------
    ndarray
        Labels, int64 of shape (n,), or targets of shape (n, c) in the dtype of the scores.

    Raises
    ------
    TypeError
        If the target does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, or a label is out of range.
    """
    array = real_numbers(op, "target", target)
    samples, columns = scores.shape
    if array.dtype.kind in "iub" and (array.ndim == 1 or array.shape[1:] == (1,)):
        return _labels(op, array, samples, columns if classes is None else classes)
    if array.shape == scores.shape:
        return floating(op, "target", array, scores.dtype)
    if array.ndim == 1 and array.dtype.kind == "f":
        raise TypeError(f"{op}: target must be integer labels, got {array.dtype} labels")
    raise ValueError(
        f"{op}: target must be {samples} labels or an array of shape {scores.shape},"
        f" got shape {array.shape}"
    )


def _labels(op: str, array: NDArray[Any], samples: int, classes: int) -> NDArray[Any]:
    if len(array) != samples:
        raise ValueError(f"{op}: target must be {samples} labels, got {len(array)}")
    labels = convert(op, array if array.ndim == 1 else array.reshape(-1), INT64)
    # As unsigned integers the negative labels are the largest: one pass finds both kinds.
    if samples and int(labels.view(np.uint64).max()) >= classes:
        row = int(((labels < 0) | (labels >= classes)).argmax())
        raise ValueError(
            f"{op}: target in row {row} is label {int(labels[row])},"
            f" with {classes} classes it must be 0 to {classes - 1}"
        )
    return labels


def _check_reduction(op: str, reduction: str, samples: int) -> None:
    if samples == 0:
        raise ValueError(f"{op}: the batch is empty, a loss needs at least one sample")
    if reduction not in ("mean", "sum"):
        raise ValueError(f'{op}: reduction must be "mean" or "sum", got {reduction!r}')


@operation(
    lambda logits, target, *, label_smoothing, reduction: _core.softmax_cross_entropy(
        logits, target, label_smoothing, reduction
    ),
    inputs="logits target",
    outputs="loss dlogits",
    shapes=_loss_and_gradient,
    flops=per_element(10),
    no_gradient="it returns its gradient",
    roundings=12,
    terms=_classes,
)
def softmax_cross_entropy(
    logits: ArrayLike, target: ArrayLike, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> LossAndGradient:
    """Compute the cross-entropy between targets and the softmax of scores, with its gradient.

    Parameters
    ----------
    logits : array_like
        Scores, of shape (n, c).
    target : array_like
        Integer labels of shape (n,) or (n, 1), or probabilities of shape (n, c).
    label_smoothing : float, default 0.0
        Fraction ε of each target that is spread evenly over the classes, 0 to 1.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dlogits : ndarray
        Gradient with respect to the scores, of shape (n, c).

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
    op = "softmax_cross_entropy"
    logits = matrix(op, "logits", logits)
    target = target_of(op, target, logits)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{op}: label_smoothing must be 0 to 1, got {label_smoothing}")
    _check_reduction(op, reduction, len(logits))
    return prepared(logits=logits, target=target)


@operation(
    lambda p, target, *, delta, reduction: _core.cross_entropy(p, target, delta, reduction),
    inputs="p target",
    outputs="loss dp",
    shapes=_loss_and_gradient,
    flops=per_element(6),
    no_gradient="it returns its gradient",
    roundings=7,
    terms=_classes,
)
def cross_entropy(
    p: ArrayLike, target: ArrayLike, *, delta: float = 1e-7, reduction: str = "mean"
) -> LossAndGradient:
    """Compute the cross-entropy between targets and given probabilities, with its gradient.

    Parameters
    ----------
    p : array_like
        Probabilities, of shape (n, c).
    target : array_like
        Integer labels of shape (n,) or (n, 1), or probabilities of shape (n, c).
    delta : float, default 1e-7
        Small positive constant that keeps the logarithm finite at zero.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dp : ndarray
        Gradient with respect to the probabilities, of shape (n, c).

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
    op = "cross_entropy"
    p = matrix(op, "p", p)
    target = target_of(op, target, p)
    if not delta > 0:
        raise ValueError(f"{op}: delta must be above 0, got {delta}")
    _check_reduction(op, reduction, len(p))
    return prepared(p=p, target=target)


def _squared_error(op: str, y: ArrayLike, t: ArrayLike, reduction: str) -> LossAndGradient:
    y = floating(op, "y", y)
    t = floating(op, "t", t, y.dtype)
    check_same_shape(op, "y and t", y, t)
    if y.ndim == 0:
        raise ValueError(f"{op}: y must have at least one dimension, got a single number")
    _check_reduction(op, reduction, len(y))
    return prepared(y=y, t=t)


@operation(
    lambda y, t, *, reduction: _core.squared_error(y, t, False, reduction),
    kernel="squared_error",
    inputs="y t",
    outputs="loss dy",
    shapes=_loss_and_gradient,
    flops=per_element(4),
    no_gradient="it returns its gradient",
    roundings=5,
    terms=_features,
)
def sum_squared_error(y: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> LossAndGradient:
    """Compute half the sum of squared differences of each sample, with its gradient.

    Parameters
    ----------
    y : array_like
        Outputs, of shape (n, ...).
    t : array_like
        Targets, of the same shape.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dy : ndarray
        Gradient with respect to the outputs, of their shape.

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


@operation(
    lambda y, t, *, reduction: _core.squared_error(y, t, True, reduction),
    kernel="squared_error",
    inputs="y t",
    outputs="loss dy",
    shapes=_loss_and_gradient,
    flops=per_element(4),
    no_gradient="it returns its gradient",
    roundings=5,
    terms=_features,
)
def mean_squared_error(y: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> LossAndGradient:
    """Compute the mean of squared differences of each sample, with its gradient.

    Parameters
    ----------
    y : array_like
        Outputs, of shape (n, ...), f elements a sample.
    t : array_like
        Targets, of the same shape.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dy : ndarray
        Gradient with respect to the outputs, of their shape.

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
