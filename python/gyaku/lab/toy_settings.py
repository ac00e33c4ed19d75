"""Settings of the playground: data, network and training, validated one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gyaku.checks import number, whole
from gyaku.lab.toy_data import DATA, FEATURES, LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

__all__ = ["ACTIVATIONS", "OPTIMIZERS", "Settings", "choices"]

ACTIVATIONS = ("Identity", "Sigmoid", "Tanh", "ReLU", "LeakyReLU", "ELU", "Softplus", "GELU")
"""The activations, by their class."""

OPTIMIZERS = {
    "SGD": 0.1,
    "Momentum": 0.03,
    "Nesterov": 0.03,
    "AdaGrad": 0.1,
    "RMSProp": 0.01,
    "AdaDelta": 1.0,
    "Adam": 0.01,
    "AdamW": 0.01,
    "LBFGS": 1.0,
}
"""The optimizers, by their class, with a learning rate to begin with."""

_MOST = {"layers": 6, "units": 8, "samples": 1000, "points": 1000}
_MOST |= {"speed": 10**6, "seed": 2**32 - 1}


class Settings(NamedTuple):
    """Settings of the playground.

    Parameters
    ----------
    data : str
        A key of `DATA`, or "own" for `points`.
    samples : int
        Number of points that are drawn.
    noise : float
        Standard deviation of their displacement.
    points : tuple of (float, float, int)
        One's own points: coordinates and class.
    test : float
        Fraction of the points that are held out.
    features : tuple of str
        Keys of `FEATURES`, the inputs of the network.
    hidden : tuple of int
        Number of units of each hidden layer.
    activation : str
        Activation of the hidden layers.
    dropout : float
        Probability of dropout behind each of them.
    optimizer : str
        A key of `OPTIMIZERS`.
    rate : float
        Learning rate.
    decay : float
        Weight decay.
    batch : int or None
        Samples per step; None for all.
    seed : int
        Seed of points, weights, order and dropout.
    speed : int
        Steps per second, 0 for as many as the machine can.

    Examples
    --------
    >>> Settings().changed({"hidden": [3, 2]}).hidden
    (3, 2)
    """

    data: str = "xor"
    samples: int = 300
    noise: float = 0.1
    points: tuple[tuple[float, float, int], ...] = ()
    test: float = 0.3
    features: tuple[str, ...] = ("x1", "x2")
    hidden: tuple[int, ...] = (4, 4)
    activation: str = "Tanh"
    dropout: float = 0.0
    optimizer: str = "SGD"
    rate: float = 0.1
    decay: float = 0.0
    batch: int | None = 4
    seed: int = 0
    speed: int = 0

    def changed(self, given: object) -> Settings:
        """Return these settings with others in their place.

        Parameters
        ----------
        given : mapping of str to object
            The new values by name, as JSON has them.

        Returns
        -------
        Settings
            The settings.

        Raises
        ------
        ValueError
            If a name is unknown or a value out of range.
        TypeError
            If a value is of the wrong kind.
        """
        if not isinstance(given, dict):
            raise TypeError(f"playground: settings must be an object, got {_short(given)}")
        found: dict[str, Any] = {}
        for name, value in given.items():
            if name not in _CHECKS:
                raise ValueError(
                    f"playground: there is no setting {_short(name)}, the settings are"
                    f" {', '.join(_CHECKS)}"
                )
            found[name] = _CHECKS[name](name, value)
        return self._replace(**found)


def choices() -> dict[str, Any]:
    """Return what the settings may be, for the page.

    Returns
    -------
    dict of str to object
        The names in the order of the menus, the largest values, and the half side of the square.
    """
    return {
        "data": [*DATA, "own"],
        "features": list(FEATURES),
        "activation": list(ACTIVATIONS),
        "optimizer": OPTIMIZERS,
        "most": _MOST,
        "limit": LIMIT,
    }


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _one_of(table: Collection[str]) -> Callable[[str, object], str]:
    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in table:
            raise ValueError(
                f"playground: {name} must be one of {', '.join(table)}, got {_short(value)}"
            )
        return value

    return check


def _number(**limits: float) -> Callable[[str, object], float]:
    def check(name: str, value: object) -> float:
        if isinstance(value, int) and abs(value) > 1e9:  # an integer of any length
            raise ValueError(f"playground: {name} must be a smaller number, got {_short(value)}")
        return number("playground", name, value, **limits)

    return check


def _whole(least: int, most: int) -> Callable[[str, object], int]:
    def check(name: str, value: object) -> int:
        found = whole("playground", name, value, least=least)
        if found > most:
            raise ValueError(f"playground: {name} must be at most {most}, got {_short(value)}")
        return found

    return check


def _list(name: str, value: object, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"playground: {name} must be a list, got {_short(value)}")
    if len(value) > most:
        raise ValueError(f"playground: {name} must have at most {most} entries, got {len(value)}")
    return value


def _hidden(name: str, value: object) -> tuple[int, ...]:
    units = _whole(1, _MOST["units"])
    return tuple([units("units", each) for each in _list(name, value, _MOST["layers"])])


def _features(name: str, value: object) -> tuple[str, ...]:
    known = _one_of(FEATURES)
    chosen = {known(name, each) for each in _list(name, value, len(FEATURES))}
    if not chosen:
        raise ValueError(f"playground: {name} must have at least one entry, such as x1")
    return tuple([each for each in FEATURES if each in chosen])


def _points(name: str, value: object) -> tuple[tuple[float, float, int], ...]:
    place, which = _number(least=-LIMIT, most=LIMIT), _whole(0, 1)
    found = []
    for each in _list(name, value, _MOST["points"]):
        if not isinstance(each, list) or len(each) != 3:
            raise TypeError(
                f"playground: a point must be [x1, x2, class] such as [0.5, -1, 1],"
                f" got {_short(each)}"
            )
        found.append((place("x1", each[0]), place("x2", each[1]), which("class", each[2])))
    return tuple(found)


def _batch(name: str, value: object) -> int | None:
    return None if value is None else _whole(1, _MOST["samples"])(name, value)


_CHECKS: Mapping[str, Callable[[str, object], Any]] = {
    "data": _one_of((*DATA, "own")),
    "samples": _whole(4, _MOST["samples"]),
    "noise": _number(least=0, most=1),
    "points": _points,
    "test": _number(least=0, most=0.9),
    "features": _features,
    "hidden": _hidden,
    "activation": _one_of(ACTIVATIONS),
    "dropout": _number(least=0, most=0.9),
    "optimizer": _one_of(OPTIMIZERS),
    "rate": _number(above=0, most=100),
    "decay": _number(least=0, most=1),
    "batch": _batch,
    "seed": _whole(0, _MOST["seed"]),
    "speed": _whole(0, _MOST["speed"]),
}
