"""Fusion and the memory plan change time and memory of a program, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import _core


def train(model: Any, x: Any, classes: int, **options: Any) -> tuple[bytes, list[str]]:
    """Take some steps; return the bits of the weights, and the lines of the program's table."""
    target = np.random.default_rng(2).integers(0, classes, len(x))
    options |= {"epochs": 2, "seed": 0, "verbose": False}
    model.fit(x, target, loss="softmax_cross_entropy", optimizer="momentum", **options)
    return model.flat_params.tobytes(), str(model.program()).splitlines()


def dense(activation: str, dtype: str) -> tuple[bytes, list[str]]:
    x = np.random.default_rng(1).random((330, 96)).astype(dtype)
    layers = [gk.Dense(64), getattr(gk, activation)(), gk.Dropout(0.3), gk.Dense(33), gk.Tanh()]
    model = gk.Sequential(*layers, gk.Dense(7))
    model.build((96,), dtype=dtype, seed=3)
    return train(model, x, 7, batch_size=100, metrics=["accuracy"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["ReLU", "Sigmoid", "GELU", "Softplus"])
def test_an_optimized_program_gives_the_same_bits(
    activation: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYAKU_OPTIMIZE", "0")
    plain_bits, plain_tasks = dense(activation, dtype)
    monkeypatch.setenv("GYAKU_OPTIMIZE", "")
    bits, tasks = dense(activation, dtype)
    assert bits == plain_bits
    assert len(tasks) < len(plain_tasks)  # something was fused, or the test would prove nothing


@pytest.mark.parametrize("activation", ["Sigmoid", "Tanh"])
def test_a_loss_of_padded_sequences_is_fused_without_a_change(
    activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    ids, y = rng.integers(1, 9, (37, 6)), rng.random((37, 6, 3))
    ids[np.arange(6) >= rng.integers(1, 7, 37)[:, np.newaxis]] = 0
    found = []
    for optimize, threads in (("0", 1), ("", 3)):
        monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
        _core.set_num_threads(threads)
        layers = [gk.Embedding(9, 4, mask_zero=True), gk.Dense(3), getattr(gk, activation)()]
        model = gk.Sequential(*layers, seed=3)
        history = model.fit(
            ids, y, loss="mean_squared_error", epochs=3, batch_size=8, verbose=False
        )
        fused = f"squared_error + {activation.lower()}_backward" in str(model.program())
        found.append((model.flat_params.tobytes(), history["loss"], fused))
    assert found[0][:2] == found[1][:2]
    assert (found[0][2], found[1][2]) == (False, True)


def images(pool: Any, activation: Any, dtype: str, *, skip: bool = False) -> tuple[bytes, bool]:
    """Train a small network; return its bits, and whether an activation's gradient comes last."""
    x = np.random.default_rng(1).standard_normal((61, 9, 8, 3)).astype(dtype)
    image = gk.Input((9, 8, 3))
    y = activation(gk.Conv2D(6, 3, padding=1)(image))
    rest = gk.Flatten()(gk.Conv2D(4, 2, activation="relu")(pool(y)))
    if skip:
        rest = gk.Concatenate()(rest, gk.GlobalAvgPool2D()(y))
    bits, tasks = train(
        gk.Model(image, gk.Dense(5)(rest), dtype=dtype, seed=3), x, 5, batch_size=13
    )
    place = next(i for i, task in enumerate(tasks) if "max_pool2d_backward" in task)
    return bits, any(f"{activation.op}_backward" in task for task in tasks[place + 1 :])


WINDOWS: dict[str, tuple[int, dict[str, Any]]] = {
    "apart": (2, {}),
    "overlapping": (3, {"stride": 2, "padding": 1}),
    "dilated": (2, {"stride": 1, "padding": 1, "dilation": 2}),
    "cut": (2, {"stride": 2, "ceil_mode": True}),
    "gaps": (2, {"stride": 3}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_the_gradient_of_relu_goes_through_a_pooling(
    window: tuple[int, dict[str, Any]], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, options = window
    found = []
    for optimize, threads in (("0", 1), ("", 2)):
        monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
        _core.set_num_threads(threads)
        found.append(images(gk.MaxPool2D(size, **options), gk.ReLU(), dtype))
    (plain_bits, plain_masked), (bits, masked) = found
    assert bits == plain_bits
    assert (plain_masked, masked) == (True, False)


@pytest.mark.parametrize(
    ("activation", "skip"), [("ReLU", True), ("LeakyReLU", False), ("GELU", False)]
)
def test_other_gradients_stay_behind_the_pooling(
    activation: str, skip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for optimize in ("0", ""):
        monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
        layer = getattr(gk, activation)()
        found.append(images(gk.MaxPool2D(2), layer, "float32", skip=skip))
    (plain_bits, _), (bits, masked) = found
    assert (bits, masked) == (plain_bits, True)
