"""The measured matrix products, convolutions and poolings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

BIG = 512
"""Smallest size of a square near the peak."""


@dataclass(frozen=True)
class Product:
    """The product of an m × k and a k × n matrix, each of which may be stored transposed."""

    m: int
    k: int
    n: int
    transposed: str = "nn"

    @property
    def flops(self) -> int:
        """Floating-point operations, 2 m k n."""
        return 2 * self.m * self.k * self.n

    @property
    def square(self) -> bool:
        """Whether all matrices are squares."""
        return self.m == self.k == self.n

    @property
    def big(self) -> bool:
        """Whether it is a square that should be near the peak."""
        return self.square and self.n >= BIG

    @property
    def size(self) -> str:
        """Its sizes in text, such as ``128 × 784 × 512``."""
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


SIZES = (
    *(4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512),
    *(768, 1024, 1536, 2048, 3072, 4096),
)
TRANSPOSITIONS = ("nn", "nt", "tn", "tt")
# Products of dense layers, forward and backward.
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
    """Return the measured products; a quick run takes some sizes, none above 512."""
    sizes = (64, 256, 512) if quick else SIZES
    squares = [Product(size, size, size, how) for size in sizes for how in TRANSPOSITIONS]
    return [*squares, *LAYERS]


@dataclass(frozen=True)
class Convolution:
    """A convolution of n square images, with the same padding on all sides."""

    n: int
    channels: int
    size: int
    filters: int
    kernel: int
    padding: int = 0
    stride: int = 1
    passes: ClassVar[tuple[str, ...]] = ("forward", "data", "weights")

    @property
    def windows(self) -> int:
        """The height and width of an output image."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def work(self) -> int:
        """Floating-point operations of each pass, with those on padding."""
        return 2 * self.n * (self.windows * self.kernel) ** 2 * self.channels * self.filters

    def __str__(self) -> str:
        numbers = f"{self.n}, {self.channels}, {self.size}, {self.filters}"
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        return f"{numbers}, {self.kernel}×{self.kernel}{stride}"


@dataclass(frozen=True)
class Pooling:
    """Max-pooling of n square images by windows of 2 × 2 pixels."""

    n: int
    size: int
    channels: int
    passes: ClassVar[tuple[str, ...]] = ("forward", "backward")

    @property
    def windows(self) -> int:
        """The height and width of an output image."""
        return self.size // 2

    @property
    def work(self) -> int:
        """Bytes of the images read and written, as float32."""
        return 4 * self.n * self.channels * (self.size**2 + self.windows**2)

    def __str__(self) -> str:
        return f"{self.n}, {self.channels}, {self.size}"


CONVOLUTIONS = (
    Convolution(100, 1, 28, 20, 5),
    Convolution(100, 20, 12, 50, 5),
    Convolution(100, 16, 28, 16, 3, padding=1),
    Convolution(100, 32, 14, 32, 3, padding=1),
    Convolution(100, 64, 7, 64, 3, padding=1),
    Convolution(32, 64, 56, 64, 3, padding=1),
    Convolution(32, 128, 28, 128, 3, padding=1),
    Convolution(32, 256, 14, 256, 3, padding=1),
    Convolution(32, 512, 7, 512, 3, padding=1),
    Convolution(32, 64, 56, 256, 1),
    Convolution(32, 3, 224, 64, 7, padding=3, stride=2),
    Convolution(128, 64, 8, 64, 3, padding=1),
    Convolution(128, 128, 16, 128, 3, padding=1),
)
POOLINGS = (
    Pooling(100, 24, 20),
    Pooling(100, 8, 50),
    Pooling(100, 28, 16),
    Pooling(100, 14, 32),
    Pooling(100, 24, 30),
    Pooling(32, 56, 64),
)


@dataclass(frozen=True)
class Pass:
    """A pass of a layer, forward or for a gradient."""

    layer: Convolution | Pooling
    which: str


def passes(layers: tuple[Convolution | Pooling, ...], *, quick: bool = False) -> list[Pass]:
    """Return all passes; a quick run takes small layers."""
    return [
        Pass(layer, which)
        for layer in layers
        if not quick or layer.work < (1e9 if isinstance(layer, Convolution) else 1e7)
        for which in layer.passes
    ]


def find_layer(name: str) -> Convolution | Pooling:
    """Return the layer of a name."""
    return {str(layer): layer for layer in (*CONVOLUTIONS, *POOLINGS)}[name]
