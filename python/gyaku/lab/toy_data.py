"""Toy data: points of two classes in a plane, features of them, and points held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import number, whole
from gyaku.names import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["DATA", "FEATURES", "LIMIT", "features", "held_out", "toy_data"]

LIMIT = 3.0
"""Half the side of the square that the playground shows; its centre is the origin."""


def _circles(rng: np.random.Generator, y: Array) -> Array:
    """Return a ring of class 0 around a disc of class 1."""
    ring, disc = rng.uniform(1.6, 2.4, len(y)), np.sqrt(rng.uniform(0, 1, len(y)))
    return _polar(np.where(y == 1, disc, ring), rng.uniform(0, 2 * np.pi, len(y)))


def _spirals(rng: np.random.Generator, y: Array) -> Array:
    """Return two arms of one and three quarters of a turn."""
    t = rng.uniform(0, 1, len(y))
    return _polar(0.2 + 2.3 * t, np.pi * (3.5 * t + y))


def _xor(rng: np.random.Generator, y: Array) -> Array:
    """Return four squares; class 1 where the signs of the coordinates differ."""
    sign = rng.choice([-1.0, 1.0], len(y))
    signs = np.stack([sign, np.where(y == 1, -sign, sign)], axis=1)
    return signs * rng.uniform(0.2, 2.3, (len(y), 2))


def _gaussians(rng: np.random.Generator, y: Array) -> Array:
    """Return two normal distributions."""
    return np.where(y == 1, 1.1, -1.1)[:, None] + rng.normal(0, 0.6, (len(y), 2))


def _moons(rng: np.random.Generator, y: Array) -> Array:
    """Return two half circles that interlock."""
    half = _polar(np.ones(len(y)), rng.uniform(0, np.pi, len(y)))
    return 1.6 * (np.where(y[:, None] == 1, [1, 0.5] - half, half) - [0.5, 0.25])


def _polar(radius: Array, angle: Array) -> Array:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


DATA: dict[str, Callable[[np.random.Generator, Array], Array]] = {
    "circles": _circles,
    "xor": _xor,
    "gaussians": _gaussians,
    "moons": _moons,
    "spirals": _spirals,
}
"""The shapes: points of the given classes without noise."""

FEATURES: dict[str, Callable[[Array, Array], Array]] = {
    "x1": lambda x1, x2: x1,
    "x2": lambda x1, x2: x2,
    "x1**2": lambda x1, x2: x1**2,
    "x2**2": lambda x1, x2: x2**2,
    "x1 * x2": lambda x1, x2: x1 * x2,
    "np.sin(x1)": lambda x1, x2: np.sin(x1),
    "np.sin(x2)": lambda x1, x2: np.sin(x2),
}
"""The features of a point (x1, x2), by their expressions in Python."""


def toy_data(
    kind: str, samples: int = 300, *, noise: float = 0.0, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw points of two classes in a plane, about as wide as a standard normal distribution.

    Parameters
    ----------
    kind : {"circles", "xor", "gaussians", "moons", "spirals"}
        The shape.
    samples : int
        Number of points, the same of each class, in random order.
    noise : float
        Standard deviation of a normal displacement of each coordinate.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    x : ndarray of shape (samples, 2)
        The points.
    y : ndarray of shape (samples,)
        Their classes, 0 or 1.

    Raises
    ------
    ValueError
        If there is no such shape, or a number is out of range.

    Examples
    --------
    >>> x, y = toy_data("xor", 100)
    >>> bool((y == (x[:, 0] * x[:, 1] < 0)).all())
    True
    """
    shape = choose("kind", kind, DATA)
    rng = np.random.default_rng(whole("toy_data", "seed", seed, least=0))
    y = rng.permutation(np.arange(whole("toy_data", "samples", samples)) % 2).astype(np.float64)
    x = shape(rng, y)
    return x + number("toy_data", "noise", noise, least=0) * rng.normal(size=x.shape), y


def features(x: Array, names: Sequence[str]) -> Array:
    """Return features of points.

    Parameters
    ----------
    x : ndarray of shape (samples, 2)
        The points.
    names : sequence of str
        Keys of `FEATURES`.

    Returns
    -------
    ndarray of shape (samples, features)
        The features.

    Examples
    --------
    >>> features(np.array([[2.0, 3.0]]), ["x1", "x1 * x2"])
    array([[2., 6.]])
    """
    return np.stack([FEATURES[name](*x.T) for name in names], axis=1)


def held_out(samples: int, fraction: float) -> NDArray[np.bool_]:
    """Return the points held out for the test: evenly spread, so that more points change no others.

    Parameters
    ----------
    samples : int
        Number of points, in random order.
    fraction : float
        Fraction of them to hold out, at least 0 and below 1.

    Returns
    -------
    ndarray of bool, of shape (samples,)
        Whether each point is held out.

    Examples
    --------
    >>> held_out(6, 0.5)
    array([False,  True, False,  True, False,  True])
    """
    whole_parts = np.floor(np.arange(samples + 1) * number("held_out", "fraction", fraction))
    found: NDArray[np.bool_] = np.diff(whole_parts) > 0
    return found
