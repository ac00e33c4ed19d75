"""Losses with their gradients.

A loss is a float64 array of shape (1,), so that a recorded step can compute with it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.checks import first_element
from gyaku.ops.arrays import (
    FLOAT64,
    INT64,
    check_same_shape,
    convert,
    floating,
    lengths_of,
    real_numbers,
)
from gyaku.ops.op import operation, per_element, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

    LossAndGradient = tuple[NDArray[Any], NDArray[Any]]

__all__ = ["binary_cross_entropy", "cross_entropy", "huber", "mean_absolute_error"]
__all__ += ["mean_squared_error", "sigmoid_cross_entropy", "softmax_cross_entropy"]
__all__ += ["sum_squared_error"]


def _loss_and_gradient(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    return (1,), shapes[0]


def _classes(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return inputs[0][-1]


def _features(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return math.prod(inputs[0][1:])


def scores_of(op: str, name: str, x: ArrayLike) -> NDArray[Any]:
    """Return scores of classes, on the last axis, in the form of a kernel's input.

    Parameters
    ----------
    op, name : str
        Operation and argument, for errors.
    x : array_like
        Real numbers of shape (n, ..., c).

    Returns
    -------
    ndarray
        The scores.

    Raises
    ------
    ValueError
        If x has fewer than two dimensions, or no column.
    """
    array = floating(op, name, x)
    if array.ndim < 2:
        raise ValueError(f"{op}: {name} must have two or more dimensions, got shape {array.shape}")
    if array.shape[-1] == 0:
        raise ValueError(f"{op}: {name} must have a column, got shape {array.shape}")
    return array


def sequence_lengths_of(
    op: str, name: str, lengths: ArrayLike | None, y: NDArray[Any]
) -> NDArray[np.int64] | None:
    """Return the lengths of the sequences of an array, if they are padded.

    Parameters
    ----------
    op, name : str
        Operation and name of the array, for errors.
    lengths : array_like or None
        Integers of shape (n,).
    y : ndarray
        Array of shape (n, t, ..., c).

    Returns
    -------
    ndarray of int64 or None
        The lengths.

    Raises
    ------
    ValueError
        If the array has no time axis, or a length is out of range.
    """
    if lengths is not None and y.ndim < 3:
        raise ValueError(
            f"{op}: lengths are for {name} of shape (samples, steps, ...), got shape {y.shape}"
        )
    return lengths_of(op, lengths, *y.shape[:2]) if y.ndim > 1 else None


def weights_of(
    op: str, name: str, weights: ArrayLike | None, y: NDArray[Any]
) -> NDArray[np.float64] | None:
    """Return sample weights in the form of a kernel's input.

    Parameters
    ----------
    op, name : str
        Operation and name of the array, for errors.
    weights : array_like or None
        Real numbers of the shape of the array's first axes.
    y : ndarray
        Array of shape (n, ...), with the weighted positions on all axes but the last.

    Returns
    -------
    ndarray of float64 or None
        The weights.

    Raises
    ------
    TypeError
        If they are no real numbers.
    ValueError
        If they have another shape, or there are none.
    """
    if weights is None:
        return None
    array = convert(op, real_numbers(op, "sample_weight", weights), FLOAT64)
    most = max(y.ndim - 1, 1)
    if not 0 < array.ndim <= most or array.shape != y.shape[: array.ndim]:
        shapes = " or ".join(str(y.shape[:axes]) for axes in range(1, most + 1))
        raise ValueError(
            f"{op}: sample_weight must have the shape {shapes}, that of the first axes of {name},"
            f" got {array.shape}"
        )
    return array


def target_of(
    op: str,
    target: ArrayLike,
    scores: NDArray[Any],
    lengths: NDArray[np.int64] | None = None,
    *,
    classes: int | None = None,
) -> NDArray[Any]:
    """Return targets as labels, or as an array of the shape of the scores.

    Parameters
    ----------
    op : str
        Operation, for errors.
    target : array_like
        Integer labels of shape (n, ...) or (n, ..., 1), or real numbers of shape (n, ..., c).
    scores : ndarray
        Scores of shape (n, ..., c).
    lengths : ndarray or None, optional
        Lengths of padded sequences; labels behind them may be any integers.
    classes : int or None, optional
        Number of classes of labels; None is c.

    Returns
    -------
    ndarray
        Labels, int64 of shape (n, ...), or targets of shape (n, ..., c) in the dtype of the scores.

    Raises
    ------
    TypeError
        If the target does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, or a label is out of range.
    """
    array = real_numbers(op, "target", target)
    *positions, columns = scores.shape
    labelled = array.ndim == len(positions) or array.shape[len(positions) :] == (1,)
    if array.dtype.kind in "iub" and array.ndim and labelled:
        return _labels(op, array, (*positions,), lengths, classes or columns)
    if array.shape == scores.shape:
        return floating(op, "target", array, scores.dtype)
    if array.ndim == len(positions) and array.dtype.kind == "f":
        raise TypeError(f"{op}: target must be integer labels, got {array.dtype} labels")
    raise ValueError(
        f"{op}: target must be {_described((*positions,))} or an array of shape {scores.shape},"
        f" got shape {array.shape}"
    )


def _described(positions: Shape) -> str:
    return f"labels of shape {positions}" if len(positions) > 1 else f"{positions[0]} labels"


def _labels(
    op: str, array: NDArray[Any], positions: Shape, lengths: Any, classes: int
) -> NDArray[Any]:
    if math.prod(array.shape) != math.prod(positions) or array.shape[0] != positions[0]:
        given = f"shape {array.shape}" if len(positions) > 1 else len(array)
        raise ValueError(f"{op}: target must be {_described(positions)}, got {given}")
    labels = convert(op, array.reshape(positions), INT64)
    # As unsigned integers the negative labels are the largest: one pass finds both kinds.
    if labels.size and int(labels.view(np.uint64).max()) >= classes:
        outside = (labels < 0) | (labels >= classes)
        if lengths is not None:
            outside[np.arange(positions[1]) >= lengths[:, np.newaxis]] = False
        if outside.any():
            label, where = first_element(labels, outside)
            raise ValueError(
                f"{op}: target in {where} is label {label},"
                f" with {classes} classes it must be 0 to {classes - 1}"
            )
    return labels


def _check_reduction(op: str, reduction: str, samples: int) -> None:
    if samples == 0:
        raise ValueError(f"{op}: the batch is empty, a loss needs at least one sample")
    if reduction not in ("mean", "sum"):
        raise ValueError(f'{op}: reduction must be "mean" or "sum", got {reduction!r}')


def _check_delta(op: str, delta: float) -> None:
    if not delta > 0:
        raise ValueError(f"{op}: delta must be above 0, got {delta}")


@operation(
    _core.softmax_cross_entropy,
    inputs="logits target",
    outputs="loss dlogits",
    shapes=_loss_and_gradient,
    flops=per_element(10),
    no_gradient="it returns its gradient",
    roundings=12,
    terms=_classes,
)
def softmax_cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> LossAndGradient:
    """Compute the cross-entropy between targets and the softmax of scores, with its gradient.

    Parameters
    ----------
    logits : array_like
        Scores, of shape (n, ..., c); with axes between, as of time, a sample has several positions.
    target : array_like
        Integer labels of shape (n, ...) or (n, ..., 1), or probabilities of shape (n, ..., c).
    lengths : array_like of int or None, optional
        Lengths of sequences that are padded behind their ends, 1 to t, of shape (n,) for scores of
        shape (n, t, ..., c).
    sample_weight : array_like or None, optional
        Weights of the samples, of shape (n,), or of positions: (n, t), (n, h, w), the first axes of
        the outputs.
    label_smoothing : float, default 0.0
        Fraction ε of each target that is spread evenly over the classes, 0 to 1.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over all m positions, the real ones if there are lengths.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dlogits : ndarray
        Gradient with respect to the scores, of their shape; zeros at padded steps.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, the batch is empty, or a label or a keyword is out of range.

    Notes
    -----
    With t' = (1 - ε) t + ε / c and p = softmax(x): L = -Σ t' log p, dx = p Σ t' - t', where the
    sum runs over the row (it is one for probabilities), both divided by m for the mean. A class
    of target zero adds nothing, even if its score is -inf. With weights, the losses of samples or
    positions are multiplied by them, and the mean is Σ w L / Σ w; where w is 0 there is no loss and
    no gradient, whatever the row holds. Label smoothing: Szegedy et al.,
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
    logits = scores_of(op, "logits", logits)
    lengths = sequence_lengths_of(op, "logits", lengths, logits)
    target = target_of(op, target, logits, lengths)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{op}: label_smoothing must be 0 to 1, got {label_smoothing}")
    _check_reduction(op, reduction, len(logits))
    weights = weights_of(op, "logits", sample_weight, logits)
    return prepared(logits=logits, target=target, lengths=lengths, sample_weight=weights)


