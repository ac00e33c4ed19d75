"""The call of an operation: straight to C++, through the checks in Python only where it must."""

from __future__ import annotations

import ast
import copy
import gc
import inspect
import itertools
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gyaku import _core, ops
from gyaku.ops.op import TABLE, operation

A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.arange(12, dtype=np.float32).reshape(3, 4)


def recorded(function: Callable[[], object]) -> list[str]:
    program = _core.Program()
    program.begin()
    try:
        function()
    finally:
        program.end()
    return [task["name"] for task in program.tasks()]


def test_arguments_by_position_and_by_name_are_the_same() -> None:
    expected = A @ B
    for y in (ops.matmul(A, B), ops.matmul(A, b=B), ops.matmul(b=B, a=A)):
        np.testing.assert_array_equal(y, expected)
    for name in ("transpose_a", "_transpose_a"[1:]):  # the second one is not interned
        np.testing.assert_array_equal(ops.matmul(A.T.copy(), B, **{name: True}), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.matmul(A), r"matmul\(\) missing 1 required positional argument: 'b'"),
        (lambda: ops.matmul(A, B, A), r"matmul\(\) takes 2 positional arguments but 3 were given"),
        (lambda: ops.matmul(A, B, a=A), r"matmul\(\) got multiple values for argument 'a'"),
        (lambda: ops.matmul(A, B, c=A), r"matmul\(\) got an unexpected keyword argument 'c'"),
    ],
)
def test_a_wrong_call_is_answered_as_by_a_function(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert caught.value.__context__ is None


def test_an_operation_looks_like_a_function() -> None:
    assert repr(ops.matmul) == "<operation matmul>"
    assert ops.matmul.__name__ == ops.matmul.__qualname__ == "matmul"
    assert ops.matmul.__module__ == "gyaku.ops.gemm"
    assert inspect.isroutine(ops.matmul)
    assert list(inspect.signature(ops.matmul).parameters)[:3] == ["a", "b", "transpose_a"]
    assert (inspect.getdoc(ops.matmul) or "").startswith("Multiply two matrices")
    assert weakref.ref(ops.matmul)() is ops.matmul


@pytest.mark.parametrize("name", TABLE)
def test_an_operation_is_copied_and_pickled_by_name(name: str) -> None:
    function = TABLE[name].function
    assert copy.copy(function) is copy.deepcopy(function) is function
    assert pickle.loads(pickle.dumps(function)) is function


def test_an_operation_in_a_class_is_a_method() -> None:
    row = type("Row", (list,), {"total": ops.softmax})([0.0, 0.0])
    np.testing.assert_array_equal(row.total(), [0.5, 0.5])


def test_an_operation_that_nobody_has_is_freed() -> None:
    def native(x: object) -> object:
        return x

    def careful(x: object) -> object:
        return x

    made = _core.operation(native, careful, ("x",), (...,), 1, False)
    made.itself = made
    assert made(3) == made(x=3) == 3
    freed = weakref.ref(careful)
    del made, careful
    gc.collect()
    assert freed() is None


def test_only_two_errors_mean_that_arguments_need_conversion() -> None:
    def native(error: type[Exception]) -> None:
        raise error

    made = _core.operation(native, lambda _: "careful", ("error",), (...,), 1, False)
    assert made(TypeError) == made(ValueError) == "careful"
    with pytest.raises(MemoryError):
        made(MemoryError)


def test_an_operation_has_at_most_as_many_arguments_as_a_call_has_places() -> None:
    names = tuple(f"x{i}" for i in range(25))
    with pytest.raises(ValueError, match="24 in all at most"):
        _core.operation(print, print, names, (...,) * 25, 25, False)


def test_a_program_records_the_quick_way_and_the_careful_one() -> None:
    assert recorded(lambda: ops.matmul(A, B)) == ["matmul"]
    assert recorded(lambda: ops.relu(A)) == ["relu"]
    assert recorded(lambda: ops.relu(A.tolist())) == ["relu"]


def test_constants_come_before_the_arguments_of_an_operation() -> None:
    np.testing.assert_array_equal(ops.elu(-A, alpha=0), ops.relu(-A))
    np.testing.assert_array_equal(ops.leaky_relu(-A), ops.leaky_relu(-A, alpha=0.01))
    given = ops.matmul(-A, B, activation="elu"), ops.matmul(-A, B, activation="elu", alpha=1)
    np.testing.assert_array_equal(*given)


def test_each_activation_takes_the_parameter_that_its_row_has() -> None:
    for name, row in ops.activation.ACTIVATIONS.items():  # type: ignore[attr-defined]
        if row.alpha is None:
            _core.activation(name, A)
            with pytest.raises(ValueError, match=f"{name}: there is no alpha"):
                _core.activation(name, A, 1.0)
        else:
            with pytest.raises(ValueError, match=f"{name}: alpha is missing"):
                _core.activation(name, A)
            wrong = (0.0, -1.0, np.nan) if row.positive else (-1.0, np.nan)
            for alpha in (np.inf, np.nan) if row.negative else wrong:
                with pytest.raises(ValueError, match=f"{name}: alpha is out of range"):
                    _core.activation(name, A, alpha)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1"])
def test_new_arrays_are_like_those_of_numpy_and_begin_on_a_cache_line(dtype: str) -> None:
    for dimensions in range(4):
        for shape in itertools.product((0, 1, 3), repeat=dimensions):
            made, usual = _core.empty(shape, np.dtype(dtype)), np.empty(shape, dtype)
            assert (made.shape, made.dtype) == (usual.shape, usual.dtype)
            assert made.strides == usual.strides or made.size == 0
            names = ("C_CONTIGUOUS", "F_CONTIGUOUS", "ALIGNED", "WRITEABLE")
            assert all(made.flags[name] == usual.flags[name] for name in names)
            assert made.ctypes.data % 64 == 0


@pytest.mark.parametrize("size", [1, 16, 16_384, 16_385, 65_537, 10**6])
def test_new_arrays_keep_their_memory(size: int) -> None:
    views = [_core.zeros((size,), np.dtype("f4"))[-1:] for _ in range(4)]
    for i, view in enumerate(views):
        assert view.base.nbytes == 4 * size
        view[:] = i
    gc.collect()
    assert [float(view[0]) for view in views] == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_tiny_products_are_summed_in_order(dtype: str) -> None:
    random = np.random.default_rng(3)
    for m, k, n in itertools.product((1, 2, 4), (1, 2, 3), range(1, 10)):
        a, b = random.standard_normal((m, k)).astype(dtype), random.standard_normal((k, n))
        b, bias = b.astype(dtype), random.standard_normal(n).astype(dtype)
        y = np.repeat(bias[None], m, axis=0)
        for p in range(k):
            y += a[:, p, None] * b[p]
        np.testing.assert_array_equal(ops.matmul(a, b, bias=bias), y, strict=True)
        turned = {"a": a.T.copy(), "b": b.T.copy(), "transpose_a": True, "transpose_b": True}
        np.testing.assert_array_equal(ops.matmul(**turned, bias=bias), y, strict=True)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_gradient_of_one_sample_is_an_outer_product(dtype: str) -> None:
    random = np.random.default_rng(4)
    for m, n in itertools.product((1, 7, 200), (1, 3, 8, 17, 100)):
        a, b = (random.standard_normal((1, each)).astype(dtype) for each in (m, n))
        a[:, ::3] = -0.0
        y = ops.matmul(a, b, transpose_a=True)
        np.testing.assert_array_equal(y, a.T * b, strict=True)
        if m * n > 128:  # beyond tiny products sums begin with a positive zero
            assert not np.signbit(y[y == 0]).any()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_value_that_is_not_finite_is_found_anywhere(dtype: str) -> None:
    for size in (0, 1, 31, 32, 33, 100):
        x = np.full(size, np.finfo(dtype).max, dtype)
        assert _core.is_finite(x)
        for place, value in itertools.product(range(size), (np.nan, np.inf, -np.inf)):
            x[place] = value
            assert not _core.is_finite(x)
            x[place] = -0.0


def test_a_native_lambda_takes_the_arguments_of_its_operation_in_order() -> None:
    found = 0
    for path in Path(inspect.getfile(operation)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            for call in getattr(node, "decorator_list", ()):
                native = getattr(call, "args", [None])[0] if isinstance(call, ast.Call) else None
                if not isinstance(node, ast.FunctionDef) or not isinstance(native, ast.Lambda):
                    continue
                expected = [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]
                assert [arg.arg for arg in native.args.args] == expected, node.name
                assert not native.args.kwonlyargs, node.name
                found += 1
    assert found > 20


def test_the_decorator_makes_a_row() -> None:
    def twice(x: np.ndarray, *, times: int = 2) -> np.ndarray:
        raise TypeError(f"twice: x must be an array, got {x!r}")

    try:
        made = operation(
            lambda x, times: np.multiply(x, times, dtype="f4", casting="no"),
            inputs="x",
            outputs="y",
            shapes=lambda shapes, **_: shapes,
            flops=lambda _inputs, _outputs: 0,
        )(twice)
        assert TABLE["twice"].function is made
    finally:
        TABLE.pop("twice", None)
    np.testing.assert_array_equal(made(A), 2 * A)
    np.testing.assert_array_equal(made(A, times=3), 3 * A)
    with pytest.raises(TypeError, match="twice: x must be an array, got 'a'"):
        made("a")
