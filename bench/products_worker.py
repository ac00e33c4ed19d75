"""All products by one library, in one process: `python -m bench.products_worker PEER`.

Prints one line of JSON: GFLOP/s by who did it and by product. Every product writes into the same
array each time; what is timed is a block of calls, of which there are some, and their median.
"""

from __future__ import annotations

import argparse
import json
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.peers import OWN
from bench.products import REPLAYED, RIVALS, Product, products

if TYPE_CHECKING:
    # Does a product so many times.
    from collections.abc import Callable

    Repeat = Callable[[int], None]

BLOCK = 0.01
"""The least seconds of a block of calls."""
BLOCKS = 5


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
    """Return the seconds of one product."""
    repeat(1)
    times = 1
    while True:
        start = perf_counter()
        repeat(times)
        took = perf_counter() - start
        if took >= BLOCK:
            break
        times = max(2 * times, min(50 * times, int(1.2 * times * BLOCK / max(took, 1e-9))))
    blocks = []
    for _ in range(BLOCKS):
        start = perf_counter()
        repeat(times)
        blocks.append(perf_counter() - start)
    return median(blocks) / times


def main() -> None:
    """Measure all products and print."""
    import numpy as np

    parser = argparse.ArgumentParser(prog="python -m bench.products_worker")
    parser.add_argument("peer", choices=(*RIVALS, OWN))
    parser.add_argument("--quick", action="store_true", help="fewer and smaller products")
    asked = parser.parse_args()
    prepare = {"numpy": with_numpy, "torch": with_torch, OWN: with_gyaku}[asked.peer]
    random = np.random.default_rng(0)
    found: dict[str, dict[str, float]] = {}
    for product in products(quick=asked.quick):
        m, k, n = product.m, product.k, product.n
        stored_a = (k, m) if product.transposed[0] == "t" else (m, k)
        stored_b = (n, k) if product.transposed[1] == "t" else (k, n)
        a, b = (random.standard_normal(shape, np.float32) for shape in (stored_a, stored_b))
        for who, repeat in prepare(product, a, b).items():
            found.setdefault(who, {})[product.name] = product.flops / seconds(repeat) / 1e9
    print(json.dumps(found))


if __name__ == "__main__":
    main()
