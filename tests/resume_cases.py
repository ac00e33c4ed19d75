"""A small training, and its end at any step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import gyaku as gk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 4)).astype(np.float32)
Y = np.arange(22) % 3


class Killed(Exception):
    """Stands for a kill: nothing behind it runs but what must not matter."""


class Kill(gk.Callback):
    """Write a checkpoint after some steps, then end at once."""

    def __init__(self, path: Path, after: int):
        self.path, self.after = path, after
        self.every_steps = after

    def on_steps_end(self, step):
        if step == self.after:
            self.training.save(self.path)
            raise Killed


def network(**options: Any) -> gk.Sequential:
    return gk.Sequential(
        *(gk.Dense(7, "tanh"), gk.BatchNorm(), gk.Dropout(0.3), gk.Dense(3)), **options
    )


def train(model: Any = None, callbacks: Any = (), **options: Any) -> tuple[gk.Sequential, Any]:
    model = model or network()
    options = {"epochs": 4, "batch_size": 5, "verbose": 0, **options}
    options = {"loss": "softmax_cross_entropy", **options}
    return model, model.fit(X, Y, callbacks=callbacks, **options)


def bits(model: Any, history: Any) -> Any:
    state = {name: each.tobytes() for name, each in model.optimizer.state.items()}
    return (
        *(model.flat_params.tobytes(), model.flat_buffers.tobytes(), state),
        *(repr(dict(history)), history.stopped, model.epochs_begun, model.last_seed),
        *(model.clock.tobytes(), model.optimizer.clock.tobytes()),
    )
