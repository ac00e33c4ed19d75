"""Flat gradients between the backward pass and an update: mean over batches, and limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.ops.arrays import FLOAT64, buffer, real_buffer
from gyaku.ops.op import like_first, operation, per_element

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add_gradients", "clip_by_norm", "clip_by_value", "mean_gradients"]


@operation(
    _core.add_gradients,
    inputs="total grads",
    outputs="total",
    shapes=like_first,
    flops=per_element(2),
    in_place=True,
    no_gradient="gradients are not differentiated",
    roundings=3,
    cancels=True,
)
def add_gradients(
    total: NDArray[Any],
    grads: NDArray[Any],
    *,
    weight: float,
    count: NDArray[Any] | None = None,
) -> None:
    """Add the gradients of a batch to a sum, in place.

    Parameters
    ----------
    total : ndarray
        Sum over the batches before, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    weight : float
        Weight of the batch, such as its number of samples.
    count : ndarray or None, optional
        Another factor of the weight, that may change from batch to batch: float64 of shape (1,).

    Raises
    ------
    TypeError
        If an argument is no array of such a dtype.
    ValueError
        If shapes differ, or total may not be written to.

    Notes
    -----
    total += weight count grads.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> total = np.array([1.0, 2.0])
    >>> ops.add_gradients(total, np.array([0.5, -0.5]), weight=2)
    >>> total
    array([2., 1.])
    """
    real_buffer("add_gradients", "total", total)
    buffer("add_gradients", "grads", grads, total.dtype, total.shape, written=False)
    _check_count("add_gradients", count)


@operation(
    _core.mean_gradients,
    inputs="grads total",
    outputs="grads total",
    shapes=lambda shapes, **_keywords: (shapes[0], shapes[0]),
    flops=per_element(1),
    in_place=True,
    no_gradient="gradients are not differentiated",
    roundings=2,
)
def mean_gradients(
    grads: NDArray[Any],
    total: NDArray[Any],
    *,
    weight: float,
    count: NDArray[Any] | None = None,
) -> None:
    """Write the mean of the gradients of several batches, and set their sum to zero, in place.

    Parameters
    ----------
    grads : ndarray
        Array for the mean, float32 or float64.
    total : ndarray
        Sum over the batches, of the same shape and dtype.
    weight : float
        Sum of the weights of the batches, positive.
    count : ndarray or None, optional
        Another factor of it, or 0 if all weights are: float64 of shape (1,).

    Raises
    ------
    TypeError
        If an argument is no array of such a dtype.
    ValueError
        If shapes differ, an array may not be written to, or weight is not positive.

    Notes
    -----
    grads = total / (weight count), 0 for a count of 0; total = 0.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> grads, total = np.zeros(2), np.array([2.0, 1.0])
    >>> ops.mean_gradients(grads, total, weight=4)
    >>> grads, total
    (array([0.5 , 0.25]), array([0., 0.]))
    """
    op = "mean_gradients"
    real_buffer(op, "grads", grads)
    buffer(op, "total", total, grads.dtype, grads.shape)
    _check_positive(op, "weight", weight)
    _check_count(op, count)


@operation(
    _core.clip_by_value,
    inputs="grads",
    outputs="grads",
    shapes=like_first,
    flops=per_element(2),
    in_place=True,
    no_gradient="gradients are not differentiated",
    roundings=1,
)
def clip_by_value(grads: NDArray[Any], *, limit: float) -> None:
    """Limit the magnitude of each gradient element, in place.

    Parameters
    ----------
    grads : ndarray
        Gradients, float32 or float64.
    limit : float
        Largest magnitude, positive.

    Raises
    ------
    TypeError
        If grads is no array of such a dtype.
    ValueError
        If it may not be written to, or limit is not positive.

    Notes
    -----
    grads = min(limit, max(-limit, grads)); NaN remains.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> grads = np.array([3.0, -0.5])
    >>> ops.clip_by_value(grads, limit=1)
    >>> grads
    array([ 1. , -0.5])
    """
    real_buffer("clip_by_value", "grads", grads)
    _check_positive("clip_by_value", "limit", limit)


@operation(
    _core.clip_by_norm,
    inputs="grads",
    outputs="grads",
    shapes=like_first,
    flops=per_element(3),
    in_place=True,
    no_gradient="gradients are not differentiated",
    roundings=4,
    terms=lambda inputs, _outputs: math.prod(inputs[0]),
)
def clip_by_norm(grads: NDArray[Any], *, norm: float) -> None:
    """Limit the Euclidean norm of all gradients together, in place.

    Parameters
    ----------
    grads : ndarray
        Gradients, float32 or float64, not empty.
    norm : float
        Largest norm, positive.

    Raises
    ------
    TypeError
        If grads is no array of such a dtype.
    ValueError
        If it is empty, it may not be written to, or norm is not positive.

    Notes
    -----
    ``grads = grads min(1, norm / |grads|)``, with the norm in float64; NaN remains. Pascanu and
    others, On the difficulty of training recurrent neural networks (2013), algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> grads = np.array([3.0, -4.0])
    >>> ops.clip_by_norm(grads, norm=1)
    >>> grads
    array([ 0.6, -0.8])
    """
    real_buffer("clip_by_norm", "grads", grads)
    _check_positive("clip_by_norm", "norm", norm)
    if not grads.size:
        raise ValueError(f"clip_by_norm: grads is empty, its shape is {grads.shape}")


def _check_positive(op: str, name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{op}: {name} must be positive, got {value}")


def _check_count(op: str, count: NDArray[Any] | None) -> None:
    if count is not None:
        buffer(op, "count", count, FLOAT64, (1,), written=False)
