"""NaN and infinity go where the equation sends them, whichever lane of a vector they sit in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from activation_facts import FACTS
from op_case import DIFFERENCES, DTYPES, Array, DType
from optimizer_facts import UPDATES

from gyaku import ops, reference
from gyaku.ops import TABLE

ROUNDINGS = max(row.roundings for row in TABLE.values())
SIZES = range(1, 68)  # up to a prime beyond four vectors of AVX-512 floats
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
each_value = pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)


def with_one(value: float, dtype: DType) -> Iterator[tuple[int, Array]]:
    """Yield arrays of every size with the value in every place, among halves."""
    for size in SIZES:
        for place in range(size):
            x = np.full(size, 0.5, dtype)
            x[place] = value
            yield place, x


def assert_only_there(
    op: Callable[[Array], Array], value: float, dtype: DType, there: float, elsewhere: float
) -> None:
    """Check the number at the place against the equation, the others against their neighbours."""
    for size in SIZES:
        rows = np.full((size, size), 0.5, dtype)
        np.fill_diagonal(rows, value)
        y = np.stack([op(row) for row in rows])
        rounding = ROUNDINGS * np.finfo(dtype).eps
        np.testing.assert_allclose(np.diagonal(y), there, rtol=rounding, err_msg=f"size {size}")
        np.fill_diagonal(y, elsewhere)
        assert (y == elsewhere).all(), size


@each_dtype
@each_value
@pytest.mark.parametrize("name", reference.FORWARD)
def test_activation(name: str, value: float, dtype: DType) -> None:
    op = getattr(ops, name)
    there = reference.FORWARD[name](np.array([value]))[0]
    assert_only_there(op, value, dtype, there, op(np.full(1, 0.5, dtype))[0])


@each_dtype
@each_value
@pytest.mark.parametrize("name", reference.FORWARD)
def test_activation_backward_of_dy(name: str, value: float, dtype: DType) -> None:
    op, half = getattr(ops, name + "_backward"), np.full(67, 0.5, dtype)
    there = reference.BACKWARD[name](np.array([value]), half[:1].astype(np.float64))[0]
    elsewhere = op(half[:1], half[:1])[0]
    assert_only_there(lambda dy: op(dy, half[: len(dy)]), value, dtype, there, elsewhere)


@each_dtype
@each_value
@pytest.mark.parametrize("name", reference.FORWARD)
def test_activation_backward_of_saved(name: str, value: float, dtype: DType) -> None:
    if np.isinf(value) and np.isfinite(FACTS[name].bounds[1]):
        return  # no output of these is infinite
    op, half = getattr(ops, name + "_backward"), np.full(67, 0.5, dtype)
    there = reference.BACKWARD[name](half[:1].astype(np.float64), np.array([value]))[0]
    elsewhere = op(half[:1], half[:1])[0]
    assert_only_there(lambda saved: op(half[: len(saved)], saved), value, dtype, there, elsewhere)


@each_dtype
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
def test_softmax_of_a_row_is_nan_wherever_it_is_broken(
    name: str, value: float, dtype: DType
) -> None:
    op, equation = getattr(ops, name), getattr(reference, name)
    for place, x in with_one(value, dtype):
        y = op(x)
        assert (np.isnan(y) == np.isnan(equation(x))).all(), (len(x), place)


@each_dtype
@pytest.mark.parametrize("name", ["softmax_backward", "log_softmax_backward"])
def test_softmax_backward_of_a_row_is_nan(name: str, dtype: DType) -> None:
    op = getattr(ops, name)
    for _, x in with_one(np.nan, dtype):
        y = np.full_like(x, 0.25)
        assert np.isnan(op(x, y)).all()


@each_dtype
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_matmul_spoils_one_column(transpose_a: bool, transpose_b: bool, dtype: DType) -> None:
    a = np.ones((5, 3) if transpose_a else (3, 5), dtype)
    for place, row in with_one(np.nan, dtype):
        b = np.full((5, len(row)), 0.5, dtype)
        b[place % 5] = row
        given = np.ascontiguousarray(b.T) if transpose_b else b
        y = ops.matmul(a, given, transpose_a=transpose_a, transpose_b=transpose_b)
        assert (np.isnan(y) == np.isnan(row)).all(), (len(row), place)


@each_dtype
def test_matmul_spoils_one_row(dtype: DType) -> None:
    b = np.ones((5, 19), dtype)
    for place, column in with_one(np.nan, dtype):
        a = np.full((len(column), 5), 0.5, dtype)
        a[:, place % 5] = column
        y = ops.matmul(a, b)
        assert (np.isnan(y) == np.isnan(column)[:, np.newaxis]).all(), (len(column), place)


@each_dtype
def test_sum_rows_spoils_one_column(dtype: DType) -> None:
    for place, row in with_one(np.nan, dtype):
        x = np.ones((3, len(row)), dtype)
        x[1] = row
        assert (np.isnan(ops.sum_rows(x)) == np.isnan(row)).all(), (len(row), place)


@each_dtype
@pytest.mark.parametrize(
    "name", [*DIFFERENCES, "cross_entropy", "binary_cross_entropy", "sigmoid_cross_entropy"]
)
def test_a_loss_is_nan_and_its_gradient_shows_where(name: str, dtype: DType) -> None:
    for place, row in with_one(np.nan, dtype):
        x = np.stack([np.full_like(row, 0.25), row])
        loss, dx = getattr(ops, name)(x, np.full_like(x, 1 / len(row)))
        assert np.isnan(loss).all(), (len(row), place)
        assert (np.isnan(dx) == np.isnan(x)).all(), (len(row), place)


@each_dtype
@pytest.mark.parametrize("shares", [False, True])
def test_softmax_cross_entropy_spoils_one_sample(shares: bool, dtype: DType) -> None:
    for place, row in with_one(np.nan, dtype):
        x = np.stack([np.full_like(row, 0.25), row])
        target = np.full_like(x, 1 / len(row)) if shares else np.array([0, len(row) - 1])
        loss, dx = ops.softmax_cross_entropy(x, target)
        assert np.isnan(loss).all(), (len(row), place)
        assert (np.isnan(dx) == [[False], [True]]).all(), (len(row), place)


@each_dtype
def test_argmax_takes_the_first_nan(dtype: DType) -> None:
    for place, row in with_one(np.nan, dtype):
        if len(row) > 1:
            assert ops.count_correct(row[np.newaxis], [place]) == 1
            assert ops.count_correct(row[np.newaxis], [(place + 1) % len(row)]) == 0


@each_dtype
def test_dropout_and_gather_pass_nan(dtype: DType) -> None:
    clock, order = np.zeros(1, np.int64), np.array([1, 0])
    for place, row in with_one(np.nan, dtype):
        y = ops.dropout(row, clock, rate=0.0, seed=0, stream=0)
        out = np.empty((1, len(row)), dtype)
        ops.gather(np.stack([row, row * 0]), order, np.array([1]), out, scale=2.0)
        assert (np.isnan(y) == np.isnan(row)).all(), (len(row), place)
        assert (np.isnan(out[0]) == np.isnan(row)).all(), (len(row), place)


@each_dtype
@pytest.mark.parametrize("name", UPDATES)
def test_updates_spoil_one_parameter(name: str, dtype: DType) -> None:
    clock = np.array([1.0, 0.1, 0.9, 0.999])
    for place, grads in with_one(np.nan, dtype):
        buffers: list[Any] = [np.ones_like(grads) for _ in UPDATES[name].states]
        params = np.ones_like(grads)
        getattr(ops, name)(params, grads, *buffers, clock)
        for written in (params, *buffers):
            assert (np.isnan(written) == np.isnan(grads)).all(), (len(grads), place)
