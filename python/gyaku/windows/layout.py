"""Windows of an operation, from shapes and arguments; errors in one sentence.

All functions take whole shapes, samples first and channels last, with two axes of an image between
them, or the one of a sequence (`dimensions=1`); they return the windows along each of these axes.
Layers call them with the shape of one sample, so that errors appear when a model is built.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec

from gyaku.checks import check_bytes, whole
from gyaku.windows.axis import Axis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Shape = tuple[int, ...]
    Margins = str | tuple[tuple[int, int], ...]

__all__ = ["Padding", "Sides", "channels_first", "conv_axes", "margins", "pool_axes", "sides"]
__all__ += ["transposed_conv_axes"]

Sides = int | Sequence[int]
"""One integer for all axes, or one for each."""
Padding = str | int | Sequence[int | Sequence[int]]
"""`"same"`, `"valid"`, or for all axes or for each: an integer, or a pair (before, after)."""

_CONV_BITS = 29
"""Bits of a pixel's position in the convolution kernels: 31, less two for sums of positions."""
_P = ParamSpec("_P")


def _cached(lay_out: Callable[_P, tuple[Axis, ...]]) -> Callable[_P, tuple[Axis, ...]]:
    # Without replay an operation computes the same at each call, and validation takes longer than
    # a small kernel.
    known: Any = functools.lru_cache(maxsize=256, typed=True)(lay_out)

    @functools.wraps(lay_out)
    def cached(*arguments: _P.args, **keywords: _P.kwargs) -> tuple[Axis, ...]:
        try:
            result: tuple[Axis, ...] = known(*arguments, **keywords)
        except TypeError:  # also for a list, which has no hash
            pass
        else:
            return result
        return lay_out(*arguments, **keywords)

    return cached


@_cached
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
        Operation or layer, for errors.
    x_shape : tuple of int
        Shape of the images, (n, h, w, c), or of the sequences, (n, t, c).
    w_shape : tuple of int
        Shape of the weights, (*kernel size, c / groups, k).
    stride : int or sequence of int, default 1
        Step from one window to the next.
    padding : int, sequence or {"same", "valid"}, default 0
        Zeros around the images, see `margins`.
    dilation : int or sequence of int, default 1
        Step from one kernel element to the next.
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
    kernel_size, shapes = _kernel_size(owner, x_shape, w_shape, dimensions)
    channels, filters = x_shape[-1], w_shape[-1]
    with _beside(shapes):
        groups = whole(owner, "groups", groups)
        _check_groups(owner, groups, channels=channels, filters=filters)
        _check_channels(owner, channels, w_shape[-2] * groups)
        axes = _sliding(owner, x_shape, kernel_size, stride, padding, dilation)
        _check_reach(owner, axes)
    y_shape = (x_shape[0], *(axis.windows for axis in axes), filters)
    check_bytes(owner, "the output", y_shape, shapes)
    return axes


