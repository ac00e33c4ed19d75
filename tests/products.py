"""Matrix products to try: of every path through the kernels, with every option."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import DTYPES, FLOAT32, Array, DType

from gyaku import ops, reference

# Around the tiles and panels of each instruction set, and around and beyond the blocks of terms.
ROWS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 14, 15, 16, 17, 27, 28, 29, 31, 33, 43, 56, 57, 61)
ROWS += (113, 225, 307)
COLUMNS = (0, 1, 2, 3, 7, 8, 13, 14, 15, 16, 17, 27, 28, 29, 31, 32, 33, 34, 36, 49, 61, 64, 65)
COLUMNS += (100, 127, 129, 257, 307, 512, 600)
TERMS = (0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65, 127, 191, 193, 199, 201)
TERMS += (255, 256, 257, 383, 384, 385, 391, 392, 393, 399, 400, 401, 511, 512, 513, 784, 801, 1031)
ACTIVATIONS = tuple(reference.FORWARD)
TRANSPOSITIONS = ((False, False), (False, True), (True, False), (True, True))


@dataclass(frozen=True)
class Product:
    """A product of an m x k and a k x n matrix, with what is added and applied to it."""

    m: int
    k: int
    n: int
    transpose_a: bool = False
    transpose_b: bool = False
    bias: bool = False
    activation: str = "identity"
    dtype: DType = FLOAT32

    def __str__(self) -> str:
        a, b = "a^T" if self.transpose_a else "a", "b^T" if self.transpose_b else "b"
        bias = " + bias" if self.bias else ""
        return f"{self.activation}({a} {b}{bias}) {self.m}x{self.k}x{self.n} {self.dtype}"

    @property
    def factors(self) -> tuple[tuple[str, object], ...]:
        """Name and value of each thing that tests are to combine; transpositions are one."""
        values = {**vars(self), "transpose": (self.transpose_a, self.transpose_b)}
        return tuple(
            item for item in values.items() if item[0] not in ("transpose_a", "transpose_b")
        )

    @property
    def options(self) -> dict[str, bool]:
        return {"transpose_a": self.transpose_a, "transpose_b": self.transpose_b}

    def operands(self, a: Array, b: Array, bias: Array) -> tuple[Array, Array, Array | None]:
        """Return op(a), op(b) and a bias as the call wants them, each framed by NaN."""
        a, b = (a.T if self.transpose_a else a), (b.T if self.transpose_b else b)
        return (
            framed(a.astype(self.dtype)),
            framed(b.astype(self.dtype)),
            framed(bias.astype(self.dtype)) if self.bias else None,
        )

    def whole_numbers(self, seed: int) -> tuple[Array, Array, Array]:
        """Return op(a), op(b) and a bias so that each order of summation gives the same sums."""
        rng = np.random.default_rng(seed)
        shapes = (self.m, self.k), (self.k, self.n), (self.n,)
        return tuple(rng.integers(-4, 5, shape).astype(np.float32) for shape in shapes)

    def normal_numbers(self, seed: int) -> tuple[Array, Array, Array]:
        """Return op(a), op(b) and a bias of numbers that use all their digits."""
        rng = np.random.default_rng(seed)
        shapes = (self.m, self.k), (self.k, self.n), (self.n,)
        return tuple(rng.standard_normal(shape) for shape in shapes)

    def __call__(self, a: Array, b: Array, bias: Array | None, **options: Any) -> Array:
        return ops.matmul(a, b, bias=bias, **self.options, **options)


def framed(x: Array) -> Array:
    """Return a copy among NaN, aligned no better than a number has to be."""
    memory = np.full(x.size + 67, np.nan, x.dtype)
    copy = memory[33 : 33 + x.size].reshape(x.shape)
    copy[...] = x
    return copy


def frame_of(copy: Array) -> Array:
    """Return the numbers around a framed copy."""
    memory = copy
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    return np.concatenate([memory[:33], memory[33 + copy.size :]])


def grid() -> Iterator[Product]:
    """Yield products so that each size comes together with each other size and each option.

    Inner length and columns come in all pairs. The number of rows goes through a Latin square over
    them, so that it meets each of both as well. The options are, of some that chance brings, those
    with the most pairs that are new.
    """
    rng = np.random.default_rng(0)
    met: set[tuple[object, object]] = set()
    for i, k in enumerate(TERMS):
        for j, n in enumerate(COLUMNS):
            sizes = (ROWS[(i + j) % len(ROWS)], k, n)
            best = max((options(rng, sizes) for _ in range(40)), key=lambda new: len(new[1] - met))
            met |= best[1]
            yield best[0]


def options(
    rng: Generator, sizes: tuple[int, int, int]
) -> tuple[Product, set[tuple[object, object]]]:
    """Return a product of these sizes, with options by chance, and what meets what in it."""
    product = Product(
        *sizes,
        *TRANSPOSITIONS[rng.integers(4)],
        bias=bool(rng.integers(2)),
        activation=ACTIVATIONS[rng.integers(len(ACTIVATIONS))],
        dtype=DTYPES[rng.integers(2)],
    )
    return product, set(itertools.combinations(product.factors, 2))


GRID = tuple(grid())

# Rows of a matrix whole pages apart fall into the same cache sets, and a large matrix has many
# pages: products may go another way.
FAR_APART = tuple(
    Product(m, k, n, *transposition, bias=True, activation="relu", dtype=dtype)
    for m, k, n in (
        *[(57, 129, 1024), (3, 65, 2048), (29, 70, 2048), (60, 1024, 33), (7, 2048, 66)],
        *[(1024, 70, 33), (113, 1024, 512), (128, 130, 128), (96, 260, 192)],
    )
    for transposition in TRANSPOSITIONS
    for dtype in DTYPES
)

# B takes just more than 2 MB and more than 32 tiles of rows pass by, whatever the instruction set:
# B is packed and A copied. Blocks of terms are as long as they get, and there are several, so that
# one thread copies A in several chunks where the second-level cache has up to 3 MB.
LARGE = tuple(
    Product(461, 2043, n, *transposition, True, activation, dtype)
    for n, activation, dtype in ((259, "relu", DTYPES[0]), (131, "tanh", DTYPES[1]))
    for transposition in TRANSPOSITIONS
)
# Large for AVX2 alone, which copies A only where it is transposed.
LARGE += tuple(
    Product(131, 643, n, *transposition, True, activation, dtype)
    for n, activation, dtype in ((131, "relu", DTYPES[0]), (67, "tanh", DTYPES[1]))
    for transposition in TRANSPOSITIONS
)

# One or two of each other way through the kernels, whatever the instruction set: a number at a
# time, one column, up to four rows, few rows with b transposed, panels of columns, tiles with b in
# place, b packed beforehand. Inner lengths go beyond a block, and not by a whole vector.
PATHS = tuple(
    Product(m, k, n, *transposition, n % 2 == 1, activation, DTYPES[(m + sum(transposition)) % 2])
    for m, k, n, activation in (
        *[(2, 5, 7, "identity"), (5, 3, 7, "tanh"), (66, 301, 1, "sigmoid"), (3, 61, 1, "relu")],
        *[(1, 403, 131, "tanh"), (2, 61, 70, "selu"), (3, 301, 67, "gelu"), (4, 403, 65, "elu")],
        *[(7, 301, 66, "identity"), (8, 77, 35, "silu"), (13, 403, 131, "relu")],
        *[(28, 205, 301, "tanh"), (61, 403, 131, "identity"), (71, 805, 9, "softplus")],
        *[(240, 67, 67, "hard_sigmoid"), (15, 1031, 17, "sigmoid"), (261, 403, 279, "tanh")],
        *[(320, 263, 67, "relu")],
    )
    for transposition in TRANSPOSITIONS
)
