"""Graphs: branches, sums, shared layers, several inputs and outputs, models within models."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku import safetensors
from gyaku.files import FileError

ENTROPY = "softmax_cross_entropy"


def residual() -> gk.Model:
    return gk.Sequential(
        gk.Residual(gk.Dense(6, "tanh"), gk.Dense(4), shortcut=gk.Dense(4)),
        gk.Residual(gk.Dense(4, "sigmoid")),
        gk.Dense(3),
    )


def concatenated() -> gk.Model:
    x = gk.Input((4,))
    a, b = gk.Dense(3, "tanh")(x), gk.Dense(2)(x)
    return gk.Model(x, gk.Dense(3)(gk.Concatenate()(a, x, b, a)))


def shared() -> gk.Model:
    """Three uses of one layer, two on each other's results, and with dropout."""
    x, layer, drop = gk.Input((4,)), gk.Dense(4, "tanh"), gk.Dropout(0.3)
    once = drop(layer(x))
    twice = drop(layer(once))
    return gk.Model(x, gk.Dense(3)(gk.Add()(once, twice, layer(twice))))


def two_inputs() -> gk.Model:
    a, b = gk.Input((4,), name="left"), gk.Input((2, 3), name="right")
    return gk.Model((a, b), gk.Dense(3)(gk.Concatenate()(gk.Dense(5, "tanh")(a), gk.Flatten()(b))))


def two_outputs() -> gk.Model:
    x = gk.Input((4,))
    hidden = gk.Dense(5, "tanh")(x)
    return gk.Model(x, (gk.Dense(3, name="digit")(hidden), gk.Dense(1, name="size")(hidden)))


def nested() -> gk.Model:
    """A model within a model, twice, beside a row within a row."""
    twin = concatenated()
    x = gk.Input((4,))
    row = gk.Sequential(gk.Sequential(gk.Dense(4, "sigmoid"), gk.BatchNorm()), gk.Dense(4))
    return gk.Model(x, gk.Add()(twin(x), twin(row(x))))


def images() -> gk.Model:
    """One convolution that sees images of two sizes."""
    x, conv = gk.Input((6, 6, 1)), gk.Conv2D(2, 3, activation="tanh")
    small = gk.GlobalAvgPool2D()(conv(gk.AvgPool2D(2)(x)))
    return gk.Model(x, gk.Dense(3)(gk.Concatenate()(gk.GlobalAvgPool2D()(conv(x)), small)))


GRAPHS: list[Callable[[], gk.Model]] = [
    *(residual, concatenated, shared, two_inputs, two_outputs, nested, images)
]


def given(model: gk.Model, samples: int, dtype: Any = np.float32) -> Any:
    """Return inputs, one array or a tuple."""
    rng = np.random.default_rng(1)
    shapes = model.input_shapes or [(4,)]
    arrays = tuple(rng.normal(size=(samples, *shape)).astype(dtype) for shape in shapes)
    return arrays if len(arrays) > 1 else arrays[0]


def listed(value: Any) -> list[NDArray[Any]]:
    return list(value) if isinstance(value, (tuple, list)) else [value]


@pytest.mark.parametrize("make", GRAPHS)
def test_backward_is_the_numerical_gradient(make: Callable[[], gk.Model]) -> None:
    model = make()
    model.build(None if model.input_shapes else (4,), dtype="float64")
    check = gk.check_gradients(model, given(model, 5, np.float64), elements=60)
    assert check.ok, check
    assert {row.name for row in check.rows} == {*model.params, *model.input_names}


def targets(model: gk.Model, samples: int) -> Any:
    rng = np.random.default_rng(3)
    classes = rng.integers(0, 3, samples)
    return classes if model.arity[1] == 1 else (classes, rng.normal(size=(samples, 1)))


def trained(make: Callable[[], gk.Model], threads: int = 1) -> tuple[gk.Model, gk.history.History]:
    gk.set_num_threads(threads, exact=True)
    model = make()
    losses: Any = ENTROPY if model.arity[1] == 1 else (ENTROPY, "mean_squared_error")
    x, y = given(model, 23), targets(model, 23)
    return model, model.fit(x, y, loss=losses, epochs=3, batch_size=5, seed=7, verbose=0)


