"""Convolution, its adjoint and their gradients, by a matrix product for each kernel element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.precision import operand
from gyaku.reference.activation import activate
from gyaku.reference.pool import max_pool2d_backward
from gyaku.reference.windows import each_tap, pad, unpad
from gyaku.windows import conv_axes, sides, transposed_conv_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gyaku.windows import Axis, Padding, Sides

__all__ = [
    "conv2d",
    "conv2d_backward",
    "conv2d_backward_data",
    "conv2d_backward_weights",
    "conv2d_transpose",
    "conv2d_transpose_backward",
]


def _split(x: NDArray[Any], groups: int) -> NDArray[Any]:
    """Reshape (..., channels) to (groups, pixels, channels / groups)."""
    return x.reshape(-1, groups, x.shape[-1] // groups).swapaxes(0, 1)


def _joined(x: NDArray[Any], *shape: int) -> NDArray[Any]:
    """Reshape (groups, pixels, channels / groups) to the given (..., channels)."""
    return x.swapaxes(0, 1).reshape(shape)


# The three products. Windows slide over x; y has one pixel for each window.
def _gather(
    x: NDArray[Any], w: NDArray[Any], rows: Axis, columns: Axis, groups: int
) -> NDArray[Any]:
    """Return y = Σ x w over the kernel elements."""
    x, w = pad(operand(x), rows, columns), operand(w)
    pixels, filters = len(x) * rows.windows * columns.windows, w.shape[3]
    y = np.zeros((groups, pixels, filters // groups), np.result_type(x, w))
    for i, j, tap in each_tap(rows, columns):
        y += _split(x[tap], groups) @ _split(w[i, j], groups)
    return _joined(y, len(x), rows.windows, columns.windows, filters)


def _scatter(
    y: NDArray[Any], w: NDArray[Any], rows: Axis, columns: Axis, groups: int
) -> NDArray[Any]:
    """Return x = Σ y wᵀ over the kernel elements."""
    y, w = operand(y), operand(w)
    channels = w.shape[2] * groups
    x = np.zeros((len(y), rows.span, columns.span, channels), np.result_type(y, w))
    for i, j, tap in each_tap(rows, columns):
        product = _split(y, groups) @ _split(w[i, j], groups).swapaxes(1, 2)
        x[tap] += _joined(product, *y.shape[:3], channels)
    return unpad(x, rows, columns)


def _outer(
    x: NDArray[Any], y: NDArray[Any], rows: Axis, columns: Axis, groups: int
) -> NDArray[Any]:
    """Return w = Σ xᵀ y over the pixels."""
    x, y = pad(operand(x), rows, columns), operand(y)
    depth, filters = x.shape[3] // groups, y.shape[3]
    w = np.empty((rows.taps, columns.taps, depth, filters), np.result_type(x, y))
    for i, j, tap in each_tap(rows, columns):
        product = _split(x[tap], groups).swapaxes(1, 2) @ _split(y, groups)
        w[i, j] = _joined(product, depth, filters)
    return w


def _bias_gradient(dy: NDArray[Any]) -> NDArray[Any]:
    """Return Σ dy over the pixels, the product of their gradients with ones."""
    return np.asarray(operand(dy).sum(axis=(0, 1, 2)))


def _unpooled(
    dy: NDArray[Any], argmax: NDArray[Any] | None, rows: Axis, columns: Axis
) -> NDArray[Any]:
    """Return the gradient of all outputs, if dy is that of their 2 × 2 maxima."""
    if argmax is None:
        return dy
    return max_pool2d_backward(dy, argmax, (rows.windows, columns.windows), 2)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def conv2d(
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None = None,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    activation: str | None = None,
    alpha: float | None = None,
) -> NDArray[Any]:
    """Return y = f(b + Σ x w) over each window."""
    # With stride s, dilation d, and x zero outside of the image, y[n, o, p, k] = f(b[k] +
    # Σ_ijc x[n, o s + i d - top, p s + j d - left, c] w[i, j, c, k]). The kernel is not
    # flipped: mathematics calls this a cross-correlation.
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = conv_axes("conv2d", x.shape, w.shape, groups=groups, **where)
    z = _gather(x, w, rows, columns, groups)
    return activate(z if b is None else z + b, activation, alpha)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def conv2d_backward_data(
    dy: NDArray[Any],
    w: NDArray[Any],
    size: tuple[int, int],
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    argmax: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Return the gradient of a convolution with respect to its images."""
    # dx[n, h, q, c] = Σ dy[n, o, p, k] w[i, j, c, k] over all o s + i d - top = h and p s + j
    # d - left = q: the adjoint of the convolution, ⟨dy, conv(x)⟩ = ⟨dx, x⟩. With stride 1 it
    # is a convolution with the flipped kernel, its channels and filters exchanged.
    shape = (len(dy), *size, w.shape[2] * groups)
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = conv_axes("conv2d_backward_data", shape, w.shape, groups=groups, **where)
    return _scatter(_unpooled(dy, argmax, rows, columns), w, rows, columns, groups)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def conv2d_backward_weights(
    dy: NDArray[Any],
    x: NDArray[Any],
    kernel_size: Sides,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    argmax: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the gradients of a convolution with respect to its weights and its bias."""
    # dw[i, j, c, k] = Σ_nop x[n, o s + i d - top, p s + j d - left, c] dy[n, o, p, k],
    # db[k] = Σ_nop dy[n, o, p, k].
    op = "conv2d_backward_weights"
    shape = (*sides(op, "kernel_size", kernel_size), x.shape[3] // groups, dy.shape[3])
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = conv_axes(op, x.shape, shape, groups=groups, **where)
    dy = _unpooled(dy, argmax, rows, columns)
    return _outer(x, dy, rows, columns, groups), _bias_gradient(dy)


def conv2d_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the results of `conv2d_backward_data` and `conv2d_backward_weights`."""
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    dx = conv2d_backward_data(dy, w, x.shape[1:3], groups=groups, **where)
    return dx, *conv2d_backward_weights(dy, x, w.shape[:2], groups=groups, **where)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def conv2d_transpose(
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None = None,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    output_padding: Sides = 0,
    dilation: Sides = 1,
    groups: int = 1,
    activation: str | None = None,
    alpha: float | None = None,
) -> NDArray[Any]:
    """Compute a transposed convolution, the adjoint of `conv2d`."""
    # y[n, h, q, k] = f(b[k] + Σ x[n, o, p, c] w[i, j, k, c]) over all o s + i d - top = h and
    # p s + j d - left = q: the data gradient of a convolution, with a bias.
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    where["output_padding"] = output_padding
    rows, columns = transposed_conv_axes(
        "conv2d_transpose", x.shape, w.shape, groups=groups, **where
    )
    z = _scatter(x, w, rows, columns, groups)
    return activate(z if b is None else z + b, activation, alpha)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def conv2d_transpose_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    output_padding: Sides = 0,
    dilation: Sides = 1,
    groups: int = 1,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of a transposed convolution with respect to its arguments."""
    # The adjoint of the adjoint is the convolution itself: dx = conv2d(dy, w). In dw, images
    # and gradient change places: dw[i, j, k, c] = Σ_nop dy[n, o s + i d - top, p s + j d -
    # left, k] x[n, o, p, c].
    where: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    where["output_padding"] = output_padding
    rows, columns = transposed_conv_axes(
        "conv2d_transpose_backward", x.shape, w.shape, groups=groups, **where
    )
    dx = _gather(dy, w, rows, columns, groups)
    return dx, _outer(dy, x, rows, columns, groups), _bias_gradient(dy)
