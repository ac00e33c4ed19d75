"""Masking: padded steps of sequences, found by the value of their features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Masking"]


class Masking(Layer):
    """Zeros at the padded steps of sequences of features, which are found by their value.

    Parameters
    ----------
    value : float
        A step whose features all have this value is padding.
    name : str, optional
        The layer's name.

    Raises
    ------
    TypeError
        If `value` is no number.
    ValueError
        If it is not finite.

    See Also
    --------
    Embedding : Find the padding of sequences of ids, with ``mask_zero``.

    Notes
    -----
    ``y_t = x_t``, or 0 at a padded step, whose gradient is zero as well. The length of a sequence
    is the number of its steps up to the last one that is no padding, and at least 1. The layer
    comes first, as it finds the lengths in the data: they travel to the layers behind, the loss and
    the metrics, which count real steps only. Padding within a sequence is zero, but counts.

    Examples
    --------
    >>> import numpy as np
    >>> import gyaku as gk
    >>> x = np.array([[[5.0], [-1.0], [3.0], [-1.0]]])
    >>> gk.Masking(-1.0).find_lengths(x)
    array([3])
    >>> gk.Sequential(gk.Masking(-1.0), gk.GRU(2, return_sequences=True)).forward(x)[0, 3]
    array([0., 0.], dtype=float32)
    """

    any_steps = True
    draws = False
    finds_lengths = True
    real: NDArray[Any]

    def __init__(self, value: float = 0.0, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.value = number(str(self), "value", value)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return `input_shape`, that of steps with features; see `Layer.build`."""
        if len(input_shape) < 2:
            raise ValueError(
                f"{self}: takes sequences, (steps, features), got samples of shape {input_shape}"
            )
        return input_shape

    def _is_real(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """Return whether each step is no padding, 1 for the axes of its features."""
        return np.asarray((x != self.value).any(axis=tuple(range(2, x.ndim)), keepdims=True))

    def find_lengths(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Return the lengths up to the last step that is no padding; see `Layer.find_lengths`."""
        steps = memory.empty(x.shape[:2], np.int64)

        def mark() -> None:
            steps[...] = self._is_real(x).reshape(steps.shape)
            steps[:, :1] = 1

        memory.host(mark, [x], [steps])
        return ops.sequence_lengths(steps)

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the inputs, zero at padded steps; see `Layer.forward`."""
        self.real = self._is_real(x)
        return np.where(self.real, x, np.zeros((), x.dtype))

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return the gradient, zero at padded steps; see `Layer.backward`."""
        return np.asarray(dy * self.real)

    @property
    def flops(self) -> int:
        """A comparison for each element."""
        return math.prod(self.output_shape)
