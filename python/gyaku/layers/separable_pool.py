"""Pooling along one axis at a time, in NumPy: of volumes, and to a given size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku.checks import truth, whole
from gyaku.layers.base import Layer
from gyaku.layers.window import as_tuples, checked_shape
from gyaku.ops.pool import checked_divisor
from gyaku.windows import margins, pool_axes, sides

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.windows import Axis, Padding, Sides

    Shape = tuple[int, ...]

__all__ = ["AdaptiveAvgPool1D", "AdaptiveAvgPool2D", "AdaptiveAvgPool3D", "AdaptiveMaxPool1D"]
__all__ += ["AdaptiveMaxPool2D", "AdaptiveMaxPool3D", "AvgPool3D", "MaxPool3D"]


class _AlongAxes(Layer, abstract=True):
    """Base of poolings whose windows are products of slices, one axis after the other."""

    dimensions: ClassVar[int] = 3
    draws = False
    windows: Sequence[Sequence[slice]]
    """The slices of each axis, one for each output."""
    axes: Sequence[Axis]
    """The axes of a sliding kernel."""

    def positions(self) -> list[NDArray[np.int64]]:
        """Return the positions of the elements of each window along each axis.

        Returns
        -------
        list of ndarray of int64
            For each axis of windows an array (elements, outputs). A shorter window repeats its
            last element, and an empty one is -1.
        """
        found = []
        for windows in self.windows:
            each = [[*range(one.start, one.stop, one.step or 1)] or [-1] for one in windows]
            longest = max(map(len, each))
            padded = [one + one[-1:] * (longest - len(one)) for one in each]
            found.append(np.array(padded).T)
        return found

    @property
    def flops(self) -> int:
        """One for each element of the inputs or the outputs, whichever has more."""
        return max(math.prod(self.input_shape), math.prod(self.output_shape))


class _Mean(_AlongAxes, abstract=True):
    divisors: Sequence[NDArray[Any]]
    """The divisors of each axis, one for each output."""

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the mean of each window; see `Layer.forward`."""
        self._shapes = []
        for axis, (windows, divisor) in enumerate(zip(self.windows, self.divisors, strict=True), 1):
            self._shapes.append(x.shape)
            sums = [x[_at(axis, each)].sum(axis=axis) for each in windows]
            x = np.stack(sums, axis=axis) / _behind(divisor, axis, x)
        return x

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Scatter the gradient evenly to each window; see `Layer.backward`."""
        each = enumerate(zip(self.windows, self.divisors, self._shapes, strict=True), 1)
        for axis, (windows, divisor, shape) in reversed([*each]):
            dy = dy / _behind(divisor, axis, dy)
            dx = np.zeros(shape, dy.dtype)
            for place, window in enumerate(windows):
                dx[_at(axis, window)] += dy[_at(axis, slice(place, place + 1))]
            dy = dx
        return dy


class _Maximum(_AlongAxes, abstract=True):
    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the maximum of each window; see `Layer.forward`."""
        self._places: list[tuple[int, Shape, NDArray[Any]]] = []
        # From the last axis on, so that the first one in row order wins among equals.
        for axis, windows in reversed([*enumerate(self.windows, 1)]):
            places = [_first_largest(x, axis, window) for window in windows]
            place = np.concatenate(places, axis=axis)
            self._places.append((axis, x.shape, place))
            outside = place < 0
            x = np.take_along_axis(x, np.maximum(place, 0), axis=axis)
            x[outside] = -np.inf
        return x

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Scatter the gradient to the maxima; see `Layer.backward`."""
        for axis, shape, place in reversed(self._places):
            dx = np.zeros(shape, dy.dtype)
            for each in range(place.shape[axis]):  # a window has each element once
                here = _at(axis, slice(each, each + 1))
                at = np.maximum(place[here], 0)
                added = np.take_along_axis(dx, at, axis) + np.where(place[here] < 0, 0, dy[here])
                np.put_along_axis(dx, at, added, axis)
            dy = dx
        return dy


def _at(axis: int, window: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (window,)


def _behind(divisor: NDArray[Any], axis: int, like: NDArray[Any]) -> NDArray[Any]:
    return divisor.astype(like.dtype).reshape(-1, *(1,) * (like.ndim - axis - 1))


def _first_largest(x: NDArray[Any], axis: int, window: slice) -> NDArray[np.int64]:
    """Return the position of the first maximum of a window along an axis, -1 if it is empty."""
    seen = x[_at(axis, window)]
    if not seen.shape[axis]:
        return np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), -1)
    found = seen.argmax(axis=axis, keepdims=True)  # NaN counts as larger than any number
    return np.asarray(window.start + found * (window.step or 1))


def _adaptive(size: int, outputs: int) -> list[slice]:
    """Return windows that cover an axis: from ⌊o n / m⌋ to ⌈(o + 1) n / m⌉."""
    each = range(outputs)
    return [slice(o * size // outputs, -(-(o + 1) * size // outputs)) for o in each]


def _lengths(windows: Iterable[slice]) -> NDArray[Any]:
    return np.array([len(range(each.start, each.stop, each.step or 1)) for each in windows])


def _slides(layer: Any, ceil_mode: bool) -> None:
    """Check the arguments of a sliding kernel."""
    owner, axes = str(layer), layer.dimensions
    window = sides(owner, "kernel_size", layer.kernel_size, axes)
    layer._window = window
    layer._where = {
        "stride": window if layer.stride is None else sides(owner, "stride", layer.stride, axes),
        "padding": margins(owner, layer.padding, axes),
        "dilation": sides(owner, "dilation", layer.dilation, axes),
        "ceil_mode": truth(owner, "ceil_mode", ceil_mode),
    }


def _slide(layer: Any, input_shape: Shape) -> tuple[Axis, ...]:
    """Set the windows of a sliding kernel, and return them."""
    checked_shape(str(layer), input_shape, layer.dimensions)
    axes = pool_axes(
        *(str(layer), (1, *input_shape), layer._window),
        **layer._where,
        dimensions=layer.dimensions,
    )
    layer.axes, layer.windows = axes, [axis.slices() for axis in axes]
    return axes


class MaxPool3D(_Maximum):
    """Maximum pooling of volumes, channel by channel.

    Parameters
    ----------
    kernel_size : int or triple of int
        Depth, height and width of the kernel.
    stride : int or triple of int, optional
        Step from one position of the kernel to the next; by default ``kernel_size``.
    padding : int, triple, triple of pairs, "same" or "valid"
        Padding around the volume, less than the kernel; it is never the maximum.
    dilation : int or triple of int
        Distance between neighbouring kernel elements.
    ceil_mode : bool
        Whether the last window may reach beyond the padding.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    Volumes are (depth, height, width, channels). The gradient goes to the first of several maxima.
    The layer is computed in NumPy.

    Examples
    --------
    >>> MaxPool3D(2).build((8, 24, 24, 20))
    (4, 12, 12, 20)
    """

    def __init__(
        self,
        kernel_size: Sides = 2,
        stride: Sides | None = None,
        *,
        padding: Padding = 0,
        dilation: Sides = 1,
        ceil_mode: bool = False,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.kernel_size, self.stride = as_tuples(kernel_size), as_tuples(stride)
        self.padding, self.dilation = as_tuples(padding), as_tuples(dilation)
        self.ceil_mode = ceil_mode
        _slides(self, ceil_mode)

    def build(self, input_shape: Shape) -> Shape:
        """Return the shape of the pooled volumes; see `Layer.build`."""
        axes = _slide(self, input_shape)
        return (*(axis.windows for axis in axes), input_shape[-1])


class AvgPool3D(_Mean):
    """Mean pooling of volumes, channel by channel.

    Parameters
    ----------
    kernel_size : int or triple of int
        Depth, height and width of the kernel.
    stride : int or triple of int, optional
        Step from one position of the kernel to the next; by default ``kernel_size``.
    padding : int, triple, triple of pairs, "same" or "valid"
        Padding around the volume, less than the kernel.
    dilation : int or triple of int
        Distance between neighbouring kernel elements.
    ceil_mode : bool
        Whether the last window may reach beyond the padding.
    count_include_pad : bool
        Whether the padding counts as zeros; by default a mean is over the volume alone.
    divisor_override : int, optional
        Divisor of all sums, in place of the number of elements.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    Volumes are (depth, height, width, channels). The layer is computed in NumPy.

    Examples
    --------
    >>> AvgPool3D(3, stride=2, padding=1).build((8, 8, 8, 16))
    (4, 4, 4, 16)
    """

    def __init__(
        self,
        kernel_size: Sides = 2,
        stride: Sides | None = None,
        *,
        padding: Padding = 0,
        dilation: Sides = 1,
        ceil_mode: bool = False,
        count_include_pad: bool = False,
        divisor_override: int | None = None,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.kernel_size, self.stride = as_tuples(kernel_size), as_tuples(stride)
        self.padding, self.dilation = as_tuples(padding), as_tuples(dilation)
        self.ceil_mode = ceil_mode
        _slides(self, ceil_mode)
        self.count_include_pad = truth(str(self), "count_include_pad", count_include_pad)
        self.divisor_override = checked_divisor(str(self), divisor_override)

    def build(self, input_shape: Shape) -> Shape:
        """Return the shape of the pooled volumes; see `Layer.build`."""
        axes = _slide(self, input_shape)
        counted = [np.maximum(axis.pixels(padded=self.count_include_pad), 1) for axis in axes]
        if self.divisor_override is not None:
            counted = [np.ones_like(each) for each in counted]
            counted[0] *= self.divisor_override
        self.divisors = counted
        return (*(axis.windows for axis in axes), input_shape[-1])


def _output_sizes(layer: Any, input_shape: Shape) -> tuple[int, ...]:
    """Set the windows that lead to a given size, and return it."""
    size = checked_shape(str(layer), input_shape, layer.dimensions)[:-1]
    if 0 in size:
        raise ValueError(f"{layer}: samples of shape {input_shape} have no elements")
    given = layer.output_size
    wanted = given if isinstance(given, tuple) else (given,) * len(size)
    if len(wanted) != len(size):
        raise ValueError(
            f"{layer}: output_size must be an integer or {len(size)} of them, got {given!r}"
        )
    each = zip(wanted, size, strict=True)
    outputs = [n if m is None else whole(str(layer), "output_size", m) for m, n in each]
    layer.windows = [_adaptive(n, m) for n, m in zip(size, outputs, strict=True)]
    return (*outputs, input_shape[-1])


class _AdaptiveMean(_Mean, abstract=True):
    def __init__(
        self, output_size: int | Sequence[int | None] = 1, *, name: str | None = ""
    ) -> None:
        super().__init__(name=name)
        self.output_size = as_tuples(output_size)

    def build(self, input_shape: Shape) -> Shape:
        """Return the given size and the channels; see `Layer.build`."""
        shape = _output_sizes(self, input_shape)
        self.divisors = [_lengths(each) for each in self.windows]
        return shape


class _AdaptiveMaximum(_Maximum, abstract=True):
    def __init__(
        self, output_size: int | Sequence[int | None] = 1, *, name: str | None = ""
    ) -> None:
        super().__init__(name=name)
        self.output_size = as_tuples(output_size)

    def build(self, input_shape: Shape) -> Shape:
        """Return the given size and the channels; see `Layer.build`."""
        return _output_sizes(self, input_shape)


class AdaptiveAvgPool1D(_AdaptiveMean):
    """Mean pooling of sequences to a given size.

    Parameters
    ----------
    output_size : int
        New size.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If it is out of range.
    TypeError
        If it is of the wrong kind.

    Notes
    -----
    Of n elements, output o of m pools those from ``⌊o n / m⌋`` to ``⌈(o + 1) n / m⌉``. The layer is
    computed in NumPy.

    Examples
    --------
    >>> AdaptiveAvgPool1D(4).build((9, 3))
    (4, 3)
    """

    dimensions = 1


class AdaptiveAvgPool2D(_AdaptiveMean):
    """Mean pooling of images to a given size.

    Parameters
    ----------
    output_size : int or pair of int
        New size, for all axes or for each; None keeps that of an axis.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If it is out of range.
    TypeError
        If it is of the wrong kind.

    Notes
    -----
    Of n elements, output o of m pools those from ``⌊o n / m⌋`` to ``⌈(o + 1) n / m⌉``. The layer is
    computed in NumPy.

    Examples
    --------
    >>> AdaptiveAvgPool2D(4).build((9, 11, 3))
    (4, 4, 3)
    """

    dimensions = 2


class AdaptiveAvgPool3D(_AdaptiveMean):
    """Mean pooling of volumes to a given size.

    Parameters
    ----------
    output_size : int or triple of int
        New size, for all axes or for each; None keeps that of an axis.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If it is out of range.
    TypeError
        If it is of the wrong kind.

    Notes
    -----
    Of n elements, output o of m pools those from ``⌊o n / m⌋`` to ``⌈(o + 1) n / m⌉``. The layer is
    computed in NumPy.

    Examples
    --------
    >>> AdaptiveAvgPool3D(4).build((9, 11, 8, 3))
    (4, 4, 4, 3)
    """

    dimensions = 3


class AdaptiveMaxPool1D(_AdaptiveMaximum):
    """Maximum pooling of sequences to a given size.

    Parameters
    ----------
    output_size : int
        New size.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If it is out of range.
    TypeError
        If it is of the wrong kind.

    Notes
    -----
    Of n elements, output o of m pools those from ``⌊o n / m⌋`` to ``⌈(o + 1) n / m⌉``. The layer is
    computed in NumPy.

    Examples
    --------
    >>> AdaptiveMaxPool1D(4).build((9, 3))
    (4, 3)
    """

    dimensions = 1


class AdaptiveMaxPool2D(_AdaptiveMaximum):
    """Maximum pooling of images to a given size.

    Parameters
    ----------
    output_size : int or pair of int
        New size, for all axes or for each; None keeps that of an axis.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If it is out of range.
    TypeError
        If it is of the wrong kind.

    Notes
    -----
    Of n elements, output o of m pools those from ``⌊o n / m⌋`` to ``⌈(o + 1) n / m⌉``. The layer is
    computed in NumPy.

    Examples
    --------
    >>> AdaptiveMaxPool2D(4).build((9, 11, 3))
    (4, 4, 3)
    """

    dimensions = 2


class AdaptiveMaxPool3D(_AdaptiveMaximum):
    """Maximum pooling of volumes to a given size.

    Parameters
    ----------
    output_size : int or triple of int
        New size, for all axes or for each; None keeps that of an axis.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If it is out of range.
    TypeError
        If it is of the wrong kind.

    Notes
    -----
    Of n elements, output o of m pools those from ``⌊o n / m⌋`` to ``⌈(o + 1) n / m⌉``. The layer is
    computed in NumPy.

    Examples
    --------
    >>> AdaptiveMaxPool3D(4).build((9, 11, 8, 3))
    (4, 4, 4, 3)
    """

    dimensions = 3
