"""Masking: padded steps are zero, and count nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk

X = np.array([[[1.0, 2.0], [9.0, 9.0], [3.0, 9.0], [9.0, 9.0]], [[9.0, 9.0]] * 4, [[4.0, 5.0]] * 4])
LENGTHS = [3, 1, 4]


def test_lengths_end_behind_the_last_real_step() -> None:
    found = gk.Masking(9.0).find_lengths(X)
    assert found.tolist() == LENGTHS
    assert gk.Masking(9.0).find_lengths(X[..., np.newaxis]).tolist() == LENGTHS


def test_padded_steps_are_zero_and_have_no_gradient() -> None:
    layer = gk.Masking(9.0)
    y = layer.forward(X)
    expected = np.where((X == 9).all(axis=2, keepdims=True), 0, X)
    np.testing.assert_array_equal(y, expected)
    dx = layer.backward(np.ones_like(X))
    np.testing.assert_array_equal(dx[:, :, 0] == 0, (X == 9).all(axis=2))


def tagger(*first: gk.Layer, **options: Any) -> gk.Sequential:
    layers = [gk.LSTM(3, return_sequences=True), gk.Dense(2)]
    return gk.Sequential(*first, *layers, seed=0, **options)


def sequences(count: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sequences padded with -1, targets, and lengths."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(count, 5, 3)), rng.normal(size=(count, 5, 2))
    lengths = rng.integers(1, 6, count)
    x[np.arange(5) >= lengths[:, np.newaxis]] = -1
    return x, y, lengths


def test_the_loss_counts_real_steps_alone() -> None:
    x, y, lengths = sequences()
    model = tagger(gk.Masking(-1.0), dtype="float64")
    found = model.evaluate(x, y, loss="mse")["loss"]
    real = np.arange(5) < lengths[:, np.newaxis]
    expected = np.square(model.predict(x)[real] - y[real]).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("by_length", [False, True])
def test_training_is_that_with_given_lengths(by_length: bool) -> None:
    x, y, lengths = sequences()
    zeros = np.where(np.arange(5)[:, np.newaxis] < lengths[:, np.newaxis, np.newaxis], x, 0)
    options: Any = {"loss": "mse", "epochs": 2, "batch_size": 4, "verbose": 0, "seed": 1}
    masked, given = tagger(gk.Masking(-1.0)), tagger()
    masked.fit(x, y, by_length=by_length, **options)
    given.fit(zeros, y, lengths=lengths, by_length=by_length, **options)
    np.testing.assert_array_equal(masked.flat_params, given.flat_params)


def test_it_comes_first() -> None:
    with pytest.raises(ValueError, match=r"^Masking 'masking': finds lengths in the data, so it"):
        gk.Sequential(gk.Dense(3), gk.Masking()).build((4, 2))
    with pytest.raises(ValueError, match=r"takes sequences, \(steps, features\), got samples of"):
        gk.Sequential(gk.Masking()).build((4,))
    with pytest.raises(ValueError, match="value"):
        gk.Masking(np.inf)
