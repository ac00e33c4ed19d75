"""A row trained by several processes of one thread: `mpiexec -n N python -m bench.ranks_worker`.

Arguments: a row, gyaku or torch, the folder of MNIST as .npy files, a folder to meet in, seconds,
and for gyaku how the processes are joined: "common" (memory), the bytes of a range of gradients
that MPI sums, or "apart", which is several trainings that know nothing of each other. The first
process prints one line of JSON: `rate` (samples a second of all processes together) and `sums` (the
seconds of the sums of a step by themselves, of gyaku). PyTorch trains by DistributedDataParallel on
gloo.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, options
from bench.rows import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload

SAMPLES = 6000
# Function of a number of epochs, which trains, and a barrier.
Training = tuple["Callable[[int], object]", "Callable[[], object]"]


def place() -> tuple[int, int]:
    """Return rank and number of processes, as the launcher tells them."""
    for rank, size in (("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")):
        if rank in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def with_gyaku(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, joined: str
) -> tuple[Training, Callable[[], float]]:
    """Return the training through `fit`, and the time of the sums."""
    from mpi4py.MPI import COMM_SELF, COMM_WORLD

    import gyaku as gk
    from bench.peers.with_gyaku import Gyaku

    by_sums: dict[str, Any] = {}
    if joined.isdecimal():
        by_sums = {"shared_memory": False, "bucket_bytes": int(joined)}
    ranks = gk.distributed.MPI(COMM_SELF if joined == "apart" else COMM_WORLD, **by_sums)
    own = Gyaku(workload, x, y, weights)

    def train(epochs: int) -> None:
        own.model.fit(
            *(x, y),
            loss=workload.loss,
            optimizer=own.optimizer,
            epochs=epochs,
            batch_size=workload.batch,
            verbose=0,
            distributed=ranks,
        )

    return (train, COMM_WORLD.Barrier), lambda: seconds_of_sums(own, ranks)


def seconds_of_sums(own: Any, ranks: Any) -> float:
    """Return the time of the sums of a step by themselves, with nothing to hide behind."""
    model, optimizer = own.model, own.optimizer
    updated = [model.flat_params, *optimizer.state.values()]
    reduction = ranks.reduction(model.flat_grads, model.flat_buffers, updated)
    taken = []
    for _ in range(20):
        ranks.gather(None)
        start = perf_counter()
        reduction.begin()
        for _ in reduction.parts():
            pass
        reduction.updated()
        taken.append(perf_counter() - start)
    reduction.close()
    return median(taken)


def with_torch(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, folder: Path
) -> Training:
    """Return the training by DistributedDataParallel, each process on its part of the order."""
    import torch
    from torch import distributed

    from bench.peers.with_torch import Torch

    rank, size = place()
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=size
    )
    fused = next(name for name in reversed(options("torch", workload)) if "fused" in name)
    own = Torch(workload, x, y, weights, fused)
    if size > 1:
        own.model = torch.nn.parallel.DistributedDataParallel(own.model)

    def batches() -> Any:
        order = torch.randperm(len(own.x), generator=torch.Generator().manual_seed(0))
        return map(own.pick, order[rank::size].split(own.batch))

    own.batches = batches  # type: ignore[method-assign]
    return own.train, distributed.barrier


def main() -> None:
    """Train, and print the rate."""
    name, peer, data, folder, seconds, joined = sys.argv[1:]
    from bench.data import initial_weights, load

    workload = find(name)
    x, y = load(workload, Path(data), raw=peer == OWN)
    x, y = x[:SAMPLES], y[:SAMPLES]
    weights = initial_weights(workload)
    alone: Callable[[], float] = float
    if peer == OWN:
        (train, barrier), alone = with_gyaku(workload, x, y, weights, joined)
    else:
        train, barrier = with_torch(workload, x, y, weights, Path(folder))
    train(1)
    barrier()
    start, epochs = perf_counter(), 0
    while perf_counter() - start < 0.2:
        train(1)
        epochs += 1
    barrier()
    epochs = max(1, round(epochs * float(seconds) / (perf_counter() - start)))
    if place()[1] > 1:
        epochs = agreed(epochs, peer)
    copies = place()[1] if joined == "apart" else 1
    rates = []
    for _ in range(3):
        barrier()
        start = perf_counter()
        train(epochs)
        barrier()
        rates.append(copies * epochs * len(x) / (perf_counter() - start))
    answer = {"rate": sorted(rates)[1], "sums": alone()}
    if place()[0] == 0:
        print(json.dumps(answer))


def agreed(epochs: int, peer: str) -> int:
    """Return the number of epochs of the first process."""
    if peer == OWN:
        from mpi4py import MPI

        return int(MPI.COMM_WORLD.bcast(epochs))
    from torch import distributed

    shared = [epochs]
    distributed.broadcast_object_list(shared)
    return int(shared[0])


if __name__ == "__main__":
    main()
