"""Does the process grow? Many models, batch shapes and steps, and the memory before and after.

``python tests/leaks.py 1000 1000 100000`` makes so many models, shapes and steps.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import gyaku as gk

MIB = 1 << 20
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 5, 6)).astype(np.float32)
Y = RANDOM.integers(0, 3, 64)


def resident() -> float:
    """Return the resident memory of the process, in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def built() -> gk.Sequential:
    return gk.Sequential(
        *(gk.LSTM(8, return_sequences=True), gk.Flatten(), gk.BatchNorm(), gk.Dropout(0.2)),
        *(gk.Dense(200, "relu"), gk.Dense(3)),
    )


def fit(model: gk.Sequential, samples: int = 64, epochs: int = 1) -> None:
    options = {"loss": "softmax_cross_entropy", "batch_size": 32, "verbose": 0}
    model.fit(X[:samples], Y[:samples], epochs=epochs, **options)


def models(count: int) -> None:
    for _ in range(count):
        model = built()
        fit(model)
        model.predict(X)


def shapes(count: int) -> None:
    model = gk.Sequential(gk.Dense(16, "relu"), gk.Dense(3))
    x = RANDOM.normal(size=(count + 1, 6)).astype(np.float32)
    for samples in range(1, count + 1):
        model.predict(x[:samples], batch_size=samples)
        model.predict(x[:samples], batch_size=samples)
        y = Y[np.arange(samples) % 64]
        model.fit(x[:samples], y, loss="softmax_cross_entropy", batch_size=samples, verbose=0)


def steps(count: int) -> None:
    fit(built(), epochs=count // 2)


def growth(work: Callable[[int], None], count: int) -> float:
    """Return by how many MiB the process grows from a tenth of the work to all of it."""
    work(max(count // 10, 1))
    before = resident()
    work(count)
    return resident() - before


def main(counts: list[int]) -> dict[str, float]:
    return {
        f"{count} {work.__name__}": round(growth(work, count), 2)
        for work, count in zip((models, shapes, steps), counts, strict=True)
    }


if __name__ == "__main__":
    found = main([int(each) for each in sys.argv[1:]] or [1000, 1000, 100_000])
    print(json.dumps({"MiB": found}))
    sys.exit(any(each > 8 for each in found.values()))
