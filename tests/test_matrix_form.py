"""The matrix form of lecture notes, columns as samples, and gyaku's rows: the same numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk

UNITS, SAMPLES, STEPS = [5, 4, 3, 2], 6, 20
EPS = float(np.finfo(np.float64).eps)


class Notes:
    """Network with two hidden layers as the notes write it; a sample is a column."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.x, self.y = rng.random((UNITS[0], SAMPLES)), rng.random((UNITS[3], SAMPLES))
        sizes = pairwise(UNITS)
        self.w = [rng.normal(size=(outputs, inputs)) for inputs, outputs in sizes]
        self.theta = [rng.normal(size=(outputs, 1)) for outputs in UNITS[1:]]

    def forward(self) -> list[NDArray[Any]]:
        o, ones = [self.x], np.ones((1, SAMPLES))
        for w, theta in zip(self.w, self.theta, strict=True):
            o.append(1 / (1 + np.exp(-(w @ o[-1] + theta @ ones))))
        return o

    def step(self, eta: float) -> float:
        """Change the weights by steepest descent and return the error before."""
        o = self.forward()
        delta = [(o[3] - self.y) * o[3] * (1 - o[3])]
        for layer in (2, 1):
            delta.insert(0, (self.w[layer].T @ delta[0]) * o[layer] * (1 - o[layer]))
        for layer in range(3):
            self.w[layer] = self.w[layer] - eta * delta[layer] @ o[layer].T
            self.theta[layer] = self.theta[layer] - eta * delta[layer] @ np.ones((SAMPLES, 1))
        return float(((o[3] - self.y) ** 2).sum() / 2)


def rows(notes: Notes) -> gk.Sequential:
    """Return the same network with samples in rows."""
    layers = [gk.Dense(units, "sigmoid", name=str(n)) for n, units in enumerate(UNITS[1:])]
    model = gk.Sequential(*layers, dtype="float64")
    model.build((UNITS[0],))
    for layer in range(3):
        model.params[f"{layer}.weight"] = notes.w[layer].T
        model.params[f"{layer}.bias"] = notes.theta[layer][:, 0]
    return model


def assert_same(model: gk.Sequential, notes: Notes) -> None:
    # A step adds products of at most six values about 1, and the steps do not enlarge an error.
    tolerance = STEPS * 100 * EPS
    for layer in range(3):
        for name, wanted in (("weight", notes.w[layer].T), ("bias", notes.theta[layer][:, 0])):
            np.testing.assert_allclose(model.params[f"{layer}.{name}"], wanted, atol=tolerance)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_forward_and_backward_by_hand_are_those_of_the_notes(backend: Any) -> None:
    gk.use_backend(backend)
    notes, optimizer = Notes(), gk.SGD(0.5)
    model, loss = rows(notes), gk.losses.SumSquaredError(reduction="sum")
    for _ in range(STEPS):
        outputs = model.forward(notes.x.T, training=True)
        np.testing.assert_allclose(outputs, notes.forward()[3].T, atol=STEPS * 100 * EPS)
        error, dy = loss(outputs, notes.y.T)
        model.backward(dy)
        optimizer.step(model)
        assert float(error) == pytest.approx(notes.step(0.5), rel=STEPS * 100 * EPS)
    assert_same(model, notes)


def test_fit_on_the_full_batch_is_that_of_the_notes() -> None:
    notes = Notes()
    model = rows(notes)
    history = model.fit(
        *(notes.x.T, notes.y.T),
        loss="sum_squared_error",  # the mean over the samples
        optimizer=gk.SGD(0.5 * SAMPLES),
        batch_size=None,
        epochs=STEPS,
        verbose=0,
    )
    errors = [notes.step(0.5) for _ in range(STEPS)]
    np.testing.assert_allclose(np.multiply(history["loss"], SAMPLES), errors, rtol=1e-12)
    assert_same(model, notes)
    assert errors[-1] < errors[0]
