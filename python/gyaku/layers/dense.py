"""Dense layer: outputs are weighted sums of all inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.checks import whole
from gyaku.layers.weighted import Weighted

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize
    from gyaku.layers.activation import Activation

__all__ = ["Dense"]


class Dense(Weighted):
    """Dense (fully connected) layer, ``y = activation(x W + b)``.

    Parameters
    ----------
    units : int
        Length of the output.
    activation : str or Activation, optional
        The activation of the sums, by name or as a layer; by default none.
    use_bias : bool
        Whether there is a bias `b`.
    weight_init, bias_init : str or callable
        Initialisers, by name or as objects. ``"auto"`` is `He` before a rectifier and `Xavier`
        otherwise; the activation may also be the model's next layer.
    name : str, optional
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
    the samples and ``dx = dz W'``, where ``dz`` is the gradient with respect to the sums. A batch
    of sequences, (samples, time, inputs), is transformed along its last axis.

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
    x: NDArray[Any]
    shape: tuple[int, ...]

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = None,
        *,
        use_bias: bool = True,
        weight_init: str | Initialize = "auto",
        bias_init: str | Initialize = "zeros",
        name: str | None = "",
    ) -> None:
        second: object = activation
        if isinstance(second, int) and not isinstance(
            second, bool
        ):  # inputs and outputs, as in PyTorch
            raise TypeError(
                f"Dense: activation must be a name or an Activation, got {second}; the number of"
                f" inputs is inferred when the model is built, write Dense({second})"
            )
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            weight_init=weight_init,
            bias_init=bias_init,
            name=name,
        )
        self.units = whole(str(self), "units", units)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``weight`` and ``bias``; see `Layer.build`."""
        if not input_shape:
            raise ValueError(f"{self}: needs at least one feature axis, got samples of shape ()")
        self.add_weights((input_shape[-1], self.units), self.units)
        return (*input_shape[:-1], self.units)

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return ``activation(x W + b)``; see `Layer.forward`."""
        shape = x.shape
        is_matrix = len(shape) == 2
        rows = x if is_matrix else x.reshape(-1, shape[-1])
        attributes = vars(self)  # without their check, whose time matters in small layers
        attributes["x"], attributes["shape"] = rows, shape
        params = self.params
        y = ops.matmul(
            rows,
            params["weight"],
            bias=params.get("bias"),
            # A step of a sequence may come by itself.
            independent_rows=len(shape) == 3 or self.in_steps,
            **self.epilogue,
        )
        if self.applied:
            y = self.activate(y, training)
        return y if is_matrix else y.reshape(*shape[:-1], self.units)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any] | None:
        """Write dW and db, return dx; see `Layer.backward`."""
        dz = self.gradient_of_sums(dy.reshape(-1, self.units))
        if self.trainable:
            ops.matmul(self.x, dz, transpose_a=True, out=self.grads["weight"])
            if self.use_bias:
                ops.sum_rows(dz, out=self.grads["bias"])
        if not self.needs_input_gradient:
            return None
        return ops.matmul(dz, self.params["weight"], transpose_b=True).reshape(self.shape)

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each weight, one addition for each bias."""
        return self.work(self.input_shape[-1])
