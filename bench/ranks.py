"""The table of processes: training by two processes of one thread against one, through MPI.

`python -m bench ranks`. Each process has the row's batch; PyTorch trains by DistributedDataParallel
on gloo. gyaku tries several sizes of the ranges of gradients that are summed together.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import ROOT, WorkerError, environment, last_error, say
from bench.ratios import median_ratio
from bench.rows import ROWS
from bench.table import factor, judged, number, page, table

if TYPE_CHECKING:
    from bench.settings import Settings

    # Answers of each round.
    Rounds = dict[str, list[dict[str, float]]]

TASKS = ("lenet", "mlp_big")
BUCKETS = (1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24)
PROCESSES = 2
SPEED_UP, AHEAD, HIDDEN = 1.85, 2.0, 0.8
"""Targets: samples a second of two processes over one, and over PyTorch's; share of the sums."""


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    launcher = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    if launcher is None:
        raise WorkerError("there is no mpiexec: python -m pip install mpi4py mpich")
    peers = [name for name in (OWN, "torch") if name == OWN or name in settings.peers]
    seconds = 0.2 if settings.quick else 1.0
    found: dict[str, Rounds] = {}
    settings.machine.measure_peak()
    for task in TASKS[:1] if settings.quick else TASKS:
        rounds = found.setdefault(task, {})
        runs = [(peer, count, BUCKETS[2]) for peer in peers for count in (1, PROCESSES)]
        runs += [(OWN, PROCESSES, size) for size in BUCKETS if size != BUCKETS[2]]
        for turn in range(settings.rounds):
            say(f"ranks, {task}: round {turn + 1} of {settings.rounds}")
            for peer, count, size in runs:
                answer = trained(launcher, task, peer, count, size, settings.data, seconds)
                rounds.setdefault(name_of(peer, count, size), []).append(answer)
        settings.keep("ranks", {"rounds": found})
    print(settings.machine.title("Processes", [name for name in peers if name != OWN]))
    print("\n\n".join(show(task, rounds) for task, rounds in found.items()))
    return {"rounds": found}


def name_of(peer: str, count: int, size: int) -> str:
    """Return the key of a measurement."""
    return f"{peer} {count} {size if peer == OWN and count > 1 else ''}".strip()


def trained(
    launcher: str, task: str, peer: str, count: int, size: int, data: Path | None, seconds: float
) -> dict[str, float]:
    """Train by some processes of one thread each; return the answer of the first."""
    with tempfile.TemporaryDirectory() as folder:
        worker = [task, peer, str(data), folder, str(seconds), str(size)]
        done = subprocess.run(
            [launcher, "-n", str(count), sys.executable, "-m", "bench.ranks_worker", *worker],
            cwd=ROOT,
            env=environment(1),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if done.returncode:
        raise WorkerError(f"{peer}, {count} processes: {last_error(done.stderr)}")
    answer: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def hidden(rounds: Rounds, size: int, batch: int) -> float:
    """Return the share of the time of the sums that is behind the computation."""
    alone, several = rounds[name_of(OWN, 1, size)], rounds[name_of(OWN, PROCESSES, size)]
    shares = [
        1 - (PROCESSES * batch / two["rate"] - batch / one["rate"]) / two["sums"]
        for one, two in zip(alone, several, strict=True)
    ]
    return max(0.0, min(1.0, median(shares)))


def show(task: str, rounds: Rounds) -> str:
    """Return the tables of a row, and the targets."""
    batch = ROWS[task].batch
    rates = {name: [answer["rate"] for answer in each] for name, each in rounds.items()}
    best = max(
        (name for name in rates if name.startswith(f"{OWN} {PROCESSES}")),
        key=lambda name: median(rates[name]),
    )
    speed_up = median_ratio(rates[best], rates[f"{OWN} 1"])
    lines = [
        [PEERS[peer].title, number(median(rates[one])), number(median(rates[two])), factor(ratio)]
        for peer, one, two in ((OWN, f"{OWN} 1", best), ("torch", "torch 1", f"torch {PROCESSES}"))
        if one in rates
        for ratio in [median_ratio(rates[two], rates[one])]
    ]
    first = table([f"{task}, batch {batch}", "one process", "two processes", "speed-up"], lines)
    shares = {size: hidden(rounds, size, batch) for size in BUCKETS}
    second = table(
        ["ranges of", "samples/s", "sums alone", "hidden"],
        [
            [
                f"{size >> 10:,} KiB",
                number(median(rates[name_of(OWN, PROCESSES, size)])),
                f"{1e6 * median(a['sums'] for a in rounds[name_of(OWN, PROCESSES, size)]):,.0f} µs",
                f"{100 * share:.0f} %",
            ]
            for size, share in shares.items()
        ],
    )
    targets = [
        (
            f"Two processes at least {SPEED_UP:g}× one: {judged(speed_up >= SPEED_UP)}"
            f" ({speed_up:.2f})."
        ),
        f"{100 * HIDDEN:.0f} % hidden at the best size: {judged(max(shares.values()) >= HIDDEN)}.",
    ]
    if "torch 1" in rates:
        ahead = median_ratio(rates[best], rates[f"torch {PROCESSES}"])
        targets.append(f"{AHEAD:g}× PyTorch's two: {judged(ahead >= AHEAD)} ({ahead:.2f}).")
    note = "Samples a second of all processes together, one thread each: medians of the rounds."
    return page(first, second, note, " ".join(targets))
