"""The MPI library: loaded by mpi4py, found to be the launcher's, called by address."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gyaku.backend import _core

if TYPE_CHECKING:
    from typing import Any

__all__ = ["communicator", "launched", "library"]

LAUNCHERS = {
    "OMPI_COMM_WORLD_SIZE": "Open MPI",
    "PMI_SIZE": "MPICH or Intel MPI",
    "MPI_LOCALNRANKS": "MPICH or Intel MPI",
}
"""Variables in which launchers tell the number of processes."""


def library() -> Any:
    """Return mpi4py's module, whose library has been initialised.

    Returns
    -------
    module
        ``mpi4py.MPI``.

    Raises
    ------
    ImportError
        If mpi4py is not installed, or finds no MPI library.
    RuntimeError
        If the processes were started by another MPI's launcher, each of them alone.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "mpi4py":
            raise ImportError(
                "distributed training needs mpi4py and an MPI library; install both by:"
                " pip install 'gyaku[mpi]'"
            ) from None
        raise ImportError(
            f"distributed training: mpi4py finds no MPI library ({str(error).splitlines()[0]});"
            " load the cluster's module, or pip install mpich"
        ) from None
    for variable, name in LAUNCHERS.items():
        told = _told(variable)
        if told > 1 and MPI.COMM_WORLD.Get_size() == 1:
            own = str(MPI.Get_library_version()).split(",")[0].split("\n")[0].strip()
            raise RuntimeError(
                f"distributed training: the launcher, of {name}, started {told} processes"
                f" ({variable}), but mpi4py's library, {own}, knows of one: each of them is rank 0"
                " of 1; start them by that library's own mpiexec"
            )
    return MPI


def launched() -> int:
    """Return the number of processes that a launcher says it has started, 1 without one.

    Returns
    -------
    int
        The number.
    """
    return max(1, *map(_told, LAUNCHERS))


def _told(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else 1


def communicator(mpi: Any, ranks: Any) -> Any:
    """Return a communicator's sums as tasks.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    ranks : mpi4py.MPI.Intracomm
        The communicator.

    Returns
    -------
    gyaku._core.Communicator
        The tasks.
    """
    import ctypes

    functions = ctypes.CDLL(mpi.__file__)  # which is linked with the library

    def address(name: str) -> int:
        return ctypes.cast(getattr(functions, name), ctypes.c_void_p).value or 0

    def word(value: int) -> int:
        return int(value) % 2**64

    return _core.Communicator(
        all_reduce=address("MPI_Iallreduce"),
        test=address("MPI_Test"),
        in_place=word(mpi.IN_PLACE),
        sum=word(mpi._handleof(mpi.SUM)),
        float32=word(mpi._handleof(mpi.FLOAT)),
        float64=word(mpi._handleof(mpi.DOUBLE)),
        communicator=word(mpi._handleof(ranks)),
    )
