"""Counterparts of Keras's activations: names, layers, and those composed of several layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.layers import (
    CELU,
    ELU,
    GELU,
    SELU,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    LogSoftmax,
    Mish,
    ReLU,
    Rescaling,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.layers import Layer
    from gyaku.layers.activation import Activation

__all__ = ["NAMES", "SLOPES", "Unreadable", "activation_layers", "name_of", "recurrent_name"]

NAMES: dict[str, type[Activation]] = {
    "relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh, "softmax": Softmax, "selu": SELU,
    "softplus": Softplus, "softsign": Softsign, "silu": SiLU, "gelu": GELU, "mish": Mish,
    "hard_sigmoid": HardSigmoid, "hard_silu": HardSwish, "log_softmax": LogSoftmax,
}  # fmt: skip
"""Activations without a parameter, by the names of Keras 3."""
SLOPES: dict[str, tuple[type[Any], float]] = {
    "leaky_relu": (LeakyReLU, 0.2),
    "elu": (ELU, 1.0),
    "celu": (CELU, 1.0),
}
"""Activations with a parameter, and its value in Keras's function of that name."""
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}
# Functions of recurrent layers, by the names of Keras.
_RECURRENT = {name: name for name in ("tanh", "relu", "sigmoid", "elu", "selu", "softsign")}
_RECURRENT |= {"linear": "identity", "hard_sigmoid": "hard_sigmoid"}


class Unreadable(ValueError):
    """Something without a counterpart; the message is the end of a sentence."""


def name_of(given: Any, version: int) -> str:
    """Return the name of an activation function.

    Parameters
    ----------
    given : str or dict or None
        Its description in a configuration.
    version : int
        Major version of Keras.

    Returns
    -------
    str
        The name, "linear" for none, "" for a layer.

    Raises
    ------
    Unreadable
        If it is no function of Keras's own, or of that version's.
    """
    if given is None:
        return "linear"
    name = given
    if isinstance(given, dict):
        if given.get("class_name") != "function":
            return ""
        name = given.get("config")
    if not isinstance(name, str):
        raise Unreadable("has an activation that is no function of Keras")
    name = _ALIASES.get(name, name)
    if name == "hard_sigmoid" and version < 3:
        raise Unreadable("has hard_sigmoid, which rises by 1/5 in Keras 2, and by 1/6 here")
    return name


def recurrent_name(given: Any, version: int) -> str:
    """Return the name of an activation function within a recurrent layer.

    Parameters
    ----------
    given : str or dict or None
        Its description.
    version : int
        Major version of Keras.

    Returns
    -------
    str
        Its name in gyaku.

    Raises
    ------
    Unreadable
        If there is none.
    """
    name = name_of(given, version)
    if name not in _RECURRENT:
        raise Unreadable(f"has the activation {name or 'layer'}, which has no counterpart there")
    return _RECURRENT[name]


def activation_layers(given: Any, version: int) -> list[Layer]:
    """Return the layers of an activation.

    Parameters
    ----------
    given : str or dict or None
        Its description in a configuration.
    version : int
        Major version of Keras.

    Returns
    -------
    list of Layer
        The layers, [] for the identity.

    Raises
    ------
    Unreadable
        If it has no counterpart.
    """
    name = name_of(given, version)
    if not name:
        kind, config = given.get("class_name"), given.get("config")
        if kind not in LAYERS or not isinstance(config, dict):
            raise Unreadable(f"has the activation {kind}, which has no counterpart")
        return LAYERS[kind](config)
    if name == "linear":
        return []
    if name == "relu6":
        return _clipped(6.0)
    if name in SLOPES:
        cls, alpha = SLOPES[name]
        return [cls(alpha)]
    if name not in NAMES:
        raise Unreadable(f"has the activation {name}, which has no counterpart")
    return [NAMES[name]()]


def _clipped(most: float) -> list[Layer]:
    """Return layers that are min(max(x, 0), most), by the lines of a hard sigmoid."""
    return [Rescaling(6 / most, -3.0), HardSigmoid(), Rescaling(most)]


def _relu(config: dict[str, Any]) -> list[Layer]:
    slope, most = config.get("negative_slope") or 0.0, config.get("max_value")
    if config.get("threshold"):
        raise Unreadable("has a threshold, which has no counterpart")
    if most is not None:
        if slope:
            raise Unreadable("has both a max_value and a slope, which have no counterpart")
        return _clipped(_number(most))
    return [LeakyReLU(_number(slope))] if slope else [ReLU()]


def _softmax(config: dict[str, Any]) -> list[Layer]:
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if not isinstance(axis, int):
        raise Unreadable(f"has axis={axis}, and a softmax is along one axis")
    return [Softmax(axis)]


def _slope(cls: Any, *names: str, default: float) -> Callable[[dict[str, Any]], list[Layer]]:
    def made(config: dict[str, Any]) -> list[Layer]:
        given = next((config[name] for name in names if config.get(name) is not None), default)
        return [cls(_number(given))]

    return made


def _number(given: Any) -> float:
    """Return a number, which old files may hold as an array."""
    if isinstance(given, dict):
        given = (given.get("config") or {}).get("value")
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise Unreadable(f"has {given!r} where a number belongs")
    return float(given)


LAYERS: dict[str, Callable[[dict[str, Any]], list[Layer]]] = {
    "ReLU": _relu,
    "LeakyReLU": _slope(LeakyReLU, "negative_slope", "alpha", default=0.3),
    "ELU": _slope(ELU, "alpha", default=1.0),
    "Softmax": _softmax,
}
"""Activations that are layers, by their classes."""
