"""Numbers are taken at their value, and Rescaling brings bytes to the range of 0 to 1."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from child import output
from gyaku import safetensors
from gyaku.data import Augment
from gyaku.files import FileError
from gyaku.train.samples import inputs

ENTROPY = "softmax_cross_entropy"
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (90, 6, 5, 2), np.uint8)
SCALED = X.astype(np.float32) * np.float32(1 / 255)
LABELS = RNG.integers(0, 3, 90)


@pytest.fixture
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


def net(*first: gk.Layer, dtype: Any = np.float32) -> gk.Sequential:
    return gk.Sequential(
        *first, gk.Flatten(), gk.Dense(8, "relu"), gk.Dropout(0.2), gk.Dense(3), dtype=dtype
    )


def train(model: gk.Sequential, x: NDArray[Any], **options: Any) -> tuple[bytes, list[float]]:
    """Return the weights and the losses of a training."""
    history = model.fit(x, LABELS, loss=ENTROPY, epochs=3, seed=1, verbose=0, **options)
    return model.flat_params.tobytes(), history["loss"]


def tasks(model: gk.Model) -> list[str]:
    return [task["name"] for task in model.captured["tasks"]]


def test_a_number_is_multiplied_and_moved() -> None:
    layer = gk.Rescaling(2 / 255, -1)
    y = layer.forward(np.array([[0, 51, 255]], np.float32))
    np.testing.assert_allclose(y, [[-1, -0.6, 1]], rtol=1e-6)
    dy = np.array([[1, -2, 255]], np.float32)
    np.testing.assert_array_equal(layer.backward(dy), dy * np.float32(2 / 255))


def test_the_gradient_goes_on_to_what_lies_before() -> None:
    model = gk.Sequential(gk.Dense(4), gk.Rescaling(0.5, 3.0), gk.Dense(2), dtype="float64")
    x, dy = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 2))
    model.forward(x)
    dx = model.backward(dy, input_gradient=True)
    step = 1e-6 * RNG.standard_normal(x.shape)
    change = ((model.forward(x + step) - model.forward(x - step)) * dy).sum() / 2
    assert (dx * step).sum() == pytest.approx(change, rel=1e-6)


@pytest.mark.parametrize("augment", [None, Augment(2, flip=True)], ids=["as they are", "moved"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.usefixtures("optimized")
def test_bytes_are_scaled_while_they_are_gathered(dtype: Any, augment: Augment | None) -> None:
    model = net(gk.Rescaling(1 / 255), dtype=dtype)
    scaled = X.astype(dtype) * dtype(1 / 255)
    assert train(model, X, augment=augment) == train(net(dtype=dtype), scaled, augment=augment)
    gather = "gather_images" if augment else "gather"
    assert f"{gather} + rescale" in tasks(model)
    assert "rescale" not in tasks(model)


CHILD = """
import hashlib
import numpy as np
import gyaku as gk
rng = np.random.default_rng(0)
x, y = rng.integers(0, 256, (600, 28, 28, 1), np.uint8), rng.integers(0, 10, 600)
x[:, :9] = 0
model = gk.Sequential(gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(64, "relu"), gk.Dense(10))
model.fit(x, y, loss="softmax_cross_entropy", batch_size=100, epochs=2, verbose=0)
names = [task["name"] for task in model.captured["tasks"]]
print(hashlib.sha256(model.flat_params.tobytes()).hexdigest(), "rescale" in names,
      sum("skips zeros" in name for name in names))
