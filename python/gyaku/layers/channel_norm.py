"""Normalisations of a sample by itself: over groups of channels, by size, by its neighbours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.checks import number, whole
from gyaku.layers.base import Layer
from gyaku.layers.norm import Scaled, last_axes

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["GroupNorm", "InstanceNorm", "LocalResponseNorm", "RMSNorm"]


class GroupNorm(Scaled):
    """Normalise groups of channels of each sample to mean zero and variance one, scale and shift.

    Parameters
    ----------
    groups : int
        Number of groups of neighbouring channels.
    epsilon : float
        Small constant added to the variance.
    scale, shift : bool
        Whether there are the parameters γ and β.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range, or the channels are not divisible by the groups.

    Notes
    -----
    ``y = γ (x - μ) / √(σ² + ε) + β`` with a γ and β for each channel, the last axis, and mean and
    variance over all positions and the channels of a group. A sample does not depend on the others
    of its batch. It runs in NumPy. Y. Wu and K. He, Group normalization (2018).

    Examples
    --------
    >>> layer = GroupNorm(4)
    >>> layer.build((8, 8, 16)), layer.params["gamma"].shape
    ((8, 8, 16), (16,))
    """

    native = True

    def __init__(
        self,
        groups: int,
        epsilon: float = 1e-5,
        *,
        scale: bool = True,
        shift: bool = True,
        name: str | None = "",
    ) -> None:
        super().__init__(epsilon, scale, shift, name)
        self.groups = whole(str(self), "groups", groups)

    def _groups(self, channels: int) -> int:
        return self.groups

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``gamma`` and ``beta``; see `Layer.build`."""
        self._declare(input_shape[-1:] if math.prod(input_shape) else ())
        groups = self._groups(input_shape[-1])
        if input_shape[-1] % groups:
            raise ValueError(
                f"{self}: channels ({input_shape[-1]}) must be divisible by groups ({groups})"
            )
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Normalise each sample; see `Layer.forward`."""
        self.x, groups = x, self._groups(x.shape[-1])
        y, self.mean, self.inverse = ops.group_norm(
            x, self.gamma, self.beta, groups=groups, epsilon=self.epsilon
        )
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Write the gradients of scale and shift, return dx; see `Layer.backward`."""
        dx, _, _ = ops.group_norm_backward(
            *(dy, self.x, self.gamma, self.mean, self.inverse),
            out=self._gradients("gamma", "beta"),
        )
        return dx


class InstanceNorm(GroupNorm):
    """Normalise each channel of each sample to mean zero and variance one, scale and shift it.

    Parameters
    ----------
    epsilon : float
        Small constant added to the variance.
    scale, shift : bool
        Whether there are the parameters γ and β; PyTorch has none by default.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    `GroupNorm` with a group for each channel: D. Ulyanov, A. Vedaldi and V. Lempitsky, Instance
    normalization (2016).

    Examples
    --------
    >>> layer = InstanceNorm()
    >>> layer.build((8, 8, 16)), layer.params["gamma"].shape
    ((8, 8, 16), (16,))
    """

    native = True

    def __init__(
        self,
        epsilon: float = 1e-5,
        *,
        scale: bool = True,
        shift: bool = True,
        name: str | None = "",
    ) -> None:
        super().__init__(1, epsilon, scale=scale, shift=shift, name=name)

    def _groups(self, channels: int) -> int:
        return channels


class RMSNorm(Scaled):
    """Divide the last axes by the root of their mean square, and scale them.

    Parameters
    ----------
    epsilon : float
        Small constant added to the mean square.
    axes : int
        Number of last axes that are normalised together.
    scale : bool
        Whether there is the parameter γ.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    ``y = γ x / √(mean(x²) + ε)``, with a γ of the shape of the last axes. It runs in NumPy. B.
    Zhang and R. Sennrich, Root mean square layer normalization (2019).

    Examples
    --------
    >>> layer = RMSNorm()
    >>> layer.build((100, 16)), list(layer.params)
    ((100, 16), ['gamma'])
    """

    native = True

    def __init__(
        self,
        epsilon: float = 1e-6,
        *,
        axes: int = 1,
        scale: bool = True,
        name: str | None = "",
    ) -> None:
        super().__init__(epsilon, scale, False, name)
        self.axes = whole(str(self), "axes", axes)
        self.any_steps = self.axes == 1

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``gamma``; see `Layer.build`."""
        self._declare(last_axes(self, input_shape, self.axes))
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Normalise each row; see `Layer.forward`."""
        self.x = x
        y, self.inverse = ops.rms_norm(x, self.gamma, epsilon=self.epsilon)
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Write the gradient of the scale, return dx; see `Layer.backward`."""
        dx, _ = ops.rms_norm_backward(
            *(dy, self.x, self.gamma, self.inverse), out=self._gradients("gamma")
        )
        return dx

    @property
    def flops(self) -> int:
        """The mean square and two products for each element."""
        return 4 * math.prod(self.output_shape)


class LocalResponseNorm(Layer):
    """Divide each channel by a power of the mean square of its neighbours.

    Parameters
    ----------
    size : int
        Number of neighbouring channels, with the channel itself.
    alpha : float
        Factor α of the mean square.
    beta : float
        Exponent β.
    k : float
        Constant added to the mean square.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    ``y = x / (k + α/size Σ x²)^β``, with the sum over neighbours on the last axis. It runs in
    NumPy. A. Krizhevsky, I. Sutskever and G. Hinton, ImageNet classification with deep
    convolutional neural networks (2012). The defaults are PyTorch's.

    Examples
    --------
    >>> LocalResponseNorm(5).build((8, 8, 16))
    (8, 8, 16)
    """

    native = True
    any_steps = True
    draws = False
    x: NDArray[Any]

    def __init__(
        self,
        size: int = 5,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        *,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.size = whole(str(self), "size", size)
        self.alpha = number(str(self), "alpha", alpha, least=0)
        self.beta = number(str(self), "beta", beta, least=0)
        self.k = number(str(self), "k", k, above=0)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the input; see `Layer.build`."""
        return input_shape

    def _window(self) -> dict[str, Any]:
        return {"size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Normalise each position; see `Layer.forward`."""
        self.x = x
        return ops.local_response_norm(x, **self._window())

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return dx; see `Layer.backward`."""
        return ops.local_response_norm_backward(dy, self.x, **self._window())

    @property
    def flops(self) -> int:
        """A square, a sum over the neighbours, a power and two products for each element."""
        return (self.size + 5) * math.prod(self.output_shape)
