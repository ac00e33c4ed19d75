"""Pooling: the maximum, the mean or a norm of each window, with gradients."""

from __future__ import annotations

import math
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.checks import is_masked, number, whole
from gyaku.ops.arrays import INT32, UINT8, check_shape, convert, floating, floats, shape_of
from gyaku.ops.op import operation, prepared
from gyaku.windows import pool_axes, sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes
    from gyaku.windows import Axis, Padding, Sides

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
]

_SELECTS = "elements are selected, not computed"


def _pooled(
    shapes: Shapes,
    *,
    kernel_size: Sides,
    count_include_pad: bool = False,
    divisor_override: int | None = None,
    **where: Any,
) -> tuple[Shape, ...]:
    del count_include_pad, divisor_override
    rows, columns = pool_axes("pooling", shapes[0], kernel_size, **where)
    return ((shapes[0][0], rows.windows, columns.windows, shapes[0][3]),)


def _image_shapes(shapes: Shapes, *, size: tuple[int, int], **where: Any) -> tuple[Shape, ...]:
    del where
    return ((shapes[0][0], *size, shapes[0][-1]),)


# The overlap of windows does not follow from shapes; each pixel is read at least once.
def _flops(inputs: Shapes, outputs: Shapes) -> int:
    return max(math.prod(inputs[0]), math.prod(outputs[0]))