"""


def test_the_program_that_scales_on_the_way_gives_the_same_bits() -> None:
    bits, apart, skipping = output(CHILD, GYAKU_OPTIMIZE="1").split()
    assert (apart, skipping) == ("False", "2")  # products of the batch still skip its zeros
    assert output(CHILD, GYAKU_OPTIMIZE="0").split() == [bits, "True", "0"]


@pytest.mark.parametrize(
    "layer",
    [gk.Rescaling(1 / 255, 0.5), gk.Rescaling(-1 / 255), gk.Rescaling(0.0)],
    ids=["offset", "negative", "zero"],
)
@pytest.mark.usefixtures("optimized")
def test_what_a_gather_cannot_do_is_an_operation_of_its_own(layer: gk.Rescaling) -> None:
    model = net(layer)
    found = train(model, X, augment=Augment(1))
    assert "rescale" in tasks(model)
    floats = net(copy.copy(layer))
    assert train(floats, X.astype(np.float32), augment=Augment(1)) == found


@pytest.mark.usefixtures("optimized")
@pytest.mark.filterwarnings("ignore:fit. x holds bytes")
def test_a_batch_that_others_read_too_stays_as_it_is() -> None:
    x = gk.Input((6,))
    both = gk.Concatenate()(gk.Rescaling(1 / 255)(x), gk.Rescaling(0.5)(x), x)
    model = gk.Model(x, gk.Dense(3)(both))
    data = X.reshape(90, -1)[:, :6]
    train(model, np.ascontiguousarray(data))
    assert [name for name in tasks(model) if "rescale" in name] == ["rescale", "rescale"]
    parts = [data * np.float32(1 / 255), data * np.float32(0.5), data.astype(np.float32)]
    dense = gk.Sequential(gk.Dense(3, name="dense"))
    dense.build((18,))
    dense.params["dense.weight"], dense.params["dense.bias"] = model.params.values()
    np.testing.assert_array_equal(model.predict(data), dense.predict(np.concatenate(parts, 1)))


@pytest.mark.usefixtures("optimized")
def test_each_of_several_inputs_is_scaled_as_it_is_gathered() -> None:
    a, b = gk.Input((6, 5, 2), name="a"), gk.Input((6, 5, 2), name="b")
    sum_ = gk.Add()(gk.Rescaling(1 / 255)(a), gk.Rescaling(0.5)(b))
    model = gk.Model([a, b], gk.Dense(3)(gk.Flatten()(sum_)))
    model.fit((X, X[::-1]), LABELS, loss=ENTROPY, verbose=0)
    assert tasks(model).count("gather + rescale") == 2


def test_weights_and_dropout_are_those_of_a_model_without_it() -> None:
    twice = net(gk.Rescaling(1 / 255), gk.Rescaling(1.0))
    assert train(twice, X)[0] == train(net(), SCALED)[0]
    shared = gk.Dropout(0.5)
    x = gk.Input((60,))
    h = shared(gk.Dense(8)(shared(x)))
    plain = gk.Model(x, gk.Dense(3)(h))
    shared, dense = gk.Dropout(0.5), gk.Dense(8)
    x = gk.Input((60,))
    h = shared(dense(shared(gk.Rescaling(1 / 255)(x))))
    scaling = gk.Model(x, gk.Dense(3)(h))
    flat = X.reshape(90, 60)
    assert train(scaling, flat)[0] == train(plain, SCALED.reshape(90, 60))[0]


@pytest.mark.parametrize("name", gk.models.MODELS)
def test_models_by_name_begin_with_it(name: str) -> None:
    first = gk.models.MODELS[name].build().layers[0]
    assert isinstance(first, gk.Rescaling)
    assert (first.scale, first.offset) == (1 / 255, 0)


def test_forward_predict_and_evaluate_scale_alike() -> None:
    model, plain = net(gk.Rescaling(1 / 255)), net()
    train(model, X)
    train(plain, SCALED)
    np.testing.assert_array_equal(model.forward(X), plain.forward(SCALED))
    np.testing.assert_array_equal(model.predict(X), plain.predict(SCALED))
    assert model.evaluate(X, LABELS) == plain.evaluate(SCALED, LABELS)


def test_the_reference_rescales_alike() -> None:
    _, native = train(net(gk.Rescaling(1 / 255, 0.5), dtype=np.float64), X)
    gk.use_backend("reference")
    _, equations = train(net(gk.Rescaling(1 / 255, 0.5), dtype=np.float64), X)
    np.testing.assert_allclose(native, equations, rtol=1e-12)


def test_a_file_and_a_copy_keep_it(tmp_path: Path) -> None:
    model = net(gk.Rescaling(1 / 255, 0.25))
    train(model, X)
    model.save(tmp_path / "model.safetensors")
    for again in (gk.load(tmp_path / "model.safetensors"), copy.deepcopy(model)):
        assert repr(again.layers[0]).startswith("Rescaling(0.00392156862745098, offset=0.25")
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (lambda: gk.Rescaling("1"), TypeError, "Rescaling: scale must be a number, got '1'"),
        (lambda: gk.Rescaling(np.inf), ValueError, "Rescaling: scale must be finite, got inf"),
        (lambda: gk.Rescaling(1, None), TypeError, "Rescaling: offset must be a number, got None"),
    ],
)
def test_mistakes_are_one_sentence(make: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value) == sentence


# One rule: numbers are taken at their value.


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64, np.float32, bool, list])
def test_a_number_is_the_same_whatever_its_type(kind: Any) -> None:
    x = np.concatenate([np.eye(3)[RNG.integers(0, 3, 40)], np.eye(2)[RNG.integers(0, 2, 40)]], 1)
    given = x.tolist() if kind is list else x.astype(kind)
    y = given if kind is list else given.copy()
    model, floats = gk.Sequential(gk.Dense(5)), gk.Sequential(gk.Dense(5))
    wanted = floats.fit(x, x, loss="mean_squared_error", epochs=3, verbose=0)["loss"]
    assert model.fit(given, y, loss="mean_squared_error", epochs=3, verbose=0)["loss"] == wanted
    np.testing.assert_array_equal(model.predict(given), floats.predict(x.astype(np.float32)))
    np.testing.assert_array_equal(model.forward(given), floats.forward(x))
    assert model.evaluate(given, y) == floats.evaluate(x, x)


@pytest.mark.parametrize(
    "targets",
    [lambda x: x, lambda x: x.copy(), lambda x: x.reshape(90, 60), lambda x: x.astype(float)],
    ids=["the inputs themselves", "a copy", "a view", "floats"],
)
@pytest.mark.filterwarnings("ignore:fit. y holds bytes")
def test_targets_are_taken_at_their_value(targets: Callable[[Any], Any]) -> None:
    flat = X.reshape(90, 60)
    history = gk.Sequential(gk.Rescaling(1 / 255), gk.Dense(60)).fit(
        flat, targets(flat), loss="mean_squared_error", optimizer=gk.SGD(1e-9), verbose=0
    )
    assert history["loss"][0] == pytest.approx((flat.astype(float) ** 2).mean(), rel=1e-2)


def test_bytes_stay_where_they_are() -> None:
    assert inputs("fit", "x", X, None, np.dtype(np.float32)) is X


@pytest.mark.usefixtures("optimized")
def test_an_autoencoder_of_integers_is_to_return_the_image_as_it_was_moved() -> None:
    x = X.astype(np.int64) % 100
    model = gk.Sequential(gk.Flatten(), gk.Dense(60), gk.Reshape((6, 5, 2)))
    model.build(x.shape[1:])
    next(iter(model.params.values()))[...] = np.eye(60)
    history = model.fit(
        x, x, loss="mean_squared_error", optimizer=gk.SGD(1e-12), augment=Augment(2), verbose=0
    )
    assert history["loss"][-1] < 1e-6


# Advice, once.


@pytest.fixture
def said() -> Iterator[Callable[[], list[str]]]:
    """Return the warnings since the last look."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def since() -> list[str]:
            found = [str(each.message) for each in caught]
            caught.clear()
            return found

        yield since


