"""Normalisation over the batch and over the features, with gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_inference",
    "layer_norm",
    "layer_norm_backward",
    "update_running",
]


def _statistics(x: NDArray[Any], axes: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    mean = x.mean(axis=axes, keepdims=True)
    return mean, ((x - mean) ** 2).mean(axis=axes, keepdims=True)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def batch_norm(
    x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], *, epsilon: float = 1e-5
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Bring each channel to mean zero and variance one, then scale and shift it.

    Parameters
    ----------
    x : ndarray
        Input of shape (..., c); all axes but the last count as samples, m in all.
    gamma : ndarray
        Scale, of shape (c,).
    beta : ndarray
        Shift, of shape (c,).
    epsilon : float, default 1e-5
        Small number that is added to the variance.

    Returns
    -------
    y : ndarray
        Output, of the shape of x.
    mean : ndarray
        Mean of the samples, of shape (c,).
    inverse : ndarray
        One over the deviation, of shape (c,): what `batch_norm_backward` needs.
    variance : ndarray
        Variance of the samples, of shape (c,): what `update_running` needs.

    Notes
    -----
    μ = Σ x / m, σ² = Σ (x - μ)² / m, r = 1 / √(σ² + ε), y = γ (x - μ) r + β. Ioffe and Szegedy,
    "Batch normalization", ICML 2015.

    Examples
    --------
    >>> x, one, zero = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)
    >>> y, mean, inverse, variance = batch_norm(x, one, zero, epsilon=3)
    >>> y.ravel(), mean, inverse, variance
    (array([-0.5,  0.5]), array([2.]), array([0.5]), array([1.]))
    """
    axes = tuple(range(x.ndim - 1))
    mean, variance = (each.reshape(x.shape[-1]) for each in _statistics(x, axes))
    return _normalised(x, gamma, beta, mean, variance, epsilon)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def batch_norm_inference(
    x: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
    *,
    epsilon: float = 1e-5,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Normalise each channel by given statistics, then scale and shift it.

    Parameters
    ----------
    x : ndarray
        Input of shape (..., c).
    gamma : ndarray
        Scale, of shape (c,).
    beta : ndarray
        Shift, of shape (c,).
    mean : ndarray
        The mean to subtract, of shape (c,).
    variance : ndarray
        The variance to divide by the root of, of shape (c,).
    epsilon : float, default 1e-5
        Small number that is added to the variance.

    Returns
    -------
    y : ndarray
        Output, of the shape of x.
    inverse : ndarray
        One over the deviation, of shape (c,): what `batch_norm_backward` needs.

    Notes
    -----
    r = 1 / √(σ² + ε), y = γ (x - μ) r + β.

    Examples
    --------
    >>> x, one = np.array([[1.0], [3.0]]), np.ones(1)
    >>> y, inverse = batch_norm_inference(x, one, one, one, 3 * one, epsilon=1)
    >>> y.ravel(), inverse
    (array([1., 2.]), array([0.5]))
    """
    y, _, inverse, _ = _normalised(x, gamma, beta, mean, variance, epsilon)
    return y, inverse


def _normalised(
    x: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
    epsilon: float,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    inverse = 1 / np.sqrt(variance + epsilon)
    return gamma * ((x - mean) * inverse) + beta, mean, inverse, variance


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def update_running(
    running_mean: NDArray[Any],
    running_var: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
    *,
    samples: int,
    momentum: float = 0.1,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Move running statistics towards those of a batch.

    Parameters
    ----------
    running_mean : ndarray
        Running mean, of shape (c,); it starts as zeros.
    running_var : ndarray
        Running variance, of shape (c,); it starts as ones.
    mean : ndarray
        Mean of the batch, of shape (c,).
    variance : ndarray
        Variance of the batch, of shape (c,), as `batch_norm` returns it.
    samples : int
        How many numbers of each channel the batch had.
    momentum : float, default 0.1
        Share of the new statistics in the running ones.

    Returns
    -------
    running_mean : ndarray
        The new running mean.
    running_var : ndarray
        The new running variance.

    Notes
    -----
    The running variance takes the unbiased one: μ' = (1 - α) μ' + α μ,
    σ'² = (1 - α) σ'² + α σ² m / (m - 1), where a single sample counts as it is.

    Examples
    --------
    >>> one = np.ones(1)
    >>> update_running(0 * one, one, 2 * one, one, samples=2, momentum=0.5)
    (array([1.]), array([1.5]))
    """
    unbiased = variance * (samples / max(samples - 1, 1))
    return (
        (1 - momentum) * running_mean + momentum * mean,
        (1 - momentum) * running_var + momentum * unbiased,
    )


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def batch_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: NDArray[Any],
    mean: NDArray[Any],
    inverse: NDArray[Any],
    *,
    training: bool = True,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of batch normalisation.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output, of shape (..., c).
    x : ndarray
        The input, of the same shape.
    gamma : ndarray
        Scale, of shape (c,).
    mean : ndarray
        The mean that was subtracted, of shape (c,).
    inverse : ndarray
        One over the deviation, of shape (c,).
    training : bool, default True
        Whether mean and deviation were those of the samples.

    Returns
    -------
    dx : ndarray
        Gradient by the input.
    dgamma : ndarray
        Gradient by the scale, of shape (c,).
    dbeta : ndarray
        Gradient by the shift, of shape (c,).

    Notes
    -----
    With z = (x - μ) r: dβ = Σ dy, dγ = Σ dy z, and dx = γ r (dy - dβ / m - z dγ / m), or
    dx = γ r dy by running statistics, which do not depend on x.

    Examples
    --------
    >>> x, one = np.array([[-1.0], [1.0]]), np.ones(1)
    >>> dy = np.array([[3.0], [1.0]])
    >>> dx, dgamma, dbeta = batch_norm_backward(dy, x, one, 0 * one, one)
    >>> dx.ravel(), dgamma, dbeta
    (array([0., 0.]), array([-2.]), array([4.]))
    """
    axes = tuple(range(x.ndim - 1))
    z = (x - mean) * inverse
    dbeta, dgamma = dy.sum(axis=axes), (dy * z).sum(axis=axes)
    if not training:
        return gamma * inverse * dy, dgamma, dbeta
    samples = max(math.prod(x.shape[:-1]), 1)
    dx = gamma * inverse * (dy - dbeta / samples - z * (dgamma / samples))
    return dx, dgamma, dbeta


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def layer_norm(
    x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], *, epsilon: float = 1e-5
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Bring each sample to mean zero and variance one, then scale and shift its features.

    Parameters
    ----------
    x : ndarray
        Input of shape (..., *gamma.shape).
    gamma : ndarray
        Scale of the features; its axes are the last ones of x.
    beta : ndarray
        Shift, of the same shape.
    epsilon : float, default 1e-5
        Small number that is added to the variance.

    Returns
    -------
    y : ndarray
        Output, of the shape of x.
    mean : ndarray
        Mean of each sample, of the shape of x without the features' axes.
    inverse : ndarray
        One over the deviation of each sample, of the same shape.

    Notes
    -----
    As `batch_norm`, with the statistics of each sample's features: y = γ (x - μ) r + β. Ba, Kiros
    and Hinton, "Layer normalization", arXiv:1607.06450.

    Examples
    --------
    >>> y, mean, inverse = layer_norm(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2), epsilon=0)
    >>> y, mean, inverse
    (array([[-1.,  1.]]), array([2.]), array([1.]))
    """
    axes = tuple(range(-gamma.ndim, 0))
    mean, variance = _statistics(x, axes)
    inverse = 1 / np.sqrt(variance + epsilon)
    y = gamma * ((x - mean) * inverse) + beta
    return y, mean.squeeze(axes), inverse.squeeze(axes)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def layer_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: NDArray[Any],
    mean: NDArray[Any],
    inverse: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of layer normalisation.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output, of shape (..., *gamma.shape).
    x : ndarray
        The input, of the same shape.
    gamma : ndarray
        Scale of the features.
    mean : ndarray
        Mean of each sample.
    inverse : ndarray
        One over the deviation of each sample.

    Returns
    -------
    dx : ndarray
        Gradient by the input.
    dgamma : ndarray
        Gradient by the scale, summed over the samples.
    dbeta : ndarray
        Gradient by the shift, summed over the samples.

    Notes
    -----
    With z = (x - μ) r, g = γ dy, and means over the features of a sample:
    dx = r (g - mean(g) - z mean(g z)), dγ = Σ dy z, dβ = Σ dy.

    Examples
    --------
    >>> x, dy = np.array([[-1.0, 1.0]]), np.array([[3.0, 1.0]])
    >>> dx, dgamma, dbeta = layer_norm_backward(dy, x, np.ones(2), np.zeros(1), np.ones(1))
    >>> dx, dgamma, dbeta
    (array([[0., 0.]]), array([-3.,  1.]), array([3., 1.]))
    """
    features = tuple(range(-gamma.ndim, 0))
    samples = tuple(range(x.ndim - gamma.ndim))
    mean, inverse = np.expand_dims(mean, features), np.expand_dims(inverse, features)
    z = (x - mean) * inverse
    g = gamma * dy
    g_mean = g.mean(axis=features, keepdims=True)
    gz_mean = (g * z).mean(axis=features, keepdims=True)
    dx = inverse * (g - g_mean - z * gz_mean)
    return dx, (dy * z).sum(axis=samples), dy.sum(axis=samples)
