"""Normalisation over the batch and over the features, with gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.ops.arrays import buffer, check_shape, floats, real_buffer, results
from gyaku.ops.op import operation, per_element, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

    Out = tuple[NDArray[Any] | None, ...]
    Gradients = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

__all__ = ["batch_norm", "batch_norm_backward", "batch_norm_inference", "layer_norm"]
__all__ += ["layer_norm_backward", "update_running"]


def _statistics(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    x, gamma, _ = shapes
    samples = x[: len(x) - len(gamma)]
    return x, samples, samples


def _gradients(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    _, x, gamma, *_ = shapes
    return x, gamma, gamma


def _elements(inputs: Shapes, outputs: Shapes) -> int:
    del inputs
    return math.prod(outputs[0])


def _check_channels(op: str, x: NDArray[Any], **parameters: NDArray[Any]) -> None:
    if not x.ndim:
        raise ValueError(f"{op}: x must have at least one dimension, got a single number")
    for name, each in parameters.items():
        check_shape(op, name, each, x.shape[-1:])


def _check_features(op: str, x: NDArray[Any], gamma: NDArray[Any]) -> None:
    if not gamma.ndim or x.shape[max(x.ndim - gamma.ndim, 0) :] != gamma.shape:
        raise ValueError(
            f"{op}: the last axes of x must be those of gamma, got shapes {x.shape} and"
            f" {gamma.shape}"
        )
    if not math.prod(gamma.shape):
        raise ValueError(f"{op}: a sample needs at least one feature, got shape {gamma.shape}")


@operation(
    _core.batch_norm,
    inputs="x gamma beta",
    outputs="y mean inverse variance",
    shapes=lambda shapes, **_keywords: (shapes[0], *[shapes[1]] * 3),
    flops=per_element(8),
    saves="input",
    gradient="batch_norm_backward",
    roundings=8,
    terms=_elements,
)
def batch_norm(
    x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, *, epsilon: float = 1e-5
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Normalise each channel to mean zero and variance one, then scale and shift it.

    Parameters
    ----------
    x : array_like
        Input of shape (..., c); all axes but the last count as samples, m in all.
    gamma : array_like
        Scale, of shape (c,).
    beta : array_like
        Shift, of shape (c,).
    epsilon : float, default 1e-5
        Small constant added to the variance.

    Returns
    -------
    y : ndarray
        Output, of the shape of x.
    mean : ndarray
        Mean of the samples, of shape (c,).
    inverse : ndarray
        Inverse standard deviation, of shape (c,), for `batch_norm_backward`.
    variance : ndarray
        Variance of the samples, of shape (c,), for `update_running`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes do not fit, or there is no sample.

    Notes
    -----
    μ = Σ x / m, σ² = Σ (x - μ)² / m, r = 1 / √(σ² + ε), y = γ (x - μ) r + β. Ioffe and Szegedy,
    "Batch normalization", ICML 2015.

    Examples
    --------
    >>> from gyaku import ops
    >>> y, mean, inverse, variance = ops.batch_norm([[1.0], [3.0]], [1.0], [0.0], epsilon=3)
    >>> y.ravel(), mean, inverse, variance
    (array([-0.5,  0.5]), array([2.]), array([0.5]), array([1.]))
    """
    op = "batch_norm"
    x, gamma, beta = floats(op, x=x, gamma=gamma, beta=beta)
    _check_channels(op, x, gamma=gamma, beta=beta)
    if not x.size:
        raise ValueError(f"{op}: the batch is empty, statistics need at least one sample")
    return prepared(x=x, gamma=gamma, beta=beta)


