"""What convolutions and poolings are asked for, checked: where the windows lie, or why they cannot.

All functions take whole shapes, samples first and channels last, with two axes of an image between
them, or the one of a sequence (`dimensions=1`); they return the windows along each of these axes.
Layers call them with the shape of one sample, so that a mistake is found when a model is built.
"""

from __future__ import annotations

import functools
import math
import operator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec

from gyaku.backend import reference
from gyaku.ops.arrays import check_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gyaku.reference.windows import Axis, Padding, Sides

    Shape = tuple[int, ...]
    Margins = str | tuple[tuple[int, int], ...]

__all__ = ["channels_first", "conv_axes", "margins", "pool_axes", "sides", "transposed_conv_axes"]

_CONV_BITS = 29
"""Bits of what a convolution's kernels count pixels with: 31, and room for sums of some."""
_P = ParamSpec("_P")


def _remembered(lay_out: Callable[_P, tuple[Axis, ...]]) -> Callable[_P, tuple[Axis, ...]]:
    # An operation that is not replayed asks the same at each call, and checking takes longer than
    # a small kernel.
    known: Any = functools.lru_cache(maxsize=256, typed=True)(lay_out)

    @functools.wraps(lay_out)
    def remembered(*arguments: _P.args, **keywords: _P.kwargs) -> tuple[Axis, ...]:
        try:
            hash((arguments, *keywords.values()))
        except TypeError:  # a list or an array among them
            return lay_out(*arguments, **keywords)
        result: tuple[Axis, ...] = known(*arguments, **keywords)
        return result

    return remembered


@_remembered
def conv_axes(
    owner: str,
    x_shape: Shape,
    w_shape: Shape,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    groups: int = 1,
    dimensions: int = 2,
) -> tuple[Axis, ...]:
    """Return the windows of a convolution.

    Parameters
    ----------
    owner : str
        The operation or the layer, for errors.
    x_shape : tuple of int
        Shape of the images, (n, h, w, c), or of the sequences, (n, t, c).
    w_shape : tuple of int
        Shape of the weights, (window's sides, c / groups, k).
    stride : int or sequence of int, default 1
        Step from one window to the next.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images, see `margins`.
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
    groups : int, default 1
        Number of groups that channels and filters are divided into.
    dimensions : int, default 2
        Number of axes of the image.

    Returns
    -------
    tuple of Axis
        The windows along each axis. The output has the shape (n, number of windows along each, k).

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If shapes and arguments do not fit together.

    Examples
    --------
    >>> rows, columns = conv_axes("conv2d", (8, 28, 28, 1), (5, 5, 1, 20), stride=(1, 2))
    >>> rows.windows, columns.windows
    (24, 12)
    >>> conv_axes("conv2d", (8, 4, 4, 1), (5, 5, 1, 20), dilation=2)
    Traceback (most recent call last):
    ...
    ValueError: conv2d: a window of 5 x 5 (dilated 9 x 9) is larger than the padded image of 4 x 4,
    with padding 0 (input (8, 4, 4, 1), weights (5, 5, 1, 20))
    """
    window, beside = _window(owner, x_shape, w_shape, dimensions)
    channels, filters = x_shape[-1], w_shape[-1]
    with _said(beside):
        groups = _divided(owner, channels, filters, groups)
        _expected(owner, channels, w_shape[-2] * groups)
        result = _laid_out(owner, x_shape, window, stride, padding, dilation)
        _check_reach(owner, result)
    y_shape = (x_shape[0], *(axis.windows for axis in result), filters)
    check_bytes(owner, "the output", y_shape, beside)
    return result


