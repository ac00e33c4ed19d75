"""A convolution pools its own rows where nobody else wants them, and keeps every bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recorded import Array, fresh, names, numbers, record, same_as_eager

from gyaku import _core, ops

IMAGES = 33
POOLED = "conv2d + max_pool2d"


@pytest.fixture(autouse=True)
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without, and convolve directly."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")
    monkeypatch.setenv("GYAKU_WINOGRAD", "0")


def images(*shape: int) -> Array:
    """Return images of few different numbers, so that many windows have several maxima."""
    x = np.round(numbers(*shape), 1)
    x[0, 0, 0, :1] = np.nan
    return x


def pooled(x: Array, w: Array, b: Array, window: int = 2, **pool: Any) -> list[Array]:
    return list(ops.max_pool2d(ops.conv2d(x, w, b, padding=1, activation="relu"), window, **pool))


@pytest.mark.parametrize("channels", [(1, 3), (3, 8), (4, 20), (2, 33), (17, 30)])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (2, 3), (3, 2), (24, 40)])
def test_rows_are_pooled_by_the_convolution(
    size: tuple[int, int], channels: tuple[int, int]
) -> None:
    inputs, filters = channels
    x, w, b = images(IMAGES, *size, inputs), numbers(3, 3, inputs, filters), numbers(filters)
    program = same_as_eager(lambda: pooled(x, w, b), x)
    assert POOLED in names(program)


@pytest.mark.parametrize("channels", [(1, 3, 8), (1, 24, 2), (4, 6, 2), (1, 5, 3), (1, 1, 20)])
@pytest.mark.parametrize("size", [(8, 8), (4, 256)])
def test_rows_of_several_groups_are_pooled_too(
    size: tuple[int, int], channels: tuple[int, int, int]
) -> None:
    inputs, filters, groups = channels
    x, w = images(IMAGES, *size, inputs * groups), numbers(3, 3, inputs, filters * groups)

    def step() -> list[Array]:
        y = ops.conv2d(x, w, numbers(filters * groups), groups=groups, padding=1, activation="relu")
        return list(ops.max_pool2d(y, 2))

    same_as_eager(step, x)


def test_an_activation_of_its_own_is_pooled_too() -> None:
    x, w = images(IMAGES, 6, 6, 2), numbers(3, 3, 2, 5)

    def step() -> list[Array]:
        return list(ops.max_pool2d(ops.tanh(ops.conv2d(x, w)), 2))

    assert "conv2d + tanh + max_pool2d" in names(same_as_eager(step, x))


def test_rows_that_fill_the_stack_are_pooled() -> None:
    x, w, b = images(IMAGES, 4, 256, 1), numbers(3, 3, 1, 30), numbers(30)
    assert POOLED in names(same_as_eager(lambda: pooled(x, w, b), x))


def test_images_too_wide_for_the_stack_are_pooled_afterwards() -> None:
    x, w, b = images(IMAGES, 2, 300, 1), numbers(3, 3, 1, 40), numbers(40)
    assert "max_pool2d" in names(same_as_eager(lambda: pooled(x, w, b), x))


@pytest.mark.parametrize(
    "pool",
    [{"window": 3}, {"stride": 1}, {"padding": 1}, {"dilation": 2}, {"ceil_mode": True}],
    ids=str,
)
def test_other_windows_are_pooled_afterwards(pool: dict[str, Any]) -> None:
    x, w, b = images(IMAGES, 7, 7, 2), numbers(3, 3, 2, 5), numbers(5)
    assert "max_pool2d" in names(same_as_eager(lambda: pooled(x, w, b, **pool), x))


def test_a_few_images_are_pooled_afterwards() -> None:
    x, w, b = images(3, 8, 8, 2), numbers(3, 3, 2, 5), numbers(5)
    assert "max_pool2d" in names(same_as_eager(lambda: pooled(x, w, b), x))


def test_rows_that_are_read_elsewhere_stay() -> None:
    x, w = images(IMAGES, 8, 8, 2), numbers(3, 3, 2, 5)

    def step() -> list[Array]:
        y = ops.conv2d(x, w)
        return [*ops.max_pool2d(y, 2), ops.tanh(y)]

    assert POOLED not in names(same_as_eager(step, x))


def test_rows_that_are_read_after_the_replay_stay() -> None:
    x, w = images(IMAGES, 8, 8, 2), numbers(3, 3, 2, 5)

    def step() -> list[Array]:
        y = ops.conv2d(x, w)
        return [*ops.max_pool2d(y, 2), y]

    assert POOLED not in names(same_as_eager(step, x))


def test_rows_in_an_array_of_the_caller_stay() -> None:
    x, w = images(IMAGES, 8, 8, 2), numbers(3, 3, 2, 5)
    y = np.empty((IMAGES, 6, 6, 5), np.float32)
    program, _ = record(lambda: list(ops.max_pool2d(ops.conv2d(x, w, out=y), 2)))
    y[...] = 0
    _core.replay([(program, 1)])
    assert y.tobytes() == ops.conv2d(x, w).tobytes()


def test_rows_that_change_before_they_are_pooled_stay() -> None:
    x, w = images(IMAGES, 8, 8, 2), numbers(3, 3, 2, 5)
    change = numbers(IMAGES, 6, 6, 5)

    def step() -> list[Array]:
        y = fresh(IMAGES, 6, 6, 5)
        ops.conv2d(x, w, out=y)
        ops.sgd(y, change, np.array([1.0, 0.5, 1.0, 1.0]))
        return list(ops.max_pool2d(y, 2))

    assert POOLED not in names(same_as_eager(step, x))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_pool_the_same_bits(threads: int) -> None:
    x, w, b = images(IMAGES, 9, 8, 3), numbers(3, 3, 3, 20), numbers(20)
    eager = [each.tobytes() for each in pooled(x, w, b)]
    program, results = record(lambda: pooled(x, w, b))
    before = _core.num_threads()
    _core.set_num_threads(threads)
    try:
        _core.replay([(program, 1)])
    finally:
        _core.set_num_threads(before)
    assert [each.tobytes() for each in results] == eager
