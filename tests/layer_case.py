"""How a layer is made for the tests, and what it is given."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import gyaku as gk


class LayerCase(NamedTuple):
    """How a layer is made, the shape of a sample (or of each input's), and its work, if counted."""

    make: Callable[[], gk.Layer]
    shape: tuple[Any, ...]
    flops: int | None = None
    vocabulary: int = 0  # of a layer that takes ids
    positive: bool = False  # whether inputs are to be more than one

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of all inputs."""
        return self.shape if isinstance(self.shape[0], tuple) else (self.shape,)

    def model(self, **options: Any) -> gk.Model:
        """Return a model that is this layer alone."""
        inputs = [gk.Input(each) for each in self.shapes]
        return gk.Model(inputs, self.make()(*inputs), **options)

    def inputs(self, rng: np.random.Generator, draw: Callable[..., Any]) -> list[Any]:
        """Return three samples of each input, by `draw` unless they are ids."""
        shapes = [(3, *shape) for shape in self.shapes]
        if self.vocabulary:
            return [rng.integers(1, self.vocabulary, shape) for shape in shapes]
        if self.positive:
            return [1 + abs(draw(shape)) for shape in shapes]
        return [draw(shape) for shape in shapes]

    def within(self, features: int) -> gk.Model:
        """Return a model that is this layer behind dense ones, which make its inputs of rows."""
        x = gk.Input((features,))
        made = [gk.Reshape(each)(gk.Dense(math.prod(each))(x)) for each in self.shapes]
        return gk.Model(x, self.make()(*made))
