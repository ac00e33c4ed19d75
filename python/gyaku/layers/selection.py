"""Layers whose outputs are elements of the input in other places: padding, cropping, slices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import check_bytes, number, whole
from gyaku.layers.base import Layer
from gyaku.layers.window import as_tuples
from gyaku.windows import margins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.windows import Padding

    Shape = tuple[int, ...]
    Places = NDArray[np.int64]

__all__ = ["Crop", "Pad", "Permute", "Slice"]

_MODES = {
    **{name: name for name in ("constant", "reflect", "edge", "symmetric", "wrap")},
    "zeros": "constant",
    "replicate": "edge",
    "circular": "wrap",
}


class Selection(Layer, abstract=True):
    """Base of layers that select elements of a sample, or a constant.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Notes
    -----
    A subclass says where each element of the output stands in the input. The gradient with respect
    to an element is the sum of those of the outputs that it became.

    Examples
    --------
    >>> import numpy as np
    >>> class Mirror(Selection):
    ...     def places(self, given):
    ...         return given[::-1]
    >>> layer = Mirror()
    >>> layer.output_shape = layer.build((3,))
    >>> layer.forward(np.array([[1.0, 2.0, 3.0]]))
    array([[3., 2., 1.]])
    """

    constant: float = 0.0
    """Value of the elements that stand nowhere in the input."""
    draws = False

    def places(self, given: Places) -> Places:
        """Return the position in the input of each element of the output.

        Parameters
        ----------
        given : ndarray of int64
            Positions 0, 1, 2 ... in the shape of an input sample.

        Returns
        -------
        ndarray of int64
            Positions in the shape of an output sample, -1 for the constant.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a places(self, given)")

    def positions(self, shape: Shape) -> list[Places]:
        """Return the positions along each axis, whose product the selection is.

        Parameters
        ----------
        shape : tuple of int
            Shape of an input sample.

        Returns
        -------
        list of ndarray of int64
            For each axis of a sample the positions in the input, -1 for the constant.
        """
        found = []
        for axis in range(len(shape)):
            others = tuple(each for each in range(len(shape)) if each != axis)
            along = np.broadcast_to(np.expand_dims(np.arange(shape[axis]), others), shape)
            # A padded axis is -1 beyond its ends wherever the others are inside.
            found.append(self.places(along).max(axis=others))
        return found

    def build(self, input_shape: Shape) -> Shape:
        """Return the shape of the selected elements; see `Layer.build`."""
        owner = str(self)
        if not input_shape:
            raise ValueError(f"{owner}: needs samples of at least one axis, got shape ()")
        check_bytes(owner, "the input", input_shape, "of which elements are selected")
        size = math.prod(input_shape)
        found = self.places(np.arange(size).reshape(input_shape))
        check_bytes(owner, "the output", found.shape, f"input {input_shape}")
        self._rows, self._unit = _by_rows(found, size)
        self._outside = self._rows < 0
        taken = np.flatnonzero(~self._outside)
        self._order = taken[np.argsort(self._rows[taken], kind="stable")]
        self._sources, self._starts = np.unique(self._rows[self._order], return_index=True)
        return found.shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the selected elements; see `Layer.forward`."""
        rows = x.reshape(len(x), math.prod(x.shape[1:]) // self._unit, self._unit)
        y = rows.take(self._rows, axis=1, mode="wrap")
        y[:, self._outside] = self.constant
        return y.reshape(len(x), *self.output_shape)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Add up the gradients of all places of an element; see `Layer.backward`."""
        rows = dy.reshape(len(dy), len(self._rows), self._unit).take(self._order, axis=1)
        if len(self._starts) < len(self._order):
            rows = np.add.reduceat(rows, self._starts, axis=1)
        size = math.prod(self.input_shape)
        dx = np.zeros((len(dy), size // self._unit, self._unit), dy.dtype)
        dx[:, self._sources] = rows
        return dx.reshape(len(dy), *self.input_shape)


def _by_rows(places: Places, size: int) -> tuple[Places, int]:
    """Return the positions of rows that stay together, and their length."""
    length = places.shape[-1] if places.ndim else 1
    if length and size and size % length == 0:
        rows = places.reshape(-1, length)
        first = rows[:, :1]
        whole_rows = (first % length == 0) & (first >= 0) & (rows == first + np.arange(length))
        if (whole_rows | (rows < 0)).all():
            return rows[:, 0] // length, length
    return places.reshape(-1), 1


class Pad(Selection):
    """Padding around each sample, by a constant or by its own elements.

    Parameters
    ----------
    padding : int, pair or pair of pairs
        Elements to add around images, (height, width, channels), and sequences, (time, channels),
        whose channels are left alone: on all sides, for each axis, or before and after each axis.
        A sample of one axis is padded along it.
    mode : {"constant", "reflect", "edge", "symmetric", "wrap"}
        Elements of the padding: a constant; those inside the edge, mirrored without the edge itself
        or with it (``"symmetric"``); the edge's, repeated (also ``"replicate"``); those of the
        other end (also ``"circular"``).
    value : float
        The constant.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range, or the mode unknown.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    ``y = numpy.pad(x, padding, mode)`` for each sample. Convolutions and poolings pad by
    themselves: with zeros, or with nothing that counts.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Pad((1, 2), "reflect")
    >>> layer.output_shape = layer.build((3, 1))
    >>> layer.forward(np.array([[[1.0], [2.0], [3.0]]])).ravel()
    array([2., 1., 2., 3., 2., 1.])
    """

    def __init__(
        self,
        padding: Padding,
        mode: str = "constant",
        *,
        value: float = 0.0,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.padding, self.mode = as_tuples(padding), mode
        if mode not in _MODES:
            known = ", ".join(f'"{each}"' for each in dict.fromkeys(_MODES.values()))
            raise ValueError(f"{self}: mode must be one of {known}, got {mode!r}")
        self.value = self.constant = number(str(self), "value", value)

    def places(self, given: Places) -> Places:
        """Return the padded positions; see `Selection.places`."""
        pairs, mode = _around(self, "padding", self.padding, given.shape), _MODES[self.mode]
        if mode == "constant":
            return np.pad(given, pairs, constant_values=-1)
        least = 2 if mode == "reflect" else 1
        for axis, (length, pair) in enumerate(zip(given.shape, pairs, strict=True), 1):
            if any(pair) and length < least:
                raise ValueError(
                    f'{self}: mode "{self.mode}" needs at least {least} elements along axis {axis},'
                    f" got samples of shape {given.shape}"
                )
        return np.asarray(np.pad(given, pairs, mode=mode))  # type: ignore[call-overload]


class Crop(Selection):
    """Cropping of each sample: elements at its edges are left out.

    Parameters
    ----------
    cropping : int, pair or pair of pairs
        Elements to leave out of images, (height, width, channels), and sequences, (time, channels),
        whose channels are left alone: on all sides, for each axis, or before and after each axis.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range, or nothing would be left.
    TypeError
        If it is of the wrong kind.

    Examples
    --------
    >>> Crop(((1, 0), (2, 2))).build((28, 28, 3))
    (27, 24, 3)
    """

    def __init__(self, cropping: Padding, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.cropping = as_tuples(cropping)

    def places(self, given: Places) -> Places:
        """Return the positions inside the edges; see `Selection.places`."""
        pairs = _around(self, "cropping", self.cropping, given.shape)
        kept = tuple(
            slice(before, length - after)
            for (before, after), length in zip(pairs, given.shape, strict=True)
        )
        found = given[kept]
        if not found.size:
            raise ValueError(
                f"{self}: cropping {self.cropping} leaves nothing of samples of shape {given.shape}"
            )
        return found


class Slice(Selection):
    """Slice of each sample along one axis, ``start:stop:step``.

    Parameters
    ----------
    start : int, optional
        First position; a negative one counts from the end, None is the first one there is.
    stop : int, optional
        Position behind the last one; a negative one counts from the end, None is the end.
    step : int
        Distance from one element to the next; a negative one goes backwards.
    axis : int
        Axis of the batch: 1 is the first of a sample, -1 the last one, the channels of images; 0,
        that of the samples, is not allowed.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range, or nothing would be left.
    TypeError
        If an argument is no integer.

    Examples
    --------
    >>> Slice(2, -1).build((10, 3))
    (7, 3)
    >>> Slice(step=-1, axis=-1).build((28, 28, 3))
    (28, 28, 3)
    """

    def __init__(
        self,
        start: int | None = None,
        stop: int | None = None,
        step: int = 1,
        *,
        axis: int = 1,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        owner, least = str(self), -(2**31)
        self.start = None if start is None else whole(owner, "start", start, least=least)
        self.stop = None if stop is None else whole(owner, "stop", stop, least=least)
        self.step = whole(owner, "step", step, least=least)
        self.axis = whole(owner, "axis", axis, least=least)
        if not self.step:
            raise ValueError(f"{self}: step must not be 0")

    def places(self, given: Places) -> Places:
        """Return the positions of the slice; see `Selection.places`."""
        place = axis_of_sample(self, self.axis, given.shape)
        found = given[(slice(None),) * place + (slice(self.start, self.stop, self.step),)]
        if not found.size:
            raise ValueError(
                f"{self}: the slice {self.start}:{self.stop}:{self.step} of axis {self.axis} leaves"
                f" nothing of samples of shape {given.shape}"
            )
        return found


class Permute(Layer):
    """Permutation of the axes of a sample.

    Parameters
    ----------
    axes : sequence of int
        Axes of the batch in their new order, without that of the samples: ``(2, 1)`` exchanges
        steps and features, ``(3, 1, 2)`` puts the channels of images first.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If it is no permutation of 1, 2 ... or has not as many axes as the samples.
    TypeError
        If it holds anything but integers.

    Examples
    --------
    >>> Permute((2, 1)).build((10, 3))
    (3, 10)
    >>> Permute((1, 3))
    Traceback (most recent call last):
    ...
    ValueError: Permute: axes must be a permutation of 1 to 2, got (1, 3)
    """

    draws = False

    def __init__(self, axes: Sequence[int], *, name: str | None = "") -> None:
        super().__init__(name=name)
        given = [axes] if isinstance(axes, int) else axes
        self.axes = tuple(whole(str(self), "an axis", axis) for axis in given)
        if sorted(self.axes) != [*range(1, len(self.axes) + 1)]:
            raise ValueError(
                f"{self}: axes must be a permutation of 1 to {len(self.axes)}, got {self.axes}"
            )

    def build(self, input_shape: Shape) -> Shape:
        """Return the permuted shape; see `Layer.build`."""
        if len(input_shape) != len(self.axes):
            raise ValueError(
                f"{self}: axes {self.axes} are {len(self.axes)}, samples of shape {input_shape}"
                f" have {len(input_shape)}"
            )
        return tuple(input_shape[axis - 1] for axis in self.axes)

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the inputs with permuted axes; see `Layer.forward`."""
        return x.transpose(0, *self.axes)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return the gradient with the axes in their old order; see `Layer.backward`."""
        return dy.transpose(0, *(self.axes.index(axis) + 1 for axis in sorted(self.axes)))


def axis_of_sample(owner: Layer, axis: int, shape: Shape) -> int:
    """Return the axis of a sample from one of the batch.

    Parameters
    ----------
    owner : Layer
        The layer, for errors.
    axis : int
        Axis of the batch; a negative one counts from the end.
    shape : tuple of int
        Shape of a sample.

    Returns
    -------
    int
        The axis of the sample, from 0 on.

    Raises
    ------
    ValueError
        If there is no such axis, or it is that of the samples.
    """
    if axis == 0:
        raise ValueError(f"{owner}: axis 0 is that of the samples, 1 the first of a sample")
    place = axis - 1 if axis > 0 else axis + len(shape)
    if not 0 <= place < len(shape):
        raise ValueError(f"{owner}: samples of shape {shape} have no axis {axis}")
    return place


def _around(owner: Layer, name: str, value: Padding, shape: Shape) -> tuple[tuple[int, int], ...]:
    """Return numbers of elements before and after each axis of a sample, none for channels."""
    axes = max(len(shape) - 1, 1)
    pairs = margins(str(owner), value, axes, name=name, words=False)
    return (*pairs, *((0, 0),) * (len(shape) - axes))
