"""The bits of a sequence depend neither on its neighbours nor on the pieces in which it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from op_case import FLOAT32, Array
from recurrent_cases import GATES, SHARED, drawn
from test_recurrent import built, each_layer, same, sequences

from gyaku import ops
from gyaku.precision import use_precision

each_op = pytest.mark.parametrize("name", GATES)
each_precision = pytest.mark.parametrize("precision", ["float32", "bfloat16"])
both_directions = pytest.mark.parametrize("reverse", [False, True])


# Sizes with remainders of vectors and tiles, and one whose steps are shared by all threads.
@each_precision
@both_directions
@pytest.mark.parametrize(
    "size", [(7, 5, 3, 4), (33, 3, 28, 20), (16, 4, 9, 33), (150, 6, 3, 4), SHARED], ids=str
)
@each_op
def test_a_row_does_not_depend_on_its_neighbours(
    name: str,
    size: tuple[int, int, int, int],
    reverse: bool,
    precision: Any,
    set_threads: Callable[[int], None],
) -> None:
    set_threads(2)
    parts = {"simple_rnn": ("b", "h0"), "lstm": ("b", "h0", "c0"), "gru": ("b", "h0")}[name]
    arrays = drawn(name, np.random.default_rng(0), FLOAT32, size, (*parts, "lengths"))

    def operation(**arrays: Array) -> Any:
        with use_precision(precision):
            return getattr(ops, name)(**arrays, reverse=reverse)

    whole = operation(**arrays)
    by_row = [key for key in arrays if key in {"x", "h0", "c0", "lengths"}]
    order = np.random.default_rng(1).permutation(size[0])
    turned = operation(**arrays | {key: arrays[key][order] for key in by_row})
    for each, other in zip(whole, turned, strict=True):
        same(each[order], other)
    changed = {key: arrays[key].copy() for key in by_row}
    changed["x"][1:], changed["lengths"][1:] = 100, size[1]
    for each, other in zip(whole, operation(**arrays | changed), strict=True):
        same(each[:1], other[:1])
    alone = {key: arrays[key][:1] for key in by_row}
    for each, other in zip(whole, operation(**arrays | alone), strict=True):
        same(each[:1], other)


@each_precision
@pytest.mark.parametrize("size", [(7, 6, 3, 4), (33, 4, 28, 20), (1, 8, 9, 33)], ids=str)
@each_op
def test_two_halves_with_carried_states_are_the_whole(
    name: str, size: tuple[int, int, int, int], precision: Any
) -> None:
    arrays = drawn(name, np.random.default_rng(0), FLOAT32, size, ("b",))
    operation, x, half = getattr(ops, name), arrays.pop("x"), size[1] // 2
    with use_precision(precision):
        whole = operation(x, **arrays)
        first = operation(x[:, :half], **arrays)
        carried = {"h0": first[1]} | ({"c0": first[2]} if name == "lstm" else {})
        second = operation(x[:, half:], **arrays, **carried)
    same(np.concatenate([first[0], second[0]], axis=1), whole[0])
    same(second[1], whole[1])


@each_precision
@each_layer
def test_one_step_at_a_time_gives_the_same_bits(make: Callable[..., Any], precision: Any) -> None:
    layer, x = built(make(21, return_sequences=True), 6, 18), sequences(2, 6, 18)
    with use_precision(precision):
        whole, state = layer.forward(x), None
        for t in range(6):
            y, state = layer.step(x[:, t].tolist() if t % 2 else x[:, t], state)
            same(y, whole[:, t])
