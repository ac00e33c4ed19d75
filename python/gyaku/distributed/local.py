"""Training by the processes of a machine, in memory that they have in common."""

from __future__ import annotations

import os
from collections import Counter
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku import memory
from gyaku.backend import _core
from gyaku.distributed.reductions import Buckets, Means

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.ranks import Ranks

__all__ = ["Common", "Machines", "Shared", "shared"]

_LINE, _PAGE, _HUGE_PAGE = 64, 4096, 2 << 20
_MACHINE = Path("/proc/sys/kernel/random/boot_id")


class Block(NamedTuple):
    """The memory block of an array.

    Parameters
    ----------
    offset : int
        Bytes before the array.
    size : int
        Bytes of the block, whole pages; 0 if the array is in none of its own.
    """

    offset: int
    size: int


class Layout:
    """Places in the common file: of the counters, of what is updated, of each process's gradients.

    Parameters
    ----------
    blocks : sequence of Block
        The memory of what is updated, which is common, and of the gradients of each process.
    processes : int
        Their number.

    Attributes
    ----------
    common, grads : list of int
        First bytes of what is updated, and of the gradients of each process.
    size : int
        Bytes of the file.
    """

    def __init__(self, blocks: Sequence[Block], processes: int) -> None:
        self.size = processes * _LINE
        *common, own = (block.size for block in blocks)
        self.common = [*map(self._placed, common)]
        self.grads = [self._placed(own) for _ in range(processes)]

    def _placed(self, size: int) -> int:
        # On a huge page only what begins at a multiple of its size, in the file and in memory.
        page = _PAGE if size % _HUGE_PAGE else _HUGE_PAGE
        begin = -(-self.size // page) * page
        self.size = begin + size
        return begin


class Common:
    """Memory that the processes of a machine have in common, until it is closed.

    The arrays stay where they are: their pages are exchanged for those of a file without a name,
    and get their contents back in the end.

    Parameters
    ----------
    near : Ranks
        The processes of this machine.
    grads : ndarray
        The flat gradients, of which each process sees those of all.
    updated : sequence of ndarray
        The parameters, and the state of the optimizer.
    blocks : sequence of Block
        The memory of `updated` and of the gradients.
    file : int
        Descriptor of a file of zeros, as large as the `Layout`, which all processes have opened.
    """

    def __init__(
        self,
        near: Ranks,
        grads: NDArray[Any],
        updated: Sequence[NDArray[Any]],
        blocks: Sequence[Block],
        file: int,
    ) -> None:
        self._rank, self._grads, self._params = near.rank, grads, updated[0]
        layout = Layout(blocks, near.size)
        counters = np.frombuffer(mmap(file, near.size * _LINE), np.int64)
        self._local = _core.LocalRanks(counters, near.rank)
        self._pages: Any = _core.SharedPages(file)
        self._pages.place(grads, layout.grads[near.rank], keeps=True)
        if not near.is_first:
            near.gather(None)
        for array, begin in zip(updated, layout.common, strict=True):
            self._pages.place(array, begin, keeps=near.is_first)
        if near.is_first:
            near.gather(None)
        self._all = [
            grads if rank == near.rank else self._of_other(blocks[-1], begin)
            for rank, begin in enumerate(layout.grads)
        ]
        self._ranges: dict[tuple[int, int], list[slice]] = {}  # parts of the processes

    def _of_other(self, block: Block, begin: int) -> NDArray[Any]:
        """Return the gradients of another process."""
        whole = memory.empty((block.size,), np.uint8)
        self._pages.place(whole, begin, keeps=False)
        mine = self._grads
        return np.frombuffer(whole, mine.dtype, mine.size, block.offset)

    def sum(self, whole: slice) -> slice:
        """Wait for the gradients of a range, and add up the part of this process.

        Parameters
        ----------
        whole : slice
            The range.

        Returns
        -------
        slice
            The part.
        """
        part = self._parts_of(whole)[self._rank]
        self._local.meet([self._grads[whole], *self._params_of(whole)])
        if part.start < part.stop:
            self._local.sum(self._grads[part], [each[part] for each in self._all])
        return part

    def _params_of(self, whole: slice) -> list[NDArray[Any]]:
        """Return what no process may change before all have the gradients: with the last range."""
        return [self._params] if whole.start == 0 else []

    def _parts_of(self, whole: slice) -> list[slice]:
        count, line = len(self._all), _LINE // self._grads.itemsize
        size = whole.stop - whole.start
        inner = [whole.start + size * rank // count // line * line for rank in range(1, count)]
        bounds = [whole.start, *inner, whole.stop]
        parts = [*map(slice, bounds, bounds[1:])]
        return self._ranges.setdefault((whole.start, whole.stop), parts)

    def meet(self) -> None:
        """Wait for the updates of all processes."""
        self._local.meet([self._grads, self._params])

    def close(self) -> None:
        """Give each process memory of its own again, with the parameters and gradients of all."""
        if self._pages is None:
            return
        for parts in self._ranges.values():
            for part, each in zip(parts, self._all, strict=True):
                self._grads[part] = each[part]
        self._pages = None


class Shared(Means):
    """Update of common parameters, of which each process computes a part, from all gradients.

    Processes meet twice a step: when all gradients are written, and when all parameters are
    updated.

    Parameters
    ----------
    ranks : Ranks
        The processes, all of one machine.
    grads, buffers : ndarray
        The flat gradients, and the flat buffers, of which the mean is kept.
    common : Common
        Their memory.
    """

    def __init__(
        self, ranks: Ranks, grads: NDArray[Any], buffers: NDArray[Any], common: Common
    ) -> None:
        super().__init__(ranks, grads, buffers)
        self._common = common

    def parts(self) -> Iterator[slice]:
        """Wait for all gradients, and add up the part of this process.

        Yields
        ------
        slice
            The part.
        """
        yield self._common.sum(slice(0, self._grads.size))

    def updated(self) -> None:
        """Wait for the updates of all processes."""
        self._common.meet()

    def close(self) -> None:
        """Give each process memory of its own again."""
        self._common.close()


class Machines(Buckets):
    """Sums of two levels: within each machine in common memory, between machines by messages.

    Each process of a machine sums its part of a range, and adds it up with those that have the same
    part on the other machines, as soon as the backward passes of the machine have written the
    range.

    Parameters
    ----------
    ranks : Ranks
        The processes, as many on each machine.
    across : gyaku._core.Communicator
        Those that have the same part as this one, as tasks.
    grads, buffers : ndarray
        The flat gradients, and the flat buffers, of which the mean is kept.
    size : int
        Bytes of a range.
    common : Common
        The memory of the processes of this machine.
    """

    def __init__(
        self,
        ranks: Ranks,
        across: Any,
        grads: NDArray[Any],
        buffers: NDArray[Any],
        size: int,
        common: Common,
    ) -> None:
        super().__init__(ranks, across, grads, buffers, size)
        self._common = common

    def _start(self, ranges: list[slice]) -> None:
        for part in map(self._common.sum, ranges):
            super()._start([part] if part.start < part.stop else [])

    def updated(self) -> None:
        """Wait for the updates of all processes of the machine."""
        self._common.meet()

    def close(self) -> None:
        """Give each process memory of its own again."""
        self._common.close()


def shared(
    ranks: Ranks,
    grads: NDArray[Any],
    buffers: NDArray[Any],
    updated: Sequence[NDArray[Any]],
    groups: Callable[[Sequence[str]], tuple[Ranks, Any]],
    size: int,
) -> Shared | Machines | None:
    """Return the update of parameters that are common to a machine, if there can be any.

    Parameters
    ----------
    ranks, grads, buffers, updated : object
        See `Shared`; `updated` are the parameters, and the state of the optimizer.
    groups : callable
        Function of the machine of each process, which returns the processes of this one, and the
        sums over those that have the same place on each.
    size : int
        Bytes of a range that machines add up together.

    Returns
    -------
    Shared or Machines or None
        None if a machine has one process or fewer than others, the arrays are small, or the system
        refuses.
    """
    blocks = [Block(*_core.block_of(array)) for array in (*updated, grads)]
    each = ranks.gather((_machine(), blocks))
    machines = [machine for machine, _ in each]
    counts = {*Counter(machines).values()}
    if len(counts) > 1 or counts == {1} or any(found != blocks for _, found in each):
        return None
    if not all(block.size for block in blocks):
        return None
    is_one = len({*machines}) == 1
    near, across = (ranks, None) if is_one else groups(machines)
    file = _common_file(near, Layout(blocks, near.size).size)
    try:
        if ranks.any(file < 0):
            return None
        common = Common(near, grads, updated, blocks, file)
    finally:
        if file >= 0:
            os.close(file)
    if is_one:
        return Shared(ranks, grads, buffers, common)
    return Machines(ranks, across, grads, buffers, size, common)


def _machine() -> str:
    return _MACHINE.read_text() if _MACHINE.exists() else ""


def _common_file(near: Ranks, size: int) -> int:
    """Return a new file in memory that all processes have opened, -1 if one of them cannot."""
    file, name = -1, ""
    if near.is_first:
        try:
            file = os.memfd_create("gyaku")
            os.posix_fallocate(file, 0, size)  # or writing to it would end the process
            name = f"/proc/{os.getpid()}/fd/{file}"
        except OSError:
            pass
    name = near.of_first(name)
    if name and not near.is_first:
        try:
            file = os.open(name, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            file = -1  # a container that does not see the first one's processes
    facts = os.fstat(file) if file >= 0 and name else None
    each = near.gather(facts and (facts.st_dev, facts.st_ino, facts.st_size))
    if each[0] is not None and all(found == each[0] for found in each):
        return file
    if file >= 0:
        os.close(file)
    return -1
