"""Matrix products of all sizes and options, by numbers whose sums are exact in any order.

The numbers lie among NaN, so that one too many in a sum shows as well as one too few.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_case import DTYPES, Array
from products import (
    ACTIVATIONS,
    COLUMNS,
    FAR_APART,
    GRID,
    LARGE,
    PATHS,
    ROWS,
    TERMS,
    TRANSPOSITIONS,
    Product,
    frame_of,
    framed,
)
from recorded import names, record

from gyaku import _core, ops


@pytest.fixture(autouse=True)
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


def assert_same(found: Array, expected: Array, what: str, product: Product) -> None:
    message = f"{what} of {product} under GYAKU_ISA={_core.isa()}"
    np.testing.assert_array_equal(found, expected, err_msg=message)


def check(product: Product, seed: int) -> None:
    """Check one call into memory of the caller, then the product as a training step has it."""
    left, right, bias = product.whole_numbers(seed)
    a, b, given_bias = product.operands(left, right, bias)
    z = (left @ right).astype(product.dtype)
    activation: Callable[[Array], Array] = getattr(ops, product.activation)
    y = activation((z + bias * product.bias).astype(z.dtype))

    out = framed(np.full((product.m, product.n), np.nan, product.dtype))
    product(a, b, given_bias, out=out, activation=product.activation)
    assert_same(out, y, "the result", product)
    assert np.isnan(frame_of(out)).all(), f"written beyond the result: {product}"

    check_recorded(product, (a, b, given_bias), z, y)


def check_recorded(
    product: Product, operands: tuple[Array, Array, Array | None], z: Array, y: Array
) -> None:
    """Check activation, derivative and column sums, as they are recorded and as they are replayed.

    Recording runs each kernel by itself; the replay runs what they are fused to.
    """
    a, b, bias = operands
    saved = framed(np.cos(np.arange(z.size)).astype(z.dtype)).reshape(z.shape)
    forward: Callable[[Array], Array] = getattr(ops, product.activation)
    backward: Callable[[Array, Array], Array] = getattr(ops, product.activation + "_backward")

    def step() -> list[Array]:
        return [forward(product(a, b, bias)), backward(product(a, b, None), saved), ops.sum_rows(b)]

    expected = {"y": y, "the derivative": backward(z, saved), "the column sums": b.sum(axis=0)}
    program, results = record(step)
    for result, (what, wanted) in zip(results, expected.items(), strict=True):
        assert_same(result, wanted, what, product)
        result[...] = np.nan
    _core.replay([(program, 1)])
    for result, (what, wanted) in zip(results, expected.items(), strict=True):
        assert_same(result, wanted, f"{what} in a replay ({names(program)})", product)
    if product.m * product.n > 0:
        f = product.activation
        fused = [] if f == "identity" else [f" + {f}", f" + {f}_backward"]
        fused += [" + sum_rows"] if product.n > 1 and not product.transpose_b else []
        assert all(any(word in name for name in names(program)) for word in fused), str(product)


def test_the_grid_brings_all_pairs_together() -> None:
    levels = {
        "m": ROWS,
        "k": TERMS,
        "n": COLUMNS,
        "bias": (False, True),
        "activation": ACTIVATIONS,
        "dtype": DTYPES,
        "transpose": TRANSPOSITIONS,
    }
    met = set().union(*(itertools.combinations(product.factors, 2) for product in GRID))
    for first, second in itertools.combinations(levels, 2):
        possible = itertools.product(levels[first], levels[second])
        missing = {pair for pair in possible if ((first, pair[0]), (second, pair[1])) not in met}
        assert missing == set(), (first, second)


@pytest.mark.parametrize("m", ROWS)
def test_a_product_is_exact_at_every_size(m: int) -> None:
    for place, product in enumerate(GRID):
        if product.m == m:
            check(product, place)


@pytest.mark.parametrize("product", PATHS, ids=str)
def test_a_product_is_exact_on_every_path(product: Product) -> None:
    check(product, 1)


@pytest.mark.parametrize("product", FAR_APART, ids=str)
def test_a_product_of_rows_far_apart_is_exact(product: Product) -> None:
    check(product, 3)


@pytest.mark.parametrize("product", LARGE, ids=str)
def test_a_large_product_is_exact(product: Product) -> None:
    _core.set_num_threads(1)  # the more rows a thread has, the more chunks it copies
    check(product, 5)


def test_rows_without_columns_cost_nothing() -> None:
    rows, none = np.empty((2**40, 0), np.float32), np.empty((0, 0), np.float32)
    assert ops.matmul(rows, none, activation="relu").shape == rows.shape
    assert ops.matmul(rows.T, none, transpose_a=True).shape == rows.shape
    assert ops.matmul(none, rows, transpose_b=True).size == 0
    assert ops.sum_rows(rows).size == 0
    assert ops.softmax(rows).shape == ops.relu(rows).shape == rows.shape


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(
    product=st.builds(
        Product,
        m=st.integers(0, 80),
        k=st.integers(0, 900),
        n=st.integers(0, 150),
        transpose_a=st.booleans(),
        transpose_b=st.booleans(),
        bias=st.booleans(),
        activation=st.sampled_from(ACTIVATIONS),
        dtype=st.sampled_from(DTYPES),
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_product_is_exact(product: Product, seed: int) -> None:
    check(product, seed)
