"""One framework, one workload, one process: `python -m bench.worker ROW PEER`.

Prints one line of JSON: `us` (microseconds a step), `seconds` (of each timed call), `epochs` (of a
timed call), `steps` (of all timed calls), `loss` (after the workload's first epochs) and what was
asked for.

What is counted: whole epochs of training on data that are in memory, by a network that has been
trained for some epochs already: shuffling, gathering batches, forward, loss, backward, optimizer
and, for frameworks that have one, everything that their `fit` does besides. Imports, reading data,
compilation and warming up are not. A step is a batch of samples; the last batch of an epoch, which
may be smaller, counts by its samples.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS, options
from bench.workloads import find

if TYPE_CHECKING:
    from bench.peers import Trainer
    from bench.workloads import Workload


def time_epochs(trainer: Trainer, *, seconds: float, calls: int) -> tuple[int, list[float]]:
    """Time some calls of at least so many seconds each; return their epochs and their seconds."""
    epochs = 1
    while True:
        start = perf_counter()
        trainer.train(epochs)
        took = perf_counter() - start
        if took >= seconds:
            break
        # Beyond what a short call foretells, but not much: it may have been slow for once.
        epochs = max(epochs + 1, min(20 * epochs, int(1.1 * epochs * seconds / took) + 1))
    times = []
    for _ in range(calls):
        start = perf_counter()
        trainer.train(epochs)
        times.append(perf_counter() - start)
    return epochs, times


def measure(
    workload: Workload,
    peer: str,
    *,
    option: str,
    data: Path | None,
    seconds: float,
    calls: int,
    loss: bool,
) -> dict[str, Any]:
    """Build, warm up, time; return what is printed."""
    from bench.data import initial_weights, load

    x, y = load(workload, data, raw=peer == OWN)
    build = importlib.import_module(PEERS[peer].module).build
    trainer: Trainer = build(workload, x, y, initial_weights(workload), option)
    value = trainer.loss(workload.epochs) if loss else None
    trainer.train(1)
    epochs, times = time_epochs(trainer, seconds=seconds, calls=calls)
    steps = epochs * len(x) / workload.batch
    return {
        "us": 1e6 * median(times) / steps,
        "seconds": times,
        "epochs": epochs,
        "steps": steps * calls,
        "loss": value,
    }


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.worker")
    parser.add_argument("row", type=find)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--option", default=None, help="a setting of the framework")
    parser.add_argument("--data", type=Path, help="the folder with MNIST as .npy files")
    parser.add_argument("--seconds", type=float, default=0.5, help="the least length of a call")
    parser.add_argument("--calls", type=int, default=3, help="how many calls are timed")
    parser.add_argument("--no-loss", action="store_true", help="leave out the first epochs")
    asked = parser.parse_args()
    known = options(asked.peer, asked.row)
    option = asked.option if asked.option is not None else next(iter(known), "")
    if option not in known:
        sys.exit(f"{asked.peer} has no setting {option!r} for {asked.row.name}, only {known}")
    answer = measure(
        asked.row,
        asked.peer,
        option=option,
        data=asked.data,
        seconds=asked.seconds,
        calls=asked.calls,
        loss=not asked.no_loss,
    )
    print(json.dumps({"row": asked.row.name, "peer": asked.peer, "option": option} | answer))


if __name__ == "__main__":
    main()
