"""Broadcasting of arrays, and its gradient: equations in NumPy, which programs call as they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.checks import whole
from gyaku.ops.arrays import floating
from gyaku.ops.op import in_numpy, operation, prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

__all__ = ["broadcast_to", "sum_to"]


def _given(shapes: Shapes, shape: Sequence[int], **_keywords: Any) -> tuple[Shape, ...]:
    del shapes
    return (tuple(shape),)


def _checked(op: str, shape: Sequence[int]) -> Shape:
    return tuple(whole(op, "a length in shape", length, least=0) for length in shape)


def _is_broadcast(small: Shape, large: Shape) -> bool:
    """Return whether an array of one shape is broadcast to the other."""
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False


@operation(
    in_numpy("broadcast_to"),
    check_first=True,
    kernel=None,
    inputs="x",
    outputs="y",
    shapes=_given,
    flops=lambda _inputs, _outputs: 0,
    gradient="sum_to",
    exact="elements are copied",
)
def broadcast_to(x: ArrayLike, shape: Sequence[int]) -> NDArray[Any]:
    """Repeat an array along axes that are missing or of length 1.

    Parameters
    ----------
    x : array_like
        Array of any shape.
    shape : sequence of int
        Shape of the result.

    Returns
    -------
    ndarray
        A copy of this shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or shape no integers.
    ValueError
        If x is not broadcast to this shape.

    Notes
    -----
    The axes are compared from the last to the first, as in NumPy.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.broadcast_to([1.0, 2.0], (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    op = "broadcast_to"
    x, shape = floating(op, "x", x), _checked(op, shape)
    if not _is_broadcast(x.shape, shape):
        raise ValueError(f"{op}: x of shape {x.shape} is not broadcast to shape {shape}")
    return prepared(x=x, shape=shape)


@operation(
    in_numpy("sum_to"),
    check_first=True,
    kernel=None,
    inputs="x",
    outputs="y",
    shapes=_given,
    flops=lambda inputs, _outputs: math.prod(inputs[0]),
    no_gradient="its gradient is broadcast_to",
    roundings=1,
    terms=lambda inputs, outputs: math.prod(inputs[0]) // max(math.prod(outputs[0]), 1),
    cancels=True,
)
def sum_to(x: ArrayLike, shape: Sequence[int]) -> NDArray[Any]:
    """Sum an array over the axes along which an array of a smaller shape is broadcast to its own.

    Parameters
    ----------
    x : array_like
        Array of any shape.
    shape : sequence of int
        Shape of the result, which is broadcast to that of x.

    Returns
    -------
    ndarray
        The sums.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or shape no integers.
    ValueError
        If this shape is not broadcast to that of x.

    Notes
    -----
    The gradient of `broadcast_to`: the sum over all copies of an element.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.sum_to([[1.0, 2.0], [3.0, 4.0]], (2,))
    array([4., 6.])
    """
    op = "sum_to"
    x, shape = floating(op, "x", x), _checked(op, shape)
    if not _is_broadcast(shape, x.shape):
        raise ValueError(f"{op}: shape {shape} is not broadcast to {x.shape}, that of x")
    return prepared(x=x, shape=shape)
