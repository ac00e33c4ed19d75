"""The table of teams: the number of threads that gyaku chooses, against each fixed number.

`python -m bench team`. Each experiment makes a machine that is not one's own: a neighbour on one
core or on every core, a slow CPU, fewer CPUs, siblings of one core, a quota, bound threads, a
second training at the same time.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.peers import OWN
from bench.ratios import best, median_ratio
from bench.rows import ROWS, narrow
from bench.serving import Asked, interleave, server
from bench.table import counted, judged, page, table, thread_counts, times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from bench.settings import Settings

CHOSEN = "chosen"
NOISE = 0.05
"""Largest slowdown over the best fixed number."""
WIDTHS = (16, 32, 64, 128, 256, 1024)
TASKS = (*(narrow(width).name for width in WIDTHS), "mlp_seed", "mlp_big", "lenet")
QUICK = ("width_32", "width_256")
TIMING = ("--seconds", "0.2", "--calls", "4", "--no-loss", "--samples", "12000")
SPIN = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
HALF = """import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
while True:
    end = time.perf_counter() + 1e-3
    while time.perf_counter() < end: pass
    time.sleep(1e-3)"""
"""Half of a CPU, in turns of a millisecond."""
TOPOLOGY = Path("/sys/devices/system/cpu")
QUOTA = Path("/sys/fs/cgroup/cpu/gyaku-bench"), Path("/sys/fs/cgroup/gyaku-bench")
"""Control groups for a quota, v1 and v2."""


class Impossible(Exception):
    """Reason why this machine does not allow an experiment."""


def cpus() -> list[int]:
    """Return the CPUs of this process."""
    return sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def spinning(which: Sequence[int], script: str = SPIN) -> Iterator[None]:
    """Keep CPUs busy by a process on each."""
    with contextlib.ExitStack() as stack:
        for cpu in which:
            process = subprocess.Popen([sys.executable, "-c", script, str(cpu)])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def siblings() -> list[int]:
    """Return two CPUs that are hyper-threads of one core."""
    cores: dict[str, int] = {}
    for cpu in cpus():
        with contextlib.suppress(OSError):
            listed = (TOPOLOGY / f"cpu{cpu}/topology/thread_siblings_list").read_text()
            if listed in cores:
                return [cores[listed], cpu]
            cores[listed] = cpu
    raise Impossible("no two of its CPUs are hyper-threads of one core")


@contextlib.contextmanager
def confined(which: Callable[[], Sequence[int]]) -> Iterator[None]:
    """Confine the processes that are started to some CPUs, as by ``taskset``."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, which())
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Give the processes that are started a quota of one CPU's time."""
    group = next((path for path in QUOTA if path.parent.is_dir()), QUOTA[0])
    try:
        group.mkdir(exist_ok=True)
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text("100000 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text("100000")
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        raise Impossible(f"no control group can be made: {error}") from None
    try:
        yield
    finally:
        (group.parent / "cgroup.procs").write_text(str(os.getpid()))
        with contextlib.suppress(OSError):
            group.rmdir()


class Experiment(NamedTuple):
    """Conditions of a measurement, variables of its processes; `pair` is for two at once."""

    title: str
    conditions: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
    variables: tuple[str, ...] = ()
    pair: bool = False


EXPERIMENTS = {
    "alone": Experiment("nothing else"),
    "one": Experiment("a spinning process on one CPU", lambda: spinning(cpus()[-1:])),
    "every": Experiment("a spinning process on every CPU", lambda: spinning(cpus())),
    "slow": Experiment(
        "cores of two kinds: half of one CPU is taken", lambda: spinning(cpus()[-1:], HALF)
    ),
    "confined": Experiment(
        "one CPU for all threads, by affinity", lambda: confined(lambda: cpus()[-1:])
    ),
    "siblings": Experiment(
        "hyper-threads of one core",
        lambda: confined(siblings),
        ("GYAKU_NUM_THREADS=2",),  # the default is one thread a core
    ),
    "quota": Experiment("a quota of one CPU's time", limited),
    "bound": Experiment("bound threads", variables=("OMP_PROC_BIND=true",)),
    "pair": Experiment("two trainings at once", pair=True),
}


class Pair:
    """Two servers that work at the same time; their answer is the mean."""

    def __init__(self, one: Asked, other: Asked) -> None:
        self.servers = one, other

    def ask(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the mean answer to a request."""
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda each: each.ask(arguments), self.servers))
        return {"mean_us": sum(answer["mean_us"] for answer in both) / 2}


class Steps:
    """Server whose answers include the mean time of a step: disturbances count."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    def ask(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the answer to a request."""
        answer = self.asked.ask(arguments)
        return {"mean_us": 1e6 * sum(answer["seconds"]) / answer["steps"]}


@contextlib.contextmanager
def started(name: str, experiment: Experiment, *, limit: int) -> Iterator[Asked]:
    """Start one process, or two, on a fixed number of threads or on a chosen one."""
    with contextlib.ExitStack() as stack:
        start = partial(server, "bench.team_worker", name, *experiment.variables, threads=limit)
        each = [Steps(stack.enter_context(start())) for _ in range(1 + experiment.pair)]
        yield Pair(*each) if experiment.pair else each[0]


def run(settings: Settings) -> dict[str, Any]:
    """Measure and print a table for each experiment; return all results."""
    found: dict[str, Any] = {}
    settings.machine.measure_peak()
    print(settings.machine.title("Teams", [OWN]))
    for name, experiment in EXPERIMENTS.items():
        settings.keep("team", found)
        try:
            with experiment.conditions():
                rows, failures = measure(settings, experiment)
        except Impossible as error:
            print(f"\n{experiment.title}: not measured, since {error}")
            found[name] = {"impossible": str(error)}
            continue
        found[name] = {"rows": rows, "failures": failures}
        alone = found["alone"]["rows"] if experiment.pair else None
        print(f"\n{show(experiment, rows, alone)}", flush=True)
        for who, why in failures.items():
            print(f"\n{who} failed: {why}")
    return found


def measure(
    settings: Settings, experiment: Experiment
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Measure all tasks under the conditions of an experiment; return the rows and the failures."""
    counts = [CHOSEN, *map(str, thread_counts(settings.threads))]
    tasks = QUICK if settings.quick else TASKS
    answers, failures = interleave(
        f"team, {experiment.title}",
        {count: partial(started, count, experiment, limit=settings.threads) for count in counts},
        tasks,
        settings.rounds,
        lambda _, task: request(task, settings.data),
    )
    return {
        task: compare({name: [a["mean_us"] for a in each[task]] for name, each in answers.items()})
        for task in tasks
    }, failures


def request(task: str, data: Path | None) -> list[str]:
    """Return the arguments of `bench.worker` for a task."""
    where = ["--data", str(data)] if task in ROWS and ROWS[task].mnist else []
    return [task, OWN, *TIMING, *where]


def compare(us: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return the ratio of the chosen number of threads to the best fixed one, and the verdict."""
    fixed = best({name: each for name, each in us.items() if name != CHOSEN})
    ratio = median_ratio(us[CHOSEN], us[fixed]) if fixed and CHOSEN in us else None
    met = None if ratio is None else ratio <= 1 + NOISE
    return {"us": us, "best": fixed, "ratio": ratio, "met": met}


def one_after_other(pair: dict[str, Any], alone: dict[str, Any]) -> float:
    """Return the time of two trainings at once over that of one after the other."""
    both, one = (float(median(row["us"][CHOSEN])) for row in (pair, alone))
    return both / (2 * one)


def show(
    experiment: Experiment,
    rows: Mapping[str, dict[str, Any]],
    alone: Mapping[str, dict[str, Any]] | None,
) -> str:
    """Return the table of an experiment, a line for each task."""
    names = list(next(iter(rows.values()))["us"])
    header = [experiment.title, *(title(name) for name in names), "chosen / best", "target"]
    lines = []
    for task, row in rows.items():
        cells = [times(row["us"][name]) for name in names]
        ratio = "–" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append([task, *cells, ratio, judged(row["met"])])
    worst = max(row["ratio"] or 0 for row in rows.values())
    notes = [
        "Microseconds a step: median of the rounds (best).",
        f"Target: at most {NOISE:.0%} slower than the best fixed number (worst {worst:.2f}).",
    ]
    if alone:
        ratios = [f"{one_after_other(row, alone[task]):.2f} {task}" for task, row in rows.items()]
        notes.append(f"Both at once over one after the other: {', '.join(ratios)}.")
    return page(table(header, lines), *notes)


def title(name: str) -> str:
    """Return the heading of a number of threads."""
    return name if name == CHOSEN else counted(int(name), "thread")
