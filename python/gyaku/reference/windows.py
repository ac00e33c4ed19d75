"""Where the windows of a convolution or of a pooling lie, one axis of the image at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Margin = str | int | Sequence[int]

__all__ = ["Axis", "Padding", "Sides", "axes", "covered", "each_tap"]
__all__ += ["transposed_axes", "uncovered"]

Sides = int | Sequence[int]
"""One number for all axes, or one for each."""
Padding = str | int | Sequence[int | Sequence[int]]
"""`"same"`, `"valid"`, or for all axes or for each: a number, or one before and one after."""


class Axis(NamedTuple):
    """The windows along one axis of an image.

    Window o looks at the positions ``o * stride - before + i * dilation`` of the image, for the
    taps i = 0, 1, ..., taps - 1. What lies outside the image is padding.

    Parameters
    ----------
    size : int
        Length of the image.
    taps : int
        Taps of a window.
    stride : int
        Step from one window to the next.
    dilation : int
        Step from one tap to the next.
    before : int
        Padding before the image.
    after : int
        Padding after the image.
    windows : int
        Number of windows.

    Examples
    --------
    >>> axis = Axis(size=5, taps=3, stride=2, dilation=1, before=1, after=1, windows=3)
    >>> axis.pixels(padded=False)
    array([2, 3, 2])
    """

    size: int
    taps: int
    stride: int
    dilation: int
    before: int
    after: int
    windows: int

    @property
    def extent(self) -> int:
        """Length of a window, from its first tap to its last."""
        return self.dilation * (self.taps - 1) + 1

    @property
    def padded(self) -> int:
        """Length of the image with its padding."""
        return self.before + self.size + self.after

    @property
    def span(self) -> int:
        """Length of what the windows cover, from the first one's start to the last one's end.

        It may be less than the padded image, whose rest no window reaches, or more, where the
        last window reaches beyond it.
        """
        return (self.windows - 1) * self.stride + self.extent

    def tap(self, index: int) -> slice:
        """Return where one tap of all windows lies.

        Parameters
        ----------
        index : int
            The tap.

        Returns
        -------
        slice
            Positions within the span, one for each window.
        """
        first = index * self.dilation
        return slice(first, first + (self.windows - 1) * self.stride + 1, self.stride)

    @property
    def image(self) -> tuple[slice, slice]:
        """The part of the image that lies in the span: positions in the image, in the span."""
        seen = max(min(self.size, self.span - self.before), 0)
        return slice(0, seen), slice(self.before, self.before + seen)

    def pixels(self, *, padded: bool) -> NDArray[np.int64]:
        """Count what the windows hold.

        Parameters
        ----------
        padded : bool
            Whether padding counts. What a window covers beyond the padding never does.

        Returns
        -------
        ndarray
            A number for each window.
        """
        start = np.arange(self.windows) * self.stride - self.before
        position = start[:, np.newaxis] + np.arange(self.taps) * self.dilation
        low, high = (-self.before, self.size + self.after) if padded else (0, self.size)
        return np.asarray(((low <= position) & (position < high)).sum(axis=1))


def axes(
    size: Sequence[int],
    window: Sides,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
) -> tuple[Axis, ...]:
    """Lay out the windows on an image.

    Parameters
    ----------
    size : sequence of int
        Length of each axis of the image.
    window : int or sequence of int
        Taps of the window along each axis.
    stride : int or sequence of int, default 1
        Step from one window to the next.
    padding : int, sequence or {"same", "valid"}, default 0
        Padding of all axes, or of each: the same on both sides, or a pair, before and after.
    dilation : int or sequence of int, default 1
        Step from one tap to the next.
    ceil_mode : bool, default False
        Whether a last window may reach beyond the padded image.

    Returns
    -------
    tuple of Axis
        The windows along each axis.

    Notes
    -----
    With e = dilation (window - 1) + 1, there are ⌊(size + before + after - e) / stride⌋ + 1
    windows, or ⌈...⌉ + 1 with `ceil_mode`, less the last one if it would start behind the image.
    ``"valid"`` is no padding. ``"same"`` is what makes ⌈size / stride⌉ windows, half of it before
    and half after, the odd one after (SAME_UPPER in ONNX).

    Examples
    --------
    >>> [axis.windows for axis in axes((28, 28), 5, stride=(1, 2), padding=(0, (1, 2)))]
    [24, 14]
    >>> [(axis.before, axis.after) for axis in axes((5, 6), 3, stride=2, padding="same")]
    [(1, 1), (0, 1)]
    """
    each = zip(*_per_axis(size, window, stride, padding, dilation), strict=True)
    return tuple(_axis(*values, ceil_mode=ceil_mode) for values in each)


def transposed_axes(
    size: Sequence[int],
    window: Sides,
    *,
    stride: Sides = 1,
    padding: Padding = 0,
    output_padding: Sides = 0,
    dilation: Sides = 1,
) -> tuple[Axis, ...]:
    """Lay out the windows of a transposed convolution, on the image that it makes.

    Parameters
    ----------
    size : sequence of int
        Length of each axis of the input, which has one pixel for each window.
    window : int or sequence of int
        Taps of the window along each axis.
    stride : int or sequence of int, default 1
        Step from one window to the next.
    padding : int, sequence or {"same", "valid"}, default 0
        What is cut off the output: of all axes, or of each.
    output_padding : int or sequence of int, default 0
        What is added to the end of the output, where less than a stride was missing.
    dilation : int or sequence of int, default 1
        Step from one tap to the next.

    Returns
    -------
    tuple of Axis
        The windows along each axis; their number is the input's size.

    Notes
    -----
    The output has (size - 1) stride - before - after + dilation (window - 1) + 1 + output_padding
    pixels. With ``"same"`` it has size times stride, and the padding is that of the convolution
    which leads back.

    Examples
    --------
    >>> [axis.size for axis in transposed_axes((4, 5), 3, stride=2, padding=1, output_padding=1)]
    [8, 10]
    """
    each = zip(
        *_per_axis(size, window, stride, padding, dilation),
        _each(output_padding, len(size)),
        strict=True,
    )
    return tuple(_transposed_axis(*values) for values in each)


def _axis(
    size: int, taps: int, stride: int, margin: Margin, dilation: int, *, ceil_mode: bool
) -> Axis:
    extent = dilation * (taps - 1) + 1
    before, after = _resolved(margin, max((-(-size // stride) - 1) * stride + extent - size, 0))
    room = before + size + after - extent
    windows = room // stride + 1
    if ceil_mode:
        windows = -(-room // stride) + 1
        windows -= (windows - 1) * stride >= before + size
    return Axis(size, taps, stride, dilation, before, after, windows)


def _transposed_axis(
    windows: int, taps: int, stride: int, margin: Margin, dilation: int, extra: int
) -> Axis:
    span = (windows - 1) * stride + dilation * (taps - 1) + 1
    before, after = _resolved(margin, max(span - windows * stride, 0))
    size = windows * stride if margin == "same" else span - before - after + extra
    return Axis(size, taps, stride, dilation, before, after, windows)


def _resolved(margin: Margin, same: int) -> tuple[int, int]:
    if isinstance(margin, str):
        return (same // 2, same - same // 2) if margin == "same" else (0, 0)
    if isinstance(margin, int):
        return margin, margin
    before, after = margin
    return before, after


def _per_axis(
    size: Sequence[int], window: Sides, stride: Sides, padding: Padding, dilation: Sides
) -> tuple[Sequence[Any], ...]:
    number = len(size)
    return (
        size,
        _each(window, number),
        _each(stride, number),
        _margins(padding, number),
        _each(dilation, number),
    )


def _each(value: Sides, number: int) -> Sequence[int]:
    return value if isinstance(value, Sequence) else (value,) * number


def _margins(padding: Padding, number: int) -> Sequence[Any]:
    if isinstance(padding, str) or not isinstance(padding, Sequence):
        return (padding,) * number
    # A pair for a single axis is what stands before and after it.
    return (padding,) if number == 1 and len(padding) == 2 else padding


def each_tap(rows: Axis, columns: Axis) -> Iterator[tuple[int, int, tuple[slice, ...]]]:
    """Walk over the taps of a window, row by row.

    Parameters
    ----------
    rows : Axis
        The windows from top to bottom.
    columns : Axis
        The windows from left to right.

    Yields
    ------
    i : int
        The tap's row.
    j : int
        The tap's column.
    seen : tuple of slice
        What that tap of all windows looks at, in the covered images (n, height, width, channels).
    """
    for i in range(rows.taps):
        for j in range(columns.taps):
            yield i, j, (slice(None), rows.tap(i), columns.tap(j))


def covered(x: NDArray[Any], rows: Axis, columns: Axis, fill: float = 0) -> NDArray[Any]:
    """Pad images, or cut them, to what the windows cover.

    Parameters
    ----------
    x : ndarray
        Images, of shape (n, height, width, channels).
    rows : Axis
        The windows from top to bottom.
    columns : Axis
        The windows from left to right.
    fill : float, default 0
        What padding is made of.

    Returns
    -------
    ndarray
        What is covered, of shape (n, rows.span, columns.span, channels).
    """
    (top, inner_top), (left, inner_left) = rows.image, columns.image
    result = np.full((len(x), rows.span, columns.span, x.shape[3]), fill, x.dtype)
    result[:, inner_top, inner_left] = x[:, top, left]
    return result


def uncovered(cover: NDArray[Any], rows: Axis, columns: Axis) -> NDArray[Any]:
    """Take images out of their padding again.

    Parameters
    ----------
    cover : ndarray
        What the windows cover, of shape (n, rows.span, columns.span, channels).
    rows : Axis
        The windows from top to bottom.
    columns : Axis
        The windows from left to right.

    Returns
    -------
    ndarray
        Images of shape (n, height, width, channels), zero where no window reaches.
    """
    (top, inner_top), (left, inner_left) = rows.image, columns.image
    x = np.zeros((len(cover), rows.size, columns.size, cover.shape[3]), cover.dtype)
    x[:, top, left] = cover[:, inner_top, inner_left]
    return x
