"""The tables of layers for images: each pass of gyaku beside PyTorch in both of its layouts."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.goals import CALLED, IN_LAYOUT, PEAK_NEARBY, REPLAYED, better_layout, pass_goal
from bench.peers import LAYOUTS, OWN
from bench.processes import required
from bench.ratios import by_task, median_ratio
from bench.serving import interleave, server
from bench.shapes import passes
from bench.table import factor, judged, number, page, percent, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.settings import Settings
    from bench.shapes import Convolution, Pass, Pooling

    Speeds = Mapping[Pass, Mapping[str, Sequence[float]]]

GOALS_HOLD = "avx512"
"""The instruction set of the goals."""


def run(
    name: str,
    title: str,
    layers: tuple[Convolution | Pooling, ...],
    notes: Sequence[str],
    settings: Settings,
) -> dict[str, Any]:
    """Measure the passes of some layers, print their table, return all results."""
    start = partial(server, "bench.images_worker", threads=settings.threads)
    starts = {OWN: partial(start, OWN)}
    if "torch" in settings.peers:
        starts |= {f"torch {layout}": partial(start, "torch", layout) for layout in LAYOUTS}
    listed = passes(layers, quick=settings.quick)
    answers, failures = interleave(
        title,
        starts,
        listed,
        settings.rounds,
        lambda _, one: [str(one.layer), one.which],
        before=settings.machine.measure_peak,
        keep=lambda answers, failures: settings.keep(
            name, results(by_task(listed, answers), failures)
        ),
    )
    required(failures, OWN)
    speeds = by_task(listed, answers)
    print(settings.machine.title(title, ["torch"]))
    print(show(speeds, notes, judge=settings.machine.isa == GOALS_HOLD))
    for layout, why in failures.items():
        print(f"\n{IN_LAYOUT[layout]} failed: {why}")
    return results(speeds, failures)


def results(speeds: Speeds, failures: dict[str, str]) -> dict[str, Any]:
    """Return what is written to the file of results."""
    named = {f"{one.layer} {one.which}": found for one, found in speeds.items()}
    return {"speeds": named, "failures": failures}


def show(speeds: Speeds, notes: Sequence[str], *, judge: bool) -> str:
    """Return the table, a line for each pass, and the missed goals."""
    first = next(iter(speeds.values()))
    rivals = [name for name in IN_LAYOUT if name in first]
    share = PEAK_NEARBY in first
    header = ["images", "pass", *(IN_LAYOUT[name] for name in rivals)]
    for who in ("gyaku", "replayed"):
        header += [who, "% of peak"] if share else [who]
    header += ["× PyTorch's better", "target"]
    lines, missed, known = [], [], 0
    for one, found in speeds.items():
        row = [str(one.layer), one.which, *(number(median(found[name])) for name in rivals)]
        for who in (CALLED, REPLAYED):
            row.append(number(median(found[who])))
            if share:
                row.append(percent(median_ratio(found[who], found[PEAK_NEARBY])))
        rival = better_layout(found)
        row.append(factor(median_ratio(found[CALLED], found[rival]) if rival else None))
        met = pass_goal(one).met(found) if judge else None
        row.append(judged(met) if judge else "–")
        known += met is not None
        if met is False:
            missed.append(f"{one.layer} {one.which}")
        lines.append(row)
    text = list(notes)
    if known:
        misses = f"; missed: {'; '.join(missed)}" if missed else ""
        text.append(f"Reached by {known - len(missed)} of {known}{misses}.")
    return page(table(header, lines, left=2), *text)
