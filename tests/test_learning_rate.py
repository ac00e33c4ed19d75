"""The learning-rate finder: data for a picture, a suggestion, and a model left as it was."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import gyaku as gk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=(6, 1))).astype(np.float32)


def network() -> gk.Sequential:
    return gk.Sequential(gk.Dense(8, "tanh"), gk.Dropout(0.1), gk.Dense(1))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", gk.Momentum(0.5)], ids=str)
def test_the_suggested_rate_trains_and_a_tenth_of_the_last_one_is_worse(optimizer: Any) -> None:
    found = gk.find_learning_rate(network(), X, Y, loss="mse", optimizer=optimizer, highest=100)
    assert found.rates.shape == found.losses.shape
    assert found.rates[0] == 1e-6
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e8) / 99, rtol=1e-6)
    assert found.rates[0] < found.suggestion < found.rates[-1]

    def loss_with(rate: float) -> float:
        kind = gk.optim.optimizer(optimizer)
        made = type(kind)(rate)
        options: Any = {"loss": "mse", "optimizer": made, "epochs": 3, "verbose": 0}
        return float(network().fit(X, Y, **options)["loss"][-1])

    assert loss_with(found.suggestion) < loss_with(found.suggestion / 100)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_losses_are_those_of_the_batches(reduction: str) -> None:
    model = gk.Sequential(gk.Dense(1))
    model.build((6,), seed=0)
    loss = gk.losses.MeanSquaredError(reduction=reduction)
    options: Any = {"loss": loss, "optimizer": "sgd", "batch_size": 40, "shuffle": False}
    # So small a rate changes nothing; of 15 steps no two are averaged.
    found = gk.find_learning_rate(model, X, Y, lowest=1e-30, highest=2e-30, steps=15, **options)
    for place in range(5):
        rows = slice(40 * place, 40 * place + 40)
        expected = model.evaluate(X[rows], Y[rows], loss=loss)["loss"]
        np.testing.assert_allclose(found.losses[place::5], expected, rtol=1e-5)


def test_the_model_and_the_optimizer_stay_as_they_were() -> None:
    model, optimizer = network(), gk.Adam(0.01)
    gk.find_learning_rate(model, X, Y, loss="mse", optimizer=optimizer)
    assert not model.built
    model.fit(X, Y, loss="mse", optimizer=optimizer, verbose=0)
    before = pickle.loads(pickle.dumps(model))
    found = gk.find_learning_rate(model, X, Y, optimizer=optimizer)
    assert model.flat_params.tobytes() == before.flat_params.tobytes()
    assert optimizer.state["m"].tobytes() == before.optimizer.state["m"].tobytes()
    assert (model.clock, model.epochs_begun) == (before.clock, before.epochs_begun)
    assert optimizer.learning_rate == 0.01
    assert model.fit(X, Y, loss="mse", optimizer=optimizer, verbose=0).epochs == 1
    assert "suggestion" in repr(found)


def test_the_picture_marks_the_suggestion() -> None:
    found = gk.find_learning_rate(network(), X, Y, loss="mse")
    axes = found.plot()
    assert axes.texts[0].get_text() == f"steepest at {found.suggestion:.2g}"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), found.rates)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lowest": 0}, "lowest must be"),
        ({"highest": 1e-7}, "highest must be"),
        ({"steps": 1}, "steps must be at least 2, got 1"),
        ({"lowest": 1e30, "highest": 1e31, "optimizer": "sgd"}, "give a smaller lowest"),
    ],
    ids=["lowest", "highest", "steps", "diverges"],
)
def test_senseless_arguments_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gk.find_learning_rate(network(), X, Y, **{"loss": "mse", **options})
