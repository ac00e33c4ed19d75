"""Infinities and NaN in products go where IEEE arithmetic sends them, on every path and no further.

A lane beyond the end of a row holds 0 or whatever lies there: times infinity, either would be NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from op_case import Array
from products import LARGE, PATHS, Product
from recorded import record

from gyaku import _core, ops

INF, NAN = np.inf, np.nan
# Values, and where in its row each of them stands.
SPECIALS = ((INF, -1), (NAN, -1), (-INF, -1), (INF, 0), (NAN, 300))
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
    """Check a product and the column sums of its right factor, called and replayed."""
    a, b, given_bias = product.operands(left, right, bias)
    with np.errstate(invalid="ignore"):
        expected = exact(left, right) + (bias if product.bias else 0), b.sum(axis=0)
    program, results = record(lambda: [product(a, b, given_bias), ops.sum_rows(b)])
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted, err_msg=str(product))
        result[...] = 77
    _core.replay([(program, 1)])
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted, err_msg=f"a replay of {product}")


def turn(product: Product) -> int:
    """Return a number that differs between the transpositions of a product."""
    return 2 * product.transpose_a + product.transpose_b


def with_one_special_a_row(x: Array, first: int) -> Iterator[Array]:
    """Yield copies that have each special value once, in rows of their own.

    They are spread over the matrix and begin with the last row; a matrix of fewer rows than special
    values is copied more than once.
    """
    specials = SPECIALS[first:] + SPECIALS[:first]
    for begin in range(0, len(specials), len(x)):
        copy = x.copy()
        for place, (value, column) in enumerate(specials[begin : begin + len(x)]):
            copy[-1 - place * max(len(x) // len(specials), 1), column % x.shape[1]] = value
        yield copy


@each_path
def test_one_value_spoils_what_it_is_multiplied_with(product: Product) -> None:
    # The factors have zeros, which an infinity turns to NaN.
    left, right, bias = product.whole_numbers(1)
    for spoiled in with_one_special_a_row(left, turn(product)):
        check(product, spoiled, right, bias)
    for spoiled in with_one_special_a_row(right.T, turn(product)):
        check(product, left, spoiled.T, bias)
    for spoiled in with_one_special_a_row(bias[:, np.newaxis], turn(product)):
        check(product, left, right, spoiled[:, 0])


@pytest.mark.parametrize("product", LARGE, ids=str)
def test_values_spoil_large_products_where_they_should(product: Product) -> None:
    _core.set_num_threads(1)  # the more rows a thread has, the more chunks it copies
    left, right, bias = product.whole_numbers(9)
    for spoiled in with_one_special_a_row(left, turn(product)):
        check(product, spoiled, right, bias)
    for spoiled in with_one_special_a_row(right.T, turn(product)):
        check(product, left, spoiled.T, bias)


def all_infinite(row: Array) -> None:
    row[...] = INF


def last(row: Array) -> None:
    row[-1] = -INF


def both_ends(row: Array) -> None:
    row[0], row[-1] = INF, -INF


def here_and_there(row: Array) -> None:
    places = np.random.default_rng(row.size).permutation(row.size)[:3]
    row[places] = (INF, -INF, NAN)[: places.size]


def behind_zeros(row: Array) -> None:
    row[...] = 0
    row[-1] = INF


WAYS = (all_infinite, last, both_ends, here_and_there, behind_zeros)


def spoiled_in_turn(x: Array, first: int) -> Iterator[Array]:
    """Yield copies whose rows, from the last one on, are spoiled each in another of the ways."""
    for begin in range(0, len(WAYS), len(x)):
        copy = x.copy()
        for place, row in enumerate(copy[::-1]):
            WAYS[(first + begin + place) % len(WAYS)](row)
        yield copy


@each_path
def test_infinities_meet_as_ieee_says(product: Product) -> None:
    left, right, bias = product.whole_numbers(5)
    for rows in spoiled_in_turn(left, turn(product)):
        check(product, rows, right, bias)
        for columns in spoiled_in_turn(right.T, turn(product)):
            check(product, rows, columns.T, bias)
    for columns in spoiled_in_turn(right.T, turn(product)):
        check(product, left, columns.T, bias)


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
