"""What a run was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.machine import Machine


@dataclass
class Settings:
    """What a run was asked for, and the machine that it runs on.

    `peers` are those that are here; `data` is the folder with MNIST as .npy files, if there is
    one; `plots` is the folder for pictures.
    """

    peers: list[str]
    rounds: int
    threads: int
    quick: bool
    machine: Machine
    plots: Path
    data: Path | None = None

    def picture(self, name: str) -> Path:
        """Return where a picture goes; one of a forced instruction set says so in its name."""
        held = f"-{self.machine.forced}" if self.machine.forced else ""
        return self.plots / f"{name}{held}.png"
