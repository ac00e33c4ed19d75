"""Convolution and transposed convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.activation import DEFAULT_ALPHA, check_activation
from gyaku.ops.arrays import FLOAT32, FLOAT64, UNFIT, allocate, apart, buffer, floating
from gyaku.ops.windows import conv_axes, transposed_conv_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from gyaku.reference.windows import Padding, Sides

__all__ = ["UNCHECKED", "alike", "conv2d", "conv2d_transpose", "placed"]

UNCHECKED = (*UNFIT, ArithmeticError, AttributeError, LookupError)
"""What is raised before arguments are checked, as by a list, which has no shape."""


def alike(op: str, **given: ArrayLike) -> list[NDArray[Any]]:
    """Return arguments as float arrays of one dtype.

    Parameters
    ----------
    op : str
        The operation, for errors.
    **given : array_like
        The arguments by their names.

    Returns
    -------
    list of ndarray
        C-contiguous, aligned; float64 if any of them is, else float32.

    Examples
    --------
    >>> [array.dtype.name for array in alike("conv2d", x=[1.0], w=[1])]
    ['float64', 'float64']
    """
    arrays = {name: floating(op, name, x) for name, x in given.items()}
    dtype = FLOAT64 if any(x.dtype is FLOAT64 for x in arrays.values()) else FLOAT32
    return [floating(op, name, x, dtype) for name, x in arrays.items()]


def placed(
    op: str,
    names: str,
    out: Any,
    shapes: Sequence[tuple[int, ...]],
    **read: NDArray[Any] | None,
) -> list[NDArray[Any]]:
    """Return the arrays that results go to.

    Parameters
    ----------
    op : str
        The operation, for errors.
    names : str
        The results, for errors.
    out : tuple of ndarray or None
        The arrays that were asked for; None stands for new ones.
    shapes : sequence of tuple of int
        The shapes of the results.
    **read : ndarray or None
        The arguments by their names; the first one gives the dtype.

    Returns
    -------
    list of ndarray
        The arrays, which overlap neither the arguments nor each other.

    Raises
    ------
    TypeError
        If an array has another dtype than the result.
    ValueError
        If there are too many or too few arrays, or one does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> [array.shape for array in placed("conv2d", "y", None, [(2, 3)], x=np.zeros(4))]
    [(2, 3)]
    """
    every = names.split()
    if out is None:
        out = (None,) * len(every)
    if not isinstance(out, tuple) or len(out) != len(every):
        raise ValueError(f"{op}: out must be a tuple ({', '.join(every)}), got {out!r}")
    arguments = {name: x for name, x in read.items() if x is not None}
    dtype = next(iter(arguments.values())).dtype
    for i, (name, array, shape) in enumerate(zip(every, out, shapes, strict=True)):
        if array is None:
            continue
        buffer(op, name, array, dtype, shape)
        for argument, x in arguments.items():
            apart(op, array, argument, x)
        for other, earlier in zip(every[:i], out[:i], strict=True):
            if earlier is not None and np.may_share_memory(array, earlier):
                raise ValueError(f"{op}: {other} and {name} must not overlap, both are written to")
    given = zip(out, shapes, strict=True)
    return [allocate(op, shape, dtype) if y is None else y for y, shape in given]


def _bias(op: str, b: ArrayLike | None, filters: int, like: NDArray[Any]) -> NDArray[Any] | None:
    if b is None:
        return None
    b = floating(op, "b", b, like.dtype)
    if b.shape != (filters,):
        raise ValueError(f"{op}: b must have shape ({filters},), got {b.shape}")
    return b


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
    """Slide a window over images and take weighted sums of what it shows.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    w : array_like
        Weights, of shape (window height, window width, c / groups, k): k filters.
    b : array_like or None, optional
        Bias of the k filters, of shape (k,).
    stride : int or sequence of int, default 1
        Step from one window to the next.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images: an integer, one for each axis, a pair (before, after) for each, or
        what makes size / stride windows, rounded up (``"same"``), or none (``"valid"``).
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
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
    What lies in the padding is left out of the sum. The window is not turned round: mathematics
    calls this a cross-correlation. LeCun et al., "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86 (1998).

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
    name = activation or "identity"
    if alpha is None:
        alpha = DEFAULT_ALPHA.get(name, 0.0)
    where: dict[str, Any]
    where = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    try:
        if active.native:
            rows, columns = conv_axes("conv2d", x.shape, w.shape, **where)  # type: ignore[union-attr]
            return _core.conv2d(x, w, b, out, rows, columns, groups, name, alpha)
    except UNCHECKED:
        pass
    x, w = alike("conv2d", x=x, w=w)
    rows, columns = conv_axes("conv2d", x.shape, w.shape, **where)
    b = _bias("conv2d", b, w.shape[3], x)
    shape = (len(x), rows.windows, columns.windows, w.shape[3])
    (y,) = placed("conv2d", "out", (out,), [shape], x=x, w=w, b=b)
    check_activation("conv2d", name, alpha)
    if active.native:
        return _core.conv2d(x, w, b, y, rows, columns, groups, name, alpha)
    own = alpha if name in DEFAULT_ALPHA else None
    y[...] = reference.conv2d(x, w, b, activation=name, alpha=own, **where)
    return y


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
    """Let each pixel paint a weighted window, the adjoint of `conv2d`.

    Parameters
    ----------
    x : array_like
        Images, of shape (n, h, w, c).
    w : array_like
        Weights, of shape (window height, window width, k / groups, c): those of the convolution
        from k to c channels that this is the adjoint of.
    b : array_like or None, optional
        Bias of the k filters, of shape (k,).
    stride : int or sequence of int, default 1
        Step from the window of one pixel to that of the next.
    padding : int, sequence or {"same", "valid"}, default 0
        What is cut off around the output, in the forms that `conv2d` takes; ``"same"`` leaves
        size * stride.
    output_padding : int or sequence of int, default 0
        Rows and columns that are added at the end of the output.
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
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
    name = activation or "identity"
    if alpha is None:
        alpha = DEFAULT_ALPHA.get(name, 0.0)
    where: dict[str, Any]
    where = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    where["output_padding"] = output_padding
    try:
        if active.native:
            rows, columns = transposed_conv_axes(op, x.shape, w.shape, **where)  # type: ignore[union-attr]
            return _core.conv2d_transpose(x, w, b, out, rows, columns, groups, name, alpha)
    except UNCHECKED:
        pass
    x, w = alike(op, x=x, w=w)
    rows, columns = transposed_conv_axes(op, x.shape, w.shape, **where)
    filters = w.shape[2] * groups
    b = _bias(op, b, filters, x)
    shape = (len(x), rows.size, columns.size, filters)
    (y,) = placed(op, "out", (out,), [shape], x=x, w=w, b=b)
    check_activation(op, name, alpha)
    if active.native:
        return _core.conv2d_transpose(x, w, b, y, rows, columns, groups, name, alpha)
    own = alpha if name in DEFAULT_ALPHA else None
    y[...] = reference.conv2d_transpose(x, w, b, activation=name, alpha=own, **where)
    return y
