"""Rescaling of inputs to a range that suits training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.checks import number
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Rescaling"]


class Rescaling(Layer):
    """Rescaling of inputs, ``y = x * scale + offset``.

    Parameters
    ----------
    scale : float
        Factor, such as ``1 / 255`` for the bytes of images.
    offset : float
        Constant added to the products.
    name : str, optional
        The layer's name.

    Raises
    ------
    TypeError
        If an argument is no number.
    ValueError
        If it is not finite.

    Notes
    -----
    The gradient is ``dx = dy * scale``. As the first layer of a model, with a positive scale and no
    offset, it costs nothing: images stay bytes in memory, and the gather of a batch scales them as
    it converts them. It draws no random numbers, so the layers behind it have the same initial
    weights with and without it.

    Examples
    --------
    >>> import numpy as np
    >>> Rescaling(1 / 255).forward(np.array([[0.0, 51.0, 255.0]]))
    array([[0. , 0.2, 1. ]])
    """

    native = True
    any_steps = True
    draws = False

    def __init__(self, scale: float, offset: float = 0.0, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.scale = number(str(self), "scale", scale)
        self.offset = number(str(self), "offset", offset)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return `input_shape`; see `Layer.build`."""
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return ``x * scale + offset``; see `Layer.forward`."""
        return ops.rescale(x, scale=self.scale, offset=self.offset)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return ``dy * scale``; see `Layer.backward`."""
        return ops.rescale(dy, scale=self.scale)

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each element."""
        return 2 * math.prod(self.output_shape)
