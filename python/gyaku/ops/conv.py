"""Convolution and transposed convolution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from gyaku import _core
from gyaku.ops.activation import check_activation
from gyaku.ops.arrays import check_shape, floating, floats, result, shape_of
from gyaku.ops.op import operation, prepared
from gyaku.windows import conv_axes, transposed_conv_axes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes
    from gyaku.windows import Axis, Padding, Sides

__all__ = ["conv2d", "conv2d_transpose"]

# Images have two axes, which native calls unpack.
_axes = cast("Callable[..., tuple[Axis, Axis]]", conv_axes)
_transposed_axes = cast("Callable[..., tuple[Axis, Axis]]", transposed_conv_axes)


def flops(windows: Shape, w: Shape) -> int:
    """Return the FLOPs of a convolution: a product and a sum for each weight at each window.

    Parameters
    ----------
    windows : tuple of int
        Shape of the images that have one pixel for each window.
    w : tuple of int
        Shape of the weights.

    Returns
    -------
    int
        The FLOPs.
    """
    return 2 * math.prod(windows) * math.prod(w[:3])


def adjoint_terms(image: Shape, w: Shape) -> int:
    """Return the length of the longest sum behind a pixel of a convolution's adjoint.

    Parameters
    ----------
    image : tuple of int
        Shape of the images that the windows slide over.
    w : tuple of int
        Shape of the weights.

    Returns
    -------
    int
        Number of terms, with a bias.
    """
    groups = image[3] // w[2]
    return math.prod(w[:2]) * (w[3] // groups) + 1


def _conv_shape(
    shapes: Shapes, *, activation: str | None = None, alpha: float | None = None, **where: Any
) -> tuple[Shape, ...]:
    del activation, alpha
    rows, columns = conv_axes("conv2d", shapes[0], shapes[1], **where)
    return ((shapes[0][0], rows.windows, columns.windows, shapes[1][3]),)


def _transposed_shape(
    shapes: Shapes,
    *,
    activation: str | None = None,
    alpha: float | None = None,
    groups: int = 1,
    **where: Any,
) -> tuple[Shape, ...]:
    del activation, alpha
    x, w = shapes[:2]
    rows, columns = transposed_conv_axes("conv2d_transpose", x, w, groups=groups, **where)
    return ((x[0], rows.size, columns.size, w[2] * groups),)


def _bias(op: str, b: ArrayLike | None, filters: int, like: NDArray[Any]) -> NDArray[Any] | None:
    if b is None:
        return None
    b = floating(op, "b", b, like.dtype)
    check_shape(op, "b", b, (filters,))
    return b


@operation(
    lambda x, w, b, stride, padding, dilation, groups, activation, alpha, out: _core.conv2d(
        x,
        w,
        b,
        out,
        *_axes(
            "conv2d",
            shape_of(x),
            shape_of(w),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        ),
        groups,
        activation,
        alpha,
    ),
    inputs="x w",
    outputs="y",
    shapes=_conv_shape,
    flops=lambda inputs, outputs: flops(outputs[0], inputs[1]),
    saves="input",
    gradient="conv2d_backward",
    roundings=3,
    terms=lambda inputs, _outputs: math.prod(inputs[1][:3]) + 1,
    cancels=True,
)
def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    activation: str | None = None,
    alpha: float | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Convolve images: a weighted sum of each window, for each filter.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    w : array_like
        Weights, of shape (kernel height, kernel width, c / groups, k): k filters.
    b : array_like or None, optional
        Bias of the k filters, of shape (k,).
    stride : int or sequence of int, default 1
        Step from one window to the next.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images: an integer, one for each axis, a pair (before, after) for each, as
        much as makes size / stride windows, rounded up (``"same"``), or none (``"valid"``).
    dilation : int or sequence of int, default 1
        Step from one kernel element to the next.
    groups : int, default 1
        Number of groups that channels and filters are divided into; a filter sees the channels
        of its own group. With c groups the convolution is called depthwise.
    activation : str or None, optional
        Name of an activation function of `gyaku.ops`.
    alpha : float or None, optional
        Parameter of `leaky_relu` or `elu`; None is the function's default.
    out : ndarray or None, optional
        Array that the result is written to.

    Returns
    -------
    ndarray
        Images of shape (n, rows of windows, columns of windows, k): float64 if x or w is, else
        float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers or, where it should, integers, or out has another
        dtype than the result.
    ValueError
        If shapes do not match, out overlaps an input, or there is no such activation.

    Notes
    -----
    With stride s, dilation d, and x zero outside of the image,
    y[n, o, p, k] = f(b[k] + Σ_ijc x[n, o s + i d - top, p s + j d - left, c] w[i, j, c, k]).
    Terms in the padding are left out of the sum. The kernel is not flipped: mathematics calls this
    a cross-correlation. LeCun et al., "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86 (1998).

    In float32, kernels of 3 × 3 with stride 1 are computed with a quarter of the multiplications,
    and so are their gradients, if channels and filters (about 16 of both), pixels and images are
    enough to gain by it: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
    2016. The rounding error is about twice that of the sum above on random numbers. An output is
    off by at most ``63 (c + 40) u · 9 c max|x| max|w|``, with u = 2⁻²⁴ and the maxima over the
    6 × 6 pixels of its tile and over the weights of its filter; a gradient with respect to a
    weight, with t tiles of 4 × 4 pixels, by ``51 (t + 40) u · 16 t max|x| max|dy|``. The
    environment variable ``GYAKU_WINOGRAD=0`` switches this off.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> w = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)
    >>> ops.conv2d(x, w, [5.0])[0, :, :, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    op = "conv2d"
    x, w = floats(op, x=x, w=w)
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = conv_axes(op, x.shape, w.shape, groups=groups, **where)
    filters = w.shape[3]
    b = _bias(op, b, filters, x)
    y = result(op, out, (len(x), rows.windows, columns.windows, filters), x.dtype, x=x, w=w, b=b)
    return prepared(x=x, w=w, b=b, alpha=check_activation(op, activation, alpha), out=y)


@operation(
    lambda x, w, b, stride, padding, output_padding, dilation, groups, activation, alpha, out: (
        _core.conv2d_transpose(
            x,
            w,
            b,
            out,
            *_transposed_axes(
                "conv2d_transpose",
                shape_of(x),
                shape_of(w),
                stride=stride,
                padding=padding,
                output_padding=output_padding,
                dilation=dilation,
                groups=groups,
            ),
            groups,
            activation,
            alpha,
        )
    ),
    inputs="x w",
    outputs="y",
    shapes=_transposed_shape,
    flops=lambda inputs, _outputs: flops(inputs[0], inputs[1]),
    saves="input",
    gradient="conv2d_transpose_backward",
    roundings=3,
    terms=lambda inputs, outputs: adjoint_terms(outputs[0], inputs[1]),
    cancels=True,
)
def conv2d_transpose(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    output_padding: Sides = 0,
    dilation: Sides = 1,
    groups: int = 1,
    activation: str | None = None,
    alpha: float | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Compute a transposed convolution, the adjoint of `conv2d`.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    w : array_like
        Weights, of shape (kernel height, kernel width, k / groups, c): those of the convolution
        from k to c channels that this is the adjoint of.
    b : array_like or None, optional
        Bias of the k filters, of shape (k,).
    stride : int or sequence of int, default 1
        Step from the window of one pixel to that of the next.
    padding : int, sequence or {"same", "valid"}, default 0
        Pixels that are cut off around the output, in the forms that `conv2d` takes; ``"same"``
        leaves size * stride.
    output_padding : int or sequence of int, default 0
        Rows and columns that are added at the end of the output.
    dilation : int or sequence of int, default 1
        Step from one kernel element to the next.
    groups : int, default 1
        Number of groups that channels and filters are divided into.
    activation : str or None, optional
        Name of an activation function of `gyaku.ops`.
    alpha : float or None, optional
        Parameter of `leaky_relu` or `elu`; None is the function's default.
    out : ndarray or None, optional
        Array that the result is written to.

    Returns
    -------
    ndarray
        Images of shape (n, height, width, k): float64 if x or w is, else float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers or, where it should, integers, or out has another
        dtype than the result.
    ValueError
        If shapes do not match, out overlaps an input, or there is no such activation.

    Notes
    -----
    y[n, h, q, k] = f(b[k] + Σ x[n, o, p, c] w[i, j, k, c]) over all o s + i d - top = h and
    p s + j d - left = q: the data gradient of a convolution, with a bias. Zeiler, Krishnan, Taylor
    and Fergus, "Deconvolutional networks", CVPR 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x = np.array([1.0, 10.0]).reshape(1, 1, 2, 1)
    >>> w = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    >>> ops.conv2d_transpose(x, w, stride=(1, 2)).ravel()
    array([ 1.,  2., 13., 20., 30.])
    """
    op = "conv2d_transpose"
    x, w = floats(op, x=x, w=w)
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    where["output_padding"] = output_padding
    rows, columns = transposed_conv_axes(op, x.shape, w.shape, groups=groups, **where)
    filters = w.shape[2] * groups
    b = _bias(op, b, filters, x)
    y = result(op, out, (len(x), rows.size, columns.size, filters), x.dtype, x=x, w=w, b=b)
    return prepared(x=x, w=w, b=b, alpha=check_activation(op, activation, alpha), out=y)
