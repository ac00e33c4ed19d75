"""Cases of losses and counts over time steps and pixels, with and without lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import DIFFERENCES, Array, Call, Case, DType, Make, arrays, constant, integers, normal

# Samples, steps, further axes, and classes on the last one.
SHAPES = ((1, 1, 1), (3, 4, 2), (5, 7, 3), (4, 3, 17), (2, 3, 5, 4), (13, 29, 33))


def labels(shape: tuple[int, ...]) -> Callable[[Generator, DType], Array]:
    return lambda rng, _dtype: rng.integers(0, shape[-1], shape[:-1])


def shares(shape: tuple[int, ...]) -> Callable[[Generator, DType], Array]:
    return lambda rng, dtype: rng.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(dtype)


def padded(make: Make) -> Make:
    """Return the calls of `make`, with lengths, and NaN and -1 at the padded steps."""

    def call(rng: Generator, dtype: DType) -> Call:
        arguments, keywords = make(rng, dtype)
        samples, steps = arguments[0].shape[:2]
        lengths = rng.integers(1, steps + 1, samples)
        behind = np.arange(steps) >= lengths[:, np.newaxis]
        for x in arguments:
            x[behind] = np.nan if x.dtype.kind == "f" else -1
        return arguments, keywords | {"lengths": lengths}

    return call


def both(op: str, label: str, make: Make, **options: Any) -> Iterator[Case]:
    yield Case(op, label, make, **options)
    yield Case(op, f"{label}-padded", padded(make), **{**options, "sparse": True})


def sequence_cases() -> Iterator[Case]:
    for shape in SHAPES:
        name = "x".join(map(str, shape))
        for reduction in ("mean", "sum"):
            for what, target in (("labels", labels(shape)), ("shares", shares(shape))):
                label, options = f"{name}-{what}", {"reduction": reduction}
                make = arrays(normal(shape, scale=3), target)
                sparse = shape[-1] == 1
                yield from both("softmax_cross_entropy", label, make, sparse=sparse, **options)
                make = arrays(shares(shape), target)
                yield from both("cross_entropy", label, make, sparse=what == "labels", **options)
            for op in (*DIFFERENCES, "sigmoid_cross_entropy"):
                make = arrays(normal(shape), normal(shape))
                yield from both(op, name, make, reduction=reduction)
            make = arrays(shares(shape), shares(shape))
            yield from both("binary_cross_entropy", name, make, reduction=reduction)
        yield from both("count_correct", name, arrays(integers(shape), labels(shape)))
        yield from both("count_correct", f"{name}-rows", arrays(integers(shape), integers(shape)))
    binary = arrays(normal((5, 7, 1)), lambda rng, _dtype: rng.integers(0, 2, (5, 7)))
    yield from both("count_correct", "binary-steps", binary)
    yield from both("count_correct", "binary-logits", binary, threshold=0.0)
    for steps in (1, 5, 2**40):
        lengths = constant([1, 5, 3, 2], np.int64)
        yield Case("count_steps", f"of-{steps}", arrays(lengths), steps=steps)

    def counted(_rng: Generator, _dtype: DType) -> Call:
        totals = [np.array([0.1]), np.array([0.5, 1.25, -3.7]), np.array([1])]
        return totals, {"count": np.array([7.0])}

    yield Case("accumulate", "counted", counted, weight=3.0)
