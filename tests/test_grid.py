"""Convolution and pooling against the reference over the whole grid of where windows may lie.

Each geometry of one axis comes once along the rows and once along the columns, beside another one
there, with channels and groups in turn. Numbers are small and whole, so that every order of a sum
gives the same, and the two must be equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, product
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from gyaku import ops, reference

Array = NDArray[Any]

PRIMES = (1, 2, 3, 5, 7, 11, 13, 17, 19, 37)
GROUPS = (1, 1, 2, 1, 3)


class Axis(NamedTuple):
    """Where windows lie along one axis."""

    size: int
    taps: int
    stride: int
    dilation: int
    padding: tuple[int, int]

    def fits(self) -> bool:
        return (self.taps - 1) * self.dilation < self.size + sum(self.padding)


def geometries(axes: list[Axis]) -> Iterator[tuple[int, tuple[Axis, Axis]]]:
    """Return each axis beside another one, in an order that is the same each time."""
    beside = np.random.default_rng(0).permutation(len(axes))
    for number, axis in enumerate(axes):
        yield number, (axis, axes[beside[number]])


def grid(*ways: Any) -> list[Axis]:
    axes = [Axis(*way) for way in product(range(1, 10), *ways)]
    return [axis for axis in axes if axis.fits()]


CONVOLVED = grid((1, 2, 3, 5), (1, 2, 3), (1, 2, 3), ((0, 0), (1, 1), (0, 2), (3, 0)))
POOLED = [
    axis
    for axis in grid((1, 2, 3, 4), (1, 2, 3), (1, 2), ((0, 0), (1, 1), (0, 1)))
    if 2 * max(axis.padding) <= axis.taps
]


def whole(rng: np.random.Generator, dtype: str, *shape: int) -> Array:
    return rng.integers(-4, 5, shape).astype(dtype)


def same(ours: Any, theirs: Any, problem: Any) -> None:
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(our, their, err_msg=str(problem), strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convolution_over_the_grid(dtype: str) -> None:
    rng = np.random.default_rng(1)
    channels, filters, groups = cycle(PRIMES), cycle(PRIMES[::-1][1:]), cycle(GROUPS)
    for _, sides in geometries(CONVOLVED):
        per_group, made, count = next(channels), next(filters), next(groups)
        size, window, stride, dilation, padding = zip(*sides, strict=True)
        where = {"stride": stride, "dilation": dilation, "padding": padding, "groups": count}
        problem = (size, window, per_group, made, where)
        x = whole(rng, dtype, 2, *size, per_group * count)
        w = whole(rng, dtype, *window, per_group, made * count)
        b = whole(rng, dtype, made * count)
        y = reference.conv2d(x, w, b, activation="relu", **where)
        same([ops.conv2d(x, w, b, activation="relu", **where)], [y], problem)
        dy = whole(rng, dtype, *y.shape)
        for name, arguments in (
            ("conv2d_backward_data", (dy, w, size)),
            ("conv2d_backward_weights", (dy, x, window)),
        ):
            ours = getattr(ops, name)(*arguments, **where)
            theirs = getattr(reference, name)(*arguments, **where)
            same(*((r if isinstance(r, tuple) else (r,)) for r in (ours, theirs)), problem)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pooling_over_the_grid(dtype: str, ceil_mode: bool) -> None:
    rng = np.random.default_rng(2)
    channels = cycle(PRIMES)
    for number, sides in geometries(POOLED):
        size, window, stride, dilation, padding = zip(*sides, strict=True)
        where = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
        problem = (size, window, dilation, where)
        x = whole(rng, dtype, 2, *size, next(channels))
        dilated = where | {"dilation": dilation}
        y, argmax = reference.max_pool2d(x, window, **dilated)
        same(ops.max_pool2d(x, window, **dilated), (y, argmax), problem)
        dy = whole(rng, dtype, *y.shape)
        arguments = (dy, argmax, size, window)
        theirs = reference.max_pool2d_backward(*arguments, **dilated)
        same([ops.max_pool2d_backward(*arguments, **dilated)], [theirs], problem)
        if dilation != (1, 1):
            continue
        where["count_include_pad"] = number % 2 == 0
        means = [
            (ops.avg_pool2d(x, window, **where), reference.avg_pool2d(x, window, **where)),
            (
                ops.avg_pool2d_backward(dy, size, window, **where),
                reference.avg_pool2d_backward(dy, size, window, **where),
            ),
        ]
        for ours, exact in means:  # numbers of at most 4, of which a mean has a rounded share
            np.testing.assert_allclose(
                ours, exact, rtol=0, atol=16 * np.finfo(dtype).eps, err_msg=str(problem)
            )
