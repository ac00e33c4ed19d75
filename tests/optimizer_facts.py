"""Facts about each optimizer that no row of the table states: its update, and the class.

The tests of values, tolerances, errors, cuts and equations walk over them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gyaku as gk
from gyaku.ops import TABLE
from gyaku.optim import Optimizer

Array = NDArray[Any]
Scales = tuple[Array, ...]


@dataclass(frozen=True)
class Facts:
    """Facts about an update.

    Parameters
    ----------
    name : str
        Name of the operation.
    scale : callable
        Magnitude of the terms of each output: from the arguments, the keywords and the outputs.
    options : tuple of dict
        Keywords to try.
    squares : tuple of str
        Names of the states that hold squares, and so are positive.
    """

    name: str
    scale: Callable[[list[Array], dict[str, Any], Scales], Scales]
    options: tuple[dict[str, Any], ...] = ({},)
    squares: tuple[str, ...] = ()

    @property
    def states(self) -> list[str]:
        """Names of the arrays that it keeps between steps."""
        return [name for name in TABLE[self.name].outputs if name != "params"]


def sgd_scale(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    params, grads, clock = (np.abs(x) for x in arguments)
    return (params + clock[1] * (grads + keywords.get("weight_decay", 0.0) * params),)


def momentum_scale(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    params, grads, velocity, clock = (np.abs(x) for x in arguments)
    change = clock[1] * (grads + keywords.get("weight_decay", 0.0) * params)
    velocity = keywords.get("momentum", 0.9) * velocity + change
    return params + velocity + change, velocity


def adam_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, m, v, clock = (np.abs(x) for x in arguments)
    beta1, beta2 = keywords.get("beta1", 0.9), keywords.get("beta2", 0.999)
    grads = grads + keywords.get("weight_decay", 0.0) * params
    m = beta1 * m + (1 - beta1) * grads
    v = beta2 * v + (1 - beta2) * grads * grads
    root = np.sqrt(outputs[2] / (1 - clock[3])) + keywords.get("epsilon", 1e-8)
    return params + clock[1] * m / (1 - clock[2]) / root * v / outputs[2], m, v


def adagrad_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, h, clock = (np.abs(x) for x in arguments)
    grads = grads + keywords.get("weight_decay", 0.0) * params
    h = h + grads * grads
    root = np.sqrt(outputs[1]) + keywords.get("epsilon", 1e-10)
    return params + clock[1] * grads / root * h / outputs[1], h


def adamw_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    return adam_scale(arguments, {**keywords, "weight_decay": 0.0}, outputs)


def rmsprop_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, h, clock = (np.abs(x) for x in arguments)
    grads, rho = grads + keywords.get("weight_decay", 0.0) * params, keywords.get("rho", 0.99)
    h = rho * h + (1 - rho) * grads * grads
    root = np.sqrt(outputs[1]) + keywords.get("epsilon", 1e-8)
    return params + clock[1] * grads / root * h / outputs[1], h


def adadelta_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, h, e, clock = (np.abs(x) for x in arguments)
    grads, rho = grads + keywords.get("weight_decay", 0.0) * params, keywords.get("rho", 0.9)
    epsilon = keywords.get("epsilon", 1e-6)
    h = rho * h + (1 - rho) * grads * grads
    change = np.sqrt(e + epsilon) / np.sqrt(outputs[1] + epsilon) * grads * h / outputs[1]
    return params + clock[1] * change, h, rho * e + (1 - rho) * change * change


UPDATES = {
    facts.name: facts
    for facts in (
        Facts("sgd", sgd_scale),
        Facts(
            "momentum",
            momentum_scale,
            ({"nesterov": False, "momentum": 0.8}, {"nesterov": True, "momentum": 0.8}),
        ),
        Facts("adam", adam_scale, squares=("v",)),
        Facts("adamw", adamw_scale, squares=("v",)),
        Facts("adagrad", adagrad_scale, squares=("h",)),
        Facts("rmsprop", rmsprop_scale, squares=("h",)),
        Facts("adadelta", adadelta_scale, squares=("h", "e")),
    )
}
"""The facts by name; a new update adds a row."""


# A step of each class in plain numbers, as the papers write it.
def sgd(w, g, state, t, *, rate=0.9, decay=0.0):
    return w - rate * (g + decay * w)


def momentum(w, g, state, t, *, rate=0.1, alpha=0.9, decay=0.0):
    state["v"] = alpha * state.get("v", 0) - rate * (g + decay * w)
    return w + state["v"]


def nesterov(w, g, state, t, *, rate=0.1, alpha=0.9):
    state["v"] = alpha * state.get("v", 0) - rate * g
    return w + alpha * state["v"] - rate * g


def adam(w, g, state, t, *, rate=0.3, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
    g = g + decay * w
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
    m, v = state["m"] / (1 - beta1**t), state["v"] / (1 - beta2**t)
    return w - rate * m / (np.sqrt(v) + epsilon)


def adagrad(w, g, state, t, *, rate=0.9, epsilon=1e-10, decay=0.0):
    g = g + decay * w
    state["h"] = state.get("h", 0) + g**2
    return w - rate * g / (np.sqrt(state["h"]) + epsilon)


def adamw(w, g, state, t, *, rate=0.3, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.01):
    return adam(
        (1 - rate * decay) * w, g, state, t, rate=rate, beta1=beta1, beta2=beta2, epsilon=epsilon
    )


def rmsprop(w, g, state, t, *, rate=0.3, rho=0.99, epsilon=1e-8, decay=0.0):
    g = g + decay * w
    state["h"] = rho * state.get("h", 0) + (1 - rho) * g**2
    return w - rate * g / (np.sqrt(state["h"]) + epsilon)


def adadelta(w, g, state, t, *, rate=1.0, rho=0.9, epsilon=1e-6, decay=0.0):
    g = g + decay * w
    state["h"] = rho * state.get("h", 0) + (1 - rho) * g**2
    change = np.sqrt(state.get("e", 0) + epsilon) / np.sqrt(state["h"] + epsilon) * g
    state["e"] = rho * state.get("e", 0) + (1 - rho) * change**2
    return w - rate * change


CASES: dict[str, tuple[Callable[[], Optimizer], Callable[..., Any], dict[str, float]]] = {
    "sgd": (lambda: gk.SGD(0.9), sgd, {}),
    "sgd, decay": (lambda: gk.SGD(0.9, weight_decay=0.1), sgd, {"decay": 0.1}),
    "momentum": (lambda: gk.Momentum(0.1), momentum, {}),
    "momentum, decay": (
        lambda: gk.Momentum(0.1, 0.8, weight_decay=0.1),
        momentum,
        {"alpha": 0.8, "decay": 0.1},
    ),
    "nesterov": (lambda: gk.Nesterov(0.1), nesterov, {}),
    "adam": (lambda: gk.Adam(0.3), adam, {}),
    "adam, all": (
        lambda: gk.Adam(0.3, beta1=0.7, beta2=0.9, epsilon=1e-3, weight_decay=0.1),
        adam,
        {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3, "decay": 0.1},
    ),
    "adamw": (lambda: gk.AdamW(0.3), adamw, {}),
    "adamw, all": (
        lambda: gk.AdamW(0.3, beta1=0.7, beta2=0.9, epsilon=1e-3, weight_decay=0.1),
        adamw,
        {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3, "decay": 0.1},
    ),
    "rmsprop": (lambda: gk.RMSProp(0.3), rmsprop, {}),
    "rmsprop, all": (
        lambda: gk.RMSProp(0.3, rho=0.8, epsilon=1e-3, weight_decay=0.1),
        rmsprop,
        {"rho": 0.8, "epsilon": 1e-3, "decay": 0.1},
    ),
    "adadelta": (lambda: gk.AdaDelta(), adadelta, {}),
    "adadelta, all": (
        lambda: gk.AdaDelta(0.5, rho=0.8, epsilon=1e-3, weight_decay=0.1),
        adadelta,
        {"rate": 0.5, "rho": 0.8, "epsilon": 1e-3, "decay": 0.1},
    ),
    "adagrad": (lambda: gk.AdaGrad(0.9), adagrad, {}),
    "adagrad, all": (
        lambda: gk.AdaGrad(0.9, epsilon=1e-3, weight_decay=0.1),
        adagrad,
        {"epsilon": 1e-3, "decay": 0.1},
    ),
}
"""Optimizers and the equations that they follow; a new one adds a row or two."""
