"""What `fit` accepts and warns of."""

from __future__ import annotations

import numpy as np
import pytest

import gyaku as gk

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    "layers",
    [[gk.Dense(3, "softmax")], [gk.Dense(3), gk.Softmax()], [gk.Dense(3, gk.Softmax())]],
    ids=str,
)
def test_a_second_softmax_is_warned_of(layers: list[gk.Layer]) -> None:
    with pytest.warns(UserWarning, match="ends with a softmax and SoftmaxCrossEntropy adds"):
        gk.Sequential(*layers).fit(X, LABELS, loss="softmax_cross_entropy", verbose=0)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_logits_behind_an_activation_are_warned_of(activation: str) -> None:
    with pytest.warns(UserWarning, match="can hardly be certain; end the model without"):
        gk.Sequential(gk.Dense(3, activation)).fit(
            X, LABELS, loss="softmax_cross_entropy", verbose=0
        )


def test_inputs_that_are_far_too_large_are_warned_of_once() -> None:
    model = gk.Sequential(gk.Dense(3))
    with pytest.warns(UserWarning, match="fit: x is not scaled: the root mean square of a feature"):
        model.fit(1000 * X, LABELS, loss="softmax_cross_entropy", verbose=0)
    model.fit(1000 * X, LABELS, loss="softmax_cross_entropy", verbose=0)
    for first in (gk.BatchNorm(), gk.Rescaling(1e-3), gk.Normalization(0, 1000)):
        scaled = gk.Sequential(first, gk.Dense(3))
        scaled.fit(1000 * X, LABELS, loss="softmax_cross_entropy", verbose=0)
