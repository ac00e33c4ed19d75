"""Optimizers of PyTorch's samples as those of gyaku, in ten steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch_optimizers import START, gradient
from torch_sample_losses import Refused

import gyaku as gk

OPTIMIZERS: dict[str, tuple[str, dict[str, str]]] = {
    "Adadelta": ("AdaDelta", {"rho": "rho"}),
    "Adagrad": ("AdaGrad", {"initial_accumulator_value": "initial"}),
    "Adam": ("Adam", {"amsgrad": "amsgrad"}),
    "AdamW": ("AdamW", {"amsgrad": "amsgrad"}),
    "Adamax": ("Adamax", {}),
    "NAdam": ("NAdam", {"momentum_decay": "momentum_decay", "decoupled_weight_decay": "decoupled"}),
    "RAdam": ("RAdam", {"decoupled_weight_decay": "decoupled"}),
    "RMSprop": ("RMSProp", {"alpha": "rho", "momentum": "momentum", "centered": "centered"}),
    "Rprop": ("Rprop", {}),
    "SGD": ("SGD", {}),
}
COMMON = {"lr": "learning_rate", "eps": "epsilon", "weight_decay": "weight_decay"}
PAIRS = {
    "betas": ("beta1", "beta2"),
    "etas": ("shrink", "grow"),
    "step_sizes": ("least", "most"),
}
HOW = ("capturable", "foreach", "fused", "differentiable")  # it computes the same


def inverse(rate: float, decay: float, power: float = 1.0) -> Any:
    """Return a rate that falls with the number of steps."""
    return lambda steps: rate / (1 + decay * steps) ** power


def averaged(given: dict[str, Any]) -> Any:
    """Return descent with the rates and the decay of averaged descent."""
    rate, decay = float(given.get("lr", 0.01)), given.get("lambd", 1e-4)
    rates = inverse(rate, decay * rate, given.get("alpha", 0.75))
    return gk.SGD(rates, weight_decay=decay + given.get("weight_decay", 0))


def optimizer_of(name: str, given: dict[str, Any]) -> Any:
    """Return the optimizer of the same arguments; raise if there is none."""
    given = {key: each for key, each in given.items() if key not in HOW}
    if name == "ASGD":  # which averages beside the steps
        return averaged(given)
    if name not in OPTIMIZERS:
        raise Refused(f"{name} has no counterpart")
    kind, named = OPTIMIZERS[name]
    if name == "SGD":
        momentum, nesterov = given.pop("momentum", 0), given.pop("nesterov", False)
        kind = "Nesterov" if nesterov else "Momentum" if momentum else "SGD"
        named = {"dampening": "dampening"} if kind == "Momentum" else {}
        more = {"momentum": momentum, "rate_in_velocity": False} if momentum else {}
        given.pop("dampening", None) if not momentum or nesterov else None
    else:
        more = {}
    for key, each in given.items():
        value = each.item() if isinstance(each, torch.Tensor) else each
        if key in PAIRS:
            more |= dict(zip(PAIRS[key], map(float, each), strict=True))
        elif key in COMMON or key in named:
            more[{**COMMON, **named}[key]] = value
        elif key == "lr_decay":
            rate = float(given.get("lr", DEFAULT_RATES[name]))
            more["learning_rate"] = inverse(rate, value)
        elif value:
            raise Refused(f"{name} has {key}={value}")
    return getattr(gk, kind)(**{"learning_rate": DEFAULT_RATES.get(name, 1e-3)} | more)


DEFAULT_RATES = {"Adadelta": 1.0, "Adagrad": 0.01, "Adamax": 2e-3, "NAdam": 2e-3}
DEFAULT_RATES |= {"RMSprop": 0.01, "Rprop": 0.01}


def check_optimizer(name: str, given: dict[str, Any]) -> None:
    """Raise if an optimizer is refused, or takes other steps."""
    # To maximise is to follow the negative gradient.
    sign = -1 if given.get("maximize") else 1
    try:
        optimizer = optimizer_of(
            name, {key: each for key, each in given.items() if key != "maximize"}
        )
    except (TypeError, ValueError) as error:
        raise Refused(f"{name}: {error}") from None
    w = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    theirs = getattr(torch.optim, name)([w], **given)
    model = SimpleNamespace(flat_params=np.array(START), flat_grads=np.empty(len(START)))
    for _ in range(10):
        w.grad = torch.from_numpy(gradient(w.detach().numpy()))
        theirs.step()
        model.flat_grads[:] = sign * gradient(model.flat_params)
        optimizer.step(model)
    np.testing.assert_allclose(model.flat_params, w.detach().numpy(), rtol=1e-9, atol=1e-9)
