"""Sums of a million numbers in float32 are as exact as those that are added in blocks."""

from __future__ import annotations

import numpy as np
import pytest

import gyaku as gk

COUNT = 10**6
# Blocks of 256 vectors, and the blocks themselves, are added one by one: with vectors of 4, up to
# 256 + 977 additions, whose errors are random; all in a row would be 250,000 additions.
BOUND = np.sqrt(256 + 977) * 2.0**-24


def numbers(offset: float) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=COUNT) + offset).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 0.5, 3.0])
def test_a_long_layer_norm(offset: float) -> None:
    x = numbers(offset)
    y, mean, inverse = gk.ops.layer_norm(x[None], np.ones_like(x), np.zeros_like(x), epsilon=1e-5)
    exact = x.astype(np.float64)
    scale = np.abs(exact).mean()
    assert abs(float(mean[0]) - exact.mean()) < BOUND * scale
    assert abs(float(inverse[0]) * np.sqrt(exact.var() + 1e-5) - 1) < BOUND
    expected = (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5)
    assert np.sqrt(np.mean((y[0] - expected) ** 2)) < BOUND * max(1, scale)


def test_the_gradient_of_a_long_layer_norm() -> None:
    x, dy = numbers(0.5), numbers(0.25)
    x[0] = 1000.0  # a large z, whose products show an error of their sum
    gamma = np.ones_like(x)
    _, mean, inverse = gk.ops.layer_norm(x[None], gamma, np.zeros_like(x), epsilon=1e-5)
    dx = gk.ops.layer_norm_backward(dy[None], x[None], gamma, mean, inverse)[0]
    g, z = dy.astype(np.float64), (x.astype(np.float64) - float(mean[0])) * float(inverse[0])
    expected = float(inverse[0]) * (g - g.mean() - z * (g * z).mean())
    assert np.abs(dx[0] - expected).max() < BOUND * np.abs(z).max()


@pytest.mark.parametrize("shape", [(1000, 1000), (COUNT, 1), (1, COUNT)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_mean_over_a_large_image(shape: tuple[int, int], channels: int) -> None:
    x = np.repeat(numbers(1.0).reshape(1, *shape, 1), channels, axis=3)
    mean = gk.ops.global_avg_pool2d(x)
    # One pixel after another: blocks of 256 and 3,907 of them.
    bound = np.sqrt(256 + 3907) * 2.0**-24
    exact = x[..., 0].astype(np.float64).mean()
    assert np.abs(mean - exact).max() < bound * np.abs(x).mean()


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw", "adagrad", "rmsprop"])
def test_no_weight_decay_leaves_infinities(optimizer: str) -> None:
    model = gk.Sequential(gk.Dense(1, use_bias=False))
    model.build((4,))
    made = getattr(gk, {"sgd": "SGD", "momentum": "Momentum", "adam": "Adam", "adamw": "AdamW",
                        "adagrad": "AdaGrad", "rmsprop": "RMSProp"}[optimizer])  # fmt: skip
    steps = made(0.1, weight_decay=0.0)
    model.params["dense.weight"] = np.array([[np.inf], [-np.inf], [1.0], [0.0]])
    model.grads["dense.weight"] = np.ones((4, 1))
    steps.begin(model.trained, 1)
    steps.prepare(1)
    steps.step(model.trained)
    found = model.params["dense.weight"].ravel()
    assert found[:2].tolist() == [np.inf, -np.inf]
    assert np.isfinite(found[2:]).all()
