"""Training by several processes on one or many machines, through MPI."""

from __future__ import annotations

from gyaku.distributed.mpi import MPI

__all__ = ["MPI"]
