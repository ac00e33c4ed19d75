"""Lengths of padded sequences on their way through the layers of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk

X = np.array([[3, 1, 0, 0], [2, 0, 1, 0], [1, 1, 1, 1]])
LENGTHS = [2, 3, 4]


class Table(gk.Layer):
    """Rows of a table, padded with zeros."""

    takes_indices = True
    finds_lengths = True

    def build(self, input_shape):
        self.add_param("table", (4, 3), "normal")
        return (*input_shape, 3)

    def find_lengths(self, x):
        return np.array([1 + np.flatnonzero(row).max() for row in x])

    def forward(self, x, training=False):
        self.ids = np.array(x)
        return self.params["table"][x]

    def backward(self, dy):
        self.grads["table"] = 0
        np.add.at(self.grads["table"], self.ids, dy)


class Seen(gk.Layer):
    """Keeps the lengths that it gets."""

    seen: Any = "nothing"

    def forward(self, x, training=False, *, lengths=None):
        self.seen = None if lengths is None else lengths.tolist()
        return x

    def backward(self, dy):
        return dy


def seen(*layers: gk.Layer) -> Any:
    """Return what a layer behind the given ones gets."""
    last = Seen()
    gk.Sequential(Table(), *layers, last).forward(X)
    return last.seen


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [gk.Dense(5, "relu"), gk.Dropout(0.5), gk.LayerNorm()],
        [gk.Reshape((4, 3, 1)), gk.Reshape((4, -1))],
        [gk.Conv1D(2, 3, padding="same")],
    ],
    ids=["nothing", "dense", "reshape", "conv"],
)
def test_lengths_travel_through_layers_that_keep_the_steps(layers: list[gk.Layer]) -> None:
    assert seen(*layers) == LENGTHS


@pytest.mark.parametrize(
    "layer", [gk.Flatten(), gk.Reshape((3, 4)), gk.Conv1D(2, 3), gk.MaxPool1D(2)], ids=repr
)
def test_a_change_of_the_steps_ends_them(layer: gk.Layer) -> None:
    assert seen(layer) is None


def test_merged_sequences_have_the_lengths_of_the_first_that_has_some() -> None:
    x, other = gk.Input((4,), "int64"), gk.Input((4, 2))
    last = Seen()
    model = gk.Model((x, other), last(gk.Concatenate()(gk.Dense(2)(other), Table()(x))))
    model.forward((X, np.zeros((3, 4, 2))))
    assert last.seen == LENGTHS


def test_a_model_without_padded_sequences_has_no_lengths() -> None:
    last = Seen()
    gk.Sequential(gk.Dense(2), last).forward(np.zeros((3, 4, 2)))
    assert last.seen is None


def test_lengths_reach_the_layers_of_a_nested_model() -> None:
    last = Seen()
    gk.Sequential(gk.Sequential(Table()), gk.Residual(gk.Dense(3), last)).forward(X)
    assert last.seen == LENGTHS


def tagger(steps: int) -> gk.Sequential:
    model = gk.Sequential(
        gk.Embedding(4, 5, mask_zero=True),
        gk.Bidirectional(gk.LSTM(6, return_sequences=True)),
        gk.Dense(3),
    )
    model.build((steps,))
    return model


def test_more_padding_changes_no_output_of_a_real_step() -> None:
    model, wider = tagger(4), tagger(7)
    for name, values in model.params.items():
        wider.params[name] = values
    real = np.arange(4) < np.array(LENGTHS)[:, np.newaxis]
    found = wider.predict(np.pad(X, ((0, 0), (0, 3))))[:, :4]
    np.testing.assert_array_equal(found[real], model.predict(X)[real])
