"""Normalisation layers: mean zero and variance one, then scale and shift."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number, truth, whole
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["BatchNorm", "LayerNorm"]


class Scaled(Layer):
    """Base of the normalisations: epsilon, and a scale and a shift that may be left out.

    Parameters
    ----------
    epsilon : float
        Small constant added to the variance.
    scale, shift : bool
        Whether there are the parameters ``gamma`` and ``beta``.
    name : str or None
        The layer's name.

    Attributes
    ----------
    gamma, beta : ndarray
        The parameters; ones and zeros where they are left out.
    """

    passes_sums = True
    x: NDArray[Any]
    mean: NDArray[Any]
    inverse: NDArray[Any]
    _fixed: dict[str, NDArray[Any]]

    def __init__(self, epsilon: float, scale: bool, shift: bool, name: str | None) -> None:
        super().__init__(name=name)
        self.epsilon = number(str(self), "epsilon", epsilon, above=0)
        self.scale = truth(str(self), "scale", scale)
        self.shift = truth(str(self), "shift", shift)

    def _declare(self, shape: tuple[int, ...]) -> None:
        """Declare scale and shift of this shape."""
        if not math.prod(shape) or not shape:
            raise ValueError(
                f"{self}: needs at least one element to normalise, got samples of shape"
                f" {self.input_shape}"
            )
        self._fixed = {}
        kinds = {"gamma": (self.scale, np.ones, "ones"), "beta": (self.shift, np.zeros, "zeros")}
        for name, (trained, constant, initial) in kinds.items():
            if trained:
                self.add_param(name, shape, initial)
            else:
                self._fixed[name] = constant(shape, self.dtype)

    @property
    def gamma(self) -> NDArray[Any]:
        """Scale, trained or ones."""
        return self.params["gamma"] if self.scale else self._fixed["gamma"]

    @property
    def beta(self) -> NDArray[Any]:
        """Shift, trained or zeros."""
        return self.params["beta"] if self.shift else self._fixed["beta"]

    def _gradients(self, *names: str) -> tuple[NDArray[Any] | None, ...]:
        """Return the output arrays of a backward pass: none for what is not trained."""
        known = self.grads if self.trainable else {}
        return None, *(known.get(name) for name in names)

    @property
    def flops(self) -> int:
        """The statistics, a subtraction, two products and an addition for each element."""
        return 8 * math.prod(self.output_shape)


class BatchNorm(Scaled):
    """Normalise each channel over the batch to mean zero and variance one, scale and shift it.

    Parameters
    ----------
    momentum : float or None
        Weight of a batch's statistics in the running ones, which are used in prediction; None is
        their mean over all batches of the training.
    epsilon : float
        Small constant added to the variance.
    scale, shift : bool
        Whether there are the parameters γ and β.
    track_running_stats : bool
        Whether there are running statistics; without them prediction uses those of its batch, too.
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
    training: bool

    def __init__(
        self,
        momentum: float | None = 0.1,
        epsilon: float = 1e-5,
        *,
        scale: bool = True,
        shift: bool = True,
        track_running_stats: bool = True,
        name: str | None = "",
    ) -> None:
        super().__init__(epsilon, scale, shift, name)
        self.momentum = momentum
        if momentum is not None:
            self.momentum = number(str(self), "momentum", momentum, least=0, most=1)
        self.track_running_stats = truth(str(self), "track_running_stats", track_running_stats)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``gamma``, ``beta`` and the running statistics; see `Layer.build`."""
        self._declare(input_shape[-1:])
        if self.track_running_stats:
            self.add_buffer("mean", input_shape[-1:], "zeros")
            self.add_buffer("variance", input_shape[-1:], "ones")
            if self.momentum is None:
                self.add_buffer("batches", (1,), "zeros")
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Normalise, in training by the statistics of the batch; see `Layer.forward`."""
        samples, self.x = math.prod(x.shape[:-1]), x
        training = training and self.trainable
        self.training = training or not self.track_running_stats
        if self.training and samples == 0:
            raise ValueError(f"{self}: the batch is empty, its shape is {x.shape}")
        if training and samples == 1:
            raise ValueError(f"{self}: one sample has no variance to train by, give at least two")
        if not self.training:
            running = self.buffers["mean"], self.buffers["variance"]
            self.mean = running[0]
            y, self.inverse = ops.batch_norm_inference(
                *(x, self.gamma, self.beta, *running), epsilon=self.epsilon
            )
            return y
        y, self.mean, self.inverse, variance = ops.batch_norm(
            x, self.gamma, self.beta, epsilon=self.epsilon
        )
        if training and self.track_running_stats:
            self._keep(variance, samples)
        return y

    def _keep(self, variance: NDArray[Any], samples: int) -> None:
        """Update the running statistics by those of a batch."""
        running, momentum = (self.buffers["mean"], self.buffers["variance"]), self.momentum
        given = *running, self.mean, variance
        if momentum is not None:
            ops.update_running(*given, samples=samples, momentum=momentum)
            return
        batches = self.buffers["batches"]

        def accumulate() -> None:
            batches[0] += 1
            ops.update_running(*given, samples=samples, momentum=1 / batches.item())

        memory.host(accumulate, given[2:], [*running, batches])

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Write the gradients of scale and shift, return dx; see `Layer.backward`."""
        dx, _, _ = ops.batch_norm_backward(
            dy,
            self.x,
            self.gamma,
            self.mean,
            self.inverse,
            training=self.training,
            out=self._gradients("gamma", "beta"),
        )
        return dx

    @property
    def least_batch(self) -> int:
        """Two samples if a sample has one element per channel, which has no variance."""
        return 2 if self.trainable and math.prod(self.input_shape[:-1]) == 1 else 1


class LayerNorm(Scaled):
    """Normalise the last axes to mean zero and variance one, scale and shift them.

    Parameters
    ----------
    epsilon : float
        Small constant added to the variance.
    axes : int
        Number of last axes that are normalised together.
    scale, shift : bool
        Whether there are the parameters γ and β.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    ``y = γ (x - μ) / √(σ² + ε) + β``, with mean and variance over the last axes, of whose shape are
    γ and β. J. Ba, J. Kiros and G. Hinton, Layer normalization (2016).

    Examples
    --------
    >>> layer = LayerNorm()
    >>> layer.build((100, 16)), layer.params["gamma"].shape
    ((100, 16), (16,))
    """

    native = True

    def __init__(
        self,
        epsilon: float = 1e-5,
        *,
        axes: int = 1,
        scale: bool = True,
        shift: bool = True,
        name: str | None = "",
    ) -> None:
        super().__init__(epsilon, scale, shift, name)
        self.axes = whole(str(self), "axes", axes)
        self.any_steps = self.axes == 1

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``gamma`` and ``beta``; see `Layer.build`."""
        self._declare(last_axes(self, input_shape, self.axes))
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Normalise each row; see `Layer.forward`."""
        self.x = x
        y, self.mean, self.inverse = ops.layer_norm(x, self.gamma, self.beta, epsilon=self.epsilon)
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Write the gradients of scale and shift, return dx; see `Layer.backward`."""
        dx, _, _ = ops.layer_norm_backward(
            *(dy, self.x, self.gamma, self.mean, self.inverse),
            out=self._gradients("gamma", "beta"),
        )
        return dx


def last_axes(layer: Layer, shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    """Return the shape of the last axes of a sample.

    Parameters
    ----------
    layer : Layer
        The layer, for the error.
    shape : tuple of int
        Shape of a sample.
    axes : int
        Number of the axes.

    Returns
    -------
    tuple of int
        Their shape.

    Raises
    ------
    ValueError
        If a sample has fewer axes.
    """
    if axes > max(len(shape), 1):
        raise ValueError(f"{layer}: normalises {axes} axes, got samples of shape {shape}")
    return shape[-axes:]
