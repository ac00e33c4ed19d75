"""Dropout: a random sub-network at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.checks import number
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any, Literal

    from numpy.typing import NDArray

__all__ = ["Dropout"]


class Dropout(Layer):
    """Zero each element with a probability in training and scale the others; identity otherwise.

    Parameters
    ----------
    rate : float
        Probability, at least 0 and below 1.
    scaled : {"training", "prediction"}
        When the outputs are scaled, so that their expectation is the same in training and
        prediction: in training by ``1 / (1 - rate)``, or in prediction by ``1 - rate``.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If `rate` is out of range or `scaled` unknown.

    Notes
    -----
    ``y = x / (1 - rate)`` where kept, 0 where dropped, with the same mask for the gradient. The
    mask depends on seed, step, layer and position alone. N. Srivastava and others, Dropout (2014),
    in the inverted form, which needs no scaling in prediction. The form of the paper is
    ``scaled="prediction"``: ``y = x`` where kept in training, and ``y = (1 - rate) x`` in
    prediction, which is the same as scaling the weights of the next layer.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.5).forward(np.ones((1, 8)), training=True)
    array([[2., 2., 2., 2., 2., 2., 0., 0.]])
    >>> paper = Dropout(0.5, scaled="prediction")
    >>> paper.forward(np.ones((1, 8)), training=True)
    array([[1., 1., 1., 1., 1., 1., 0., 0.]])
    >>> paper.forward(np.ones((1, 8)))
    array([[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]])
    """

    native = True
    any_steps = True
    dropping: bool

    def __init__(
        self,
        rate: float = 0.5,
        *,
        scaled: Literal["training", "prediction"] = "training",
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.rate = number(str(self), "rate", rate, least=0, below=1)
        if scaled not in ("training", "prediction"):
            raise ValueError(f'{self}: scaled must be "training" or "prediction", got {scaled!r}')
        self.scaled = scaled

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
        if self.dropping:
            x = ops.dropout(x, self.clock, rate=self.rate, seed=self.seed, stream=self.stream)
        if self.scaled == "prediction" and self.rate:
            x = ops.rescale(x, scale=1 - self.rate)
        return x

    @property
    def varies(self) -> bool:
        """True: each step has its own mask."""
        return True

    @property
    def flops(self) -> int:
        """A comparison and a product for each element, in training, and those of `scaled`."""
        return (2 if self.scaled == "training" else 4) * math.prod(self.output_shape)
