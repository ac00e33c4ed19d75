"""Operations that index, on arrays of 9 GiB and more than 2^31 elements: the last rows are found.

``python tests/large_arrays.py``; the pages of zeros are shared, so that it needs about 1 GiB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gyaku import _core, ops

COLUMNS = 1024
ROWS = 9 * 2**30 // 4 // COLUMNS  # of float32: 2.4e9 elements
LAST = np.arange(2 * COLUMNS, dtype=np.float32).reshape(2, COLUMNS)


def zeros(dtype: type, rows: int = ROWS) -> NDArray[np.generic]:
    """Return zeros, which take no memory until they are written, with numbers in two rows."""
    x = np.zeros((rows, COLUMNS), dtype)
    x[-2:] = LAST.astype(dtype)
    return x


def gather_of(dtype: type) -> None:
    x = zeros(dtype, ROWS * 4 // np.dtype(dtype).itemsize)
    out = np.empty((2, COLUMNS), np.float32)
    order = np.array([len(x) - 1, len(x) - 2])
    ops.gather(x, order, np.array([0]), out)
    np.testing.assert_array_equal(out, x[[-1, -2]].astype(np.float32))


def gather() -> None:
    gather_of(np.float32)


def gather_bytes() -> None:
    gather_of(np.uint8)


def embedding() -> None:
    x = zeros(np.float32)
    found = ops.embedding(np.array([[ROWS - 1, 0, ROWS - 2]]), x)
    np.testing.assert_array_equal(found[0], x[[-1, 0, -2]])


def sum_rows() -> None:
    np.testing.assert_array_equal(ops.sum_rows(zeros(np.float32)), LAST.sum(axis=0))


def take_columns() -> None:
    found = ops.take_columns(zeros(np.float32), start=COLUMNS - 1, count=1)
    np.testing.assert_array_equal(found[-2:, 0], LAST[:, -1])
    assert not found[:-2].any()


def matmul() -> None:
    w = np.zeros((COLUMNS, 1), np.float32)
    w[-1] = 2
    found = ops.matmul(zeros(np.float32), w)
    np.testing.assert_array_equal(found[-2:, 0], 2 * LAST[:, -1])
    assert not found[:-2].any()


def count_correct() -> None:
    target = np.zeros(ROWS, np.int64)
    target[-2:] = COLUMNS - 1
    assert ops.count_correct(zeros(np.float32), target) == ROWS


def is_finite() -> None:
    x = zeros(np.float32)
    assert _core.is_finite(x)
    x[-1, -1] = np.nan
    assert not _core.is_finite(x)


ALL: tuple[Callable[[], None], ...] = (
    *(gather, gather_bytes, embedding, sum_rows, take_columns, matmul, count_correct, is_finite),
)

if __name__ == "__main__":
    for each in ALL:
        each()
        print(f"{each.__name__}: right", flush=True)
    sys.exit(0)
