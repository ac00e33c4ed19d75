"""Cases of embeddings: calls to try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import Array, Case, DType, arrays, constant, integers, normal

# The shape of the ids, the size of the vocabulary, and the length of a row.
TABLES = (
    *(((2,), 3, 2), ((0,), 3, 2), ((5,), 1, 1), ((67,), 11, 7), ((12, 9), 23, 16)),
    *(((3, 4), 5, 17), ((9, 5, 3), 19, 33), ((41, 8), 300, 131), ((8, 2), 4, 0)),
)


def drawn(
    shape: tuple[int, ...], vocabulary: int, kind: Any
) -> Callable[[Generator, DType], Array]:
    return lambda rng, _dtype: np.asarray(rng.integers(0, vocabulary, shape), kind)


def embedding_cases() -> Iterator[Case]:
    for shape, vocabulary, columns in TABLES:
        for kind in ("int32", "int64"):
            label = f"{'x'.join(map(str, shape))}-of-{vocabulary}x{columns}-{kind}"
            ids, options = drawn(shape, vocabulary, kind), {"vocabulary_size": vocabulary}
            yield Case("embedding", label, arrays(ids, normal((vocabulary, columns))))
            name, dy, whole = "embedding_backward", normal((*shape, columns)), integers
            yield Case(name, label, arrays(dy, ids), sparse=True, **options)
            make = arrays(whole((*shape, columns)), ids)
            yield Case(name, f"{label}-whole", make, exact=True, sparse=True, **options)
            yield Case(name, label, arrays(dy, ids), sparse=True, **options, padding=0)
    for shape in ((0, 3), (1, 1), (67, 9), (9, 31), (12, 5, 3), (3, 0), (5, 4, 0)):
        for kind in ("int32", "int64"):
            # Zeros between ids are steps, zeros behind the last one are not.
            label = f"{'x'.join(map(str, shape))}-{kind}"
            yield Case("sequence_lengths", label, arrays(drawn(shape, 2, kind)))
    large = constant([[2**40, 0, 0], [-1, 2**32, 0], [0, 0, 0]], np.int64)
    yield Case("sequence_lengths", "large", arrays(large))
