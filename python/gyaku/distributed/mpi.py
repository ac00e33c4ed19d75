"""`MPI`: the processes that an MPI launcher has started."""

from __future__ import annotations

import os
import sys
import time
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyaku.backend import _core
from gyaku.checks import number, truth, whole
from gyaku.distributed.departures import departures
from gyaku.distributed.library import communicator, library
from gyaku.distributed.local import shared
from gyaku.distributed.places import place, share_threads
from gyaku.distributed.reductions import Buckets, Tree
from gyaku.schedules import Constant, Schedule, Warmup
from gyaku.train.ranks import Ranks, Reduction, agree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["MPI"]

_LEAST = 1 << 10
_PATIENCE = 1.0
"""Seconds for which processes but the first one keep an error to themselves."""


class MPI(Ranks):
    """The processes, *ranks*, that train one model together, as ``fit(distributed=...)``.

    A script is started once for each process, ``mpiexec -n 4 python script.py``; each of them makes
    the same model and has the same data. Of each batch, a process trains on its own part, and the
    gradients are added up before the update, so that all have the same weights after each step. By
    one process alone, it trains as usual.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, optional
        Communicator, by default ``COMM_WORLD``; it is duplicated.
    reproducible : bool
        Whether 1, 2, 4 ... processes give the same bits, if all of them together have the same
        batch: gradients are computed in `blocks` and added up in a fixed tree. Slower, since
        nothing is hidden behind the computation.
    blocks : int
        Number of blocks of a batch if `reproducible`; a power of two, as is the number of processes
        then, and not less than it.
    bucket_bytes : int
        Size of the ranges of gradients that are added up together, each as soon as the backward
        pass has written it, if not `reproducible`.
    global_statistics : bool
        Whether `BatchNorm` normalises by the samples of all processes, as one process with the
        whole batch would; each of its layers then waits for all of them, twice a step.
    shared_memory : bool
        Whether the processes of a machine have their parameters and the state of the optimizer in
        common while they train, each of them updating a part, if both are large, the optimizer
        changes each parameter by itself, and all machines have as many processes. Otherwise the MPI
        library adds up the gradients, and each process updates all parameters.
    own_data : bool
        Whether each process is given samples of its own, such as those of its `files`, and not all
        of them. Each trains on as many batches as the one with the fewest samples has, all of them
        full; what an epoch leaves out is part of the next ones. Iterables of batches are own data;
        an epoch ends with the one that ends first. Validation data are the same for all processes.

    Attributes
    ----------
    size, rank : int
        Number of processes, and index of this one.
    say : callable or None
        Function that reports an error which ends the job, by default as Python does.

    Raises
    ------
    ImportError
        If mpi4py or an MPI library is missing.
    RuntimeError
        If the processes were started by another MPI's launcher.
    ValueError
        If blocks and processes are no powers of two, or there are more processes than blocks.

    Notes
    -----
    n processes with batches of b samples, ``fit(batch_size=b)``, train as one process with batches
    of n·b: the same samples in each step, the same learning rate, and gradients that differ in
    their last bits. Dropout draws other numbers. `BatchNorm` takes the statistics of each process's
    part of the batch, and keeps the mean of the running ones, unless `global_statistics`.

    Examples
    --------
    >>> import gyaku as gk
    >>> ranks = gk.distributed.MPI()  # doctest: +SKIP
    >>> model.fit(x, y, loss="mse", batch_size=32, distributed=ranks)  # doctest: +SKIP
    """

    def __init__(
        self,
        comm: Any = None,
        *,
        reproducible: bool = False,
        blocks: int = 8,
        bucket_bytes: int = 1 << 20,
        global_statistics: bool = False,
        shared_memory: bool = True,
        own_data: bool = False,
    ) -> None:
        self.reproducible = truth("MPI", "reproducible", reproducible)
        blocks = whole("MPI", "blocks", blocks)
        self.bucket_bytes = whole("MPI", "bucket_bytes", bucket_bytes, least=_LEAST)
        own_data = truth("MPI", "own_data", own_data)
        if reproducible and own_data:
            raise ValueError(
                "MPI: give reproducible or own_data, not both: another number of processes has"
                " other samples"
            )
        self.attaches = truth("MPI", "global_statistics", global_statistics)
        self.shared_memory = truth("MPI", "shared_memory", shared_memory)
        if reproducible and global_statistics:
            raise ValueError(
                "MPI: give reproducible or global_statistics, not both: each block of a"
                " reproducible batch has its own statistics"
            )
        self._mpi = library()
        comm = self._mpi.COMM_WORLD if comm is None else comm
        self.size, self.rank = int(comm.Get_size()), int(comm.Get_rank())
        self.own_data = own_data and self.size > 1
        self.blocks = blocks if reproducible else self.size
        if reproducible and (self.size & (self.size - 1) or blocks & (blocks - 1)):
            raise ValueError(
                "MPI: reproducible=True adds up in a binary tree, which needs powers of two, got"
                f" blocks={blocks} and processes={self.size}"
            )
        if self.blocks < self.size:
            raise ValueError(
                f"MPI: each of the {self.size} processes needs a block at least, got"
                f" blocks={blocks}"
            )
        self.say: Callable[[BaseException], None] | None = None
        self._comm = comm.Dup()
        is_whole = 1 < self.size == self._mpi.COMM_WORLD.Get_size()
        self._departures = departures(self._mpi) if is_whole else None
        agree(
            "MPI",
            self,
            version=_core.__version__,
            reproducible=reproducible,
            blocks=blocks,
            bucket_bytes=bucket_bytes,
            global_statistics=global_statistics,
            shared_memory=shared_memory,
            own_data=own_data,
        )
        self._sums = communicator(self._mpi, comm.Dup())
        self._groups: dict[int, Any] = {}  # parts of the processes
        self._across: Any = None
        share_threads(self._comm.allgather(place()), self.rank)
        # Python's own, or that of a program.
        self._excepthook = getattr(sys.excepthook, "before", sys.excepthook)
        if self.size > 1 and not hasattr(sys.excepthook, "before"):
            self._end_all_with_this_one()

    def __repr__(self) -> str:
        return f"MPI(rank {self.rank} of {self.size})"

    def _end_all_with_this_one(self) -> None:
        """Let an error that nobody handles end the whole job, instead of leaving others waiting."""

        def report(
            kind: type[BaseException], error: BaseException, traceback: TracebackType | None
        ) -> None:
            self.fail(error)

        report.before = sys.excepthook  # type: ignore[attr-defined]
        sys.excepthook = report

    def fail(self, error: BaseException) -> None:
        """Report an error of this process, and end all of them, if there are several.

        Parameters
        ----------
        error : BaseException
            The error.
        """
        if self.size == 1:
            return
        if self.rank:  # the first one may have the same error, and report it
            time.sleep(_PATIENCE)
        try:
            if self.say is not None:
                self.say(error)
            else:
                print(f"rank {self.rank} of {self.size}:", file=sys.stderr)
                self._excepthook(type(error), error, error.__traceback__)
        finally:
            self.abort()

    def abort(self) -> None:
        """End all processes at once, as failed."""
        sys.stderr.flush()
        sys.stdout.flush()
        self._comm.Abort(1)

    def scaled_rate(self, rate: float, *, warmup: int = 0) -> Schedule:
        """Return a learning rate for all processes from one for a single one.

        Parameters
        ----------
        rate : float
            Learning rate that suits a process by itself, with the same `batch_size`.
        warmup : int
            Number of steps in which the rate rises to the scaled one, along a straight line.

        Returns
        -------
        Schedule
            `rate` times the number of processes, whose batches are as many times as large.

        Notes
        -----
        P. Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour (2017).
        """
        steps = whole("MPI.scaled_rate", "warmup", warmup, least=0)
        scaled = number("MPI.scaled_rate", "rate", rate, above=0) * self.size
        if not steps or self.size == 1:
            return Constant(scaled)
        return Warmup(scaled, steps, start_factor=1 / self.size)

    def files(self, given: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
        """Return this process's part of some files, each of which one process has.

        Parameters
        ----------
        given : path-like or iterable of path-like
            The files, or a folder of files.

        Returns
        -------
        list of pathlib.Path
            Every n-th file in the order of their names, for n processes.

        Raises
        ------
        ValueError
            If there are fewer files than processes.
        """
        if isinstance(given, (str, os.PathLike)):
            given = Path(given).iterdir()
        paths = [*map(Path, given)]
        found = self.of_first(sorted(path for path in paths if not path.name.startswith(".")))
        if len(found) < self.size:
            raise ValueError(
                f"MPI.files: each of the {self.size} processes needs a file at least, got"
                f" {len(found)}"
            )
        return list(found[self.rank :: self.size])

    def _meet(self) -> None:
        """Wait for all processes, unless one of them has ended."""
        if self._departures is not None:
            self._departures.wait(self._comm.Ibarrier())

    def of_first(self, value: Any) -> Any:
        """Return the value of the first process.

        Parameters
        ----------
        value : object
            The value of this process, which can be pickled.

        Returns
        -------
        object
            The value.
        """
        self._meet()
        return self._comm.bcast(value, root=0)

    def any(self, flag: bool) -> bool:
        """Return whether a flag is set in any process.

        Parameters
        ----------
        flag : bool
            The flag of this process.

        Returns
        -------
        bool
            Whether it is.
        """
        self._meet()
        return bool(self._comm.allreduce(bool(flag), op=self._mpi.LOR))

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes.

        Parameters
        ----------
        value : object
            The value of this process, which can be pickled.

        Returns
        -------
        list
            The values, by rank.
        """
        self._meet()
        return list(self._comm.allgather(value))

    def sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of an array over all processes, in the order of the ranks.

        Parameters
        ----------
        values : ndarray
            The values of this process.

        Returns
        -------
        ndarray
            The sum.
        """
        first, *others = self.gather(values)
        total: NDArray[Any] = first
        for each in others:
            total = total + each
        return total

    def spread(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Overwrite arrays by those of the first process.

        Parameters
        ----------
        arrays : sequence of ndarray
            C-contiguous arrays, which have the same shapes everywhere.
        """
        self._meet()
        for array in arrays:
            data = array.reshape(-1).view(np.uint8)
            most = 1 << 30  # elements of a message are counted in 31 bits
            for begin in range(0, data.size, most):
                self._comm.Bcast(data[begin : begin + most], root=0)

    def exchange(self, given: NDArray[Any], received: NDArray[Any], other: int) -> None:
        """Send an array to another process, and receive its own.

        Parameters
        ----------
        given, received : ndarray
            The arrays, flat and alike.
        other : int
            The rank of the other process.
        """
        most = 1 << 28
        for begin in range(0, given.size, most):
            part = slice(begin, begin + most)
            self._comm.Sendrecv(given[part], other, recvbuf=received[part], source=other)

    def attach(self, layers: Iterable[Any]) -> None:
        """Let layers take the statistics of all processes, if they are to.

        Parameters
        ----------
        layers : iterable of Layer
            Layers, of which some have an attribute ``across``.
        """
        if self.attaches and self.size > 1:
            for layer in layers:
                if hasattr(layer, "across"):
                    layer.across = self.sum

    def reduction(
        self, grads: NDArray[Any], buffers: NDArray[Any], updated: Sequence[NDArray[Any]] = ()
    ) -> Reduction:
        """Return the sum of gradients in the steps of a training.

        Parameters
        ----------
        grads : ndarray
            The flat gradients.
        buffers : ndarray
            The flat buffers, such as running statistics, of which the mean is kept.
        updated : sequence of ndarray
            What an update changes, the parameters first, if it may do so range by range.

        Returns
        -------
        Reduction
            The sum.
        """
        if self.reproducible:
            return Tree(self, grads, buffers)
        if self.size == 1:
            return Reduction()
        if self.shared_memory and updated:
            size = self.bucket_bytes
            found = shared(self, grads, buffers, updated, self.groups, size)
            if found is not None:
                return found
        return Buckets(self, self._sums, grads, buffers, self.bucket_bytes)

    def groups(self, machines: Sequence[str]) -> tuple[MPI, Any]:
        """Return the processes of this machine, and the sums between machines.

        Parameters
        ----------
        machines : sequence of str
            The machine of each process.

        Returns
        -------
        near : MPI
            The processes of this machine.
        across : gyaku._core.Communicator
            The sums over those that have the same place as this one on each machine, as tasks.
        """
        near, own = copy(self), machines[self.rank]
        near._comm = self._group(machines.index(own))
        near.size, near.rank = near._comm.Get_size(), near._comm.Get_rank()
        place = machines[: self.rank].count(own)
        if self._across is None:
            self._across = communicator(self._mpi, self._group(self.size + place))
        return near, self._across

    def _group(self, number: int) -> Any:
        """Return the communicator of all processes that give the same number."""
        if number not in self._groups:
            self._groups[number] = self._comm.Split(number, self.rank)
        return self._groups[number]

    def check(self) -> None:
        """Raise if a sum has failed.

        Raises
        ------
        RuntimeError
            If one has, in the words of the MPI library.
        """
        for sums in filter(None, (self._sums, self._across)):
            if sums.error:
                words = self._mpi.Get_error_string(sums.error)
                raise RuntimeError(
                    f"fit: the sum of the gradients over the processes failed: {words}"
                )
