"""Dropout: a random sub-network at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.checks import number
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Dropout"]


class Dropout(Layer):
    """Zero each element with a probability in training and scale the others; identity otherwise.

    Parameters
    ----------
    rate : float
        Probability, at least 0 and below 1.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If `rate` is out of range.

    Notes
    -----
    ``y = x / (1 - rate)`` where kept, 0 where dropped, with the same mask for the gradient. The
    mask depends on seed, step, layer and position alone. N. Srivastava and others, Dropout (2014),
    in the inverted form, which needs no scaling in prediction.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.5).forward(np.ones((1, 8)), training=True)
    array([[2., 2., 2., 2., 2., 2., 0., 0.]])
    """

    native = True
    any_steps = True
    dropping: bool

    def __init__(self, rate: float = 0.5, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.rate = number(str(self), "rate", rate, least=0, below=1)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return `input_shape`; see `Layer.build`."""
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Apply a random mask in training; see `Layer.forward`."""
        self.dropping = training and self.rate > 0
        return self._drop(x)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Apply the same mask to the gradient; see `Layer.backward`."""
        return self._drop(dy)

    def _drop(self, x: NDArray[Any]) -> NDArray[Any]:
        if not self.dropping:
            return x
        return ops.dropout(x, self.clock, rate=self.rate, seed=self.seed, stream=self.stream)

    @property
    def varies(self) -> bool:
        """True: each step has its own mask."""
        return True

    @property
    def flops(self) -> int:
        """A comparison and a product for each element, in training."""
        return 2 * math.prod(self.output_shape)
