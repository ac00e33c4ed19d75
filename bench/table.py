"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


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


def times(values: Sequence[float]) -> str:
    """Return microseconds as their median and, in brackets, their best."""
    if not values:
        return "–"
    return f"{number(median(values))} ({number(min(values))})"


def number(value: float) -> str:
    """Return a number with three digits that count."""
    if value >= 1000:
        return f"{round(value, 2 - len(str(int(value)))) :,.0f}" if value >= 1e5 else f"{value:,.0f}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def factor(value: float | None) -> str:
    """Return a ratio, such as ``1.85×``."""
    return "–" if value is None else f"{number(value)}×"


def percent(value: float | None) -> str:
    """Return a share."""
    return "–" if value is None else f"{value:.0%}"
