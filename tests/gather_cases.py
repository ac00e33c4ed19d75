"""Cases of `gather` and `gather_images`: calls to try."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import (
    FLOAT32,
    FLOAT64,
    Call,
    Case,
    DType,
    Make,
    arrays,
    constant,
    integers,
    normal,
    specials,
)


def rows_of(kind: str, trailing: tuple[int, ...], rows: int) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        shape = (23, *trailing)
        dtypes = {"same": dtype, "other": FLOAT64 if dtype == FLOAT32 else FLOAT32}
        if kind in dtypes:
            source = rng.standard_normal(shape).astype(dtypes[kind])
        else:
            source = rng.integers(0, 256, shape).astype(kind)
        order = rng.permutation(np.concatenate([np.arange(23), np.arange(23)]))
        out = np.full((rows, *trailing), -1, kind if kind.startswith("int") else dtype)
        return [source, order, np.array([5]), out], {}

    return call


def cut(make: Make) -> Make:
    """Return the calls of `make`, with sources of two more steps."""

    def call(rng: Generator, dtype: DType) -> Call:
        (source, *others), _ = make(rng, dtype)
        behind = np.ones((len(source), 2, *source.shape[2:]), source.dtype)
        return [np.concatenate([source, behind], axis=1), *others], {}

    return call


def gather_cases() -> Iterator[Case]:
    for trailing in ((), (1,), (7,), (16,), (17,), (33,), (3, 5), (131,)):
        label = "x".join(map(str, trailing)) or "numbers"
        for kind in ("same", "other", "uint8"):
            for rows in (0, 1, 41):
                yield Case("gather", f"{kind}-{label}-{rows}", rows_of(kind, trailing, rows))
        yield Case("gather", f"uint8-{label}-scaled", rows_of("uint8", trailing, 9), scale=1 / 255)
        make = rows_of("uint8", trailing, 9)
        yield Case("gather", f"uint8-{label}-exact", make, exact=True, scale=0.5)
        for kind in ("int32", "int64"):
            yield Case("gather", f"{kind}-{label}", rows_of(kind, trailing, 9), exact=True)
        if trailing:
            for kind in ("same", "uint8", "int32", "int64"):
                make = cut(rows_of(kind, trailing, 9))
                yield Case("gather", f"{kind}-{label}-cut", make, exact=True)


IMAGES = ((3, 3, 1), (5, 17, 1), (28, 28, 1), (8, 9, 3), (2, 33, 2))


def images_of(kind: str, shape: tuple[int, int, int], rows: int, epoch: int) -> Make:
    gathered = rows_of(kind, shape, rows)

    def call(rng: Generator, dtype: DType) -> Call:
        (*inputs, out), _ = gathered(rng, dtype)
        return [*inputs, np.array([epoch]), out], {}

    return call


def numbered(make: Make) -> Make:
    """Return the calls with rows that have numbers of their own."""

    def call(rng: Generator, dtype: DType) -> Call:
        arguments, keywords = make(rng, dtype)
        return arguments, keywords | {"numbers": rng.integers(0, 1000, len(arguments[0]))}

    return call


def image_cases() -> Iterator[Case]:
    name = "gather_images"
    for shape in IMAGES:
        label = "x".join(map(str, shape))
        for flip in (False, True):
            # The largest shift, which leaves little of an image.
            options: dict[str, Any] = {"shift": min(shape[:2]) - 1, "flip": flip}
            for kind in ("same", "other", "uint8"):
                for rows in (0, 1, 41):
                    make = images_of(kind, shape, rows, epoch=3)
                    yield Case(name, f"{kind}-{label}-{rows}", make, sparse=True, **options, seed=1)
            # A factor that is a power of two has one correct result, bit for bit.
            make = images_of("uint8", shape, 40, epoch=2**32)
            yield Case(name, f"{label}-exact", make, exact=True, shift=1, flip=flip, scale=0.5)
            options = {"shift": 1, "flip": flip, "seed": 2**64 - 1}
            yield Case(name, f"{label}-scaled", make, **options, scale=1 / 255)
        make = numbered(images_of("uint8", shape, 9, epoch=2))
        yield Case(name, f"{label}-numbered", make, exact=True, shift=1, flip=True)
        make = images_of("uint8", shape, 9, epoch=0)
        yield Case(name, f"{label}-still", make, exact=True)
        yield Case(name, f"{label}-mirrored", make, exact=True, flip=True)


def keep_cases() -> Iterator[Case]:
    for rows, kept in (((0, 3), (4, 3)), ((2,), (5,)), ((3, 4, 2), (9, 4, 2)), ((3, 4), (3, 6))):
        label, first = "x".join(map(str, rows)), kept[0] - rows[0]
        make = arrays(normal(rows), normal(kept), constant([first], np.int64))
        yield Case("keep_rows", label, make, sparse=True)
    numbers = constant([7, 8], np.int64), constant([1, 2, 3], np.int64), constant([1], np.int64)
    yield Case("keep_rows", "numbers", arrays(*numbers))


def rescale_cases() -> Iterator[Case]:
    for shape in ((), (0,), (1,), (17,), (1031,), (7, 3), (8, 0), (9, 28, 28, 1), (307, 101)):
        label = "x".join(map(str, shape)) or "number"
        make = arrays(normal(shape, scale=100))
        yield Case("rescale", label, make, scale=1 / 255)
        yield Case("rescale", label, make, scale=-2 / 255, offset=0.75)
        yield Case("rescale", f"{label}-exact", arrays(integers(shape)), exact=True, scale=0.5)
    yield Case("rescale", "specials", arrays(lambda _rng, dtype: specials(dtype)), scale=1 / 255)
