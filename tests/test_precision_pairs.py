"""Products in bfloat16 by instructions, which read pairs of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import guarded_copy, guarded_empty
from op_case import Array
from recorded import names, record

import gyaku as gk
from gyaku import _core, ops
from gyaku.precision import rounded, use_precision

pytestmark = pytest.mark.skipif(not _core.multiplies_bfloat16(), reason="needs AVX-512 BF16")


def data(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


# Rows, k and columns around the size of a tile, of a panel and of a pair.
PAIRED = [(14, 16, 16), (15, 17, 31), (28, 33, 32), (43, 64, 49), (130, 100, 70)]


@pytest.mark.parametrize("shape", PAIRED, ids=str)
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_products_by_instructions_read_pairs(
    shape: tuple[int, int, int], transpose_a: bool, transpose_b: bool
) -> None:
    m, k, n = shape
    a, b = guarded_copy(data((m, k))), guarded_copy(data((k, n)))
    if transpose_a:
        a = guarded_copy(a.T)
    if transpose_b:
        b = guarded_copy(b.T)
    bias, c = guarded_copy(data((n,))), guarded_empty((m, n), np.float32)

    def product() -> Array:
        options = {"transpose_a": transpose_a, "transpose_b": transpose_b}
        return ops.matmul(a, b, bias=bias, activation="relu", out=c, **options)

    with use_precision("bfloat16"):
        program, [paired] = record(lambda: [product()])
        assert names(program)[-1].startswith("matmul in bfloat16")
    left, right = (rounded(x).astype(np.float64) for x in (a, b))
    left, right = left.T if transpose_a else left, right.T if transpose_b else right
    wanted = np.maximum(left @ right + bias, 0)
    bound = (k + 2) * 2.0**-24 * (abs(left) @ abs(right) + abs(bias)) * 1.01
    assert (abs(paired - wanted) <= bound).all()


def test_products_by_instructions_treat_infinities_and_nan_as_others() -> None:
    a, b = data((16, 18)), np.abs(data((18, 20)))
    a[:4, 5] = [np.inf, -np.inf, np.nan, 3.4e38]
    a.view(np.uint32)[4, 5] = 0x7F800001  # NaN, in the bits that are cut off
    a[5, 6], a[5, 7] = np.inf, -np.inf
    with use_precision("bfloat16"):
        found = ops.matmul(a, b)
    np.testing.assert_array_equal(found[0], np.inf)
    np.testing.assert_array_equal(found[1], -np.inf)
    np.testing.assert_array_equal(found[3], np.inf)
    assert np.isnan(found[[2, 4, 5]]).all()
    assert np.isfinite(found[6:]).all()


# Images, their side, channels, filters, side of the kernel, stride, padding: vectors and remainders
# of filters, an odd number of images, rows joined, one residue without a tap.
CONVOLVED = [
    (33, 8, 14, 20, 5, 1, 2),
    (3, 9, 20, 50, 5, 1, 0),
    (5, 8, 16, 16, 3, 2, 1),
    (34, 6, 32, 18, 1, 1, 0),
    (2, 7, 10, 34, 2, 3, 0),
]


@pytest.mark.parametrize("shape", CONVOLVED, ids=str)
def test_convolutions_by_instructions_read_pairs(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYAKU_WINOGRAD", "0")
    n, side, channels, filters, kernel, stride, padding = shape
    x = guarded_copy(data((n, side, side, channels)))
    w = guarded_copy(data((kernel, kernel, channels, filters)))
    how: dict[str, Any] = {"stride": stride, "padding": padding}
    dy = guarded_copy(data(ops.conv2d(x, w, **how).shape))

    def products() -> list[Array]:
        return [
            ops.conv2d(x, w, **how),
            ops.conv2d_backward_data(dy, w, (side, side), **how),
            *ops.conv2d_backward_weights(dy, x, kernel, **how),
        ]

    def exact(dy: Array, x: Array, w: Array) -> list[Array]:
        with gk.use_backend("reference"):
            return [
                ops.conv2d(x, w, **how),
                ops.conv2d_backward_data(dy, w, (side, side), **how),
                *ops.conv2d_backward_weights(dy, x, kernel, **how),
            ]

    with use_precision("bfloat16"):
        program, found = record(products)
    assert names(program).count("pair in bfloat16") == 6
    operands = [rounded(each).astype(np.float64) for each in (dy, x, w)]
    wanted, size = exact(*operands), exact(*map(np.abs, operands))
    terms = kernel**2 * np.array([channels, filters]), n * dy.shape[1] * dy.shape[2]
    lengths = [*terms[0], terms[1], terms[1]]
    for actual, value, total, length in zip(found, wanted, size, lengths, strict=True):
        assert (abs(actual - value) <= (length + 16) * 2.0**-24 * total * 1.01).all()


def test_convolutions_by_instructions_are_joined_with_what_follows() -> None:
    x, w, b = data((32, 12, 12, 4)), data((5, 5, 4, 16)), data((16,))

    def step() -> list[Array]:
        with use_precision("bfloat16"):
            return [*ops.max_pool2d(ops.conv2d(x, w, b, activation="relu"), 2)]

    eager = step()
    program, outputs = record(step)
    assert "conv2d + max_pool2d" in names(program)
    for y in outputs:
        y[...] = 0
    _core.replay([(program, 1)])
    assert [y.tobytes() for y in outputs] == [y.tobytes() for y in eager]
