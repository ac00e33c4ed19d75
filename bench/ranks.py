"""The table of processes: training by two processes of one thread against one, through MPI.

`python -m bench ranks`. Each process has the row's batch; PyTorch trains by DistributedDataParallel
on gloo. gyaku trains in memory that its processes have in common, and by sums of MPI with several
sizes of their ranges; what the two cores would give without any communication is measured by two
trainings that know nothing of each other.
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
from bench.pictures import PALETTE, panes, save
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
COMMON, APART = "common", "apart"
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
        runs = [(peer, count, COMMON) for peer in peers for count in (1, PROCESSES)]
        runs += [(OWN, PROCESSES, joined) for joined in (APART, *map(str, BUCKETS))]
        for turn in range(settings.rounds):
            say(f"ranks, {task}: round {turn + 1} of {settings.rounds}")
            for peer, count, joined in runs:
                answer = trained(launcher, task, peer, count, joined, settings.data, seconds)
                rounds.setdefault(name_of(peer, count, joined), []).append(answer)
        settings.keep("ranks", {"rounds": found})
    print(settings.machine.title("Processes", [name for name in peers if name != OWN]))
    print("\n\n".join(show(task, rounds) for task, rounds in found.items()))
    path = settings.picture("ranks")
    draw(found, settings.machine.name, path, settings.machine.disquiet)
    return {"rounds": found, "picture": str(path)}


def name_of(peer: str, count: int, joined: str) -> str:
    """Return the key of a measurement."""
    return f"{peer} {count} {joined if peer == OWN and count > 1 else ''}".strip()


def trained(
    launcher: str, task: str, peer: str, count: int, joined: str, data: Path | None, seconds: float
) -> dict[str, float]:
    """Train by some processes of one thread each; return the answer of the first."""
    with tempfile.TemporaryDirectory() as folder:
        worker = [task, peer, str(data), folder, str(seconds), joined]
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


def hidden(rounds: Rounds, joined: str, batch: int) -> float:
    """Return the share of the time of the sums that is behind the computation."""
    apart, several = rounds[name_of(OWN, PROCESSES, APART)], rounds[name_of(OWN, PROCESSES, joined)]
    shares = [
        1 - PROCESSES * batch * (1 / two["rate"] - 1 / free["rate"]) / two["sums"]
        for free, two in zip(apart, several, strict=True)
    ]
    return max(0.0, min(1.0, median(shares)))


def draw(found: dict[str, Rounds], machine: str, path: Path, disquiet: str = "") -> None:
    """Draw the speed-up of two processes over one, however they are joined."""
    size = (4 * len(found) + 2, 4.5)
    figure, panels = panes(1, len(found), size=size, title=f"Two processes: {machine}")
    ways = {APART: "apart", COMMON: "common memory"} | {
        str(size): f"MPI, {size >> 10:,} KiB" for size in BUCKETS
    }
    for panel, (task, rounds) in zip(panels[0], found.items(), strict=True):
        rates = {name: [answer["rate"] for answer in each] for name, each in rounds.items()}
        own = rates[name_of(OWN, 1, COMMON)]
        ups = {
            words: median_ratio(rates[name_of(OWN, PROCESSES, way)], own)
            for way, words in ways.items()
        }
        if "torch 1" in rates:
            torch = median_ratio(rates[f"torch {PROCESSES}"], rates["torch 1"])
            ups["PyTorch, gloo"] = torch
        panel.bar([*ups], [*ups.values()], color=[*PALETTE[: len(ups)]])
        panel.axhline(SPEED_UP, color="k", linestyle="--", linewidth=1)
        panel.set_title(f"{task}, batch {ROWS[task].batch}", fontsize="medium")
        panel.tick_params("x", rotation=60)
    panels[0, 0].set_ylabel("samples a second over one process's")
    save(figure, path, disquiet)


def show(task: str, rounds: Rounds) -> str:
    """Return the tables of a row, and the targets."""
    batch = ROWS[task].batch
    rates = {name: [answer["rate"] for answer in each] for name, each in rounds.items()}
    own, one = name_of(OWN, PROCESSES, COMMON), name_of(OWN, 1, COMMON)
    speed_up = median_ratio(rates[own], rates[one])
    pairs = [(PEERS[OWN].title, one, own)]
    pairs += [("apart", one, name_of(OWN, PROCESSES, APART))]
    pairs += [(PEERS["torch"].title, "torch 1", f"torch {PROCESSES}")]
    lines = [
        [title, number(median(rates[alone])), number(median(rates[two])), factor(ratio)]
        for title, alone, two in pairs
        if alone in rates
        for ratio in [median_ratio(rates[two], rates[alone])]
    ]
    first = table([f"{task}, batch {batch}", "one process", "two processes", "speed-up"], lines)
    ways = {COMMON: "common memory"} | {str(size): f"{size >> 10:,} KiB" for size in BUCKETS}
    shares = {joined: hidden(rounds, joined, batch) for joined in ways}
    second = table(
        ["sums", "samples/s", "by themselves", "hidden"],
        [
            [
                words,
                number(median(rates[name_of(OWN, PROCESSES, way)])),
                f"{1e6 * median(a['sums'] for a in rounds[name_of(OWN, PROCESSES, way)]):,.0f} µs",
                f"{100 * shares[way]:.0f} %",
            ]
            for way, words in ways.items()
        ],
    )
    targets = [
        (
            f"Two processes at least {SPEED_UP:g}× one: {judged(speed_up >= SPEED_UP)}"
            f" ({speed_up:.2f})."
        ),
        f"{100 * HIDDEN:.0f} % hidden at best: {judged(max(shares.values()) >= HIDDEN)}.",
    ]
    if "torch 1" in rates:
        ahead = median_ratio(rates[own], rates[f"torch {PROCESSES}"])
        targets.append(f"{AHEAD:g}× PyTorch's two: {judged(ahead >= AHEAD)} ({ahead:.2f}).")
    note = (
        "Samples a second of all processes together, one thread each: medians of the rounds. Apart:"
        " two trainings that know nothing of each other. Hidden: the share of the sums' time that a"
        " step does not take longer than one of theirs."
    )
    return page(first, second, note, " ".join(targets))
