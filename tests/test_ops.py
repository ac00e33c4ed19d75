"""Is the engine equal to the mathematics? Every kernel against its equation.

The equation is evaluated with more digits than the kernel has, on the same numbers, so that a
difference is the kernel's. How large it may be is computed: see `op_case.Case.bounds`.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import guarded_copy, guarded_empty
from op_case import DTYPES, FLOAT64, Array, Call, Case, DType
from op_cases import BY_OP

from child import run
from gyaku import _core, ops
from gyaku.ops import TABLE

THREADS = (1, 2, 3, 4, 8)
BUFFERS = {"clock", "cursor", "order", "counter", "out", "value", "totals", "slot"}
# Results whose dtype is not that of the numbers; a tap of a large window is no byte.
OWN_DTYPES = {"loss": [FLOAT64], "correct": [FLOAT64], "argmax": [np.uint8, np.int32]}
OWN_DTYPES |= {"lengths": [np.int64], "count": [FLOAT64]}

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
each_op = pytest.mark.parametrize("op", TABLE)


def reproducer(case: Case, dtype: DType) -> str:
    test = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]
    return (
        f"{case.id} in {dtype}, seed {case.seed}; reproduce with GYAKU_ISA={_core.isa()}"
        f" GYAKU_NUM_THREADS={_core.num_threads()} python -m pytest '{test}'"
    )


def bits(outputs: tuple[Array, ...]) -> list[bytes]:
    return [np.asarray(output).tobytes() for output in outputs]


def copied(call: Call) -> Call:
    arguments, keywords = call
    return [x.copy() if isinstance(x, np.ndarray) else x for x in arguments], dict(keywords)


def assert_agrees(case: Case, dtype: DType, actual: Array, expected: Array, bound: Array) -> None:
    assert actual.shape == expected.shape, reproducer(case, dtype)
    wide = expected
    with np.errstate(over="ignore"):
        expected = np.asarray(expected).astype(actual.dtype)
    finite = np.isfinite(expected) if actual.dtype.kind == "f" else np.ones(expected.shape, bool)
    message = reproducer(case, dtype)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=message)
    error = np.abs(actual[finite] - wide[finite])
    allowed = bound[finite]
    if not (error <= allowed).all():
        worst = int(np.argmax(np.where(error <= allowed, 0, error / np.maximum(allowed, 1e-300))))
        pytest.fail(
            f"{message}\n{(error > allowed).sum()} of {error.size} numbers are off, the worst is"
            f" {actual[finite].flat[worst]!r} for {wide[finite].flat[worst]!r}:"
            f" error {error.flat[worst]:.3g}, allowed {allowed.flat[worst]:.3g}"
        )


def assert_not_empty(case: Case, dtype: DType, output: Array) -> None:
    """A comparison of zeros proves nothing."""
    if not case.sparse and output.size >= 16:
        assert np.mean(output == 0) <= 0.7, "mostly zeros: " + reproducer(case, dtype)


@each_dtype
@each_op
def test_kernel_equals_equation(op: str, dtype: DType) -> None:
    for case in BY_OP[op]:
        call = case.call(dtype)
        expected = case.expected(call, dtype)
        bounds = case.bounds(call, expected, dtype)
        outputs = case.run(copied(call))
        for actual, wanted, bound in zip(outputs, expected, bounds, strict=True):
            assert_agrees(case, dtype, actual, wanted, bound)
            assert_not_empty(case, dtype, actual)


@each_dtype
@each_op
def test_outputs_are_as_the_table_says(op: str, dtype: DType) -> None:
    for case in BY_OP[op]:
        arguments, keywords = case.call(dtype)
        shapes = [np.shape(argument) for argument in arguments]
        outputs = case.run((arguments, keywords))
        keywords.pop("bias", None)
        expected = case.row.shapes(shapes, **keywords)
        assert tuple(output.shape for output in outputs) == expected, reproducer(case, dtype)
        if not case.row.in_place:
            assert len(outputs) <= len(case.row.outputs), reproducer(case, dtype)
            for name, output in zip(case.row.outputs, outputs, strict=False):
                wanted = OWN_DTYPES.get(name, [dtype])
                assert output.dtype in wanted, reproducer(case, dtype)


@each_dtype
@each_op
def test_inputs_are_unchanged_and_results_repeat(op: str, dtype: DType) -> None:
    for case in BY_OP[op]:
        call = case.call(dtype)
        before = copied(call)
        first = bits(case.run(call))
        kept = [place for place in range(len(call[0])) if place not in case.written]
        for place in kept:
            same = bits((call[0][place],)) == bits((before[0][place],))
            assert same, f"argument {place}: " + reproducer(case, dtype)
        assert bits(case.run(before)) == first, reproducer(case, dtype)


@each_dtype
@each_op
def test_threads_change_no_bit(op: str, dtype: DType) -> None:
    for case in BY_OP[op]:
        call = case.call(dtype)
        results = []
        for threads in THREADS:
            _core.set_num_threads(threads)
            results.append(bits(case.run(copied(call))))
        assert all(result == results[0] for result in results), reproducer(case, dtype)


@each_dtype
@each_op
def test_nothing_is_read_or_written_beyond_the_end(
    op: str, dtype: DType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every array, the outputs too, ends where the next byte would crash the process.
    expected = [bits(case.run(case.call(dtype))) for case in BY_OP[op]]
    monkeypatch.setattr(_core, "empty", guarded_empty)
    for case, unguarded in zip(BY_OP[op], expected, strict=True):
        arguments, keywords = case.call(dtype)
        arguments = [guarded_copy(x) if isinstance(x, np.ndarray) else x for x in arguments]
        for name, x in keywords.items():
            keywords[name] = guarded_copy(x) if isinstance(x, np.ndarray) else x
        assert bits(case.run((arguments, keywords))) == unguarded, reproducer(case, dtype)


def test_the_guard_stops_a_read_of_one_byte() -> None:
    done = run(
        f"""
        import ctypes, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from conftest import guarded_empty
        x = guarded_empty((3,), "float32")
        ctypes.string_at(x.ctypes.data, 12)
        print("so far", flush=True)
        ctypes.string_at(x.ctypes.data, 13)
        """,
        **{f"{name}_OPTIONS": "handle_segv=0" for name in ("ASAN", "TSAN")},  # of sanitizers
    )
    assert done.stdout == "so far\n"
    assert done.returncode == -signal.SIGSEGV


def byte_swapped(x: Array) -> Array:
    return x.astype(x.dtype.newbyteorder())


def strided(x: Array) -> Array:
    wide = np.full((*x.shape, 3), 99).astype(x.dtype)
    wide[..., 1] = x
    return wide[..., 1]


def reversed_in_memory(x: Array) -> Array:
    flipped = (slice(None, None, -1),) * x.ndim
    return x[flipped].copy()[flipped]


def column_by_column(x: Array) -> Array:
    return np.asfortranarray(x)


def read_only(x: Array) -> Array:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def misaligned(x: Array) -> Array:
    memory = np.empty(x.nbytes + 1, np.uint8)
    shifted = memory[1:].view(x.dtype).reshape(x.shape)
    shifted[...] = x
    return shifted


def as_list(x: Array) -> Any:
    return x.tolist() if x.dtype != np.float32 else [np.float32(v) for v in x] if x.ndim == 1 else x


class Other(np.ndarray[Any, Any]):
    """Some subclass of arrays, as people bring them."""


def subclass(x: Array) -> Any:
    return x.view(Other)


LAYOUTS: dict[str, Callable[[Array], Any]] = {
    function.__name__: function
    for function in (
        *(byte_swapped, strided, reversed_in_memory, column_by_column, read_only, misaligned),
        *(as_list, subclass),
    )
}


def laid_out(case: Case, call: Call, layout: str) -> Call:
    arguments, keywords = call
    names = list(inspect.signature(case.row.function).parameters)
    changed = [
        x if names[place] in BUFFERS else LAYOUTS[layout](x) for place, x in enumerate(arguments)
    ]
    return changed, keywords


# A product takes a transposed matrix as it is: see test_leading_dimension.py.
CONVERTED = [
    (op, layout)
    for op, row in TABLE.items()
    for layout in LAYOUTS
    if not row.in_place and (op, layout) != ("matmul", "column_by_column")
]


@each_dtype
@pytest.mark.parametrize(("op", "layout"), CONVERTED)
def test_layout_changes_no_bit(op: str, layout: str, dtype: DType) -> None:
    for case in BY_OP[op]:
        call = case.call(dtype)
        if call[0][0].size > 300 or call[0][0].size == 0:
            continue
        expected = bits(case.run(call))
        changed = laid_out(case, call, layout)
        assert bits(case.run(changed)) == expected, f"{layout}: " + reproducer(case, dtype)


@each_dtype
@pytest.mark.parametrize("source", ["float16", "int8", "uint8", "bool", "int64", "longdouble"])
def test_other_dtypes_are_converted(source: str, dtype: DType) -> None:
    x = np.array([[0, 1, 1], [1, 0, 1]]).astype(source)
    y = ops.relu(x)
    exact_in_float32 = source in {"float16", "int8", "uint8", "bool"}
    assert y.dtype == (np.float32 if exact_in_float32 else np.float64)
    np.testing.assert_array_equal(y, x.astype(y.dtype))
    np.testing.assert_array_equal(ops.relu_backward(x, np.ones((2, 3), dtype)), x.astype(dtype))


def test_a_product_of_two_precisions_is_in_the_higher_one() -> None:
    a, b = np.full((1, 1), 0.1, np.float32), np.full((1, 1), 0.1)
    assert ops.matmul(a, b)[0, 0] == np.float64(a[0, 0]) * 0.1


@each_dtype
def test_results_land_in_the_array_that_was_given(dtype: DType) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 33, 33)).astype(dtype)
    flat = np.zeros(33 * 33 + 16, dtype)
    view = flat[16:].reshape(33, 33)
    assert ops.matmul(a, b, out=view) is view
    assert bits((view,)) == bits((ops.matmul(a, b),))
    assert ops.sum_rows(a, out=flat[:33]) is not None
    assert bits((flat[:33],)) == bits((ops.sum_rows(a),))


@pytest.mark.parametrize("layout", ["strided", "byte_swapped", "misaligned"])
def test_a_conversion_is_recorded_with_the_step(layout: str) -> None:
    x = LAYOUTS[layout](np.array([-1.0, 2.0, 3.0], np.float32))
    program = _core.Program()
    program.begin()
    y = ops.relu(x)
    program.end([y])
    x[...] = [4.0, -5.0, 6.0]
    _core.replay([(program, 1)])
    np.testing.assert_array_equal(y, [4.0, 0.0, 6.0])


@pytest.mark.parametrize(
    "op", [row.name for row in TABLE.values() if row.kernel and row.name != "permutation"]
)  # a permutation is made between programs
def test_a_recorded_operation_is_a_task_of_its_kernel(op: str) -> None:
    case = next(case for case in BY_OP[op] if all(np.size(x) for x in case.call(DTYPES[0])[0]))
    call = case.call(DTYPES[0])
    program = _core.Program()
    program.begin()
    case.run(call)
    program.end()
    names = {case.row.name, case.row.kernel}
    assert any(task["name"] in names for task in program.tasks())
    assert not any(task["host"] for task in program.tasks())


@each_dtype
@pytest.mark.parametrize("op", [row.name for row in TABLE.values() if not row.in_place])
def test_replay_equals_eager_whether_by_a_kernel_or_in_numpy(op: str, dtype: DType) -> None:
    for case in BY_OP[op]:
        call = case.call(dtype)
        if not 0 < np.size(call[0][0]) <= 300 or op == "permutation":
            continue
        expected = bits(case.run(call))
        program = _core.Program()
        program.begin()
        outputs = case.run(call)
        program.end(list(outputs))
        for output in outputs:
            output.fill(0)
        _core.replay([(program, 1)])
        assert bits(outputs) == expected, reproducer(case, dtype)
