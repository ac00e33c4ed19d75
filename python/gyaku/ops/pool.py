"""Pooling: the maximum or the mean of what a window shows, with gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.arrays import INT32, UINT8, allocate, brought, floating
from gyaku.ops.conv import UNCHECKED
from gyaku.ops.windows import pool_axes, sides

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.reference.windows import Axis, Padding, Sides

    Shape = tuple[int, ...]

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
]


def max_pool2d(
    x: ArrayLike,
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the largest number that each window shows, and which tap of the window sees it.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    window : int or sequence of int
        Height and width of the window.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Minus infinity around the images: for all sides, for each axis, or for each side, at most
        half of a window.
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image; it may not start there.

    Returns
    -------
    y : ndarray
        The maxima, of shape (n, rows, columns, c).
    argmax : ndarray
        Number of the tap, row by row, of the same shape; uint8 for up to 256 taps, else int32.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or another argument no integers.
    ValueError
        If shapes and arguments do not fit together.

    Notes
    -----
    y = max over the taps, and NaN counts as larger than any number. Among equals the first tap
    wins; padding never does. A window that sees nothing but padding, which a dilation can make,
    gives minus infinity and tap 0. Zhou and Chellappa, "Computation of optical flow using a neural
    network", 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.array([[1.0, 2.0, 5.0, 5.0], [4.0, 3.0, 5.0, 0.0]]).reshape(1, 2, 4, 1)
    >>> y, argmax = ops.max_pool2d(x, 2)
    >>> y.ravel(), argmax.ravel()
    (array([4., 5.]), array([2, 0], dtype=uint8))
    """
    op = "max_pool2d"
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    where["ceil_mode"] = ceil_mode
    try:
        if active.native:
            rows, columns = pool_axes(op, x.shape, window, **where)  # type: ignore[union-attr]
            return _core.max_pool2d(x, rows, columns, False)
    except UNCHECKED:
        pass
    x = _images(op, x)
    rows, columns = pool_axes(op, x.shape, window, **where)
    if active.native:
        return _core.max_pool2d(x, rows, columns, False)
    y, argmax = reference.max_pool2d(x, window, **where)
    return _kept(op, y), _kept(op, argmax)


def max_pool2d_backward(
    dy: ArrayLike,
    argmax: NDArray[Any],
    size: tuple[int, int],
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
) -> NDArray[Any]:
    """Return the gradient of maximum pooling.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the maxima, of shape (n, rows, columns, c).
    argmax : ndarray
        The tap that saw the maximum, of the same shape, as `max_pool2d` returned it.
    size : tuple of int
        Height and width of the images.
    window : int or sequence of int
        Height and width of the window.
    stride : int, sequence of int or None, optional
        Step of the pooling; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the pooling.
    dilation : int or sequence of int, default 1
        Dilation of the pooling.
    ceil_mode : bool, default False
        Whether a last window might reach beyond the padded image.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

    Raises
    ------
    TypeError
        If dy does not hold real numbers, argmax has another dtype than that of `max_pool2d`, or
        another argument holds no integers.
    ValueError
        If shapes and arguments do not fit together.

    Notes
    -----
    dx is zero but where a maximum came from: there it is the sum of dy over the windows whose
    maximum it is.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> y, argmax = ops.max_pool2d(
    ...     np.array([1.0, 5.0, 2.0, 4.0]).reshape(1, 1, 4, 1), (1, 3), stride=1
    ... )
    >>> ops.max_pool2d_backward(y, argmax, (1, 4), (1, 3), stride=1).ravel()
    array([ 0., 10.,  0.,  0.])
    """
    op = "max_pool2d_backward"
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    where["ceil_mode"] = ceil_mode
    try:
        if active.native:
            n, _, _, c = dy.shape  # type: ignore[union-attr]
            rows, columns = pool_axes(op, (n, *size, c), window, **where)
            return _core.max_pool2d_backward(dy, argmax, rows, columns, False)
    except UNCHECKED:
        pass
    dy = _images(op, dy, "dy")
    rows, columns = pool_axes(op, _image_shape(op, dy, size), window, **where)
    _check_windows(op, dy, rows, columns)
    argmax = _taps(op, argmax, dy.shape, rows.taps * columns.taps > 256)
    if active.native:
        return _core.max_pool2d_backward(dy, argmax, rows, columns, False)
    return _kept(
        op,
        reference.max_pool2d_backward(dy, argmax, (rows.size, columns.size), window, **where),
    )


