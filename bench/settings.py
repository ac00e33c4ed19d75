"""Settings of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from bench.machine import Machine
    from bench.workloads import Workload


@dataclass
class Settings:
    """Settings of a run, its machine, and its results so far.

    `peers` are the installed ones; `data` is the folder with MNIST as .npy files, if there is
    one; `plots` is the folder for pictures; `files` has the paths of rows of one's own by name.
    """

    peers: list[str]
    rounds: int
    threads: int
    quick: bool
    machine: Machine
    plots: Path
    data: Path | None = None
    record: Record = field(default_factory=Record)
    files: dict[str, str] = field(default_factory=dict)

    def source(self, workload: Workload) -> str:
        """Return the name by which a worker finds a row: its own, or the path of its file."""
        return self.files.get(workload.name, workload.name)

    def keep(self, table: str, value: Any) -> None:
        """Keep the results of a table, or those so far."""
        self.record.keep(table, value, self.machine.facts())

    def picture(self, name: str) -> Path:
        """Return the path of a picture, with the instruction set if it was given."""
        held = f"-{self.machine.forced}" if self.machine.forced else ""
        return self.plots / f"{name}{held}.png"
