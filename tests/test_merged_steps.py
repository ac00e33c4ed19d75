"""Branches of sequences that meet, in models of any number of steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk

BUILT, STEPS, FEATURES = 4, 7, 3
X = np.random.default_rng(0).standard_normal((5, STEPS, FEATURES)).astype(np.float32)
GRAPHS: dict[str, Callable[[Any], Any]] = {
    "concatenate": lambda x: gk.Dense(2)(
        gk.Concatenate()(x, gk.GRU(3, return_sequences=True)(x), gk.Dense(2, "tanh")(x))
    ),
    "frames": lambda x: gk.Concatenate(axis=2)(
        *(gk.TimeDistributed(gk.Reshape((rows, 3)))(gk.Dense(3 * rows)(x)) for rows in (1, 2))
    ),
    "vectors": lambda x: gk.Concatenate()(gk.GRU(3)(x), gk.LSTM(2, go_backwards=True)(x)),
    "add": lambda x: gk.Add()(gk.Dense(3)(x), gk.LSTM(3, return_sequences=True)(x)),
}


def built(name: str, steps: int) -> gk.Model:
    x = gk.Input((steps, FEATURES))
    model = gk.Model(x, GRAPHS[name](x))
    model.build(seed=1)
    return model


@pytest.mark.parametrize("name", GRAPHS)
def test_outputs_and_gradients_are_those_of_a_model_built_for_the_steps(name: str) -> None:
    models = built(name, BUILT), built(name, STEPS)
    for each in models:
        y = each.forward(X, training=True)
        each.backward(np.cos(np.arange(y.size)).reshape(y.shape))
    model, whole = models
    assert np.array_equal(model.forward(X), whole.forward(X))
    assert np.array_equal(model.flat_grads, whole.flat_grads)
    assert np.abs(model.flat_grads).max() > 0


def one_behind_the_other(x: Any) -> Any:
    return gk.Concatenate(axis=1)(x, gk.GRU(FEATURES, return_sequences=True)(x))


def beside_steps_of_its_own(x: Any) -> Any:
    decoded = gk.Reshape((BUILT, 2))(gk.Dense(2 * BUILT)(gk.GRU(3)(x)))
    return gk.Add()(gk.Dense(2)(x), decoded)


@pytest.mark.parametrize("graph", [one_behind_the_other, beside_steps_of_its_own])
def test_a_merge_may_need_the_number_of_steps(graph: Callable[[Any], Any]) -> None:
    x = gk.Input((BUILT, FEATURES))
    model = gk.Model(x, graph(x))
    model.build()
    assert model.predict(X[:, :BUILT]).shape[1] in (BUILT, 2 * BUILT)
    with pytest.raises(ValueError, match=rf" of shape \({STEPS},.*expects \({BUILT},"):
        model.predict(X)


def test_a_stream_concatenates_the_features_of_a_step() -> None:
    model = built("concatenate", STEPS)
    stream, whole = model.stream(), model.forward(X[:1])[0]
    assert np.array_equal([stream(step) for step in X[0]], whole)
    x = gk.Input((BUILT, FEATURES))
    model = gk.Model(x, one_behind_the_other(x))
    model.build()
    with pytest.raises(ValueError, match=r"^stream: Concatenate .* needs several steps"):
        model.stream()
