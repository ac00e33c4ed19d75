"""Products by one library, in one process: `python -m bench.products_worker PEER`.

A request (see `bench.serving`) is the name of a product, such as ``["64x64x64 nt"]``, the answer
GFLOP/s by name. A product writes into the same array each time.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bench.goals import REPLAYED
from bench.peers import OWN
from bench.serving import serve
from bench.shapes import Product
from bench.timing import replayed, speeds

if TYPE_CHECKING:
    from bench.timing import Repeat


def with_numpy(product: Product, a: Any, b: Any) -> dict[str, Repeat]:
    """Multiply by `numpy.matmul` into a given array; a transposed factor is a view."""
    import numpy as np

    a = a.T if product.transposed[0] == "t" else a
    b = b.T if product.transposed[1] == "t" else b
    out = np.empty((product.m, product.n), np.float32)

    def repeat(times: int) -> None:
        for _ in range(times):
            np.matmul(a, b, out)

    return {"numpy": repeat}


def with_torch(product: Product, a: Any, b: Any) -> dict[str, Repeat]:
    """Multiply by `torch.mm` into a given tensor; a transposed factor is a view."""
    import torch

    left, right = torch.from_numpy(a), torch.from_numpy(b)
    left = left.t() if product.transposed[0] == "t" else left
    right = right.t() if product.transposed[1] == "t" else right
    out = torch.empty((product.m, product.n))

    def repeat(times: int) -> None:
        with torch.inference_mode():
            for _ in range(times):
                torch.mm(left, right, out=out)

    return {"torch": repeat}


def with_gyaku(product: Product, a: Any, b: Any) -> dict[str, Repeat]:
    """Multiply by `gyaku.ops.matmul`, called from Python and replayed."""
    import numpy as np

    from gyaku import _core, ops

    out = _core.empty((product.m, product.n), np.float32)
    transpose_a, transpose_b = (letter == "t" for letter in product.transposed)

    def repeat(times: int) -> None:
        for _ in range(times):
            ops.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b, out=out)

    def once() -> Any:
        return ops.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b, out=out)

    return {OWN: repeat, REPLAYED: replayed(once)}


def operands(product: Product) -> tuple[Any, Any]:
    """Return the factors as stored, with random elements."""
    import numpy as np

    random = np.random.default_rng(0)
    shapes = [(product.m, product.k), (product.k, product.n)]
    a, b = (
        random.random(shape[::-1] if letter == "t" else shape, np.float32)
        for shape, letter in zip(shapes, product.transposed, strict=True)
    )
    return a, b


def measure(peer: str, name: str) -> dict[str, float]:
    """Return GFLOP/s of a product by name, for gyaku also the peak at that time."""
    product = Product.named(name)
    prepare = {"numpy": with_numpy, "torch": with_torch, OWN: with_gyaku}[peer]
    return speeds(prepare(product, *operands(product)), product.flops)


def main() -> None:
    """Answer requests."""
    parser = argparse.ArgumentParser(prog="python -m bench.products_worker")
    parser.add_argument("peer", choices=("numpy", "torch", OWN))
    peer = parser.parse_args().peer
    serve(lambda arguments: measure(peer, *arguments))


if __name__ == "__main__":
    main()
