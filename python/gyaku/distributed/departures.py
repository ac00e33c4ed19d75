"""Notice of processes that have ended, for which others would wait forever."""

from __future__ import annotations

import atexit
import os
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Departures", "departures"]

_PATIENCE, _PAUSE = 1.0, 0.01
"""Seconds of waiting behind which departures are looked for, and between two looks."""
_TAG = 32767
"""The largest that every library has, since the messages are among those of the program."""


class Departures:
    """Wait for all processes of a job, unless one of them has ended without an error.

    Each process tells the first one when it ends, and the first one all others, since every wait
    for all of them is one for the first. The end of MPI comes when all have told.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    """

    def __init__(self, mpi: Any) -> None:
        self._mpi, self._world = mpi, mpi.COMM_WORLD
        atexit.register(self._tell)

    def _tell(self) -> None:
        if self._mpi.Is_finalized():
            return
        rank, size = self._world.Get_rank(), self._world.Get_size()
        others = range(1, size) if rank == 0 else [0]
        told = [self._world.Isend(bytearray(), other, _TAG) for other in others]
        for other in others:
            self._world.Recv(bytearray(), other, _TAG)
        self._mpi.Request.Waitall(told)

    def wait(self, meeting: Any) -> None:
        """Wait for a meeting of all processes.

        Parameters
        ----------
        meeting : mpi4py.MPI.Request
            The request of a barrier.

        Raises
        ------
        RuntimeError
            If one of them has ended, and will not come.
        """
        end = time.perf_counter() + _PATIENCE
        while not meeting.Test():
            if time.perf_counter() < end:
                os.sched_yield()  # to a rank on the same core
                continue
            status = self._mpi.Status()
            if self._world.Iprobe(tag=_TAG, status=status):
                raise RuntimeError(
                    f"distributed training: rank {status.Get_source()} of {self._world.Get_size()}"
                    " has ended, and the others wait for it"
                )
            time.sleep(_PAUSE)


@cache
def departures(mpi: Any) -> Departures:
    """Return the notice of departures of all processes, each of which has one.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.

    Returns
    -------
    Departures
        The notice.
    """
    return Departures(mpi)
