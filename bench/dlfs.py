"""The table of the textbook's networks: `gyaku.dlfs` against the same in plain NumPy.

`python -m bench dlfs`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bench.dlfs_worker import CASES, COMPARED
from bench.peers import OWN
from bench.processes import required
from bench.ratios import median_ratio
from bench.serving import interleave, server
from bench.table import factor, judged, page, table, times

if TYPE_CHECKING:
    from bench.serving import Answers
    from bench.settings import Settings

TWIN = "numpy"
GOALS = {"TwoLayerNet": 3, "SimpleConvNet": 20}
"""How many times as fast as NumPy a network must be."""
TOLERANCE = 1e-5
"""Largest difference of the losses."""


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    data = str(settings.data)
    names = [*CASES][:: 3 if settings.quick else 1]
    answers, failures = interleave(
        "dlfs",
        {
            peer: partial(server, "bench.dlfs_worker", peer, data, threads=settings.threads)
            for peer in (OWN, TWIN)
        },
        names,
        settings.rounds,
        lambda _, name: [name],
        before=settings.machine.measure_peak,
        keep=lambda answers, failures: settings.keep("dlfs", results(answers, failures)),
    )
    required(failures, OWN, TWIN)
    found = results(answers, failures)
    print(settings.machine.title("The textbook's networks", [TWIN]))
    print(show(found["cases"]))
    return found


def results(answers: Answers[str], failures: dict[str, str]) -> dict[str, Any]:
    """Return the microseconds of each case, and the largest difference of losses."""
    cases = {}
    for name in CASES:
        both = {who: each[name] for who, each in answers.items() if each.get(name)}
        if len(both) == 2:
            us = {who: [answer["us"] for answer in rounds] for who, rounds in both.items()}
            cases[name] = {"us": us, "difference": difference(both)}
    return {"cases": cases, "failures": failures}


def difference(both: dict[str, list[dict[str, Any]]]) -> float:
    """Return the largest difference of the losses of the same steps."""
    rounds = zip(both[OWN], both[TWIN], strict=False)
    return max(
        abs(float(one) - float(other))
        for own, twin in rounds
        for one, other in zip(own["losses"], twin["losses"], strict=True)
    )


def show(cases: dict[str, dict[str, Any]]) -> str:
    """Return the table, a line for each case."""
    header = ["network", "dtype", "loop", "NumPy", "gyaku", "× NumPy", "losses differ by", "target"]
    lines = []
    for name, row in cases.items():
        case, us = CASES[name], row["us"]
        ratio = median_ratio(us[TWIN], us[OWN])
        met = ratio >= GOALS[case.network] and row["difference"] <= TOLERANCE
        lines.append(
            [
                *(case.network, case.dtype, case.loop, times(us[TWIN]), times(us[OWN])),
                *(factor(ratio), f"{row['difference']:.0e}", judged(met)),
            ]
        )
    goals = ", ".join(f"{name} {ratio}×" for name, ratio in GOALS.items())
    return page(
        table(header, lines, left=3),
        "Microseconds a step, batch 100, with the loss behind it: median of the rounds (best).",
        f"Target: {goals} NumPy, and losses of {COMPARED} steps equal to {TOLERANCE:g}.",
    )
