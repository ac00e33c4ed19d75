"""Cases of pooling: positions of windows, times numbers of channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import Call, Case, DType, Make, normal

from gyaku import reference
from gyaku.windows import pool_axes

Pair = tuple[int, int]
Options = dict[str, Any]

# Image, kernel size, keywords.
GEOMETRIES: list[tuple[Pair, Pair, Options]] = [
    ((1, 1), (1, 1), {}),
    ((2, 2), (2, 2), {}),
    ((6, 8), (2, 2), {}),
    ((7, 9), (2, 2), {}),
    ((7, 9), (2, 2), {"ceil_mode": True}),
    ((7, 6), (2, 2), {"padding": 1}),
    ((8, 7), (2, 2), {"stride": 1}),
    ((9, 8), (3, 3), {"stride": 2, "padding": 1}),
    ((9, 9), (3, 3), {"stride": 1, "padding": "same"}),
    ((8, 9), (3, 2), {"stride": (2, 3), "padding": ((1, 0), (0, 1)), "ceil_mode": True}),
    ((9, 7), (2, 3), {"stride": 4}),
    ((5, 31), (1, 3), {"stride": (1, 2)}),
    ((9, 9), (4, 4), {"stride": 3, "padding": "same"}),
    ((7, 7), (7, 7), {}),
    ((5, 6), (3, 4), {"padding": 2, "stride": (1, 2)}),
]
DILATED: list[tuple[Pair, Pair, Options]] = [
    ((9, 9), (2, 3), {"dilation": 2, "stride": 1}),
    ((8, 9), (3, 2), {"dilation": (1, 3), "stride": 2, "padding": 1}),
    ((1, 1), (2, 2), {"dilation": 2, "padding": 1}),
    ((33, 34), (17, 16), {"stride": (16, 18)}),
]
CHANNELS = (1, 2, 3, 5, 7, 8, 13, 16, 17, 20, 33)
# Samples enough to be cut by sample, work enough for several threads.
MANY: list[tuple[int, Pair, Pair, Options, int]] = [
    (33, (9, 8), (2, 2), {}, 20),
    (9, (24, 24), (2, 2), {}, 16),
    (2, (40, 41), (3, 3), {"stride": 2, "padding": 1}, 17),
    (9, (7, 5), (2, 2), {}, 50),
    (1, (57, 56), (2, 2), {}, 5),
    (0, (4, 4), (2, 2), {}, 3),
    (3, (4, 4), (2, 2), {}, 0),
]


def problems(geometries: list[tuple[Pair, Pair, Options]]) -> Iterator[tuple[Any, ...]]:
    """Pair each geometry with some channels, so that each of these comes with several of those."""
    for i, (size, window, options) in enumerate(geometries):
        for j in range(3):
            channels = CHANNELS[(3 * i + 5 * j) % len(CHANNELS)]
            yield 1 + (i + j) % 3, size, window, options, channels
    yield from MANY


def ties(shape: tuple[int, ...]) -> Make:
    """Make images whose maximum often comes more than once, with some special numbers."""

    def call(rng: Generator, dtype: DType) -> Call:
        x = rng.integers(-3, 4, shape).astype(dtype)
        for special in (np.nan, np.inf, -np.inf, -0.0):
            x[rng.random(shape) < 0.03] = special
        return [x], {}

    return call


def from_maxima(shape: tuple[int, ...], window: Pair, options: Options) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        _, argmax = reference.max_pool2d(rng.standard_normal(shape), window, **options)
        return [rng.standard_normal(argmax.shape).astype(dtype), argmax], {}

    return call


def from_norms(shape: tuple[int, ...], where: Options) -> Make:
    """Make images with zeros, alone and in whole windows, and the norms of the others."""

    def call(rng: Generator, dtype: DType) -> Call:
        x = rng.standard_normal(shape)
        x[rng.random(shape) < 0.1] = 0
        x[:, : shape[1] // 3, : shape[2] // 2] = 0
        y = reference.lp_pool2d(x, **where)
        return [each.astype(dtype) for each in (rng.standard_normal(y.shape), x, y)], {}

    return call


def pool_cases() -> Iterator[Case]:
    for n, size, window, options, c in problems(GEOMETRIES + DILATED):
        shape = (n, *size, c)
        label = f"{n}x{size[0]}x{size[1]}x{c}"
        where: Options = {"kernel_size": window, **options}
        yield Case("max_pool2d", label, ties(shape), sparse=True, **where)
        make = from_maxima(shape, window, options)
        # Most pixels are no maximum.
        yield Case("max_pool2d_backward", label, make, sparse=True, size=size, **where)
    for n, size, window, options, c in problems(GEOMETRIES + DILATED):
        shape = (n, *size, c)
        label = f"{n}x{size[0]}x{size[1]}x{c}"
        rows, columns = pool_axes("", shape, window, **options)
        windows = (n, rows.windows, columns.windows, c)
        for count in (False, True) if options.get("padding") else (False,):
            where = {"kernel_size": window, **options, "count_include_pad": count}
            if c == 13:
                where["divisor_override"] = -3
            # Windows of padding alone have the mean zero.
            yield Case("avg_pool2d", label, one(normal(shape)), sparse=size == (1, 1), **where)
            # Steps longer than a window leave pixels out.
            make = one(normal(windows))
            yield Case("avg_pool2d_backward", label, make, sparse=True, size=size, **where)
    for n, size, window, options, c in problems(GEOMETRIES):
        shape = (n, *size, c)
        label = f"{n}x{size[0]}x{size[1]}x{c}"
        for norm in (2, (1, 3, 1.5)[c % 3]):
            where = {"norm_type": norm, "kernel_size": window, **options}
            yield Case("lp_pool2d", label, one(normal(shape)), **where)
            yield Case("lp_pool2d", f"{label}-ties", ties(shape), sparse=True, **where)
            # Steps longer than a window leave pixels out.
            yield Case("lp_pool2d_backward", label, from_norms(shape, where), sparse=True, **where)
    for shape in ((1, 1, 1, 1), (2, 3, 5, 7), (9, 4, 4, 16), (3, 7, 7, 33), (2, 31, 9, 3)):
        label = "x".join(map(str, shape))
        size = shape[1:3]
        pooled = (shape[0], shape[3])
        yield Case("global_max_pool2d", label, ties(shape), sparse=True)
        make = from_global_maxima(shape)
        yield Case("global_max_pool2d_backward", label, make, sparse=True, size=size)
        yield Case("global_avg_pool2d", label, one(normal(shape)))
        yield Case("global_avg_pool2d_backward", label, one(normal(pooled)), size=size)


def one(fill: Any) -> Make:
    return lambda rng, dtype: ([fill(rng, dtype)], {})


def from_global_maxima(shape: tuple[int, ...]) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        y, argmax = reference.global_max_pool2d(rng.standard_normal(shape))
        return [y.astype(dtype), argmax], {}

    return call
