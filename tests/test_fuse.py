"""A rewrite of neighbouring tasks keeps every bit that anybody reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recorded import Array, K, M, N, names, numbers, record, same_as_eager

from gyaku import _core, ops


@pytest.fixture(autouse=True)
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


@pytest.fixture
def a() -> Array:
    return numbers(M, K)


@pytest.fixture
def b() -> Array:
    return numbers(K, N, seed=1)


def test_an_activation_of_a_private_product_is_part_of_it(a: Array, b: Array) -> None:
    program = same_as_eager(lambda: [ops.tanh(ops.matmul(a, b))], a)
    assert "matmul + tanh" in names(program)


def test_a_derivative_of_a_private_product_is_part_of_it(a: Array, b: Array) -> None:
    saved = numbers(M, N, seed=2)
    program = same_as_eager(lambda: [ops.tanh_backward(ops.matmul(a, b), saved)], a)
    assert "matmul + tanh_backward" in names(program)


def test_column_sums_are_part_of_the_product_of_the_same_matrix(a: Array, b: Array) -> None:
    program = same_as_eager(lambda: [ops.matmul(a, b), ops.sum_rows(b)], b)
    assert "matmul + sum_rows" in names(program)


@pytest.mark.parametrize("elsewhere", [ops.sigmoid, ops.sum_rows, lambda z: ops.relu(z[:, :5])])
def test_a_product_that_is_read_elsewhere_stays(elsewhere: Any, a: Array, b: Array) -> None:
    def step() -> list[Array]:
        z = ops.matmul(a, b)
        return [ops.tanh(z), elsewhere(z)]

    assert "matmul + tanh" not in names(same_as_eager(step, a))


def test_a_product_that_is_read_after_the_replay_stays(a: Array, b: Array) -> None:
    def step() -> list[Array]:
        z = ops.matmul(a, b)
        return [ops.tanh(z), z]

    same_as_eager(step, a)


def test_a_product_in_an_array_of_the_caller_stays(a: Array, b: Array) -> None:
    z = np.empty((M, N), np.float32)
    program, _ = record(lambda: [ops.tanh(ops.matmul(a, b, out=z))])
    z[...] = 0
    _core.replay([(program, 1)])
    assert z.tobytes() == ops.matmul(a, b).tobytes()


def test_a_derivative_at_the_product_itself_is_right(a: Array, b: Array) -> None:
    def step() -> list[Array]:
        z = ops.matmul(a, b)
        return [ops.silu_backward(z, z)]

    same_as_eager(step, a)


def test_a_derivative_that_replaces_what_was_saved_is_right(a: Array, b: Array) -> None:
    saved, work = numbers(M, N, seed=2), np.empty((M, N), np.float32)

    def step() -> list[Array]:
        z = ops.matmul(a, b)
        work[...] = saved
        if _core.recording():  # what the step begins with
            _core.host(lambda: np.copyto(work, saved), [saved], [work])
        _core.activation_backward(z, work, work, "tanh", 0.0)
        return [work]

    same_as_eager(step, a)


def test_column_sums_of_one_column_are_right(a: Array) -> None:
    column = numbers(K, 1)
    same_as_eager(lambda: [ops.matmul(a, column), ops.sum_rows(column)], column)


def test_column_sums_within_the_result_are_right(a: Array, b: Array) -> None:
    def step() -> list[Array]:
        z = ops.matmul(a, b)
        ops.sum_rows(b, out=z[0])
        return [z]

    same_as_eager(step, a)


def layers(x: Array, weights: list[Array], out: Array) -> list[Array]:
    """Compute something like a training step, with all that may be rewritten."""
    first, second = weights
    hidden = ops.relu(ops.matmul(x, first))
    y = ops.gelu(ops.matmul(hidden, second))
    dz = ops.gelu_backward(y, y)
    dhidden = ops.relu_backward(ops.matmul(dz, second, transpose_b=True), hidden)
    ops.matmul(hidden, dz, out=out, transpose_a=True)
    return [y, out, ops.sum_rows(dz), ops.softmax(dhidden)]


@pytest.mark.parametrize("optimize", ["0", "1"])
@pytest.mark.parametrize("rows", [1, 3, 8, 70])
def test_optimized_or_not_the_bits_are_those_of_the_calls(
    rows: int, optimize: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
    x, out = numbers(rows, K), np.empty((N, 5), np.float32)
    weights = [numbers(K, N, seed=1), numbers(N, 5, seed=2)]
    program = same_as_eager(lambda: layers(x, weights, out), x)
    fused = [name for name in names(program) if "+" in name]
    assert bool(fused) == (optimize == "1")
    assert bool(program.arena_bytes) == (optimize == "1")
