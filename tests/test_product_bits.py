"""The bits of a product follow from the problem, not from threads or from where a number lies.

The numbers use all their digits, so that another order of summation would show.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from op_case import DTYPES, Array
from products import FAR_APART, LARGE, PATHS, TRANSPOSITIONS, Product, framed
from recorded import record

from gyaku import _core, ops

THREADS = (1, 2, 3, 4, 7)
# Of every path, and just long enough for a team.
SHARED = tuple(
    Product(m, k, n, *transposition, True, "tanh", DTYPES[(m + sum(transposition)) % 2])
    for m, k, n in (
        *[(1201, 403, 1), (1, 511, 1031), (3, 301, 997), (4, 307, 1000), (7, 301, 700)],
        *[(13, 307, 399), (28, 205, 301), (67, 203, 101), (113, 51, 260), (271, 101, 67)],
        *[(300, 301, 300), (320, 263, 67)],
    )
    for transposition in TRANSPOSITIONS
)


def step(product: Product, arrays: tuple[Array, ...]) -> list[Array]:
    """Compute what a training step makes of a product."""
    left, right, bias, saved = arrays
    y = ops.tanh(product(left, right, bias))
    return [y, ops.tanh_backward(product(left, right, None), saved), ops.sum_rows(right)]


def bits(arrays: list[Array]) -> list[bytes]:
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("product", [*SHARED, *LARGE], ids=str)
def test_the_number_of_threads_changes_no_bit(product: Product) -> None:
    saved = np.cos(np.arange(product.m * product.n)).reshape(product.m, product.n)
    arrays = (*product.operands(*product.normal_numbers(0)), saved.astype(product.dtype))
    program, results = record(lambda: step(product, arrays))
    assert any(task["shared"] for task in program.tasks())
    expected = bits(results)
    for threads in THREADS[:3] if product in LARGE else THREADS:
        _core.set_num_threads(threads)
        assert bits(step(product, arrays)) == expected, f"{product}, {threads} threads"
        for result in results:
            result[...] = np.nan
        _core.replay([(program, 1)])
        assert bits(results) == expected, f"a replay of {product}, {threads} threads"


@pytest.mark.parametrize("product", [*PATHS, *FAR_APART, *LARGE], ids=str)
def test_equal_rows_give_equal_bits_wherever_they_lie(product: Product) -> None:
    # Threads cut rows anywhere: a row must not depend on the tile that it falls into.
    left, right, bias = product.normal_numbers(1)
    left = np.repeat(left[:1], product.m, axis=0)
    y = product(*product.operands(left, right, bias), activation=product.activation)
    assert bits(list(y)) == bits([y[0]]) * product.m


@pytest.mark.parametrize("product", [*PATHS, *LARGE], ids=str)
def test_where_the_arrays_begin_changes_no_bit(product: Product) -> None:
    framed_arrays = product.operands(*product.normal_numbers(2))
    aligned = []
    for x in framed_arrays:
        aligned.append(None if x is None else _core.empty(x.shape, x.dtype))
        if x is not None:
            aligned[-1][...] = x
    out = framed(np.zeros((product.m, product.n), product.dtype))
    product(*framed_arrays, out=out)
    assert out.tobytes() == product(*aligned).tobytes()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("k", [1, 3, 8, 33, 129, 400])
def test_a_row_may_be_independent_of_the_number_of_rows(k: int, dtype: np.dtype[Any]) -> None:
    rng = np.random.default_rng(k)
    a = rng.standard_normal((300, k)).astype(dtype)
    for n in (1, 2, 15, 20, 33, 131, 512):
        b, bias = (rng.standard_normal(shape).astype(dtype) for shape in ((k, n), n))
        whole = ops.matmul(a, b, bias=bias, independent_rows=True)
        for m in (1, 2, 4, 7, 29, 150):
            part = ops.matmul(a[:m], b, bias=bias, independent_rows=True)
            assert part.tobytes() == whole[:m].tobytes(), f"{m} rows, {n} columns"
