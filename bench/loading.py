"""Data that are not in memory: a file larger than the memory, and a loader with two workers.

``python -m bench.loading disk 8`` trains on a file of 8 GiB in a process that may have 1 GiB, and
compares the speed on a part of it with that of the same array in memory; ``python -m bench.loading
loader`` compares LeNet on a ``DataLoader`` with PyTorch's. Run it on an idle machine.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import gyaku as gk

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

GIB = 1 << 30
SAMPLE = (64, 64, 3)
BATCH = 128
ROUNDS = 3


def write(path: Path, gib: float) -> None:
    """Write images of bytes, of this size in all."""
    count = int(gib * GIB) // int(np.prod(SAMPLE))
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, *SAMPLE))
    random = np.random.default_rng(0)
    for start in range(0, count, 4096):
        part = images[start : start + 4096]
        part[:] = random.integers(0, 256, part.shape, np.uint8)
    images.flush()


def network() -> gk.Sequential:
    """Return a network for the images."""
    return gk.Sequential(
        gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(256, "relu"), gk.Dense(10), seed=0
    )


def speed(x: NDArray[Any], y: NDArray[Any], model: gk.Sequential | None = None) -> float:
    """Return the samples a second of an epoch."""
    model = model or network()
    start = perf_counter()
    model.fit(x, y, loss="softmax_cross_entropy", batch_size=BATCH, seed=None, verbose=0)
    return len(x) / (perf_counter() - start)


def status() -> dict[str, float]:
    """Return the sizes of this process in MiB, by the names of the system."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = [line.split(":") for line in lines if line.endswith("kB")]
    return {name: int(size.split()[0]) / 1024 for name, size in found}


def train_whole(path: str) -> None:
    """Train an epoch on a file, in a process that may have 1 GiB."""
    resource.setrlimit(resource.RLIMIT_DATA, (GIB, GIB))
    x = np.load(path, mmap_mode="r")
    rate = speed(x, np.arange(len(x)) % 10)
    sizes = status()
    print(
        f"{x.nbytes / GIB:.1f} GiB on disk, RLIMIT_DATA 1 GiB: {rate:,.0f} samples/s,"
        f" anonymous memory {sizes['RssAnon']:.0f} MiB, mapped file {sizes['RssFile']:.0f} MiB"
    )


def disk(gib: float) -> None:
    """Compare a file with the same array in memory, then train on all of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        write(path, gib)
        mapped = np.load(path, mmap_mode="r")[: int(min(gib, 0.5) * GIB) // int(np.prod(SAMPLE))]
        memory, y = np.array(mapped), np.arange(len(mapped)) % 10
        rates = best({"memory": lambda: speed(memory, y), "disk": lambda: speed(mapped, y)})
        print(f"disk / memory: {rates['disk'] / rates['memory']:.3f}")
        subprocess.run([sys.executable, "-m", "bench.loading", "whole", str(path)], check=True)


def best(runs: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Return the best rate of each, measured in turn."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            rates[name].append(run())
    for name, each in rates.items():
        print(name, " ".join(f"{rate:,.0f}" for rate in each), "samples/s")
    return {name: max(each) for name, each in rates.items()}


def loader(count: int = 20_000) -> None:
    """Compare LeNet on a loader of two workers with PyTorch's on the same."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    threads = gk.num_threads()
    torch.set_num_threads(threads)
    (x, y), _ = gk.data.mnist()
    images = x[:count].reshape(-1, 28, 28, 1).astype(np.float32) / 255
    labels = y[:count].astype(np.int64)

    def batches(of_images: NDArray[Any]) -> Any:
        data = TensorDataset(torch.from_numpy(of_images), torch.from_numpy(labels))
        return DataLoader(data, batch_size=100, num_workers=2, shuffle=True)

    ours, theirs = batches(images), batches(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    model = gk.models.lenet()
    other = nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip
    optimizer, entropy = torch.optim.Adam(other.parameters()), nn.CrossEntropyLoss()

    def of_gyaku() -> float:
        start = perf_counter()
        model.fit(ours, loss="softmax_cross_entropy", seed=None, verbose=0)
        return count / (perf_counter() - start)

    def of_torch() -> float:
        start = perf_counter()
        for a, b in theirs:
            optimizer.zero_grad()
            entropy(other(a), b).backward()
            optimizer.step()
        return count / (perf_counter() - start)

    rates = best({"gyaku": of_gyaku, "torch": of_torch})
    print(f"gyaku / torch: {rates['gyaku'] / rates['torch']:.2f}")


if __name__ == "__main__":
    verb, *more = sys.argv[1:]
    if verb == "disk":
        disk(float(more[0]) if more else 8)
    elif verb == "whole":
        train_whole(more[0])
    else:
        loader()
