"""Settings of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.machine import Machine


@dataclass
class Settings:
    """Settings of a run, and its machine.

    `peers` are the installed ones; `data` is the folder with MNIST as .npy files, if there is
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
        """Return the path of a picture, with the instruction set if it was given."""
        held = f"-{self.machine.forced}" if self.machine.forced else ""
        return self.plots / f"{name}{held}.png"