@operation(
    _core.cross_entropy,
    inputs="p target",
    outputs="loss dp",
    shapes=_loss_and_gradient,
    flops=per_element(6),
    no_gradient="it returns its gradient",
    roundings=7,
    terms=_classes,
)
def cross_entropy(
    p: ArrayLike,
    target: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    delta: float = 1e-7,
    reduction: str = "mean",
) -> LossAndGradient:
    """Compute the cross-entropy between targets and given probabilities, with its gradient.

    Parameters
    ----------
    p : array_like
        Probabilities, of shape (n, ..., c).
    target : array_like
        Integer labels of shape (n, ...) or (n, ..., 1), or probabilities of shape (n, ..., c).
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,); see `softmax_cross_entropy`.
    sample_weight : array_like or None, optional
        Weights of the samples, of shape (n,), or of positions: (n, t), (n, h, w), the first axes of
        the outputs.
    delta : float, default 1e-7
        Small positive constant that keeps the logarithm finite at zero.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over all m positions, the real ones if there are lengths.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dp : ndarray
        Gradient with respect to the probabilities, of their shape; zeros at padded steps.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or labels are no integers.
    ValueError
        If shapes do not match, the batch is empty, or a label or a keyword is out of range.

    Notes
    -----
    L = -Σ t log(p + δ), dp = -t / (p + δ), both divided by m for the mean; Saito, "Deep learning
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
    p = scores_of(op, "p", p)
    lengths = sequence_lengths_of(op, "p", lengths, p)
    target = target_of(op, target, p, lengths)
    _check_delta(op, delta)
    _check_reduction(op, reduction, len(p))
    weights = weights_of(op, "p", sample_weight, p)
    return prepared(p=p, target=target, lengths=lengths, sample_weight=weights)


def _element_loss(
    op: str,
    name: str,
    y: ArrayLike,
    t: ArrayLike,
    lengths: ArrayLike | None,
    sample_weight: ArrayLike | None,
    reduction: str,
) -> LossAndGradient:
    y = floating(op, name, y)
    t = floating(op, "t", t, y.dtype)
    check_same_shape(op, f"{name} and t", y, t)
    if y.ndim == 0:
        raise ValueError(f"{op}: {name} must have at least one dimension, got a single number")
    _check_reduction(op, reduction, len(y))
    lengths = sequence_lengths_of(op, name, lengths, y)
    weights = weights_of(op, name, sample_weight, y)
    return prepared(**{name: y}, t=t, lengths=lengths, sample_weight=weights)


@operation(
    lambda y, t, lengths, sample_weight, reduction: _core.squared_error(
        *(y, t, lengths, sample_weight), False, reduction
    ),
    kernel="squared_error",
    inputs="y t",
    outputs="loss dy",
    shapes=_loss_and_gradient,
    flops=per_element(4),
    no_gradient="it returns its gradient",
    roundings=5,
    terms=_features,
)
def sum_squared_error(
    y: ArrayLike,
    t: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Compute half the sum of squared differences of each sample, with its gradient.

    Parameters
    ----------
    y : array_like
        Outputs, of shape (n, ...).
    t : array_like
        Targets, of the same shape.
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,) for outputs of shape (n, t, ...). Each real step
        counts as a sample then, and the gradient is zero behind them.
    sample_weight : array_like or None, optional
        Weights of the samples, of shape (n,), or of positions: (n, t), (n, h, w), the first axes of
        the outputs.
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
    return _element_loss("sum_squared_error", "y", y, t, lengths, sample_weight, reduction)


@operation(
    lambda y, t, lengths, sample_weight, reduction: _core.squared_error(
        *(y, t, lengths, sample_weight), True, reduction
    ),
    kernel="squared_error",
    inputs="y t",
    outputs="loss dy",
    shapes=_loss_and_gradient,
    flops=per_element(4),
    no_gradient="it returns its gradient",
    roundings=5,
    terms=_features,
)
def mean_squared_error(
    y: ArrayLike,
    t: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Compute the mean of squared differences of each sample, with its gradient.

    Parameters
    ----------
    y : array_like
        Outputs, of shape (n, ...), f elements a sample.
    t : array_like
        Targets, of the same shape.
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,) for outputs of shape (n, t, ...). Each real step
        counts as a sample then, and the gradient is zero behind them.
    sample_weight : array_like or None, optional
        Weights of the samples, of shape (n,), or of positions: (n, t), (n, h, w), the first axes of
        the outputs.
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
    return _element_loss("mean_squared_error", "y", y, t, lengths, sample_weight, reduction)


@operation(
    lambda y, t, lengths, sample_weight, reduction: _core.absolute_error(
        *(y, t, lengths, sample_weight), reduction
    ),
    kernel="absolute_error",
    inputs="y t",
    outputs="loss dy",
    shapes=_loss_and_gradient,
    flops=per_element(3),
    no_gradient="it returns its gradient",
    roundings=4,
    terms=_features,
)
def mean_absolute_error(
    y: ArrayLike,
    t: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Compute the mean of absolute differences of each sample, with its gradient.

    Parameters
    ----------
    y : array_like
        Outputs, of shape (n, ...), f elements a sample.
    t : array_like
        Targets, of the same shape.
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,) for outputs of shape (n, t, ...). Each real step
        counts as a sample then, and the gradient is zero behind them.
    sample_weight : array_like or None, optional
        Weights of the samples, of shape (n,), or of positions: (n, t), (n, h, w), the first axes of
        the outputs.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dy : ndarray
        Gradient with respect to the outputs, of their shape; 0 where outputs equal targets.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, the batch is empty, or there is no such reduction.

    Notes
    -----
    ``L = Σ |y - t| / f``, ``dy = sign(y - t) / f``, both divided by n for the mean.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.mean_absolute_error([[1.0, -2.0]], [[0.0, 0.0]])
    (array([1.5]), array([[ 0.5, -0.5]]))
    """
    return _element_loss("mean_absolute_error", "y", y, t, lengths, sample_weight, reduction)


