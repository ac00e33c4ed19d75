"""Rescaling and normalisation of inputs to a range that suits training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Normalization", "Rescaling"]


class Rescaling(Layer):
    """Rescaling of inputs, ``y = x * scale + offset``.

    Parameters
    ----------
    scale : float
        Factor, such as ``1 / 255`` for the bytes of images.
    offset : float
        Constant added to the products.
    name : str, optional
        The layer's name.

    Raises
    ------
    TypeError
        If an argument is no number.
    ValueError
        If it is not finite.

    Notes
    -----
    The gradient is ``dx = dy * scale``. As the first layer of a model, with a positive scale and no
    offset, it costs nothing: images stay bytes in memory, and the gather of a batch scales them as
    it converts them. It draws no random numbers, so the layers behind it have the same initial
    weights with and without it.

    Examples
    --------
    >>> import numpy as np
    >>> Rescaling(1 / 255).forward(np.array([[0.0, 51.0, 255.0]]))
    array([[0. , 0.2, 1. ]])
    """

    native = True
    any_steps = True
    draws = False

    def __init__(self, scale: float, offset: float = 0.0, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.scale = number(str(self), "scale", scale)
        self.offset = number(str(self), "offset", offset)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return `input_shape`; see `Layer.build`."""
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return ``x * scale + offset``; see `Layer.forward`."""
        return ops.rescale(x, scale=self.scale, offset=self.offset)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return ``dy * scale``; see `Layer.backward`."""
        return ops.rescale(dy, scale=self.scale)

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each element."""
        return 2 * math.prod(self.output_shape)


class Normalization(Layer):
    """Standardise each channel of inputs by constants, ``y = (x - mean) / std``.

    Parameters
    ----------
    mean : float or sequence of float, optional
        Mean of each element of the last axis, or of all; `adapt` takes it from data.
    std : float or sequence of float, optional
        Standard deviation of each, or of all; a zero is taken for 1.
    name : str, optional
        The layer's name.

    Raises
    ------
    TypeError
        If an argument is no number and no sequence of numbers.
    ValueError
        If one is not finite, a deviation is negative, or only one of the two is given.

    Notes
    -----
    The constants belong to the layer's arguments, so that they are kept in model files and copies;
    training does not change them. They are to be taken from training data alone. Other than
    `BatchNorm`, the layer has no parameters, and a sample does not depend on others in its batch.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 50.0], [3.0, 70.0]])
    >>> layer = Normalization()
    >>> layer.adapt(x)
    >>> layer
    Normalization(mean=(2.0, 60.0), std=(1.0, 10.0))
    >>> layer.build((2,)), layer.forward(x.astype("float32"))
    ((2,), array([[-1., -1.],
           [ 1.,  1.]], dtype=float32))
    """

    native = True
    any_steps = True
    draws = False
    x: NDArray[Any]
    inverse: NDArray[Any]
    arrays: tuple[NDArray[Any], ...]

    def __init__(
        self,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        *,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        if (mean is None) != (std is None):
            raise ValueError(f"{self}: give both mean and std, or neither and call adapt(x)")
        self.mean = None if mean is None else self._constants("mean", mean)
        self.std = None if std is None else self._constants("std", std, least=0)
        lengths = [len(each) for each in (self.mean, self.std) if isinstance(each, tuple)]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"{self}: mean and std must have the same length, got {lengths[0]} and {lengths[1]}"
            )

    def _constants(self, name: str, given: Any, **limits: float) -> float | tuple[float, ...]:
        if np.ndim(given) == 0:
            return number(str(self), name, given, **limits)
        return tuple(number(str(self), f"{name}[{i}]", x, **limits) for i, x in enumerate(given))

    def adapt(self, x: object) -> None:
        """Take mean and standard deviation from data, before the layer is built.

        Parameters
        ----------
        x : array_like
            Training data, (samples, ..., channels).

        Raises
        ------
        ValueError
            If the layer is built already, or the data are empty or not finite.
        """
        if self.input_shape:
            raise ValueError(f"{self}: adapt comes before the model is built")
        array = np.asarray(x, np.float64)
        rows = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
        if not len(rows) or not np.isfinite(rows).all():
            raise ValueError(f"{self}: adapt needs finite data, (samples, ..., channels)")
        self.mean, self.std = tuple(rows.mean(axis=0).tolist()), tuple(rows.std(axis=0).tolist())

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return `input_shape`, which must fit the constants; see `Layer.build`."""
        if self.mean is None or self.std is None:
            raise ValueError(f"{self}: call adapt(x) with training data first, or give mean, std")
        channels = input_shape[-1:]
        std = np.array(self.std)
        columns = [self.mean, 1 / np.where(std == 0, 1, std), 0, 1]
        for given in columns[:2]:
            if np.ndim(given) and np.shape(given) != channels:
                raise ValueError(
                    f"{self}: mean and std have {np.size(given)} values, the last axis of the input"
                    f" {input_shape} has {(*channels, 'none')[0]}"
                )
        self.arrays = tuple(memory.empty(channels, self.dtype) for _ in columns)
        for array, given in zip(self.arrays, columns, strict=True):
            array[...] = given
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return ``(x - mean) / std``; see `Layer.forward`."""
        mean, scale, zeros, ones = self.arrays
        self.x = x
        y, self.inverse = ops.batch_norm_inference(x, scale, zeros, mean, ones, epsilon=0.0)
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return ``dy / std``; see `Layer.backward`."""
        mean, scale, _, _ = self.arrays
        dx, _, _ = ops.batch_norm_backward(dy, self.x, scale, mean, self.inverse, training=False)
        return dx

    @property
    def flops(self) -> int:
        """A subtraction and a multiplication for each element."""
        return 2 * math.prod(self.output_shape)
