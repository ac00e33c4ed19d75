"""A rewrite of neighbouring tasks keeps every bit that anybody reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recorded import Array, K, M, N, fresh, names, numbers, record, same_as_eager

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
        _core.activation_backward("tanh", z, work, out=work)
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


@pytest.mark.parametrize("size", [40, 780])  # b in place, or packed before the product
def test_column_sums_of_what_the_product_becomes_are_right(size: int) -> None:
    a, first = numbers(size, size), numbers(size, size, seed=1)
    b = first.copy()

    def step() -> list[Array]:
        b[...] = first
        if _core.recording():  # what the step begins with
            _core.host(lambda: np.copyto(b, first), [first], [b])
        z = ops.matmul(a, b)
        _core.activation("relu", z, out=b)
        return [ops.sum_rows(b)]

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


def relu_then_dropout(x: Array, dy: Array, clock: Array, *, stream: int) -> list[Array]:
    y = ops.relu(x)
    kept = ops.dropout(y, clock, rate=0.4, seed=3, stream=7)
    dropped = ops.dropout(dy, clock, rate=0.4, seed=3, stream=stream)
    return [kept, ops.relu_backward(dropped, y)]


def test_dropout_after_relu_is_undone_in_one_pass_without_drawing_again() -> None:
    x, dy, clock = numbers(M, N), numbers(M, N, seed=1), np.array([5])
    dy[0, :8] = [np.nan, np.inf, -np.inf, 0, -0.0, 1e-38, 3e38, 1]
    program = same_as_eager(lambda: relu_then_dropout(x, dy, clock, stream=7), x)
    assert "dropout + relu_backward" in names(program)
    assert names(program).count("dropout") == 1


def test_column_sums_do_not_overtake_who_reads_what_they_overwrite() -> None:
    a, b, sums = numbers(M, K), numbers(K, N, seed=1), numbers(N, seed=2)

    def step() -> list[Array]:
        y, before = ops.matmul(a, b), ops.tanh(sums)
        ops.sum_rows(b, out=sums)
        return [y, before]

    program, (_, before) = record(step)
    sums[...] = 0.5
    _core.replay([(program, 1)])
    np.testing.assert_array_equal(before, ops.tanh(np.full(N, 0.5, np.float32)))
    assert sums.tobytes() == ops.sum_rows(b).tobytes()


def test_dropout_and_relu_are_undone_before_the_product_is_stored() -> None:
    x, clock = numbers(M, N), np.zeros(1, np.int64)
    gradient, weights = numbers(M, K, seed=1), numbers(K, N, seed=2)

    def step() -> list[Array]:
        y = ops.relu(x)
        kept = ops.dropout(y, clock, rate=0.4, seed=3, stream=7)
        dropped = ops.matmul(gradient, weights)
        return [
            kept,
            ops.relu_backward(ops.dropout(dropped, clock, rate=0.4, seed=3, stream=7), y),
        ]

    assert "matmul + dropout + relu_backward" in names(same_as_eager(step, x))


def test_dropout_of_another_layer_is_not_taken_for_this_one() -> None:
    x, dy, clock = numbers(M, N), numbers(M, N, seed=1), np.array([5])
    program = same_as_eager(lambda: relu_then_dropout(x, dy, clock, stream=8), x)
    assert names(program).count("dropout") == 2


def test_dropout_of_another_step_is_not_taken_for_this_one() -> None:
    x, dy = numbers(M, N), numbers(M, N, seed=1)
    clock = np.array([5])

    def step() -> list[Array]:
        clock[0] = 5
        if _core.recording():
            _core.host(lambda: clock.fill(5), [], [clock])
        y = ops.relu(x)
        kept = ops.dropout(y, clock, rate=0.4, seed=3, stream=7)
        ops.advance(clock, 1)
        return [kept, ops.relu_backward(ops.dropout(dy, clock, rate=0.4, seed=3, stream=7), y)]

    assert names(same_as_eager(step, x)).count("dropout") == 2


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "elu", "relu"])
def test_a_squared_error_takes_the_derivative_of_its_outputs_along(function: str) -> None:
    z, t = numbers(M, N), numbers(M, N, seed=1)

    def step() -> list[Array]:
        y = getattr(ops, function)(z)
        loss, dy = ops.mean_squared_error(y, t)
        return [loss, getattr(ops, function + "_backward")(dy, y)]

    assert f"squared_error + {function}_backward" in names(same_as_eager(step, z))


def test_a_squared_error_whose_gradient_is_read_elsewhere_stays() -> None:
    z, t = numbers(M, N), numbers(M, N, seed=1)

    def step() -> list[Array]:
        y = ops.sigmoid(z)
        loss, dy = ops.mean_squared_error(y, t)
        return [loss, dy, ops.sigmoid_backward(dy, y)]

    assert "squared_error" in names(same_as_eager(step, z))


def gather_and_rescale(data: Array, *, scale: float, offset: float = 0.0) -> list[Array]:
    order, cursor = np.arange(M)[::-1].copy(), np.zeros(1, np.int64)
    batch = fresh(M // 2, K)
    ops.gather(data, order, cursor, batch)
    return [ops.rescale(batch, scale=scale, offset=offset)]


def test_a_gather_scales_what_it_converts(a: Array) -> None:
    program = same_as_eager(lambda: gather_and_rescale(a, scale=1 / 255), a)
    assert names(program) == ["gather + rescale"]


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 1.0), (-1.0, 0.0), (0.0, 0.0)])
def test_what_a_gather_would_do_otherwise_stays(scale: float, offset: float, a: Array) -> None:
    program = same_as_eager(lambda: gather_and_rescale(a, scale=scale, offset=offset), a)
    assert names(program) == ["gather", "rescale"]


def test_a_batch_that_is_scaled_already_stays(a: Array) -> None:
    def step() -> list[Array]:
        batch = fresh(M, K)
        ops.gather(a, np.arange(M), np.zeros(1, np.int64), batch, scale=0.3)
        return [ops.rescale(batch, scale=0.7)]

    assert names(same_as_eager(step, a)) == ["gather", "rescale"]


@pytest.mark.parametrize("elsewhere", [ops.tanh, lambda x: ops.rescale(x, scale=2.0)])
def test_a_batch_that_is_read_elsewhere_stays(elsewhere: Any, a: Array) -> None:
    def step() -> list[Array]:
        batch = fresh(M, K)
        ops.gather(a, np.arange(M), np.zeros(1, np.int64), batch)
        return [ops.rescale(batch, scale=0.5), elsewhere(batch)]

    assert names(same_as_eager(step, a))[0] == "gather"


def gather_twice(data: Array, *, scales: tuple[float, float]) -> list[Array]:
    order, cursor = np.arange(M)[::-1].copy(), np.zeros(1, np.int64)
    x, t = fresh(M, K), fresh(M, K)
    for out, scale in zip((x, t), scales, strict=True):
        ops.gather(data, order, cursor, out, scale=scale)
    loss, dy = ops.mean_squared_error(ops.tanh(x), t)
    return [loss, dy]


@pytest.mark.parametrize(("scales", "times"), [((0.5, 0.5), 1), ((0.5, 0.25), 2)])
def test_rows_that_are_inputs_and_targets_are_gathered_once(
    scales: tuple[float, float], times: int
) -> None:
    data = numbers(M, K)
    program = same_as_eager(lambda: gather_twice(data, scales=scales), data)
    assert names(program).count("gather") == times


def test_gathered_rows_that_change_are_gathered_twice() -> None:
    data, order, cursor = numbers(M, K), np.arange(M), np.zeros(1, np.int64)

    def step() -> list[Array]:
        x, t = fresh(M, K), fresh(M, K)
        ops.gather(data, order, cursor, x)
        ops.gather(data, order, cursor, t)
        ops.sgd(x, t, np.array([1.0, 0.5, 1.0, 1.0]))
        return [ops.matmul(x, t, transpose_b=True)]

    assert names(same_as_eager(step, data)).count("gather") == 2