def test_bytes_that_meet_weights_are_advised_against_once(said: Callable[[], list[str]]) -> None:
    model = net()
    train(model, X)
    assert said() == [
        (
            "fit: x holds bytes up to 255, which are taken at their value; put"
            " gyaku.Rescaling(1 / 255) in front of the first layer, or give x / 255"
        )
    ]
    train(model, X)
    model.evaluate(X, LABELS)
    model.predict(X)
    assert said() == []
    other = net()
    train(other, SCALED)
    assert said() == []
    other.predict(X)
    assert [sentence[:37] for sentence in said()] == ["predict: x holds bytes up to 255, whi"]


class Own(gk.Layer):
    """Scales by itself."""

    def forward(self, x, training=False):
        return x / 255

    def backward(self, dy):
        return dy / 255


@pytest.mark.parametrize(
    "first", [gk.Rescaling(1 / 255), gk.BatchNorm(), gk.LayerNorm(), Own()], ids=str
)
def test_bytes_that_something_scales_are_not(
    first: gk.Layer, said: Callable[[], list[str]]
) -> None:
    model = gk.Sequential(gk.Flatten(), first, gk.Dense(3))
    train(model, X)
    model.predict(X)
    assert said() == []


@pytest.mark.parametrize("kind", [np.uint8, bool])
def test_truth_values_and_counts_are_not(kind: Any, said: Callable[[], list[str]]) -> None:
    train(net(), (X % 2).astype(kind))
    train(net(), X % 17)
    assert said() == []