@_remembered
def transposed_conv_axes(
    owner: str,
    x_shape: Shape,
    w_shape: Shape,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    output_padding: Sides = 0,
    dilation: Sides = 1,
    groups: int = 1,
    dimensions: int = 2,
) -> tuple[Axis, ...]:
    """Return the windows of a transposed convolution, on the image that it makes.

    Parameters
    ----------
    owner : str
        The operation or the layer, for errors.
    x_shape : tuple of int
        Shape of the images, (n, h, w, c), or of the sequences, (n, t, c).
    w_shape : tuple of int
        Shape of the weights, (window's sides, k / groups, c).
    stride : int or sequence of int, default 1
        Step from the window of one pixel to that of the next.
    padding : int, sequence or {"same", "valid"}, default 0
        What is cut off around the output, see `margins`.
    output_padding : int or sequence of int, default 0
        Rows and columns that are added at the end of the output.
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
    groups : int, default 1
        Number of groups that channels and filters are divided into.
    dimensions : int, default 2
        Number of axes of the image.

    Returns
    -------
    tuple of Axis
        The windows along each axis. The output has the shape (n, size of each axis, k).

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If shapes and arguments do not fit together.

    Examples
    --------
    >>> axes = transposed_conv_axes("conv2d_transpose", (8, 7, 7, 64), (4, 4, 32, 64), stride=2)
    >>> [axis.size for axis in axes]
    [16, 16]
    """
    window, beside = _window(owner, x_shape, w_shape, dimensions)
    with _said(beside):
        channels, filters = x_shape[-1], w_shape[-2] * _whole(owner, "groups", groups, 1)
        _divided(owner, channels, filters, groups)
        _expected(owner, channels, w_shape[-1])
        strides = sides(owner, "stride", stride, dimensions)
        dilations = sides(owner, "dilation", dilation, dimensions)
        extra = sides(owner, "output_padding", output_padding, dimensions, least=0)
        edges = margins(owner, padding, dimensions)
        if edges == "same" and any(extra):
            raise ValueError(
                f'{owner}: output_padding must be 0 with padding "same", got {_by(extra)}'
            )
        if any(e >= max(pair) for e, *pair in zip(extra, strides, dilations, strict=True)):
            raise ValueError(
                f"{owner}: output_padding must be less than the stride or the dilation, got"
                f" output_padding {_by(extra)}, stride {_by(strides)}, dilation {_by(dilations)}"
            )
        result = reference.windows.transposed_axes(
            *(x_shape[1:-1], window),
            stride=strides,
            padding=edges,
            output_padding=extra,
            dilation=dilations,
        )
        if min(axis.size for axis in result) < 1:
            raise ValueError(
                f"{owner}: padding {_shown(result)} leaves nothing of an output of"
                f" {_by(axis.padded for axis in result)}"
            )
        _check_reach(owner, result)
    y_shape = (x_shape[0], *(axis.size for axis in result), filters)
    check_bytes(owner, "the output", y_shape, beside)
    return result


@_remembered
def pool_axes(
    owner: str,
    x_shape: Shape,
    window: Sides,
    *,
    stride: Sides | None = None,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
    dimensions: int = 2,
) -> tuple[Axis, ...]:
    """Return the windows of a pooling.

    Parameters
    ----------
    owner : str
        The operation or the layer, for errors.
    x_shape : tuple of int
        Shape of the images, (n, h, w, c), or of the sequences, (n, t, c).
    window : int or sequence of int
        The window's sides.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is a window.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding around the images, see `margins`; on no side more than half a window.
    dilation : int or sequence of int, default 1
        Step from one tap of the window to the next.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image; it may not start there.
    dimensions : int, default 2
        Number of axes of the image.

    Returns
    -------
    tuple of Axis
        The windows along each axis. The output has the shape (n, number of windows along each, c).

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If shapes and arguments do not fit together.

    Examples
    --------
    >>> [axis.windows for axis in pool_axes("max_pool2d", (8, 7, 7, 20), 2, ceil_mode=True)]
    [4, 4]
    >>> pool_axes("max_pool2d", (8, 7, 7, 20), 2, padding=2)
    Traceback (most recent call last):
    ...
    ValueError: max_pool2d: padding must be at most half of a window, got padding 2
    (input (8, 7, 7, 20), window 2)
    """
    _check_image(owner, x_shape, dimensions)
    beside = f"input {x_shape}, window {window}"
    with _said(beside):
        window = sides(owner, "window", window, dimensions)
        if math.prod(window) >= 2**31:
            raise ValueError(f"{owner}: a window of {_by(window)} has more than 2^31 - 1 taps")
        steps = window if stride is None else stride
        result = _laid_out(owner, x_shape, window, steps, padding, dilation, ceil_mode=ceil_mode)
        # "same" asks for half of a window by itself, of a dilated one.
        given = not isinstance(padding, str)
        if given and any(2 * max(axis.before, axis.after) > axis.taps for axis in result):
            raise ValueError(
                f"{owner}: padding must be at most half of a window, got padding {_shown(result)}"
            )
    y_shape = (x_shape[0], *(axis.windows for axis in result), x_shape[-1])
    check_bytes(owner, "the output", y_shape, beside)
    return result


