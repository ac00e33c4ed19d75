"""Gradients of convolution and of transposed convolution."""

from __future__ import annotations

import math
from operator import index
from typing import TYPE_CHECKING, Any, cast

from gyaku import _core
from gyaku.checks import whole
from gyaku.ops.arrays import UINT8, floats, result, results, shape_of
from gyaku.ops.conv import adjoint_terms, flops
from gyaku.ops.op import operation, prepared
from gyaku.ops.pool import max_pool2d_backward
from gyaku.windows import conv_axes, sides, transposed_conv_axes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes
    from gyaku.windows import Axis, Padding, Sides

    OutPair = tuple[NDArray[Any] | None, NDArray[Any] | None]
    Out = tuple[NDArray[Any] | None, NDArray[Any] | None, NDArray[Any] | None]
    Gradients = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

__all__ = ["conv2d_backward", "conv2d_backward_data", "conv2d_backward_weights"]
__all__ += ["conv2d_transpose_backward"]

# Images have two axes, which native calls unpack.
_axes = cast("Callable[..., tuple[Axis, Axis]]", conv_axes)


def takes_maxima(
    axes: Sequence[Axis], w: tuple[int, ...], groups: int, dtype: np.dtype[Any]
) -> bool:
    """Return whether a kernel goes backward through a convolution and 2 × 2 max-pooling at once.

    Parameters
    ----------
    axes : sequence of Axis
        Windows of the convolution, along rows and columns.
    w : tuple of int
        Shape of the weights, (kernel height, kernel width, c / groups, k).
    groups : int
        Groups of the convolution.
    dtype : numpy.dtype
        Dtype of all arrays.

    Returns
    -------
    bool
        Whether there is one, and it is faster than the two separate gradients.
    """
    rows, columns = axes
    return groups == 1 and _core.takes_maxima(rows, columns, w[2], w[3], dtype.itemsize)


def _pixels(image: Shape) -> int:
    return math.prod(image[:3])


def _data_shape(shapes: Shapes, *, size: Sides, groups: int = 1, **where: Any) -> tuple[Shape, ...]:
    del where
    dy, w = shapes
    return ((dy[0], *sides("conv2d_backward_data", "size", size), w[2] * groups),)


