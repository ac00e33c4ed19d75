"""Windows along one axis of an image: their number and their positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Margin = str | tuple[int, int]

__all__ = ["Axis"]


class Axis(NamedTuple):
    """Windows along one axis of an image.

    Window o covers the positions ``o * stride - before + i * dilation`` of the image, for the taps
    i = 0, 1, ..., taps - 1. A tap is an element of the kernel along this axis. Positions outside
    the image are padding.

    Parameters
    ----------
    size : int
        Length of the image.
    taps : int
        Length of the kernel: taps of a window.
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

    @classmethod
    def sliding(
        cls,
        size: int,
        taps: int,
        stride: int = 1,
        padding: Margin = (0, 0),
        dilation: int = 1,
        *,
        ceil_mode: bool = False,
    ) -> Axis:
        """Return the windows that slide over an image.

        Parameters
        ----------
        size : int
            Length of the image.
        taps : int
            Length of the kernel.
        stride : int, default 1
            Step from one window to the next.
        padding : tuple of int or "same", default (0, 0)
            Padding before and after the image.
        dilation : int, default 1
            Step from one tap to the next.
        ceil_mode : bool, default False
            Whether a last window may reach beyond the padded image.

        Returns
        -------
        Axis
            The windows, fewer than one if none fits.

        Notes
        -----
        With e = dilation (taps - 1) + 1, there are ⌊(size + before + after - e) / stride⌋ + 1
        windows, or ⌈...⌉ + 1 with `ceil_mode`, less the last one if it would start behind the
        image. ``"same"`` gives ⌈size / stride⌉ windows, with half of the padding before the image
        and half after it, an odd element after (SAME_UPPER in ONNX).

        Examples
        --------
        >>> Axis.sliding(28, 5, 2, (1, 2)).windows
        14
        >>> axis = Axis.sliding(6, 3, 2, "same")
        >>> axis.before, axis.after
        (0, 1)
        """
        extent = dilation * (taps - 1) + 1
        before, after = _resolved(padding, (-(-size // stride) - 1) * stride + extent - size)
        room = before + size + after - extent
        windows = room // stride + 1
        if ceil_mode:
            windows = -(-room // stride) + 1
            windows -= (windows - 1) * stride >= before + size
        return cls(size, taps, stride, dilation, before, after, windows)

    @classmethod
    def transposed(
        cls,
        windows: int,
        taps: int,
        stride: int = 1,
        padding: Margin = (0, 0),
        dilation: int = 1,
        output_padding: int = 0,
    ) -> Axis:
        """Return the windows of a transposed convolution, on its output.

        Parameters
        ----------
        windows : int
            Length of the input, which has one pixel for each window.
        taps : int
            Length of the kernel.
        stride : int, default 1
            Step from one window to the next.
        padding : tuple of int or "same", default (0, 0)
            Pixels that are cut off the output, at its start and its end.
        dilation : int, default 1
            Step from one tap to the next.
        output_padding : int, default 0
            Pixels that are added to the end of the output.

        Returns
        -------
        Axis
            The windows; its size is that of the output.

        Notes
        -----
        The output has (windows - 1) stride - before - after + dilation (taps - 1) + 1 +
        output_padding pixels. With ``"same"`` it has windows times stride, and the padding is that
        of the adjoint convolution.

        Examples
        --------
        >>> Axis.transposed(4, 3, 2, (1, 1), output_padding=1).size
        8
        """
        span = (windows - 1) * stride + dilation * (taps - 1) + 1
        before, after = _resolved(padding, span - windows * stride)
        size = windows * stride if padding == "same" else span - before - after + output_padding
        return cls(size, taps, stride, dilation, before, after, windows)

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
        """Length from the first window's start to the last window's end.

        It may be less than the padded image, whose remainder no window covers, or more, where the
        last window reaches beyond it.
        """
        return (self.windows - 1) * self.stride + self.extent

    def tap(self, index: int) -> slice:
        """Return the positions of one tap of all windows.

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
        """Part of the image that lies in the span: positions in the image, and in the span."""
        inside = max(min(self.size, self.span - self.before), 0)
        return slice(0, inside), slice(self.before, self.before + inside)

    def slices(self) -> list[slice]:
        """Return the pixels of the image in each window.

        Returns
        -------
        list of slice
            Positions in the image, for each window.

        Examples
        --------
        >>> Axis.sliding(5, 3, 2, (1, 1)).slices()
        [slice(0, 2, 1), slice(1, 4, 1), slice(3, 5, 1)]
        """
        found = []
        for window in range(self.windows):
            start = window * self.stride - self.before
            first = start + -(-max(-start, 0) // self.dilation) * self.dilation
            stop = min(start + self.extent, self.size)
            found.append(slice(first, max(stop, first), self.dilation))
        return found

    def pixels(self, *, padded: bool) -> NDArray[np.int64]:
        """Count the pixels of each window.

        Parameters
        ----------
        padded : bool
            Whether padding counts. Positions beyond the padding never do.

        Returns
        -------
        ndarray
            Number of pixels, for each window.
        """
        start = np.arange(self.windows) * self.stride - self.before
        position = start[:, np.newaxis] + np.arange(self.taps) * self.dilation
        low, high = (-self.before, self.size + self.after) if padded else (0, self.size)
        return np.asarray(((low <= position) & (position < high)).sum(axis=1))


def _resolved(padding: Margin, same: int) -> tuple[int, int]:
    if isinstance(padding, str):
        same = max(same, 0)
        return same // 2, same - same // 2
    return padding
