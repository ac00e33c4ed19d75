"""Products by one library, in one process: `python -m bench.products_worker PEER`.

A request (see `bench.serving`) is the name of a product, such as ``["64x64x64 nt"]``, the answer
GFLOP/s by who did it. A product writes into the same array each time; what is timed is a block of
calls, of which there are some, and their median. One call of a big product is a block of its own.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.goals import PEAK_NEARBY, REPLAYED
from bench.peers import OWN
from bench.serving import serve
from bench.shapes import Product

if TYPE_CHECKING:
    # Does a product so many times.
    from collections.abc import Callable

    Repeat = Callable[[int], None]

BLOCK, BLOCKS = 0.005, 3
"""The least seconds of a block of calls, and how many there are."""
LONG = 0.05
"""The seconds from which on a single call is enough."""


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

    program = _core.Program()
    program.begin()
    repeat(1)
    program.end()
    return {OWN: repeat, REPLAYED: lambda times: _core.replay([(program, times)])}


def seconds(repeat: Repeat) -> float:
    """Return the seconds of one product: those of a call, or of the middle one of some blocks."""

    def timed(times: int) -> float:
        start = perf_counter()
        repeat(times)
        return perf_counter() - start

    # The first call touches all memory and wakes the threads.
    repeat(1)
    took, times = timed(1), 1
    if took >= LONG:
        return took
    while took < BLOCK:
        times = max(2 * times, min(50 * times, int(1.2 * times * BLOCK / max(took, 1e-9))))
        took = timed(times)
    return median([took, *(timed(times) for _ in range(BLOCKS - 1))]) / times


def operands(product: Product) -> tuple[Any, Any]:
    """Return the factors as they are stored, full of random numbers."""
    import numpy as np

    random = np.random.default_rng(0)
    shapes = [(product.m, product.k), (product.k, product.n)]
    a, b = (
        random.random(shape[::-1] if letter == "t" else shape, np.float32)
        for shape, letter in zip(shapes, product.transposed, strict=True)
    )
    return a, b


def measure(peer: str, name: str) -> dict[str, float]:
    """Return GFLOP/s of a product by who did it, for gyaku also of the peak at that moment."""
    product = Product.named(name)
    prepare = {"numpy": with_numpy, "torch": with_torch, OWN: with_gyaku}[peer]
    found = {}
    for who, repeat in prepare(product, *operands(product)).items():
        if who == REPLAYED:
            # Between the two that are compared with it.
            found[PEAK_NEARBY] = peak()
        found[who] = product.flops / seconds(repeat) / 1e9
    return found


def peak() -> float:
    """Return the GFLOP/s that this machine can do at most."""
    from gyaku import _core

    return _core.measure_flops("float32", _core.num_threads()) / 1e9


def main() -> None:
    """Answer requests."""
    parser = argparse.ArgumentParser(prog="python -m bench.products_worker")
    parser.add_argument("peer", choices=("numpy", "torch", OWN))
    peer = parser.parse_args().peer
    serve(lambda arguments: measure(peer, *arguments))


if __name__ == "__main__":
    main()
