"""Facts about each activation function that no row of the table states: one row each.

The tests of values, limits, gradients and tolerances walk over them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyaku import reference

Array = NDArray[Any]

SELU_SLOPE = reference.activation.SELU_SCALE * reference.activation.SELU_ALPHA


def _magnitude(*arguments: Array, **_: float) -> Array:
    """Return the magnitude of the result itself: nothing cancels on the way to it."""
    return np.abs(arguments[-1])


@dataclass(frozen=True)
class Facts:
    """Facts about an activation function.

    Parameters
    ----------
    values : tuple
        Pairs of x and y.
    bounds : tuple of float
        Infimum and supremum.
    smooth : bool
        Whether a complex step differentiates it; else it is made of straight lines.
    keeps_minus_zero : bool
        Whether f(-0) is -0.
    steepest : float
        The largest slope, if it is more than 1.
    scale : callable
        Magnitude of the terms of an output: from x and y.
    scale_backward : callable
        Magnitude of the terms of a gradient: from dy, the saved tensor and dx, and alpha.
    loses_x : int
        Power of x by which a factor that underflows is multiplied.
    """

    values: tuple[tuple[float, float], ...]
    bounds: tuple[float, float] = (-math.inf, math.inf)
    smooth: bool = True
    keeps_minus_zero: bool = False
    steepest: float = 1.0
    scale: Callable[..., Array] = _magnitude
    scale_backward: Callable[..., Array] = _magnitude
    loses_x: int = 0


def _near(x: Array) -> Array:
    return np.clip(x, -100, 100)  # every term is 0 or 1 beyond


def _exponents(x: Array, *, beta: float = 0.0, **_: float) -> Array:
    """Return the magnitude of an exponent that is rounded, and one."""
    return 1 + np.clip(np.abs(beta * x), 0, 800)


FACTS = {
    "identity": Facts(((-2.0, -2.0),), keeps_minus_zero=True),
    "step": Facts(((0.0, 0.0), (1e-300, 1.0)), (0, 1), smooth=False),
    "sigmoid": Facts(((0.0, 0.5), (math.log(3), 0.75)), (0, 1)),
    "tanh": Facts(
        ((math.log(2), 0.6),),
        (-1, 1),
        keeps_minus_zero=True,
        scale_backward=lambda dy, y, _: np.abs(dy) * (1 + y * y),
    ),
    "relu": Facts(((-2.0, 0.0),), (0, math.inf), smooth=False, keeps_minus_zero=True),
    "leaky_relu": Facts(((-2.0, -0.02),), smooth=False, keeps_minus_zero=True),
    "elu": Facts(((math.log(0.25), -0.75),), (-1, math.inf), keeps_minus_zero=True),
    "selu": Facts(
        # Klambauer et al., 2017
        ((-math.inf, -1.7580993408473766), (1.0, 1.0507009873554805)),
        (-1.7580993408473768, math.inf),
        keeps_minus_zero=True,
        steepest=SELU_SLOPE,
    ),
    "gelu": Facts(
        ((1.0, 0.8413447460685429), (-1.0, -0.15865525393145705)),  # the one-sigma rule
        (-0.17, math.inf),
        keeps_minus_zero=True,
        steepest=1.13,
        scale_backward=lambda dy, x, _: (
            np.abs(dy)
            * (reference.normal_cdf(_near(x)) + np.abs(_near(x)) * reference.normal_pdf(_near(x)))
        ),
        loses_x=1,
    ),
    "gelu_tanh": Facts(
        ((1.0, 0.8411919906082768), (-1.0, -0.15880800939172324)),
        (-0.18, math.inf),
        keeps_minus_zero=True,
        steepest=1.13,
        # An error in the exponent is one of the sigmoid.
        scale=lambda x, y: np.abs(y) * (1 + np.abs(reference.activation._exponent(_near(x)))),
        scale_backward=lambda dy, x, _: (
            np.abs(dy)
            * reference.sigmoid(reference.activation._exponent(_near(x)))
            * (1 + np.abs(_near(x)) * (2 + 0.3 * _near(x) ** 2))
            * (1 + np.abs(reference.activation._exponent(_near(x))))
        ),
        loses_x=3,
    ),
    "silu": Facts(
        ((math.log(3), 0.75 * math.log(3)),),
        (-0.28, math.inf),
        keeps_minus_zero=True,
        steepest=1.1,
        # As dy s (1 + x (1 - s)): the rounding error of s comes back multiplied by x.
        scale_backward=lambda dy, x, _: (
            np.abs(dy)
            * reference.sigmoid(np.where(np.isinf(x), 0, x))
            * (1 + np.abs(np.where(np.isinf(x), 0, x)))
        ),
        loses_x=1,
    ),
    "softplus": Facts(
        ((0.0, math.log(2)), (-40.0, math.exp(-40))),
        (0, math.inf),
        scale=lambda x, y, **options: np.abs(y) * _exponents(x, **options),
        scale_backward=lambda _, x, dx, **options: np.abs(dx) * _exponents(x, **options),
    ),
    "hard_sigmoid": Facts(
        ((1.5, 0.75),),
        (0, 1),
        smooth=False,
        scale=lambda x, _, *, alpha=1 / 6, beta=0.5: np.minimum(alpha * np.abs(x), 1) + beta,
    ),
    "mish": Facts(
        # softplus(x) = log(3/2), log(2) and log(4), whose hyperbolic tangents are rational
        ((-math.log(2), -math.log(2) * 5 / 13), (math.log(3), math.log(3) * 15 / 17)),
        (-0.31, math.inf),
        keeps_minus_zero=True,
        steepest=1.09,
        # As dy (t + x slope), whose terms have opposite signs where x is negative.
        scale_backward=lambda dy, x, _: (
            np.abs(dy)
            * np.tanh(reference.softplus(_near(x)))
            * (1 + np.abs(_near(x)) * reference.sigmoid(-_near(x)))
        ),
        loses_x=1,
    ),
    "hard_swish": Facts(
        ((1.5, 1.125), (-1.5, -0.375), (4.0, 4.0)),
        (-0.375, math.inf),
        smooth=False,
        keeps_minus_zero=True,
        steepest=1.5,
        scale_backward=lambda dy, x, _: np.abs(dy) * (np.minimum(np.abs(x), 3) / 3 + 0.5),
    ),
    "softsign": Facts(((3.0, 0.75), (-1.0, -0.5)), (-1, 1), keeps_minus_zero=True),
    "celu": Facts(
        ((math.log(0.25), -0.75),),
        (-1, math.inf),
        keeps_minus_zero=True,
        # The rounding error of the exponent is that of the exponential.
        scale_backward=lambda _dy, x, dx, *, alpha=1.0: (
            np.abs(dx) * (1 + np.where(np.isinf(x), 0, np.abs(x) / alpha))
        ),
    ),
}
"""The facts by name; a new activation adds a row."""
