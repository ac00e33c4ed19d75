"""Layers that change the shape of a sample, not its elements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.checks import whole
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Flatten", "Reshape"]


class Flatten(Layer):
    """Flatten each sample to a row: (samples, ...) becomes (samples, features).

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten().forward(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    native = True
    shape: tuple[int, ...]

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the number of features; see `Layer.build`."""
        return (math.prod(input_shape),)

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the inputs, one row a sample; see `Layer.forward`."""
        self.shape = x.shape
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return the gradient in the shape of the inputs; see `Layer.backward`."""
        return dy.reshape(self.shape)


class Reshape(Layer):
    """Reshape each sample: ``(samples, ...)`` becomes ``(samples, *shape)``.

    Parameters
    ----------
    shape : sequence of int
        New shape of a sample, without the batch axis; one length may be -1 and is inferred.
    name : str, optional
        The layer's name.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Reshape((3, -1))
    >>> layer.output_shape = layer.build((12,))
    >>> layer.forward(np.zeros((2, 12))).shape
    (2, 3, 4)
    """

    native = True

    def __init__(self, shape: Sequence[int], *, name: str | None = "") -> None:
        super().__init__(name=name)
        lengths = [shape] if isinstance(shape, int) else shape
        self.shape = tuple(
            -1 if length == -1 else whole(str(self), "a length in shape", length)
            for length in lengths
        )
        if self.shape.count(-1) > 1:
            raise ValueError(f"{self}: only one length in shape may be -1, got {self.shape}")

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the new shape; see `Layer.build`."""
        size, known = math.prod(input_shape), math.prod(n for n in self.shape if n != -1)
        if size % known or (-1 not in self.shape and size != known):
            raise ValueError(
                f"{self}: cannot give samples of shape {input_shape} ({size} elements)"
                f" the shape {self.shape}"
            )
        return tuple(size // known if n == -1 else n for n in self.shape)

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the inputs in the new shape; see `Layer.forward`."""
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return the gradient in the shape of the inputs; see `Layer.backward`."""
        return dy.reshape(len(dy), *self.input_shape)