@operation(
    _core.batch_norm_inference,
    inputs="x gamma beta mean variance",
    outputs="y inverse",
    shapes=lambda shapes, **_keywords: (shapes[0], shapes[1]),
    flops=per_element(4),
    saves="input",
    gradient="batch_norm_backward",
    roundings=7,
)
def batch_norm_inference(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    *,
    epsilon: float = 1e-5,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Normalise each channel by given statistics, then scale and shift it.

    Parameters
    ----------
    x : array_like
        Input of shape (..., c).
    gamma : array_like
        Scale, of shape (c,).
    beta : array_like
        Shift, of shape (c,).
    mean : array_like
        Given mean, of shape (c,).
    variance : array_like
        Given variance, of shape (c,).
    epsilon : float, default 1e-5
        Small constant added to the variance.

    Returns
    -------
    y : ndarray
        Output, of the shape of x.
    inverse : ndarray
        Inverse standard deviation, of shape (c,), for `batch_norm_backward`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes do not fit.

    Notes
    -----
    r = 1 / √(σ² + ε), y = γ (x - μ) r + β.

    Examples
    --------
    >>> from gyaku import ops
    >>> y, inverse = ops.batch_norm_inference([[1.0], [3.0]], [1.0], [1.0], [1.0], [3.0], epsilon=1)
    >>> y.ravel(), inverse
    (array([1., 2.]), array([0.5]))
    """
    op = "batch_norm_inference"
    x, gamma, beta, mean, variance = floats(
        op, x=x, gamma=gamma, beta=beta, mean=mean, variance=variance
    )
    _check_channels(op, x, gamma=gamma, beta=beta, mean=mean, variance=variance)
    return prepared(x=x, gamma=gamma, beta=beta, mean=mean, variance=variance)


@operation(
    lambda dy, x, gamma, mean, inverse, training, out: _core.batch_norm_backward(
        dy, x, gamma, mean, inverse, training, *(out or (None, None, None))
    ),
    inputs="dy x gamma mean inverse",
    outputs="dx dgamma dbeta",
    shapes=_gradients,
    flops=per_element(10),
    no_gradient="it is a gradient",
    roundings=8,
    terms=_elements,
)
def batch_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: ArrayLike,
    inverse: ArrayLike,
    *,
    training: bool = True,
    out: Out | None = None,
) -> Gradients:
    """Return the gradients of batch normalisation.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (..., c).
    x : array_like
        The input, of the same shape.
    gamma : array_like
        Scale, of shape (c,).
    mean : array_like
        Mean of the forward pass, of shape (c,).
    inverse : array_like
        Inverse standard deviation, of shape (c,).
    training : bool, default True
        Whether mean and variance were those of the samples.
    out : tuple of (ndarray or None) or None, optional
        Arrays that the three results are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the input.
    dgamma : ndarray
        Gradient with respect to the scale, of shape (c,).
    dbeta : ndarray
        Gradient with respect to the shift, of shape (c,).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or an array of out has another dtype.
    ValueError
        If shapes do not fit, or an array of out overlaps an argument.

    Notes
    -----
    With z = (x - μ) r: dβ = Σ dy, dγ = Σ dy z, and dx = γ r (dy - dβ / m - z dγ / m), or
    dx = γ r dy by given statistics, which do not depend on x.

    Examples
    --------
    >>> from gyaku import ops
    >>> x, dy = [[-1.0], [1.0]], [[3.0], [1.0]]
    >>> dx, dgamma, dbeta = ops.batch_norm_backward(dy, x, [1.0], [0.0], [1.0])
    >>> dx.ravel(), dgamma, dbeta
    (array([0., 0.]), array([-2.]), array([4.]))
    """
    op = "batch_norm_backward"
    arrays = dy, x, gamma, mean, inverse = floats(
        op, dy=dy, x=x, gamma=gamma, mean=mean, inverse=inverse
    )
    _check_channels(op, x, gamma=gamma, mean=mean, inverse=inverse)
    check_shape(op, "dy", dy, x.shape)
    read = dict(zip(("dy", "x", "gamma", "mean", "inverse"), arrays, strict=True))
    shapes = [x.shape, gamma.shape, gamma.shape]
    return prepared(**read, out=results(op, "dx dgamma dbeta", out, shapes, **read))


@operation(
    _core.layer_norm,
    inputs="x gamma beta",
    outputs="y mean inverse",
    shapes=_statistics,
    flops=per_element(8),
    saves="input",
    gradient="layer_norm_backward",
    roundings=8,
    terms=lambda inputs, _outputs: math.prod(inputs[1]),
)
def layer_norm(
    x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, *, epsilon: float = 1e-5
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Normalise each sample to mean zero and variance one, then scale and shift its features.

    Parameters
    ----------
    x : array_like
        Input of shape ``(..., *gamma.shape)``.
    gamma : array_like
        Scale of the features; its axes are the last ones of x.
    beta : array_like
        Shift, of the same shape.
    epsilon : float, default 1e-5
        Small constant added to the variance.

    Returns
    -------
    y : ndarray
        Output, of the shape of x.
    mean : ndarray
        Mean of each sample, of the shape of x without the axes of the features.
    inverse : ndarray
        Inverse standard deviation of each sample, of the same shape.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes do not fit, or there are no features.

    Notes
    -----
    As `batch_norm`, with the statistics of each sample's features: y = γ (x - μ) r + β. Ba, Kiros
    and Hinton, "Layer normalization", arXiv:1607.06450.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.layer_norm([[1.0, 3.0]], [1.0, 1.0], [0.0, 0.0], epsilon=3)
    (array([[-0.5,  0.5]]), array([2.]), array([0.5]))
    """
    op = "layer_norm"
    x, gamma, beta = floats(op, x=x, gamma=gamma, beta=beta)
    _check_features(op, x, gamma)
    check_shape(op, "beta", beta, gamma.shape)
    return prepared(x=x, gamma=gamma, beta=beta)


@operation(
    lambda dy, x, gamma, mean, inverse, out: _core.layer_norm_backward(
        dy, x, gamma, mean, inverse, *(out or (None, None, None))
    ),
    inputs="dy x gamma mean inverse",
    outputs="dx dgamma dbeta",
    shapes=_gradients,
    flops=per_element(14),
    no_gradient="it is a gradient",
    roundings=8,
    terms=_elements,
)
def layer_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: ArrayLike,
    inverse: ArrayLike,
    *,
    out: Out | None = None,
) -> Gradients:
    """Return the gradients of layer normalisation.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape ``(..., *gamma.shape)``.
    x : array_like
        The input, of the same shape.
    gamma : array_like
        Scale of the features.
    mean : array_like
        Mean of each sample.
    inverse : array_like
        Inverse standard deviation of each sample.
    out : tuple of (ndarray or None) or None, optional
        Arrays that the three results are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the input.
    dgamma : ndarray
        Gradient with respect to the scale, summed over the samples.
    dbeta : ndarray
        Gradient with respect to the shift, summed over the samples.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or an array of out has another dtype.
    ValueError
        If shapes do not fit, or an array of out overlaps an argument.

    Notes
    -----
    With z = (x - μ) r, g = γ dy, and means over the features of a sample:
    dx = r (g - mean(g) - z mean(g z)), dγ = Σ dy z, dβ = Σ dy.

    Examples
    --------
    >>> from gyaku import ops
    >>> x, dy = [[-1.0, 1.0]], [[3.0, 1.0]]
    >>> dx, dgamma, dbeta = ops.layer_norm_backward(dy, x, [1.0, 1.0], [0.0], [1.0])
    >>> dx, dgamma, dbeta
    (array([[0., 0.]]), array([-3.,  1.]), array([3., 1.]))
    """
    op = "layer_norm_backward"
    arrays = dy, x, gamma, mean, inverse = floats(
        op, dy=dy, x=x, gamma=gamma, mean=mean, inverse=inverse
    )
    _check_features(op, x, gamma)
    check_shape(op, "dy", dy, x.shape)
    for name, statistic in (("mean", mean), ("inverse", inverse)):
        check_shape(op, name, statistic, x.shape[: x.ndim - gamma.ndim])
    read = dict(zip(("dy", "x", "gamma", "mean", "inverse"), arrays, strict=True))
    shapes = [x.shape, gamma.shape, gamma.shape]
    return prepared(**read, out=results(op, "dx dgamma dbeta", out, shapes, **read))


