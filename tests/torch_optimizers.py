"""Record 100 steps of PyTorch's optimizers on a small problem, as JSON on the standard output.

The file beside this one, torch_optimizers.json, was made by PyTorch 2.13.0, in float64::

    python tests/torch_optimizers.py > tests/torch_optimizers.json
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 100
START = [0.5, -1.5, 2.0, -0.25, 1.25]

OPTIMIZERS: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.01}, "SGD", {"learning_rate": 0.01}),
    "momentum": (
        "SGD",
        {"lr": 0.01, "momentum": 0.9},
        "Momentum",
        {"learning_rate": 0.01, "momentum": 0.9},
    ),
    "nesterov": (
        "SGD",
        {"lr": 0.01, "momentum": 0.9, "nesterov": True},
        "Nesterov",
        {"learning_rate": 0.01, "momentum": 0.9},
    ),
    "adagrad": ("Adagrad", {"lr": 0.1}, "AdaGrad", {"learning_rate": 0.1}),
    "rmsprop": ("RMSprop", {"lr": 0.01}, "RMSProp", {"learning_rate": 0.01}),
    "rmsprop, all": (
        "RMSprop",
        {"lr": 0.01, "alpha": 0.9, "eps": 0.1, "weight_decay": 0.1},
        "RMSProp",
        {"learning_rate": 0.01, "rho": 0.9, "epsilon": 0.1, "weight_decay": 0.1},
    ),
    "adadelta": ("Adadelta", {}, "AdaDelta", {}),
    "adadelta, all": (
        "Adadelta",
        {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1},
        "AdaDelta",
        {"learning_rate": 0.5, "rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.1},
    ),
    "adam": ("Adam", {"lr": 0.05}, "Adam", {"learning_rate": 0.05}),
    "adamw": ("AdamW", {"lr": 0.05}, "AdamW", {"learning_rate": 0.05}),
    "adamw, all": (
        "AdamW",
        {"lr": 0.05, "weight_decay": 0.3},
        "AdamW",
        {"learning_rate": 0.05, "weight_decay": 0.3},
    ),
    "momentum, rate outside": (
        "SGD",
        {"lr": 0.01, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        "Momentum",
        {
            "learning_rate": 0.01,
            "momentum": 0.9,
            "dampening": 0.3,
            "rate_in_velocity": False,
            "weight_decay": 0.1,
        },
    ),
    "nesterov, rate outside": (
        "SGD",
        {"lr": 0.01, "momentum": 0.9, "nesterov": True},
        "Nesterov",
        {"learning_rate": 0.01, "rate_in_velocity": False},
    ),
    "adagrad, all": (
        "Adagrad",
        {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3, "weight_decay": 0.1},
        "AdaGrad",
        {"learning_rate": 0.1, "initial": 0.5, "epsilon": 1e-3, "weight_decay": 0.1},
    ),
    "rmsprop, momentum": (
        "RMSprop",
        {"lr": 0.01, "momentum": 0.5, "eps": 0.1},
        "RMSProp",
        {"learning_rate": 0.01, "momentum": 0.5, "epsilon": 0.1},
    ),
    "rmsprop, centred": (
        "RMSprop",
        {"lr": 0.01, "centered": True, "eps": 0.1, "weight_decay": 0.1},
        "RMSProp",
        {"learning_rate": 0.01, "centered": True, "epsilon": 0.1, "weight_decay": 0.1},
    ),
    "adam, amsgrad": (
        "Adam",
        {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1},
        "Adam",
        {"learning_rate": 0.05, "amsgrad": True, "weight_decay": 0.1},
    ),
    "adamw, amsgrad": (
        "AdamW",
        {"lr": 0.05, "amsgrad": True},
        "AdamW",
        {"learning_rate": 0.05, "amsgrad": True},
    ),
    "nadam": ("NAdam", {"lr": 0.05}, "NAdam", {"learning_rate": 0.05}),
    "nadam, all": (
        "NAdam",
        {"lr": 0.05, "momentum_decay": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
        "NAdam",
        {"learning_rate": 0.05, "momentum_decay": 0.1, "weight_decay": 0.1, "decoupled": True},
    ),
    "radam": ("RAdam", {"lr": 0.05}, "RAdam", {"learning_rate": 0.05}),
    "radam, all": (
        "RAdam",
        {"lr": 0.05, "eps": 1e-3, "weight_decay": 0.1, "decoupled_weight_decay": True},
        "RAdam",
        {"learning_rate": 0.05, "epsilon": 1e-3, "weight_decay": 0.1, "decoupled": True},
    ),
    "adamax": ("Adamax", {"lr": 0.05}, "Adamax", {"learning_rate": 0.05}),
    "adamax, all": (
        "Adamax",
        {"lr": 0.02, "betas": [0.8, 0.99], "eps": 1e-3, "weight_decay": 0.1},
        "Adamax",
        {
            "learning_rate": 0.02,
            "beta1": 0.8,
            "beta2": 0.99,
            "epsilon": 1e-3,
            "weight_decay": 0.1,
        },
    ),
    "rprop": ("Rprop", {"lr": 0.01}, "Rprop", {"learning_rate": 0.01}),
    "rprop, all": (
        "Rprop",
        {"lr": 0.01, "etas": [0.4, 1.3], "step_sizes": [1e-3, 0.1]},
        "Rprop",
        {"learning_rate": 0.01, "shrink": 0.4, "grow": 1.3, "least": 1e-3, "most": 0.1},
    ),
}
"""PyTorch's class and keywords, gyaku's class and keywords. None swings about the minimum, where
rounding errors
would grow to the size of a step."""


def gradient(w: NDArray[Any]) -> NDArray[Any]:
    """The gradient of sum (w - 1)² / 2 + sum (w'' - w² / 2)² / 4, where w'' is the next element."""
    rest = np.roll(w, -1) - w * w / 2
    return ((w - 1) - rest * w / 2 + np.roll(rest, 1) / 2).astype(w.dtype)


def torch_steps() -> dict[str, list[float]]:
    """The parameters after the last step, by optimizer."""
    import torch

    torch.set_default_dtype(torch.float64)  # NAdam's product of its momenta has this dtype
    found = {}
    for name, (cls, keywords, _, _) in OPTIMIZERS.items():
        w = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
        optimizer = getattr(torch.optim, cls)([w], **keywords)
        for _ in range(STEPS):
            w.grad = torch.from_numpy(gradient(w.detach().numpy()))
            optimizer.step()
        found[name] = w.detach().tolist()
    return found


if __name__ == "__main__":
    print(json.dumps(torch_steps(), indent=1))
