"""The table of widths: 10-w-w-10 networks, which more threads must never slow down.

`python -m bench widths`. PyTorch slows down by a large factor between the widths 45 and 46, where
it begins to split such products among threads (its issue 144633).
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import required
from bench.ratios import best, median_ratio, together
from bench.rows import narrow
from bench.serving import interleave, server
from bench.table import counted, factor, judged, page, table, thread_counts, times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.serving import Answers
    from bench.settings import Settings

WIDTHS = (16, 24, 32, 45, 46, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
QUICK = (16, 46, 256)
NOISE = 0.05
"""Largest random slowdown of all threads over one."""
TIMING = ("--seconds", "0.1", "--calls", "3", "--no-loss")


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    runs = {f"{OWN} {count}": (OWN, count) for count in sorted({1, settings.threads})}
    if "torch" in settings.peers:
        runs |= {f"torch {count}": ("torch", count) for count in thread_counts(settings.threads)}
    widths = QUICK if settings.quick else WIDTHS
    answers, failures = interleave(
        "widths",
        {
            name: partial(server, "bench.worker", "--serve", threads=count)
            for name, (_, count) in runs.items()
        },
        widths,
        settings.rounds,
        lambda name, width: [narrow(width).name, runs[name][0], *TIMING],
        before=settings.machine.measure_peak,
        keep=lambda answers, failures: settings.keep(
            "widths",
            {"widths": {str(width): {"us": us(answers, width)} for width in widths}}
            | {"failures": failures},
        ),
    )
    required(failures, *(name for name, (peer, _) in runs.items() if peer == OWN))
    found = {width: compare(us(answers, width), settings.threads) for width in widths}
    print(settings.machine.title("Widths", ["torch"]))
    print(show(found, settings.threads, list(answers)))
    for name, why in failures.items():
        print(f"\n{title(name)} failed: {why}")
    return {"widths": {str(width): row for width, row in found.items()}, "failures": failures}


def us(answers: Answers[int], width: int) -> dict[str, list[float]]:
    """Return the microseconds of a width by framework and threads, one for each round."""
    return {name: [answer["us"] for answer in each[width]] for name, each in answers.items()}


def compare(us: Mapping[str, list[float]], threads: int) -> dict[str, Any]:
    """Return ratios of a width's microseconds, and whether the target is met."""
    one, all_threads = us[f"{OWN} 1"], us[f"{OWN} {threads}"]
    rival = best({name: each for name, each in us.items() if name.startswith("torch")})
    threads_cost = median_ratio(all_threads, one)
    ahead = median_ratio(us[rival], all_threads) if rival else None
    return {
        "us": us,
        "all_to_one": threads_cost,
        "best_rival": rival,
        "ahead": ahead,
        "met": together(
            [
                threads_cost <= 1 + NOISE if threads > 1 else None,
                None if ahead is None else ahead > 1,
            ]
        ),
    }


def title(name: str) -> str:
    """Return the name of a framework and its number of threads."""
    peer, count = name.split()
    return f"{PEERS[peer].title}, {counted(int(count), 'thread')}"


def show(found: dict[int, dict[str, Any]], threads: int, names: list[str]) -> str:
    """Return the table, a line for each width."""
    header = ["width", *map(title, names), f"gyaku, {threads} / 1", "× PyTorch's best", "target"]
    lines = [
        [
            str(width),
            *(times(row["us"].get(name, [])) for name in names),
            f"{row['all_to_one']:.2f}",
            factor(row["ahead"]),
            judged(row["met"]),
        ]
        for width, row in found.items()
    ]
    worst = max(row["all_to_one"] for row in found.values())
    middle = median(row["all_to_one"] for row in found.values())
    return page(
        table(header, lines),
        "Microseconds a step of 10-w-w-10 networks, batch 128, Adam: median of the rounds (best).",
        "× PyTorch's best: gyaku on all threads, PyTorch on those where it is fastest.",
        f"Target: all threads never slower than one by more than {NOISE:.0%} (worst {worst:.2f},"
        f" median {middle:.2f}), and ahead of PyTorch everywhere.",
    )
