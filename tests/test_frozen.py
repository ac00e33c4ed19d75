"""Frozen layers: no gradient, no update, and everything else as if they were constants."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk

Array = np.ndarray[Any, Any]

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 60)
IMAGES = np.random.default_rng(2).normal(size=(20, 8, 8, 3)).astype(np.float32)


def three() -> gk.Sequential:
    model = gk.Sequential(gk.Dense(5, "tanh"), gk.Dense(6, "tanh"), gk.Dense(3))
    model.build((4,), seed=3)
    return model


def fit(model: gk.Model, x: Array = X, y: Array = Y, **options: Any) -> gk.History:
    arguments = {"optimizer": "momentum", "epochs": 2, "batch_size": 16, "verbose": 0, **options}
    return model.fit(x, y[: len(x)], loss="softmax_cross_entropy", **arguments)


def weights(model: gk.Model) -> dict[str, bytes]:
    return {name: view.tobytes() for name, view in model.params.items()}


def changed(before: dict[str, bytes], model: gk.Model) -> set[str]:
    return {
        name.rpartition(".")[0] for name, value in weights(model).items() if value != before[name]
    }


ALL = {"dense", "dense_2", "dense_3"}


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("frozen", [{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}], ids=str)
def test_frozen_layers_stay_and_the_others_learn(frozen: set[int], backend: Any) -> None:
    with gk.use_backend(backend):
        model = three()
        for index in frozen:
            model.layers[index].trainable = False
        before = weights(model)
        fit(model, optimizer=gk.Adam(0.01, weight_decay=0.1))
    assert changed(before, model) == {model.layers[i].name for i in {0, 1, 2} - frozen}


class Masked(gk.Momentum):
    """Momentum that zeroes part of the gradients."""

    masks: Callable[[], None]

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
        gradients()
        self.masks()
        update()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_others_learn_as_if_the_frozen_ones_had_gradients_of_zero(index: int) -> None:
    model, other = three(), three()
    name = other.layers[index].name
    model.layers[index].trainable = False
    optimizer = Masked(0.1)

    def masks() -> None:
        for key in ("weight", "bias"):
            other.grads[f"{name}.{key}"] = np.zeros_like(other.grads[f"{name}.{key}"])

    optimizer.masks = masks
    fit(model, optimizer=gk.Momentum(0.1))
    fit(other, optimizer=optimizer)
    assert weights(model) == weights(other)


def products(model: gk.Model) -> int:
    return sum("matmul" in task["name"] for task in model.captured["tasks"])


def test_no_gradient_is_computed_that_nobody_needs() -> None:
    counts = {}
    for frozen in ((), (0,), (0, 1), (1,), (2,), (1, 2)):
        model = three()
        for index in frozen:
            model.layers[index].trainable = False
        fit(model)
        counts[frozen] = products(model)
    # Three forward; for weights three, for inputs two.
    assert counts == {(): 8, (0,): 6, (0, 1): 4, (1,): 7, (2,): 7, (1, 2): 6}


@pytest.mark.parametrize(
    "layer",
    [
        gk.Conv2D(4, 3),
        gk.Conv2DTranspose(4, 3),
        gk.DepthwiseConv2D(3),
        gk.LayerNorm(),
        gk.BatchNorm(),
    ],
    ids=str,
)
def test_every_layer_with_parameters_can_be_frozen(layer: gk.Layer) -> None:
    first = gk.Conv2D(3, 1)
    model = gk.Sequential(first, layer, gk.Flatten(), gk.Dense(3))
    layer.trainable = False
    model.build((8, 8, 3))
    before, buffers = weights(model), model.flat_buffers.copy()
    fit(model, IMAGES)
    assert changed(before, model) == {"conv2d", "dense"}
    assert all(not view.any() for view in layer.grads.values())
    np.testing.assert_array_equal(model.flat_buffers, buffers)
    layer.trainable = True
    fit(model, IMAGES)
    assert changed(before, model) == {"conv2d", "dense", layer.name}


def test_a_frozen_convolution_before_a_pooling_is_still_a_pair() -> None:
    first, second = gk.Conv2D(16, 3), gk.Conv2D(4, 3)
    model = gk.Sequential(first, second, gk.ReLU(), gk.MaxPool2D(2), gk.Flatten(), gk.Dense(3))
    second.trainable = False
    fit(model, IMAGES)
    assert "max_pool2d_backward" not in str(model.program())
    assert not any(view.any() for view in second.grads.values())
    assert any(view.any() for view in first.grads.values())


def test_a_frozen_batch_norm_normalises_by_what_it_learned() -> None:
    norm = gk.BatchNorm()
    model = gk.Sequential(gk.Dense(5), norm, gk.Dense(3))
    fit(model)
    norm.trainable = False
    before = {name: view.copy() for name, view in norm.buffers.items()}
    np.testing.assert_array_equal(model.forward(X[:9], training=True), model.forward(X[:9]))
    fit(model)
    for name, view in norm.buffers.items():
        np.testing.assert_array_equal(view, before[name])
    fit(model, X[:17])  # a last batch of one sample has no variance, and needs none
    norm.trainable = True
    with pytest.raises(ValueError, match="needs at least 2 samples a step"):
        fit(model, X[:17])


def test_freezing_counts_from_the_next_fit_on() -> None:
    model = three()
    fit(model)
    for frozen in ("dense_2", "dense", ""):
        for layer in model.layers:
            layer.trainable = layer.name != frozen
        before = weights(model)
        fit(model)
        assert changed(before, model) == ALL - {frozen}


def test_an_optimizer_goes_on_while_the_same_layers_are_frozen() -> None:
    model, other = three(), three()
    for each in (model, other):
        each.layers[0].trainable = False
    optimizer = gk.Adam(0.01)
    fit(model, optimizer=optimizer, epochs=1, shuffle=False)
    fit(model, optimizer=optimizer, epochs=1, shuffle=False)
    assert optimizer.clock[0] == 8
    fit(other, optimizer=gk.Adam(0.01), epochs=2, shuffle=False)
    assert weights(model) == weights(other)


def test_moved_parameters_are_found_by_name_everywhere() -> None:
    model = three()
    model.layers[1].trainable = False
    before = {name: view.copy() for name, view in model.params.items()}
    y = model.predict(X)
    assert model.trained.flat_params.size < model.flat_params.size  # which moves them
    np.testing.assert_array_equal(model.predict(X), y)
    for name, view in model.params.items():
        np.testing.assert_array_equal(view, before[name])
        assert np.shares_memory(view, model.flat_params)
        layer, _, key = name.rpartition(".")
        assert view is next(each for each in model.layers if each.name == layer).params[key]
    model.params["dense.weight"] = np.zeros((4, 5))
    assert not np.array_equal(model.predict(X), y)


@pytest.mark.parametrize("frozen", ["features", "head"])
def test_a_model_within_a_model_is_frozen_whole(frozen: str) -> None:
    features = gk.Sequential(gk.Dense(5, "tanh"), gk.Residual(gk.Dense(5)), name="features")
    head = gk.Sequential(gk.Dense(6), gk.Dense(3), name="head")
    model = gk.Sequential(features, head)
    part = {"features": features, "head": head}[frozen]
    part.trainable = False
    assert (part.trainable, model.trainable) == (False, True)
    model.build((4,))
    before = weights(model)
    fit(model)
    assert all(not name.startswith(frozen) for name in changed(before, model))
    assert len(changed(before, model)) == 2
    np.testing.assert_array_equal(head.predict(features.predict(X)), model.predict(X))


def test_a_part_shows_into_the_moved_parameters() -> None:
    first, second = (
        gk.Sequential(gk.Dense(5), name="first"),
        gk.Sequential(gk.Dense(5), name="second"),
    )
    model = gk.Sequential(first, second, gk.Dense(3))
    model.build((4,))
    second.trainable = False
    fit(model)
    assert np.shares_memory(first.flat_params, model.flat_params)
    assert np.shares_memory(second.params["dense.bias"], model.params["second.dense.bias"])
    np.testing.assert_array_equal(first.params["dense.bias"], model.params["first.dense.bias"])
    before = weights(model)
    second.trainable = True
    second.fit(X @ np.ones((4, 5), np.float32), Y, loss="softmax_cross_entropy", verbose=0)
    assert changed(before, model) == {"second.dense"}


def test_a_shared_layer_is_frozen_at_every_use() -> None:
    x = gk.Input((4,))
    shared = gk.Dense(4, "tanh")
    model = gk.Model(x, gk.Dense(3)(shared(gk.Dense(4)(shared(x)))))
    shared.trainable = False
    model.build()
    before = weights(model)
    fit(model)
    layers = {name.rpartition(".")[0] for name in before}
    assert changed(before, model) == layers - {shared.name}
    assert not any(view.any() for view in shared.grads.values())


def test_a_step_by_hand_leaves_frozen_layers_alone() -> None:
    model = three()
    optimizer = gk.Adam(0.1, weight_decay=0.1)
    for frozen in (0, 1):
        for index, layer in enumerate(model.layers):
            layer.trainable = index != frozen
        before = weights(model)
        for _ in range(3):
            model.forward(X, training=True)
            model.backward(np.ones((60, 3), np.float32))
            optimizer.step(model)
        assert changed(before, model) == ALL - {model.layers[frozen].name}


def test_the_gradient_of_the_inputs_flows_through_frozen_layers() -> None:
    model, other = three(), three()
    model.trainable = False
    for each in (model, other):
        each.forward(X, training=True)
    dy = np.ones((60, 3), np.float32)
    found, wanted = (each.backward(dy, input_gradient=True) for each in (model, other))
    np.testing.assert_array_equal(found, wanted)
    assert not model.flat_grads.any()


def test_files_and_copies_keep_what_is_frozen(tmp_path: Path) -> None:
    model = gk.Sequential(gk.Residual(gk.Dense(4), gk.Dense(4)), gk.Dense(3))
    model.layers[0].layers[1].trainable = False
    model.build((4,))
    model.save(tmp_path / "model.safetensors")
    copies = [gk.load(tmp_path / "model.safetensors"), copy.deepcopy(model)]
    copies.append(pickle.loads(pickle.dumps(model)))
    for each in copies:
        assert [layer.trainable for layer in each.plan.layers] == [True, False, True, True]
        before = weights(each)
        fit(each)
        assert changed(before, each) == {"residual.dense", "dense"}
    model.trainable = True
    model.save(tmp_path / "model.safetensors")
    assert "trainable" not in (tmp_path / "model.safetensors").read_bytes().decode("latin-1")


def test_copies_and_files_of_a_frozen_residual_are_frozen(tmp_path: Path) -> None:
    model = gk.Sequential(gk.Residual(gk.Dense(4), shortcut=gk.Dense(4)), gk.Dense(3))
    model.layers[0].trainable = False
    model.build((4,))
    model.save(tmp_path / "model.safetensors")
    for each in (model, copy.deepcopy(model), gk.load(tmp_path / "model.safetensors")):
        assert [part.trainable for part in each.layers] == [False, True]
    model.layers[0].layers[1].trainable = True  # the shortcut
    assert model.layers[0].trainable


@pytest.mark.parametrize("wrapper", [gk.Bidirectional, gk.TimeDistributed])
def test_a_layer_that_was_frozen_before_it_was_wrapped_stays_frozen(wrapper: Any) -> None:
    inner = gk.GRU(4)
    inner.trainable = False
    layer = wrapper(inner)
    assert [each.trainable for each in (layer, copy.copy(layer))] == [False, False]
    layer.trainable = True
    assert [each.trainable for each in (layer, copy.copy(layer))] == [True, True]


def test_the_summary_counts_what_is_frozen(capsys: pytest.CaptureFixture[str]) -> None:
    model = three()
    model.layers[0].trainable = False
    text = model.summary()
    assert "dense (Dense, tanh, frozen)" in text
    assert "dense_2 (Dense, tanh)" in text
    assert "82 parameters (57 trainable, 25 frozen) in " in text
    model.trainable = True
    assert "frozen" not in model.summary()
    capsys.readouterr()


def test_a_model_that_is_all_frozen_cannot_be_trained() -> None:
    model = three()
    model.trainable = False
    assert not model.trainable
    with pytest.raises(ValueError, match="fit: all layers are frozen, set trainable = True for"):
        fit(model)
    fresh = gk.Sequential(gk.Dense(3))
    fresh.trainable = False
    with pytest.raises(ValueError, match="fit: all layers are frozen"):
        fit(fresh)


@pytest.mark.parametrize("made", [lambda: gk.Dense(3), three], ids=["layer", "model"])
@pytest.mark.parametrize("given", ["no", None, 0])
def test_trainable_is_true_or_false(made: Callable[[], Any], given: Any) -> None:
    part = made()
    with pytest.raises(TypeError, match=r": trainable must be True or False, got "):
        part.trainable = given
    assert part.trainable
