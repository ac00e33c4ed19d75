"""The table of training steps: microseconds per step of every framework."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.machine import PEAK
from bench.peers import OWN, PEERS, options
from bench.processes import WorkerError, alternate, call, required, say
from bench.ratios import best, limit_share, median_ratio, together
from bench.table import counted, factor, judged, number, page, percent, table, times

if TYPE_CHECKING:
    from bench.settings import Settings
    from bench.workloads import Workload


class Setting:
    """Settings of a framework: number of threads and option."""

    def __init__(self, peer: str, threads: int, option: str) -> None:
        self.peer, self.threads, self.option = peer, threads, option

    def __str__(self) -> str:
        threads = counted(self.threads, "thread")
        return f"{self.option}, {threads}" if self.option else threads

    def run(self, workload: Workload, settings: Settings, *, trial: bool = False) -> dict[str, Any]:
        """Measure in a process of its own; a trial is shorter and without loss."""
        arguments = [workload.name, self.peer, "--option", self.option]
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
        )
        say(f"{workload.name}: {PEERS[self.peer].title} ({self}) {number(answer['us'])} µs")
        return answer


def run(workloads: list[Workload], settings: Settings) -> dict[str, Any]:
    """Measure the rows, print their table, return all results."""
    found = {workload.name: measure(workload, settings) for workload in workloads}
    rivals = [name for name in settings.peers if name != OWN]
    print(settings.machine.title("Training steps", rivals))
    print(show(found, workloads, [*rivals, OWN]))
    return found


def choose(
    peer: str, workload: Workload, settings: Settings
) -> tuple[Setting, dict[str, float | str]]:
    """Return the fastest setting of a framework, and all trials.

    Every option is tried on all threads, the best of them on one thread as well; gyaku runs with
    its defaults.
    """
    listed = [Setting(peer, settings.threads, option) for option in options(peer, workload)]
    tried: dict[str, float | str] = {}
    if peer == OWN or settings.quick:
        return listed[0], tried
    found: list[tuple[float, Setting]] = []

    def attempt(setting: Setting) -> None:
        try:
            took = setting.run(workload, settings, trial=True)["us"]
        except WorkerError as error:
            tried[str(setting)] = str(error)
        else:
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
        "workload": asdict(workload) | {"flops": workload.flops, "shape": workload.shape},
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
        "target_ratio": None,
        "met": None,
    }
    if target and own:
        rival = best({name: peers[name] for name in target.versus if name in peers})
        if rival:
            found["target_ratio"] = median_ratio(peers[rival], own)
            found["met"] = together(
                [
                    found["target_ratio"] >= target.ratio,
                    target.limit is None or found["limit_share"] >= target.limit,
                    # A peer without a measurement might have been faster.
                    True if all(name in peers for name in target.versus) else None,
                    *(
                        median(memory[OWN]) < median(memory[name]) if name in memory else None
                        for name in target.lighter
                    ),
                ]
            )
    return found


def verdict(workload: Workload, found: dict[str, Any]) -> str:
    """Return the target and whether it is met."""
    target = workload.target
    if target is None:
        return "–"
    names = [PEERS[name].title for name in target.versus]
    rivals = names[0] if len(names) == 1 else f"best of {', '.join(names)}"
    parts = [f"{target.ratio:g}× {rivals}"]
    if target.limit:
        parts.append(f"{target.limit:.0%} of limit")
    parts += [f"less memory than {PEERS[name].title}" for name in target.lighter]
    return f"{', '.join(parts)}: {judged(found['met'])}"


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
    blocks = [
        page(
            table(header, lines),
            "Microseconds a step, median of the rounds (best); limit: the step's matrix products"
            " and convolutions at the measured peak.",
        )
    ]
    for workload in workloads:
        blocks.append(f"`{workload.name}`: {workload.shape}, {learning(workload)}")
        blocks.append("\n".join(details(rows[workload.name], [*ordered, OWN])))
    return "\n\n".join(blocks)


def learning(workload: Workload) -> str:
    """Return loss and optimizer in words."""
    how = workload.optimizer
    return (
        f"{workload.loss.replace('_', ' ')}, {type(how).__name__} {how.learning_rate:g},"
        f" {workload.flops / 1e6:.4g} MFLOP; loss of epoch {workload.epochs}:"
    )


def details(row: dict[str, Any], peers: list[str]) -> list[str]:
    """Return a line for each framework: its settings, loss and memory."""
    lines = []
    for name in peers:
        if name in row["failures"]:
            lines.append(f"- {PEERS[name].title}: failed, {row['failures'][name]}")
        elif name in row["settings"]:
            loss, memory = (
                median(answer[key] for answer in row["rounds"][name]) for key in ("loss", "memory")
            )
            lines.append(
                f"- {PEERS[name].title}: {row['settings'][name]}; loss {loss:.4f},"
                f" {number(memory / 1e6)} MB"
            )
        else:
            lines.append(f"- {PEERS[name].title}: cannot express it")
    return lines
