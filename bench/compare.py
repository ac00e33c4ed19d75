"""`python -m bench compare A.json B.json`: the results of two runs beside each other.

A line for each figure of gyaku that both runs have: medians of the rounds, and how many times as
fast B is. Beside it the same ratio of all others (frameworks, the measured peak), as a measure of
the machine. "faster" and "slower" are changes beyond the range of the rounds.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers import OWN
from bench.processes import say
from bench.record import read
from bench.table import factor, number, page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    # Figures of a table, by row and by framework.
    Figures = dict[str, dict[str, "Figure"]]


@dataclass(frozen=True)
class Figure:
    """The values of some rounds: times, of which fewer are better, or rates."""

    values: list[float]
    rate: bool = False

    def speed(self, other: Figure) -> float:
        """Return how many times as fast as another one this is."""
        ratio = median(self.values) / median(other.values)
        return ratio if self.rate else 1 / ratio

    def change(self, before: Figure) -> str:
        """Return whether all rounds are faster, or slower, than all of another figure.

        A single round has no range, and so no change.
        """
        if min(len(self.values), len(before.values)) < 2:
            return ""
        if max(before.values) < min(self.values):
            return "faster" if self.rate else "slower"
        if min(before.values) > max(self.values):
            return "slower" if self.rate else "faster"
        return ""


def measured(results: dict[str, Any]) -> Iterator[tuple[str, str, str, Figure]]:
    """Yield table, row, framework and figure of all results of a run."""

    def by_row(table: str, rows: dict[str, Any], *, rate: bool) -> Iterator[Any]:
        for row, found in rows.items():
            for who, values in found.items():
                yield table, row, who, Figure(values, rate)

    rows = {name: row["summary"]["us"] for name, row in results.get("rows", {}).items()}
    yield from by_row("rows, µs", rows, rate=False)
    widths = results.get("widths", {}).get("widths", {})
    yield from by_row("widths, µs", {w: row["us"] for w, row in widths.items()}, rate=False)
    yield from by_row("predict, µs", results.get("predict", {}).get("us", {}), rate=False)
    walls = {
        name: {
            who: [answer["wall"] for answer in answers] for who, answers in recipe["rounds"].items()
        }
        for name, recipe in results.get("accuracy", {}).items()
    }
    yield from by_row("accuracy, s", walls, rate=False)
    yield from by_row("products, GFLOP/s", results.get("products", {}).get("gflops", {}), rate=True)
    for name, unit in (("convolutions", "GFLOP/s"), ("pooling", "GB/s")):
        yield from by_row(f"{name}, {unit}", results.get(name, {}).get("speeds", {}), rate=True)
    rates = {
        what: {
            f"{peer} {count}": values
            for peer, counts in by_peer.items()
            for count, values in counts.items()
        }
        for what, by_peer in results.get("scaling", {}).get("rates", {}).items()
    }
    yield from by_row("scaling, a second", rates, rate=True)


def figures(results: dict[str, Any]) -> dict[str, Figures]:
    """Return the figures of a run by table, row and framework."""
    found: dict[str, Figures] = {}
    for name, row, who, figure in measured(results):
        if figure.values:
            found.setdefault(name, {}).setdefault(row, {})[who] = figure
    return found


def lines(before: Figures, after: Figures) -> list[list[str]]:
    """Return the lines of a table, for the figures of both runs."""
    found = []
    for row, old in before.items():
        new = after.get(row, {})
        both = [who for who in old if who in new]
        others = [new[who].speed(old[who]) for who in both if not who.startswith(OWN)]
        found += [
            [
                row,
                who,
                *(number(median(each[who].values)) for each in (old, new)),
                factor(new[who].speed(old[who])),
                factor(median(others) if others else None),
                new[who].change(old[who]),
            ]
            for who in both
            if who.startswith(OWN)
        ]
    return found


def machine(results: dict[str, Any]) -> str:
    """Return the machine and the date of a run, and its warnings, in a line."""
    facts: dict[str, Any] = next(iter(results["machine"].values()), {})
    warnings = sorted({text for each in results["machine"].values() for text in each["warnings"]})
    words = [str(facts.get(key)) for key in ("cpu", "isa", "date")]
    line = f"{', '.join(words)}, {facts.get('threads')} threads"
    return f"{line}; **not quiet:** {'; '.join(warnings)}" if warnings else line


def show(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return the tables that both runs have."""
    header = ["row", "who", "A", "B", "B is", "others are", "change"]
    new = figures(after)
    tables = [
        f"### {name}\n\n{table(header, found, left=2)}"
        for name, old in figures(before).items()
        if (found := lines(old, new.get(name, {})))
    ]
    head = page("", f"A: {machine(before)}", f"B: {machine(after)}").strip()
    return "\n\n".join([head, *(tables or ["They have no row in common."])])


def main(arguments: list[str]) -> int:
    """Compare two files; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("before", type=Path, metavar="A.json")
    parser.add_argument("after", type=Path, metavar="B.json")
    asked = parser.parse_args(arguments)
    before, after = read(asked.before), read(asked.after)
    for path, results in ((asked.before, before), (asked.after, after)):
        for name, why in results.get("failures", {}).items():
            say(f"{path}: {name} could not be measured: {why}")
    print(show(before, after))
    return 0
