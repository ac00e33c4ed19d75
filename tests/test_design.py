"""Design questions: each hyperparameter is listed once, with its value."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from layer_cases import LAYER_CASES

import gyaku as gk
from gyaku.layers.base import LAYERS
from gyaku.model.design import _QUESTIONS
from gyaku.model.report import summary


def answers(model: gk.Model) -> dict[str, list[tuple[str, str]]]:
    """Return question and answer of each layer."""
    found: dict[str, list[tuple[str, str]]] = {}
    place = ""
    for question, answer, *_ in gk.design_questions(model).rows:
        if question.startswith("  "):
            found[place].append((question.strip(), answer))
        else:
            place = question
            found[place] = []
    return found


def test_the_questions_are_about_arguments_that_there_are() -> None:
    names = {name for cls in LAYERS.values() for name in inspect.signature(cls).parameters}
    assert set(_QUESTIONS) <= names


@pytest.mark.parametrize("name", [name for name in LAYER_CASES if name.split()[0] in LAYERS])
def test_every_argument_of_a_layer_is_listed(name: str) -> None:
    model = LAYER_CASES[name].model()
    (asked, _) = answers(model).values()
    arguments = [each for each in inspect.signature(type(model[0])).parameters if each != "name"]
    assert [question.rpartition("(")[2].strip(")") for question, _ in asked] == arguments


def test_values_shapes_and_costs_are_those_of_the_model() -> None:
    model = gk.Sequential(
        *(gk.Conv2D(20, (5, 3), padding=1, activation="relu"), gk.MaxPool2D(2), gk.Flatten()),
        *(gk.Dense(10, use_bias=False), gk.Dropout(0.3)),
    )
    before = gk.design_questions(model)
    assert "? of 5" in str(before)
    assert "not built yet" in str(before)
    model.build((28, 28, 1))
    table, layers = gk.design_questions(model), summary(model)
    rows = [[row[0], *row[2:]] for row in table.rows if not row[0].startswith("  ")]
    assert rows[:-1] == layers.rows
    assert (table.title, table.footer) == (layers.title, layers.footer)
    assert {len(row) for row in table.rows} == {len(table.header)}
    found = answers(model)
    convolution = dict(found["conv2d (Conv2D, relu)"])
    assert convolution["How many filters? (filters)"] == "20"
    assert convolution["How large is the kernel? (kernel_size)"] == "5 x 3"
    assert convolution["How many zeros surround the input? (padding)"] == "1"
    assert convolution["How far does the kernel move? (stride)"] == "1 (default)"
    pooling = dict(found["max_pool2d (MaxPool2D)"])
    assert pooling["How far does the kernel move? (stride)"] == "kernel_size (default)"
    assert ("Is there a bias? (use_bias)", "False") in found["dense (Dense)"]
    dropped = "Which fraction of the elements is dropped? (rate)"
    scaled = "When are the outputs scaled? (scaled)"
    assert found["dropout (Dropout)"] == [(dropped, "0.3"), (scaled, "training (default)")]
    assert ("How many layers have weights?", "2 of 5") in found["the whole"]


def test_a_fit_answers_loss_and_optimizer_and_shared_layers_are_asked_once() -> None:
    x, shared = gk.Input((4,)), gk.Dense(4, name="shared")
    model = gk.Model(x, shared(shared(x)))
    data = np.eye(4)
    model.fit(data, data, loss="mean_squared_error", optimizer=gk.SGD(0.5), verbose=0)
    whole = dict(answers(model)["the whole"])
    assert whole["Which loss? (loss)"] == "MeanSquaredError()"
    assert whole["Which optimizer, which learning rate? (optimizer)"] == "SGD(learning_rate=0.5)"
    table = gk.design_questions(model)
    assert str(table).count("How many units?") == 1
    assert "<td>  How many units? (units)</td><td>4</td>" in table._repr_html_()


def test_a_layer_of_ones_own_is_asked_by_its_arguments() -> None:
    class Scale(gk.Layer):
        def __init__(self, factor: float, hidden: int = 3) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return self.factor * x

    assert answers(gk.Sequential(Scale(2.5)))["scale (Scale)"] == [("factor", "2.5")]


def test_something_else_than_a_model_is_refused() -> None:
    with pytest.raises(TypeError, match="^design_questions: model must be a Model, got 3$"):
        gk.design_questions(3)