@_cached
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
    """Return the windows of a transposed convolution, on its output.

    Parameters
    ----------
    owner : str
        Operation or layer, for errors.
    x_shape : tuple of int
        Shape of the images, (n, h, w, c), or of the sequences, (n, t, c).
    w_shape : tuple of int
        Shape of the weights, (*kernel size, k / groups, c).
    stride : int or sequence of int, default 1
        Step from the window of one pixel to that of the next.
    padding : int, sequence or {"same", "valid"}, default 0
        Pixels that are cut off around the output, see `margins`.
    output_padding : int or sequence of int, default 0
        Rows and columns that are added at the end of the output.
    dilation : int or sequence of int, default 1
        Step from one kernel element to the next.
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
    kernel_size, shapes = _kernel_size(owner, x_shape, w_shape, dimensions)
    with _beside(shapes):
        groups = whole(owner, "groups", groups)
        channels, filters = x_shape[-1], w_shape[-2] * groups
        _check_groups(owner, groups, channels=channels, filters=filters)
        _check_channels(owner, channels, w_shape[-1])
        axes = _transposed(
            owner, x_shape, kernel_size, stride, padding, dilation, output_padding=output_padding
        )
        _check_reach(owner, axes)
    y_shape = (x_shape[0], *(axis.size for axis in axes), filters)
    check_bytes(owner, "the output", y_shape, shapes)
    return axes


@_cached
def pool_axes(
    owner: str,
    x_shape: Shape,
    kernel_size: Sides,
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
        Operation or layer, for errors.
    x_shape : tuple of int
        Shape of the images, (n, h, w, c), or of the sequences, (n, t, c).
    kernel_size : int or sequence of int
        Height and width of a window, or its length.
    stride : int, sequence of int or None, optional
        Step from one window to the next; None is the kernel size.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding around the images, see `margins`; on each side less than the kernel with its
        dilation.
    dilation : int or sequence of int, default 1
        Step from one kernel element to the next.
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
    ValueError: max_pool2d: padding must be less than the kernel of 2 x 2, got padding 2
    (input (8, 7, 7, 20), kernel_size 2)
    """
    _check_image(owner, x_shape, dimensions)
    shapes = f"input {x_shape}, kernel_size {kernel_size}"
    with _beside(shapes):
        kernel = sides(owner, "kernel_size", kernel_size, dimensions)
        if math.prod(kernel) >= 2**31:
            raise ValueError(f"{owner}: a window of {_by(kernel)} has more than 2^31 - 1 elements")
        steps = kernel if stride is None else stride
        axes = _sliding(owner, x_shape, kernel, steps, padding, dilation, ceil_mode=ceil_mode)
        if any(max(axis.before, axis.after) >= axis.extent for axis in axes):
            raise ValueError(
                f"{owner}: padding must be less than the kernel of {_shown_kernel(axes)}, got"
                f" padding {_shown_padding(axes)}"
            )
    y_shape = (x_shape[0], *(axis.windows for axis in axes), x_shape[-1])
    check_bytes(owner, "the output", y_shape, shapes)
    return axes


def channels_first(shape: Shape) -> bool:
    """Return whether the shape of an image seems to have the channels first.

    Parameters
    ----------
    shape : tuple of int
        Shape of a sample.

    Returns
    -------
    bool
        Whether it is 1 or 3, and then two equal lengths.

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
    """Return one integer for each axis of an image.

    Parameters
    ----------
    owner : str
        Operation or layer, for errors.
    name : str
        Argument, for errors.
    value : int or sequence of int
        One integer for all axes, or one for each.
    dimensions : int, default 2
        Number of axes.
    least : int, default 1
        Smallest valid integer.
    bits : int, default 31
        Exponent of two of the upper limit.

    Returns
    -------
    tuple of int
        An integer for each axis.

    Raises
    ------
    TypeError
        If it does not consist of integers.
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
    several = {1: "", 2: " or a pair of integers"}
    wanted = "an integer" + several.get(dimensions, f" or {dimensions} integers")
    entries = _entries(value, dimensions)
    if len(entries) != dimensions:
        raise ValueError(f"{owner}: {name} must be {wanted}, got {value!r}")
    return _integers(owner, name, value, entries, wanted, least, bits)


