"""The arithmetic of the tables."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Task = TypeVar("Task")


def by_task(
    tasks: Sequence[Task], answers: Mapping[str, Mapping[Task, Sequence[Mapping[str, float]]]]
) -> dict[Task, dict[str, list[float]]]:
    """Return the measurements by task and by name, one for each round."""
    found: dict[Task, dict[str, list[float]]] = {task: {} for task in tasks}
    for each in answers.values():
        for task, rounds in each.items():
            for answer in rounds:
                for who, value in answer.items():
                    found[task].setdefault(who, []).append(value)
    return found


def median_ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """Return the median of the ratios of each round.

    Disturbances of a round affect both, so their ratio varies less than either; rounds that only
    one of them finished are left out.
    """
    return median(a / b for a, b in zip(of, to, strict=False))


def together(parts: Iterable[bool | None]) -> bool | None:
    """Return whether all parts of a target are met; None if some of them were not measured.

    A missed part suffices for a missed target.
    """
    found = list(parts)
    if False in found:
        return False
    return None if None in found else True


def best(times: Mapping[str, Sequence[float]]) -> str | None:
    """Return the name with the smallest median, or None without names."""
    return min(times, key=lambda name: median(times[name]), default=None)


def limit_share(flops: float, peaks: Sequence[float], microseconds: Sequence[float]) -> float:
    """Return the fraction of the limit: the time at the measured peak over the measured time."""
    return median_ratio([1e6 * flops / peak for peak in peaks], microseconds)
