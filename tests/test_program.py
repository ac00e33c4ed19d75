"""A program's memory, order and life: what a replay gives is what the calls gave."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from recorded import Array, K, M, N, fresh, names, numbers, record, same_as_eager

from child import output
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


# Memory.


def test_memory_given_back_while_recording_belongs_to_nobody(a: Array, b: Array) -> None:
    # The caller's array may come to lie where one of the program's own had been.
    held: list[Array] = []

    def step() -> list[Array]:
        for _ in range(20):
            address = fresh(M, N).ctypes.data
            held.append(_core.zeros((M, N), np.float32))
            if held[-1].ctypes.data == address:
                break
        ops.matmul(a, b, out=held[-1])
        return [ops.sum_rows(held[-1])]

    program, _ = record(step)
    held[-1][...] = 0
    _core.replay([(program, 1)])
    assert held[-1].tobytes() == ops.matmul(a, b).tobytes()


def test_intermediate_results_share_memory_and_outputs_do_not() -> None:
    x, square = numbers(2000, K), numbers(K, K, seed=1)

    def step() -> list[Array]:
        y = x
        for _ in range(6):
            weights = ops.matmul(y, ops.softmax(y), transpose_a=True)  # needs all rows: a barrier
            y = ops.tanh(ops.matmul(ops.matmul(y, weights), square))
        return [y]

    program = same_as_eager(step, x)
    assert 0 < program.arena_bytes < program.temporary_bytes


def test_a_program_and_its_arrays_go_together(a: Array, b: Array) -> None:
    class Seen(np.ndarray[Any, Any]):
        """An array that can be watched."""

    watched: list[weakref.ref[Any]] = []

    def step() -> list[Array]:
        z = np.empty((M, N), np.float32).view(Seen)
        watched.append(weakref.ref(z))
        return [ops.matmul(a, b, out=z)]

    program = record(step)[0]
    gc.collect()
    assert watched[0]() is not None
    _core.replay([(program, 1)])
    del program
    gc.collect()
    assert watched[0]() is None


# Order.


def levels(program: Any) -> dict[str, int]:
    return {task["name"]: task["level"] for task in program.tasks()}


def test_tasks_over_the_same_rows_need_no_barrier() -> None:
    x = numbers(4000, 50)
    program = same_as_eager(lambda: [ops.softmax(ops.tanh(x))], x)
    assert levels(program) == {"tanh": 0, "softmax": 0}
    assert all(task["shared"] for task in program.tasks())


def test_rows_of_overlapping_views_need_a_barrier() -> None:
    x, flat = numbers(4000, 50), np.zeros((4001, 50), np.float32)

    def step() -> list[Array]:
        _core.activation("tanh", x, out=flat[:-1])
        return [ops.sigmoid(flat[1:])]

    program = same_as_eager(step, x)
    assert levels(program) == {"tanh": 0, "sigmoid": 1}


def test_what_is_overwritten_is_read_first() -> None:
    x, y = numbers(4000, 50), np.empty((4000, 50), np.float32)
    sums = np.empty(50, np.float32)

    def step() -> list[Array]:
        _core.activation("tanh", x, out=y)
        ops.sum_rows(y, out=sums)
        _core.activation("sigmoid", x, out=y)
        return [sums, y]

    program = same_as_eager(step, x)
    assert levels(program) == {"tanh": 0, "sum_rows": 1, "sigmoid": 2}


def test_what_is_gathered_from_is_written_first() -> None:
    # Of the source only a batch is read, but any part of it may be.
    source, x = np.empty((4000, 50), np.float32), numbers(2000, 50)
    order, cursor = np.arange(2000, 4000)[::-1].copy(), np.zeros(1, np.int64)
    batch = np.empty((300, 50), np.float32)

    def step() -> list[Array]:
        _core.activation("tanh", x, out=source[2000:])
        _core.gather(source, order, cursor, batch, 1.0)
        return [batch]

    program = same_as_eager(step, x)
    assert levels(program)["tanh"] < levels(program)["gather"]


def test_a_sum_is_accumulated_before_it_is_read() -> None:
    totals, slot = np.zeros(4), np.full(1, 3)
    value, copy = np.ones(1), np.zeros(1)

    def step() -> list[Array]:
        totals[...] = copy[...] = 0
        ops.accumulate(value, totals, slot, weight=2.0)
        ops.accumulate(totals[3:], copy, np.zeros(1, np.int64), weight=1.0)
        return []

    program, _ = record(step)
    written = [size for task in program.tasks() for _, size in task["writes"]]
    assert written == [totals.nbytes, copy.nbytes]


# Pointers.


def test_a_number_that_equals_an_address_stays_as_it_is() -> None:
    x, clock = numbers(500, 40), np.zeros(1, np.int64)
    seeds: list[int] = []

    def step() -> list[Array]:
        z = ops.tanh(x)
        seeds.append(z.ctypes.data)  # which moves into the arena, but the seed must not
        return [ops.sigmoid(ops.dropout(z, clock, rate=0.5, seed=seeds[0], stream=0))]

    program = same_as_eager(step, x)
    assert program.arena_bytes > 0


# Life.


def test_an_empty_program_does_nothing() -> None:
    program, _ = record(list)
    assert program.tasks() == []
    _core.replay([(program, 5), (_core.Program(), 2)], 3)
    _core.replay([])
    assert program.profile(1) == []


def test_a_program_answers_with_copies(a: Array, b: Array) -> None:
    given, factor = fresh(M, K), b.astype(np.float32)
    program, (product,) = record(lambda: [ops.matmul(given, factor)])
    for scale in (1, -2):
        x = np.asfortranarray(scale * a)
        (found,) = program.answer([x], [given], [product])
        assert found.tobytes() == ops.matmul(np.ascontiguousarray(x), factor).tobytes()
        assert found.flags.owndata
        assert not np.shares_memory(found, product)
    (turned,) = program.answer([a], [given], [product.T])
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, product.T)


def test_a_program_answers_for_the_arrays_it_has(a: Array) -> None:
    given = fresh(M, K)
    program, (total,) = record(lambda: [ops.sum_rows(given)])
    with pytest.raises(ValueError, match="an array for each input"):
        program.answer([], [given], [total])
    with pytest.raises(ValueError, match="expected arrays"):
        program.answer([[1.0]], [given], [total])
    with pytest.raises(ValueError, match="could not broadcast"):
        program.answer([a[:, 1:]], [given], [total])
    program.begin()
    with pytest.raises(ValueError, match="still being recorded"):
        program.answer([a], [given], [total])
    program.abort()


def test_a_program_can_be_recorded_again(a: Array, b: Array) -> None:
    program, _ = record(lambda: [ops.matmul(a, b)])
    program.abort()
    assert program.tasks() == []
    program.begin()
    y = ops.tanh(a)
    program.end([y])
    assert names(program) == ["tanh"]


def test_a_thread_records_one_program_at_a_time() -> None:
    program = _core.Program()
    program.begin()
    with pytest.raises(ValueError, match="records a program already"):
        program.begin()
    with pytest.raises(ValueError, match="records a program already"):
        _core.Program().begin()
    with pytest.raises(ValueError, match="being recorded"):
        _core.replay([(program, 1)])
    program.abort()
    with pytest.raises(ValueError, match="end without begin"):
        program.end()


def in_another_thread(function: Callable[[], object]) -> list[ValueError]:
    errors: list[ValueError] = []

    def call() -> None:
        try:
            function()
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return errors


def test_a_program_is_recorded_by_one_thread() -> None:
    program = _core.Program()
    program.begin()
    x = numbers(M, N)
    for function in (program.begin, program.end, program.abort):
        (error,) = in_another_thread(function)
        assert "on this thread" in str(error) or "another thread" in str(error)
    (error,) = in_another_thread(lambda: _core.replay([(program, 1)]))
    assert "being recorded" in str(error)
    assert not in_another_thread(lambda: ops.tanh(x))  # which is not recorded here
    ops.relu(x)
    program.end()
    assert names(program) == ["relu"]


def test_a_program_that_nobody_holds_goes_on_recording() -> None:
    code = """
