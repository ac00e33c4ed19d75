"""The perceptron: logic gates by chosen weights, and what its learning rule finds."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import gyaku as gk

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
GATES = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "NAND": [1, 1, 1, 0]}
XOR = [0, 1, 1, 0]
# The weights of the textbook.
CHOSEN = {"AND": ([0.5, 0.5], -0.7), "OR": ([0.5, 0.5], -0.2), "NAND": ([-0.5, -0.5], 0.7)}


@pytest.mark.parametrize("gate", GATES)
def test_chosen_weights_make_a_gate(gate: str) -> None:
    perceptron = gk.Perceptron(*CHOSEN[gate])
    np.testing.assert_array_equal(perceptron(X), GATES[gate])
    assert [int(perceptron(row)) for row in X] == GATES[gate]


def test_two_layers_make_xor_one_after_the_other_or_as_a_layer_of_units() -> None:
    both, either, not_both = (gk.Perceptron(*CHOSEN[gate]) for gate in ("AND", "OR", "NAND"))
    np.testing.assert_array_equal(both(np.stack([either(X), not_both(X)], axis=1)), XOR)
    layer = gk.Perceptron([[0.5, -0.5], [0.5, -0.5]], bias=[-0.2, 0.7])
    np.testing.assert_array_equal(layer(X), np.stack([either(X), not_both(X)], axis=1))
    np.testing.assert_array_equal(both(layer(X)), XOR)


def test_the_output_at_the_threshold_is_zero() -> None:
    assert gk.Perceptron([1.0], bias=-1.0)([[1.0], [1.0 + 1e-9]]).tolist() == [0, 1]


def test_a_dense_layer_with_step_is_a_perceptron() -> None:
    weights, bias = np.random.default_rng(0).normal(size=(2, 3)), np.array([0.1, -0.2, 0.3])
    model = gk.Sequential(gk.Dense(3, "step"), dtype="float64")
    model.build((2,))
    model.params["dense.weight"], model.params["dense.bias"] = weights, bias
    np.testing.assert_array_equal(gk.Perceptron(weights, bias)(X), model.predict(X))


@pytest.mark.parametrize("rate", [0.1, 1.0])
@pytest.mark.parametrize("gate", GATES)
def test_the_learning_rule_finds_a_gate(gate: str, rate: float) -> None:
    perceptron = gk.Perceptron()
    history = perceptron.fit(X, GATES[gate], learning_rate=rate)
    np.testing.assert_array_equal(perceptron(X), GATES[gate])
    errors = history["errors"]
    assert errors[-1] == 0 < min(errors[:-1])
    assert history.stopped == f"no errors in epoch {len(errors)}"
    assert len(history.seconds) == len(errors)


def test_the_learning_rule_fails_on_xor_and_says_so() -> None:
    perceptron = gk.Perceptron()
    sentence = "no straight line separates the classes, as for XOR, which needs two layers"
    with pytest.warns(UserWarning, match=rf"Perceptron: the weights after epoch .*: {sentence}"):
        history = perceptron.fit(X, XOR)
    assert min(history["errors"]) > 0
    assert history.stopped.endswith(sentence)
    assert (perceptron(X) != XOR).any()


@pytest.mark.parametrize("targets", [*itertools.product([0, 1], repeat=4)])
def test_of_all_functions_of_two_bits_only_xor_and_its_negation_are_not_learnt(
    targets: tuple[int, ...],
) -> None:
    perceptron = gk.Perceptron()
    if targets in {(0, 1, 1, 0), (1, 0, 0, 1)}:
        with pytest.warns(UserWarning, match="no straight line"):
            perceptron.fit(X, targets)
    else:
        perceptron.fit(X, targets)
        assert tuple(perceptron(X)) == targets


def test_too_few_epochs_prove_nothing() -> None:
    with pytest.warns(UserWarning, match=r"^Perceptron: 1 errors in epoch 1, the last one$"):
        gk.Perceptron().fit(X, GATES["AND"], epochs=1)


def test_several_units_learn_at_once_and_from_weights_that_are_given() -> None:
    targets = np.array([GATES["AND"], GATES["OR"], GATES["NAND"]]).T
    layer = gk.Perceptron()
    layer.fit(X, targets)
    np.testing.assert_array_equal(layer(X), targets)
    for unit, gate in enumerate(GATES):
        alone = gk.Perceptron()
        alone.fit(X, GATES[gate])
        np.testing.assert_array_equal(layer.weights[:, unit], alone.weights)
    weights = np.array([1.0, 1.0])
    given = gk.Perceptron(weights, -1.5)
    assert given.fit(X, GATES["AND"])["errors"] == [0.0]
    given.fit(X, GATES["OR"])
    np.testing.assert_array_equal(weights, [1, 1])


def test_it_shows_its_weights() -> None:
    assert repr(gk.Perceptron([1, -2], bias=0.5)) == "Perceptron([1.0, -2.0], bias=0.5)"
    assert repr(gk.Perceptron()) == "Perceptron()"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gk.Perceptron([[1, 2]], 0.0), r"weights must have shape \(inputs,\) with a num"),
        (lambda: gk.Perceptron([1, np.nan]), "Perceptron: weights must hold finite numbers, got"),
        (lambda: gk.Perceptron(["a"]), r"Perceptron: weights must hold numbers, got \['a'\]"),
        (
            lambda: gk.Perceptron().fit(np.full((9, 9), np.nan), [0] * 9),
            "Perceptron: x must hold finite numbers, got nan$",
        ),
        (
            lambda: gk.Perceptron().fit(X, np.array(["no", "ok"] * 40)),
            r"Perceptron: y must hold numbers, got array\(\['no'[^\n]*$",
        ),
        (lambda: gk.Perceptron()(X), "Perceptron: there are no weights yet, give them or call fit"),
        (lambda: gk.Perceptron([1, 2])([1]), r"x must have 2 inputs a sample, got shape \(1,\)"),
        (lambda: gk.Perceptron().fit(X, [0, 1, 2, 1]), "Perceptron: y must hold 0 and 1, got 2"),
        (lambda: gk.Perceptron().fit(X, [0, 1]), r"y must have shape \(4,\), got \(2,\)"),
        (
            lambda: gk.Perceptron().fit([0, 1], [0, 1]),
            r"x must have shape \(samples, inputs",
        ),
        (lambda: gk.Perceptron().fit(X, XOR, epochs=0), "epochs must be at least 1, got 0"),
        (lambda: gk.Perceptron().fit(X, XOR, learning_rate=0), "learning_rate must be positive"),
    ],
)
def test_senseless_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