def _weight_shapes(
    shapes: Shapes, *, kernel_size: Sides, groups: int = 1, **where: Any
) -> tuple[Shape, ...]:
    del where
    dy, x = shapes
    kernel = sides("conv2d_backward_weights", "kernel_size", kernel_size)
    return (*kernel, x[3] // groups, dy[3]), (dy[3],)


def _gradient_shapes(shapes: Shapes, **where: Any) -> tuple[Shape, ...]:
    del where
    return shapes[1], shapes[2], shapes[0][3:]


def _check_images(op: str, dy: NDArray[Any]) -> None:
    if dy.ndim != 4:
        raise ValueError(f"{op}: dy must have shape (samples, h, w, channels), got {dy.shape}")


def _check_gradient(op: str, dy: NDArray[Any], shape: Shape) -> None:
    if dy.shape != shape:
        raise ValueError(f"{op}: dy must have the output's shape {shape}, got {dy.shape}")


def _check_pooled(op: str, dy: NDArray[Any], argmax: NDArray[Any] | None, outputs: Shape) -> None:
    """Raise if dy is not the gradient of the outputs, or with argmax that of their 2 × 2 maxima."""
    if argmax is None:
        _check_gradient(op, dy, outputs)
        return
    samples, rows, columns, filters = outputs
    pooled = (samples, rows // 2, columns // 2, filters)
    _check_gradient(op, dy, pooled)
    if argmax.shape != pooled or argmax.dtype != UINT8:
        raise ValueError(
            f"{op}: argmax must be uint8 with the shape of dy {pooled}, got {argmax.dtype} with"
            f" shape {argmax.shape}"
        )


def _unpooled(
    dy: NDArray[Any],
    argmax: NDArray[Any] | None,
    axes: Sequence[Axis],
    w: Shape,
    groups: int,
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return dy and argmax, or the gradient of all outputs if no kernel takes argmax."""
    if argmax is None or takes_maxima(axes, w, groups, dy.dtype):
        return dy, argmax
    rows, columns = axes
    return max_pool2d_backward(dy, argmax, (rows.windows, columns.windows), 2), None


def _image_shape(dy: ArrayLike, w: ArrayLike, size: Sequence[int], groups: int) -> Shape:
    """Return the shape of dx; raise for arguments that need conversion."""
    n, _, _, _ = shape_of(dy)
    _, _, depth, _ = shape_of(w)
    height, width = size
    return n, index(height), index(width), depth * groups


@operation(
    lambda dy, w, size, stride, padding, dilation, groups, argmax, out: _core.conv2d_backward_data(
        dy,
        w,
        out,
        *_axes(
            "conv2d_backward_data",
            _image_shape(dy, w, size, groups),
            shape_of(w),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        ),
        groups,
        argmax,
    ),
    inputs="dy w",
    outputs="dx",
    shapes=_data_shape,
    flops=lambda inputs, _outputs: flops(inputs[0], inputs[1]),
    no_gradient="it is a gradient",
    roundings=3,
    terms=lambda inputs, outputs: adjoint_terms(outputs[0], inputs[1]),
    cancels=True,
)
def conv2d_backward_data(
    dy: ArrayLike,
    w: ArrayLike,
    size: tuple[int, int],
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    argmax: NDArray[Any] | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Return the gradient of a convolution with respect to its images.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (n, rows, columns, k).
    w : array_like
        Weights, of shape (kernel height, kernel width, c / groups, k).
    size : tuple of int
        Height and width of the images; several have the same number of windows.
    stride : int or sequence of int, default 1
        Step of the convolution.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the convolution.
    dilation : int or sequence of int, default 1
        Dilation of the convolution.
    groups : int, default 1
        Groups of the convolution.
    argmax : ndarray of uint8 or None, optional
        Backward through the convolution and a 2 × 2 max-pooling behind it: the kernel elements
        that `max_pool2d` returned. The gradient dy is then that with respect to the maxima, of
        shape (n, rows // 2, columns // 2, k).
    out : ndarray or None, optional
        Array that the result is written to.

    Returns
    -------
    ndarray
        Gradient with respect to the images, of shape ``(n, *size, c)``.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers or, where it should, integers, or out has another
        dtype than the result.
    ValueError
        If shapes do not match, or out overlaps an input.

    Notes
    -----
    dx[n, h, q, c] = Σ dy[n, o, p, k] w[i, j, c, k] over all o s + i d - top = h and
    p s + j d - left = q: the adjoint of the convolution, ⟨dy, conv(x)⟩ = ⟨dx, x⟩. With stride 1 it
    is a convolution with the flipped kernel, its channels and filters exchanged.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> w = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    >>> ops.conv2d_backward_data(np.ones((1, 1, 2, 1)), w, (1, 6), stride=(1, 2)).ravel()
    array([1., 2., 4., 2., 3., 0.])
    """
    op = "conv2d_backward_data"
    dy, w = floats(op, dy=dy, w=w)
    height, width = sides(op, "size", size)
    _check_images(op, dy)
    depth = w.shape[2] if w.ndim == 4 else 0
    shape = (len(dy), height, width, depth * whole(op, "groups", groups))
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = conv_axes(op, shape, w.shape, groups=groups, **where)
    _check_pooled(op, dy, argmax, (len(dy), rows.windows, columns.windows, w.shape[3]))
    dx = result(op, out, shape, dy.dtype, dy=dy, w=w)
    dy, argmax = _unpooled(dy, argmax, (rows, columns), w.shape, groups)
    return prepared(dy=dy, w=w, size=(height, width), argmax=argmax, out=dx)


def _weight_shape(dy: ArrayLike, x: ArrayLike, kernel_size: Any, groups: int) -> Shape:
    """Return the shape of dw; raise for arguments that need conversion."""
    _, _, _, filters = shape_of(dy)
    _, _, _, channels = shape_of(x)
    height, width = kernel_size
    return index(height), index(width), channels // max(groups, 1), filters


def _places(out: OutPair | None) -> OutPair:
    return (None, None) if out is None else out


@operation(
    lambda dy, x, kernel_size, stride, padding, dilation, groups, argmax, out: (
        _core.conv2d_backward_weights(
            dy,
            x,
            *_places(out),
            *_axes(
                "conv2d_backward_weights",
                shape_of(x),
                _weight_shape(dy, x, kernel_size, groups),
                stride=stride,
                padding=padding,
                dilation=dilation,
                groups=groups,
            ),
            groups,
            argmax,
        )
    ),
    inputs="dy x",
    outputs="dw db",
    shapes=_weight_shapes,
    flops=lambda inputs, outputs: flops(inputs[0], outputs[0]) + math.prod(inputs[0]),
    no_gradient="it is a gradient",
    roundings=3,
    terms=lambda inputs, _outputs: _pixels(inputs[0]),
    cancels=True,
)
def conv2d_backward_weights(
    dy: ArrayLike,
    x: ArrayLike,
    kernel_size: Sides,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    argmax: NDArray[Any] | None = None,
    out: OutPair | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the gradients of a convolution with respect to its weights and its bias.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (n, rows, columns, k).
    x : array_like
        Images, of shape (n, h, w, c).
    kernel_size : int or sequence of int
        Height and width of the kernel.
    stride : int or sequence of int, default 1
        Step of the convolution.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the convolution.
    dilation : int or sequence of int, default 1
        Dilation of the convolution.
    groups : int, default 1
        Groups of the convolution.
    argmax : ndarray of uint8 or None, optional
        Backward through the convolution and a 2 × 2 max-pooling behind it, see
        `conv2d_backward_data`.
    out : tuple of (ndarray or None) or None, optional
        Arrays that dw and db are written to; None is a new array.

    Returns
    -------
    dw : ndarray
        Gradient with respect to the weights, of shape (kernel height, kernel width, c / groups, k).
    db : ndarray
        Gradient with respect to the bias, of shape (k,).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers or, where it should, integers, or an array of out
        has another dtype than the results.
    ValueError
        If shapes do not match, or an array of out overlaps an input or the other one.

    Notes
    -----
    dw[i, j, c, k] = Σ_nop x[n, o s + i d - top, p s + j d - left, c] dy[n, o, p, k],
    db[k] = Σ_nop dy[n, o, p, k].

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.arange(6.0).reshape(1, 1, 6, 1)
    >>> dw, db = ops.conv2d_backward_weights(np.ones((1, 1, 2, 1)), x, (1, 3), stride=(1, 2))
    >>> dw.ravel(), db
    (array([2., 4., 6.]), array([2.]))
    """
    op = "conv2d_backward_weights"
    dy, x = floats(op, dy=dy, x=x)
    kernel = sides(op, "kernel_size", kernel_size)
    depth = x.shape[-1] // whole(op, "groups", groups) if x.ndim else 0
    _check_images(op, dy)
    filters = dy.shape[3]
    shape = (*kernel, depth, filters)
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = conv_axes(op, x.shape, shape, groups=groups, **where)
    _check_pooled(op, dy, argmax, (len(x), rows.windows, columns.windows, filters))
    places = results(op, "dw db", out, [shape, (filters,)], dy=dy, x=x)
    dy, argmax = _unpooled(dy, argmax, (rows, columns), shape, groups)
    return prepared(dy=dy, x=x, kernel_size=kernel, argmax=argmax, out=places)


def _backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    *,
    groups: int,
    out: Gradients,
    **where: Any,
) -> Gradients:
    dx, dw, db = out
    rows, columns = conv_axes("conv2d_backward", x.shape, w.shape, groups=groups, **where)
    _core.conv2d_backward_data(dy, w, dx, rows, columns, groups)
    _core.conv2d_backward_weights(dy, x, dw, db, rows, columns, groups)
    return out


@operation(
    _backward,
    check_first=True,
    kernel="conv2d_backward_weights",
    inputs="dy x w",
    outputs="dx dw db",
    shapes=_gradient_shapes,
    flops=lambda inputs, _outputs: 2 * flops(inputs[0], inputs[2]) + math.prod(inputs[0]),
    no_gradient="it is a gradient",
    roundings=3,
    terms=lambda inputs, _outputs: max(adjoint_terms(inputs[1], inputs[2]), _pixels(inputs[0])),
    cancels=True,
)
def conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    out: Out | None = None,
) -> Gradients:
    """Return the gradients of a convolution with respect to images, weights and bias.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (n, rows, columns, k).
    x : array_like
        Images, of shape (n, h, w, c).
    w : array_like
        Weights, of shape (kernel height, kernel width, c / groups, k).
    stride : int or sequence of int, default 1
        Step of the convolution.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the convolution.
    dilation : int or sequence of int, default 1
        Dilation of the convolution.
    groups : int, default 1
        Groups of the convolution.
    out : tuple of (ndarray or None) or None, optional
        Arrays that dx, dw and db are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the images.
    dw : ndarray
        Gradient with respect to the weights.
    db : ndarray
        Gradient with respect to the bias, of shape (k,).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers or, where it should, integers, or an array of out
        has another dtype than the results.
    ValueError
        If shapes do not match, or an array of out overlaps an input or another one.

    Notes
    -----
    See `conv2d_backward_data` and `conv2d_backward_weights`.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x, w = np.array([2.0]).reshape(1, 1, 1, 1), np.array([3.0]).reshape(1, 1, 1, 1)
    >>> [gradient.item() for gradient in ops.conv2d_backward(np.ones_like(x), x, w)]
    [3.0, 2.0, 1.0]
    """
    op = "conv2d_backward"
    dy, x, w = floats(op, dy=dy, x=x, w=w)
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = conv_axes(op, x.shape, w.shape, groups=groups, **where)
    _check_gradient(op, dy, (len(x), rows.windows, columns.windows, w.shape[3]))
    shapes = [x.shape, w.shape, w.shape[3:]]
    return prepared(dy=dy, x=x, w=w, out=results(op, "dx dw db", out, shapes, dy=dy, x=x, w=w))


def _transpose_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    *,
    groups: int,
    out: Gradients,
    **where: Any,
) -> Gradients:
    dx, dw, db = out
    op = "conv2d_transpose_backward"
    rows, columns = transposed_conv_axes(op, x.shape, w.shape, groups=groups, **where)
    _core.conv2d(dy, w, None, dx, rows, columns, groups, None, None)
    _core.conv2d_backward_weights(x, dy, dw, None, rows, columns, groups)
    _core.sum_rows(dy.reshape(-1, len(db)), db)
    return out


@operation(
    _transpose_backward,
    check_first=True,
    kernel="conv2d_backward_weights",
    inputs="dy x w",
    outputs="dx dw db",
    shapes=_gradient_shapes,
    # The product for the weights sums x as well.
    flops=lambda inputs, _outputs: (
        2 * flops(inputs[1], inputs[2]) + math.prod(inputs[0]) + math.prod(inputs[1])
    ),
    no_gradient="it is a gradient",
    roundings=3,
    terms=lambda inputs, _outputs: max(math.prod(inputs[2][:3]), _pixels(inputs[0])),
    cancels=True,
)
def conv2d_transpose_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    output_padding: Sides = 0,
    dilation: Sides = 1,
    groups: int = 1,
    out: Out | None = None,
) -> Gradients:
    """Return the gradients of a transposed convolution with respect to images, weights and bias.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (n, height, width, k).
    x : array_like
        Images, of shape (n, h, w, c).
    w : array_like
        Weights, of shape (kernel height, kernel width, k / groups, c).
    stride : int or sequence of int, default 1
        Step of the transposed convolution.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the transposed convolution.
    output_padding : int or sequence of int, default 0
        Output padding of the transposed convolution.
    dilation : int or sequence of int, default 1
        Dilation of the transposed convolution.
    groups : int, default 1
        Groups of the transposed convolution.
    out : tuple of (ndarray or None) or None, optional
        Arrays that dx, dw and db are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the images.
    dw : ndarray
        Gradient with respect to the weights.
    db : ndarray
        Gradient with respect to the bias, of shape (k,).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers or, where it should, integers, or an array of out
        has another dtype than the results.
    ValueError
        If shapes do not match, or an array of out overlaps an input or another one.

    Notes
    -----
    The adjoint of the adjoint is the convolution itself: dx = conv2d(dy, w). In dw, images and
    gradient change places: dw[i, j, k, c] = Σ_nop dy[n, o s + i d - top, p s + j d - left, k]
    x[n, o, p, c].

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.array([1.0, 10.0]).reshape(1, 1, 2, 1)
    >>> w = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    >>> dy = np.arange(5.0).reshape(1, 1, 5, 1)
    >>> [each.ravel() for each in ops.conv2d_transpose_backward(dy, x, w, stride=(1, 2))]
    [array([ 8., 20.]), array([20., 31., 42.]), array([10.])]
    """
    op = "conv2d_transpose_backward"
    dy, x, w = floats(op, dy=dy, x=x, w=w)
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    where["output_padding"] = output_padding
    rows, columns = transposed_conv_axes(op, x.shape, w.shape, groups=groups, **where)
    filters = w.shape[2] * groups
    _check_gradient(op, dy, (len(x), rows.size, columns.size, filters))
    shapes = [x.shape, w.shape, (filters,)]
    return prepared(dy=dy, x=x, w=w, out=results(op, "dx dw db", out, shapes, dy=dy, x=x, w=w))
