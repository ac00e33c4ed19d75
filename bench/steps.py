"""The tables of training steps: microseconds per step of every framework, a table for each row."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.machine import PEAK
from bench.peers import OWN, PEERS, options
from bench.processes import TIMEOUT, WorkerError, alternate, call, required, say
from bench.ratios import best, limit_share, median_ratio, together
from bench.table import counted, factor, judged, number, page, percent, table, times

if TYPE_CHECKING:
    from bench.settings import Settings
    from bench.workloads import Workload


PATIENCE = 4
"""Largest length of a trial, in that of the shortest one with the same framework."""


class Setting:
    """Settings of a framework: number of threads and option."""

    def __init__(self, peer: str, threads: int, option: str) -> None:
        self.peer, self.threads, self.option = peer, threads, option

    def __str__(self) -> str:
        threads = counted(self.threads, "thread")
        return f"{self.option}, {threads}" if self.option else threads

    def run(
        self,
        workload: Workload,
        settings: Settings,
        *,
        trial: bool = False,
        limit: float = TIMEOUT,
    ) -> dict[str, Any]:
        """Measure in a process of its own; a trial is shorter and without loss."""
        arguments = [settings.source(workload), self.peer, "--option", self.option]
        if settings.data:
            arguments += ["--data", str(settings.data)]
        if settings.quick:
            arguments += ["--seconds", "0.1", "--calls", "1", "--samples", "6000"]
        elif trial:
            arguments += ["--seconds", "0.3", "--calls", "2", "--no-loss"]
        answer = call(
            "bench.worker",
            *arguments,
            threads=self.threads,
            confine=PEERS[self.peer].confine and self.threads < settings.threads,
            limit=limit,
        )
        say(f"{workload.name}: {PEERS[self.peer].title} ({self}) {number(answer['us'])} µs")
        return answer


def run(workloads: list[Workload], settings: Settings) -> dict[str, Any]:
    """Measure the rows, print the table of each at once and of all at last; return all results."""
    found: dict[str, dict[str, Any]] = {}
    for workload in workloads:
        with settings.machine.watch():
            row = measure(workload, settings)
            row["machine"] = settings.machine.facts()
            found[workload.name] = row
            settings.keep("rows", found)
            print(settings.machine.heading(f"{workload.name}: {workload.title or workload.shape}"))
            print(show_row(workload, row), flush=True)
    if len(found) > 1:
        listed = [name for name in settings.peers if any(options(name, w) for w in workloads)]
        rivals = [name for name in listed if name != OWN]
        print(settings.machine.title("Training steps", rivals))
        print(show(found, workloads, [*rivals, OWN]))
    return found


def choose(
    peer: str, workload: Workload, settings: Settings
) -> tuple[Setting, dict[str, float | str]]:
    """Return the fastest setting of a framework, and all trials.

    Every option is tried on all threads, the best of them on one thread as well; a trial that takes
    several times as long as another one is stopped. gyaku runs with its defaults.
    """
    listed = [Setting(peer, settings.threads, option) for option in options(peer, workload)]
    tried: dict[str, float | str] = {}
    if peer == OWN or settings.quick:
        return listed[0], tried
    found: list[tuple[float, Setting]] = []
    shortest = TIMEOUT / PATIENCE

    def attempt(setting: Setting) -> None:
        nonlocal shortest
        limit, start = PATIENCE * shortest, perf_counter()
        try:
            took = setting.run(workload, settings, trial=True, limit=limit)["us"]
        except WorkerError as error:
            tried[str(setting)] = str(error)
        else:
            shortest = min(shortest, perf_counter() - start)
            tried[str(setting)] = took
            found.append((took, setting))

    for setting in listed:
        attempt(setting)
    if not found:
        raise WorkerError("; ".join(f"{name}: {why}" for name, why in tried.items()))
    if settings.threads > 1:
        attempt(Setting(peer, 1, min(found, key=lambda pair: pair[0])[1].option))
    return min(found, key=lambda pair: pair[0])[1], tried


def measure(workload: Workload, settings: Settings) -> dict[str, Any]:
    """Return all results of one row."""
    chosen: dict[str, Setting] = {}
    tried, failures = {}, {}
    for peer in settings.peers:
        if not options(peer, workload):
            continue
        try:
            chosen[peer], tried[peer] = choose(peer, workload, settings)
        except WorkerError as error:
            failures[peer] = str(error)

    def once(name: str) -> dict[str, Any]:
        if name == PEAK:
            return settings.machine.measure_peak()
        return chosen[name].run(workload, settings)

    answers, stopped = alternate([PEAK, *chosen], settings.rounds, once)
    required(stopped, PEAK)
    peaks = answers.pop(PEAK)
    return {
        "workload": workload.facts(),
        "settings": {peer: str(setting) for peer, setting in chosen.items()},
        "tried": tried,
        "failures": failures | stopped,
        "rounds": answers,
        "summary": summary(
            workload,
            {peer: [answer["us"] for answer in found] for peer, found in answers.items()},
            [peak["flops"] for peak in peaks],
            {peer: [answer["memory"] for answer in found] for peer, found in answers.items()},
        ),
    }


def summary(
    workload: Workload,
    us: dict[str, list[float]],
    peaks: list[float],
    memory: dict[str, list[int]],
) -> dict[str, Any]:
    """Return ratios, fraction of the limit, and whether the target is met; None if unknown."""
    own = us.get(OWN)
    peers = {name: found for name, found in us.items() if name != OWN}
    first = best(peers)
    target = workload.target
    found: dict[str, Any] = {
        "us": us,
        "limit_us": 1e6 * workload.flops / median(peaks),
        "best_peer": first,
        "versus_best": median_ratio(peers[first], own) if own and first else None,
        "versus": {name: median_ratio(each, own) for name, each in peers.items()} if own else {},
        "limit_share": limit_share(workload.flops, peaks, own) if own else None,
        "met": None,
    }
    if target and own:
        # A peer without a measurement might have been ahead.
        ahead = [
            found["versus"][name] >= ratio if name in peers else None
            for name, ratio in target.least.items()
        ]
        lighter = [
            median(memory[OWN]) < median(memory[name]) if name in memory else None
            for name in target.lighter
        ]
        near = target.limit is None or found["limit_share"] >= target.limit
        found["met"] = together([*ahead, near, *lighter])
    return found


def verdict(workload: Workload, found: dict[str, Any]) -> str:
    """Return the target and whether it is met."""
    target = workload.target
    if target is None:
        return "–"
    by_ratio: dict[float, list[str]] = {}
    for name, ratio in target.least.items():
        by_ratio.setdefault(ratio, []).append(PEERS[name].title)
    parts = [f"{ratio:g}× {', '.join(names)}" for ratio, names in by_ratio.items()]
    if target.limit:
        parts.append(f"{target.limit:.0%} of limit")
    parts += [f"less memory than {PEERS[name].title}" for name in target.lighter]
    return f"{'; '.join(parts)}: {judged(found['met'])}"


def show_row(workload: Workload, row: dict[str, Any]) -> str:
    """Return the table of a row, a line for each framework, and what was trained."""
    found = row["summary"]
    header = ["framework", "µs a step", "gyaku is", "loss", "MB", "setting"]
    lines = []
    for name, us in found["us"].items():
        loss, memory = (
            median(answer[key] for answer in row["rounds"][name]) for key in ("loss", "memory")
        )
        ratio = factor(found["versus"].get(name)) if name != OWN else "–"
        cells = [PEERS[name].title, times(us), ratio, f"{loss:.4f}", number(memory / 1e6)]
        lines.append([*cells, row["settings"][name]])
    failed = [f"{PEERS[name].title} failed: {why}" for name, why in row["failures"].items()]
    how = workload.optimizer
    trained = (
        f"{workload.shape}; batch {workload.batch:,}, {workload.loss.replace('_', ' ')},"
        f" {type(how).__name__} {how.learning_rate:g}; loss of epoch {workload.epochs}."
    )
    share = (
        f", of which gyaku reaches {percent(found['limit_share'])}" if found["limit_share"] else ""
    )
    limit = (
        f"Limit: {number(found['limit_us'])} µs for {workload.flops / 1e6:.4g} MFLOP{share}."
        f" Target: {verdict(workload, found)}."
    )
    return page(table(header, lines), trained, limit, *failed)


def show(rows: dict[str, dict[str, Any]], workloads: list[Workload], peers: list[str]) -> str:
    """Return the table with a line for each row, and the lines below it."""
    ordered = [name for name in peers if name != OWN]
    header = ["row", "batch", *(PEERS[name].title for name in ordered), "gyaku", "limit"]
    header += ["% of limit", "× best peer", "× PyTorch", "target"]
    lines = []
    for workload in workloads:
        found = rows[workload.name]["summary"]
        lines.append(
            [
                workload.name,
                str(workload.batch),
                *(times(found["us"].get(name, [])) for name in ordered),
                times(found["us"].get(OWN, [])),
                number(found["limit_us"]),
                percent(found["limit_share"]),
                factor(found["versus_best"]),
                factor(found["versus"].get("torch")),
                verdict(workload, found),
            ]
        )
    return page(
        table(header, lines),
        "Microseconds a step, median of the rounds (best); limit: the step's matrix products"
        " and convolutions at the measured peak.",
    )
