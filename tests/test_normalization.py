"""Normalization: constants of training data, kept with the model; and a model's metadata."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk

RNG = np.random.default_rng(0)
X = RNG.normal([5.0, -100.0, 7.0], [2.0, 30.0, 0.0], (60, 3))
Y = (X[:, 0] > 5).astype(int)


def adapted() -> gk.Normalization:
    layer = gk.Normalization()
    layer.adapt(X)
    return layer


def test_training_data_get_mean_zero_and_deviation_one() -> None:
    model = gk.Sequential(adapted(), dtype="float64")
    y = model.forward(X)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), [1, 1, 0], atol=1e-12)  # a constant stays one


def test_it_changes_neither_the_initial_weights_nor_the_fit_on_normalised_data() -> None:
    with_layer = gk.Sequential(adapted(), gk.Dense(8, "relu"), gk.Dense(2), dtype="float64")
    without = gk.Sequential(gk.Dense(8, "relu"), gk.Dense(2), dtype="float64")
    layer = gk.Sequential(adapted(), dtype="float64")
    for model, x in ((with_layer, X), (without, layer.forward(X))):
        model.fit(x, Y, loss="softmax_cross_entropy", epochs=3, seed=1, verbose=0)
    np.testing.assert_array_equal(with_layer.flat_params, without.flat_params)


@pytest.mark.parametrize("way", ["file", "pickle", "copy", "unbuilt"])
def test_constants_and_metadata_are_kept(way: str, tmp_path: Path) -> None:
    model = gk.Sequential(adapted(), gk.Dense(2))
    if way != "unbuilt":
        model.build((3,))
    model.metadata = {"classes": ["no", "yes"], "year": 1998}
    if way == "file":
        model.save(tmp_path / "m.safetensors")
        found: Any = gk.load(tmp_path / "m.safetensors")
    else:
        found = copy.deepcopy(model) if way == "copy" else pickle.loads(pickle.dumps(model))
    assert found.layers[0].config() == model.layers[0].config()
    assert found.metadata == model.metadata
    if way != "unbuilt":
        np.testing.assert_array_equal(found.predict(X), model.predict(X))


def test_metadata_that_json_lacks_are_refused(tmp_path: Path) -> None:
    model = gk.Sequential(gk.Dense(2))
    model.build((3,))
    model.metadata = {"when": object()}
    with pytest.raises(TypeError, match="save: metadata must hold what JSON has"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: gk.Normalization(mean=1.0), "give both mean and std, or neither"),
        (lambda: gk.Normalization((1, 2), (1, 2, 3)), "must have the same length, got 2 and 3"),
        (lambda: gk.Normalization(0.0, -1.0), "std must be at least 0, got -1.0"),
        (lambda: gk.Normalization((0.0, "a"), 1.0), r"mean\[1\] must be a number, got 'a'"),
        (lambda: gk.Sequential(gk.Normalization()).build((3,)), r"call adapt\(x\) with training"),
        (
            lambda: gk.Sequential(gk.Normalization((1, 2), 1)).build((3,)),
            r"have 2 values, the last axis of the input \(3,\) has 3",
        ),
        (lambda: gk.Normalization().adapt(np.zeros((0, 3))), "adapt needs finite data"),
        (lambda: gk.Normalization().adapt([[np.nan]]), r"needs finite data, \(samples"),
    ],
)
def test_mistakes_are_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()


def test_adapt_comes_before_the_model_is_built() -> None:
    model = gk.Sequential(gk.Normalization(0, 1), gk.Dense(1))
    model.build((3,))
    with pytest.raises(ValueError, match="adapt comes before the model is built"):
        model.layers[0].adapt(X)
