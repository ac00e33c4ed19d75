"""Branches that meet: side by side and back, replayed, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from errors import Mistake, refused_in_one_sentence
from op_case import Array
from recorded import fresh, numbers, record, same_as_eager

from gyaku import ops


def side_by_side(*x: Array) -> Array:
    out = fresh(*x[0].shape[:-1], sum(each.shape[-1] for each in x))
    start = 0
    for each in x:
        ops.copy_columns(each, out, start=start)
        start += each.shape[-1]
    return out


@pytest.mark.parametrize("samples", [3, 33])
def test_arrays_side_by_side_come_apart_again(samples: int) -> None:
    x = numbers(samples, 4, 5, 7)
    y = side_by_side(x, 2 * x, x[..., :3])
    np.testing.assert_array_equal(y, np.concatenate([x, 2 * x, x[..., :3]], axis=-1))
    np.testing.assert_array_equal(ops.take_columns(y, start=7, count=7), 2 * x)


@pytest.mark.parametrize("samples", [3, 300])
def test_replay_equals_eager_on_any_number_of_threads(
    samples: int, set_threads: Callable[[int], None]
) -> None:
    x = numbers(samples, 40, 21)

    def step() -> list[Array]:
        y = side_by_side(ops.tanh(x), ops.relu(x), x)
        z = ops.add(ops.take_columns(y, start=21, count=21), x)
        return [ops.add(z, ops.take_columns(y, start=0, count=21), out=z)]

    for threads in (1, 2, 3):
        set_threads(threads)
        program = same_as_eager(step, x)
        assert program.arena_bytes > 0
        assert not any(task["host"] for task in program.tasks())


def test_branches_over_the_same_samples_need_no_barrier() -> None:
    x = numbers(300, 40)
    program, _ = record(lambda: [side_by_side(ops.tanh(x), ops.add(x, x))])
    assert {task["level"] for task in program.tasks()} == {0}


ONE = np.ones((2, 3), np.float32)
MISTAKES: list[Mistake] = [
    (
        ValueError,
        "add: a and b must have shapes that can be broadcast to one, got (2, 3) and (2, 2)",
        lambda: ops.add(ONE, ONE[:, 1:]),
    ),
    (
        TypeError,
        "add: out must be an array of float32, got float64",
        lambda: ops.add(ONE, ONE, out=np.ones((2, 3))),
    ),
    (
        ValueError,
        "copy_columns: out has 3 columns, not 1 to 3",
        lambda: ops.copy_columns(ONE, ONE.copy(), start=1),
    ),
    (
        ValueError,
        "copy_columns: x and out must have the same rows, got shapes (2, 3) and (3, 9)",
        lambda: ops.copy_columns(ONE, np.ones((3, 9)), start=0),
    ),
    (
        TypeError,
        "copy_columns: out must be an array of float32 or float64, got int64",
        lambda: ops.copy_columns(ONE, np.ones((2, 3), np.int64), start=0),
    ),
    (
        ValueError,
        "take_columns: x has 3 columns, not 2 to 3",
        lambda: ops.take_columns(ONE, start=2, count=2),
    ),
]
test_a_mistake_is_refused_in_one_sentence = refused_in_one_sentence(MISTAKES)


def test_a_sum_overlaps_an_input_wholly_or_not_at_all() -> None:
    flat = np.arange(7.0)
    with pytest.raises(ValueError, match=r"^add: out must not overlap b, "):
        ops.add(np.ones(6), flat[1:], out=flat[:6])
    assert ops.add(flat, flat, out=flat) is flat
    np.testing.assert_array_equal(flat, 2 * np.arange(7.0))
