"""Models of Keras: outputs, gradients and weights are its own, and come back."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import keras_models
import numpy as np
import pytest

import gyaku as gk
from gyaku.interop import from_keras, load_weights, to_keras

RECORDED = keras_models.load()
each_model = pytest.mark.parametrize("name", keras_models.MODELS)


def restored(text: str, path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "from_keras: .*: left out", UserWarning)
        return from_keras(keras_models.file_of(text, path))


def given(record: dict[str, Any], key: str) -> Any:
    arrays = [np.array(each) for each in record[key]]
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


def listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


@each_model
def test_outputs_and_gradients_are_those_of_keras(name: str, tmp_path: Path) -> None:
    record = RECORDED[name]
    model = restored(record["keras"], tmp_path / "model.keras")
    assert model.dtype == np.float64
    found = listed(model.forward(given(record, "x")))
    for ours, theirs in zip(found, record["y"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    model.backward(given(record, "dy"))
    gradients = restored(record["gradients"], tmp_path / "gradients.keras")
    checked = 0
    for layer in model.plan.layers:
        if not layer.trainable:
            continue
        path = model.plan.paths[id(layer)]
        for param in layer.params:
            key = f"{path}.{param}"
            ours, theirs = model.grads[key], gradients.params[key]
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12, err_msg=key)
            checked += 1
    assert checked >= 5


@each_model
def test_an_old_file_has_the_same_model(name: str, tmp_path: Path) -> None:
    record = RECORDED[name]
    new = restored(record["keras"], tmp_path / "model.keras")
    old = restored(record["h5"], tmp_path / "model.h5")
    assert repr(new.layers) == repr(old.layers)
    np.testing.assert_array_equal(old.flat_params, new.flat_params)
    np.testing.assert_array_equal(old.flat_buffers, new.flat_buffers)


@each_model
def test_a_model_comes_back(name: str, tmp_path: Path) -> None:
    record = RECORDED[name]
    model = restored(record["keras"], tmp_path / "model.keras")
    to_keras(model, tmp_path / "again.keras")
    again = from_keras(tmp_path / "again.keras")
    x, dy = given(record, "x"), given(record, "dy")
    for a, b in zip(listed(model.forward(x)), listed(again.forward(x)), strict=True):
        np.testing.assert_array_equal(a, b)
    model.backward(dy)
    again.backward(dy)
    assert model.flat_grads.size == again.flat_grads.size
    for key in model.grads:
        np.testing.assert_array_equal(
            model.grads[key],
            again.grads[key.replace(".", "_", 1) if key not in again.grads else key],
        )


@each_model
def test_weights_come_back(name: str, tmp_path: Path) -> None:
    record = RECORDED[name]
    model = restored(record["keras"], tmp_path / "model.keras")
    to_keras(model, tmp_path / "model.weights.h5")
    other = restored(record["keras"], tmp_path / "model.keras")
    other.flat_params.fill(0)
    load_weights(other, tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other.flat_params, model.flat_params)


def test_equal_models_are_equal_files(tmp_path: Path) -> None:
    for ending in (".keras", ".weights.h5"):
        contents = []
        for number in range(2):
            model = gk.Sequential(gk.Conv1D(3, 2), gk.LSTM(2), gk.Dense(2))
            model.build((5, 4))
            to_keras(model, tmp_path / f"{number}{ending}")
            contents.append((tmp_path / f"{number}{ending}").read_bytes())
        assert contents[0] == contents[1]


def test_what_acts_in_training_alone_is_named(tmp_path: Path) -> None:
    path = keras_models.file_of(RECORDED["images"]["keras"], tmp_path / "model.keras")
    with pytest.warns(UserWarning, match=re.escape("SpatialDropout2D of spatial_dropout2d")):
        from_keras(path)


def test_a_frozen_layer_stays_frozen(tmp_path: Path) -> None:
    model = restored(RECORDED["graph"]["keras"], tmp_path / "model.keras")
    frozen = {layer.name for layer in model.plan.layers if not layer.trainable}
    assert frozen == {"frozen"}
    to_keras(model, tmp_path / "again.keras")
    again = from_keras(tmp_path / "again.keras")
    assert {layer.name for layer in again.plan.layers if not layer.trainable} == {"head_frozen"}


def test_lengths_of_any_number_of_steps(tmp_path: Path) -> None:
    model = gk.Sequential(gk.Embedding(9, 3, mask_zero=True), gk.LSTM(4), gk.Dense(2))
    model.build((7,))
    to_keras(model, tmp_path / "model.keras")
    again = from_keras(tmp_path / "model.keras")
    x = np.array([[3, 1, 4, 1, 5, 0, 0, 0, 0], [2, 7, 1, 8, 2, 8, 1, 8, 3]])
    np.testing.assert_array_equal(again.forward(x), model.forward(x))
