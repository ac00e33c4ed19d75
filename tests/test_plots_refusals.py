"""Plots refuse what they cannot draw with one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import gyaku as gk
from gyaku import plots

IMAGES = np.zeros((6, 8, 8))
SEQUENCE = np.zeros((5, 2))
MODEL = gk.Sequential(gk.Conv2D(4, 3, name="first"), gk.ReLU(), gk.Flatten(), gk.Dense(3))
MODEL.build((8, 8, 1))
LSTM = gk.Sequential(gk.LSTM(4), gk.Dense(1))
LSTM.build((5, 2))
XOR = np.arange(22.0).reshape(11, 2)


def bowl(a: Any, b: Any) -> Any:
    return a**2 + 4 * b**2


def to_classes(x: Any) -> Any:
    return np.zeros((len(x), 3))


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "no filters": (
        lambda: plots.filters(MODEL, "dense"),
        "dense has no filters, only convolutions",
    ),
    "no filters at all": (
        lambda: plots.filters(gk.Sequential(gk.LSTM(4))),
        "the model has no weights yet, call build or fit first",
    ),
    "no such layer": (
        lambda: plots.filters(MODEL, "fist"),
        "unknown layer 'fist', did you mean 'first'?",
    ),
    "no such index": (lambda: plots.filters(MODEL, 9), "there is no layer 9, the model has 4"),
    "no maps": (
        lambda: plots.feature_maps(MODEL, IMAGES[0][..., None], "dense"),
        r"the output of dense has no maps, (height, width, channels), but shape (3,)",
    ),
    "no gates": (
        lambda: plots.gates(gk.Sequential(gk.SimpleRNN(4)), SEQUENCE),
        "no layer of the model has gates",
    ),
    "three inputs": (
        lambda: plots.decision_boundary(to_classes, np.zeros((4, 3)), [0] * 4),
        "x must have shape (samples, 2), since the axes are the two inputs, got (4, 3)",
    ),
    "a number": (
        lambda: plots.error_surface(lambda a, b: 1.0, (0, 1), (0, 1)),
        "f must return a value for each element of its two arrays, got shape ()",
    ),
    "a flat path": (
        lambda: plots.error_surface(bowl, (0, 1), (0, 1), paths={"a": [1, 2]}),
        "the path 'a' must have shape (steps, 2), got (2,)",
    ),
    "no paths": (
        lambda: plots.animate_paths(bowl, (0, 1), (0, 1), {}),
        "there is no path to animate",
    ),
    "a large filter": (
        lambda: plots.sliding_filter(np.eye(2), np.eye(3)),
        "the filter (3, 3) is larger than the image (2, 2)",
    ),
    "no functions": (
        lambda: plots.activations([]),
        "activations: 1 to 8 functions can be drawn: 0",
    ),
    "another scale": (
        lambda: plots.curves({"a": [1, 2]}, log="z"),
        "curves: log must be '', 'x', 'y' or 'xy', got 'z'",
    ),
    "eleven classes": (
        lambda: plots.decision_boundary(lambda x: np.eye(11)[:1].repeat(len(x), 0), XOR, range(11)),
        "decision_boundary: at most 8 classes have colours: 11",
    ),
    "labels of other steps": (
        lambda: plots.gates(LSTM, SEQUENCE, steps=["a", "b"]),
        "gates: there are 2 labels for 5 steps",
    ),
    "a filter of many positions": (
        lambda: plots.sliding_filter(np.zeros((99, 99)), np.eye(2)),
        "sliding_filter: the filter has 9604 positions, draw at most 400: a smaller",
    ),
    "no matrix": (
        lambda: plots.confusion_matrix([[1, 2]]),
        "a matrix must have shape (classes, classes), got (1, 2)",
    ),
    "names": (
        lambda: plots.confusion_matrix(np.eye(2), names=["a"]),
        "there are 1 names for 2 classes",
    ),
    "targets": (
        lambda: plots.misclassified(to_classes, IMAGES, [0, 1]),
        "y must hold a class for each of 6 samples",
    ),
    "no images": (
        lambda: plots.images(np.zeros(3)),
        "images must have shape (samples, height, width)",
    ),
    "no codes": (
        lambda: plots.hidden_codes([1, 2]),
        "codes must have shape (patterns, units), got (2,)",
    ),
    "falling rates": (
        lambda: plots.lr_finder([1, 0.1], [1, 2]),
        "the rates must be positive and rise",
    ),
    "no weights": (
        lambda: plots.gradient_sizes(gk.Sequential(gk.ReLU()), IMAGES[0], IMAGES[0], "mse"),
        "the model has no weights to train",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_bad_input_is_refused_with_one_sentence(case: str) -> None:
    call, sentence = REFUSALS[case]
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call()


def test_axes_of_something_else_are_refused() -> None:
    with pytest.raises(TypeError, match="ax must be Axes of Matplotlib, got Figure"):
        plots.images(IMAGES, ax=Figure())  # type: ignore[arg-type]


def test_something_without_a_graph_is_refused() -> None:
    message = "^graph: model must be a Model or a Variable, got ndarray$"
    with pytest.raises(TypeError, match=message):
        plots.graph(IMAGES)


def test_something_that_predicts_nothing_is_refused() -> None:
    with pytest.raises(TypeError, match="^decision_boundary: model must have predict or be calla"):
        plots.decision_boundary(3, XOR, [0] * 11)  # type: ignore[arg-type]
