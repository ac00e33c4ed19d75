"""Arguments of layers that make no sense: one sentence each, when the layer is made or built."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.table import Table

MADE: dict[str, tuple[Callable[[], Any], str]] = {
    "padding mode": (lambda: gk.Pad(1, mode="mirror"), 'mode must be one of "'),
    "step": (lambda: gk.layers.Slice(0, 2, 0), "step must not be 0"),
    "mean alone": (
        lambda: gk.Normalization(mean=1.0),
        "give both mean and std, or neither and call adapt(x)",
    ),
    "lengths of statistics": (
        lambda: gk.Normalization(mean=[1.0, 2.0], std=[1.0]),
        "mean and std must have the same length, got 2 and 1",
    ),
    "scale and size": (lambda: gk.Upsample(2, size=(4, 4)), "takes scale or size, got both"),
    "interpolation": (lambda: gk.Upsample(2, mode="lanczos"), 'mode must be one of "'),
    "corners of the nearest": (
        lambda: gk.Upsample(2, mode="nearest", align_corners=True),
        'align_corners is for interpolation, not for mode "nearest"',
    ),
    "dropout": (
        lambda: gk.Dropout(0.5, scaled="always"),  # type: ignore[arg-type]
        'scaled must be "training" or "prediction", got \'always\'',
    ),
}
BUILT: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "reflected by one element": (
        lambda: gk.Pad(1, mode="reflect"),
        (1, 3, 2),
        'mode "reflect" needs at least 2 elements along axis 1',
    ),
    "cropped to nothing": (
        lambda: gk.Crop(2),
        (4, 4, 1),
        "cropping 2 leaves nothing of samples of shape (4, 4, 1)",
    ),
    "an empty slice": (
        lambda: gk.layers.Slice(3, 3),
        (5, 2),
        "the slice 3:3:1 of axis 1 leaves",
    ),
    "no axes before the channels": (
        lambda: gk.Upsample(2),
        (3,),
        "samples must have axes before the channels, got shape (3,)",
    ),
    "scaled to nothing": (
        lambda: gk.Upsample(0.1),
        (4, 4, 1),
        "scale 0.1 leaves nothing of 4 elements",
    ),
    "vectors": (lambda: gk.layers.MatMul(), ((3,), (3,)), "inputs must be matrices, got"),
    "matrices that do not fit": (
        lambda: gk.layers.MatMul(),
        ((2, 3), (4, 5)),
        "inputs of shape (2, 3) and (4, 5) have no product",
    ),
    "an axis too many": (
        lambda: gk.Concatenate(3),
        ((2, 3), (2, 3)),
        "inputs of shape (2, 3) have no axis 3",
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_an_argument_without_sense_is_one_sentence(name: str) -> None:
    make, reason = MADE[name]
    with pytest.raises(ValueError, match=re.escape(reason)) as raised:
        make()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", BUILT)
def test_a_shape_that_a_layer_cannot_take_is_one_sentence(name: str) -> None:
    make, shape, reason = BUILT[name]
    several = isinstance(shape[0], tuple)
    inputs = [gk.Input(each) for each in (shape if several else (shape,))]
    with pytest.raises(ValueError, match=re.escape(reason)) as raised:
        gk.Model(inputs, make()(*inputs)).build()
    assert "\n" not in str(raised.value)


def test_a_layer_that_is_not_in_a_model_is_named() -> None:
    model = gk.Sequential(gk.Dense(3, name="first"), gk.ReLU())
    assert model["first"] is model[0]
    with pytest.raises(KeyError, match="unknown layer 'fist', did you mean 'first'"):
        model["fist"]
    with pytest.raises(IndexError, match="there is no layer 2, the model has 2"):
        model[2]


def test_a_number_is_no_batch() -> None:
    model = gk.Sequential(gk.Dense(3))
    model.build((2,))
    with pytest.raises(ValueError, match=r"^forward: x must have a sample axis, got the number 1"):
        model.forward(1.0)


def test_a_table_is_shown_as_text_and_in_notebooks() -> None:
    table = Table("a < b", ("name", "value"), [("x & y", "1"), ("z", "20")], "end")
    lines = str(table).splitlines()
    assert lines == ["a < b", "name   value", "-----  -----", "x & y      1", "z         20", "end"]
    assert repr(table) == str(table)
    html = table._repr_html_()
    assert "<caption>a &lt; b</caption>" in html
    assert "<tr><td>x &amp; y</td><td>1</td></tr><tr><td>z</td><td>20</td></tr>" in html


def test_sparse_inputs_and_sets_are_named_with_the_remedy() -> None:
    class Sparse:
        def toarray(self) -> Any:
            return np.zeros((2, 2))

    for given, reason in (
        (Sparse(), "got a sparse Sparse; x.toarray() makes it one"),
        ({1.0, 2.0}, "got a set, which has no order; a list has"),
    ):
        model = gk.Sequential(gk.Dense(1))
        model.build((2,))
        with pytest.raises(TypeError, match=re.escape(reason)):
            model.fit(given, [[0.0], [1.0]], loss="mse")
