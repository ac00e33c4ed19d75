"""Merge layers: sums and concatenations of several inputs."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import whole
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Add", "Concatenate"]


class Add(Layer):
    """Sum of inputs of the same shape.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Examples
    --------
    >>> import numpy as np
    >>> Add().forward(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]))
    array([[4., 6.]])
    """

    native = True
    any_steps = True
    passes_sums = True
    count: int

    def build(self, *input_shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of all inputs.

        Parameters
        ----------
        *input_shapes : tuple of int
            The shapes of input samples.

        Returns
        -------
        tuple of int
            The shape of an output sample.
        """
        for shape in input_shapes:
            if shape != input_shapes[0]:
                raise ValueError(
                    f"{self}: inputs must have the same shape, got {_listed(input_shapes)}"
                )
        return input_shapes[0]

    def forward(  # type: ignore[override]
        self, *x: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the sum.

        Parameters
        ----------
        *x : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        self.count = len(x)
        total = x[0]
        for each in x[1:]:
            total = ops.add(total, each)
        return total

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the gradient with respect to each input; see `Layer.backward`."""
        return (dy,) * self.count

    @property
    def flops(self) -> int:
        """An addition for each element of each input but the first."""
        return (len(self.input_shapes) - 1) * math.prod(self.output_shape)


class Concatenate(Layer):
    """Concatenation of inputs along an axis.

    Parameters
    ----------
    axis : int
        Axis of the batch: -1 is the last one, the channels of images; 1 the first of a sample; 0,
        that of the samples, is not allowed.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If the axis is that of the samples.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Concatenate()
    >>> layer.output_shape = layer.build((2,), (1,))
    >>> layer.forward(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    array([[1., 2., 3.]])
    """

    native = True

    def __init__(self, axis: int = -1, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.axis = whole(str(self), "axis", axis, least=-(2**31))
        if axis == 0:
            raise ValueError(f"{self}: axis 0 is that of the samples, 1 the first of a sample")

    def build(self, *input_shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape, with the sum of the lengths along the axis.

        Parameters
        ----------
        *input_shapes : tuple of int
            The shapes of input samples.

        Returns
        -------
        tuple of int
            The shape of an output sample.
        """
        first, axes = input_shapes[0], len(input_shapes[0])
        place = self.axis - 1 if self.axis > 0 else self.axis + axes
        if not 0 <= place < axes:
            raise ValueError(f"{self}: inputs of shape {first} have no axis {self.axis}")
        rests = {(*shape[:place], *shape[place + 1 :]) for shape in input_shapes}
        if len(rests) > 1 or any(len(shape) != axes for shape in input_shapes):
            raise ValueError(
                f"{self}: inputs must have the same shape except along axis {self.axis}, got"
                f" {_listed(input_shapes)}"
            )
        self._place, self._shapes = place, input_shapes
        self.any_steps = place > 0
        self._inner = math.prod(first[place + 1 :])
        *self._starts, total = itertools.accumulate(
            (shape[place] for shape in input_shapes), initial=0
        )
        return (*first[:place], total, *first[place + 1 :])

    def forward(  # type: ignore[override]
        self, *x: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the concatenated inputs.

        Parameters
        ----------
        *x : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        y = memory.empty(self._shape(x[0], self.output_shape), np.result_type(*x))
        rows = self._rows(y)
        for each, start in zip(x, self._starts, strict=True):
            ops.copy_columns(self._rows(each), rows, start=start * self._inner)
        return y

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the slice of each input; see `Layer.backward`."""
        rows, found = self._rows(dy), []
        for shape, start in zip(self._shapes, self._starts, strict=True):
            count = shape[self._place] * self._inner
            part = ops.take_columns(rows, start=start * self._inner, count=count)
            found.append(part.reshape(self._shape(dy, shape)))
        return tuple(found)

    def _shape(self, batch: NDArray[Any], sample: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a batch of samples, with the steps that another batch has."""
        before = self._place + 1
        return (*batch.shape[:before], *sample[before - 1 :])

    def _rows(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return an array as a matrix, whose columns are the axis and those behind it."""
        return x.reshape(math.prod(x.shape[: self._place + 1]), -1)


def _listed(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " and ".join(map(str, shapes))
