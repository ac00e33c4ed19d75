"""The table of thread scaling: speed-up of training and matrix products by more threads.

`python -m bench scaling`, with a picture: the rows and some products, by gyaku and PyTorch, on
1, 2, 4, ... threads up to all available ones.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.pictures import MARKERS, PALETTE, doubling, panes, save
from bench.processes import required
from bench.ratios import median_ratio
from bench.rows import ROWS
from bench.serving import interleave, server
from bench.shapes import Product
from bench.table import counted, factor, number, page, table, thread_counts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.serving import Answers
    from bench.settings import Settings

    # Steps or products per second of each round, by peer and number of threads.
    Rates = dict[str, dict[int, list[float]]]

PRODUCTS = (
    Product(64, 64, 64),
    Product(256, 256, 256),
    Product(1024, 1024, 1024),
    Product(2048, 2048, 2048),
    Product(128, 784, 512),
    Product(784, 128, 512, "tn"),
    Product(32, 4096, 4096),
)
TIMING = ("--seconds", "0.2", "--calls", "3", "--samples", "12000", "--no-loss")
QUICK_TIMING = ("--seconds", "0.05", "--calls", "1", "--samples", "3000", "--no-loss")


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, draw the picture, return all results."""
    peers = [name for name in ("torch", OWN) if name == OWN or name in settings.peers]
    counts = thread_counts(settings.threads)
    runs = {f"{peer} {count}": (peer, count) for count in counts for peer in peers}
    settings.machine.measure_peak()
    found, failures = measure(runs, settings)
    settings.machine.measure_peak()
    required(failures, *(name for name, (peer, _) in runs.items() if peer == OWN))
    print(settings.machine.title("Thread scaling", ["torch"]))
    print(show(found, counts))
    for name, why in failures.items():
        peer, count = runs[name]
        print(f"\n{PEERS[peer].title} on {counted(count, 'thread')} failed: {why}")
    path = settings.picture("scaling")
    draw(found, counts, settings.machine.name, path, settings.machine.disquiet)
    print(f"\nPicture: {path}")
    return {"rates": found, "failures": failures, "picture": str(path)}


def measure(
    runs: Mapping[str, tuple[str, int]], settings: Settings
) -> tuple[dict[str, Rates], dict[str, str]]:
    """Return the rates of rows and products, and the errors of failed runs."""
    timing = list(QUICK_TIMING if settings.quick else TIMING)
    if settings.data:
        timing += ["--data", str(settings.data)]
    found: dict[str, Rates] = {}
    failures: dict[str, str] = {}

    def keep(answers: Answers[Any], failed: Mapping[str, str]) -> None:
        """Enter the rates of rows and products, and keep all so far."""
        for name, by_task in answers.items():
            peer, count = runs[name]
            for task, each in by_task.items():
                if isinstance(task, Product):
                    rates = [1e9 * answer[peer] / task.flops for answer in each]
                else:
                    rates = [1e6 / answer["us"] for answer in each]
                what = task.name if isinstance(task, Product) else task
                found.setdefault(what, {}).setdefault(peer, {})[count] = rates
        failures.update(failed)
        settings.keep("scaling", {"rates": found, "failures": failures})

    interleave(
        "scaling, training",
        {
            name: partial(server, "bench.worker", "--serve", threads=count)
            for name, (_, count) in runs.items()
        },
        list(ROWS),
        settings.rounds,
        lambda name, row: [row, runs[name][0], *timing],
        keep=keep,
    )
    interleave(
        "scaling, products",
        {
            name: partial(server, "bench.products_worker", peer, threads=count)
            for name, (peer, count) in runs.items()
        },
        [product for product in PRODUCTS if not settings.quick or product.flops < 1e9],
        settings.rounds,
        lambda _, product: [product.name],
        keep=keep,
    )
    return found, failures


def speed_up(rates: Mapping[int, list[float]], count: int) -> float | None:
    """Return the speed-up of a number of threads over one, or None if unknown."""
    if 1 not in rates or count not in rates:
        return None
    return median_ratio(rates[count], rates[1])


def show(found: Mapping[str, Rates], counts: list[int]) -> str:
    """Return the table: a line for each row or product and each framework."""
    counts = sorted(
        {count for rates in found.values() for each in rates.values() for count in each}
    )
    header = ["row or product", "framework", *(counted(count, "thread") for count in counts)]
    lines = []
    for name, rates in found.items():
        for peer, each in rates.items():
            cells = []
            for count in counts:
                if count not in each:
                    cells.append("–")
                    continue
                shown = number(median(each[count]))
                cells.append(shown if count == 1 else f"{shown} ({factor(speed_up(each, count))})")
            lines.append([name, PEERS[peer].title, *cells])
    return page(
        table(header, lines, left=2),
        "Steps, or products, a second: median of the rounds (speed-up over one thread).",
    )


def draw(
    found: Mapping[str, Rates], counts: list[int], machine: str, path: Path, disquiet: str = ""
) -> None:
    """Draw the speed-up over the threads, with the ideal as a line.

    A column of panels for each framework; rows above, products below.
    """
    kinds = [[name for name in found if name in ROWS], [name for name in found if name not in ROWS]]
    kinds = [names for names in kinds if names]
    peers = [name for name in (OWN, "torch") if any(name in rates for rates in found.values())]
    size = (4.5 * len(peers) + 2.5, 4.5 * len(kinds) + 0.5)
    figure, panels = panes(len(kinds), len(peers), size=size, title=f"Thread scaling: {machine}")
    for line, names in zip(panels, kinds, strict=True):
        for panel, peer in zip(line, peers, strict=True):
            panel.plot(counts, counts, "k--", linewidth=1, label="ideal")
            for index, name in enumerate(names):
                ups = {count: speed_up(found[name].get(peer, {}), count) for count in counts}
                known = {count: up for count, up in ups.items() if up is not None}
                style = {"color": PALETTE[index % len(PALETTE)], "label": name}
                marker = MARKERS[index % len(MARKERS)]
                panel.plot([*known], [*known.values()], marker=marker, markersize=4, **style)
            doubling(panel.xaxis, counts)
            doubling(panel.yaxis, counts)
        line[0].set_ylabel("speed-up over one thread")
        line[-1].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.02, 1))
    for panel, peer in zip(panels[0], peers, strict=True):
        panel.set_title(PEERS[peer].title, fontsize="medium")
    figure.supxlabel("threads")
    save(figure, path, disquiet)