@operation(
    _core.huber,
    inputs="y t",
    outputs="loss dy",
    shapes=_loss_and_gradient,
    flops=per_element(7),
    no_gradient="it returns its gradient",
    roundings=6,
    terms=_features,
)
def huber(
    y: ArrayLike,
    t: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    delta: float = 1.0,
    reduction: str = "mean",
) -> LossAndGradient:
    """Compute the mean Huber loss of the differences of each sample, with its gradient.

    Parameters
    ----------
    y : array_like
        Outputs, of shape (n, ...), f elements a sample.
    t : array_like
        Targets, of the same shape.
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,) for outputs of shape (n, t, ...). Each real step
        counts as a sample then, and the gradient is zero behind them.
    sample_weight : array_like or None, optional
        Weights of the samples, of shape (n,), or of positions: (n, t), (n, h, w), the first axes of
        the outputs.
    delta : float, default 1.0
        Distance up to which the loss is quadratic, above 0.
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
        If shapes differ, the batch is empty, delta is not positive, or there is no such reduction.

    Notes
    -----
    With ``d = y - t`` and ``c = min(|d|, δ)``: ``L = Σ c (|d| - c / 2) / f``, which is ``d² / 2``
    up to δ and ``δ (|d| - δ / 2)`` beyond; ``dy = c sign(d) / f``; both divided by n for the mean.
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.huber([[0.5, -3.0]], [[0.0, 0.0]])
    (array([1.3125]), array([[ 0.25, -0.5 ]]))
    """
    _check_delta("huber", delta)
    return _element_loss("huber", "y", y, t, lengths, sample_weight, reduction)