@pytest.mark.parametrize("make", GRAPHS)
def test_replay_equals_eager_and_any_number_of_threads(make: Callable[[], gk.Model]) -> None:
    model, history = trained(make)
    one = make()
    one.build(None if one.input_shapes else (4,), seed=7)
    x, y = listed(given(one, 23)), listed(targets(one, 23))
    losses = [gk.losses.loss(ENTROPY), gk.losses.loss("mean_squared_error")][: len(y)]
    optimizer = gk.Adam()
    order, found = np.empty(23, np.int64), []
    for epoch in range(3):
        gk.ops.permutation(order, 23, seed=7, first_epoch=epoch)
        total = 0.0
        for start in range(0, 23, 5):
            rows = order[start : start + 5]
            batch = tuple(each[rows] for each in x)
            outputs = listed(one.forward(batch if len(batch) > 1 else batch[0], training=True))
            gradients = []
            for loss, output, target in zip(losses, outputs, y, strict=True):
                wanted = target[rows]
                value, dy = loss(output, wanted if wanted.ndim == 1 else wanted.astype(np.float32))
                total += float(value) * len(rows)
                gradients.append(dy)
            one.backward(gradients if len(gradients) > 1 else gradients[0])
            optimizer.step(one)
        found.append(total / 23)
    assert model.flat_params.tobytes() == one.flat_params.tobytes()
    assert model.flat_buffers.tobytes() == one.flat_buffers.tobytes()
    assert history["loss"] == found
    for threads in (2, 3):
        assert trained(make, threads)[0].flat_params.tobytes() == model.flat_params.tobytes()


@pytest.mark.parametrize("make", GRAPHS)
def test_native_and_reference_stay_together(make: Callable[[], gk.Model]) -> None:
    one, _ = trained(make)
    with gk.use_backend("reference"):
        other, _ = trained(make)
    np.testing.assert_allclose(one.flat_params, other.flat_params, atol=2e-4)


@pytest.mark.parametrize("way", ["file", "copy", "pickle"])
@pytest.mark.parametrize("make", GRAPHS)
def test_a_graph_is_the_same_afterwards(
    make: Callable[[], gk.Model], way: str, tmp_path: Path
) -> None:
    model, _ = trained(make)
    if way == "file":
        model.save(tmp_path / "model.safetensors")
        again = gk.load(tmp_path / "model.safetensors")
    else:
        again = copy.deepcopy(model) if way == "copy" else pickle.loads(pickle.dumps(model))
    x = given(model, 4)
    for one, other in zip(listed(model.predict(x)), listed(again.predict(x)), strict=True):
        assert one.tobytes() == other.tobytes()
    assert type(again) is type(model)
    assert list(again.params) == list(model.params)
    assert list(again.buffers) == list(model.buffers)
    measured = model.evaluate(x, targets(model, 4))
    assert again.evaluate(x, targets(model, 4)) == measured
    assert not {id(layer) for layer in again.layers} & {id(layer) for layer in model.layers}


def test_a_shared_layer_has_one_set_of_parameters() -> None:
    model = shared()
    model.build()
    assert {name: view.shape for name, view in model.params.items()} == {
        "dense.weight": (4, 4),
        "dense.bias": (4,),
        "dense_2.weight": (4, 3),
        "dense_2.bias": (3,),
    }
    text = str(model.summary())
    assert text.count("shared") == 3
    assert "35 parameters" in text


def test_each_use_of_dropout_drops_something_else() -> None:
    x, drop = gk.Input((200,)), gk.Dropout(0.5)
    model = gk.Model(x, (drop(x), drop(x)))
    one, two = model.forward(np.ones((1, 200)), training=True)
    assert (one != two).any()


def test_the_names_say_where_a_layer_is() -> None:
    model = gk.Sequential(gk.Residual(gk.Dense(4), shortcut=gk.Dense(4)), residual())
    model.build((4,))
    assert [name for name in model.params if name.endswith("weight")] == [
        "residual.dense.weight",
        "residual.shortcut.weight",
        "sequential.residual.dense.weight",
        "sequential.residual.dense_2.weight",
        "sequential.residual.shortcut.weight",
        "sequential.residual_2.dense.weight",
        "sequential.dense.weight",
    ]
    message = r"Dense 'sequential.residual.dense'"
    assert message in str(model.layers[1].layers[0].layers[0])


