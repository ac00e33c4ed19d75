"""Models of sequences with any number of steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk

STEPS, BUILT = 12, 9
RNG = np.random.default_rng(7)
LENGTHS = RNG.integers(1, STEPS + 1, 23)
IDS = np.where(np.arange(STEPS) < LENGTHS[:, np.newaxis], RNG.integers(1, 9, (23, STEPS)), 0)


class Doubled(gk.Layer):
    """Layer in NumPy that treats all steps alike."""

    any_steps = True

    def build(self, input_shape):
        return input_shape

    def forward(self, x, training=False):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


MODELS: dict[str, Callable[[], list[gk.Layer]]] = {
    "lstm": lambda: [gk.LSTM(5, return_sequences=True), gk.Dense(3)],
    "bidirectional": lambda: [
        gk.Bidirectional(gk.GRU(4, return_sequences=True)),
        gk.Dropout(0.5),
        gk.LayerNorm(),
        gk.Dense(3, "tanh"),
    ],
    "each": lambda: [
        gk.TimeDistributed(gk.Reshape((2, 2))),
        gk.TimeDistributed(gk.Flatten()),
        gk.SimpleRNN(5, return_sequences=True, go_backwards=True),
        gk.ReLU(),
    ],
    "last": lambda: [gk.BatchNorm(), gk.LSTM(5), gk.Reshape((5, 1)), gk.Flatten()],
    "numpy": lambda: [Doubled(), gk.LSTM(5, return_sequences=True), Doubled()],
}


def model_of(name: str, steps: int | None = BUILT) -> gk.Sequential:
    model = gk.Sequential(gk.Embedding(9, 4, mask_zero=True), *MODELS[name](), seed=1)
    if steps:
        model.build((steps,))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_outputs_do_not_depend_on_the_number_of_steps(name: str) -> None:
    model, whole = model_of(name), model_of(name, STEPS)
    wanted = whole.predict(IDS)
    assert np.array_equal(model.predict(IDS), wanted)
    assert np.array_equal(model.predict(IDS, batch_size=4), wanted)
    assert np.array_equal(model.forward(IDS), wanted)
    for row, length, each in zip(IDS, LENGTHS, wanted, strict=True):
        expected = each[:length] if each.ndim == 2 else each
        assert np.array_equal(model.predict(row[np.newaxis, :length])[0], expected)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_and_training_are_those_of_a_model_built_for_the_steps(name: str) -> None:
    model, whole = model_of(name), model_of(name, STEPS)
    for each in (model, whole):
        y = each.forward(IDS, training=True)
        each.backward(np.cos(np.arange(y.size)).reshape(y.shape))
    assert np.array_equal(model.flat_grads, whole.flat_grads)
    assert np.abs(model.flat_grads).max() > 0
    y = np.sin(np.arange(y.size)).reshape(y.shape)
    given: dict[str, Any] = {"loss": "mse", "epochs": 3, "batch_size": 5, "verbose": 0}
    histories = [each.fit(IDS, y, **given) for each in (model, whole)]
    assert histories[0]["loss"] == histories[1]["loss"]
    assert np.array_equal(model.flat_params, whole.flat_params)
    assert model.evaluate(IDS, y) == whole.evaluate(IDS, y)


def test_a_validation_may_have_other_steps_than_the_training() -> None:
    model = model_of("lstm", None)
    y = np.zeros((len(IDS), STEPS), np.int64)
    more, labels = (np.pad(each, ((0, 0), (0, 2))) for each in (IDS, y))
    history = model.fit(
        *(IDS, y),
        loss="softmax_cross_entropy",
        validation_data=(more, labels),
        epochs=1,
        verbose=0,
    )
    assert model.input_shape == (STEPS,)
    assert history["val_loss"][0] == model.evaluate(IDS, y)["loss"]


def two() -> gk.Model:
    a, b = gk.Input((BUILT, 2)), gk.Input((BUILT, 2))
    return gk.Model([a, b], gk.Add()(a, b))


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (lambda: gk.Sequential(gk.Embedding(9, 4), gk.Flatten(), gk.Dense(2)), IDS),
        (lambda: gk.Sequential(gk.Embedding(9, 4), gk.Reshape((BUILT, 2, 2))), IDS),
        (lambda: gk.Sequential(gk.Embedding(9, 4), gk.Conv1D(3, 3), gk.LSTM(2)), IDS),
        (lambda: gk.Sequential(gk.Embedding(9, 4), gk.MaxPool1D(2), gk.LSTM(2)), IDS),
        (lambda: gk.Sequential(gk.ReLU(), gk.Softmax()), IDS.astype(np.float32)),
        (two, [np.ones((3, STEPS, 2))] * 2),
    ],
    ids=["flatten", "reshape", "conv", "pool", "features", "inputs"],
)
def test_a_layer_may_need_the_number_of_steps(model: Callable[[], gk.Model], x: Any) -> None:
    built = model()
    built.build(None if built.input_shapes else (BUILT,))
    for call in (built.forward, built.predict):
        with pytest.raises(ValueError, match=rf" of shape \({STEPS},.*expects \({BUILT},"):
            call(x)


def test_features_must_fit() -> None:
    model = gk.Sequential(gk.LSTM(3, return_sequences=True))
    model.build((BUILT, 4))
    with pytest.raises(ValueError, match=r"samples of shape \(12, 5\), the model expects \(9, 4\)"):
        model.predict(np.zeros((2, STEPS, 5)))
