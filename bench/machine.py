"""The machine: the head of every table, and signs of other load."""

from __future__ import annotations

import datetime as dt
import os
import platform
import resource
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import call, version
from bench.table import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PEAK = "peak"
"""Name of the peak among the results of the frameworks."""
BUSY = 0.05
"""Largest fraction of the CPUs' time for other processes in a quiet run."""
DRIFT = 0.1
"""Largest variation of the measured peak in a quiet run."""


class Watch:
    """The machine since a moment: its date, measured peaks, and the load by others."""

    def __init__(self) -> None:
        self.date = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
        self.peaks: list[dict[str, Any]] = []
        self._busy, self._own, self._clock = busy_seconds(), own_seconds(), perf_counter()

    def warnings(self) -> list[str]:
        """Return doubts about the figures, a sentence each."""
        found = []
        foreign = self.foreign_share()
        if foreign is not None and foreign > BUSY:
            found.append(f"other processes took {foreign:.0%} of the CPUs' time")
        peaks = [peak["flops"] for peak in self.peaks]
        if peaks and max(peaks) > (1 + DRIFT) * min(peaks):
            found.append(f"the measured peak varied by {max(peaks) / min(peaks) - 1:.0%}")
        return found

    def foreign_share(self) -> float | None:
        """Return the fraction of the CPUs' time in other processes since the start, if known."""
        now = busy_seconds()
        if now is None or self._busy is None:
            return None
        foreign = (now - self._busy) - (own_seconds() - self._own)
        return max(0.0, foreign / ((perf_counter() - self._clock) * (os.cpu_count() or 1)))


class Machine:
    """The machine during a run.

    A table, or a row inside it, is measured ``with machine.watch():``; then the facts are those
    since its beginning. `blas` is the library behind NumPy's products, if it is known.
    """

    def __init__(self, threads: int, peers: list[str]) -> None:
        self.threads = threads
        self.versions = {name: version(name) for name in peers}
        self.forced = os.environ.get("GYAKU_ISA")
        self.load = os.getloadavg()[0]
        self.blas: str | None = None
        self._watches = [Watch()]

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Begin a table, or a row of it, and return to the outer one at its end."""
        self._watches.append(Watch())
        try:
            yield
        finally:
            self._watches.pop()

    @property
    def peaks(self) -> list[dict[str, Any]]:
        """Answers of `bench.peak`, which are measured between all others."""
        return self._watches[-1].peaks

    def measure_peak(self) -> dict[str, Any]:
        """Measure and keep the machine's peak."""
        answer = call("bench.peak", threads=self.threads)
        for watch in self._watches:
            watch.peaks.append(answer)
        return answer

    @property
    def isa(self) -> str:
        """Instruction set of gyaku."""
        return str(self.peaks[0]["isa"])

    @property
    def name(self) -> str:
        """Processor and number of threads."""
        return f"{self.peaks[0]['cpu']}, {counted(self.threads, 'thread')}"

    def facts(self) -> dict[str, Any]:
        """Return all facts, for the JSON."""
        first = self.peaks[0] if self.peaks else {}
        return {
            "date": self._watches[-1].date,
            "cpu": first.get("cpu"),
            "cores": os.cpu_count(),
            "isa": first.get("isa"),
            "isa_forced": self.forced,
            "threads": self.threads,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "versions": self.versions,
            "blas": self.blas,
            "load_before": self.load,
            "peaks": self.peaks,
            "warnings": self.warnings(),
        }

    def title(self, text: str, peers: Iterable[str]) -> str:
        """Return the lines above a table: its title, the machine, versions, the peak.

        The versions are those of the measured peers and of gyaku. The lines include warnings if
        the machine was not quiet, and the instruction set if it was given.
        """
        first = self.peaks[0]
        part = [name for name in (*peers, OWN) if name in self.versions]
        threads = counted(self.threads, "thread")
        lines = [
            f"{first['cpu']}, {counted(os.cpu_count() or 1, 'core')}, {self.isa}, {threads}",
            f"{self._watches[-1].date}, Python {platform.python_version()}",
            ", ".join(f"{PEERS[name].title} {self.versions[name]}" for name in part),
        ]
        if self.blas and {"numpy", "sklearn"} & set(part):
            lines.append(f"products of NumPy by {self.blas}")
        held = f", gyaku held to {self.forced}" if self.forced else ""
        return self.heading(f"{text}{held}", *lines)

    def heading(self, text: str, *lines: str) -> str:
        """Return a heading with some lines, the measured peak, and warnings."""
        flops, bandwidths = (
            [peak[key] / 1e9 for peak in self.peaks] for key in ("flops", "bandwidth")
        )
        measured = f"{span(flops)} GFLOP/s in float32, memory {span(bandwidths)} GB/s"
        shown = [*lines, f"measured peak {measured}"]
        if self.warnings():
            shown.append(f"**{self.disquiet}**")
        return "\n".join([f"\n### {text}\n", "  \n".join(shown), ""])

    @property
    def disquiet(self) -> str:
        """The warnings in a line, empty if the machine was quiet."""
        warnings = self.warnings()
        return f"the machine was not quiet: {'; '.join(warnings)}" if warnings else ""

    def warnings(self) -> list[str]:
        """Return doubts about the figures, a sentence each."""
        found = self._watches[-1].warnings()
        if self.load > 0.5:
            found.insert(0, f"the load average was {self.load:.2f} before the run")
        return found


def busy_seconds() -> float | None:
    """Return the busy seconds of all CPUs, with those of other guests of the host."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except (OSError, IndexError):
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Return the CPU seconds of this process and of its finished children."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def span(values: list[float]) -> str:
    """Return the median of some values and, if they differ, their range."""
    ordered = sorted(values)
    low, middle, high = (f"{v:,.0f}" for v in (ordered[0], ordered[len(ordered) // 2], ordered[-1]))
    return middle if low == high else f"{middle} ({low} to {high})"
