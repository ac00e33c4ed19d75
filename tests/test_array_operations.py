"""Operations on arrays: each gradient against differences in float64, and as a layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.reference.arrays import ARRAY_OPERATIONS

OPTIONS: dict[str, dict[str, Any]] = {
    "clip": {"least": -0.5, "most": None},
    "elu": {"alpha": 1.5, "gamma": 0.7},
    "expand": {"shape": [4, 3, 2]},
    "hard_sigmoid": {"alpha": 0.3, "beta": 0.4},
    "mix": {"axis": 1},
    "pad": {"widths": [[1, 0], [0, 2]], "fill": 3.0},
    "shrink": {"bias": 0.2, "limit": 0.3},
    "swish": {"alpha": 0.7},
    "take": {"indices": [2, 0, 2, -1], "axis": 1},
    "threshold": {"limit": 0.4},
    "transpose": {"axes": [0, 2, 1]},
}
REDUCTIONS = {"l1", "l2", "log_sum", "log_sum_exp", "max", "mean", "min", "prod", "sum"}
REDUCTIONS |= {"sum_square"}
POSITIVE = {"acosh", "log", "log_sum", "power", "sqrt"}
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "expand": [(2, 4, 1, 2)],
    "matmul": [(2, 3, 4, 5), (2, 1, 5, 2)],
    "mix": [(2, 3, 4), (3, 5)],
    "where": [(2, 3, 1), (2, 3, 4), (2, 1, 4)],
}
for each in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "slope"):
    SHAPES[each] = [(2, 3, 4), (2, 1, 4)]
for each in ("modulo", "remainder", "equal", "greater", "greater_equal", "less", "less_equal"):
    SHAPES[each] = [(2, 3, 4), (2, 3, 1)]
for each in ("logical_and", "logical_or", "logical_xor"):
    SHAPES[each] = [(2, 3), (2, 3)]
# Arguments that select, and have no gradient of their own.
SELECTORS = {"mix": {1}, "where": {0}}


def arguments(name: str) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    found = [rng.uniform(-0.9, 0.9, shape) for shape in SHAPES.get(name, [(2, 3, 4)])]
    if name in POSITIVE:
        found = [1.2 + each for each in found]
    if name == "acosh":
        found = [1 + each for each in found]
    if name == "where":
        found[0] = np.sign(found[0]).clip(0)
    return found


def options(name: str) -> dict[str, Any]:
    if name in REDUCTIONS:
        return {"axes": [1], "keepdims": False}
    return OPTIONS.get(name, {})


def call(name: str) -> Callable[..., np.ndarray]:
    return lambda *x: ARRAY_OPERATIONS[name].forward(*x, **options(name))


@pytest.mark.parametrize("name", ARRAY_OPERATIONS)
def test_a_gradient_is_the_limit_of_differences(name: str) -> None:
    x, f = arguments(name), call(name)
    y = f(*x)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    gradients = ARRAY_OPERATIONS[name].backward(dy, y, *x, **options(name))
    for place, (gradient, array) in enumerate(zip(gradients, x, strict=True)):
        assert gradient.shape == array.shape
        if place in SELECTORS.get(name, ()):
            continue
        for index in np.ndindex(array.shape):
            ends = []
            for sign in (1, -1):
                moved = [each.copy() for each in x]
                moved[place][index] += sign * 1e-6
                ends.append(f(*moved))
            slope = ((ends[0] - ends[1]) * dy).sum() / 2e-6
            np.testing.assert_allclose(gradient[index], slope, rtol=1e-6, atol=1e-7)


def test_products_beside_zeros_have_the_product_of_the_others_as_gradient() -> None:
    x = np.array([[2.0, 0.0, 3.0]])
    y = ARRAY_OPERATIONS["prod"].forward(x, axes=[1], keepdims=False)
    (dx,) = ARRAY_OPERATIONS["prod"].backward(np.ones(1), y, x, axes=[1], keepdims=False)
    np.testing.assert_array_equal(dx, [[0, 6, 0]])


def test_a_layer_keeps_its_constants_in_files(tmp_path: Path) -> None:
    operation = gk.layers.ArrayOperation("subtract", constants=[[1, 3], None])
    model = gk.Sequential(operation, gk.Dense(2))
    model.build((3,))
    operation.buffers["constant_0"] = [[1.0, 2.0, 3.0]]
    model.save(tmp_path / "a.safetensors")
    again = gk.load(tmp_path / "a.safetensors")
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.layers[0].forward(x), np.float32([1, 2, 3]) - x)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    before = model.evaluate(x, x[:, :2], loss="mse")["loss"]
    model.fit(x, x[:, :2], loss="mse", epochs=5, verbose=0, seed=0)
    assert model.evaluate(x, x[:, :2], loss="mse")["loss"] < before
    np.testing.assert_array_equal(operation.buffers["constant_0"], [[1, 2, 3]])


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"^unknown operation 'exq', did you mean 'exp'\?"):
        gk.layers.ArrayOperation("exq")
    layer = gk.layers.ArrayOperation("take", {"indices": [5], "axis": 1})
    with pytest.raises(ValueError, match=r"take cannot take \(3,\): index 5 is out of bounds"):
        gk.Sequential(layer).build((3,))
    with pytest.raises(ValueError, match="sum changes the axis of the samples"):
        gk.Sequential(gk.layers.ArrayOperation("sum", {"axes": [0], "keepdims": False})).build((3,))


def test_operations_on_features_take_any_number_of_steps() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    given = gk.Input((1, 3))
    mean = gk.layers.ArrayOperation("mean", {"axes": [2], "keepdims": True})(given)
    model = gk.Model(given, gk.layers.ArrayOperation("subtract")(given, mean))
    model.build()
    expected = x - x.mean(2, keepdims=True)
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-6, atol=1e-6)
    over_steps = gk.layers.ArrayOperation("mean", {"axes": [1], "keepdims": True})(given)
    bound = gk.Model(given, gk.layers.ArrayOperation("subtract")(given, over_steps))
    bound.build()
    with pytest.raises(ValueError, match="shape"):
        bound.predict(x)