def test_inputs_and_outputs_have_names() -> None:
    model = two_inputs()
    a, b = given(model, 3)
    wanted = model.predict((a, b))
    np.testing.assert_array_equal(model.predict({"right": b, "left": a}), wanted)
    two = two_outputs()
    assert two.output_names == ("digit", "size")
    x, (digit, size) = given(two, 23), targets(two, 23)
    history = two.fit(
        *(x, {"size": size, "digit": digit}),
        loss={"digit": ENTROPY, "size": "mean_squared_error"},
        loss_weights={"digit": 1, "size": 0.25},
        metrics={"digit": ["accuracy"]},
        validation_split=0.2,
        epochs=2,
        verbose=0,
    )
    names = ["loss", "digit_loss", "size_loss", "digit_accuracy"]
    assert list(history) == [*names, *(f"val_{name}" for name in names)]
    total = history["digit_loss"][0] + 0.25 * history["size_loss"][0]
    assert history["loss"][0] == pytest.approx(total, rel=1e-12)
    assert two.evaluate(x, (digit, size)).keys() == set(names)


def test_a_weight_of_a_loss_scales_its_gradient() -> None:
    def weights(*factors: float) -> NDArray[Any]:
        model = two_outputs()
        x, y = given(model, 10), targets(model, 10)
        losses = (ENTROPY, "mean_squared_error")
        options: Any = {"optimizer": gk.SGD(0.1), "batch_size": None, "verbose": 0}
        model.build(seed=0)
        before = model.flat_params.copy()
        model.fit(x, y, loss=losses, loss_weights=factors, **options)
        return model.flat_params - before

    both, first, second = weights(1, 0.5), weights(1, 0), weights(0, 1)
    np.testing.assert_allclose(both, first + 0.5 * second, atol=1e-7)


def test_a_part_of_a_trained_model_works_by_itself() -> None:
    encoder = gk.Sequential(gk.Dense(3, "tanh"), name="encoder")
    decoder = gk.Sequential(gk.Dense(4), name="decoder")
    model = gk.Sequential(encoder, decoder)
    x = given(model, 20)
    model.fit(x, x, loss="mean_squared_error", epochs=2, verbose=0)
    np.testing.assert_array_equal(decoder.predict(encoder.predict(x)), model.predict(x))
    assert np.shares_memory(encoder.flat_params, model.flat_params)
    before = encoder.flat_params.copy()
    decoder.fit(encoder.predict(x), x, loss="mean_squared_error", epochs=1, verbose=0)
    np.testing.assert_array_equal(encoder.flat_params, before)
    np.testing.assert_array_equal(decoder.predict(encoder.predict(x)), model.predict(x))


def test_a_model_that_becomes_a_part_keeps_its_weights() -> None:
    base = gk.Sequential(gk.Dense(3, "tanh"), gk.BatchNorm())
    x = given(base, 20)
    base.fit(x, x[:, :3], loss="mean_squared_error", epochs=2, verbose=0)
    weights, wanted = base.flat_params.copy(), base.predict(x)
    model = gk.Sequential(base, gk.Dense(2))
    model.build((4,), seed=99)
    np.testing.assert_array_equal(base.predict(x), wanted)
    np.testing.assert_array_equal(model.flat_params[: weights.size], weights)


def test_a_loss_that_is_not_finite_names_the_layer_in_the_graph() -> None:
    model = residual()
    model.build((4,))
    model.params["residual.shortcut.weight"] = np.full((4, 4), 3e38)
    x = np.full((10, 4), 10, np.float32)
    with pytest.raises(gk.NonFiniteError, match="output of Dense 'residual.shortcut'") as caught:
        model.fit(x, x[:, :3], loss="mean_squared_error", epochs=3, verbose=0)
    assert caught.value.layer == "residual.shortcut"


def test_a_program_and_a_profile_show_a_graph() -> None:
    model, _ = trained(two_inputs)
    if gk.backend.active_backend() == "native":
        assert "matmul" in str(model.program())
    assert "left, flatten" not in str(model.summary())
    assert "dense, flatten" in str(model.summary())


