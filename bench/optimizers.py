"""The table of optimizers: updates of 10 million parameters, by gyaku and by PyTorch.

`python -m bench optimizers`.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.optimizers_worker import FORMS, MEMORY, STATES
from bench.peers import OWN
from bench.processes import required
from bench.ratios import by_task, median_ratio
from bench.serving import interleave, server
from bench.table import factor, judged, number, page, percent, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.settings import Settings

    Speeds = Mapping[str, Mapping[str, Sequence[float]]]

NOISE = 0.05
"""Largest random loss against PyTorch's better form."""


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    peers = [OWN, *(["torch"] if "torch" in settings.peers else [])]
    names = ["Adam"] if settings.quick else [*STATES]
    answers, failures = interleave(
        "optimizers",
        {
            peer: partial(server, "bench.optimizers_worker", peer, threads=settings.threads)
            for peer in peers
        },
        names,
        settings.rounds,
        lambda _, name: [name],
        before=settings.machine.measure_peak,
        keep=lambda answers, failures: settings.keep(
            "optimizers", {"speeds": by_task(names, answers), "failures": failures}
        ),
    )
    required(failures, OWN)
    speeds = by_task(names, answers)
    print(settings.machine.title("Optimizers", ["torch"]))
    print(show(speeds))
    return {"speeds": speeds, "failures": failures}


def show(speeds: Speeds) -> str:
    """Return the table, a line for each optimizer."""
    header = ["update", *(f"PyTorch {form}" for form in FORMS), "gyaku", "memory", "of memory"]
    lines = []
    for name, found in speeds.items():
        forms = [f"torch {form}" for form in FORMS]
        here = [form for form in forms if form in found]
        rival = max(here, key=lambda form: median(found[form]), default=None)
        ratio = median_ratio(found[OWN], found[rival]) if rival else None
        lines.append(
            [
                name,
                *(number(median(found[form])) if form in found else "–" for form in forms),
                *(number(median(found[who])) for who in (OWN, MEMORY)),
                percent(median_ratio(found[OWN], found[MEMORY])),
                factor(ratio),
                judged(None if ratio is None else ratio >= 1 - NOISE),
            ]
        )
    return page(
        table([*header, "× PyTorch's better", "target"], lines),
        "GB/s of parameters, gradients and states read and written, 10 million float32 parameters:"
        " median of the rounds. Memory: that of a = b + s c.",
        f"Target: PyTorch's better form, but for {NOISE:.0%} of noise.",
    )
