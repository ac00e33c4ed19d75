"""The tables of matrix products: GFLOP/s of gyaku, NumPy and PyTorch, with a picture.

`python -m bench products`. Squares are multiplied in all four transpositions, the products of
dense layers in their own. All are called from Python; a second column of gyaku shows the same
product replayed, as in training.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.goals import CALLED, GOALS, PEAK_NEARBY, REPLAYED
from bench.peers import OWN, PEERS
from bench.pictures import PALETTE, doubling, panes, save
from bench.processes import required
from bench.ratios import by_task, median_ratio
from bench.serving import interleave, server
from bench.shapes import TRANSPOSITIONS, products
from bench.table import factor, judged, number, page, percent, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.goals import Goal
    from bench.settings import Settings
    from bench.shapes import Product

    # GFLOP/s of each round, by product and by name; the peak is one of the names.
    Speeds = dict[Product, dict[str, list[float]]]

RIVALS = ("numpy", "torch")
PEERS_LINES = {name: PEERS[name].title for name in RIVALS}


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the tables, draw the picture, return all results."""
    names = [*(name for name in RIVALS if name in settings.peers), OWN]
    listed = products(quick=settings.quick)
    answers, failures = interleave(
        "products",
        {
            name: partial(server, "bench.products_worker", name, threads=settings.threads)
            for name in names
        },
        listed,
        settings.rounds,
        lambda _, product: [product.name],
        before=settings.machine.measure_peak,
        keep=lambda answers, failures: settings.keep(
            "products", results(by_task(listed, answers), failures)
        ),
    )
    required(failures, OWN)
    speeds = by_task(listed, answers)
    isa = settings.machine.isa
    print(settings.machine.title("Matrix products", RIVALS))
    print(show(speeds, GOALS.get(isa)))
    for name, why in failures.items():
        print(f"\n{PEERS[name].title} failed: {why}")
    path = settings.picture("products")
    draw(speeds, f"{settings.machine.name}, {isa}", path, settings.machine.disquiet)
    print(f"\nPicture: {path}")
    return results(speeds, failures) | {"picture": str(path)}


def results(speeds: Speeds, failures: dict[str, str]) -> dict[str, Any]:
    """Return what is written to the file of results."""
    return {"gflops": {product.name: found for product, found in speeds.items()}} | {
        "failures": failures
    }


def show(speeds: Speeds, goal: Goal | None) -> str:
    """Return a table of the squares, one of the other products, and the missed goals."""
    squares = {product: found for product, found in speeds.items() if product.square}
    layers = {product: found for product, found in speeds.items() if not product.square}
    verdicts = {p: goal.met(p, found) for p, found in speeds.items()} if goal else {}
    known = [product for product, met in verdicts.items() if met is not None]
    missed = [product for product in known if not verdicts[product]]
    notes = [
        "GFLOP/s, median of the rounds. Stored: n as it is, t transposed, for each factor.",
        (
            "All are called from Python; replayed: the same as a part of a captured program. Per"
            " cent are of the peak measured between these two; ratios are those of the call."
        ),
    ]
    if goal:
        how = " Ratios are judged by the call, the share by the replay." if goal.share else ""
        notes.append(f"Target: {goal}.{how}")
    if known:
        reached = len(known) - len(missed)
        misses = f"; missed: {gathered(missed)}" if missed else ""
        notes.append(f"Reached by {reached} of {len(known)}{misses}.")
    return "\n\n".join(
        [
            lines(squares, verdicts),
            "Products of dense layers:",
            page(lines(layers, verdicts), *notes),
        ]
    )


def gathered(listed: Sequence[Product]) -> str:
    """Return the names of products, grouped by size."""
    by_size: dict[str, list[str]] = {}
    for product in listed:
        by_size.setdefault(product.size, []).append(product.transposed)
    return ", ".join(f"{size} {' '.join(found)}" for size, found in by_size.items())


def lines(speeds: Speeds, verdicts: Mapping[Product, bool | None]) -> str:
    """Return a table, a line for each product."""
    rivals = [name for name in RIVALS if name in next(iter(speeds.values()))]
    header = ["m × k × n", "stored", *(PEERS[name].title for name in rivals)]
    header += ["gyaku", "% of peak", "replayed", "% of peak"]
    header += [*(f"× {PEERS[name].title}" for name in rivals), "target"]
    rows = []
    for product, found in speeds.items():
        peaks = found[PEAK_NEARBY]
        row = [product.size, product.transposed]
        row += [number(median(found[name])) for name in rivals]
        for who in (CALLED, REPLAYED):
            row += [number(median(found[who])), percent(median_ratio(found[who], peaks))]
        row += [factor(median_ratio(found[CALLED], found[name])) for name in rivals]
        row.append(judged(verdicts[product]) if product in verdicts else "–")
        rows.append(row)
    return table(header, rows)


def draw(speeds: Speeds, machine: str, path: Path, disquiet: str = "") -> None:
    """Draw GFLOP/s over size, a panel for each transposition, the peak as a line."""
    figure, panels = panes(2, 2, size=(11, 8), title=f"Square matrix products, float32: {machine}")
    present = next(iter(speeds.values()))
    lines = {**PEERS_LINES, CALLED: "gyaku, called from Python", REPLAYED: REPLAYED}
    styles = dict(zip(lines, PALETTE, strict=False))
    for panel, transposed in zip(panels.flat, TRANSPOSITIONS, strict=True):
        squares = [p for p in speeds if p.square and p.transposed == transposed]
        sizes = [product.n for product in squares]

        def medians(name: str, squares: Sequence[Product] = squares) -> list[float]:
            return [median(speeds[product][name]) for product in squares]

        for name, label in lines.items():
            if name in present:
                panel.plot(sizes, medians(name), label=label, color=styles[name], marker=".")
        panel.plot(sizes, medians(PEAK_NEARBY), "k--", linewidth=1, label="measured peak")
        doubling(panel.xaxis, sizes)
        a, b = ("ᵀ" * (letter == "t") for letter in transposed)
        panel.set_title(f"A{a} B{b} ({transposed})", fontsize="medium")
        panel.set_ylim(bottom=0)
    for panel in panels[1]:
        panel.set_xlabel("size")
    for panel in panels[:, 0]:
        panel.set_ylabel("GFLOP/s")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    save(figure, path, disquiet)
