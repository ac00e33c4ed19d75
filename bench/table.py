"""Tables in Markdown."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table whose first `left` columns are aligned to the left, the rest to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(header))]

    def show(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width if i < left else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return "\n".join([show(header), show(rule), *map(show, rows)])


def page(shown: str, *notes: str) -> str:
    """Return a table with lines of text below it."""
    return "\n".join([shown, "", *("  \n".join(notes).splitlines())])


def times(values: Sequence[float]) -> str:
    """Return microseconds as their median and, in parentheses, the smallest."""
    if not values:
        return "–"
    return f"{number(median(values))} ({number(min(values))})"


def number(value: float) -> str:
    """Return a number with three significant digits, and all of them before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 1:
        return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.1 else f"{value:.2g}"


def counted(count: int, thing: str) -> str:
    """Return a count with its noun, such as ``2 threads``."""
    return f"{count} {thing}{'s' * (count != 1)}"


def thread_counts(threads: int) -> list[int]:
    """Return 1, 2, 4, ... and at last the given number of threads."""
    powers = [2**power for power in range(threads.bit_length())]
    return sorted({*powers, threads})


def judged(met: bool | None) -> str:
    """Return whether a target is met."""
    return {True: "met", False: "missed", None: "not measured"}[met]


def factor(value: float | None) -> str:
    """Return a ratio, such as ``1.85×``."""
    return "–" if value is None else f"{number(value)}×"


def percent(value: float | None) -> str:
    """Return a fraction in per cent, a small one with a significant digit."""
    if value is None:
        return "–"
    return f"{value:.0%}" if value >= 0.01 else f"{100 * value:.1g}%"