def test_bytes_behind_a_pooling_are_still_bytes(said: Callable[[], list[str]]) -> None:
    train(net(gk.MaxPool2D(2)), X)
    assert len(said()) == 1


def test_targets_of_an_autoencoder_are_advised_against(said: Callable[[], list[str]]) -> None:
    flat, noisy = X.reshape(90, 60), SCALED.reshape(90, 60)
    options: dict[str, Any] = {"loss": "mean_squared_error", "verbose": 0}
    gk.Sequential(gk.Dense(60)).fit(noisy, flat, **options)
    assert said() == [
        (
            "fit: y holds bytes up to 255, which are taken at their value; for outputs from 0 to 1"
            " give y / 255"
        )
    ]
    gk.Sequential(gk.Dense(60), gk.Rescaling(255)).fit(noisy, flat, **options)
    gk.Sequential(gk.Dense(60)).fit(noisy, flat / 255, **options)
    gk.Sequential(gk.Dense(1)).fit(noisy, flat[:, :1], **options)
    assert said() == []


# Files of format 1 did not say so, and their models divided bytes by 255.


def old_file(path: Path) -> gk.Sequential:
    """Write the file of a small network as the first version did, and return the network."""
    layers = [
        {"class": "Flatten", "config": {}, "name": "flatten"},
        {"class": "Dense", "config": {"units": 3}, "name": "dense"},
    ]
    metadata = {
        "gyaku.version": "0.1.0",
        "gyaku.architecture": json.dumps({"class": "Sequential", "name": "", "layers": layers}),
        "input_shape": "[6, 5, 2]",
        "dtype": "float32",
    }
    model = gk.Sequential(gk.Flatten(), gk.Dense(3))
    model.build((6, 5, 2), seed=5)
    safetensors.write(path, dict(model.params), metadata)
    return model


def test_an_old_file_means_what_it_meant(tmp_path: Path, said: Callable[[], list[str]]) -> None:
    path = tmp_path / "old.safetensors"
    model = old_file(path)
    wanted, floats = model.predict(SCALED), X.astype(np.float32)
    unscaled = model.predict(floats)
    old = gk.load(path)
    old.save(tmp_path / "again.safetensors")
    again = gk.load(tmp_path / "again.safetensors")
    for each in (old, again, copy.deepcopy(old), pickle.loads(pickle.dumps(old))):
        assert each.scales_bytes
        np.testing.assert_array_equal(each.predict(X), wanted)
        np.testing.assert_array_equal(each.forward(X), wanted)
        np.testing.assert_array_equal(each.predict(floats), unscaled)
    np.testing.assert_array_equal(gk.Sequential(old).forward(X), wanted)
    assert said() == []


def test_an_old_autoencoder_is_trained_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    old_file(path)
    losses = []
    for x in (X[:, :1, :1, :1], SCALED[:, :1, :1, :1]):
        x = np.ascontiguousarray(np.broadcast_to(x, (90, 6, 5, 2)))
        old = gk.load(path)
        model = gk.Sequential(old, gk.Dense(60), gk.Reshape((6, 5, 2)))
        losses.append(model.fit(x, x, loss="mean_squared_error", epochs=2, verbose=0)["loss"])
    assert losses[0] == losses[1]


def test_a_new_file_says_its_format(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = net()
    model.build((6, 5, 2))
    model.save(path)
    tensors, metadata = safetensors.read(path)
    assert metadata["gyaku.format"] == "3"
    assert not gk.load(path).scales_bytes
    safetensors.write(path, tensors, metadata | {"gyaku.format": "4"})
    with pytest.raises(FileError) as caught:
        gk.load(path)
    assert str(caught.value) == (
        f"{path} is a model file of format 4, this version of gyaku reads 1 to 3"
    )
