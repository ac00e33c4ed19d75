"""Sums of a million numbers in float32: those of equations in NumPy, and all beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gyaku import ops, reference
from gyaku.reference.arrays import ARRAY_OPERATIONS
from gyaku.reference.sums import BLOCK, sum_over

COUNT = 10**6
Arrays = tuple[np.ndarray, ...]
REDUCTIONS = ["l1", "l2", "log_sum", "log_sum_exp", "mean", "sum", "sum_square"]


def numbers(*shape: int, seed: int = 0, offset: float = 0.5) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(np.float32)


def reduction(name: str) -> Callable[..., Any]:
    return lambda x: ARRAY_OPERATIONS[name].forward(x, axes=(1,), keepdims=False)


LONG = numbers(COUNT, 2)
ROW = LONG[:, :1].T
SLOPES = LONG + numbers(COUNT, 2, seed=2)  # whose products with LONG do not cancel
_, *OF_GROUP = reference.group_norm(LONG[np.newaxis], numbers(2), numbers(2), groups=1)
_, OF_ROWS = reference.rms_norm(LONG, numbers(2))
CASES: dict[str, tuple[Callable[..., Any], Arrays]] = {
    "sum_to of rows": (lambda x: ops.sum_to(x, (2,)), (LONG,)),
    "sum_to of columns": (lambda x: ops.sum_to(x, (2, 1)), (LONG.T,)),
    "sum_to of all": (lambda x: ops.sum_to(x, ()), (LONG,)),
    "group_norm": (
        lambda x, *other: ops.group_norm(x, *other, groups=1),
        (LONG[np.newaxis], numbers(2), numbers(2, seed=1)),
    ),
    "group_norm_backward": (
        ops.group_norm_backward,
        (SLOPES[np.newaxis], LONG[np.newaxis], numbers(2), *OF_GROUP),
    ),
    "rms_norm": (ops.rms_norm, (ROW, np.ones(COUNT, np.float32))),
    "rms_norm_backward": (ops.rms_norm_backward, (SLOPES, LONG, numbers(2), OF_ROWS)),
    "softmax": (lambda x: ops.softmax(x, axis=0), (LONG,)),
    "log_softmax": (lambda x: ops.log_softmax(x, axis=0), (LONG,)),
    **{name: (reduction(name), (LONG[np.newaxis],)) for name in REDUCTIONS},
}


def as_arrays(results: Any) -> Arrays:
    return results if isinstance(results, tuple) else (results,)


@pytest.mark.parametrize("name", CASES)
def test_the_error_is_that_of_a_few_roundings(name: str) -> None:
    f, arrays = CASES[name]
    exact = as_arrays(f(*(each.astype(np.float64) for each in arrays)))
    for found, right in zip(as_arrays(f(*arrays)), exact, strict=True):
        assert found.dtype == np.float32
        # One after the other, the sums would be off by 50 to 10,000 of these.
        ulp = 2.0**-24
        np.testing.assert_allclose(found, right, rtol=4 * ulp, atol=8 * ulp * scale(right))


def scale(x: np.ndarray) -> float:
    """Return the size of the numbers from whose differences small elements come."""
    return float(np.abs(x).max())


def test_short_sums_are_those_of_numpy() -> None:
    x = numbers(2 * BLOCK - 1, 5)
    np.testing.assert_array_equal(sum_over(x, 0, keepdims=False), x.sum(axis=0))


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 1), (0, 2), (-1, -3), (0, 1, 2)])
@pytest.mark.parametrize("shape", [(3, 2 * BLOCK, 5), (3 * BLOCK + 7, 2, 1), (0, 4, 2), (4, 0, 2)])
def test_sums_over_axes(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).integers(-9, 10, shape).astype(np.float32)  # exact
    for keepdims in (True, False):
        expected = x.sum(axis=axes, keepdims=keepdims)
        found = sum_over(x, axes, keepdims)
        np.testing.assert_array_equal(found, expected)
        assert not np.shares_memory(found, x)


def images(x: np.ndarray) -> np.ndarray:
    """Return rows as an image of as many pixels, with the columns as channels."""
    return x.reshape(1, 1000, -1, x.shape[1])


def channels_first(x: np.ndarray) -> Any:
    return pytest.importorskip("torch").from_numpy(images(x)).permute(0, 3, 1, 2).contiguous()


# Ours, and PyTorch's, as functions of an array of shape (COUNT, columns).
BESIDE: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum_rows": (ops.sum_rows, lambda torch, x: torch.from_numpy(x).sum(0)),
    "sum_to": (lambda x: ops.sum_to(x, (2,)), lambda torch, x: torch.from_numpy(x).sum(0)),
    "global_avg_pool2d": (
        lambda x: ops.global_avg_pool2d(images(x)),
        lambda torch, x: channels_first(x).mean((2, 3)),
    ),
    "layer_norm": (
        lambda x: ops.layer_norm(x[:, :1].T, *row_of(x))[0],
        lambda torch, x: torch.nn.functional.layer_norm(torch.from_numpy(x[:, :1].T), (COUNT,)),
    ),
    "rms_norm": (
        lambda x: ops.rms_norm(x[:, :1].T, row_of(x)[0])[0],
        lambda torch, x: torch.nn.functional.rms_norm(
            torch.from_numpy(x[:, :1].T), (COUNT,), eps=1e-6
        ),
    ),
    "group_norm": (
        lambda x: ops.group_norm(images(x), *column_of(x), groups=1)[0].reshape(x.shape),
        lambda torch, x: (
            torch.nn.functional.group_norm(channels_first(x), 1)
            .permute(0, 2, 3, 1)
            .reshape(x.shape)
        ),
    ),
    "batch_norm": (
        lambda x: ops.batch_norm(x, *column_of(x))[0],
        lambda torch, x: torch.nn.functional.batch_norm(
            torch.from_numpy(x), None, None, training=True
        ),
    ),
    "softmax over rows": (
        lambda x: ops.softmax(x, axis=0),
        lambda torch, x: torch.softmax(torch.from_numpy(x), 0),
    ),
    "log_softmax": (
        lambda x: ops.log_softmax(x[:, :1].T.copy()),
        lambda torch, x: torch.log_softmax(torch.from_numpy(x[:, :1].T.copy()), 1),
    ),
}


def row_of(x: np.ndarray) -> Arrays:
    return np.ones(COUNT, x.dtype), np.zeros(COUNT, x.dtype)


def column_of(x: np.ndarray) -> Arrays:
    return np.ones(2, x.dtype), np.zeros(2, x.dtype)


@pytest.mark.parametrize("name", BESIDE)
def test_the_error_is_at_most_three_times_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = BESIDE[name]
    errors = np.zeros(2)
    for offset in (0.5, 3.0):
        x = numbers(COUNT, 2, offset=offset)
        exact = theirs(torch, x.astype(np.float64)).numpy()
        for at, found in enumerate((ours(x), theirs(torch, x).numpy())):
            errors[at] = max(errors[at], np.abs(found - exact).max() / scale(exact))
    # One of PyTorch's sums may be exact by chance.
    assert errors[0] <= max(3 * errors[1], 2.0**-24)
