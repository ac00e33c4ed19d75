"""The matrix products that are measured."""

from __future__ import annotations

from dataclasses import dataclass

BIG = 256
"""The size from which on a square should come near the peak."""


@dataclass(frozen=True)
class Product:
    """The product of an m × k and a k × n matrix, each of which may be stored transposed."""

    m: int
    k: int
    n: int
    transposed: str = "nn"

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each term of each sum."""
        return 2 * self.m * self.k * self.n

    @property
    def square(self) -> bool:
        """Whether all matrices are squares."""
        return self.m == self.k == self.n

    @property
    def big(self) -> bool:
        """Whether it is a square that should come near the peak."""
        return self.square and self.n >= BIG

    @property
    def size(self) -> str:
        """Its sizes as people write them, such as ``128 × 784 × 512``."""
        return f"{self.m} × {self.k} × {self.n}"

    @property
    def name(self) -> str:
        """Its name, such as ``128x784x512 nn``."""
        return f"{self.m}x{self.k}x{self.n} {self.transposed}"

    @classmethod
    def named(cls, name: str) -> Product:
        """Return the product of that name."""
        sizes, transposed = name.split()
        m, k, n = map(int, sizes.split("x"))
        return cls(m, k, n, transposed)


SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
TRANSPOSITIONS = ("nn", "nt", "tn", "tt")
# What dense layers multiply, forward and backward.
LAYERS = (
    Product(100, 784, 100),
    Product(784, 100, 100, "tn"),
    Product(128, 784, 512),
    Product(784, 128, 512, "tn"),
    Product(128, 512, 784, "nt"),
    Product(100, 28, 512),
    Product(32, 4096, 4096),
    Product(1, 1024, 1024),
)


def products(*, quick: bool = False) -> list[Product]:
    """Return all that are measured; a quick run takes some sizes, none above 512."""
    sizes = (64, 256, 512) if quick else SIZES
    squares = [Product(size, size, size, how) for size in sizes for how in TRANSPOSITIONS]
    return [*squares, *LAYERS]
