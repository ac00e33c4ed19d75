"""One framework, one workload, one process: `python -m bench.worker ROW PEER`.

ROW is the name of a row, or the path of a Python file with one.

Prints one line of JSON: `us` (microseconds per step), `seconds` (of each timed call), `epochs` (of
a timed call), `steps` (of all timed calls), `loss` (after the workload's first epochs), `memory`
(peak memory in bytes) and the arguments. With `--serve` instead of all arguments it answers
requests of such arguments (see `bench.serving`).

The time is that of whole epochs of training on data in memory, by a network that has been trained
for some epochs already: shuffling, gathering batches, forward, loss, backward, optimizer and, for
frameworks with a `fit`, all of its other work. Imports, reading data, compilation and warming up
are not counted. A step is a batch of samples; the last batch of an epoch, which may be smaller,
counts by its samples.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import resource
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS, options
from bench.rows import find
from bench.serving import serve

if TYPE_CHECKING:
    from bench.peers import Trainer
    from bench.workloads import Workload


def time_epochs(trainer: Trainer, *, seconds: float, calls: int) -> tuple[int, list[float]]:
    """Time calls of a smallest length each; return their epochs and their seconds."""
    epochs = 1
    while True:
        # Compilation for this number of epochs happens here.
        trainer.train(epochs)
        start = perf_counter()
        trainer.train(epochs)
        took = perf_counter() - start
        if took >= seconds:
            break
        # Slightly longer than predicted from the short call, which may have been slow by chance.
        epochs = max(epochs + 1, min(20 * epochs, int(1.1 * epochs * seconds / took) + 1))
    times = []
    for _ in range(calls):
        start = perf_counter()
        trainer.train(epochs)
        times.append(perf_counter() - start)
    return epochs, times


def measure(asked: argparse.Namespace, option: str) -> dict[str, Any]:
    """Build, warm up, time; return the answer."""
    from bench.data import initial_weights, load

    workload: Workload = asked.row
    x, y = load(workload, asked.data, raw=asked.peer == OWN)
    if asked.samples:
        few = max(asked.samples, workload.batch)
        x, y = (x[:few],) * 2 if y is x else (x[:few], y[:few])
    build = importlib.import_module(PEERS[asked.peer].module).build
    trainer: Trainer = build(workload, x, y, initial_weights(workload), option)
    loss = None if asked.no_loss else trainer.loss(workload.epochs)
    epochs, times = time_epochs(trainer, seconds=asked.seconds, calls=asked.calls)
    steps = epochs * len(x) / workload.batch
    return {
        "us": 1e6 * median(times) / steps,
        "seconds": times,
        "epochs": epochs,
        "steps": steps * asked.calls,
        "loss": loss,
        "memory": peak_memory(),
    }


def peak_memory() -> int:
    """Return the peak memory of this process in bytes."""
    try:
        # On Linux `ru_maxrss` includes the memory of the parent process, this does not.
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    if found:
        return 1024 * int(found[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def answer(arguments: list[str]) -> dict[str, Any]:
    """Parse the arguments, measure, return the answer."""
    parser = argparse.ArgumentParser(prog="python -m bench.worker")
    parser.add_argument("row", type=find)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--option", default=None, help="a setting of the framework")
    parser.add_argument("--data", type=Path, help="folder with MNIST as .npy files")
    parser.add_argument("--seconds", type=float, default=0.5, help="smallest length of a call")
    parser.add_argument("--calls", type=int, default=3, help="number of timed calls")
    parser.add_argument("--samples", type=int, help="train on the first samples only")
    parser.add_argument("--no-loss", action="store_true", help="leave out the first epochs")
    asked = parser.parse_args(arguments)
    known = options(asked.peer, asked.row)
    option = asked.option if asked.option is not None else next(iter(known), "")
    if option not in known:
        sys.exit(f"{asked.peer} has no setting {option!r} for {asked.row.name}, only {known}")
    named = {"row": asked.row.name, "peer": asked.peer, "option": option}
    return named | measure(asked, option)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve(answer)
    else:
        print(json.dumps(answer(sys.argv[1:])))
