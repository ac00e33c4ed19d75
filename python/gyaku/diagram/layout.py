"""Layout of a layered graph: the order of the nodes in each rank, and their positions."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ordered", "positions_of"]

_GAP = 22.0  # between nodes of a rank
_SWEEPS = 8  # of the ordering; more change nothing in graphs of this size


def ordered(items: Sequence[int], chains: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the items of each rank in an order with few crossings.

    Parameters
    ----------
    items : sequence of int
        The rank of each item: a node, or a bend of an edge that passes the rank.
    chains : sequence of sequence of int
        The items that each edge goes through, one a rank.

    Returns
    -------
    list of list of int
        The items of each rank.
    """
    order: list[list[int]] = [[] for _ in range(max(items) + 1)]
    for item, rank in enumerate(items):
        order[rank].append(item)
    ups, downs = _neighbours(len(items), chains)
    for sweep in range(_SWEEPS):
        places = {item: place for row in order for place, item in enumerate(row)}
        rows = order[1:] if sweep % 2 == 0 else order[-2::-1]
        for row in rows:
            near = ups if sweep % 2 == 0 else downs
            row.sort(key=lambda item: _mean([places[n] for n in near[item]], places[item]))
            places.update({item: place for place, item in enumerate(row)})
    return order


def _neighbours(
    count: int, chains: Sequence[Sequence[int]]
) -> tuple[list[list[int]], list[list[int]]]:
    ups: list[list[int]] = [[] for _ in range(count)]
    downs: list[list[int]] = [[] for _ in range(count)]
    for chain in chains:
        for above, below in itertools.pairwise(chain):
            ups[below].append(above)
            downs[above].append(below)
    return ups, downs


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def positions_of(
    order: Sequence[Sequence[int]], chains: Sequence[Sequence[int]], sizes: Sequence[float]
) -> list[float]:
    """Return the position of each item in its rank, as close to its neighbours as it fits.

    Parameters
    ----------
    order : sequence of sequence of int
        The items of each rank in their order.
    chains : sequence of sequence of int
        The items that each edge goes through.
    sizes : sequence of float
        The size of each item across the ranks.

    Returns
    -------
    list of float
        The middle of each item.
    """
    ups, downs = _neighbours(len(sizes), chains)
    found = [0.0] * len(sizes)
    for row in order:
        _spread(row, dict.fromkeys(row, 0.0), sizes, found)
    for sweep in range(_SWEEPS):
        for row in order if sweep % 2 == 0 else order[::-1]:
            near = ups if sweep % 2 == 0 else downs
            wanted = {item: _mean([found[n] for n in near[item]], found[item]) for item in row}
            _spread(row, wanted, sizes, found)
    least = min(at - size / 2 for at, size in zip(found, sizes, strict=True))
    return [at - least + 8 for at in found]


def _spread(
    row: Sequence[int], wanted: dict[int, float], sizes: Sequence[float], found: list[float]
) -> None:
    """Place items of a rank nearest to the wanted positions, without overlap, in their order.

    With the distances between neighbours subtracted this is isotonic regression, by pooling
    adjacent violators.
    """
    offsets = [0.0]
    for left, right in itertools.pairwise(row):
        offsets.append(offsets[-1] + (sizes[left] + sizes[right]) / 2 + _GAP)
    pools: list[tuple[float, int]] = []
    for item, offset in zip(row, offsets, strict=True):
        total, count = wanted[item] - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            more, others = pools.pop()
            total, count = total + more, count + others
        pools.append((total, count))
    levels: Iterable[float] = (total / n for total, n in pools for _ in range(n))
    for item, offset, level in zip(row, offsets, levels, strict=True):
        found[item] = level + offset
