"""Upsampling of images and sequences: nearest neighbours, or interpolation between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.checks import check_bytes, number, truth, whole
from gyaku.layers.base import Layer
from gyaku.layers.window import as_tuples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    Shape = tuple[int, ...]

__all__ = ["Upsample"]

_MODES = {
    **{name: name for name in ("nearest", "nearest-exact", "linear", "cubic")},
    "bilinear": "linear",
    "trilinear": "linear",
    "bicubic": "cubic",
}
_SHARPNESS = -0.75  # the slope of Keys' kernel at 1, as image libraries choose it


class _Taps(NamedTuple):
    """Weighted elements along an axis: output o is the sum of ``x[places[k, o]] weight[k, o]``.

    Parameters
    ----------
    places : ndarray of int64
        Positions of the elements, (taps, outputs).
    weight : ndarray
        Their weights, of the same shape.
    size : int
        Length of the axis.
    """

    places: NDArray[np.int64]
    weight: NDArray[np.float64]
    size: int

    def apply(self, x: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return the sums along an axis of an array."""
        parts = [
            x.take(places, axis=axis) * weight
            for places, weight in zip(self.places, self._weights(x, axis), strict=True)
        ]
        return np.asarray(sum(parts[1:], start=parts[0]))

    def adjoint(self, dy: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return the gradient with respect to the array, from that of the sums."""
        parts = np.concatenate([dy * weight for weight in self._weights(dy, axis)], axis=axis)
        every = self.places.ravel()
        order = np.argsort(every, kind="stable")
        sources, starts = np.unique(every[order], return_index=True)
        shape = [*dy.shape]
        shape[axis] = self.size
        dx = np.zeros(shape, dy.dtype)
        sums = np.add.reduceat(parts.take(order, axis=axis), starts, axis=axis)
        dx[(slice(None),) * axis + (sources,)] = sums
        return dx

    def _weights(self, like: NDArray[Any], axis: int) -> NDArray[Any]:
        shape = (len(self.weight), -1, *(1,) * (like.ndim - axis - 1))
        return self.weight.astype(like.dtype).reshape(shape)


class Upsample(Layer):
    """Upsampling of images, sequences and volumes, along all axes but the channels.

    Parameters
    ----------
    scale : float or sequence of float, optional
        Factor of the size, for all axes or for each; 2 if there is no size either.
    size : int or sequence of int, optional
        New size of the axes, in place of a factor.
    mode : {"nearest", "nearest-exact", "linear", "cubic"}
        Nearest element, where ``"nearest"`` rounds towards the start and ``"nearest-exact"`` to the
        centre; or interpolation (also ``"bilinear"``, ``"trilinear"``, ``"bicubic"``).
    align_corners : bool
        Whether interpolation keeps the first and the last element in their places, instead of
        treating elements as areas of equal size.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range, the mode unknown, or both scale and size are given.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    With ratio r of the sizes, output o stands at ``(o + 1/2) r - 1/2`` of the input, and at ``o (n
    - 1) / (m - 1)`` with aligned corners. The cubic kernel is that of Keys, "Cubic convolution
    interpolation for digital image processing", 1981, with a = -3/4.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Upsample(2, mode="linear")
    >>> layer.output_shape = layer.build((2, 1))
    >>> layer.forward(np.array([[[0.0], [4.0]]])).ravel()
    array([0., 1., 3., 4.])
    """

    draws = False

    def __init__(
        self,
        scale: float | Sequence[float] | None = None,
        *,
        size: int | Sequence[int] | None = None,
        mode: str = "nearest",
        align_corners: bool = False,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        owner = str(self)
        self.scale, self.size, self.mode = as_tuples(scale), as_tuples(size), mode
        if scale is not None and size is not None:
            raise ValueError(f"{owner}: takes scale or size, got both")
        if mode not in _MODES:
            known = ", ".join(f'"{each}"' for each in dict.fromkeys(_MODES.values()))
            raise ValueError(f"{owner}: mode must be one of {known}, got {mode!r}")
        self.align_corners = truth(owner, "align_corners", align_corners)
        if self.align_corners and mode.startswith("nearest"):
            raise ValueError(f'{owner}: align_corners is for interpolation, not for mode "{mode}"')

    def build(self, input_shape: Shape) -> Shape:
        """Return the new shape; see `Layer.build`."""
        owner, axes = str(self), len(input_shape) - 1
        if axes < 1:
            raise ValueError(
                f"{owner}: samples must have axes before the channels, got shape {input_shape}"
            )
        sizes = _each(owner, "size", self.size, axes, whole)
        scales = _each(owner, "scale", 2 if self.scale is None else self.scale, axes, _factor)
        self._taps = []
        for place, length in enumerate(input_shape[:-1]):
            ratio = length / sizes[place] if sizes else 1 / scales[place]
            new = sizes[place] if sizes else math.floor(length * scales[place])
            if new < 1:
                raise ValueError(f"{owner}: scale {self.scale} leaves nothing of {length} elements")
            check_bytes(owner, "the output", (new, *input_shape[1:]), f"input {input_shape}")
            self._taps.append(_taps(_MODES[self.mode], length, new, ratio, self.align_corners))
        return (*(taps.places.shape[1] for taps in self._taps), input_shape[-1])

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the upsampled inputs; see `Layer.forward`."""
        for axis, taps in enumerate(self._taps, 1):
            x = taps.apply(x, axis)
        return x

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Add up the gradients of each element's outputs; see `Layer.backward`."""
        for axis, taps in reversed([*enumerate(self._taps, 1)]):
            dy = taps.adjoint(dy, axis)
        return dy


def _factor(owner: str, name: str, value: object) -> float:
    return number(owner, name, value, above=0)


def _each(owner: str, name: str, value: Any, axes: int, check: Any) -> tuple[Any, ...]:
    """Return a validated value for each axis; none if there is no value."""
    if value is None:
        return ()
    values = tuple(value) if hasattr(value, "__iter__") else (value,) * axes
    if isinstance(value, str) or len(values) != axes:
        raise ValueError(f"{owner}: {name} must be a number or {axes} of them, got {value!r}")
    return tuple(check(owner, name, each) for each in values)


def _taps(mode: str, size: int, new: int, ratio: float, align_corners: bool) -> _Taps:
    """Return the weighted elements of each output along an axis."""
    place = np.arange(new, dtype=np.float64)
    if mode.startswith("nearest"):
        at = (place + (0.5 if mode == "nearest-exact" else 0)) * ratio
        index = np.minimum(np.floor(at).astype(np.int64), size - 1)
        return _Taps(index[np.newaxis], np.ones((1, new)), size)
    at = place * ((size - 1) / max(new - 1, 1)) if align_corners else (place + 0.5) * ratio - 0.5
    if mode == "linear":
        at = np.maximum(at, 0)
    first = np.floor(at)
    t = at - first
    offsets = np.arange(2) if mode == "linear" else np.arange(-1, 3)
    weight = np.stack([1 - t, t] if mode == "linear" else [_keys(np.abs(t - k)) for k in offsets])
    index = np.clip(first.astype(np.int64) + offsets[:, np.newaxis], 0, size - 1)
    return _Taps(index, weight, size)


def _keys(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of an element at a distance of up to two."""
    a, d = _SHARPNESS, distance
    inner = ((a + 2) * d - (a + 3)) * d * d + 1
    outer = a * (((d - 5) * d + 8) * d - 4)
    return np.where(d <= 1, inner, outer)
