"""A product takes matrices whose rows lie apart, and transposed ones, where they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from op_case import DTYPES, Array, DType
from recorded import names, record

from gyaku import _core, ops
from gyaku.backend import use_backend

WIDTHS = (0, 1, 2, 15, 16, 17, 33, 61, 97)
TRANSPOSITIONS = tuple(itertools.product((False, True), repeat=2))
# rows, inner length, columns: every width in every place, and each path through the kernels
SIZES = [
    *[(5, width, 18) for width in WIDTHS],
    *[(width, 19, 7) for width in WIDTHS],
    *[(12, 33, width) for width in WIDTHS],
    *[(1, 65, 130), (3, 61, 33), (8, 40, 35), (60, 301, 67), (251, 70, 64), (66, 301, 1)],
    (320, 263, 67),
]
LARGE = (461, 2043, 259)  # b is packed, and a copied in chunks

WIDE = np.zeros((20, 40), np.float32)

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
each_size = pytest.mark.parametrize(("m", "k", "n"), [*SIZES, LARGE])


@pytest.fixture(autouse=True)
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


def apart(x: Array, before: int = 3, behind: int = 2) -> Array:
    """Return a copy among the columns of a wider matrix of NaN."""
    rows, columns = x.shape
    wide = np.full((rows, before + columns + behind), np.nan, x.dtype)
    view = wide[:, before : before + columns]
    view[...] = x
    return view


def whole(rows: int, columns: int, dtype: DType, seed: int) -> Array:
    """Return whole numbers, whose products add up exactly in any order."""
    return np.random.default_rng(seed).integers(-4, 5, (rows, columns)).astype(dtype)


def stored(x: Array, transposed: bool) -> Array:
    return x.T.copy() if transposed else x


def is_untouched_around(view: Array) -> bool:
    """Return whether the neighbours of the view's columns are still NaN."""
    wide = view.base
    assert isinstance(wide, np.ndarray)
    return int(np.isnan(wide).sum()) == wide.size - view.size


def conversions(call: Callable[[], Any]) -> int:
    """Return how many calls of Python a recorded call needs."""
    program, _ = record(lambda: [call()])
    return sum(name.startswith("host") for name in names(program))


@each_dtype
@each_size
def test_rows_may_lie_apart(m: int, k: int, n: int, dtype: DType) -> None:
    left, right = whole(m, k, dtype, 0), whole(k, n, dtype, 1)
    bias = whole(1, n, dtype, 2)[0]
    expected = np.maximum(left @ right + bias, 0)
    for transpose_a, transpose_b in TRANSPOSITIONS:
        a, b = apart(stored(left, transpose_a)), apart(stored(right, transpose_b), 1, 4)
        options = {"transpose_a": transpose_a, "transpose_b": transpose_b, "bias": bias}
        found = ops.matmul(a, b, activation="relu", **options)
        np.testing.assert_array_equal(found, expected, err_msg=str(options))
        out = apart(np.full((m, n), np.nan, dtype))
        assert ops.matmul(a, b, out=out, activation="relu", **options) is out
        np.testing.assert_array_equal(out, expected, err_msg=str(options))
        assert is_untouched_around(out)


@each_dtype
@each_size
def test_a_recorded_product_of_rows_apart_is_replayed(m: int, k: int, n: int, dtype: DType) -> None:
    a, b = apart(whole(m, k, dtype, 0)), apart(whole(k, n, dtype, 1))
    out = apart(np.full((m, n), np.nan, dtype))
    program, _ = record(lambda: [ops.matmul(a, b, out=out)])
    a[...] = whole(m, k, dtype, 3)
    _core.replay([(program, 2)])
    np.testing.assert_array_equal(out, a @ b)
    assert is_untouched_around(out)


@each_dtype
@pytest.mark.parametrize(("m", "k", "n"), [size for size in SIZES if 1 not in size])
@pytest.mark.parametrize("place", [np.copy, apart])
def test_a_transposed_view_is_the_flag(
    m: int, k: int, n: int, place: Callable[[Array], Array], dtype: DType
) -> None:
    rng = np.random.default_rng(0)
    a, b = (place(rng.standard_normal(shape).astype(dtype)) for shape in ((k, m), (n, k)))
    expected = ops.matmul(a, b, transpose_a=True, transpose_b=True)
    assert ops.matmul(a.T, b.T).tobytes() == expected.tobytes()
    assert ops.matmul(a.T, b, transpose_b=True).tobytes() == expected.tobytes()
    left, right = place(a.T), place(b.T)
    expected = ops.matmul(left, right)
    assert ops.matmul(left.T, right.T, transpose_a=True, transpose_b=True).tobytes() == (
        expected.tobytes()
    )


@each_dtype
def test_nothing_is_copied(dtype: DType) -> None:
    a, b, out = (apart(whole(33, 33, dtype, seed)) for seed in range(3))
    for left, right in itertools.product((a, a.T), (b, b.T)):
        assert conversions(lambda left=left, right=right: ops.matmul(left, right, out=out)) == 0
    # A row of steps, or rows backwards, are no rows that lie apart.
    for odd in (a[:, ::2], a[::-1, ::-1], np.broadcast_to(a[0], (33, 33))):
        assert conversions(lambda odd=odd: ops.matmul(odd, b[: odd.shape[1]])) == 1