def _pixels(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return math.prod(inputs[0][1:-1])


_OF_A_MEAN: dict[str, Any] = {"roundings": 3, "terms": _pixels, "cancels": True}


def _images(op: str, x: ArrayLike, name: str = "input") -> NDArray[Any]:
    array = floating(op, "x" if name == "input" else name, x)
    if array.ndim != 4:
        raise ValueError(
            f"{op}: {name} must have shape (samples, h, w, channels), got {array.shape}"
        )
    return array


def _image_shape(dy: ArrayLike, size: Sequence[int]) -> Shape:
    """Return the shape of the images; raise for arguments that need conversion."""
    n, *_, channels = shape_of(dy)
    return (n, *map(index, size), channels)


def _checked_image_shape(op: str, dy: NDArray[Any], size: Sides) -> Shape:
    return (len(dy), *sides(op, "size", size, bits=63), dy.shape[-1])


# Without a name where a kernel is called: errors are raised on the careful path.
def _windows(
    shape: Shape,
    size: Sides,
    stride: Any,
    padding: Any,
    ceil: bool,
    dilation: Any = 1,
    op: str = "",
) -> tuple[Axis, Axis]:
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = pool_axes(op, shape, size, ceil_mode=ceil, **where)
    return rows, columns


def checked_divisor(owner: str, given: int | None) -> int | None:
    """Return the divisor of a mean pooling.

    Parameters
    ----------
    owner : str
        Operation or layer, for errors.
    given : int or None
        The divisor, None for the number of pixels.

    Returns
    -------
    int or None
        The divisor.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is 0.
    """
    if given is None:
        return None
    divisor = whole(owner, "divisor_override", given, least=-(2**31))
    if not divisor:
        raise ValueError(f"{owner}: divisor_override must not be 0")
    return divisor


def _check_windows(op: str, dy: NDArray[Any], axes: Sequence[Axis]) -> None:
    rows, columns = axes
    check_shape(op, "dy", dy, (len(dy), rows.windows, columns.windows, dy.shape[-1]))


def _argmax(op: str, argmax: NDArray[Any], shape: Shape, wide: bool) -> NDArray[Any]:
    """Return the indices of kernel elements, in the dtype of the kernel."""
    if is_masked(argmax):
        raise TypeError(f"{op}: argmax must not be masked")
    argmax = np.asarray(argmax)
    if argmax.dtype.kind not in "iu":
        raise TypeError(f"{op}: argmax must be integers, got dtype {argmax.dtype}")
    check_shape(op, "argmax", argmax, shape)
    return convert(op, argmax, INT32 if wide else UINT8)


@operation(
    lambda x, kernel_size, stride, padding, dilation, ceil_mode: _core.max_pool2d(
        x, *_windows(shape_of(x), kernel_size, stride, padding, ceil_mode, dilation), False
    ),
    inputs="x",
    outputs="y argmax",
    shapes=lambda shapes, **where: _pooled(shapes, **where) * 2,
    flops=_flops,
    saves="output",
    gradient="max_pool2d_backward",
    exact=_SELECTS,
)
def max_pool2d(
    x: ArrayLike,
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the maximum of each window, and its index in the window.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    kernel_size : int or sequence of int
        Height and width of a window.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is the kernel size.
    padding : int, sequence or {"same", "valid"}, default 0
        Minus infinity around the images: for all sides, for each axis, or for each side, less than
        the kernel.
    dilation : int or sequence of int, default 1
        Step from one kernel element to the next.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image; it may not start there.

    Returns
    -------
    y : ndarray
        The maxima, of shape (n, rows, columns, c).
    argmax : ndarray
        Indices of the maxima in their windows, counted row by row, of the same shape: uint8 for up
        to 256 kernel elements, else int32.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or another argument no integers.
    ValueError
        If shapes and arguments do not fit together.

    Notes
    -----
    y = max over the window, and NaN counts as larger than any number. Of equal elements the first
    is the maximum; padding never is. A window of padding alone, which is possible with dilation,
    gives minus infinity and element 0. Zhou and Chellappa, "Computation of optical flow using a
    neural network", 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.array([[1.0, 2.0, 5.0, 5.0], [4.0, 3.0, 5.0, 0.0]]).reshape(1, 2, 4, 1)
    >>> y, argmax = ops.max_pool2d(x, 2)
    >>> y.ravel(), argmax.ravel()
    (array([4., 5.]), array([2, 0], dtype=uint8))
    """
    x = _images("max_pool2d", x)
    _windows(x.shape, kernel_size, stride, padding, ceil_mode, dilation, op="max_pool2d")
    return prepared(x=x)


@operation(
    lambda dy, argmax, size, kernel_size, stride, padding, dilation, ceil_mode: (
        _core.max_pool2d_backward(
            dy,
            argmax,
            *_windows(_image_shape(dy, size), kernel_size, stride, padding, ceil_mode, dilation),
            False,
        )
    ),
    inputs="dy argmax",
    outputs="dx",
    shapes=_image_shapes,
    flops=_flops,
    no_gradient="it is a gradient",
    roundings=1,
    terms=_pixels,
    cancels=True,
)
def max_pool2d_backward(
    dy: ArrayLike,
    argmax: NDArray[Any],
    size: tuple[int, int],
    kernel_size: Sides,
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
        Gradient with respect to the maxima, of shape (n, rows, columns, c).
    argmax : ndarray
        Indices of the maxima in their windows, of the same shape, from `max_pool2d`.
    size : tuple of int
        Height and width of the images.
    kernel_size : int or sequence of int
        Height and width of a window.
    stride : int, sequence of int or None, optional
        Step of the pooling; None is the kernel size.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the pooling.
    dilation : int or sequence of int, default 1
        Dilation of the pooling.
    ceil_mode : bool, default False
        Whether a last window might reach beyond the padded image.

    Returns
    -------
    ndarray
        Gradient with respect to the images, of shape ``(n, *size, c)``.

    Raises
    ------
    TypeError
        If dy does not hold real numbers, argmax has another dtype than that of `max_pool2d`, or
        another argument holds no integers.
    ValueError
        If shapes and arguments do not fit together.

    Notes
    -----
    dx is zero except at the maxima: there it is the sum of dy over the windows with this maximum.

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
    dy = _images(op, dy, "dy")
    shape = _checked_image_shape(op, dy, size)
    rows, columns = _windows(shape, kernel_size, stride, padding, ceil_mode, dilation, op=op)
    _check_windows(op, dy, (rows, columns))
    argmax = _argmax(op, argmax, dy.shape, rows.taps * columns.taps > 256)
    return prepared(dy=dy, argmax=argmax, size=shape[1:3])


def _mean(
    x: NDArray[Any],
    kernel_size: Sides,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> NDArray[Any]:
    if divisor_override == 0:
        raise ValueError("no divisor")  # a sentence is raised on the careful path
    axes = _windows(shape_of(x), kernel_size, stride, padding, ceil_mode, dilation)
    y: NDArray[Any] = _core.avg_pool2d(x, *axes, count_include_pad, divisor_override or 0, False)
    return y


def _mean_backward(
    dy: NDArray[Any],
    size: tuple[int, int],
    kernel_size: Sides,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> NDArray[Any]:
    if divisor_override == 0:
        raise ValueError("no divisor")  # a sentence is raised on the careful path
    axes = _windows(_image_shape(dy, size), kernel_size, stride, padding, ceil_mode, dilation)
    divisor = divisor_override or 0
    dx: NDArray[Any] = _core.avg_pool2d_backward(dy, *axes, count_include_pad, divisor, False)
    return dx


@operation(
    _mean,
    inputs="x",
    outputs="y",
    shapes=_pooled,
    flops=_flops,
    gradient="avg_pool2d_backward",
    **_OF_A_MEAN,
)
def avg_pool2d(
    x: ArrayLike,
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    divisor_override: int | None = None,
) -> NDArray[Any]:
    """Return the mean of each window.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    kernel_size : int or sequence of int
        Height and width of a window.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is the kernel size.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images: for all sides, for each axis, or for each side, less than the
        kernel.
    dilation : int or sequence of int, default 1
        Step from one kernel element to the next.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image; it may not start there.
    count_include_pad : bool, default False
        Whether the mean counts the zeros of the padding. Positions of a last window beyond the
        padding are never counted.
    divisor_override : int or None, optional
        Divisor of all sums, in place of the number of pixels.

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
    y = Σ x / m, over the m pixels of the window; 0 if there is none, which is possible with
    dilation. LeCun et al., "Gradient-based learning
    applied to document recognition", Proceedings of the IEEE 86 (1998).

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(1, 1, 5, 1)
    >>> ops.avg_pool2d(x, (1, 2), ceil_mode=True).ravel()
    array([1.5, 3.5, 5. ])
    """
    x = _images("avg_pool2d", x)
    _windows(x.shape, kernel_size, stride, padding, ceil_mode, dilation, op="avg_pool2d")
    return prepared(x=x, divisor_override=checked_divisor("avg_pool2d", divisor_override))


@operation(
    _mean_backward,
    inputs="dy",
    outputs="dx",
    shapes=_image_shapes,
    flops=_flops,
    no_gradient="it is a gradient",
    **_OF_A_MEAN,
)
def avg_pool2d_backward(
    dy: ArrayLike,
    size: tuple[int, int],
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    divisor_override: int | None = None,
) -> NDArray[Any]:
    """Return the gradient of mean pooling.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the means, of shape (n, rows, columns, c).
    size : tuple of int
        Height and width of the images.
    kernel_size : int or sequence of int
        Height and width of a window.
    stride : int, sequence of int or None, optional
        Step of the pooling; None is the kernel size.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the pooling.
    dilation : int or sequence of int, default 1
        Dilation of the pooling.
    ceil_mode : bool, default False
        Whether a last window might reach beyond the padded image.
    count_include_pad : bool, default False
        Whether the mean counted the zeros of the padding.
    divisor_override : int or None, optional
        Divisor of all sums of the pooling.

    Returns
    -------
    ndarray
        Gradient with respect to the images, of shape ``(n, *size, c)``.

    Raises
    ------
    TypeError
        If dy does not hold real numbers, or another argument no integers.
    ValueError
        If shapes and arguments do not fit together.

    Notes
    -----
    dx = Σ dy / m over the windows that cover the pixel, m pixels each.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> dy = np.array([2.0, 4.0, 1.0]).reshape(1, 1, 3, 1)
    >>> ops.avg_pool2d_backward(dy, (1, 5), (1, 2), ceil_mode=True).ravel()
    array([1., 1., 2., 2., 1.])
    """
    op = "avg_pool2d_backward"
    dy = _images(op, dy, "dy")
    shape = _checked_image_shape(op, dy, size)
    axes = _windows(shape, kernel_size, stride, padding, ceil_mode, dilation, op=op)
    _check_windows(op, dy, axes)
    divisor_override = checked_divisor(op, divisor_override)
    return prepared(dy=dy, size=shape[1:3], divisor_override=divisor_override)


@operation(
    lambda x, norm_type, kernel_size, stride, padding, ceil_mode: _core.lp_pool2d(
        x,
        *_windows(shape_of(x), kernel_size, stride, padding, ceil_mode),
        norm_type,
    ),
    inputs="x",
    outputs="y",
    shapes=lambda shapes, *, norm_type, **where: _pooled(shapes, **where),
    flops=_flops,
    saves="input",
    gradient="lp_pool2d_backward",
    roundings=13,
    terms=_pixels,
)
def lp_pool2d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> NDArray[Any]:
    """Return the p-norm of each window.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    norm_type : float
        Exponent p of the norm, at least 1: 1 sums magnitudes, 2 is the Euclidean norm, and the
        maximum of the magnitudes is the limit for large ones.
    kernel_size : int or sequence of int
        Height and width of a window.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is the kernel size.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images: for all sides, for each axis, or for each side, at most half the
        kernel size.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image; it may not start there.

    Returns
    -------
    ndarray
        The norms, of shape (n, rows, columns, c).

    Raises
    ------
    TypeError
        If x does not hold real numbers, norm_type is no number, or another argument holds no
        integers.
    ValueError
        If norm_type is below 1 or not finite, or shapes and arguments do not fit together.

    Notes
    -----
    ``y = (Σ |x|^p)^(1/p)``, over the window; Sermanet, Chintala and LeCun, "Convolutional neural
    networks applied to house numbers digit classification", ICPR 2012. PyTorch's ``LPPool2d`` takes
    powers of x, not of its magnitude: with an odd p, negative elements cancel positive ones there,
    and a negative sum gives NaN (p > 1); it counts a window that ceil mode cuts as a whole one.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.array([3.0, -4.0, 0.0, 0.0, -2.0]).reshape(1, 1, 5, 1)
    >>> ops.lp_pool2d(x, 2, (1, 2), ceil_mode=True).ravel()
    array([5., 0., 2.])
    >>> ops.lp_pool2d(x, 1, (1, 2), ceil_mode=True).ravel()
    array([7., 0., 2.])
    >>> ops.lp_pool2d(x, 0, (1, 2))
    Traceback (most recent call last):
    ...
    ValueError: lp_pool2d: norm_type must be at least 1, got 0
    """
    x = _images("lp_pool2d", x)
    norm_type = number("lp_pool2d", "norm_type", norm_type, least=1)
    _windows(x.shape, kernel_size, stride, padding, ceil_mode, op="lp_pool2d")
    return prepared(x=x, norm_type=norm_type)


@operation(
    lambda dy, x, y, norm_type, kernel_size, stride, padding, ceil_mode: _core.lp_pool2d_backward(
        dy,
        x,
        y,
        *_windows(shape_of(x), kernel_size, stride, padding, ceil_mode),
        norm_type,
    ),
    inputs="dy x y",
    outputs="dx",
    shapes=lambda shapes, **_where: (shapes[1],),
    flops=_flops,
    no_gradient="it is a gradient",
    roundings=9,  # for p up to 3: the power magnifies the error of |x| / y by p - 1
    terms=_pixels,
    cancels=True,
)
def lp_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    norm_type: float,
    kernel_size: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> NDArray[Any]:
    """Return the gradient of p-norm pooling.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the norms, of shape (n, rows, columns, c).
    x : array_like
        Images, of shape (n, h, w, c).
    y : array_like
        Norms of the windows, of the shape of dy, as `lp_pool2d` returned them.
    norm_type : float
        Exponent p of the norm.
    kernel_size : int or sequence of int
        Height and width of a window.
    stride : int, sequence of int or None, optional
        Step of the pooling; None is the kernel size.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the pooling.
    ceil_mode : bool, default False
        Whether a last window might reach beyond the padded image.

    Returns
    -------
    ndarray
        Gradient with respect to the images, of the shape of x.

    Raises
    ------
    TypeError
        If dy, x or y does not hold real numbers, norm_type is no number, or another argument holds
        no integers.
    ValueError
        If norm_type is below 1 or not finite, or shapes and arguments do not fit together.

    Notes
    -----
    ``dx = sign(x) Σ dy (|x| / y)^(p-1)``, over the windows that cover the pixel; those with y = 0
    add nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.array([3.0, -4.0, 0.0, 0.0]).reshape(1, 1, 4, 1)
    >>> y = ops.lp_pool2d(x, 2, (1, 2))
    >>> dx = ops.lp_pool2d_backward(np.full_like(y, 10.0), x, y, 2, (1, 2))
    >>> dx.ravel()
    array([ 6., -8.,  0.,  0.])
    """
    op = "lp_pool2d_backward"
    dy, x, y = floats(op, dy=dy, x=x, y=y)
    x = _images(op, x)
    norm_type = number(op, "norm_type", norm_type, least=1)
    rows, columns = _windows(x.shape, kernel_size, stride, padding, ceil_mode, op=op)
    windows = (len(x), rows.windows, columns.windows, x.shape[3])
    check_shape(op, "dy", dy, windows)
    check_shape(op, "y", y, windows)
    return prepared(dy=dy, x=x, y=y, norm_type=norm_type)
