"""Gradients of convolution and of transposed convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.conv import UNCHECKED, alike, placed
from gyaku.ops.pool import max_pool2d_backward
from gyaku.ops.windows import conv_axes, sides, transposed_conv_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from gyaku.reference.windows import Axis, Padding, Sides

    Results = tuple[NDArray[Any] | None, ...]

__all__ = [
    "conv2d_backward",
    "conv2d_backward_data",
    "conv2d_backward_weights",
    "conv2d_transpose_backward",
]


def _check_gradient(op: str, dy: NDArray[Any], shape: tuple[int, ...]) -> None:
    if dy.shape != shape:
        raise ValueError(f"{op}: dy must have the output's shape {shape}, got {dy.shape}")


def _whole_groups(op: str, where: dict[str, Any]) -> int:
    return sides(op, "groups", where["groups"], 1)[0]


def _channels(op: str, dy: NDArray[Any]) -> int:
    if dy.ndim != 4:
        raise ValueError(f"{op}: dy must have shape (samples, h, w, channels), got {dy.shape}")
    channels: int = dy.shape[3]
    return channels


def takes_maxima(
    axes: Sequence[Axis], w: tuple[int, ...], groups: int, dtype: np.dtype[Any]
) -> bool:
    """Say whether gradients should be made of those of the maxima of 2 × 2 outputs.

    Parameters
    ----------
    axes : sequence of Axis
        Where the windows lie, along rows and columns.
    w : tuple of int
        Shape of the weights, (window height, window width, c / groups, k).
    groups : int
        Groups of the convolution.
    dtype : numpy.dtype
        Dtype of all arrays.

    Returns
    -------
    bool
        Whether there are kernels for it, and they are faster than those for all outputs.
    """
    rows, columns = axes
    return groups == 1 and _core.takes_maxima(rows, columns, w[2], w[3], dtype.itemsize)


def _check_outputs(
    op: str, dy: NDArray[Any], argmax: NDArray[Any] | None, outputs: tuple[int, int, int, int]
) -> None:
    """Refuse a gradient that is neither by all outputs nor, with argmax, by their maxima."""
    if argmax is None:
        _check_gradient(op, dy, outputs)
        return
    samples, rows, columns, filters = outputs
    maxima = (samples, rows // 2, columns // 2, filters)
    _check_gradient(op, dy, maxima)
    if argmax.shape != maxima or argmax.dtype != np.uint8:
        raise ValueError(
            f"{op}: argmax must hold uint8 in the shape of dy {maxima}, got {argmax.dtype} in"
            f" {argmax.shape}"
        )


def _data(
    op: str,
    dy: NDArray[Any],
    w: NDArray[Any],
    size: tuple[int, ...],
    out: NDArray[Any] | None,
    where: dict[str, Any],
    argmax: NDArray[Any] | None = None,
) -> NDArray[Any]:
    _channels(op, dy)
    groups = _whole_groups(op, where)
    shape = (len(dy), *size, w.shape[2] * groups if w.ndim == 4 else 0)
    rows, columns = conv_axes(op, shape, w.shape, **where)
    outputs = (len(dy), rows.windows, columns.windows, w.shape[3])
    _check_outputs(op, dy, argmax, outputs)
    (dx,) = placed(op, "out", (out,), [shape], dy=dy, w=w)
    if active.native:
        if argmax is not None and not takes_maxima((rows, columns), w.shape, groups, w.dtype):
            dy, argmax = max_pool2d_backward(dy, argmax, outputs[1:3], 2), None
        return _core.conv2d_backward_data(dy, w, dx, rows, columns, groups, argmax)
    size = rows.size, columns.size
    dx[...] = reference.conv2d_backward_data(dy, w, size, **where, argmax=argmax)
    return dx


def _weights(
    op: str,
    dy: NDArray[Any],
    x: NDArray[Any],
    window: tuple[int, ...],
    out: Results | None,
    where: dict[str, Any],
    argmax: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    groups, filters = _whole_groups(op, where), _channels(op, dy)
    shape = (*window, x.shape[-1] // groups if x.ndim else 0, filters)
    rows, columns = conv_axes(op, x.shape, shape, **where)
    outputs = (len(x), rows.windows, columns.windows, filters)
    _check_outputs(op, dy, argmax, outputs)
    dw, db = placed(op, "dw db", out, [shape, (filters,)], dy=dy, x=x)
    if active.native:
        if argmax is not None and not takes_maxima((rows, columns), shape, groups, x.dtype):
            dy, argmax = max_pool2d_backward(dy, argmax, outputs[1:3], 2), None
        return _core.conv2d_backward_weights(dy, x, dw, db, rows, columns, groups, argmax)
    dw[...], db[...] = reference.conv2d_backward_weights(dy, x, window, **where, argmax=argmax)
    return dw, db


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
    """Return the gradient of a convolution by its images.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output, of shape (n, rows, columns, k).
    w : array_like
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
        Which of 2 × 2 outputs was the largest, as `max_pool2d` says: dy is the gradient by these
        maxima then, of shape (n, rows // 2, columns // 2, k), and the other outputs have none.
    out : ndarray or None, optional
        Array that the result is written to.

    Returns
    -------
    ndarray
        Gradient by the images, of shape (n, *size, c).

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
    is a convolution by the weights turned round, their channels and filters exchanged.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> w = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    >>> ops.conv2d_backward_data(np.ones((1, 1, 2, 1)), w, (1, 6), stride=(1, 2)).ravel()
    array([1., 2., 4., 2., 3., 0.])
    """
    op = "conv2d_backward_data"
    where: dict[str, Any]
    where = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    try:
        if active.native:
            shape = (dy.shape[0], *size, w.shape[2] * groups)  # type: ignore[union-attr]
            rows, columns = conv_axes(op, shape, w.shape, **where)  # type: ignore[union-attr]
            if argmax is None or takes_maxima((rows, columns), w.shape, groups, w.dtype):  # type: ignore[union-attr]
                return _core.conv2d_backward_data(dy, w, out, rows, columns, groups, argmax)
    except UNCHECKED:
        pass
    dy, w = alike(op, dy=dy, w=w)
    return _data(op, dy, w, sides(op, "size", size), out, where, argmax)


def conv2d_backward_weights(
    dy: ArrayLike,
    x: ArrayLike,
    window: Sides,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    argmax: NDArray[Any] | None = None,
    out: Results | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the gradients of a convolution by its weights and its bias.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output, of shape (n, rows, columns, k).
    x : array_like
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
        Which of 2 × 2 outputs was the largest, as `max_pool2d` says: dy is the gradient by these
        maxima then, of shape (n, rows // 2, columns // 2, k), and the other outputs have none.
    out : tuple of ndarray or None, optional
        Arrays that dw and db are written to; None in the place of one stands for a new one.

    Returns
    -------
    dw : ndarray
        Gradient by the weights, of shape (window height, window width, c / groups, k).
    db : ndarray
        Gradient by the bias, of shape (k,).

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
    where: dict[str, Any]
    where = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    try:
        if active.native:
            dw, db = (None, None) if out is None else out
            shape = (*window, x.shape[3] // groups, dy.shape[3])  # type: ignore[union-attr, misc]
            rows, columns = conv_axes(op, x.shape, shape, **where)  # type: ignore[union-attr]
            if argmax is None or takes_maxima((rows, columns), shape, groups, x.dtype):  # type: ignore[union-attr]
                return _core.conv2d_backward_weights(dy, x, dw, db, rows, columns, groups, argmax)
    except UNCHECKED:
        pass
    dy, x = alike(op, dy=dy, x=x)
    window = sides(op, "window", window)
    return _weights(op, dy, x, window, out, where, argmax)


def conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    out: Results | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of a convolution by images, weights and bias.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output, of shape (n, rows, columns, k).
    x : array_like
        Images, of shape (n, h, w, c).
    w : array_like
        Weights, of shape (window height, window width, c / groups, k).
    stride : int or sequence of int, default 1
        Step of the convolution.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of the convolution.
    dilation : int or sequence of int, default 1
        Dilation of the convolution.
    groups : int, default 1
        Groups of the convolution.
    out : tuple of ndarray or None, optional
        Arrays that dx, dw and db are written to; None in the place of one stands for a new one.

    Returns
    -------
    dx : ndarray
        Gradient by the images.
    dw : ndarray
        Gradient by the weights.
    db : ndarray
        Gradient by the bias, of shape (k,).

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
    dy, x, w = alike(op, dy=dy, x=x, w=w)
    where: dict[str, Any]
    where = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    conv_axes(op, x.shape, w.shape, **where)
    dx, dw, db = placed(op, "dx dw db", out, [x.shape, w.shape, w.shape[3:]], dy=dy, x=x, w=w)
    _data(op, dy, w, x.shape[1:3], dx, where)
    _weights(op, dy, x, w.shape[:2], (dw, db), where)
    return dx, dw, db


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
    out: Results | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of a transposed convolution by images, weights and bias.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss by the output, of shape (n, height, width, k).
    x : array_like
        Images, of shape (n, h, w, c).
    w : array_like
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
    out : tuple of ndarray or None, optional
        Arrays that dx, dw and db are written to; None in the place of one stands for a new one.

    Returns
    -------
    dx : ndarray
        Gradient by the images.
    dw : ndarray
        Gradient by the weights.
    db : ndarray
        Gradient by the bias, of shape (k,).

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
    dy, x, w = alike(op, dy=dy, x=x, w=w)
    where: dict[str, Any]
    where = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    where["output_padding"] = output_padding
    rows, columns = transposed_conv_axes(op, x.shape, w.shape, **where)
    filters = w.shape[2] * groups
    _check_gradient(op, dy, (len(x), rows.size, columns.size, filters))
    dx, dw, db = placed(op, "dx dw db", out, [x.shape, w.shape, (filters,)], dy=dy, x=x, w=w)
    if active.native:
        _core.conv2d(dy, w, None, dx, rows, columns, groups, "identity", 0.0)
        _core.conv2d_backward_weights(x, dy, dw, None, rows, columns, groups)
        _core.sum_rows(dy.reshape(-1, filters), db)
        return dx, dw, db
    dx[...], dw[...], db[...] = reference.conv2d_transpose_backward(dy, x, w, **where)
    return dx, dw, db
