"""Convolution, its adjoint and their gradients, as one small matrix product for each tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.activation import activate
from gyaku.reference.pool import max_pool2d_backward
from gyaku.reference.windows import axes, covered, each_tap, transposed_axes, uncovered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gyaku.reference.windows import Axis, Padding, Sides

__all__ = [
    "conv2d",
    "conv2d_backward",
    "conv2d_backward_data",
    "conv2d_backward_weights",
    "conv2d_transpose",
    "conv2d_transpose_backward",
]


def _split(x: NDArray[Any], groups: int) -> NDArray[Any]:
    """Turn (..., channels) into (groups, pixels, channels / groups)."""
    return x.reshape(-1, groups, x.shape[-1] // groups).swapaxes(0, 1)


def _joined(x: NDArray[Any], *shape: int) -> NDArray[Any]:
    """Turn (groups, pixels, channels / groups) into the given (..., channels)."""
    return x.swapaxes(0, 1).reshape(shape)


# The three products. x is what the windows slide over, y what has one pixel for each window.
def _gather(
    x: NDArray[Any], w: NDArray[Any], rows: Axis, columns: Axis, groups: int
) -> NDArray[Any]:
    """Return y = Σ over the taps of x w."""
    cover = covered(x, rows, columns)
    pixels, filters = len(x) * rows.windows * columns.windows, w.shape[3]
    y = np.zeros((groups, pixels, filters // groups), np.result_type(x, w))
    for i, j, seen in each_tap(rows, columns):
        y += _split(cover[seen], groups) @ _split(w[i, j], groups)
    return _joined(y, len(x), rows.windows, columns.windows, filters)


def _scatter(
    y: NDArray[Any], w: NDArray[Any], rows: Axis, columns: Axis, groups: int
) -> NDArray[Any]:
    """Return x = Σ over the taps of y wᵀ."""
    channels = w.shape[2] * groups
    cover = np.zeros((len(y), rows.span, columns.span, channels), np.result_type(y, w))
    for i, j, seen in each_tap(rows, columns):
        share = _split(y, groups) @ _split(w[i, j], groups).swapaxes(1, 2)
        cover[seen] += _joined(share, *y.shape[:3], channels)
    return uncovered(cover, rows, columns)


def _outer(
    x: NDArray[Any], y: NDArray[Any], rows: Axis, columns: Axis, groups: int
) -> NDArray[Any]:
    """Return w = Σ over the pixels of xᵀ y."""
    cover = covered(x, rows, columns)
    depth, filters = x.shape[3] // groups, y.shape[3]
    w = np.empty((rows.taps, columns.taps, depth, filters), np.result_type(x, y))
    for i, j, seen in each_tap(rows, columns):
        product = _split(cover[seen], groups).swapaxes(1, 2) @ _split(y, groups)
        w[i, j] = _joined(product, depth, filters)
    return w


def _by_outputs(
    dy: NDArray[Any], argmax: NDArray[Any] | None, rows: Axis, columns: Axis
) -> NDArray[Any]:
    """Return the gradient by all outputs, if it is that by their maxima."""
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
    """Slide a window over images and take weighted sums of what it shows.

    Parameters
    ----------
    x : ndarray
        Images, of shape (n, h, w, c).
    w : ndarray
        Weights, of shape (window height, window width, c / groups, k): k filters.
    b : ndarray or None, optional
        Bias of the k filters, of shape (k,).
    stride : int or sequence of int, default 1
        Step from one window to the next.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images, see `gyaku.reference.windows.axes`.
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
    groups : int, default 1
        Number of groups that channels and filters are divided into; a filter sees the channels
        of its own group. With c groups the convolution is called depthwise.
    activation : str or None, optional
        Name of an activation function.
    alpha : float or None, optional
        Parameter of the activation function.

    Returns
    -------
    ndarray
        Images of shape (n, rows of windows, columns of windows, k).

    Notes
    -----
    With stride s, dilation d, and x zero outside of the image,
    y[n, o, p, k] = f(b[k] + Σ_ijc x[n, o s + i d - top, p s + j d - left, c] w[i, j, c, k]).
    The window is not turned round: mathematics calls this a cross-correlation. LeCun et al.,
    "Gradient-based learning applied to document recognition", Proceedings of the IEEE 86 (1998).

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> w = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)
    >>> conv2d(x, w)[0, :, :, 0]
    array([[-4., -4.],
           [-4., -4.]])
    """
    rows, columns = axes(
        x.shape[1:3], w.shape[:2], stride=stride, padding=padding, dilation=dilation
    )
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
    """Return the gradient of a convolution by its images.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output, of shape (n, rows, columns, k).
    w : ndarray
        Weights, of shape (window height, window width, c / groups, k).
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
        Which of 2 × 2 outputs was the largest: dy is the gradient by these maxima then, of shape
        (n, rows // 2, columns // 2, k), and the other outputs have none.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

    Notes
    -----
    dx[n, h, q, c] = Σ dy[n, o, p, k] w[i, j, c, k] over all o s + i d - top = h and
    p s + j d - left = q: the adjoint of the convolution, ⟨dy, conv(x)⟩ = ⟨dx, x⟩. With stride 1 it
    is a convolution by the weights turned round, their channels and filters exchanged.

    Examples
    --------
    >>> w = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    >>> conv2d_backward_data(np.ones((1, 1, 2, 1)), w, (1, 6), stride=(1, 2)).ravel()
    array([1., 2., 4., 2., 3., 0.])
    """
    rows, columns = axes(size, w.shape[:2], stride=stride, padding=padding, dilation=dilation)
    return _scatter(_by_outputs(dy, argmax, rows, columns), w, rows, columns, groups)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def conv2d_backward_weights(
    dy: NDArray[Any],
    x: NDArray[Any],
    window: Sides,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    argmax: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the gradients of a convolution by its weights and its bias.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output, of shape (n, rows, columns, k).
    x : ndarray
        Images, of shape (n, h, w, c).
    window : int or sequence of int
        Height and width of the window.
    stride : int or sequence of int, default 1
        Step of the convolution.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the convolution.
    dilation : int or sequence of int, default 1
        Dilation of the convolution.
    groups : int, default 1
        Groups of the convolution.
    argmax : ndarray of uint8 or None, optional
        Which of 2 × 2 outputs was the largest: dy is the gradient by these maxima then, of shape
        (n, rows // 2, columns // 2, k), and the other outputs have none.

    Returns
    -------
    dw : ndarray
        Gradient by the weights, of shape (window height, window width, c / groups, k).
    db : ndarray
        Gradient by the bias, of shape (k,).

    Notes
    -----
    dw[i, j, c, k] = Σ_nop x[n, o s + i d - top, p s + j d - left, c] dy[n, o, p, k],
    db[k] = Σ_nop dy[n, o, p, k].

    Examples
    --------
    >>> x = np.arange(6.0).reshape(1, 1, 6, 1)
    >>> dw, db = conv2d_backward_weights(np.ones((1, 1, 2, 1)), x, (1, 3), stride=(1, 2))
    >>> dw.ravel(), db
    (array([2., 4., 6.]), array([2.]))
    """
    rows, columns = axes(x.shape[1:3], window, stride=stride, padding=padding, dilation=dilation)
    dy = _by_outputs(dy, argmax, rows, columns)
    return _outer(x, dy, rows, columns, groups), dy.sum(axis=(0, 1, 2))


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
    """Return the gradients of a convolution by images, weights and bias.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output, of shape (n, rows, columns, k).
    x : ndarray
        Images, of shape (n, h, w, c).
    w : ndarray
        Weights, of shape (window height, window width, c / groups, k).
    stride : int or sequence of int, default 1
        Step of the convolution.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the convolution.
    dilation : int or sequence of int, default 1
        Dilation of the convolution.
    groups : int, default 1
        Groups of the convolution.

    Returns
    -------
    dx : ndarray
        Gradient by the images.
    dw : ndarray
        Gradient by the weights.
    db : ndarray
        Gradient by the bias, of shape (k,).

    Notes
    -----
    See `conv2d_backward_data` and `conv2d_backward_weights`.

    Examples
    --------
    >>> x, w = np.array([2.0]).reshape(1, 1, 1, 1), np.array([3.0]).reshape(1, 1, 1, 1)
    >>> [gradient.item() for gradient in conv2d_backward(np.ones_like(x), x, w)]
    [3.0, 2.0, 1.0]
    """
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
    """Let each pixel paint a weighted window, the adjoint of `conv2d`.

    Parameters
    ----------
    x : ndarray
        Images, of shape (n, h, w, c).
    w : ndarray
        Weights, of shape (window height, window width, k / groups, c): those of the convolution
        from k to c channels that this is the adjoint of.
    b : ndarray or None, optional
        Bias of the k filters, of shape (k,).
    stride : int or sequence of int, default 1
        Step from the window of one pixel to that of the next.
    padding : int, sequence or {"same", "valid"}, default 0
        What is cut off around the output, see `gyaku.reference.windows.transposed_axes`.
    output_padding : int or sequence of int, default 0
        Rows and columns that are added at the end of the output.
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
    groups : int, default 1
        Number of groups that channels and filters are divided into.
    activation : str or None, optional
        Name of an activation function.
    alpha : float or None, optional
        Parameter of the activation function.

    Returns
    -------
    ndarray
        Images of shape (n, height, width, k).

    Notes
    -----
    y[n, h, q, k] = f(b[k] + Σ x[n, o, p, c] w[i, j, k, c]) over all o s + i d - top = h and
    p s + j d - left = q: the data gradient of a convolution, with a bias. Zeiler, Krishnan, Taylor
    and Fergus, "Deconvolutional networks", CVPR 2010.

    Examples
    --------
    >>> x = np.array([1.0, 10.0]).reshape(1, 1, 2, 1)
    >>> w = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    >>> conv2d_transpose(x, w, stride=(1, 2)).ravel()
    array([ 1.,  2., 13., 20., 30.])
    """
    rows, columns = transposed_axes(
        x.shape[1:3],
        w.shape[:2],
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
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
    """Return the gradients of a transposed convolution by images, weights and bias.

    Parameters
    ----------
    dy : ndarray
        Gradient of the loss by the output, of shape (n, height, width, k).
    x : ndarray
        Images, of shape (n, h, w, c).
    w : ndarray
        Weights, of shape (window height, window width, k / groups, c).
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

    Returns
    -------
    dx : ndarray
        Gradient by the images.
    dw : ndarray
        Gradient by the weights.
    db : ndarray
        Gradient by the bias, of shape (k,).

    Notes
    -----
    The adjoint of the adjoint is the convolution itself: dx = conv2d(dy, w). In dw, images and
    gradient change places: dw[i, j, k, c] = Σ_nop dy[n, o s + i d - top, p s + j d - left, k]
    x[n, o, p, c].

    Examples
    --------
    >>> x = np.array([1.0, 10.0]).reshape(1, 1, 2, 1)
    >>> w = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    >>> dy = np.arange(5.0).reshape(1, 1, 5, 1)
    >>> [each.ravel() for each in conv2d_transpose_backward(dy, x, w, stride=(1, 2))]
    [array([ 8., 20.]), array([20., 31., 42.]), array([10.])]
    """
    rows, columns = transposed_axes(
        x.shape[1:3],
        w.shape[:2],
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
    )
    dx = _gather(dy, w, rows, columns, groups)
    return dx, _outer(dy, x, rows, columns, groups), dy.sum(axis=(0, 1, 2))