@operation(
    _core.update_running,
    inputs="running_mean running_var mean variance",
    outputs="running_mean running_var",
    shapes=lambda shapes, **_keywords: (shapes[0], shapes[0]),
    flops=per_element(7),
    in_place=True,
    no_gradient="bookkeeping",
    roundings=5,
    cancels=True,
)
def update_running(
    running_mean: NDArray[Any],
    running_var: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
    *,
    samples: int,
    momentum: float = 0.1,
) -> None:
    """Update running statistics by those of a batch, in place.

    Parameters
    ----------
    running_mean : ndarray
        Running mean, float32 or float64 of shape (c,); it starts as zeros.
    running_var : ndarray
        Running variance, of the same shape and dtype; it starts as ones.
    mean : ndarray
        Mean of the batch, of the same shape and dtype.
    variance : ndarray
        Variance of the batch, of the same shape and dtype, as `batch_norm` returns it.
    samples : int
        Number of elements of each channel in the batch.
    momentum : float, default 0.1
        Weight of the new statistics in the running ones.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or a number is out of range.

    Notes
    -----
    The running variance takes the unbiased one: μ' = (1 - α) μ' + α μ,
    σ'² = (1 - α) σ'² + α σ² m / (m - 1), with the factor 1 for a single sample.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> running_mean, running_var = np.zeros(1), np.ones(1)
    >>> ops.update_running(
    ...     running_mean, running_var, np.array([2.0]), np.ones(1), samples=2, momentum=0.5
    ... )
    >>> running_mean, running_var
    (array([1.]), array([1.5]))
    """
    op = "update_running"
    real_buffer(op, "running_mean", running_mean)
    dtype, shape = running_mean.dtype, running_mean.shape
    buffer(op, "running_var", running_var, dtype, shape)
    buffer(op, "mean", mean, dtype, shape, written=False)
    buffer(op, "variance", variance, dtype, shape, written=False)
    if samples < 1:
        raise ValueError(f"{op}: samples must be at least 1, got {samples}")
    if not 0 <= momentum <= 1:
        raise ValueError(f"{op}: momentum must be 0 to 1, got {momentum}")
