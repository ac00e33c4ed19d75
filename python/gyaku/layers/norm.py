"""Normalisation layers: mean zero and variance one, then scale and shift."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.checks import number
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["BatchNorm", "LayerNorm"]


class BatchNorm(Layer):
    """Normalise each channel over the batch to mean zero and variance one, scale and shift it.

    Parameters
    ----------
    momentum : float
        Weight of a batch's statistics in the running ones, which are used in prediction.
    epsilon : float
        Small constant added to the variance.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    ``y = γ (x - μ) / √(σ² + ε) + β`` for each element of the last axis, with mean and variance over
    all others, padded steps of sequences included. `buffers` holds the running statistics,
    ``mean`` and ``variance``. With ``trainable = False`` it normalises by these in training too,
    and they stay. S. Ioffe and C. Szegedy, Batch normalization (2015).

    Examples
    --------
    >>> layer = BatchNorm()
    >>> layer.build((8, 8, 16))
    (8, 8, 16)
    >>> list(layer.params), list(layer.buffers)
    (['gamma', 'beta'], ['mean', 'variance'])
    """

    native = True
    any_steps = True
    passes_sums = True
    x: NDArray[Any]
    training: bool
    mean: NDArray[Any]
    inverse: NDArray[Any]

    def __init__(
        self, momentum: float = 0.1, epsilon: float = 1e-5, *, name: str | None = ""
    ) -> None:
        super().__init__(name=name)
        self.momentum = number(str(self), "momentum", momentum, least=0)
        if self.momentum > 1:
            raise ValueError(f"{self}: momentum must be at most 1, got {momentum!r}")
        self.epsilon = number(str(self), "epsilon", epsilon, above=0)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``gamma``, ``beta`` and the running statistics; see `Layer.build`."""
        _add_scale_and_shift(self, input_shape)
        self.add_buffer("mean", input_shape[-1:], "zeros")
        self.add_buffer("variance", input_shape[-1:], "ones")
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Normalise, in training by the statistics of the batch; see `Layer.forward`."""
        samples = math.prod(x.shape[:-1])
        training = training and self.trainable
        if training and samples == 0:
            raise ValueError(f"{self}: the batch is empty, its shape is {x.shape}")
        if training and samples == 1:
            raise ValueError(f"{self}: one sample has no variance to train by, give at least two")
        gamma, beta = self.params["gamma"], self.params["beta"]
        running = self.buffers["mean"], self.buffers["variance"]
        self.x, self.training = x, training
        if not training:
            self.mean = running[0]
            y, self.inverse = ops.batch_norm_inference(
                x, gamma, beta, *running, epsilon=self.epsilon
            )
            return y
        y, self.mean, self.inverse, variance = ops.batch_norm(x, gamma, beta, epsilon=self.epsilon)
        ops.update_running(*running, self.mean, variance, samples=samples, momentum=self.momentum)
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Write the gradients of scale and shift, return dx; see `Layer.backward`."""
        dx, _, _ = ops.batch_norm_backward(
            dy,
            self.x,
            self.params["gamma"],
            self.mean,
            self.inverse,
            training=self.training,
            out=_gradients(self),
        )
        return dx

    @property
    def least_batch(self) -> int:
        """Two samples if a sample has one element per channel, which has no variance."""
        return 2 if self.trainable and math.prod(self.input_shape[:-1]) == 1 else 1

    @property
    def flops(self) -> int:
        """The statistics, a subtraction, two products and an addition for each element."""
        return 8 * math.prod(self.output_shape)


class LayerNorm(Layer):
    """Normalise the last axis to mean zero and variance one, scale and shift it.

    Parameters
    ----------
    epsilon : float
        Small constant added to the variance.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    ``y = γ (x - μ) / √(σ² + ε) + β``, with mean and variance over the last axis. J. Ba, J. Kiros
    and G. Hinton, Layer normalization (2016).

    Examples
    --------
    >>> layer = LayerNorm()
    >>> layer.build((100, 16)), layer.params["gamma"].shape
    ((100, 16), (16,))
    """

    native = True
    any_steps = True
    passes_sums = True
    x: NDArray[Any]
    mean: NDArray[Any]
    inverse: NDArray[Any]

    def __init__(self, epsilon: float = 1e-5, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.epsilon = number(str(self), "epsilon", epsilon, above=0)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``gamma`` and ``beta``; see `Layer.build`."""
        _add_scale_and_shift(self, input_shape)
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Normalise each row; see `Layer.forward`."""
        self.x = x
        y, self.mean, self.inverse = ops.layer_norm(
            x, self.params["gamma"], self.params["beta"], epsilon=self.epsilon
        )
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Write the gradients of scale and shift, return dx; see `Layer.backward`."""
        dx, _, _ = ops.layer_norm_backward(
            dy,
            self.x,
            self.params["gamma"],
            self.mean,
            self.inverse,
            out=_gradients(self),
        )
        return dx

    @property
    def flops(self) -> int:
        """The statistics, a subtraction, two products and an addition for each element."""
        return 8 * math.prod(self.output_shape)


def _gradients(layer: Layer) -> tuple[None, NDArray[Any] | None, NDArray[Any] | None]:
    """Return the output arrays of a backward pass: none for parameters of a frozen layer."""
    if not layer.trainable:
        return None, None, None
    return None, layer.grads["gamma"], layer.grads["beta"]


def _add_scale_and_shift(layer: Layer, input_shape: tuple[int, ...]) -> None:
    if not input_shape or not input_shape[-1]:
        raise ValueError(
            f"{layer}: needs at least one element to normalise, got samples of shape {input_shape}"
        )
    layer.add_param("gamma", input_shape[-1:], "ones")
    layer.add_param("beta", input_shape[-1:], "zeros")
