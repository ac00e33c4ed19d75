"""Cases of losses and counts with sample weights, and of the gradients between the batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import DIFFERENCES, Call, Case, DType, Make, arrays, constant, integers, normal
from sequence_cases import labels, shares

SHAPES = ((1, 3), (7, 5), (3, 4, 2), (2, 3, 5, 4), (13, 29, 33))
SIZES = (1, 67, 4096, 4099, 20000)


def matrices(columns: int, *, by_label: bool = False) -> tuple[Any, Any]:
    """Return totals of three slots and the index of one."""
    each = (columns, 2, 2) if by_label else (max(columns, 2),) * 2
    return constant(np.arange(3.0 * np.prod(each)).reshape(3, *each), np.float64), constant(
        [1], np.int64
    )


def weighted(make: Make, axes: int, *, padded: bool) -> Make:
    """Return the calls of `make`, with weights, and NaN and -1 where they are zero or behind."""

    def call(rng: Generator, dtype: DType) -> Call:
        arguments, keywords = make(rng, dtype)
        shape = arguments[0].shape[:axes]
        weights = rng.choice([0, 0.5, 1, 3.75], shape)
        weights.flat[0] = 2
        absent = weights == 0
        if padded:
            samples, steps = arguments[0].shape[:2]
            keywords = keywords | {"lengths": rng.integers(1, steps + 1, samples)}
            behind = np.arange(steps) >= keywords["lengths"][:, np.newaxis]
            for x in arguments[:2]:
                x[behind] = np.nan if x.dtype.kind == "f" else -1
        for x in arguments[:2]:
            x[absent] = np.nan if x.dtype.kind == "f" else 0
        return arguments, keywords | {"sample_weight": weights}

    return call


def every(
    op: str, label: str, make: Make, shape: tuple[int, ...], **options: Any
) -> Iterator[Case]:
    for axes in range(1, len(shape)):
        for padded in (False, True)[: 1 + (len(shape) > 2)]:
            name = f"{label}-weights{axes}{'-padded' * padded}"
            yield Case(op, name, weighted(make, axes, padded=padded), sparse=True, **options)


def weight_cases() -> Iterator[Case]:
    for shape in SHAPES:
        name = "x".join(map(str, shape))
        for reduction in ("mean", "sum"):
            for what, target in (("labels", labels(shape)), ("shares", shares(shape))):
                label, options = f"{name}-{what}", {"reduction": reduction}
                make = arrays(normal(shape, scale=3), target)
                yield from every("softmax_cross_entropy", label, make, shape, **options)
                make = arrays(shares(shape), target)
                yield from every("cross_entropy", label, make, shape, **options)
            for op in (*DIFFERENCES, "sigmoid_cross_entropy"):
                make = arrays(normal(shape), normal(shape))
                yield from every(op, name, make, shape, reduction=reduction)
            make = arrays(shares(shape), shares(shape))
            yield from every("binary_cross_entropy", name, make, shape, reduction=reduction)
        yield from every("count_correct", name, arrays(integers(shape), labels(shape)), shape)
        for what, target in (("labels", labels(shape)), ("rows", integers(shape))):
            make = arrays(integers(shape), target, *matrices(shape[-1]))
            yield from every("count_confusions", f"{name}-{what}", make, shape)
        make = arrays(normal(shape), normal(shape), *matrices(shape[-1], by_label=True))
        yield from every("count_confusions", f"{name}-by", make, shape, by_label=True)
    for shape in ((1,), (300,), (4, 3), (4, 3, 2)):
        positive = arrays(lambda rng, _dtype, shape=shape: rng.random(shape))
        yield Case("sum_weights", f"{shape}", positive)
        lengths = {"lengths": np.arange(shape[0]) % 3 + 1, "steps": 3}
        yield Case("sum_weights", f"{shape}-padded", positive, **lengths)
    for size in SIZES:
        two = arrays(normal((size,)), normal((size,)))
        yield Case("add_gradients", f"{size}", two, weight=32)
        yield Case("mean_gradients", f"{size}", two, sparse=True, weight=96)
        counted = {"count": np.array([2.5])}
        yield Case("add_gradients", f"{size}-counted", two, weight=3, **counted)
        yield Case("mean_gradients", f"{size}-counted", two, sparse=True, weight=3, **counted)
        yield Case("clip_by_value", f"{size}", arrays(normal((size,))), limit=0.5)
        for norm in (0.125, 1e6):
            yield Case("clip_by_norm", f"{size}", arrays(normal((size,))), norm=norm)
    nothing = arrays(normal((5,)), constant([0.0] * 5))
    yield Case("mean_gradients", "nothing", nothing, sparse=True, weight=1, count=np.zeros(1))
    huge = constant([3e25, -4e25])  # whose squares overflow in float32
    yield Case("clip_by_norm", "huge", arrays(huge), norm=1)
