"""The doctor is silent on healthy trainings of all kinds of networks, at each epoch and after."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk

RNG = np.random.default_rng(0)
(DIGITS, CLASSES), TEST = gk.data.digits()
DIGITS, CLASSES = DIGITS[:600], CLASSES[:600]
FLAT = DIGITS.reshape(600, -1) / DIGITS.max()
ENTROPY = "softmax_cross_entropy"
# Gates: two inputs, all four cases.
BITS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
# Sequences: the sign of the first step.
SERIES = RNG.normal(size=(400, 10, 2))
SIGNS = np.float32(SERIES[:, 0, :1] > 0)
# Texts: whether word 1 comes up, padded with 0.
LENGTHS = RNG.integers(3, 12, 400)
WORDS = RNG.integers(1, 20, (400, 12)) * (np.arange(12) < LENGTHS[:, None])
HAS_ONE = (WORDS == 1).any(axis=1).astype(np.int64)
# Regression: a curve with noise.
TIMES = RNG.uniform(-2, 2, (400, 1))
CURVE = np.sin(2 * TIMES) + 0.1 * RNG.normal(size=TIMES.shape)


def gates() -> Any:
    model = gk.Sequential(gk.Dense(4, "sigmoid"), gk.Dense(1, "sigmoid"))
    both = BITS.sum(axis=1) == 1
    options = {"epochs": 300, "batch_size": None, "optimizer": gk.Adam(0.1)}
    return model, BITS, np.float32(both[:, None]), "binary_cross_entropy", options


def autoencoder() -> Any:
    decoder = gk.Dense(64, "sigmoid")
    model = gk.Sequential(gk.Dense(16, "relu"), decoder)
    return model, FLAT, FLAT, "mean_squared_error", {"optimizer": gk.Adam(0.01)}


def regression() -> Any:
    model = gk.Sequential(gk.Dense(32, "tanh"), gk.Dense(32, "tanh"), gk.Dense(1))
    return model, TIMES, CURVE, "huber", {"epochs": 30, "optimizer": gk.Adam(0.01)}


def memory() -> Any:
    model = gk.Sequential(gk.LSTM(16), gk.Dense(1))
    return model, SERIES, SIGNS, "sigmoid_cross_entropy", {"optimizer": gk.Adam(0.01)}


def texts() -> Any:
    model = gk.Sequential(gk.Embedding(20, 8, mask_zero=True), gk.GRU(16), gk.Dense(2))
    return model, WORDS, HAS_ONE, ENTROPY, {"optimizer": gk.Adam(0.01)}


def residual() -> Any:
    blocks = [gk.Residual(gk.Dense(32), gk.BatchNorm(), gk.ReLU()) for _ in range(6)]
    model = gk.Sequential(gk.Dense(32), *blocks, gk.Dense(10))
    rate = gk.schedules.OneCycle(0.05)
    return model, FLAT, CLASSES, ENTROPY, {"optimizer": gk.Momentum(rate)}


def probabilities() -> Any:
    model = gk.Sequential(gk.Dense(50, "sigmoid"), gk.Dense(10), gk.Softmax())
    return model, FLAT, CLASSES, "cross_entropy", {"optimizer": gk.SGD(0.5), "epochs": 20}


HEALTHY: dict[str, Callable[[], Any]] = {
    "digits MLP": lambda: (gk.models.mlp([64]), DIGITS, CLASSES, ENTROPY, {}),
    "dropout": lambda: (gk.models.mlp([64, 64], dropout=0.3), DIGITS, CLASSES, ENTROPY, {}),
    "LeNet": lambda: (
        *(gk.models.lenet(padding="same"), DIGITS[:300], CLASSES[:300], ENTROPY),
        {"epochs": 4},
    ),
    "linear": lambda: (gk.models.linear(), DIGITS, CLASSES, ENTROPY, {"optimizer": "momentum"}),
    "gates": gates,
    "autoencoder": autoencoder,
    "regression": regression,
    "LSTM": memory,
    "texts": texts,
    "residual": residual,
    "probabilities": probabilities,
    "quasi-Newton": lambda: (
        *(gk.models.mlp([16], activation="tanh"), DIGITS, CLASSES, ENTROPY),
        {"optimizer": gk.LBFGS(), "batch_size": None, "epochs": 10},
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_the_doctor_is_silent_on_a_healthy_training(name: str) -> None:
    model, x, y, loss, options = HEALTHY[name]()
    options = {"epochs": 8, "verbose": 0, "callbacks": gk.Doctor(), **options}
    if len(x) > 4:
        options["validation_split"] = 0.2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(x, y, loss=loss, **options)
    assert history["loss"][-1] < history["loss"][0]
    diagnosis = gk.diagnose(model, x, y, history=history)
    assert diagnosis.ok, diagnosis