@operation(
    _core.binary_cross_entropy,
    inputs="p t",
    outputs="loss dp",
    shapes=_loss_and_gradient,
    flops=per_element(14),
    no_gradient="it returns its gradient",
    roundings=8,
    terms=_features,
)
def binary_cross_entropy(
    p: ArrayLike,
    t: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    delta: float = 1e-7,
    reduction: str = "mean",
) -> LossAndGradient:
    """Compute the mean cross-entropy of yes-or-no labels, given probabilities, with its gradient.

    Parameters
    ----------
    p : array_like
        Probabilities of yes, of shape (n, ...), f labels a sample.
    t : array_like
        Targets, 0, 1 or between, of the same shape.
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,) for outputs of shape (n, t, ...). Each real step
        counts as a sample then, and the gradient is zero behind them.
    sample_weight : array_like or None, optional
        Weights of the samples, of shape (n,), or of positions: (n, t), (n, h, w), the first axes of
        the outputs.
    delta : float, default 1e-7
        Small positive constant that keeps the logarithms finite.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dp : ndarray
        Gradient with respect to the probabilities, of their shape.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, the batch is empty, delta is not positive, or there is no such reduction.

    Notes
    -----
    L = -Σ (t log(p + δ) + (1 - t) log(1 - p + δ)) / f and
    dp = ((1 - t) / (1 - p + δ) - t / (p + δ)) / f, both divided by n for the mean. Bishop, "Pattern
    recognition and machine learning", section 5.2.

    Examples
    --------
    >>> from gyaku import ops
    >>> loss, dp = ops.binary_cross_entropy([[0.5, 0.5]], [[1.0, 0.0]])
    >>> loss.round(4)
    array([0.6931])
    >>> dp.round(4)
    array([[-1.,  1.]])
    """
    _check_delta("binary_cross_entropy", delta)
    return _element_loss("binary_cross_entropy", "p", p, t, lengths, sample_weight, reduction)