X, Y = gk.Input((4,)), gk.Input((3,))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: gk.Dense(3)(np.zeros(4)), TypeError, r"connects it to gyaku.Input\(shape\) or"),
        (lambda: gk.Dense(3)(X, Y), ValueError, "Dense: takes 1 input, got 2"),
        (lambda: gk.Model(X, X), ValueError, "no layer between inputs and outputs"),
        (lambda: gk.Model(X, gk.Dense), TypeError, "outputs must be results of gyaku.Input or"),
        (lambda: gk.Model(gk.Dense(1)(X), gk.Dense(1)(X)), ValueError, "must come from gyaku.Inp"),
        (lambda: gk.Model(X, gk.Dense(1)(Y)), ValueError, r"depend on Input\(\(3,\)\), which is"),
        (lambda: gk.Model((X, Y), gk.Dense(1)(X)), ValueError, r"no output depends on Input\(\(3"),
        (lambda: gk.Model((X, X), gk.Dense(1)(X)), ValueError, "an input occurs twice"),
        (lambda: gk.Input(4), TypeError, "Input: shape must be a tuple, such as"),
        (lambda: gk.Input((0,)), ValueError, "a length in shape must be at least 1, got 0"),
        (lambda: gk.Sequential(two_inputs()), ValueError, "one output in a chain, got 2 and 1"),
        (lambda: gk.Concatenate(0), ValueError, "axis 0 is that of the samples"),
        (
            lambda: gk.Model((X, Y), gk.Add()(X, Y)).build(),
            ValueError,
            r"Add 'add': inputs must have the same shape, up to axes of length 1, got \(4,\) and",
        ),
        (
            lambda: gk.Model(X, gk.Dense(1)(X)).build((5,)),
            ValueError,
            r"the model was made for \(4,\), got input_shape \(5,\)",
        ),
        (
            lambda: gk.Sequential(gk.Residual(gk.Dense(3))).build((4,)),
            ValueError,
            r"Add 'residual.add': inputs must have the same shape, got \(3,\) and \(4,\)",
        ),
        (
            lambda: two_inputs().predict(np.zeros((2, 4))),
            TypeError,
            "x must be a tuple or a dict, one for each of left, right, got ndarray",
        ),
        (
            lambda: two_inputs().predict((np.zeros((2, 4)), np.zeros((3, 2, 3)))),
            ValueError,
            r"x\['right'\] has 3 samples, the first input 2",
        ),
        (
            lambda: two_inputs().predict({"left": 1}),
            ValueError,
            "x must have the keys left, right, got left",
        ),
        (
            lambda: two_outputs().fit(np.zeros((2, 4)), np.zeros(2), loss=ENTROPY),
            TypeError,
            "y must be a tuple or a dict, one for each of digit, size",
        ),
        (
            lambda: residual().fit(np.zeros((2, 4)), [0, 1], loss=ENTROPY, loss_weights=[1]),
            ValueError,
            "loss_weights are for several outputs, the model has one",
        ),
        (
            lambda: two_outputs().fit(
                np.zeros((2, 4)),
                (np.zeros((2, 3)), np.zeros((2, 1))),
                loss=(gk.losses.SumSquaredError(), gk.losses.SumSquaredError(reduction="sum")),
            ),
            ValueError,
            "fit: the losses must all be means or all be sums",
        ),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(
    make: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make()


LIES: dict[str, Callable[[Any], Any]] = {
    "value": lambda a: a["calls"][0].__setitem__(1, [99]),
    "part": lambda a: a["calls"][0].__setitem__(0, 99),
    "output": lambda a: a.__setitem__("outputs", [99]),
    "shapes": lambda a: a.__setitem__("shapes", [[5], [2, 3]]),
    "itself": lambda a: a["layers"].__setitem__(0, {"again": 0}),
    "again": lambda a: a["layers"].__setitem__(0, {"again": 99}),
    "inputs": lambda a: a.__setitem__("inputs", ["left"]),
    "class": lambda a: a.__setitem__("class", "os.system"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_about_the_graph_is_refused(lie: str, tmp_path: Path) -> None:
    model, path = two_inputs(), tmp_path / "model.safetensors"
    model.build()
    model.save(path)
    tensors, metadata = safetensors.read(path)
    del metadata["gyaku.checksum"]
    architecture = json.loads(metadata["gyaku.architecture"])
    LIES[lie](architecture)
    metadata["gyaku.architecture"] = json.dumps(architecture)
    safetensors.write(path, tensors, metadata)
    with pytest.raises(FileError):
        gk.load(path)
