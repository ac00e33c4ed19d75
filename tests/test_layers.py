"""Layers: their gradients, what they refuse, and layers of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layer_cases import LAYER_CASES, Scale
from numpy.typing import NDArray

import gyaku as gk
from gyaku.layers.base import LAYERS

EPS = np.finfo(np.float64).eps


def test_every_layer_has_a_case() -> None:
    assert {name.split()[0] for name in LAYER_CASES} == {*LAYERS, "Product", "Scale", "Sum"}


@pytest.mark.parametrize("name", [name for name in LAYER_CASES if LAYER_CASES[name].flops])
def test_a_layer_counts_its_work(name: str) -> None:
    model = LAYER_CASES[name].model()
    model.build()
    assert model.layers[0].flops == LAYER_CASES[name].flops


@pytest.mark.parametrize("name", [name for name in LAYER_CASES if name.split()[0] in LAYERS])
def test_a_file_remembers_how_a_layer_was_made(name: str, tmp_path: Path) -> None:
    case = LAYER_CASES[name]
    model = case.model()
    model.build()
    model.save(tmp_path / "model.safetensors")
    again = gk.load(tmp_path / "model.safetensors")
    assert repr(again) == repr(model)
    rng = np.random.default_rng(0)
    inputs = case.inputs(rng, lambda shape: rng.normal(size=shape).astype(np.float32))
    x = inputs if len(inputs) > 1 else inputs[0]
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("name", LAYER_CASES)
def test_backward_is_the_numerical_gradient(name: str, backend: str) -> None:
    gk.use_backend(backend)
    case = LAYER_CASES[name]
    rng = np.random.default_rng(0)
    model = case.model(dtype="float64")
    model.build()
    for view in model.params.values():
        view[...] = rng.normal(size=view.shape)

    def draw(shape: tuple[int, ...]) -> NDArray[Any]:
        # Away from the kinks at 0 and ±3, where there is no derivative, and no two alike.
        x = rng.choice([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], shape) + rng.uniform(-0.3, 0.3)
        return x + rng.uniform(-0.1, 0.1, x.shape)

    inputs = case.inputs(rng, draw)
    y = model.forward(inputs if len(inputs) > 1 else inputs[0], training=True)
    weights = rng.normal(size=y.shape)

    def function(_: NDArray[Any]) -> float:
        model.clock -= 1  # the same step again, so that dropout drops the same
        again = model.forward(inputs if len(inputs) > 1 else inputs[0], training=True)
        return float((weights * again).sum())

    found = model.backward(weights, input_gradient=True)
    # The error of central differences: rounding over 2h, and h² times the third derivative.
    tolerance = 100 * EPS ** (2 / 3)
    for x, dx in zip(inputs, found if len(inputs) > 1 else [found], strict=True):
        if case.vocabulary:
            assert dx is None
            continue
        np.testing.assert_allclose(dx, gk.numerical_gradient(function, x), atol=tolerance, rtol=0)
    for key, view in model.params.items():
        wanted = gk.numerical_gradient(function, view)
        np.testing.assert_allclose(model.grads[key], wanted, atol=tolerance, rtol=0)


@pytest.mark.parametrize("activation", [gk.Tanh(), gk.GELU(), gk.Softmax()], ids=repr)
def test_layers_may_be_given_one_activation(activation: gk.layers.Activation) -> None:
    model = gk.Sequential(
        *(gk.Dense(3, activation), gk.Dense(3, activation), gk.TimeDistributed(activation)),
        dtype="float64",
    )
    model.build((2, 3))
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(2, 4, 2, 3))
    model.forward(x, training=True)
    found = model.backward(dy, input_gradient=True)

    def function(_: object) -> float:
        return float((dy * model.forward(x, training=True)).sum())

    wanted = gk.numerical_gradient(function, x)
    np.testing.assert_allclose(found, wanted, atol=100 * EPS ** (2 / 3), rtol=0)


def test_a_layer_in_ten_lines_trains() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    model = gk.Sequential(Scale())
    model.fit(
        x, x * [3, -1, 0.5], loss="sum_squared_error", optimizer=gk.SGD(0.3), epochs=30, verbose=0
    )
    np.testing.assert_allclose(model.params["scale.scale"], [3, -1, 0.5], atol=1e-5)


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    layer = gk.Dropout(0.25)
    x = np.ones((200, 500))
    y = layer.forward(x, training=True)
    deviation = np.sqrt(0.25 * 0.75 / x.size)
    assert (y == 0).mean() == pytest.approx(0.25, abs=5 * deviation)
    assert set(np.unique(y)) == {0, 1 / 0.75}
    np.testing.assert_array_equal(layer.backward(x), y)


def test_dropout_does_nothing_in_prediction() -> None:
    layer, x = gk.Dropout(0.5), np.ones((2, 3))
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)


def test_dropout_of_the_paper_scales_in_prediction_with_the_same_expectation() -> None:
    usual, paper = gk.Dropout(0.25), gk.Dropout(0.25, scaled="prediction")
    x, dy = np.ones((200, 500)), np.full((200, 500), 2.0)
    y = paper.forward(x, training=True)
    np.testing.assert_allclose(y, 0.75 * usual.forward(x, training=True), rtol=1e-15)
    np.testing.assert_allclose(paper.backward(dy), 2 * y, rtol=1e-15)
    np.testing.assert_array_equal(paper.forward(x), 0.75 * x)
    np.testing.assert_array_equal(paper.backward(dy), 0.75 * dy)
    assert y.mean() == pytest.approx(0.75, abs=5 * np.sqrt(0.25 * 0.75 / x.size))


def test_both_forms_of_dropout_compute_the_same_network() -> None:
    x, outputs = np.random.default_rng(0).random((40, 6)), []
    for form, scale in (("training", 0.1), ("prediction", 0.2)):  # of the weights behind it
        last = gk.Dense(3, weight_init=gk.init.Constant(scale))
        layers = gk.Dense(64, "relu"), gk.Dropout(0.5, scaled=form), last
        model = gk.Sequential(*layers, dtype="float64", seed=0)
        model.build((6,))
        outputs.append([model.forward(x, training=True), model.predict(x)])
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-12)
    assert np.abs(outputs[0][0] - outputs[0][1]).max() > 0.1


def test_each_step_and_each_layer_drops_something_else() -> None:
    model = gk.Sequential(gk.Dropout(0.5), gk.Dropout(0.5))
    model.build((100,))
    masks = []
    for _ in range(2):
        model.forward(np.ones((1, 100)), training=True)
        masks += [layer.forward(np.ones((1, 100)), training=True) for layer in model.layers]
    assert len({mask.tobytes() for mask in masks}) == 4


@pytest.mark.parametrize(
    ("layers", "rule"),
    [
        ([gk.Dense(50, "relu")], "he"),
        ([gk.Dense(50), gk.ReLU()], "he"),
        ([gk.Dense(50), gk.GELU()], "he"),
        ([gk.Dense(50, "tanh")], "xavier"),
        ([gk.Dense(50), gk.Sigmoid()], "xavier"),
        ([gk.Dense(50)], "xavier"),
    ],
)
def test_a_dense_layer_knows_how_to_begin(layers: list[gk.Layer], rule: str) -> None:
    model = gk.Sequential(*layers)
    model.build((40,))
    weight = model.params["dense.weight"]
    deviation = np.sqrt(2 / 40) if rule == "he" else np.sqrt(2 / (40 + 50))
    assert weight.std() == pytest.approx(deviation, rel=5 / np.sqrt(weight.size))
    assert not model.params["dense.bias"].any()


def test_parameters_can_be_assigned_to() -> None:
    model = gk.Sequential(gk.Dense(2))
    model.build((3,))
    view = model.params["dense.bias"]
    model.params["dense.bias"] = [1, 2]
    assert view.tolist() == [1, 2]
    assert model.layers[0].params["bias"].tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"'dense.bias' has shape \(2,\), cannot take \(3,\)"):
        model.params["dense.bias"] = [1, 2, 3]
    with pytest.raises(KeyError, match=r"no parameter 'bias' here, only dense.weight, dense.bias"):
        model.params["bias"] = [1, 2]


def test_a_subclass_with_a_pass_of_its_own_is_not_native() -> None:
    class Loud(gk.Dense):
        def forward(self, x, training=False):
            return super().forward(x, training)

    class Renamed(gk.Dense):
        pass

    class Fast(gk.Dense):
        native = True

        def forward(self, x, training=False):
            return super().forward(x, training)

    assert [cls.native for cls in (gk.Dense, Loud, Renamed, Fast)] == [True, False, True, True]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: gk.Dense(0), ValueError, "Dense: units must be at least 1, got 0"),
        (lambda: gk.Dense(0, name="a"), ValueError, "Dense 'a': units must be at least 1, got 0"),
        (lambda: gk.Dense(2.5), TypeError, "Dense: units must be an integer, got 2.5"),
        (lambda: gk.Dense(True), TypeError, "Dense: units must be an integer, got True"),
        (lambda: gk.Dense(2, "rleu"), ValueError, "unknown activation 'rleu', did you mean 'relu'"),
        (lambda: gk.Dense(2, gk.Dense(1)), TypeError, "an activation must be a name or an"),
        (
            lambda: gk.Dense(2, weight_init="hee"),
            ValueError,
            "'hee', did you mean 'he'",
        ),
        (lambda: gk.Dense(2, bias_init=3), TypeError, "must be a name or a callable, got 3"),
        (lambda: gk.Dropout(1), ValueError, "Dropout: rate must be at least 0 and below 1, got 1"),
        (lambda: gk.Dropout("x"), TypeError, "Dropout: rate must be a number, got 'x'"),
        (
            lambda: gk.Dropout(0.5, scaled="test"),
            ValueError,
            'Dropout: scaled must be "training" or "prediction", got \'test\'',
        ),
        (lambda: gk.Reshape((-1, -1)), ValueError, r"only one length in shape may be -1"),
        (lambda: gk.Reshape((0, 2)), ValueError, "a length in shape must be at least 1, got 0"),
        (lambda: gk.ELU(-1), ValueError, "ELU: alpha must be at least 0, got -1"),
        (lambda: gk.SELU(-1), ValueError, "SELU: alpha must be at least 0, got -1"),
        (lambda: gk.Softplus(0), ValueError, "Softplus: beta must be positive, got 0"),
        (lambda: gk.HardSigmoid("a"), TypeError, "HardSigmoid: alpha must be a number, got 'a'"),
        (lambda: gk.Softmax(0), ValueError, "Softmax: axis 0 is that of the samples, 1 the first"),
        (lambda: gk.Softmax(1.5), TypeError, "Softmax: axis must be an integer, got 1.5"),
        (lambda: gk.Add("yes"), TypeError, "Add: broadcast must be"),
        (lambda: gk.MatMul(scale="1"), TypeError, "MatMul: scale must be a number, got '1'"),
    ],
)
def test_a_senseless_argument_is_refused(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_reshape_refuses_samples_of_another_size() -> None:
    message = r"Reshape 'reshape': cannot give samples of shape \(7,\) \(7 elements\) the shape \(2"
    with pytest.raises(ValueError, match=message):
        gk.Sequential(gk.Reshape((2, 3))).build((7,))
    with pytest.raises(ValueError, match="cannot give samples"):
        gk.Sequential(gk.Reshape((2, -1))).build((7,))


def test_a_pass_that_returns_another_shape_is_named() -> None:
    class Wrong(gk.Layer):
        def forward(self, x):
            return x

        def backward(self, dy):
            return dy[:, :1]

    model = gk.Sequential(Wrong(), gk.Dense(1))
    model.forward(np.zeros((2, 3)), training=True)
    message = r"Wrong 'wrong': backward returned shape \(2, 1\), expected \(2, 3\)"
    with pytest.raises(ValueError, match=message):
        model.backward(np.zeros((2, 1)), input_gradient=True)


def test_a_pass_that_returns_nothing_is_named() -> None:
    class NoOutput(gk.Layer):
        def forward(self, x):
            self.x = x

    class NoShape(NoOutput):
        def build(self, input_shape):
            self.add_param("w", input_shape)

    class NoGradient(gk.Layer):
        def forward(self, x):
            return 2 * x

        def backward(self, dy):
            self.dx = 2 * dy

    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="'no_output': forward must return the outputs, got None"):
        gk.Sequential(NoOutput()).forward(x)
    with pytest.raises(TypeError, match="'no_shape': build must return the shape of an output"):
        gk.Sequential(NoShape()).forward(x)
    model = gk.Sequential(gk.Dense(3), NoGradient())
    model.forward(x)
    with pytest.raises(ValueError, match="'no_gradient': backward returned nothing, expected"):
        model.backward(x)


def test_a_parameter_that_does_not_exist_is_named() -> None:
    model = gk.Sequential(gk.Dense(3))
    model.build((2,))
    with pytest.raises(KeyError, match=r"no parameter 'dense.w' here, only dense.weight, dense.b"):
        model.params["dense.w"]


def test_a_layer_without_forward_says_so() -> None:
    class Empty(gk.Layer):
        pass

    model = gk.Sequential(Empty())
    with pytest.raises(NotImplementedError, match=r"Empty needs a forward\(self, x, training\)"):
        model.build((1,))


def test_a_layer_cannot_change_its_input() -> None:
    class Greedy(gk.Layer):
        def forward(self, x):
            x *= 2
            return x

    model = gk.Sequential(gk.Dense(3), Greedy())
    with pytest.raises(ValueError, match="read-only"):
        model.forward(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (gk.Dense(10), "Dense(10)"),
        (gk.Dense(10, "relu", name="a"), "Dense(10, activation='relu', name='a')"),
        (gk.Dense(3, weight_init=gk.init.He(2.0)), "Dense(3, weight_init=He(gain=2.0))"),
        (gk.Reshape([2, -1]), "Reshape((2, -1))"),
        (gk.ReLU(), "ReLU()"),
        (Scale(), "Scale()"),
    ],
)
def test_repr_is_how_it_was_made(layer: gk.Layer, text: str) -> None:
    assert repr(layer) == text


IN_NUMPY = {"Layer", "AvgPool3D", "MaxPool3D", "Crop", "Pad", "Permute", "Slice", "Upsample"}
IN_NUMPY |= {"ArrayOperation", "Masking", "PReLU"}
IN_NUMPY |= {f"Adaptive{kind}Pool{axes}D" for kind in ("Avg", "Max") for axes in (1, 2, 3)}


def test_all_other_layers_are_recorded_as_native_tasks() -> None:
    # A class that overrides a pass of a native one must say so again.
    classes = {name: getattr(gk, name) for name in gk.layers.__all__}
    found = {name for name, each in classes.items() if not getattr(each, "native", True)}
    assert found == IN_NUMPY