@operation(
    _core.sigmoid_cross_entropy,
    inputs="logits t",
    outputs="loss dlogits",
    shapes=_loss_and_gradient,
    flops=per_element(10),
    no_gradient="it returns its gradient",
    roundings=8,
    terms=_features,
)
def sigmoid_cross_entropy(
    logits: ArrayLike,
    t: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Compute the mean cross-entropy of yes-or-no labels, given logits, with its gradient.

    Parameters
    ----------
    logits : array_like
        Outputs without activation, of shape (n, ...), f labels a sample.
    t : array_like
        Targets, 0, 1 or between, of the same shape.
    lengths : array_like of int or None, optional
        Lengths of padded sequences, of shape (n,) for outputs of shape (n, t, ...). Each real step
        counts as a sample then, and the gradient is zero behind them.
    sample_weight : array_like or None, optional
        Weights of the samples, of shape (n,), or of positions: (n, t), (n, h, w), the first axes of
        the outputs.
    reduction : {"mean", "sum"}, default "mean"
        Mean or sum over the n samples.

    Returns
    -------
    loss : ndarray
        The loss, float64 of shape (1,).
    dlogits : ndarray
        Gradient with respect to the logits, of their shape.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, the batch is empty, or there is no such reduction.

    Notes
    -----
    With p = sigmoid(x): L = -Σ (t log p + (1 - t) log(1 - p)) / f, computed as
    ``max(x, 0) - x t + log(1 + e^-|x|)``, which is finite for any finite x; dx = (p - t) / f; both
    divided by n for the mean. Bishop, "Pattern recognition and machine learning", section 5.2.

    Examples
    --------
    >>> from gyaku import ops
    >>> loss, dlogits = ops.sigmoid_cross_entropy([[0.0, 1e4]], [[1.0, 1.0]])
    >>> loss.round(4)
    array([0.3466])
    >>> dlogits
    array([[-0.25,  0.  ]])
    """
    return _element_loss(
        "sigmoid_cross_entropy", "logits", logits, t, lengths, sample_weight, reduction
    )