def channels_first(shape: Shape) -> bool:
    """Return whether the shape of an image looks as if channels stood where height belongs.

    Parameters
    ----------
    shape : tuple of int
        The shape of a sample.

    Returns
    -------
    bool
        Whether one or three come before two equal lengths.

    Examples
    --------
    >>> channels_first((3, 32, 32)), channels_first((32, 32, 3))
    (True, False)
    """
    return len(shape) == 3 and shape[0] in (1, 3) and shape[1] == shape[2] > 3


def sides(
    owner: str,
    name: str,
    value: Sides,
    dimensions: int = 2,
    *,
    least: int = 1,
    bits: int = 31,
) -> tuple[int, ...]:
    """Return one number for each axis of an image.

    Parameters
    ----------
    owner : str
        The operation or the layer, for errors.
    name : str
        The argument, for errors.
    value : int or sequence of int
        One number for all axes, or one for each.
    dimensions : int, default 2
        Number of axes.
    least : int, default 1
        The smallest value that makes sense.
    bits : int, default 31
        The value must be below 2 to the power of this.

    Returns
    -------
    tuple of int
        A number for each axis.

    Raises
    ------
    TypeError
        If the numbers are no integers.
    ValueError
        If there are too many or too few, or one is out of range.

    Examples
    --------
    >>> sides("Conv2D 'conv1'", "kernel_size", 5)
    (5, 5)
    >>> sides("Conv2D 'conv1'", "kernel_size", 0)
    Traceback (most recent call last):
    ...
    ValueError: Conv2D 'conv1': kernel_size must be at least 1, got 0
    """
    numbers = _entries(value, dimensions)
    wanted = "an integer" if dimensions == 1 else "an integer or a pair of integers"
    if len(numbers) != dimensions:
        raise ValueError(f"{owner}: {name} must be {wanted}, got {value!r}")
    return tuple(_whole(owner, name, number, least, wanted, bits, value) for number in numbers)


def margins(owner: str, value: Padding, dimensions: int = 2) -> Margins:
    """Return padding before and after each axis of an image.

    Parameters
    ----------
    owner : str
        The operation or the layer, for errors.
    value : int, sequence or {"same", "valid"}
        ``"valid"`` is none, ``"same"`` as much as makes size / stride windows, rounded up. An
        integer is for all sides. In a sequence, each axis has an integer for both of its sides, or
        a pair: before and after. A single axis may have its pair at once.
    dimensions : int, default 2
        Number of axes.

    Returns
    -------
    str or tuple of pairs of int
        The word ``"same"``, or padding before and after each axis.

    Raises
    ------
    TypeError
        If the numbers are no integers.
    ValueError
        If there are too many or too few, one is out of range, or there is no such word.

    Examples
    --------
    >>> margins("conv2d", 1)
    ((1, 1), (1, 1))
    >>> margins("conv2d", (0, (1, 2)))
    ((0, 0), (1, 2))
    """
    forms = "an integer or a pair" if dimensions == 1 else "an integer, a pair or a pair of pairs"
    wanted = f'"same", "valid", {forms}'
    if isinstance(value, str):
        if value not in ("same", "valid"):
            raise ValueError(f"{owner}: padding must be {wanted}, got {value!r}")
        return "same" if value == "same" else ((0, 0),) * dimensions
    edges = _entries(value, dimensions)
    if dimensions == 1 and len(edges) == 2:
        edges = (edges,)
    pairs = [_entries(each, 2) for each in edges]
    if len(pairs) != dimensions or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{owner}: padding must be {wanted}, got {value!r}")
    before_after = (
        tuple(_whole(owner, "padding", n, 0, wanted, given=value) for n in pair) for pair in pairs
    )
    return tuple((before, after) for before, after in before_after)


def _entries(value: Any, number: int) -> tuple[Any, ...]:
    try:
        return tuple(value)
    except TypeError:
        return (value,) * number


def _whole(
    owner: str,
    name: str,
    value: object,
    least: int,
    wanted: str = "an integer",
    bits: int = 31,
    given: object = None,
) -> int:
    given = value if given is None else given  # of which value is a part
    try:
        result = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        result = None
    if result is None or isinstance(value, bool):
        raise TypeError(f"{owner}: {name} must be {wanted}, got {given!r}")
    if result < least:
        raise ValueError(f"{owner}: {name} must be at least {least}, got {given!r}")
    if result >= 2**bits:
        raise ValueError(f"{owner}: {name} must be below 2^{bits}, got {given!r}")
    return result


