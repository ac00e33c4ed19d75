"""Pooling of whole images: the maximum or the mean of each channel, with gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.ops.arrays import floating, shape_of
from gyaku.ops.op import operation, prepared
from gyaku.ops.pool import (
    _OF_A_MEAN,
    _SELECTS,
    _argmax,
    _checked_image_shape,
    _flops,
    _image_shape,
    _image_shapes,
    _images,
)
from gyaku.windows import pool_axes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes
    from gyaku.windows import Axis

__all__ = [
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
]


def _channels(shapes: Shapes) -> tuple[Shape, ...]:
    return ((shapes[0][0], shapes[0][3]),)


def _one_each(op: str, dy: ArrayLike) -> NDArray[Any]:
    array = floating(op, "dy", dy)
    if array.ndim != 2:
        raise ValueError(f"{op}: dy must have shape (samples, channels), got {array.shape}")
    return array


def _whole_image(op: str, x_shape: Shape) -> tuple[Axis, Axis]:
    rows, columns = pool_axes(op, x_shape, x_shape[1:3] if all(x_shape[1:3]) else 1)
    return rows, columns


@operation(
    lambda x: _core.max_pool2d(x, *_whole_image("global_max_pool2d", shape_of(x)), True),
    kernel="max_pool2d",
    inputs="x",
    outputs="y argmax",
    shapes=lambda shapes: _channels(shapes) * 2,
    flops=_flops,
    saves="output",
    gradient="global_max_pool2d_backward",
    exact=_SELECTS,
)
def global_max_pool2d(x: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the maximum of each channel, and its pixel.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).

    Returns
    -------
    y : ndarray
        The maxima, of shape (n, c).
    argmax : ndarray
        Indices of the pixels of the maxima, counted row by row, int32 of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If x has another shape, or images have no pixels.

    Notes
    -----
    `max_pool2d` with a window that covers the whole image.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> ops.global_max_pool2d(np.array([1.0, 3.0, 2.0]).reshape(1, 1, 3, 1))
    (array([[3.]]), array([[1]], dtype=int32))
    """
    x = _images("global_max_pool2d", x)
    _whole_image("global_max_pool2d", x.shape)
    return prepared(x=x)


@operation(
    lambda dy, argmax, size: _core.max_pool2d_backward(
        dy,
        argmax,
        *_whole_image("global_max_pool2d_backward", _image_shape(dy, size)),
        True,
    ),
    kernel="max_pool2d_backward",
    inputs="dy argmax",
    outputs="dx",
    shapes=_image_shapes,
    flops=_flops,
    no_gradient="it is a gradient",
    exact=_SELECTS,
)
def global_max_pool2d_backward(
    dy: ArrayLike, argmax: NDArray[Any], size: tuple[int, int]
) -> NDArray[Any]:
    """Return the gradient of global maximum pooling.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the maxima, of shape (n, c).
    argmax : ndarray
        Indices of the pixels of the maxima, int32 of the same shape.
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    ndarray
        Gradient with respect to the images, of shape ``(n, *size, c)``.

    Raises
    ------
    TypeError
        If dy does not hold real numbers, argmax is not int32, or size holds no integers.
    ValueError
        If shapes do not fit together.

    Notes
    -----
    dx is dy at the maximum, and zero elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> ops.global_max_pool2d_backward([[2.0]], np.array([[1]], np.int32), (1, 3)).ravel()
    array([0., 2., 0.])
    """
    op = "global_max_pool2d_backward"
    dy = _one_each(op, dy)
    shape = _checked_image_shape(op, dy, size)
    _whole_image(op, shape)
    argmax = _argmax(op, argmax, dy.shape, wide=True)
    return prepared(dy=dy, argmax=argmax, size=shape[1:3])


@operation(
    lambda x: _core.avg_pool2d(x, *_whole_image("global_avg_pool2d", shape_of(x)), False, 0, True),
    kernel="avg_pool2d",
    inputs="x",
    outputs="y",
    shapes=_channels,
    flops=_flops,
    gradient="global_avg_pool2d_backward",
    **_OF_A_MEAN,
)
def global_avg_pool2d(x: ArrayLike) -> NDArray[Any]:
    """Return the mean of each channel.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).

    Returns
    -------
    ndarray
        The means, of shape (n, c).

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If x has another shape, or images have no pixels.

    Notes
    -----
    y = Σ x / (h w); Lin, Chen and Yan, "Network in network", ICLR 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> ops.global_avg_pool2d(np.array([1.0, 3.0, 2.0]).reshape(1, 1, 3, 1))
    array([[2.]])
    """
    x = _images("global_avg_pool2d", x)
    _whole_image("global_avg_pool2d", x.shape)
    return prepared(x=x)


@operation(
    lambda dy, size: _core.avg_pool2d_backward(
        dy, *_whole_image("global_avg_pool2d_backward", _image_shape(dy, size)), False, 0, True
    ),
    kernel="avg_pool2d_backward",
    inputs="dy",
    outputs="dx",
    shapes=_image_shapes,
    flops=_flops,
    no_gradient="it is a gradient",
    roundings=2,
)
def global_avg_pool2d_backward(dy: ArrayLike, size: tuple[int, int]) -> NDArray[Any]:
    """Return the gradient of global mean pooling.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the means, of shape (n, c).
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    ndarray
        Gradient with respect to the images, of shape ``(n, *size, c)``.

    Raises
    ------
    TypeError
        If dy does not hold real numbers, or size holds no integers.
    ValueError
        If shapes do not fit together.

    Notes
    -----
    dx = dy / (h w), for each pixel.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.global_avg_pool2d_backward([[6.0]], (1, 3)).ravel()
    array([2., 2., 2.])
    """
    op = "global_avg_pool2d_backward"
    dy = _one_each(op, dy)
    shape = _checked_image_shape(op, dy, size)
    _whole_image(op, shape)
    return prepared(dy=dy, size=shape[1:3])
