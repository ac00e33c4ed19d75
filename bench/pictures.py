"""Pictures: distinct colours, and a mark if the machine was not quiet."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PALETTE = (
    *("#e69f00", "#d62728", "#1f4fd8", "#2ca02c", "#7b2d8b", "#17becf", "#8c564b", "#f781bf"),
    *("#7f7f7f", "#808000", "#00e0a0", "#000000", "#b0b0ff", "#ff7f50", "#c8e64c", "#5a0000"),
    *("#ff00dd", "#8800ff", "#000066", "#00ff00"),
)
"""Colours that are easily told apart on white, the first of them best."""
MARKERS = "osD^v<>Pp*hX"


def panes(rows: int, columns: int, *, size: tuple[float, float], title: str) -> tuple[Any, Any]:
    """Return a figure and its panels, which share their axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        *(rows, columns),
        figsize=size,
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    figure.suptitle(title)
    for panel in panels.flat:
        panel.grid(alpha=0.3)
    return figure, panels


def doubling(axis: Any, values: Sequence[int]) -> None:
    """Give an axis a logarithmic scale, with ticks at the powers of two among some values."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    ticks = [value for value in values if value & (value - 1) == 0]
    axis.set_ticks(ticks, list(map(str, ticks)))
    axis.set_ticks([], minor=True)


def save(figure: Any, path: Path, disquiet: str) -> None:
    """Write a figure; a run on a machine that was not quiet is marked in red."""
    from matplotlib import pyplot as plt

    if disquiet:
        marked = textwrap.fill(disquiet, int(9 * figure.get_figwidth()))
        figure.suptitle(f"{figure.get_suptitle()}\n{marked}", color="tab:red")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