@each_dtype
@pytest.mark.parametrize("bias", [None, np.ones(20, np.int8)])
def test_what_else_is_converted_leaves_the_matrices_where_they_are(
    bias: Array | None, dtype: DType
) -> None:
    a, b, out = (apart(whole(20, 20, dtype, seed)) for seed in range(3))
    expected = a @ b.T + (0 if bias is None else bias)
    call = conversions(lambda: ops.matmul(a, b.T, out=out, bias=bias))
    assert call == (bias is not None)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_neighbouring_columns_are_refused(backend: Any) -> None:
    wide = np.ones((20, 40), np.float32)
    with use_backend(backend), pytest.raises(ValueError, match="^matmul: out must not overlap a, "):
        ops.matmul(wide[:, :20], np.ones((20, 20), np.float32), out=wide[:, 20:])
    # Other rows are no neighbours.
    ops.matmul(wide[:10, :20], np.ones((20, 20), np.float32), out=wide[10:, 20:])
    assert (wide[10:, 20:] == 20).all()


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    "out",
    [WIDE[:, ::2], WIDE[::-1, :20], WIDE[:, :20].T, np.broadcast_to(WIDE[0, :20], (20, 20))],
    ids=["every other column", "backwards", "transposed", "one row"],
)
def test_a_result_needs_contiguous_rows(out: Array, backend: Any) -> None:
    ones = np.ones((20, 20), np.float32)
    with use_backend(backend), pytest.raises(ValueError, match="^matmul: out must be "):
        ops.matmul(ones, ones, out=out)


@each_dtype
def test_the_reference_writes_between_the_neighbours_too(dtype: DType) -> None:
    a, b = whole(5, 6, dtype, 0), whole(6, 7, dtype, 1)
    out = apart(np.full((5, 7), np.nan, dtype))
    with use_backend("reference"):
        ops.matmul(apart(a), apart(b), out=out)
    np.testing.assert_array_equal(out, a @ b)
    assert is_untouched_around(out)


@each_dtype
def test_a_vector_whose_numbers_lie_apart_is_copied(dtype: DType) -> None:
    wide = whole(70, 90, dtype, 0)
    a = whole(40, 70, dtype, 1)
    np.testing.assert_array_equal(ops.matmul(a, wide[:, 3:4]), a @ wide[:, 3:4])
    np.testing.assert_array_equal(ops.matmul(wide[:, 3:4].T, a.T), wide[:, 3:4].T @ a.T)


def fresh(rows: int, columns: int) -> Array:
    """Return memory that belongs to a program if it is recording."""
    return _core.empty((rows, columns), np.float32)


def two_products_side_by_side(a: Array, b: Array) -> list[Array]:
    wide = fresh(20, 40)
    ops.matmul(a, b, out=wide[:, :20])
    ops.matmul(b, a, out=wide[:, 20:])
    y = ops.matmul(wide[:, 10:30], ops.tanh(ops.matmul(wide, wide.T)))
    return [ops.relu(y), ops.sum_rows(wide)]


def the_first_numbers_of_a_wider_matrix(a: Array, b: Array) -> list[Array]:
    wide = fresh(20, 40)
    ops.matmul(a, b, out=wide[:, :20])
    ops.matmul(b, a, out=wide[:, 20:])
    first = wide.reshape(-1)[:400].reshape(20, 20)
    return [ops.matmul(a, wide[:, :20]), ops.sum_rows(first), ops.relu(first), ops.tanh(wide)]


def one_column_of_each_kind(a: Array, b: Array) -> list[Array]:
    wide = fresh(20, 3)
    for column in range(3):
        ops.matmul(a, b[column : column + 1].T, out=wide[:, column : column + 1])
    return [ops.sigmoid(wide), ops.sum_rows(b[:1].T.copy())]


@pytest.mark.parametrize("optimize", ["0", "1"])
@pytest.mark.parametrize(
    "step",
    [two_products_side_by_side, the_first_numbers_of_a_wider_matrix, one_column_of_each_kind],
)
def test_a_program_gives_the_bits_of_the_calls(
    step: Callable[[Array, Array], list[Array]], optimize: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 20, 20)).astype(np.float32)
    program, results = record(lambda: step(a, b))
    a[...] = rng.standard_normal((20, 20))
    _core.replay([(program, 2)])
    found = [result.copy() for result in results]
    for ours, theirs in zip(found, step(a, b), strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_only_what_lies_close_is_fused() -> None:
    a, b = whole(20, 20, np.dtype(np.float32), 0), whole(20, 20, np.dtype(np.float32), 1)
    saved = np.ones(400, np.float32)

    def calls() -> list[Array]:
        wide, other = fresh(20, 40), fresh(20, 40)
        ops.matmul(a, b, out=wide[:, :20])
        ops.matmul(a, b, out=other[:, :20])
        y = ops.matmul(a, wide[:, :20])
        sums = ops.sum_rows(wide.reshape(-1)[:400].reshape(20, 20))
        return [ops.tanh_backward(other.reshape(-1)[:400], saved), y, sums]

    def activation() -> list[Array]:
        wide = fresh(20, 40)
        ops.matmul(a, b, out=wide[:, :20])
        return [ops.relu(wide.reshape(-1)[:400])]

    for step in (calls, activation):
        program, _ = record(step)
        assert not [name for name in names(program) if "+" in name]
