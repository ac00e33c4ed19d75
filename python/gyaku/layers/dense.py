"""The dense layer: every output sees every input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.arguments import whole
from gyaku.init import initializer
from gyaku.layers.activation import activation as as_activation
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize
    from gyaku.layers.activation import Activation

__all__ = ["Dense"]

RECTIFIERS = {"relu", "leaky_relu", "elu", "gelu", "silu", "softplus"}


class Dense(Layer):
    """A layer whose outputs are weighted sums of its inputs, ``y = activation(x W + b)``.

    Parameters
    ----------
    units : int
        The number of outputs.
    activation : str or Activation, optional
        What is applied to the sums, by name or as a layer; by default nothing.
    use_bias : bool
        Whether there is a `b`.
    weight_init, bias_init : str or callable
        Initialisers by name or themselves. ``"auto"`` is `He` before a rectifier and `Xavier`
        otherwise; the activation may also be the model's next layer.
    name : str
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range or a name unknown.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    The weight has the shape (inputs, outputs). The gradients are ``dW = x' dz``, ``db = Σ dz`` over
    the samples and ``dx = dz W'``, where ``dz`` is the gradient by the sums. A batch of sequences,
    (samples, time, inputs), is worked on along its last axis.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dense(3, activation="relu")
    >>> layer.build((4,))
    (3,)
    >>> layer.forward(np.zeros((2, 4), np.float32)).shape
    (2, 3)
    """

    native = True

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = None,
        *,
        use_bias: bool = True,
        weight_init: str | Initialize = "auto",
        bias_init: str | Initialize = "zeros",
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self.units = whole(str(self), "units", units)
        self.activation = activation
        self.use_bias = bool(use_bias)
        self.weight_init = weight_init
        self.bias_init = bias_init
        self._activation = None if activation is None else as_activation(activation)
        initializer(bias_init)
        if weight_init != "auto":
            initializer(weight_init)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``weight`` and ``bias``; see `Layer.build`."""
        if not input_shape:
            raise ValueError(f"{self}: needs at least one feature axis, got samples of shape ()")
        initial = self.weight_init
        if initial == "auto":
            follows = self._activation.op if self._activation else self.activation_after
            initial = "he" if follows in RECTIFIERS else "xavier"
        self.add_param("weight", (input_shape[-1], self.units), initial)
        if self.use_bias:
            self.add_param("bias", (self.units,), self.bias_init)
        output_shape = (*input_shape[:-1], self.units)
        if self._activation:
            self._activation.output_shape = output_shape
        return output_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return ``activation(x W + b)``; see `Layer.forward`."""
        self.shape = x.shape
        self.x = x.reshape(-1, x.shape[-1])
        act = self._activation
        fused = act is not None and act.elementwise and not act.saves_input
        y = ops.matmul(
            self.x,
            self.params["weight"],
            bias=self.params.get("bias"),
            activation=act.op if fused and act else None,
            alpha=act.options.get("alpha") if fused and act else None,
        )
        if act and fused:
            act.saved = y
        elif act:
            y = act.forward(y, training)
        return y.reshape(*x.shape[:-1], self.units)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any] | None:
        """Write dW and db, return dx; see `Layer.backward`."""
        dz = dy.reshape(-1, self.units)
        if self._activation:
            dz = self._activation.backward(dz)
        ops.matmul(self.x, dz, transpose_a=True, out=self.grads["weight"])
        if self.use_bias:
            ops.sum_rows(dz, out=self.grads["bias"])
        if not self.needs_input_gradient:
            return None
        return ops.matmul(dz, self.params["weight"], transpose_b=True).reshape(self.shape)

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each weight, one addition for each bias."""
        positions = math.prod(self.output_shape[:-1])
        sums = positions * self.units * (2 * self.input_shape[-1] + self.use_bias)
        return sums + (self._activation.flops if self._activation else 0)
