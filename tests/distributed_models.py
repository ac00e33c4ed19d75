"""Data, models and the form of answers of the trainings in `distributed_worker`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import gyaku as gk
from gyaku.distributed import MPI

GLOBAL = 24  # samples in a batch of all processes together
Answer = dict[str, Any]
TRAININGS: dict[str, Callable[[Path], Answer]] = {}


def training(function: Callable[[Path], Answer]) -> Callable[[Path], Answer]:
    TRAININGS[function.__name__] = function
    return function


def images(count: int = 100) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    x = generator.integers(0, 256, (count, 12, 12, 1), np.uint8)
    return x, generator.integers(0, 4, count)


def rows(count: int = 100) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    x = generator.normal(size=(count, 6)).astype(np.float32)
    return x, (x @ np.arange(6, dtype=np.float32))[:, np.newaxis] / 6


def network(*layers: gk.Layer) -> gk.Sequential:
    return gk.Sequential(*layers, dtype="float64")


def mlp() -> gk.Sequential:
    return network(gk.Dense(16, activation="tanh"), gk.Dense(8, activation="relu"), gk.Dense(1))


def fitted(model: gk.Sequential, *data: Any, ranks: MPI | None, **named: Any) -> Answer:
    named = {"batch_size": GLOBAL // ranks.size if ranks else GLOBAL, "verbose": 0} | named
    history = model.fit(*data, distributed=ranks, **named)
    bits = model.flat_params.tobytes() + model.flat_buffers.tobytes()
    return {
        "hash": hashlib.sha256(bits).hexdigest(),
        "params": model.flat_params.astype(float).tolist()[:2000],
        "columns": {name: [*history[name]] for name in history},
        "stopped": history.stopped,
        "clock": int(model.clock[0]),
    }


def large(**named: Any) -> Answer:
    """A training of parameters that the processes of a machine have in common."""
    first = gk.Dense(8, activation="tanh", name="first")
    model = network(first, gk.Dense(256, activation="relu"), gk.Dense(256, activation="tanh"))
    model = network(*model.layers, gk.Dense(1))
    ranks = named.pop("ranks", None) or MPI()
    given = {"loss": "mse", "epochs": 2, "metrics": "mae", "validation_split": 0.2} | named
    answer = fitted(model, *rows(), ranks=ranks, **given)
    every = 97
    facts = answer["hash"], model.flat_grads[::every].tolist()
    alike = all(each == facts for each in ranks.gather(facts))
    names = [task["name"] for task in model.captured["tasks"]]
    before = float(model.flat_params[0])
    if not ranks.is_first:
        model.flat_params[:] = 7.0  # which are its own again
    ranks.gather(None)
    assert model.flat_params[0] == (before if ranks.is_first else 7.0)
    params = model.flat_params[::every].tolist()
    return answer | {"params": params, "alike": alike, "tasks": names}
