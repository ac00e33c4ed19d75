"""Cases of arrays that are broadcast: in arithmetic, in stacked products, along another axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import Array, Call, Case, DType, arrays, normal

from gyaku.ops import TABLE

Shape = tuple[int, ...]

# Two shapes and what they make together.
PAIRS: list[tuple[Shape, Shape]] = [
    ((3, 4), (4,)),
    ((3, 1), (1, 5)),
    ((2, 3, 4, 5), (2, 1, 1, 5)),
    ((2, 3), ()),
    ((1,), (33, 7)),
    ((0, 3), (3,)),
]
# Stacked matrices a and b; what is transposed; the shape of a bias.
STACKED: list[tuple[Shape, Shape, dict[str, bool], Shape | None]] = [
    ((3, 4, 5), (5, 6), {}, (6,)),
    ((2, 3, 4, 5), (6, 5), {"transpose_b": True}, None),
    ((3, 4, 5), (3, 5, 6), {}, None),
    ((3, 5, 4), (3, 6, 5), {"transpose_a": True, "transpose_b": True}, (4, 1)),
    ((2, 1, 4, 5), (3, 5, 6), {}, (2, 3, 4, 6)),
    ((4, 5), (3, 5, 6), {}, (6,)),
    ((5, 4), (5, 6), {"transpose_a": True}, (4, 1)),
    ((4, 5), (5, 6), {}, (4, 6)),
    ((4, 5), (5, 6), {}, ()),
    ((0, 4, 5), (5, 6), {}, None),
]


def named(*shapes: Shape) -> str:
    return "-".join("x".join(map(str, shape)) or "number" for shape in shapes)


def broadcast_cases() -> Iterator[Case]:
    for a, b in PAIRS:
        for name in ("add", "subtract", "multiply", "divide"):
            yield Case(name, f"{named(a, b)}-broadcast", arrays(normal(a), normal(b)))
        shape = np.broadcast_shapes(a, b)
        for each in (a, b):
            yield Case("broadcast_to", named(each, shape), arrays(normal(each)), shape=shape)
            yield Case("sum_to", named(shape, each), arrays(normal(shape)), shape=each)
    for a, b, transposed, bias in STACKED:
        label = named(a, b, *(() if bias is None else (bias,)))
        yield Case("matmul", label, stacked(a, b, bias), **transposed)
    yield Case("matmul", "stacked", stacked((3, 4, 5), (5, 6), (6,)), activation="tanh")
    yield Case("matmul", "one-bias", stacked((4, 5), (5, 6), (4, 1)), activation="elu", alpha=0.5)
    for name in ("softmax", "log_softmax"):
        for shape, axis in (((3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4, 5), -3), ((5,), 0)):
            yield Case(name, named(shape), arrays(normal(shape, scale=3)), axis=axis)
            make = of_outputs(shape, TABLE[name].equation, axis)
            yield Case(TABLE[name].gradient, named(shape), make, axis=axis)


def stacked(a: Shape, b: Shape, bias: Shape | None) -> Callable[[Generator, DType], Call]:
    def call(rng: Generator, dtype: DType) -> Call:
        given = {} if bias is None else {"bias": normal(bias)(rng, dtype)}
        return [normal(a)(rng, dtype), normal(b)(rng, dtype)], given

    return call


def of_outputs(
    shape: Shape, equation: Callable[..., Array], axis: int
) -> Callable[[Generator, DType], Call]:
    def call(rng: Generator, dtype: DType) -> Call:
        y: Any = equation(3 * rng.standard_normal(shape), axis=axis)
        return [rng.standard_normal(shape).astype(dtype), y.astype(dtype)], {}

    return call