def margins(
    owner: str, value: Padding, dimensions: int = 2, *, name: str = "padding", words: bool = True
) -> Margins:
    """Return padding before and after each axis of an image.

    Parameters
    ----------
    owner : str
        Operation or layer, for errors.
    value : int, sequence or {"same", "valid"}
        ``"valid"`` is none, ``"same"`` is for size / stride windows, rounded up. An integer is for
        all sides. A sequence has, for each axis, an integer for both of its sides, or a pair
        (before, after). A single axis may have its pair alone.
    dimensions : int, default 2
        Number of axes.
    name : str, default "padding"
        Argument, for errors.
    words : bool, default True
        Whether it may be a word.

    Returns
    -------
    str or tuple of pairs of int
        The word ``"same"``, or padding before and after each axis.

    Raises
    ------
    TypeError
        If it does not consist of integers.
    ValueError
        If there are too many or too few, one is out of range, or the word is unknown.

    Examples
    --------
    >>> margins("conv2d", 1)
    ((1, 1), (1, 1))
    >>> margins("conv2d", (0, (1, 2)))
    ((0, 0), (1, 2))
    """
    several = {1: "an integer or a pair", 2: "an integer, a pair or a pair of pairs"}
    wanted = several.get(dimensions, f"an integer, {dimensions} integers or {dimensions} pairs")
    wanted = f'"same", "valid", {wanted}' if words else wanted
    if isinstance(value, str):
        if not words or value not in ("same", "valid"):
            raise ValueError(f"{owner}: {name} must be {wanted}, got {value!r}")
        return "same" if value == "same" else ((0, 0),) * dimensions
    each = _entries(value, dimensions)
    if dimensions == 1 and len(each) == 2:
        each = (each,)
    pairs = [_entries(pair, 2) for pair in each]
    if len(pairs) != dimensions or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{owner}: {name} must be {wanted}, got {value!r}")
    numbers = _integers(owner, name, value, [n for pair in pairs for n in pair], wanted, 0)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _entries(value: Any, number: int) -> tuple[Any, ...]:
    try:
        return tuple(value)
    except TypeError:
        return (value,) * number


def _integers(
    owner: str,
    name: str,
    given: object,
    entries: Sequence[Any],
    wanted: str,
    least: int,
    bits: int = 31,
) -> tuple[int, ...]:
    """Return the integers of an argument; raise for others."""
    try:
        numbers = tuple(map(operator.index, entries))
    except TypeError:
        numbers = ()
    if not numbers or any(isinstance(entry, bool) for entry in entries):
        raise TypeError(f"{owner}: {name} must be {wanted}, got {given!r}")
    if min(numbers) < least:
        raise ValueError(f"{owner}: {name} must be at least {least}, got {given!r}")
    if max(numbers) >= 2**bits:
        raise ValueError(f"{owner}: {name} must be below 2^{bits}, got {given!r}")
    return numbers


def _sliding(
    owner: str,
    x_shape: Shape,
    kernel_size: Shape,
    stride: Sides,
    padding: Padding,
    dilation: Sides,
    *,
    ceil_mode: bool = False,
) -> tuple[Axis, ...]:
    strides, edges, dilations = _steps(owner, len(kernel_size), stride, padding, dilation)
    each = zip(x_shape[1:-1], kernel_size, strides, edges, dilations, strict=True)
    axes = tuple(Axis.sliding(*values, ceil_mode=ceil_mode) for values in each)
    if min(axis.windows for axis in axes) < 1:
        raise ValueError(
            f"{owner}: a window of {_shown_kernel(axes)} is larger than the padded image of"
            f" {_by(axis.padded for axis in axes)}, with padding {_shown_padding(axes)}"
        )
    return axes


def _transposed(
    owner: str,
    x_shape: Shape,
    kernel_size: Shape,
    stride: Sides,
    padding: Padding,
    dilation: Sides,
    *,
    output_padding: Sides,
) -> tuple[Axis, ...]:
    strides, edges, dilations = _steps(owner, len(kernel_size), stride, padding, dilation)
    extra = sides(owner, "output_padding", output_padding, len(kernel_size), least=0)
    if "same" in edges and any(extra):
        raise ValueError(f'{owner}: output_padding must be 0 with padding "same", got {_by(extra)}')
    if any(e >= max(pair) for e, *pair in zip(extra, strides, dilations, strict=True)):
        raise ValueError(
            f"{owner}: output_padding must be less than the stride or the dilation, got"
            f" output_padding {_by(extra)}, stride {_by(strides)}, dilation {_by(dilations)}"
        )
    each = zip(x_shape[1:-1], kernel_size, strides, edges, dilations, extra, strict=True)
    axes = tuple(Axis.transposed(*values) for values in each)
    if min(axis.size for axis in axes) < 1:
        raise ValueError(
            f"{owner}: padding {_shown_padding(axes)} leaves nothing of an output of"
            f" {_by(axis.padded for axis in axes)}"
        )
    return axes


