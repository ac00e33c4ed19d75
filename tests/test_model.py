"""Models: how they are built, looked at, saved and loaded."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import safetensors
from gyaku.files import FileError
from gyaku.layers.base import LAYERS


class Scale(gk.Layer):
    def __init__(self, start: float = 1.0):
        self.start = start

    def build(self, input_shape):
        self.add_param("scale", input_shape, gk.init.Constant(self.start))
        return input_shape

    def forward(self, x):
        self.x = x
        return x * self.params["scale"]

    def backward(self, dy):
        self.grads["scale"] = (dy * self.x).sum(axis=0)
        return dy * self.params["scale"]


def small(**options: Any) -> gk.Sequential:
    return gk.Sequential(gk.Flatten(), gk.Dense(5, "relu"), gk.Dropout(0.2), gk.Dense(3), **options)


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(7, 2, 4)).astype(np.float32)


def test_layers_are_named_after_their_class() -> None:
    model = gk.Sequential(gk.Dense(1), gk.LeakyReLU(), gk.Dense(1, name="dense_2"), gk.Dense(1))
    assert [layer.name for layer in model.layers] == ["dense", "leaky_relu", "dense_2", "dense_3"]


def test_a_model_builds_itself_when_it_sees_data(x: np.ndarray) -> None:
    model = small()
    assert not model.built
    assert model.forward(x).shape == (7, 3)
    assert (model.input_shape, model.output_shape) == ((2, 4), (3,))
    assert {name: view.shape for name, view in model.params.items()} == {
        "dense.weight": (8, 5),
        "dense.bias": (5,),
        "dense_2.weight": (5, 3),
        "dense_2.bias": (3,),
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_are_aligned_views_of_one_buffer(dtype: str, x: np.ndarray) -> None:
    model = small(dtype=dtype)
    model.build((2, 4))
    model.flat_params[...] = 7
    assert all((view == 7).all() for view in model.params.values())
    for flat, views in ((model.flat_params, model.params), (model.flat_grads, model.grads)):
        assert flat.dtype == dtype
        assert flat.ctypes.data % 64 == 0
        for view in views.values():
            assert view.ctypes.data % 64 == 0
            assert np.shares_memory(view, flat)


def test_what_lies_between_parameters_stays_zero(x: np.ndarray) -> None:
    model = small()
    model.fit(x, np.arange(7) % 3, loss="softmax_cross_entropy", epochs=3, verbose=0)
    for flat, views in ((model.flat_params, model.params), (model.flat_grads, model.grads)):
        total = sum(np.abs(view).sum(dtype=np.float64) for view in views.values())
        assert np.abs(flat).sum(dtype=np.float64) == pytest.approx(total, rel=1e-12)


def test_weights_depend_on_the_seed_alone() -> None:
    def weights(seed: int, *more: gk.Layer, own: int | None = None) -> bytes:
        model = gk.Sequential(gk.Dense(5), *more, seed=own)
        model.build((4,), seed=seed)
        return model.params["dense.weight"].tobytes()

    assert weights(1) == weights(1) == weights(1, gk.Dense(9)) == weights(2, own=1)
    assert weights(1) != weights(2)


def test_float32_and_float64_begin_alike() -> None:
    one, two = small(dtype="float32"), small(dtype="float64")
    one.build((2, 4))
    two.build((2, 4))
    np.testing.assert_array_equal(one.flat_params[:40], two.flat_params[:40].astype(np.float32))


def test_no_gradient_reaches_behind_the_first_parameters(x: np.ndarray) -> None:
    asked = []

    class Watch(gk.Layer):
        def forward(self, x):
            return x

        def backward(self, dy):
            asked.append(self.name)
            return dy

    model = gk.Sequential(Watch(name="a"), gk.Flatten(), gk.Dense(2), Watch(name="b"), gk.Dense(1))
    y = model.forward(x, training=True)
    assert model.backward(np.ones_like(y)) is None
    assert asked == ["b"]
    gradient = model.backward(np.ones_like(y), input_gradient=True)
    assert gradient is not None
    assert gradient.shape == x.shape
    assert asked == ["b", "b", "a"]


def test_a_model_shows_itself(x: np.ndarray) -> None:
    model = small()
    assert repr(gk.Sequential(gk.Dense(2), gk.ReLU())) == (
        "Sequential(Dense(2, name='dense'), ReLU(name='relu'))"
    )
    assert "not built yet" in model._repr_html_()
    model.build((2, 4))
    assert "<td>dense (Dense, relu)</td><td>(5,)</td><td>45</td>" in model._repr_html_()


def test_the_summary_counts(capsys: pytest.CaptureFixture[str]) -> None:
    model = small(name="digits")
    assert "not built yet" in model.summary()
    model.build((2, 4))
    text = model.summary()
    assert capsys.readouterr().out.endswith(f"{text}\n")
    assert repr(text) == ""
    dense = next(line for line in text.splitlines() if line.startswith("dense (Dense, relu)"))
    assert dense.split()[3:] == ["(5,)", "45", "90", "FLOP", "20", "B"]
    assert "Sequential 'digits', inputs (2, 4)" in text
    assert "63 parameters" in text


def test_the_summary_shows_activations(capsys: pytest.CaptureFixture[str]) -> None:
    model = gk.Sequential(gk.Dense(3, "relu"), gk.Dense(2, gk.LeakyReLU(0.1)), gk.Dense(1))
    text = model.summary()
    assert "dense (Dense, relu)" in text
    assert "dense_2 (Dense, leaky_relu)" in text
    assert "dense_3 (Dense) " in text


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: gk.Sequential(), ValueError, "Sequential: needs at least one layer"),
        (lambda: gk.Sequential("relu"), TypeError, "layer 1 must be a Layer, got 'relu'"),
        (
            lambda: gk.Sequential(gk.Dense(1), gk.ReLU),
            TypeError,
            r"is the class ReLU, write ReLU\(\)",
        ),
        (lambda: gk.Sequential(*[gk.ReLU()] * 2), ValueError, "layer 2, .*, occurs twice"),
        (
            lambda: gk.Sequential(gk.Dense(1, name="a"), gk.Dense(1, name="a")),
            ValueError,
            "two layers have the same name",
        ),
        (lambda: small(dtype="float16"), ValueError, "must be float32 or float64, got 'float16'"),
        (lambda: small(dtype="nonsense"), ValueError, "must be float32 or float64, got 'nonsense'"),
        (lambda: small(seed=-1), ValueError, "Sequential: seed must be at least 0, got -1"),
        (lambda: small().build((0, 3)), ValueError, "a length in input_shape must be at least 1"),
        (lambda: small().save("a"), ValueError, "save: the model has no weights yet, call fit or"),
        (lambda: small().program(), RuntimeError, "program: nothing is captured yet; call fit"),
    ],
)
def test_a_senseless_argument_is_refused(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_a_layer_belongs_to_one_model() -> None:
    layer = gk.Dense(2)
    model = gk.Sequential(layer)
    model.build((3,))
    model.build((4,))
    with pytest.raises(ValueError, match="Dense 'dense' belongs to another model already"):
        gk.Sequential(layer, gk.Dense(1)).build((3,))


def test_backward_wants_what_forward_gave(x: np.ndarray) -> None:
    model = gk.Sequential(gk.Dense(1))
    with pytest.raises(RuntimeError, match="backward: call forward first"):
        model.backward(np.zeros((1, 1)))
    y = model.forward(x)
    for shape in (len(x),), (len(x), len(x)), (1, 1):
        with pytest.raises(ValueError, match="backward: dy has shape .*, the outputs of forward"):
            model.backward(np.zeros(shape))
    model.backward(np.ones_like(y))


def test_a_step_needs_parameters() -> None:
    with pytest.raises(ValueError, match="step: the model has no parameters yet, call forward or"):
        gk.SGD(0.1).step(gk.Sequential(gk.Dense(1)))


def test_the_shape_of_a_sample_is_a_tuple() -> None:
    with pytest.raises(TypeError, match=r"must be a tuple, such as \(784,\) or .*, got 3"):
        gk.Sequential(gk.Dense(1)).build(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_can_be_copied_and_pickled(copied: Any, dtype: str, x: np.ndarray) -> None:
    labels = np.arange(len(x)) % 3
    layers = gk.Flatten(), gk.Dense(5, gk.LeakyReLU(0.2)), Scale(), gk.Dropout(0.1), gk.Dense(3)
    model = gk.Sequential(*layers, dtype=dtype, name="net")
    assert not copied(model).built
    model.fit(x, labels, loss="softmax_cross_entropy", metrics="accuracy", verbose=0)
    again = copied(model)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert (repr(again), again.name, again.dtype) == (repr(model), "net", model.dtype)
    assert again.evaluate(x, labels) == model.evaluate(x, labels)
    again.fit(x, labels, loss="softmax_cross_entropy", verbose=0)  # memory of its own
    assert (again.flat_params != model.flat_params).any()
    kept = copied(model.params)
    model.params["dense.weight"] = np.zeros_like(kept["dense.weight"])
    assert kept["dense.weight"].any()


def test_a_copied_model_has_layers_of_its_own(x: np.ndarray) -> None:
    model = small()
    model.predict(x)
    again = copy.copy(model)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert not np.shares_memory(again.flat_params, model.flat_params)
    assert not {id(layer) for layer in again.layers} & {id(layer) for layer in model.layers}


def test_samples_of_another_shape_are_refused(x: np.ndarray) -> None:
    model = small()
    model.build((2, 4))
    message = r"forward: x has samples of shape \(8,\), the model expects \(2, 4\)"
    with pytest.raises(ValueError, match=message):
        model.forward(x.reshape(7, 8))


def test_a_list_of_layers_is_layers() -> None:
    assert len(gk.Sequential([gk.Dense(1), gk.ReLU()]).layers) == 2


SAVED: dict[str, list[Any]] = {
    "mlp": [gk.Flatten(), gk.Dense(5, "relu", weight_init=gk.init.He(0.5)), gk.Dropout(0.2)],
    "shapes": [gk.Reshape((4, -1)), gk.Dense(3, gk.LeakyReLU(0.2), use_bias=False), gk.Flatten()],
    "parameters": [gk.ELU(0.7), gk.Dense(2, bias_init=gk.init.Normal(mean=1, std=0.1))],
    "all activations": [cls() for cls in LAYERS.values() if hasattr(cls, "op")],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SAVED)
def test_a_saved_model_is_the_same_model(
    name: str, dtype: str, x: np.ndarray, tmp_path: Path
) -> None:
    layers = [type(layer)(**layer.config()) for layer in SAVED[name]]
    model = gk.Sequential(*layers, dtype=dtype, name=name)
    y = model.predict(x)
    model.save(tmp_path / "model.safetensors")
    loaded = gk.load(tmp_path / "model.safetensors")
    assert repr(loaded) == repr(model)
    assert (loaded.name, loaded.dtype, loaded.input_shape) == (name, model.dtype, (2, 4))
    np.testing.assert_array_equal(loaded.predict(x), y)


def test_a_loaded_model_can_be_evaluated_and_trained_on(x: np.ndarray, tmp_path: Path) -> None:
    model, labels = small(), np.arange(7) % 3
    model.fit(
        x, labels, loss=gk.losses.SoftmaxCrossEntropy(label_smoothing=0.1), metrics="accuracy",
        verbose=0,
    )  # fmt: skip
    model.save(tmp_path / "model.safetensors")
    loaded = gk.load(tmp_path / "model.safetensors")
    assert loaded.evaluate(x, labels) == model.evaluate(x, labels)
    loaded.fit(x, labels, loss="softmax_cross_entropy", verbose=0)


def test_layers_of_ones_own_are_given_to_load(x: np.ndarray, tmp_path: Path) -> None:
    model = gk.Sequential(Scale(2.5), gk.Flatten(), gk.Dense(2))
    y = model.predict(x)
    model.save(tmp_path / "model.safetensors")
    message = r"unknown layer 'Scale'.*as load\(path, layers=\{'Scale': Scale\}\)"
    with pytest.raises(FileError, match=message):
        gk.load(tmp_path / "model.safetensors")
    loaded = gk.load(tmp_path / "model.safetensors", layers={"Scale": Scale})
    assert loaded.layers[0].start == 2.5
    np.testing.assert_array_equal(loaded.predict(x), y)


def test_what_a_file_cannot_hold_is_refused_before_writing(tmp_path: Path) -> None:
    model = gk.Sequential(gk.Dense(2, weight_init=lambda shape, random: np.ones(shape)))
    model.build((3,))
    with pytest.raises(
        TypeError, match=r"save: Dense\(2, .*\) cannot be saved, its weight_init is"
    ):
        model.save(tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_forgets_its_argument_cannot_be_saved(tmp_path: Path) -> None:
    class Forgetful(Scale):
        def __init__(self, factor):
            self.start = factor

    model = gk.Sequential(Forgetful(2.0))
    model.build((3,))
    with pytest.raises(TypeError, match="Forgetful does not keep its argument 'factor': store it"):
        model.save(tmp_path / "model.safetensors")


def broken(change: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the content of a model file with one thing wrong."""
    architecture: dict[str, Any] = {
        "class": "Sequential",
        "name": "a",
        "layers": [{"class": "Dense", "config": {"units": 2}, "name": "dense"}],
    }
    tensors = {"dense.weight": np.ones((3, 2), np.float32), "dense.bias": np.ones(2, np.float32)}
    metadata = {"input_shape": "[3]", "dtype": "float32"}
    if change == "shape":
        tensors["dense.weight"] = tensors["dense.weight"].T
    elif change == "huge":
        architecture["layers"][0]["config"]["units"] = 10**12
    elif change == "missing tensor":
        del tensors["dense.bias"]
    elif change == "unknown tensor":
        tensors["more"] = np.ones(1, np.float32)
    elif change == "units":
        architecture["layers"][0]["config"]["units"] = -1
    elif change == "argument":
        architecture["layers"][0]["config"]["nonsense"] = 1
    elif change == "initializer":
        architecture["layers"][0]["config"]["bias_init"] = {
            "class": "Dense",
            "config": {"units": 1},
        }
    elif change == "class":
        architecture["layers"][0]["class"] = "os.system"
    elif change == "no layers":
        del architecture["layers"]
    elif change == "input shape":
        metadata["input_shape"] = "[0]"
    elif change == "dtype":
        metadata["dtype"] = "object"
    metadata["gyaku.architecture"] = json.dumps(architecture)
    if change == "not JSON":
        metadata["gyaku.architecture"] = "{"
    elif change == "a list":
        metadata["gyaku.architecture"] = "[]"
    elif change == "not a model":
        metadata = {}
    return tensors, metadata


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("shape", r"Dense 'dense': 'weight' has shape \(2, 3\), expected \(3, 2\)"),
        ("missing tensor", "Dense 'dense': there is no 'bias'"),
        ("unknown tensor", "has unexpected tensors: more"),
        ("huge", r"'weight' has shape \(3, 2\), expected \(3, 1000000000000\)"),
        ("units", "has an invalid model description: .*units must be at least 1, got -1"),
        ("argument", "has an invalid model description"),
        ("initializer", "has an invalid model description"),
        ("class", "has an invalid model description: unknown layer 'os.system'"),
        ("no layers", "has an invalid model description"),
        ("input shape", "has an invalid model description"),
        ("dtype", "has an invalid model description"),
        ("not JSON", "has an invalid model description"),
        ("a list", "has an invalid model description"),
        ("not a model", "has no gyaku model description in the metadata"),
    ],
)
def test_a_file_that_lies_is_refused(change: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.write(path, *broken("nothing"))
    gk.load(path)
    safetensors.write(path, *broken(change))
    with pytest.raises(FileError, match=message):
        gk.load(path)
