"""Cases of convolution: positions of windows, times numbers of channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import Call, Case, DType, Make, integers, normal

from gyaku import reference
from gyaku.windows import conv_axes, transposed_conv_axes

Pair = tuple[int, int]
Options = dict[str, Any]

# Image, kernel, keywords.
GEOMETRIES: list[tuple[Pair, Pair, Options]] = [
    ((1, 1), (1, 1), {}),
    ((4, 5), (1, 1), {}),
    ((7, 9), (1, 1), {"stride": 2, "padding": (0, 1)}),
    ((5, 7), (3, 3), {}),
    ((5, 7), (3, 3), {"padding": 1}),
    ((9, 8), (5, 5), {"padding": 2}),
    ((2, 31), (3, 3), {"padding": "same"}),
    ((9, 9), (3, 3), {"stride": 2, "padding": ((0, 1), (1, 0))}),
    ((6, 7), (2, 3), {"dilation": (2, 1)}),
    ((8, 5), (3, 2), {"stride": (2, 3), "dilation": (1, 2), "padding": "same"}),
    ((1, 13), (1, 5), {"padding": (0, (4, 0))}),
    ((9, 9), (2, 2), {"stride": 3}),
    ((3, 2), (3, 3), {"padding": ((4, 5), (3, 0)), "stride": (2, 1)}),
    ((6, 6), (4, 7), {"padding": 3, "stride": (1, 2), "dilation": (3, 1)}),
]
# Channels and filters of a group, groups: first layers, primes, whole vectors, depthwise.
CHANNELS = (
    *[(1, 20, 1), (3, 16, 1), (2, 1, 1), (7, 13, 1), (16, 32, 1), (17, 33, 1), (37, 5, 1)],
    *[(5, 67, 1), (2, 3, 2), (1, 2, 3), (1, 1, 5), (1, 1, 19), (1, 1, 33)],
)
# Enough images to be cut by image; enough work for several threads. All are computed directly, and
# so exactly on whole numbers: `test_winograd` has the others.
MANY: list[tuple[int, Pair, Pair, Options, tuple[int, int, int]]] = [
    (33, (6, 5), (3, 3), {"padding": 1}, (3, 17, 1)),
    (37, (4, 6), (1, 1), {}, (8, 9, 1)),
    (32, (5, 4), (3, 3), {"stride": 2}, (1, 1, 6)),
    (40, (12, 12), (5, 5), {}, (8, 20, 1)),
    (3, (40, 40), (3, 3), {"padding": "same"}, (8, 8, 1)),
    (2, (30, 41), (3, 3), {"padding": 1}, (1, 1, 20)),
    # A few filters beyond whole vectors, over one channel and over several.
    (3, (12, 12), (5, 5), {}, (1, 20, 1)),
    (34, (5, 44), (3, 3), {}, (1, 19, 1)),
    (2, (7, 30), (5, 5), {"padding": (1, 2)}, (1, 20, 1)),
    (2, (10, 9), (7, 3), {"padding": (2, 0)}, (1, 18, 1)),
    (3, (9, 13), (5, 5), {"padding": 4}, (20, 20, 1)),
    (2, (9, 11), (3, 3), {"stride": 2}, (6, 18, 1)),
    # Weights of which a kernel row shares the pixels that are loaded.
    (2, (9, 12), (5, 5), {"padding": 2}, (19, 9, 1)),
    (2, (5, 6), (3, 3), {"padding": ((0, 2), (2, 0))}, (8, 16, 1)),
]
Problem = tuple[int, Pair, Pair, Options, tuple[int, int, int]]


def problems() -> Iterator[Problem]:
    """Pair each geometry with some channels, so that each of these comes with several of those."""
    for i, (size, window, options) in enumerate(GEOMETRIES):
        for j in range(4):
            channels = CHANNELS[(3 * i + 4 * j) % len(CHANNELS)]
            yield 1 + (i + j) % 3, size, window, options, channels
    yield from MANY
    yield 0, (5, 5), (3, 3), {}, (2, 3, 1)


def shapes(problem: Problem) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], Options]:
    """Return the shapes of x, w and y, and the keywords."""
    n, size, window, options, (channels, filters, groups) = problem
    x, w = (n, *size, channels * groups), (*window, channels, filters * groups)
    where = options | ({"groups": groups} if groups > 1 else {})
    rows, columns = conv_axes("", x, w, **where)
    return x, w, (n, rows.windows, columns.windows, filters * groups), where


def making(*sides: tuple[int, ...], whole: bool = False, **keywords: Any) -> Make:
    fill = integers if whole else normal

    def call(rng: Generator, dtype: DType) -> Call:
        return [fill(shape)(rng, dtype) for shape in sides], keywords

    return call


def adjoint_of(problem: Problem) -> tuple[tuple[int, ...], Options] | None:
    """Return the shape of a transposed convolution of y by w, that of x if it can, and keywords."""
    x, w, y, where = shapes(problem)
    for rows, columns in np.ndindex(3, 3):
        extra = {"output_padding": (rows, columns)} if rows or columns else {}
        try:
            axes = transposed_conv_axes("", y, w, **where, **extra)
        except ValueError:
            continue
        size = tuple(axis.size for axis in axes)
        if size == x[1:3] or where.get("padding") == "same":
            return (x[0], *size, x[3]), where | extra
    return None


def conv_cases() -> Iterator[Case]:
    for number, problem in enumerate(problems()):
        x, w, y, where = shapes(problem)
        label = "x".join(map(str, (*x, *w)))
        options = {"sparse": 0 in y or problem[3].get("stride", 1) != 1, **where}
        size, kernel = x[1:3], w[:2]
        bias = (y[3:],) if number % 2 else ()
        for whole in (False, True):
            kind = f"{label}-whole" if whole else label
            exact = {"exact": whole, **options}
            yield Case("conv2d", kind, making(x, w, *bias, whole=whole), **exact)
            make = making(y, w, whole=whole, size=size)
            yield Case("conv2d_backward_data", kind, make, **exact)
            make = making(y, x, whole=whole, kernel_size=kernel)
            yield Case("conv2d_backward_weights", kind, make, **exact)
        if number % 3 == 0:
            yield Case("conv2d_backward", label, making(y, x, w), **options)
        adjoint = adjoint_of(problem)
        if adjoint is not None:
            image, where = adjoint
            options = {"sparse": options["sparse"], **where}
            bias = (image[3:],) if number % 2 else ()
            yield Case("conv2d_transpose", label, making(y, w, *bias), **options)
            yield Case("conv2d_transpose_backward", label, making(image, y, w), **options)
    for name in reference.FORWARD:
        # A step is exact only if its argument is.
        make = making((2, 5, 6, 3), (3, 3, 3, 17), (17,), whole=name == "step")
        yield Case("conv2d", "2x5x6x3x17", make, activation=name)
        make = making((2, 5, 6, 17), (3, 3, 3, 17), (3,), whole=name == "step")
        yield Case("conv2d_transpose", "2x5x6x17x3", make, activation=name)
    for name in ("leaky_relu", "elu"):
        make = making((1, 5, 6, 3), (3, 3, 3, 9), (9,))
        yield Case("conv2d", "alpha", make, activation=name, alpha=0.5)