def avg_pool2d(
    x: ArrayLike,
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> NDArray[Any]:
    """Return the mean of what each window shows.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    window : int or sequence of int
        Height and width of the window.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images: for all sides, for each axis, or for each side, at most half of a
        window.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image; it may not start there.
    count_include_pad : bool, default False
        Whether the mean counts the zeros of the padding. What a last window covers beyond the
        padding is never counted.

    Returns
    -------
    ndarray
        The means, of shape (n, rows, columns, c).

    Raises
    ------
    TypeError
        If x does not hold real numbers, or another argument no integers.
    ValueError
        If shapes and arguments do not fit together.

    Notes
    -----
    y = Σ x / m, over the m pixels that the window shows. LeCun et al., "Gradient-based learning
    applied to document recognition", Proceedings of the IEEE 86 (1998).

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(1, 1, 5, 1)
    >>> ops.avg_pool2d(x, (1, 2), ceil_mode=True).ravel()
    array([1.5, 3.5, 5. ])
    """
    op = "avg_pool2d"
    where: dict[str, Any] = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    try:
        if active.native:
            rows, columns = pool_axes(op, x.shape, window, **where)  # type: ignore[union-attr]
            return _core.avg_pool2d(x, rows, columns, count_include_pad, False)
    except UNCHECKED:
        pass
    x = _images(op, x)
    rows, columns = pool_axes(op, x.shape, window, **where)
    if active.native:
        return _core.avg_pool2d(x, rows, columns, count_include_pad, False)
    where["count_include_pad"] = count_include_pad
    return _kept(op, reference.avg_pool2d(x, window, **where))


def avg_pool2d_backward(
    dy: ArrayLike,
    size: tuple[int, int],
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> NDArray[Any]:
    """Return the gradient of mean pooling.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the means, of shape (n, rows, columns, c).
    size : tuple of int
        Height and width of the images.
    window : int or sequence of int
        Height and width of the window.
    stride : int, sequence of int or None, optional
        Step of the pooling; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the pooling.
    ceil_mode : bool, default False
        Whether a last window might reach beyond the padded image.
    count_include_pad : bool, default False
        Whether the mean counted the zeros of the padding.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

    Raises
    ------
    TypeError
        If dy does not hold real numbers, or another argument no integers.
    ValueError
        If shapes and arguments do not fit together.

    Notes
    -----
    dx = Σ dy / m over the windows that show the pixel, m pixels each.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> dy = np.array([2.0, 4.0, 1.0]).reshape(1, 1, 3, 1)
    >>> ops.avg_pool2d_backward(dy, (1, 5), (1, 2), ceil_mode=True).ravel()
    array([1., 1., 2., 2., 1.])
    """
    op = "avg_pool2d_backward"
    where: dict[str, Any] = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    try:
        if active.native:
            n, _, _, c = dy.shape  # type: ignore[union-attr]
            rows, columns = pool_axes(op, (n, *size, c), window, **where)
            return _core.avg_pool2d_backward(dy, rows, columns, count_include_pad, False)
    except UNCHECKED:
        pass
    dy = _images(op, dy, "dy")
    rows, columns = pool_axes(op, _image_shape(op, dy, size), window, **where)
    _check_windows(op, dy, rows, columns)
    if active.native:
        return _core.avg_pool2d_backward(dy, rows, columns, count_include_pad, False)
    where["count_include_pad"] = count_include_pad
    return _kept(op, reference.avg_pool2d_backward(dy, (rows.size, columns.size), window, **where))


def global_max_pool2d(x: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the largest number of each channel, and which pixel it is.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).

    Returns
    -------
    y : ndarray
        The maxima, of shape (n, c).
    argmax : ndarray
        Number of the pixel, row by row, int32 of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.
    ValueError
        If x has another shape, or images have no pixels.

    Notes
    -----
    `max_pool2d` with a window that shows the whole image.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> ops.global_max_pool2d(np.array([1.0, 3.0, 2.0]).reshape(1, 1, 3, 1))
    (array([[3.]]), array([[1]], dtype=int32))
    """
    op = "global_max_pool2d"
    x = _images(op, x)
    rows, columns = _whole(op, x.shape)
    if active.native:
        return _core.max_pool2d(x, rows, columns, True)
    y, argmax = reference.global_max_pool2d(x)
    return _kept(op, y), _kept(op, argmax)


def global_max_pool2d_backward(
    dy: ArrayLike, argmax: NDArray[Any], size: tuple[int, int]
) -> NDArray[Any]:
    """Return the gradient of global maximum pooling.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the maxima, of shape (n, c).
    argmax : ndarray
        The pixels that they came from, int32 of the same shape.
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

    Raises
    ------
    TypeError
        If dy does not hold real numbers, argmax is not int32, or size holds no integers.
    ValueError
        If shapes do not fit together.

    Notes
    -----
    dx is dy where the maximum came from, and zero elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> ops.global_max_pool2d_backward([[2.0]], np.array([[1]], np.int32), (1, 3)).ravel()
    array([0., 2., 0.])
    """
    op = "global_max_pool2d_backward"
    dy = _rows(op, dy)
    rows, columns = _whole(op, _image_shape(op, dy, size))
    argmax = _taps(op, argmax, dy.shape, wide=True)
    if active.native:
        return _core.max_pool2d_backward(dy, argmax, rows, columns, True)
    return _kept(op, reference.global_max_pool2d_backward(dy, argmax, (rows.size, columns.size)))


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
    op = "global_avg_pool2d"
    x = _images(op, x)
    rows, columns = _whole(op, x.shape)
    if active.native:
        return _core.avg_pool2d(x, rows, columns, False, True)
    return _kept(op, reference.global_avg_pool2d(x))


def global_avg_pool2d_backward(dy: ArrayLike, size: tuple[int, int]) -> NDArray[Any]:
    """Return the gradient of global mean pooling.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the means, of shape (n, c).
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

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
    dy = _rows(op, dy)
    rows, columns = _whole(op, _image_shape(op, dy, size))
    if active.native:
        return _core.avg_pool2d_backward(dy, rows, columns, False, True)
    return _kept(op, reference.global_avg_pool2d_backward(dy, (rows.size, columns.size)))


def _images(op: str, x: ArrayLike, name: str = "input") -> NDArray[Any]:
    array = floating(op, "x" if name == "input" else name, x)
    if array.ndim != 4:
        raise ValueError(
            f"{op}: {name} must have shape (samples, h, w, channels), got {array.shape}"
        )
    return array


def _rows(op: str, dy: ArrayLike) -> NDArray[Any]:
    array = floating(op, "dy", dy)
    if array.ndim != 2:
        raise ValueError(f"{op}: dy must have shape (samples, channels), got {array.shape}")
    return array


def _image_shape(op: str, dy: NDArray[Any], size: tuple[int, int]) -> Shape:
    return (len(dy), *sides(op, "size", size, bits=63), dy.shape[-1])


def _whole(op: str, x_shape: Shape) -> tuple[Axis, ...]:
    return pool_axes(op, x_shape, x_shape[1:3] if all(x_shape[1:3]) else 1)


def _check_windows(op: str, dy: NDArray[Any], rows: Axis, columns: Axis) -> None:
    expected = (len(dy), rows.windows, columns.windows, dy.shape[-1])
    if dy.shape != expected:
        raise ValueError(f"{op}: dy must have shape {expected}, got {dy.shape}")


def _taps(op: str, argmax: NDArray[Any], shape: Shape, wide: bool) -> NDArray[Any]:
    dtype = INT32 if wide else UINT8
    if type(argmax) is not np.ndarray or argmax.dtype is not dtype:
        argmax = np.asarray(argmax)
    if argmax.dtype.kind not in "iu":
        raise TypeError(f"{op}: argmax must be integers, got dtype {argmax.dtype}")
    if argmax.shape != shape:
        raise ValueError(f"{op}: argmax must have shape {shape}, got {argmax.shape}")
    return brought(op, argmax, dtype)


def _kept(op: str, x: NDArray[Any]) -> NDArray[Any]:
    y = allocate(op, x.shape, x.dtype)
    y[...] = x
    return y
