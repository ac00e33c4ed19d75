"""Numerical gradients, and the causes that the check of back-propagation names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku.gradients import GradientCheck

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 4))
LABELS = np.array([0, 1, 2, 1, 0])
ENTROPY = "softmax_cross_entropy"


def test_a_numerical_gradient_is_the_gradient() -> None:
    a = RNG.normal(size=(3, 2))
    found = gk.numerical_gradient(lambda x: np.sin(x * a).sum(), X[:3, :2])
    np.testing.assert_allclose(found, a * np.cos(X[:3, :2] * a), atol=1e-9)
    assert gk.numerical_gradient(lambda x: x**2, 3) == pytest.approx(6, abs=1e-8)
    assert gk.numerical_gradient(lambda x: 0.0, np.zeros((0, 3))).shape == (0, 3)


def test_the_point_is_changed_in_place_and_restored() -> None:
    layer = gk.Sequential(gk.Dense(3), dtype="float64")
    layer.build((4,))
    weight = layer.params["dense.weight"]
    kept = weight.copy()
    found = gk.numerical_gradient(lambda _: (layer.forward(X) ** 2).sum() / 2, weight.T)
    np.testing.assert_allclose(found, (X.T @ layer.forward(X)).T, atol=1e-8)
    np.testing.assert_array_equal(weight, kept)

    def fails(x: NDArray[Any]) -> float:
        if x is weight and not (x == kept).all():
            raise KeyError
        return 0.0

    with pytest.raises(KeyError):
        gk.numerical_gradient(fails, weight)
    np.testing.assert_array_equal(weight, kept)
    kept.flags.writeable = False
    gk.numerical_gradient(lambda x: x.sum(), kept)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3, np.float32), "numerical_gradient: x must be float64, since differences in"),
        (["one"], "numerical_gradient: x must hold real numbers, got an array of <U3"),
    ],
)
def test_a_point_that_is_not_float64_is_refused(x: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        gk.numerical_gradient(lambda x: x.sum(), x)


@pytest.mark.parametrize(
    ("value", "given"), [(np.ones(2), r"shape \(2,\)"), (None, "None"), ("a", "'a'"), (1j, "1j")]
)
def test_a_function_whose_value_is_no_number_is_refused(value: Any, given: str) -> None:
    message = f"^numerical_gradient: f must return one real number, got {given}$"
    with pytest.raises(TypeError, match=message):
        gk.numerical_gradient(lambda x: value, np.ones(2))


class Affine(gk.Layer):
    """``y = x W + b``; `spoil` changes the gradients that `backward` found."""

    def __init__(self, spoil: Any = None) -> None:
        super().__init__()
        self.spoil = spoil or (lambda dx, dw, db: (dx, dw, db))

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        self.add_param("weight", (input_shape[0], input_shape[0]), "normal")
        self.add_param("bias", input_shape, "normal")
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        self.x = x
        return x @ self.params["weight"] + self.params["bias"]

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        found = dy @ self.params["weight"].T, self.x.T @ dy, dy.sum(axis=0)
        dx, self.grads["weight"], self.grads["bias"] = self.spoil(*found)
        return dx


class Rectifier(gk.Layer):
    def __init__(self, masked: bool = True) -> None:
        super().__init__()
        self.masked = masked

    def forward(self, x: NDArray[Any]) -> NDArray[Any]:
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        return dy * (self.x > 0) if self.masked else dy


def spoiled(dw: NDArray[Any]) -> NDArray[Any]:
    dw = dw.copy()
    dw[2, 1] += 10
    return dw


SPOILT = {
    "weight: a transposed product": lambda dx, dw, db: (dx, dw.T, db),
    "weight: a missing 1/N, with N = 5 samples": lambda dx, dw, db: (dx, 5 * dw, db),
    "bias: 1/N once too often, with N = 5 samples": lambda dx, dw, db: (dx, dw, db / 5),
    "bias: a missing factor 2": lambda dx, dw, db: (dx, dw, db / 2),
    "x: a factor 2 too much": lambda dx, dw, db: (2 * dx, dw, db),
    "x: the sign is wrong": lambda dx, dw, db: (-dx, dw, db),
    "weight: a missing factor -0.3333": lambda dx, dw, db: (dx, -3 * dw, db),
    "bias: backward does not write it": lambda dx, dw, db: (dx, dw, 0 * db),
    "weight: a mask too many": lambda dx, dw, db: (dx, np.triu(dw), db),
    "weight: unknown": lambda dx, dw, db: (dx, spoiled(dw), db),
    "bias: values that are not finite": lambda dx, dw, db: (dx, dw, db * np.nan),
}


def causes(check: GradientCheck) -> list[str]:
    return [f"{row.name.rpartition('.')[2]}: {row.cause}" for row in check.rows if row.cause]


@pytest.mark.parametrize("expected", SPOILT)
def test_the_likely_cause_is_named(expected: str) -> None:
    assert causes(gk.check_gradients(Affine(SPOILT[expected]), X)) == [expected]


def test_an_error_without_a_usual_cause_points_at_the_derivative() -> None:
    check = gk.check_gradients(Affine(SPOILT["weight: unknown"]), X)
    assert "no factor, sign, mask or transposed product, so check the derivative" in check.advice


def test_a_product_with_the_weights_instead_of_their_transpose_is_named() -> None:
    class Swapped(Affine):
        def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
            super().backward(dy)
            return dy @ self.params["weight"]

    assert causes(gk.check_gradients(Swapped(), X)) == ["x: a transposed product"]


def test_the_worst_index_and_both_values_are_named() -> None:
    (row,) = [r for r in gk.check_gradients(Affine(SPOILT["weight: unknown"]), X).rows if r.cause]
    assert row.worst == (2, 1)
    assert row.backward - row.numerical == pytest.approx(10)
    assert row.error == pytest.approx(10 / max(abs(row.backward), abs(row.numerical)))


def test_the_layer_that_is_wrong_is_named_among_others() -> None:
    layers = gk.Dense(4, "tanh"), Rectifier(masked=False), gk.Dense(3)
    model = gk.Sequential(*layers, dtype="float64")
    check = gk.check_gradients(model, X, LABELS, ENTROPY)
    assert not check.ok
    wanted = "look at backward of Rectifier 'rectifier', gradient of x: a mask is missing"
    assert check.advice == wanted
    assert [row.cause for row in check.rows if row.name.startswith("dense_2")] == ["", ""]
    assert repr(check).endswith(wanted)
    assert wanted.replace("'", "&#x27;") in check._repr_html_()


def test_a_loss_that_is_wrong_is_told_from_the_layers() -> None:
    def loss(y: NDArray[Any], t: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        return float(((y - t) ** 2).sum() / len(y)), 2 * (y - t)

    model = gk.Sequential(gk.Dense(4, "tanh"), gk.Dense(3), dtype="float64")
    check = gk.check_gradients(model, X, X[:, :3], loss)
    assert {row.cause for row in check.rows} == {"a missing 1/N, with N = 5 samples"}
    assert "each layer is right by itself: look at the gradient that the loss" in check.advice


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_dropout_and_batch_normalisation_are_checked_and_the_model_stays(backend: Any) -> None:
    with gk.use_backend(backend):
        layers = gk.Dense(6), gk.BatchNorm(), gk.ReLU(), gk.Dropout(0.4), gk.Dense(3)
        model = gk.Sequential(*layers, dtype="float64")
        model.build((4,))
        arrays = model.flat_params, model.flat_grads, model.flat_buffers, model.clock
        before = [array.tobytes() for array in arrays]
        check = gk.check_gradients(model, X.astype(np.float32), LABELS, ENTROPY)
        assert check.ok, check
        assert [array.tobytes() for array in arrays] == before
        assert len(check.rows) == 7
        assert all(seconds > 0 for seconds in check.seconds)
        assert repr(check).endswith("all agree within 1e-05")


def test_a_kink_is_no_error() -> None:
    x = np.array([[0.0, -0.0, 1.0, 1e-7], [-1e-7, 0.0, 2.0, -1.0]])
    assert gk.check_gradients(gk.ReLU(), x).ok
    assert gk.check_gradients(gk.MaxPool2D(2), np.zeros((1, 4, 4, 1))).ok
    assert not gk.check_gradients(Rectifier(masked=False), x).ok


def test_a_layer_of_a_model_is_checked_as_a_copy() -> None:
    layer = Affine()
    model = gk.Sequential(layer, gk.Dense(2))
    model.build((4,))
    before = model.flat_params.tobytes()
    check = gk.check_gradients(layer, X)
    assert check.ok
    assert layer.dtype == np.float32
    assert model.flat_params.tobytes() == before
    model.forward(X)
    bias = next(row for row in check.rows if row.name.endswith("bias"))
    assert bias.shape == (4,)
    unnamed = Affine()
    gk.check_gradients(unnamed, X)
    assert unnamed.name == ""


def test_several_inputs_and_outputs_and_frozen_layers() -> None:
    a, b = gk.Input((4,), name="a"), gk.Input((4,), name="b")
    frozen = gk.Dense(3, "tanh", name="frozen")
    frozen.trainable = False
    both = gk.Add()(frozen(a), gk.Dense(3, name="free")(b))
    model = gk.Model([a, b], [both, gk.Dense(1, name="last")(both)], dtype="float64")
    losses = [ENTROPY, "mean_squared_error"]
    check = gk.check_gradients(model, (X, X[::-1]), (LABELS, X[:, :1]), losses)
    assert check.ok, check
    names = {"free.weight", "free.bias", "last.weight", "last.bias", "a", "b"}
    assert {row.name for row in check.rows} == names
    assert gk.check_gradients(gk.Add(), (X, 2 * X)).ok


def test_the_loss_is_that_of_the_last_fit_and_some_elements_are_drawn() -> None:
    model = gk.Sequential(gk.Dense(30, "tanh"), gk.Dense(3), dtype="float64")
    model.fit(X, LABELS, loss=ENTROPY, verbose=0)
    assert [row.checked for row in gk.check_gradients(model, X, LABELS, elements=25).rows] == [
        *(25, 25, 25, 3, 20)
    ]
    every = gk.check_gradients(model, X, LABELS, elements=None)
    assert [row.checked for row in every.rows] == [120, 30, 90, 3, 20]
    assert (every.ok, "120 of 120" in repr(every)) == (True, True)


class Noise(gk.Layer):
    def forward(self, x: NDArray[Any]) -> NDArray[Any]:
        return x + np.random.default_rng().normal()

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        return dy


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: gk.check_gradients(gk.Sequential(gk.Dense(3)), X),
            ValueError,
            "check_gradients: Sequential computes in float32, whose rounding hides errors of a",
        ),
        (
            lambda: gk.check_gradients(gk.Dense, X),  # type: ignore[arg-type]
            TypeError,
            "check_gradients: model must be a Model or a Layer, got <class",
        ),
        (
            lambda: gk.check_gradients(gk.Tanh(), X, loss="mean_squared_error"),
            ValueError,
            "check_gradients: the loss needs targets, give y",
        ),
        (
            lambda: gk.check_gradients(gk.Tanh(), X, X),
            ValueError,
            "check_gradients: a loss is needed, as in loss=",
        ),
        (
            lambda: gk.check_gradients(Noise(), X),
            ValueError,
            "check_gradients: the loss changes from one evaluation to the next",
        ),
        (
            lambda: gk.check_gradients(gk.Tanh(), X, elements=0),
            ValueError,
            "check_gradients: elements must be at least 1, got 0",
        ),
    ],
)
def test_a_check_that_cannot_be_made_is_refused(
    call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
