"""Models by name: what they are made of, and that their recipes train them well."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gyaku import models
from gyaku.data import digits, mnist
from gyaku.layers import Dense, Dropout
from gyaku.model import Sequential

REAL = Path(os.environ.get("GYAKU_DATA") or Path(__file__).parents[2] / "shared" / "data")
HERE = [folder for folder in (REAL / "mnist", REAL) if any(folder.glob("train-images-idx3-ubyte*"))]


def accuracy(name: str, sets, epochs: int | None = None, seed: int = 0) -> float:
    (x, y), (x_test, y_test) = sets
    recipe = models.MODELS[name]
    model = recipe.build()
    model.fit(
        *(x, y),
        loss="softmax_cross_entropy",
        optimizer=recipe.optimizer(),
        epochs=epochs or recipe.epochs(len(x)),
        batch_size=recipe.batch_size,
        seed=seed,
        verbose=0,
    )
    return float((model.predict(x_test).argmax(axis=1) == y_test).mean())


def test_linear_is_one_dense_layer() -> None:
    model = models.linear(classes=3)
    model.build((8, 8, 1))
    assert [array.shape for array in model.params.values()] == [(64, 3), (3,)]


@pytest.mark.parametrize("hidden", [[], [5], (7, 6, 5)])
def test_an_mlp_has_the_hidden_layers_that_it_was_told(hidden) -> None:
    model = models.mlp(hidden, classes=4, activation="tanh")
    model.build((3, 2))
    dense = [layer for layer in model.layers if isinstance(layer, Dense)]
    assert [layer.units for layer in dense] == [*hidden, 4]
    assert [layer.activation for layer in dense] == ["tanh"] * len(hidden) + [None]


def test_dropout_follows_each_hidden_layer() -> None:
    model = models.mlp([5, 4], dropout=0.5)
    kinds = [type(layer) for layer in model.layers[1:]]
    assert kinds == [Dense, Dropout, Dense, Dropout, Dense]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "rleu"}, "unknown activation 'rleu', did you mean 'relu'"),
        ({"hidden": [0]}, "units must be at least 1, got 0"),
        ({"classes": 0}, "units must be at least 1, got 0"),
        ({"dropout": 1.0}, "got 1.0"),
    ],
)
def test_a_senseless_argument_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.mlp(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("samples", [1, 100, 1438, 60_000, 10**7])
@pytest.mark.parametrize("name", models.MODELS)
def test_a_recipe_has_a_sensible_number_of_epochs(name: str, samples: int) -> None:
    assert 5 <= models.MODELS[name].epochs(samples) <= 50


@pytest.mark.parametrize("name", models.MODELS)
def test_each_build_is_a_new_model(name: str) -> None:
    recipe = models.MODELS[name]
    one, two = recipe.build(), recipe.build()
    assert isinstance(one, Sequential)
    assert one is not two
    assert not set(map(id, one.layers)) & set(map(id, two.layers))
    assert recipe.optimizer() is not recipe.optimizer()


@pytest.mark.parametrize(("name", "least"), [("linear", 0.94), ("mlp", 0.97)])
def test_a_recipe_reads_the_digits(name: str, least: float) -> None:
    assert accuracy(name, digits()) >= least


@pytest.mark.skipif(not HERE, reason="MNIST is not on this machine: set GYAKU_DATA")
@pytest.mark.parametrize(("name", "least"), [("linear", 0.915), ("mlp", 0.978)])
def test_a_recipe_reads_mnist(
    name: str, least: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GYAKU_CACHE", str(tmp_path))
    assert accuracy(name, mnist(HERE[0])) >= least


def test_pixels_are_scaled_alike_however_they_come() -> None:
    (x, _), _ = digits()
    model = models.mlp([16])
    model.build(x.shape[1:])
    scaled = x.astype(np.float32) * np.float32(1 / 255)
    np.testing.assert_allclose(model.predict(x[:50]), model.predict(scaled[:50]), rtol=1e-5)
