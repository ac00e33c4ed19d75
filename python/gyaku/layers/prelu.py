"""Rectifier with learnt slopes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import whole
from gyaku.init import Constant, initializer
from gyaku.layers.base import Layer
from gyaku.layers.selection import axis_of_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize

__all__ = ["PReLU"]


class PReLU(Layer):
    """Rectifier with learnt slopes of the negative part, ``y = x`` if x > 0, else ``alpha x``.

    Parameters
    ----------
    shared_axes : sequence of int, optional
        Axes of the batch whose elements share a slope, 1 the first of a sample; by default all but
        the last one, so that each channel has its own. ``()`` gives each element its own; all axes,
        ``(1, 2, 3)`` for images, give a single one.
    alpha_init : str or callable
        Initialiser of the slopes, by name or as an object; by default 1/4.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If there is no such axis, or a name is unknown.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    The gradients are ``dx = dy`` if x > 0, else ``alpha dy``, and ``dalpha = Σ dy min(x, 0)`` over
    all elements with that slope; He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.
    The layer is computed in NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> layer = PReLU()
    >>> layer.build((2,))
    (2,)
    >>> layer.forward(np.array([[-4.0, 2.0]]))
    array([[-1.,  2.]])
    """

    any_steps = True
    x: NDArray[Any]

    def __init__(
        self,
        shared_axes: Sequence[int] | None = None,
        *,
        alpha_init: str | Initialize = Constant(0.25),  # noqa: B008 - it is never changed
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        if shared_axes is not None:
            shared_axes = tuple(
                whole(str(self), "an axis of shared_axes", axis, least=-(2**31))
                for axis in (shared_axes if hasattr(shared_axes, "__iter__") else [shared_axes])
            )
        self.shared_axes, self.alpha_init = shared_axes, alpha_init
        initializer(alpha_init)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``alpha``; see `Layer.build`."""
        axes = range(1, len(input_shape)) if self.shared_axes is None else self.shared_axes
        shared = {axis_of_sample(self, axis, input_shape) for axis in axes}
        shape = tuple(1 if axis in shared else n for axis, n in enumerate(input_shape))
        self.any_steps = 0 in shared
        self.add_param("alpha", shape, self.alpha_init)
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the rectified inputs; see `Layer.forward`."""
        self.x = x
        return np.where(x > 0, x, self.params["alpha"] * x)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Write the gradient of the slopes, return dx; see `Layer.backward`."""
        from gyaku.reference import sum_to  # a model on kernels needs none

        alpha = self.params["alpha"]
        if self.trainable:
            shares = dy * np.minimum(self.x, 0)
            self.grads["alpha"] = sum_to(shares, (1, *alpha.shape))[0]
        return np.where(self.x > 0, dy, alpha * dy)

    @property
    def flops(self) -> int:
        """A comparison and a multiplication for each element."""
        return 2 * math.prod(self.output_shape)
