"""Sums of a million numbers in float32 are as exact as those that are added in blocks."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from recorded import names, same_as_eager

import gyaku as gk

COUNT = 10**6
# Sums of blocks are added without loss, and the random errors of the blocks cancel: the few
# roundings of the end are left. All in a row, the error would be 150 times as large.
BOUND = 4 * 2.0**-24


@cache
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
    x, dy = numbers(0.5).copy(), numbers(0.25)
    x[0] = 1000.0  # a large z, whose products show an error of their sum
    gamma = np.ones_like(x)
    _, mean, inverse = gk.ops.layer_norm(x[None], gamma, np.zeros_like(x), epsilon=1e-5)
    dx = gk.ops.layer_norm_backward(dy[None], x[None], gamma, mean, inverse)[0]
    g, z = dy.astype(np.float64), (x.astype(np.float64) - float(mean[0])) * float(inverse[0])
    expected = float(inverse[0]) * (g - g.mean() - z * (g * z).mean())
    assert np.abs(dx[0] - expected).max() < BOUND * np.abs(z).max()


@pytest.mark.parametrize("columns", [1, 9])
@pytest.mark.parametrize("offset", [0.0, 0.5, 3.0])
def test_long_column_sums(offset: float, columns: int) -> None:
    x = numbers(offset)
    exact, scale = x.sum(dtype=np.float64), np.abs(x).sum(dtype=np.float64)
    found = gk.ops.sum_rows(np.repeat(x[:, None], columns, axis=1))
    assert (np.abs(found - exact) < scale * 2.0**-24).all()


@pytest.mark.parametrize("rows", [257, 1031, 5003])
def test_long_column_sums_have_every_row(rows: int) -> None:
    x = numbers(0.5)[: 9 * rows].reshape(rows, 9)
    exact, scale = x.sum(axis=0, dtype=np.float64), np.abs(x).sum(axis=0, dtype=np.float64)
    assert (np.abs(gk.ops.sum_rows(x) - exact) < BOUND * scale).all()


@pytest.mark.parametrize("rows", [256, 257, 1000, 1031, 5003])
@pytest.mark.parametrize("width", [3, 9, 40, 100])
def test_column_sums_within_a_product_have_the_same_bits(rows: int, width: int) -> None:
    random = np.random.default_rng(2)
    a, b = (random.normal(size=(rows, n)).astype(np.float32) for n in (70, width))
    program = same_as_eager(lambda: [gk.ops.matmul(a, b, transpose_a=True), gk.ops.sum_rows(b)], b)
    assert any(name.startswith("matmul + sum_rows") for name in names(program))


@pytest.mark.parametrize("shape", [(1000, 1000), (COUNT, 1), (1, COUNT)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_mean_over_a_large_image(shape: tuple[int, int], channels: int) -> None:
    x = np.repeat(numbers(1.0).reshape(1, *shape, 1), channels, axis=3)
    mean = gk.ops.global_avg_pool2d(x)
    exact = x[..., 0].astype(np.float64).mean()
    assert np.abs(mean - exact).max() < BOUND * np.abs(x).mean()


LARGE = [("float64", 1e200), ("float64", 1e305), ("float32", 1e20), ("float32", 1e36)]


@pytest.mark.parametrize(("dtype", "size"), LARGE)
@pytest.mark.parametrize("native", [True, False])
def test_numbers_whose_squares_overflow_are_normalised(
    dtype: str, size: float, native: bool
) -> None:
    z = np.random.default_rng(3).normal(size=(50, 5))
    x = (size * (z + 0.5)).astype(dtype)
    x[:, 3] = z[:, 3]  # a column of its own
    ops, ones = gk.ops if native else gk.reference, np.ones(5, dtype)
    y, mean, inverse, variance = ops.batch_norm(x, ones, 0 * ones, epsilon=1e-12)
    expected = (z - z.mean(axis=0)) / z.std(axis=0)
    rtol = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(y, expected, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(mean[:3], size * (z[:, :3].mean(axis=0) + 0.5), rtol=rtol)
    np.testing.assert_allclose(inverse[:3], 1 / z[:, :3].std(axis=0) / size, rtol=rtol)
    assert np.isinf(variance[:3]).all()
    assert np.isfinite(variance[3])
    rows = np.ascontiguousarray(x[:, :3].T)
    y, _, inverse = ops.layer_norm(rows, np.ones(50, dtype), np.zeros(50, dtype), epsilon=1e-5)
    np.testing.assert_allclose(y, expected[:, :3].T, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_no_deviation(value: float) -> None:
    x = np.random.default_rng(4).normal(size=(50, 3))
    x[7, 1] = value
    y = gk.ops.batch_norm(x, np.ones(3), np.zeros(3))[0]
    assert np.isnan(y[:, 1]).sum() >= 1
    assert np.isfinite(y[:, [0, 2]]).all()


@pytest.mark.parametrize(
    ("dtype", "start", "end"), [("float32", -91.5, -60), ("float64", -714.5, -690)]
)
@pytest.mark.parametrize("name", ["silu", "mish"])
def test_tails_are_exact_as_long_as_they_are_normal_numbers(
    name: str, dtype: str, start: float, end: float
) -> None:
    x = np.linspace(start, end, 1001).astype(dtype)
    wide = x.astype(np.longdouble)
    # Both are x e^x there, to all digits.
    y, dx = wide * np.exp(wide), (1 + wide) * np.exp(wide)
    eps = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(getattr(gk.ops, name)(x), y, rtol=eps)
    np.testing.assert_allclose(
        getattr(gk.ops, name + "_backward")(np.ones_like(x), x), dx, rtol=eps
    )


@pytest.mark.parametrize("name", ["elu", "selu", "celu"])
def test_the_gradient_where_the_output_rounds_to_its_limit(name: str) -> None:
    x = np.linspace(-80, -10, 1001).astype(np.float32)
    factor = 1.7580993408473766 if name == "selu" else 1
    dx = getattr(gk.ops, name + "_backward")(np.ones_like(x), x)
    np.testing.assert_allclose(dx, factor * np.exp(x.astype(np.float64)), rtol=5e-7)
    y = getattr(gk.ops, name)(x)
    assert (y[x < -20] == y[0]).all()  # from which no gradient could be told


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
