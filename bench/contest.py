"""Tables of one task, which each framework does in its fastest way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import required
from bench.ratios import best, median_ratio, together
from bench.serving import interleave, server
from bench.table import factor, judged, page, table, times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.serving import Answers
    from bench.settings import Settings


@dataclass(frozen=True)
class Contest:
    """A task, its worker, the ways of each framework to try, and the ratios to reach.

    An answer of the worker has `us`, the microseconds of the task, and `proof`, a number that
    shows that all frameworks do the same. `shown` turns the microseconds of the rounds into the
    text of the column `unit`.
    """

    name: str
    title: str
    worker: str
    ways: Mapping[str, tuple[str, ...]]
    least: Mapping[str, float]
    unit: str
    proof: str
    note: str
    shown: Callable[[Sequence[float]], str] = times


def run(contest: Contest, settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    start = partial(server, contest.worker, threads=settings.threads)
    starts = {
        f"{peer} {way}".strip(): partial(start, peer, way)
        for peer, ways in contest.ways.items()
        if peer == OWN or peer in settings.peers
        for way in (ways[:1] if settings.quick else ways)
    }
    answers, failures = interleave(
        contest.name,
        starts,
        [contest.name],
        settings.rounds,
        lambda _, task: [task],
        before=settings.machine.measure_peak,
        keep=lambda answers, failures: settings.keep(contest.name, results(answers, failures)),
    )
    required(failures, OWN)
    found = results(answers, failures)
    rivals = [peer for peer in contest.ways if peer != OWN]
    print(settings.machine.title(contest.title, rivals))
    print(show(contest, found))
    return found


def results(answers: Answers[str], failures: dict[str, str]) -> dict[str, Any]:
    """Return the microseconds of each framework in its fastest way, that way, and its proof."""
    found: dict[str, Any] = {"us": {}, "ways": {}, "proofs": {}, "tried": {}, "failures": failures}
    rounds = {name: next(iter(each.values())) for name, each in answers.items()}
    us = {name: [answer["us"] for answer in each] for name, each in rounds.items()}
    for peer in dict.fromkeys(name.split()[0] for name in us):
        taken = {name: values for name, values in us.items() if name.split()[0] == peer}
        name = best(taken)
        assert name is not None
        found["us"][peer], found["tried"][peer] = taken[name], taken
        found["ways"][peer] = name.partition(" ")[2]
        found["proofs"][peer] = median(answer["proof"] for answer in rounds[name])
    return found


def met(contest: Contest, us: Mapping[str, list[float]]) -> bool | None:
    """Return whether the ratios are reached; None if a peer was not measured."""
    return together(
        median_ratio(us[name], us[OWN]) >= ratio if name in us else None
        for name, ratio in contest.least.items()
    )


def show(contest: Contest, found: Mapping[str, Any]) -> str:
    """Return the table, a line for each framework, and the target."""
    us = found["us"]
    lines = [
        [
            PEERS[peer].title,
            contest.shown(values),
            factor(median_ratio(values, us[OWN])) if peer != OWN else "–",
            f"{found['proofs'][peer]:.4f}",
            found["ways"][peer],
        ]
        for peer, values in us.items()
    ]
    wanted = ", ".join(f"{ratio:g}× {PEERS[name].title}" for name, ratio in contest.least.items())
    header = ["framework", contest.unit, "gyaku is", contest.proof, "fastest way"]
    failed = [f"{name} failed: {why}" for name, why in found["failures"].items()]
    target = f"Target: {wanted}: {judged(met(contest, us))}."
    return page(table(header, lines), contest.note, target, *failed)
