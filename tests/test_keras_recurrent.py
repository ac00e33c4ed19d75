"""Recurrent layers on padded sequences are those of Keras under its masks."""

from __future__ import annotations

from typing import Any

import keras_recurrent
import numpy as np
import pytest
from keras_recurrent import CASES, MASK, UNITS, converted

import gyaku as gk

RECORDED = keras_recurrent.load()
LENGTHS = np.array(keras_recurrent.LENGTHS)
LAST = np.arange(len(LENGTHS)), LENGTHS - 1
each_case = pytest.mark.parametrize("case", CASES)


def at_its_time(case: str, outputs: Any) -> Any:
    """Return outputs in the order of time; Keras has them in the order of their computation."""
    return outputs[:, ::-1] if "go_backwards" in CASES[case][1] else outputs


@each_case
def test_outputs_and_gradients_are_those_of_keras(case: str) -> None:
    (kind, options, both), record = CASES[case], RECORDED[case]
    layer: Any = getattr(gk, kind)(UNITS, return_sequences=True, **options)
    model = gk.Sequential(gk.Bidirectional(layer) if both else layer, dtype="float64")
    x = np.array(record["x"])
    model.build(x.shape[1:])
    halves = 2 if both else 1

    def ours(arrays: list[Any]) -> list[Any]:
        each = len(arrays) // halves
        parts = [arrays[start : start + each] for start in range(0, len(arrays), each)]
        return [array for part in parts for array in converted(kind, part)]

    for param, value in zip(model.params.values(), ours(record["weights"]), strict=True):
        param[...] = value
    y = model.forward(x, training=True, lengths=LENGTHS)
    expected = at_its_time(case, np.array(record["y"]))
    np.testing.assert_allclose(y[MASK], expected[MASK], rtol=1e-12, atol=1e-14)
    dx = model.backward(at_its_time(case, np.array(record["dy"])), input_gradient=True)
    np.testing.assert_allclose(dx, np.array(record["dx"]), rtol=1e-11, atol=1e-14)
    for grad, value in zip(model.grads.values(), ours(record["grads"]), strict=True):
        np.testing.assert_allclose(grad, value, rtol=1e-11, atol=1e-14)


@each_case
def test_padded_outputs_are_zero_here_and_repeated_in_a_lone_layer_of_keras(case: str) -> None:
    (kind, options, both), record = CASES[case], RECORDED[case]
    y = at_its_time(case, np.array(record["y"]))
    blank = both or "go_backwards" in options
    expected = np.zeros_like(y) if blank else np.broadcast_to(y[LAST][:, np.newaxis], y.shape)
    np.testing.assert_array_equal(y[~MASK], expected[~MASK])
    layer: Any = getattr(gk, kind)(UNITS, return_sequences=True, **options)
    model = gk.Sequential(gk.Bidirectional(layer) if both else layer)
    found = model.forward(np.array(record["x"]), lengths=LENGTHS)
    np.testing.assert_array_equal(found[~MASK], 0)


def test_a_mask_reaches_loss_accuracy_and_training_as_in_keras() -> None:
    record = RECORDED["tagger"]
    ids, tags = np.array(record["ids"]), np.array(record["tags"])
    model = gk.Sequential(
        gk.Embedding(keras_recurrent.WORDS, keras_recurrent.FEATURES, mask_zero=True),
        gk.LSTM(UNITS, return_sequences=True),
        gk.Dense(keras_recurrent.CLASSES),
        dtype="float64",
    )
    model.build(ids.shape[1:])
    for param, value in zip(model.params.values(), record["weights"], strict=True):
        param[...] = value

    def measured() -> list[float]:
        loss = "softmax_cross_entropy"
        return list(model.evaluate(ids, tags, loss=loss, metrics="accuracy").values())

    np.testing.assert_allclose(measured(), record["before"], rtol=1e-6)
    model.fit(
        *(ids, tags),
        loss="softmax_cross_entropy",
        optimizer=gk.SGD(keras_recurrent.RATE),
        batch_size=None,
        verbose=0,
        epochs=1,
    )
    np.testing.assert_allclose(measured(), record["after"], rtol=1e-6)
    for param, value in zip(model.params.values(), record["trained"], strict=True):
        np.testing.assert_allclose(param, value, rtol=1e-6, atol=1e-9)
