"""The calls that every operation is tried with.

Each row of `gyaku.ops.TABLE` has cases here; the tests walk over all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from broadcast_cases import broadcast_cases
from conv_cases import conv_cases
from embedding_cases import embedding_cases
from gather_cases import gather_cases, image_cases, keep_cases, rescale_cases
from norm_cases import norm_cases
from numpy.random import Generator
from op_case import (
    DIFFERENCES,
    Array,
    Call,
    Case,
    DType,
    Make,
    arrays,
    constant,
    integers,
    normal,
    normal_specials,
    specials,
    sweep,
)
from optimizer_facts import UPDATES
from pool_cases import pool_cases
from recurrent_cases import recurrent_cases
from sequence_cases import sequence_cases
from weight_cases import matrices, weight_cases

from gyaku import reference
from gyaku.ops import TABLE, Op
from gyaku.ops.activation import ACTIVATIONS

SHARED = 30011  # numbers enough for several threads
# Nothing, primes, one off every vector length, and two vectors of AVX-512 floats and one more.
SIZES = (0, 1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 61, 67, 129, 1031, SHARED)
SHAPES = (
    *[(1, 1), (2, 2), (3, 5), (1, 17), (5, 1), (7, 3), (4, 15), (4, 16), (4, 17)],
    *[(2, 31), (2, 32), (2, 33), (17, 10), (33, 131), (3, 1031), (307, 101)],
)
# Rows, inner length, columns: tiny, around the tiles, wide, deeper than a block, shared.
PRODUCTS = (
    *[(1, 1, 1), (2, 2, 2), (3, 5, 7), (1, 13, 1), (5, 1, 33), (13, 17, 15), (14, 16, 32)],
    *[(15, 31, 33), (28, 7, 16), (29, 64, 31), (57, 61, 65), (61, 33, 10), (1, 129, 131)],
    *[(3, 385, 67), (7, 769, 17), (131, 67, 71), (9, 101, 307), (211, 97, 101)],
    *[(4, 511, 65), (5, 392, 96), (8, 391, 66), (29, 513, 47), (57, 257, 33)],
    *[(270, 33, 131), (57, 66, 1024)],  # rows of A, then of B, that lie far apart
)
EMPTY_PRODUCTS = ((0, 3, 4), (3, 4, 0), (0, 0, 0), (3, 0, 4))


def of_dtype(values: Callable[[DType], Array]) -> Callable[[Generator, DType], Array]:
    return lambda _rng, dtype: values(dtype)


def options_of(row: Op) -> list[dict[str, Any]]:
    activation = ACTIVATIONS[row.name.removesuffix("_backward")]
    if activation.parameters:
        values = 0.2, 0.65
        return [{}, dict(zip(activation.parameters, values, strict=True))]
    if activation.negative:
        return [{}, {"alpha": 0.25}, {"alpha": -0.5}]
    return [{}, {"alpha": 0.25}] if activation.alpha else [{}]


def activation_cases() -> Iterator[Case]:
    for name in reference.FORWARD:
        row = TABLE[name]
        for options in options_of(row):
            for size in SIZES:
                yield Case(name, f"{size}", arrays(normal((size,), scale=3)), **options)
            yield Case(name, "image", arrays(normal((2, 3, 4, 5))), **options)
            yield Case(name, "number", arrays(normal(())), **options)
            # Whether a subnormal number that is only selected stays itself is left open.
            limits = of_dtype(specials if row.roundings else normal_specials)
            yield Case(name, "specials", arrays(limits), **options)
            yield Case(name, "sweep", arrays(of_dtype(sweep)), **options)


def activation_backward_cases() -> Iterator[Case]:
    for name, equation in reference.FORWARD.items():
        row = TABLE[name + "_backward"]

        def make(
            x: Callable[[Generator, DType], Array],
            options: dict[str, float],
            equation: Callable[..., Array] = equation,
            saves: str = TABLE[name].saves,
        ) -> Make:
            def call(rng: Generator, dtype: DType) -> Call:
                saved = x(rng, dtype)
                dy = rng.standard_normal(saved.shape).astype(dtype)
                if saves == "output" and options.get("alpha", 0) >= 0:
                    saved = np.asarray(equation(saved.astype(np.float64), **options)).astype(dtype)
                return [dy, saved], {}

            return call

        sparse = name == "step"
        for options in options_of(row):
            for size in SIZES:
                maker = make(normal((size,), scale=3), options)
                yield Case(row.name, f"{size}", maker, sparse=sparse, **options)
            maker = make(normal((2, 3, 4, 5)), options)
            yield Case(row.name, "image", maker, sparse=sparse, **options)
            maker = make(of_dtype(lambda dtype: np.clip(sweep(dtype), -1e30, 1e30)), options)
            yield Case(row.name, "sweep", maker, sparse=True, **options)
            infinite = make(constant([-np.inf, np.inf, 0.0, -0.0, np.nan, 1.0]), options)
            yield Case(row.name, "specials", infinite, sparse=True, **options)


def product(
    m: int,
    k: int,
    n: int,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: bool = True,
    whole: bool = False,
) -> Make:
    fill = integers if whole else normal

    def call(rng: Generator, dtype: DType) -> Call:
        a = fill((k, m) if transpose_a else (m, k))(rng, dtype)
        b = fill((n, k) if transpose_b else (k, n))(rng, dtype)
        return [a, b], {"bias": fill((n,))(rng, dtype)} if bias else {}

    return call


def matmul_cases() -> Iterator[Case]:
    for m, k, n in PRODUCTS:
        for transpose_a in (False, True):
            for transpose_b in (False, True):
                options = {"transpose_a": transpose_a, "transpose_b": transpose_b}
                make = product(m, k, n, **options)
                yield Case("matmul", f"{m}x{k}x{n}", make, **options)
                make = product(m, k, n, **options, bias=False, whole=True)
                yield Case("matmul", f"{m}x{k}x{n}-whole", make, exact=True, **options)
    for m, k, n in EMPTY_PRODUCTS:
        yield Case("matmul", f"{m}x{k}x{n}", product(m, k, n), exact=True)
        yield Case("matmul", f"{m}x{k}x{n}-plain", product(m, k, n, bias=False), sparse=True)
    for name in reference.FORWARD:
        for m, k, n in ((3, 5, 7), (33, 65, 67), (1, 70, 70)):
            # A step is exact only if its argument is.
            make = product(m, k, n, whole=name == "step")
            yield Case("matmul", f"{m}x{k}x{n}", make, activation=name)
    for name in (name for name, row in ACTIVATIONS.items() if row.alpha is not None):
        yield Case("matmul", "alpha", product(9, 9, 9), activation=name, alpha=0.5)


def sum_rows_cases() -> Iterator[Case]:
    for m, n in (*SHAPES, (1031, 3)):
        yield Case("sum_rows", f"{m}x{n}", arrays(normal((m, n))))
        yield Case("sum_rows", f"{m}x{n}-whole", arrays(integers((m, n))), exact=True)
    yield Case("sum_rows", "0x3", arrays(normal((0, 3))), exact=True)
    yield Case("sum_rows", "3x0", arrays(normal((3, 0))), exact=True)


ROWS_WITH_LIMITS = (
    [0.0, -np.inf, 1.0, 2.0],
    [-np.inf, -np.inf, -np.inf, -np.inf],
    [np.inf, 0.0, 1.0, 2.0],
    [np.nan, 0.0, 1.0, 2.0],
    [1e4, -1e4, 0.0, 1e4],
    [3e4, 3e4, 3e4, 3e4],
)


def softmax_cases() -> Iterator[Case]:
    for name in ("softmax", "log_softmax"):
        for shape in (*SHAPES, (7,), (2, 3, 5), (0, 3), (3, 0)):
            label = "x".join(map(str, shape))
            yield Case(name, label, arrays(normal(shape, scale=3)))
            row = TABLE[name]
            equation = row.equation

            def backward(
                rng: Generator,
                dtype: DType,
                shape: tuple[int, ...] = shape,
                equation: Callable[[Array], Array] = equation,
            ) -> Call:
                y = equation(3 * rng.standard_normal(shape)).astype(dtype)
                return [rng.standard_normal(shape).astype(dtype), y], {}

            yield Case(row.gradient, label, backward)
        yield Case(name, "limits", arrays(constant(ROWS_WITH_LIMITS)))


def merge_cases() -> Iterator[Case]:
    for name in ("add", "subtract", "multiply", "divide"):
        for size in SIZES:
            yield Case(name, f"{size}", arrays(normal((size,)), normal((size,))))
        yield Case(name, "image", arrays(normal((9, 3, 4, 5)), normal((9, 3, 4, 5))))
        limits = of_dtype(normal_specials)
        yield Case(name, "limits", arrays(limits, limits), sparse=name == "subtract")
    for rows in ((), (1,), (7,), (9, 2, 3), (311,), (0,)):
        for count, start, columns in (
            (3, 0, 3),
            (5, 2, 9),
            (16, 0, 33),
            (17, 16, 33),
            (33, 67, 100),
        ):
            label = "x".join(map(str, (*rows, count)))
            make = arrays(normal((*rows, count)), normal((*rows, columns)))
            yield Case("copy_columns", label, make, start=start)
            make = arrays(normal((*rows, columns)))
            yield Case("take_columns", label, make, start=start, count=count)


def labels(samples: int, classes: int) -> Callable[[Generator, DType], Array]:
    return lambda rng, _dtype: rng.integers(0, classes, samples)


def simplex(samples: int, classes: int) -> Callable[[Generator, DType], Array]:
    return lambda rng, dtype: rng.dirichlet(np.ones(classes), samples).astype(dtype)


SOFTMAX_OPTIONS: list[dict[str, Any]] = [{}, {"reduction": "sum"}, {"label_smoothing": 0.125}]
CROSS_ENTROPY_OPTIONS: list[dict[str, Any]] = [{}, {"reduction": "sum", "delta": 0.01}]


def loss_cases() -> Iterator[Case]:
    for n, c in SHAPES:
        for what, target in (("labels", labels), ("shares", simplex)):
            for options in SOFTMAX_OPTIONS:
                make = arrays(normal((n, c), scale=3), target(n, c))
                # The gradient of a sample with one class is zero.
                yield Case(
                    "softmax_cross_entropy", f"{n}x{c}-{what}", make, sparse=c == 1, **options
                )
            for options in CROSS_ENTROPY_OPTIONS:
                make = arrays(simplex(n, c), target(n, c))
                yield Case(
                    "cross_entropy", f"{n}x{c}-{what}", make, sparse=what == "labels", **options
                )
        for reduction in ("mean", "sum"):
            for name in (*DIFFERENCES, "sigmoid_cross_entropy"):
                make = arrays(normal((n, c)), normal((n, c)))
                yield Case(name, f"{n}x{c}", make, reduction=reduction)
            make = arrays(simplex(n, c), simplex(n, c))
            yield Case("binary_cross_entropy", f"{n}x{c}", make, reduction=reduction, delta=0.01)
        make = arrays(integers((n, c)), integers((n, c)))
        yield Case("sum_squared_error", f"{n}x{c}-whole", make, exact=True, reduction="sum")
    for name in DIFFERENCES:
        yield Case(name, "vector", arrays(normal((5,)), normal((5,))))
        yield Case(name, "image", arrays(normal((2, 3, 4)), normal((2, 3, 4))))
    masked = constant([[0.5, -np.inf, 1.0], [-np.inf, 2.0, 2.5]])
    yield Case("softmax_cross_entropy", "masked", arrays(masked, constant([0, 1], np.int64)))
    shares = constant([[0.25, 0.0, 0.75], [0.0, 0.5, 0.5]])
    yield Case("softmax_cross_entropy", "masked-shares", arrays(masked, shares))
    counts = constant([[3.0, 0.0, 1.0], [2.0, 2.0, 5.0]])
    yield Case("softmax_cross_entropy", "counts", arrays(normal((2, 3)), counts))
    far = constant([[1e4, -1e4, 0.0], [-3e4, 3e4, 3e4]])
    yield Case("softmax_cross_entropy", "far", arrays(far, constant([1, 1], np.int64)))
    broken = constant([[0.5, np.nan, 1.0], [0.0, 2.0, 2.5]])
    yield Case("softmax_cross_entropy", "nan", arrays(broken, constant([0, 1], np.int64)))
    yes = constant([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    yield Case("sigmoid_cross_entropy", "far", arrays(far, yes), sparse=True)
    yield Case("huber", "near", arrays(normal((9, 33)), normal((9, 33))), delta=0.25)
    certain = constant([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    yield Case("cross_entropy", "certain", arrays(certain, constant([0, 0], np.int64)), sparse=True)


def count_cases() -> Iterator[Case]:
    for n, c in (*SHAPES, (0, 3)):
        # Whole numbers, so that the largest one often comes more than once.
        yield Case("count_correct", f"{n}x{c}-labels", arrays(integers((n, c)), labels(n, c)))
        yield Case("count_correct", f"{n}x{c}-scores", arrays(integers((n, c)), integers((n, c))))
    binary = labels(67, 2)
    yield Case("count_correct", "binary", arrays(normal((67, 1)), binary))
    nan, inf = np.nan, np.inf
    scores = constant([[0, nan, 1], [nan, 2, nan], [inf, inf, 0], [-inf, -inf, -inf], [0, 1, nan]])
    yield Case("count_correct", "nan", arrays(scores, constant([1, 0, 0, 0, 1], np.int64)))
    for slot in (0, 2):
        make = arrays(
            constant([0.1], np.float64),
            constant([0.5, 1.25, -3.7], np.float64),
            constant([slot], np.int64),
        )
        yield Case("accumulate", f"slot{slot}", make, weight=3.0)
    for n, c in SHAPES:
        given = integers((n, c)), labels(n, c)
        yield Case("count_correct", f"{n}x{c}-top", arrays(*given), sparse=True, top=2)
    for n, c in (*SHAPES, (0, 3)):
        given = integers((n, c)), integers((n, c)), *matrices(c)
        yield Case("count_confusions", f"{n}x{c}", arrays(*given), sparse=True)
        given = normal((n, c)), normal((n, c)), *matrices(c, by_label=True)
        yield Case("count_confusions", f"{n}x{c}-by", arrays(*given), sparse=True, by_label=True)
    given = normal((67, 1)), binary, *matrices(1)
    yield Case("count_confusions", "binary", arrays(*given), sparse=True, threshold=0.25)
    given = scores, constant([1, 0, 0, 0, 1], np.int64), *matrices(3)
    yield Case("count_confusions", "nan", arrays(*given), sparse=True)
    yield Case("advance", "on", arrays(constant([2**33], np.int64)), amount=7)
    yield Case("advance", "back", arrays(constant([5], np.int64)), amount=-7)


def permuted(n: int, epochs: int) -> Make:
    return lambda _rng, _dtype: ([np.full(n * epochs, -1), n], {})


def random_cases() -> Iterator[Case]:
    for size in (*SIZES, 127, 128, 4099):
        for rate in (0.0, 0.2, 0.5):
            make = arrays(normal((size,)), constant([3], np.int64))
            exact = rate != 0.2
            yield Case("dropout", f"{size}", make, exact=exact, rate=rate, seed=1, stream=2)
    for step in (0, 2**31 - 1, 2**32 - 1, 2**32, 2**62):
        make = arrays(normal((3, 50)), constant([step], np.int64))
        yield Case("dropout", f"step{step}", make, rate=0.3, seed=2**64 - 1, stream=2**32 - 2)
    for n, epochs in ((1, 1), (2, 3), (3, 1), (5, 4), (17, 2), (1031, 3)):
        for first in (0, 2**32 - 1):
            make, seed = permuted(n, epochs), 2**40 + 5
            # There is one permutation of one number, and it is zero.
            yield Case(
                "permutation",
                f"{n}x{epochs}",
                make,
                sparse=n == 1,
                seed=seed,
                first_epoch=first,
            )


def tick(step: int) -> list[float]:
    return [step, 0.03, 0.9**step, 0.999**step]


def positive(shape: tuple[int, ...]) -> Callable[[Generator, DType], Array]:
    return lambda rng, dtype: np.asarray(rng.random(shape) + 0.1, dtype)


DECAYS: list[dict[str, Any]] = [{}, {"weight_decay": 0.01}]


def optimizer_cases() -> Iterator[Case]:
    for step, first in ((0, 0), (1, 0), (2, 1), (7, 3), (2**40, 3)):
        make = arrays(
            constant(tick(step), np.float64), constant([first, 0.5, 0.25, 0.125], np.float64)
        )
        yield Case("optimizer_tick", f"step{step}-from{first}", make, beta1=0.9, beta2=0.999)
    one_rate = arrays(constant(tick(4), np.float64), constant([0, 0.5], np.float64))
    yield Case("optimizer_tick", "one-rate", one_rate)
    for name, facts in UPDATES.items():
        for size in SIZES:
            flat, clock = normal((size,)), constant(tick(3), np.float64)
            states = [
                positive((size,)) if state in facts.squares else flat for state in facts.states
            ]
            for options, decay in itertools.product(facts.options, DECAYS):
                make = arrays(flat, flat, *states, clock)
                yield Case(name, f"{size}", make, **options, **decay)
        zeros = [constant(np.zeros(67)) for _ in facts.states]
        first = constant(tick(1), np.float64)
        yield Case(name, "first-step", arrays(normal((67,)), normal((67,)), *zeros, first))
    for size in SIZES:
        whole, quarter = integers((size,)), constant([1, 0.25, 1, 1], np.float64)
        yield Case("sgd", f"{size}-whole", arrays(whole, whole, quarter), exact=True)
    matrix = normal((5, 7))
    yield Case("sgd", "matrix", arrays(matrix, matrix, constant(tick(2), np.float64)))


CASES = [
    *activation_cases(),
    *activation_backward_cases(),
    *matmul_cases(),
    *sum_rows_cases(),
    *conv_cases(),
    *pool_cases(),
    *norm_cases(),
    *merge_cases(),
    *softmax_cases(),
    *broadcast_cases(),
    *loss_cases(),
    *count_cases(),
    *sequence_cases(),
    *embedding_cases(),
    *gather_cases(),
    *image_cases(),
    *keep_cases(),
    *rescale_cases(),
    *random_cases(),
    *recurrent_cases(),
    *optimizer_cases(),
    *weight_cases(),
]
BY_OP = {name: [case for case in CASES if case.row.name == name] for name in TABLE}
