"""The table of widths: 10-w-w-10 networks, whose threads must never cost more than they bring.

`python -m bench widths`. PyTorch falls off a cliff where it begins to share such products among
threads (its issue 144633), between the widths 45 and 46.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import alternate, required
from bench.ratios import best, median_ratio
from bench.steps import Setting
from bench.table import counted, factor, page, table, times
from bench.workloads import narrow

if TYPE_CHECKING:
    from bench.settings import Settings

WIDTHS = (16, 24, 32, 45, 46, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
QUICK = (16, 46, 256)
NOISE = 0.05
"""How much slower all threads may seem than one, by chance."""


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return everything."""
    found = {width: measure(width, settings) for width in (QUICK if settings.quick else WIDTHS)}
    print(settings.machine.title("Widths"))
    print(show(found, settings.threads))
    return {str(width): row for width, row in found.items()}


def measure(width: int, settings: Settings) -> dict[str, Any]:
    """Return microseconds a step of gyaku and PyTorch, on one thread and on all."""
    workload = narrow(width)
    peers = [(OWN, "")]
    if "torch" in settings.peers:
        peers.append(("torch", "fused"))
    counts = sorted({1, settings.threads})
    runs = {
        f"{peer} {threads}": Setting(peer, threads, option)
        for peer, option in peers
        for threads in counts
    }
    answers, failures = alternate(
        list(runs), settings.rounds, lambda name: runs[name].run(workload, settings)
    )
    required(failures, *(f"{OWN} {threads}" for threads in counts))
    settings.machine.measure_peak()
    us = {name: [answer["us"] for answer in each] for name, each in answers.items()}
    one, all_threads = us[f"{OWN} 1"], us[f"{OWN} {settings.threads}"]
    rival = best({name: each for name, each in us.items() if name.startswith("torch")})
    threads_cost = median_ratio(all_threads, one)
    ahead = median_ratio(us[rival], all_threads) if rival else None
    return {
        "us": us,
        "failures": failures,
        "all_to_one": threads_cost,
        "best_rival": rival,
        "ahead": ahead,
        "met": threads_cost <= 1 + NOISE and (ahead is None or ahead > 1),
    }


def show(found: dict[int, dict[str, Any]], threads: int) -> str:
    """Return the table, a line for each width."""
    counts = sorted({1, threads})
    columns = [f"{peer} {count}" for peer in (OWN, "torch") for count in counts]
    header = ["width"]
    header += [
        f"{PEERS[peer].title}, {counted(count, 'thread')}"
        for peer in (OWN, "torch")
        for count in counts
    ]
    header += [f"{threads} threads / 1", "× PyTorch's best", "target"]
    lines = [
        [
            str(width),
            *(times(row["us"].get(name, [])) for name in columns),
            f"{row['all_to_one']:.2f}",
            factor(row["ahead"]),
            "met" if row["met"] else "missed",
        ]
        for width, row in found.items()
    ]
    worst = max(row["all_to_one"] for row in found.values())
    middle = median(row["all_to_one"] for row in found.values())
    return page(
        table(header, lines),
        "Microseconds a step of 10-w-w-10 networks, batch 128, Adam: median of the rounds (best).",
        f"Target: all threads never slower than one by more than {NOISE:.0%} (worst {worst:.2f},"
        f" median {middle:.2f}), and ahead of PyTorch everywhere.",
    )
