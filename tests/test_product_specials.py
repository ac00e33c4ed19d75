"""Infinities and NaN in products go where IEEE arithmetic sends them, on every path and no further.

A lane beyond the end of a row holds 0 or whatever lies there: times infinity, either would be NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from op_case import Array
from products import LARGE, PATHS, Product
from recorded import record

from gyaku import _core, ops

INF, NAN = np.inf, np.nan
PLACES = ((-1, -1, INF), (-1, -1, NAN), (0, -1, -INF), (-1, 0, INF), (67, 300, NAN))
each_path = pytest.mark.parametrize("product", [p for p in PATHS if min(p.m, p.k) > 1], ids=str)


def exact(left: Array, right: Array) -> Array:
    """Multiply without a library that pads where numbers are not finite: term by term."""
    left, right = left.astype(np.float64), right.astype(np.float64)
    rows, columns = ~np.isfinite(left).all(axis=1), ~np.isfinite(right).all(axis=0)
    product: Array = np.where(np.isfinite(left), left, 0) @ np.where(np.isfinite(right), right, 0)
    with np.errstate(invalid="ignore"):
        product[rows] = np.einsum("ik,kj->ij", left[rows], right)
        product[:, columns] = np.einsum("ik,kj->ij", left, right[:, columns])
    return product


def check(product: Product, left: Array, right: Array, bias: Array) -> None:
    with np.errstate(invalid="ignore"):
        expected = exact(left, right) + (bias if product.bias else 0)
    a, b, given_bias = product.operands(left, right, bias)
    y = product(a, b, given_bias)
    np.testing.assert_array_equal(y, expected, err_msg=str(product))
    program, (y, sums) = record(lambda: [product(a, b, given_bias), ops.sum_rows(b)])
    _core.replay([(program, 1)])
    np.testing.assert_array_equal(y, expected, err_msg=f"replay of {product}")
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(sums, b.sum(axis=0), err_msg=f"column sums of {product}")


@each_path
def test_one_value_spoils_what_it_is_multiplied_with(product: Product) -> None:
    # The factors have zeros, which an infinity turns to NaN.
    for row, column, value in PLACES:
        left, right, bias = product.whole_numbers(1)
        left[row % product.m, column % product.k] = value
        check(product, left, right, bias)
        left, right, bias = product.whole_numbers(2)
        right[row % product.k, column % product.n] = value
        check(product, left, right, bias)
        left, right, bias = product.whole_numbers(3)
        bias[column % product.n] = value
        check(product, left, right, bias)


@pytest.mark.parametrize("product", LARGE, ids=str)
def test_values_spoil_large_products_where_they_should(product: Product) -> None:
    _core.set_num_threads(1)  # the more rows a thread has, the more chunks it copies
    left, right, bias = product.whole_numbers(9)
    for row, column, value in PLACES:
        left[row % product.m, column % product.k] = value
    check(product, left, right, bias)
    left, right, bias = product.whole_numbers(10)
    for row, column, value in PLACES:
        right[row % product.k, column % product.n] = value
    check(product, left, right, bias)


def last_row(x: Array) -> None:
    x[-1] = INF


def last_column(x: Array) -> None:
    x[:, -1] = -INF


def both_ends(x: Array) -> None:
    x[:, 0], x[:, -1] = INF, -INF


def here_and_there(x: Array) -> None:
    rng = np.random.default_rng(4)
    for value in (INF, -INF, NAN):
        x[rng.random(x.shape) < 1 / x.size**0.75] = value


def behind_zeros(x: Array) -> None:
    x[...] = 0
    x[-1, -1] = INF


@pytest.mark.parametrize("spoil", [last_row, last_column, both_ends, here_and_there, behind_zeros])
@each_path
def test_infinities_meet_as_ieee_says(product: Product, spoil: Callable[[Array], None]) -> None:
    left, right, bias = product.whole_numbers(5)
    spoil(left)
    check(product, left, right, bias)
    left, right, bias = product.whole_numbers(6)
    spoil(right)
    check(product, left, right, bias)
    spoil(left)
    check(product, left, right, bias)


@each_path
def test_no_terms_times_anything_is_the_bias(product: Product) -> None:
    product = replace(product, k=0)
    left, right, bias = product.whole_numbers(7)
    bias[-1] = -INF
    check(product, left, right, bias)


@each_path
def test_a_result_within_an_input_is_refused(product: Product) -> None:
    a, b, bias = product.operands(*product.whole_numbers(8))
    size = product.m * product.n
    for given in (a, b, bias):
        if given is None:
            continue
        memory = np.zeros(given.size + 2 * size, product.dtype)
        inside = memory[size : size + given.size].reshape(given.shape)
        arguments = [inside if x is given else x for x in (a, b, bias)]
        for first in (1, size, given.size + size - 1):
            out = memory[first : first + size].reshape(product.m, product.n)
            with pytest.raises(ValueError, match="out"):
                product(*arguments, out=out)
        assert not memory.any()
        for first in (0, given.size + size):  # side by side is well
            inside[...] = given
            out = memory[first : first + size].reshape(product.m, product.n)
            product(*arguments, out=out)
            assert out.tobytes() == product(a, b, bias).tobytes()
            assert inside.tobytes() == given.tobytes()
            memory[...] = 0


@pytest.mark.parametrize("m", [3, 8, 13, 61, 239])
@pytest.mark.parametrize("transpose_a", [False, True])
def test_a_matrix_times_itself_is_allowed(m: int, transpose_a: bool) -> None:
    x = np.random.default_rng(9).integers(-4, 5, (m, m)).astype(np.float32)
    left = x.T if transpose_a else x
    np.testing.assert_array_equal(ops.matmul(x, x, transpose_a=transpose_a), left @ x)
    y = ops.matmul(x, x, transpose_a=transpose_a, transpose_b=True)
    np.testing.assert_array_equal(y, left @ x.T)
