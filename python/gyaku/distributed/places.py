"""What each process got of its machine: CPUs, and the threads that it may use of them."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, NamedTuple

from gyaku.backend import _core
from gyaku.threads import num_threads, set_num_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Place", "place", "share_threads", "words_of"]


class Place(NamedTuple):
    """A process's part of a machine.

    Parameters
    ----------
    host : str
        Name of the machine.
    cpus : tuple of int
        The CPUs to which the process is bound.
    threads : int
        Largest number of its threads.
    is_asked : bool
        Whether the user chose that number.
    """

    host: str
    cpus: tuple[int, ...]
    threads: int
    is_asked: bool


def place() -> Place:
    """Return the place of this process.

    Returns
    -------
    Place
        The place.
    """
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    asked = _core.cpu_info()["requested_threads"] is not None
    return Place(platform.node(), cpus, num_threads(), asked)


def share_of(places: Sequence[Place], rank: int) -> int:
    """Return the number of threads of a process, if CPUs are shared by those bound to them.

    Parameters
    ----------
    places : sequence of Place
        All processes.
    rank : int
        Index of the process.

    Returns
    -------
    int
        The number, at least one.
    """
    own = places[rank]
    near = [each for each in places if each.host == own.host]
    share = sum(1 / sum(cpu in each.cpus for each in near) for cpu in own.cpus)
    return max(1, min(own.threads, int(share + 1e-9)))


def share_threads(places: Sequence[Place], rank: int) -> None:
    """Leave other processes of this machine their CPUs, unless the user chose the threads.

    Parameters
    ----------
    places : sequence of Place
        All processes.
    rank : int
        Index of this process.
    """
    if len(places) > 1 and not places[rank].is_asked:
        set_num_threads(share_of(places, rank))


def words_of(places: Sequence[Place]) -> list[str]:
    """Return a line for each process, and advice if two of them have one CPU alone.

    Parameters
    ----------
    places : sequence of Place
        All processes.

    Returns
    -------
    list of str
        The lines.
    """
    lines = []
    for rank, each in enumerate(places):
        cpus = ", ".join(map(str, each.cpus))
        threads = each.threads if each.is_asked else share_of(places, rank)
        plural = "" if threads == 1 else "s"
        lines.append(
            f"rank {rank} of {len(places)}: {each.host}, CPUs {cpus}, {threads} thread{plural}"
        )
    near = [each for each in places if each.host == places[0].host]
    free = (os.cpu_count() or 1) // len(near)
    if free > 1 and all(len(each.cpus) == 1 for each in near):
        lines.append(
            f"each process is bound to a single CPU of {os.cpu_count()}; give them {free} each by"
            f" 'mpiexec --map-by slot:pe={free}', or all of them by 'mpiexec --bind-to none'"
        )
    return lines
