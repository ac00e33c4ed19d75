"""Functions of the textbook: activations, losses, and their derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import ops
from gyaku.dlfs.images import elementwise, floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

__all__ = ["cross_entropy_error", "identity_function", "relu", "relu_grad", "sigmoid"]
__all__ += ["sigmoid_grad", "softmax", "softmax_loss", "step_function", "sum_squared_error"]


def identity_function(x: Array) -> Array:
    """Return the argument.

    Parameters
    ----------
    x : ndarray
        Any array.

    Returns
    -------
    ndarray
        The same array.
    """
    return x


def step_function(x: ArrayLike) -> Array:
    """Return 1 where x > 0, else 0.

    Parameters
    ----------
    x : array_like
        Real numbers.

    Returns
    -------
    ndarray
        Integers, of the shape of `x`.
    """
    return np.asarray(np.asarray(x) > 0, int)


def sigmoid(x: ArrayLike) -> Array:
    """Return the logistic function 1 / (1 + exp(-x)), without overflow.

    Parameters
    ----------
    x : array_like
        Real numbers.

    Returns
    -------
    ndarray
        Values between 0 and 1, of the shape of `x`.
    """
    return elementwise(ops.sigmoid, np.asarray(x))


def sigmoid_grad(x: ArrayLike) -> Array:
    """Return the derivative of the logistic function, σ(x) (1 - σ(x)).

    Parameters
    ----------
    x : array_like
        Real numbers.

    Returns
    -------
    ndarray
        The derivatives, of the shape of `x`.
    """
    y = sigmoid(x)
    gradient: Array = y * (1 - y)
    return gradient


def relu(x: ArrayLike) -> Array:
    """Return max(x, 0).

    Parameters
    ----------
    x : array_like
        Real numbers.

    Returns
    -------
    ndarray
        The rectified values, of the shape of `x`.
    """
    return elementwise(ops.relu, np.asarray(x))


def relu_grad(x: ArrayLike) -> Array:
    """Return the derivative of `relu`: 1 where x > 0, else 0.

    Parameters
    ----------
    x : array_like
        Real numbers.

    Returns
    -------
    ndarray
        The derivatives, of the shape of `x`.
    """
    (x,) = floats(x)
    return np.asarray(x > 0, x.dtype)


def softmax(x: ArrayLike) -> Array:
    """Return the softmax along the last axis, exp(x_k) / Σ exp(x_j), without overflow.

    Parameters
    ----------
    x : array_like
        Scores, of shape (classes,) or (samples, ..., classes).

    Returns
    -------
    ndarray
        Probabilities, of the shape of `x`.
    """
    (x,) = floats(x)
    return ops.softmax(x.reshape(-1, x.shape[-1])).reshape(x.shape)


def sum_squared_error(y: ArrayLike, t: ArrayLike) -> float:
    """Return half the sum of squared errors, ½ Σ (y - t)².

    Parameters
    ----------
    y : array_like
        Outputs.
    t : array_like
        Targets, of the same shape.

    Returns
    -------
    float
        The error.
    """
    return float(0.5 * np.sum((np.asarray(y) - np.asarray(t)) ** 2))


def labels_of(name: str, shape: tuple[int, ...], t: Array) -> Array:
    """Return labels, from labels or from rows with a one.

    Parameters
    ----------
    name : str
        Function or class, for errors.
    shape : tuple of int
        Samples and classes.
    t : ndarray
        Labels, or rows of this shape.

    Returns
    -------
    ndarray of int
        Labels, of shape (samples,).

    Raises
    ------
    ValueError
        If there is not one label for each row.
    """
    samples, classes = shape
    labels = t.reshape(shape).argmax(axis=1) if t.size == samples * classes else t.reshape(-1)
    if len(labels) != samples:
        raise ValueError(
            f"{name}: t must hold {samples} labels, or rows of shape {shape}, got shape {t.shape}"
        )
    return labels


def cross_entropy_error(y: ArrayLike, t: ArrayLike) -> float:
    """Return the mean cross-entropy between probabilities and targets.

    Parameters
    ----------
    y : array_like
        Probabilities, of shape (classes,) or (samples, classes).
    t : array_like
        Labels, of shape (samples,), or rows with a one, of the shape of `y`.

    Returns
    -------
    float
        -Σ log(y + δ) over the probabilities of the targets, over the samples, with δ = 1e-7.

    Raises
    ------
    ValueError
        If there is not one target for each row.
    """
    y = np.atleast_2d(np.asarray(y))
    labels = labels_of("cross_entropy_error", y.shape, np.asarray(t))
    return float(-np.mean(np.log(y[np.arange(len(y)), labels] + 1e-7)))


def softmax_loss(x: ArrayLike, t: ArrayLike) -> float:
    """Return the mean cross-entropy of the softmax of scores.

    Parameters
    ----------
    x : array_like
        Scores, of shape (classes,) or (samples, classes).
    t : array_like
        Labels, of shape (samples,), or rows with a one, of the shape of `x`.

    Returns
    -------
    float
        The loss.
    """
    return cross_entropy_error(softmax(x), t)