def _steps(
    owner: str, dimensions: int, stride: Sides, padding: Padding, dilation: Sides
) -> tuple[Shape, Sequence[Any], Shape]:
    """Return strides, padding and dilations of each axis."""
    edges = margins(owner, padding, dimensions)
    return (
        sides(owner, "stride", stride, dimensions),
        (edges,) * dimensions if isinstance(edges, str) else edges,
        sides(owner, "dilation", dilation, dimensions),
    )


@contextmanager
def _beside(shapes: str) -> Iterator[None]:
    """Add the shapes to the message of an error in the block."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} ({shapes})") from None


def _check_image(owner: str, x_shape: Shape, dimensions: int) -> None:
    if len(x_shape) != dimensions + 2:
        axes = {1: "time", 2: "h, w", 3: "d, h, w"}[dimensions]
        raise ValueError(
            f"{owner}: input must have shape (samples, {axes}, channels), got {x_shape}"
        )
    size = x_shape[1:-1]
    if 0 in size:
        raise ValueError(f"{owner}: an image of {_by(size)} has no pixels (input {x_shape})")


def _kernel_size(owner: str, x_shape: Shape, w_shape: Shape, dimensions: int) -> tuple[Shape, str]:
    """Return the kernel size of a convolution, and both shapes for messages."""
    _check_image(owner, x_shape, dimensions)
    if len(w_shape) != dimensions + 2:
        raise ValueError(
            f"{owner}: weights must have {dimensions + 2} dimensions, those of the kernel first,"
            f" got shape {w_shape}"
        )
    shapes = f"input {x_shape}, weights {w_shape}"
    kernel_size = w_shape[:-2]
    if 0 in kernel_size:
        raise ValueError(
            f"{owner}: a window of {_by(kernel_size)} is empty, each side must be at least 1"
            f" ({shapes})"
        )
    check_bytes(owner, "weights", w_shape, f"input {x_shape}")
    return kernel_size, shapes


def _check_groups(owner: str, groups: int, **counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{owner}: {name} must be at least 1, got {count}")
        if count % groups:
            raise ValueError(f"{owner}: {name} ({count}) must be divisible by groups ({groups})")
        if count >= 2**31:
            raise ValueError(f"{owner}: {name} must be below 2^31, got {count}")


def _check_channels(owner: str, channels: int, expected: int) -> None:
    if channels != expected:
        raise ValueError(f"{owner}: input has {channels} channels, weights expect {expected}")


def _check_reach(owner: str, axes: tuple[Axis, ...]) -> None:
    """Raise if positions exceed the integers of the convolution kernels."""
    if any(max(axis.padded, axis.stride, axis.dilation) >= 2**_CONV_BITS for axis in axes):
        raise ValueError(
            f"{owner}: the padded image, stride and dilation must be below 2^{_CONV_BITS} on each"
            f" side, got {_by(axis.padded for axis in axes)}, {_by(axis.stride for axis in axes)}"
            f" and {_by(axis.dilation for axis in axes)}"
        )


def _by(numbers: Iterable[int]) -> str:
    return " x ".join(map(str, numbers))


def _shown_kernel(axes: tuple[Axis, ...]) -> str:
    extent = [axis.extent for axis in axes]
    taps = [axis.taps for axis in axes]
    return _by(taps) + (f" (dilated {_by(extent)})" if extent != taps else "")


def _shown_padding(axes: tuple[Axis, ...]) -> str:
    """Return the padding in its shortest form."""
    pairs = [(axis.before, axis.after) for axis in axes]
    if any(before != after for before, after in pairs):
        return str(pairs[0] if len(pairs) == 1 else tuple(pairs))
    numbers = [before for before, _ in pairs]
    return _by(numbers[:1] if len(set(numbers)) == 1 else numbers)
