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
    within, outside = (clock[1], 1) if keywords.get("rate_in_velocity", True) else (1, clock[1])
    change = within * (grads + keywords.get("weight_decay", 0.0) * params)
    velocity = keywords.get("momentum", 0.9) * velocity + change
    return params + outside * (velocity + change), velocity


def adam_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, m, v, clock = (np.abs(x) for x in arguments)
    beta1, beta2 = keywords.get("beta1", 0.9), keywords.get("beta2", 0.999)
    grads = grads + keywords.get("weight_decay", 0.0) * params
    m = beta1 * m + (1 - beta1) * grads
    v = beta2 * v + (1 - beta2) * grads * grads
    root = np.sqrt(outputs[2] / (1 - clock[3])) + keywords.get("epsilon", 1e-8)
    return params + clock[1] * m / (1 - clock[2]) / root * v / outputs[2], m, v


def amsgrad_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, m, v, _, clock = arguments
    scales = adam_scale([params, grads, m, v, clock], keywords, (*outputs[:2], outputs[3]))
    return *scales, outputs[3]


def nadam_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, *_, clock = (np.abs(x) for x in arguments)
    _, m, squares = adam_scale(arguments, keywords, outputs)
    grads = grads + keywords.get("weight_decay", 0.0) * params
    root = np.sqrt(outputs[2] / (1 - clock[3])) + keywords.get("epsilon", 1e-8)
    mean = (m + grads) / (1 - clock[2])
    return params + clock[1] * mean / root * squares / outputs[2], m, squares


def radam_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, *_, clock = (np.abs(x) for x in arguments)
    scale, m, v = adam_scale(arguments, keywords, outputs)
    return np.maximum(scale, params + clock[1] * m / (1 - clock[2])), m, v


def adamax_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, m, u, clock = (np.abs(x) for x in arguments)
    beta1, beta2 = keywords.get("beta1", 0.9), keywords.get("beta2", 0.999)
    grads = grads + keywords.get("weight_decay", 0.0) * params
    m = beta1 * m + (1 - beta1) * grads
    u = np.maximum(beta2 * u, grads + keywords.get("epsilon", 1e-8))
    return params + clock[1] * m / (1 - clock[2]) / outputs[2] * u / outputs[2], m, u


def rprop_scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, *_ = (np.abs(x) for x in arguments)
    _, _, size = outputs
    return params + size, grads + keywords.get("weight_decay", 0.0) * params, size


def rmsprop_momentum_scale(
    arguments: list[Array], keywords: dict[str, Any], outputs: Scales
) -> Scales:
    params, grads, h, mean, velocity, clock = (np.abs(x) for x in arguments)
    grads, rho = grads + keywords.get("weight_decay", 0.0) * params, keywords.get("rho", 0.99)
    h, mean = rho * h + (1 - rho) * grads * grads, rho * mean + (1 - rho) * grads
    squares = outputs[1] - outputs[2] ** 2 * keywords.get("centered", False)
    # Where the difference cancels, its rounding error is that of what is subtracted.
    change = grads / (np.sqrt(squares) + keywords.get("epsilon", 1e-8))
    velocity = keywords.get("momentum", 0.0) * velocity + change * (h + mean * mean) / squares
    return params + clock[1] * velocity, h, mean, velocity


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
            (
                {"nesterov": False, "rate_in_velocity": False, "dampening": 0.25},
                {"nesterov": True, "rate_in_velocity": False},
                {"nesterov": False, "momentum": 0.8},
                {"nesterov": True, "momentum": 0.8},
            ),
        ),
        Facts("adam", adam_scale, squares=("v",)),
        Facts("adamw", adamw_scale, squares=("v",)),
        Facts("amsgrad", amsgrad_scale, ({}, {"decoupled": True}), ("v", "v_max")),
        Facts("nadam", nadam_scale, ({}, {"decoupled": True, "warmup": 0.96}), ("v",)),
        # The third step of the clock is too early for the root, with this beta2 it is late enough.
        Facts("radam", radam_scale, ({}, {"decoupled": True, "beta2": 0.5}), ("v",)),
        Facts("adamax", adamax_scale, squares=("u",)),
        Facts("rprop", rprop_scale, ({}, {"least": 0.3, "most": 0.5}), ("size",)),
        Facts("adagrad", adagrad_scale, squares=("h",)),
        Facts("rmsprop", rmsprop_scale, squares=("h",)),
        Facts("rmsprop_momentum", rmsprop_momentum_scale, ({"momentum": 0.9},), ("h",)),
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


def momentum_outside(w, g, state, t, *, rate=0.1, alpha=0.9, tau=0.0):
    state["v"] = g if t == 1 else alpha * state["v"] + (1 - tau) * g
    return w - rate * state["v"]


def nesterov(w, g, state, t, *, rate=0.1, alpha=0.9):
    state["v"] = alpha * state.get("v", 0) - rate * g
    return w + alpha * state["v"] - rate * g