import numpy as np
from gyaku import _core, ops
_core.Program().begin()
ops.tanh(np.ones((4, 4)))
print(_core.recording())
"""
    assert output(code) == "True"


def test_a_host_function_may_let_go_of_the_programs(a: Array) -> None:
    calls: list[int] = []
    schedule: list[Any] = []

    def call() -> None:
        calls.append(1)
        schedule.clear()
        gc.collect()

    def step() -> list[Array]:
        _core.host(call, [], [])
        return [ops.tanh(a)]

    schedule.append((record(step)[0], 3))
    _core.replay(schedule)
    assert len(calls) == 4


def test_a_host_function_that_fails_stops_the_replay(a: Array) -> None:
    fail = False
    y = np.empty_like(a)

    def call() -> None:
        if fail:
            raise LookupError("here")

    def step() -> list[Array]:
        _core.host(call, [], [])
        _core.activation("tanh", a, out=y)
        return [y]

    program, _ = record(step)
    fail = True
    y[...] = 0
    for run in (lambda: _core.replay([(program, 2)]), lambda: program.profile(2)):
        with pytest.raises(LookupError, match="here"):
            run()
    assert not y.any()
    fail = False
    _core.replay([(program, 1)])
    assert y.any()


@pytest.mark.parametrize("wrong", [1, None, [1.0]])
def test_only_arrays_are_operands(wrong: object) -> None:
    anything: Any = [wrong]
    program = _core.Program()
    program.begin()
    try:
        with pytest.raises((TypeError, ValueError), match="array"):
            _core.host(lambda: None, anything, [])
        with pytest.raises((TypeError, ValueError), match="array"):
            program.end(anything)
    finally:
        program.abort()


def test_memory_for_objects_is_refused() -> None:
    with pytest.raises(ValueError, match="object"):
        _core.empty((3,), object)
