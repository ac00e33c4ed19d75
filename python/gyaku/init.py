"""Initialisers: values of parameters before training.

An initialiser is called with the shape of a parameter and a random generator; a function of these
two does as well. The last axis of a weight holds its outputs, the one before it its inputs, and
further axes in front (a convolution's kernel) belong to both.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import no_class, number
from gyaku.components import Configured, Table, is_kind_or_function
from gyaku.names import choose, missing_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Initialize: TypeAlias = Callable[[tuple[int, ...], np.random.Generator], NDArray[np.floating]]

__all__ = ["Constant", "He", "Initializer", "Normal", "Ones", "Orthogonal", "Uniform", "Xavier"]
__all__ += ["Zeros"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)

INITIALIZERS: Table[Initializer] = Table()


class Initializer(Configured, table=INITIALIZERS):
    """Base of the initialisers."""

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Return initial values.

        Parameters
        ----------
        shape : tuple of int
            The shape of the parameter.
        random : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of float64
            The values; they are rounded to the model's dtype afterwards, so that float32 and
            float64 models begin alike.
        """
        raise NotImplementedError


class Constant(Initializer):
    """Constant value.

    Parameters
    ----------
    value : float
        The value.
    """

    def __init__(self, value: float) -> None:
        self.value = number("Constant", "value", value)

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Return `shape` filled with the value; see `Initializer`."""
        return np.full(shape, self.value)


class Zeros(Constant):
    """Zeros, the usual start of a bias."""

    def __init__(self) -> None:
        super().__init__(0.0)


class Ones(Constant):
    """Ones, the usual start of a scale."""

    def __init__(self) -> None:
        super().__init__(1.0)


class Normal(Initializer):
    """Normally distributed values.

    Parameters
    ----------
    std : float
        The standard deviation.
    mean : float
        The mean.
    """

    def __init__(self, *, std: float = 0.01, mean: float = 0.0) -> None:
        self.std = number("Normal", "std", std, least=0)
        self.mean = number("Normal", "mean", mean)

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw from N(mean, std²); see `Initializer`."""
        return random.normal(self.mean, self.std, shape)


class Uniform(Initializer):
    """Uniformly distributed values.

    Parameters
    ----------
    low, high : float
        The interval [low, high).
    """

    def __init__(self, *, low: float = -0.05, high: float = 0.05) -> None:
        self.low = number("Uniform", "low", low)
        self.high = number("Uniform", "high", high, least=self.low)

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw from U(low, high); see `Initializer`."""
        return random.uniform(self.low, self.high, shape)


class Xavier(Initializer):
    """Uniform values that keep the variance of signals and gradients through sigmoid layers.

    Parameters
    ----------
    gain : float
        Factor on all values.

    Notes
    -----
    ``U(-a, a)`` with ``a = gain * sqrt(6 / (inputs + outputs))``: X. Glorot and Y. Bengio,
    Understanding the difficulty of training deep feedforward neural networks (2010), equation 16.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = number("Xavier", "gain", gain, above=0)

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw from U(-a, a); see `Initializer`."""
        limit = self.gain * math.sqrt(6 / max(1, sum(_inputs_and_outputs(shape))))
        return random.uniform(-limit, limit, shape)


class He(Initializer):
    """Normal values that keep the variance of signals through ReLU layers.

    Parameters
    ----------
    gain : float
        Factor on all values.

    Notes
    -----
    ``N(0, s²)`` with ``s = gain * sqrt(2 / inputs)``: K. He and others, Delving deep into
    rectifiers (2015), equation 10.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = number("He", "gain", gain, above=0)

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw from N(0, s²); see `Initializer`."""
        deviation = self.gain * math.sqrt(2 / max(1, _inputs_and_outputs(shape)[0]))
        return random.normal(0.0, deviation, shape)


class Orthogonal(Initializer):
    """Orthogonal rows or columns, which keep the length of what is multiplied by them.

    Parameters
    ----------
    gain : float
        Factor on all values.

    Notes
    -----
    The matrix Q of the QR decomposition of normal values, with the signs of R's diagonal, so that
    all orthogonal matrices are equally likely; axes in front count as inputs. A state that is
    multiplied by a square one in each time step neither vanishes nor explodes: A. Saxe and others,
    Exact solutions to the nonlinear dynamics of learning in deep linear neural networks (2014).
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = number("Orthogonal", "gain", gain, above=0)

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw an orthogonal matrix; see `Initializer`."""
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: needs a shape of two axes or more, got {shape}")
        inputs, outputs = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(random.normal(size=(max(inputs, outputs), min(inputs, outputs))))
        q *= np.where(np.diag(r) < 0, -1, 1)
        return self.gain * (q if inputs >= outputs else q.T).reshape(shape)


def _inputs_and_outputs(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return fan-in and fan-out."""
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def initializer(given: str | Initialize) -> Initialize:
    """Return an initialiser from its name or itself.

    Parameters
    ----------
    given : str or callable
        A name of `INITIALIZERS`, an `Initializer`, or a function of shape and generator.

    Returns
    -------
    callable
        The initialiser.

    Raises
    ------
    ValueError
        If there is no such name.
    TypeError
        If it is neither a name nor a callable.
    """
    if isinstance(given, str):
        return choose("initializer", given, INITIALIZERS)()
    no_class("an initializer", given)
    if not is_kind_or_function(Initializer, given):
        raise TypeError(f"an initializer must be a name or a callable, got {given!r}")
    return given