def adam(w, g, state, t, *, rate=0.3, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
    g = g + decay * w
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
    m, v = state["m"] / (1 - beta1**t), state["v"] / (1 - beta2**t)
    return w - rate * m / (np.sqrt(v) + epsilon)


def amsgrad(w, g, state, t, *, rate=0.3, beta1=0.9, beta2=0.9):
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
    state["most"] = np.maximum(state.get("most", 0), state["v"])
    root = np.sqrt(state["most"] / (1 - beta2**t))
    return w - rate * state["m"] / (1 - beta1**t) / (root + 1e-8)


def nadam(w, g, state, t, *, rate=0.1, beta1=0.9, beta2=0.999, psi=0.004, decay=0.0):
    now, after = (beta1 * (1 - 0.96 ** (psi * each) / 2) for each in (t, t + 1))
    w = w - rate * decay * w
    state["product"] = now * state.get("product", 1)
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
    mean = after * state["m"] / (1 - state["product"] * after)
    mean = mean + (1 - now) * g / (1 - state["product"])
    return w - rate * mean / (np.sqrt(state["v"] / (1 - beta2**t)) + 1e-8)


def radam(w, g, state, t, *, rate=0.1, beta1=0.9, beta2=0.999, decay=0.0):
    w = w - rate * decay * w
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
    mean, most = state["m"] / (1 - beta1**t), 2 / (1 - beta2) - 1
    rho = most - 2 * t * beta2**t / (1 - beta2**t)
    if rho <= 5:
        return w - rate * mean
    r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return w - rate * r * mean * np.sqrt(1 - beta2**t) / (np.sqrt(state["v"]) + 1e-8)


def adamax(w, g, state, t, *, rate=0.3, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
    g = g + decay * w
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["u"] = np.maximum(beta2 * state.get("u", 0), np.abs(g) + epsilon)
    return w - rate / (1 - beta1**t) * state["m"] / state["u"]


def rprop(w, g, state, t, *, rate=0.1, shrink=0.5, grow=1.2, least=1e-6, most=50.0):
    product = g * state.get("g", 0)
    size = state.get("size", rate) * np.where(product > 0, grow, np.where(product < 0, shrink, 1))
    state["size"], state["g"] = np.clip(size, least, most), np.where(product < 0, 0, g)
    return w - state["size"] * np.sign(state["g"])


def lamb(w, g, state, t, *, rate=0.1, beta1=0.9, beta2=0.999, epsilon=1e-6, decay=0.01):
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
    change = state["m"] / (1 - beta1**t) / (np.sqrt(state["v"] / (1 - beta2**t)) + epsilon)
    change = change + decay * w
    return w - rate * np.sqrt((w**2).sum() / (change**2).sum()) * change


def adagrad(w, g, state, t, *, rate=0.9, epsilon=1e-10, decay=0.0, initial=0.0):
    g = g + decay * w
    state["h"] = state.get("h", initial) + g**2
    return w - rate * g / (np.sqrt(state["h"]) + epsilon)


def adamw(w, g, state, t, *, rate=0.3, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.01):
    return adam(
        (1 - rate * decay) * w, g, state, t, rate=rate, beta1=beta1, beta2=beta2, epsilon=epsilon
    )


def rmsprop(w, g, state, t, *, rate=0.3, rho=0.99, epsilon=1e-8, decay=0.0):
    g = g + decay * w
    state["h"] = rho * state.get("h", 0) + (1 - rho) * g**2
    return w - rate * g / (np.sqrt(state["h"]) + epsilon)


def rmsprop_centred(w, g, state, t, *, rate=0.1, rho=0.99, epsilon=1e-3, alpha=0.0):
    state["h"] = rho * state.get("h", 0) + (1 - rho) * g**2
    state["m"] = rho * state.get("m", 0) + (1 - rho) * g
    root = np.sqrt(state["h"] - state["m"] ** 2) + epsilon
    state["v"] = alpha * state.get("v", 0) + g / root
    return w - rate * state["v"]


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
    "momentum, outside": (
        lambda: gk.Momentum(0.1, rate_in_velocity=False, dampening=0.25),
        momentum_outside,
        {"tau": 0.25},
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
    "adam, amsgrad": (lambda: gk.Adam(0.3, beta2=0.9, amsgrad=True), amsgrad, {}),
    "nadam": (lambda: gk.NAdam(0.1), nadam, {}),
    "nadam, all": (
        lambda: gk.NAdam(0.1, momentum_decay=0.5, weight_decay=0.1, decoupled=True),
        nadam,
        {"psi": 0.5, "decay": 0.1},
    ),
    "radam": (lambda: gk.RAdam(0.1), radam, {}),
    "radam, all": (
        lambda: gk.RAdam(0.1, beta2=0.9, weight_decay=0.1, decoupled=True),
        radam,
        {"beta2": 0.9, "decay": 0.1},
    ),
    "adamax": (lambda: gk.Adamax(0.3), adamax, {}),
    "adamax, all": (
        lambda: gk.Adamax(0.3, beta1=0.7, beta2=0.9, epsilon=1e-3, weight_decay=0.1),
        adamax,
        {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3, "decay": 0.1},
    ),
    "lamb": (lambda: gk.Lamb(0.1), lamb, {}),
    "lamb, all": (
        lambda: gk.Lamb(0.1, beta1=0.7, beta2=0.9, epsilon=1e-3, weight_decay=0.0),
        lamb,
        {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3, "decay": 0.0},
    ),
    "rprop": (lambda: gk.Rprop(0.1), rprop, {}),
    "rprop, all": (
        lambda: gk.Rprop(0.1, shrink=0.4, grow=1.5, least=0.01, most=0.5),
        rprop,
        {"shrink": 0.4, "grow": 1.5, "least": 0.01, "most": 0.5},
    ),
    "rmsprop": (lambda: gk.RMSProp(0.3), rmsprop, {}),
    "rmsprop, centred": (
        lambda: gk.RMSProp(0.1, epsilon=1e-3, momentum=0.5, centered=True),
        rmsprop_centred,
        {"alpha": 0.5},
    ),
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
        lambda: gk.AdaGrad(0.9, epsilon=1e-3, weight_decay=0.1, initial=0.1),
        adagrad,
        {"epsilon": 1e-3, "decay": 0.1, "initial": 0.1},
    ),
}
"""Optimizers and the equations that they follow; a new one adds a row or two."""
