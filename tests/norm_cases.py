"""The normalisations that are tried: few and many columns, one sample and several chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import Call, Case, DType, Make

from gyaku import reference

SHAPES = (
    *[(1, 1), (2, 1), (5, 3), (33, 2), (9, 7), (3, 16), (8, 17), (70, 33), (2, 3, 4)],
    *[(9, 5, 3, 20), (40000, 1), (9001, 7), (700, 131), (16, 24, 24, 8)],
    *[(9, 7, 7, 16), (8, 37, 3)],
)


def drawn(rng: Generator, dtype: DType, *shapes: tuple[int, ...]) -> list[Any]:
    return [(2 * rng.standard_normal(shape) + 1).astype(dtype) for shape in shapes]


def forward(shape: tuple[int, ...], features: tuple[int, ...], statistics: bool = False) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        arguments = drawn(rng, dtype, shape, features, features)
        if statistics:
            arguments += [*drawn(rng, dtype, features), *map(abs, drawn(rng, dtype, features))]
        return arguments, {}

    return call


def backward(name: str, shape: tuple[int, ...], features: tuple[int, ...]) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        dy, x, gamma = drawn(rng, dtype, shape, shape, features)
        wide = (each.astype(np.float64) for each in (x, gamma, gamma))
        _, mean, inverse, *_ = getattr(reference, name)(*wide, epsilon=0.01)
        return [dy, x, gamma, mean.astype(dtype), inverse.astype(dtype)], {}

    return call


def group_backward(shape: tuple[int, ...], groups: int) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        dy, x, gamma = drawn(rng, dtype, shape, shape, shape[-1:])
        wide = (each.astype(np.float64) for each in (x, gamma, gamma))
        _, mean, inverse = reference.group_norm(*wide, groups=groups, epsilon=0.01)
        return [dy, x, gamma, mean.astype(dtype), inverse.astype(dtype)], {}

    return call


def rows(shape: tuple[int, ...], features: tuple[int, ...], gradient: bool = False) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        x, gamma = drawn(rng, dtype, shape, features)
        if not gradient:
            return [x, gamma], {}
        _, inverse = reference.rms_norm(x, gamma, epsilon=0.01)
        return [*drawn(rng, dtype, shape), x, gamma, inverse], {}

    return call


def plain(shape: tuple[int, ...], count: int) -> Make:
    return lambda rng, dtype: (drawn(rng, dtype, *[shape] * count), {})


def channel_cases() -> Iterator[Case]:
    for shape, groups in (((2, 1), 1), ((5, 6), 3), ((2, 3, 4), 4), ((3, 5, 7, 6), 2)):
        label, channels = "x".join(map(str, shape)), shape[-1:]
        options = {"sparse": shape[-1] == groups and len(shape) == 2}
        make = forward(shape, channels)
        yield Case("group_norm", label, make, groups=groups, epsilon=0.01, **options)
        yield Case("group_norm_backward", label, group_backward(shape, groups), **options)
        for axes in (1, 2) if len(shape) > 2 else (1,):
            features = shape[-axes:]
            name = f"{label}-{axes}"
            yield Case("rms_norm", name, rows(shape, features), epsilon=0.01)
            yield Case("rms_norm_backward", name, rows(shape, features, gradient=True))
    for size in (1, 2, 3, 8):
        window = {"size": size, "alpha": 0.5, "beta": 0.75, "k": 2.0}
        yield Case("local_response_norm", f"size{size}", plain((3, 2, 5), 1), **window)
        yield Case("local_response_norm_backward", f"size{size}", plain((3, 2, 5), 2), **window)


def norm_cases() -> Iterator[Case]:
    yield from channel_cases()
    for shape in SHAPES:
        label, channels = "x".join(map(str, shape)), shape[-1:]
        # One sample is its own mean.
        alone = shape[0] == 1
        yield Case("batch_norm", label, forward(shape, channels), sparse=alone, epsilon=0.01)
        make = forward(shape, channels, statistics=True)
        yield Case("batch_norm_inference", label, make, epsilon=0.01)
        for training in (True, False):
            make = backward("batch_norm", shape, channels)
            yield Case("batch_norm_backward", label, make, sparse=alone, training=training)
        for axes in (1, 2) if len(shape) > 2 else (1,):
            features = shape[-axes:]
            alone = features == (1,)
            label = "x".join(map(str, shape)) + f"-{axes}"
            yield Case("layer_norm", label, forward(shape, features), sparse=alone, epsilon=0.01)
            make = backward("layer_norm", shape, features)
            yield Case("layer_norm_backward", label, make, sparse=alone)
    yield Case("layer_norm", "one-sample", forward((3, 5), (3, 5)))
    yield Case("layer_norm", "0x3", forward((0, 3), (3,)))
    for size in (1, 7, 16, 33, 131):
        for samples, momentum in ((1, 0.1), (7, 0.25)):
            make = running(size)
            yield Case("update_running", f"{size}", make, samples=samples, momentum=momentum)


def running(size: int) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        mean, variance, new_mean, new_variance = drawn(rng, dtype, *[(size,)] * 4)
        return [mean, abs(variance), new_mean, abs(new_variance)], {}

    return call