@contextmanager
def _said(beside: str) -> Iterator[None]:
    """Say which shapes there are, if something goes wrong within."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} ({beside})") from None


def _check_image(owner: str, x_shape: Shape, dimensions: int) -> None:
    if len(x_shape) != dimensions + 2:
        wanted = "(samples, time, channels)" if dimensions == 1 else "(samples, h, w, channels)"
        raise ValueError(f"{owner}: input must have shape {wanted}, got {x_shape}")
    size = x_shape[1:-1]
    if 0 in size:
        raise ValueError(f"{owner}: an image of {_by(size)} has no pixels (input {x_shape})")


def _window(owner: str, x_shape: Shape, w_shape: Shape, dimensions: int) -> tuple[Shape, str]:
    """Return the sides of a convolution's window, and what to say of the shapes."""
    _check_image(owner, x_shape, dimensions)
    if len(w_shape) != dimensions + 2:
        raise ValueError(
            f"{owner}: weights must have {dimensions + 2} dimensions, the window's first,"
            f" got shape {w_shape}"
        )
    beside = f"input {x_shape}, weights {w_shape}"
    if 0 in w_shape[:-2]:
        raise ValueError(
            f"{owner}: a window of {_by(w_shape[:-2])} is empty, each side must be at least 1"
            f" ({beside})"
        )
    check_bytes(owner, "weights", w_shape, f"input {x_shape}")
    return w_shape[:-2], beside


def _divided(owner: str, channels: int, filters: int, groups: int) -> int:
    groups = _whole(owner, "groups", groups, 1)
    for number, name in ((channels, "channels"), (filters, "filters")):
        if number < 1:
            raise ValueError(f"{owner}: there are no {name}")
        if number % groups:
            raise ValueError(f"{owner}: {number} {name} do not divide into {groups} groups")
        if number >= 2**31:
            raise ValueError(f"{owner}: {name} must be below 2^31, got {number}")
    return groups


def _expected(owner: str, channels: int, expected: int) -> None:
    if channels != expected:
        raise ValueError(f"{owner}: input has {channels} channels, weights expect {expected}")


def _laid_out(
    owner: str,
    x_shape: Shape,
    window: Shape,
    stride: Sides,
    padding: Padding,
    dilation: Sides,
    *,
    ceil_mode: bool = False,
) -> tuple[Axis, ...]:
    size = x_shape[1:-1]
    result = reference.windows.axes(
        size,
        window,
        stride=sides(owner, "stride", stride, len(size)),
        padding=margins(owner, padding, len(size)),
        dilation=sides(owner, "dilation", dilation, len(size)),
        ceil_mode=ceil_mode,
    )
    if min(axis.windows for axis in result) < 1:
        raise ValueError(
            f"{owner}: a window of {_taps(result)} is larger than the padded image of"
            f" {_by(axis.padded for axis in result)}, with padding {_shown(result)}"
        )
    return result


def _check_reach(owner: str, axes: tuple[Axis, ...]) -> None:
    """Refuse a convolution whose kernels could not count its pixels."""
    if any(max(axis.padded, axis.stride, axis.dilation) >= 2**_CONV_BITS for axis in axes):
        raise ValueError(
            f"{owner}: the padded image, stride and dilation must be below 2^{_CONV_BITS} on each"
            f" side, got {_by(axis.padded for axis in axes)}, {_by(axis.stride for axis in axes)}"
            f" and {_by(axis.dilation for axis in axes)}"
        )


def _by(numbers: Iterable[int]) -> str:
    return " x ".join(map(str, numbers))


def _taps(axes: tuple[Axis, ...]) -> str:
    extent = [axis.extent for axis in axes]
    taps = [axis.taps for axis in axes]
    return _by(taps) + (f" (dilated {_by(extent)})" if extent != taps else "")


def _shown(axes: tuple[Axis, ...]) -> str:
    """Return the padding, as short as it can be written."""
    pairs = [(axis.before, axis.after) for axis in axes]
    if any(before != after for before, after in pairs):
        return str(pairs[0] if len(pairs) == 1 else tuple(pairs))
    numbers = [before for before, _ in pairs]
    return _by(numbers[:1] if len(set(numbers)) == 1 else numbers)
