"""Training by the processes of one machine, in memory that they have in common."""

from __future__ import annotations

import os
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.backend import _core
from gyaku.distributed.reductions import Means

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.ranks import Ranks

__all__ = ["Shared", "shared"]

_LINE, _PAGE = 64, 4096
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


class Shared(Means):
    """Update of common parameters, of which each process computes a part, from all gradients.

    The arrays stay where they are: their pages are exchanged for those of a file without a name,
    and get their contents back in the end. Processes meet twice a step: when all gradients are
    written, and when all parameters are updated.

    Parameters
    ----------
    ranks : Ranks
        The processes.
    grads, buffers : ndarray
        The flat gradients, and the flat buffers, of which the mean is kept.
    updated : sequence of ndarray
        The parameters, and the state of the optimizer.
    blocks : sequence of Block
        The memory of `updated` and of the gradients.
    file : int
        Descriptor of a file of `extent` bytes of zeros, which all processes have opened.
    """

    def __init__(
        self,
        ranks: Ranks,
        grads: NDArray[Any],
        buffers: NDArray[Any],
        updated: Sequence[NDArray[Any]],
        blocks: Sequence[Block],
        file: int,
    ) -> None:
        super().__init__(ranks, grads, buffers)
        self._params = updated[0]
        self._memory = mmap(file, extent(blocks, ranks.size))
        self._pages: Any = _core.SharedPages(file)
        counters = np.frombuffer(self._memory, np.int64, ranks.size * _LINE // 8)
        self._local = _core.LocalRanks(counters, ranks.rank)
        place = _rounded(counters.nbytes)
        common = []
        for array, block in zip(updated, blocks[:-1], strict=True):
            common.append((array, place))
            place += block.size
        of_grads = blocks[-1]
        self._pages.place(grads, place + ranks.rank * of_grads.size, keeps=True)
        if not ranks.is_first:
            ranks.gather(None)
        for array, begin in common:
            self._pages.place(array, begin, keeps=ranks.is_first)
        if ranks.is_first:
            ranks.gather(None)
        firsts = range(place + of_grads.offset, self._memory.size(), of_grads.size)
        self._all = [np.frombuffer(self._memory, grads.dtype, grads.size, at) for at in firsts]
        self._sources = [*self._all]
        self._sources[ranks.rank] = grads  # whose pages are in use already
        line = _LINE // grads.itemsize
        bounds = [grads.size * rank // ranks.size // line * line for rank in range(ranks.size)]
        self._parts = [*map(slice, bounds, [*bounds[1:], grads.size])]

    def parts(self) -> Iterator[slice]:
        """Wait for all gradients, and add up the part of this process.

        Yields
        ------
        slice
            The part.
        """
        part = self._parts[self._ranks.rank]
        self._local.meet([self._grads, self._params])
        self._local.sum(self._grads[part], [each[part] for each in self._sources])
        yield part

    def updated(self) -> None:
        """Wait for the updates of all processes."""
        self._local.meet([self._grads, self._params])

    def close(self) -> None:
        """Give each process memory of its own again, with the parameters and gradients of all."""
        if self._pages is None:
            return
        for part, each in zip(self._parts, self._all, strict=True):
            self._grads[part] = each[part]
        self._pages = None


def shared(
    ranks: Ranks, grads: NDArray[Any], buffers: NDArray[Any], updated: Sequence[NDArray[Any]]
) -> Shared | None:
    """Return the update of common parameters, if the processes can have any.

    Parameters
    ----------
    ranks, grads, buffers, updated : object
        See `Shared`.

    Returns
    -------
    Shared or None
        None if the processes are on several machines, the arrays are small, or the system refuses.
    """
    blocks = [Block(*_core.block_of(array)) for array in (*updated, grads)]
    each = ranks.gather((_machine(), blocks))
    if any(found != each[0] for found in each) or not all(block.size for block in blocks):
        return None
    file = _common_file(ranks, extent(blocks, ranks.size))
    if file is None:
        return None
    try:
        return Shared(ranks, grads, buffers, updated, blocks, file)
    finally:
        os.close(file)


def extent(blocks: Sequence[Block], processes: int) -> int:
    """Return the size of the common file.

    Parameters
    ----------
    blocks : sequence of Block
        The memory of what is updated, which is common, and of the gradients of each process.
    processes : int
        Their number.

    Returns
    -------
    int
        Bytes.
    """
    *common, own = (block.size for block in blocks)
    return _rounded(processes * _LINE) + sum(common) + processes * own


def _rounded(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


def _machine() -> str:
    return _MACHINE.read_text() if _MACHINE.exists() else ""


def _common_file(ranks: Ranks, size: int) -> int | None:
    """Return a new file in memory, which all processes have opened, unless one of them cannot."""
    file, name = -1, ""
    if ranks.is_first:
        try:
            file = os.memfd_create("gyaku")
            os.posix_fallocate(file, 0, size)  # or writing to it would end the process
            name = f"/proc/{os.getpid()}/fd/{file}"
        except OSError:
            pass
    name = ranks.of_first(name)
    if name and not ranks.is_first:
        try:
            file = os.open(name, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            file = -1  # a container that does not see the first one's processes
    facts = os.fstat(file) if file >= 0 and name else None
    each = ranks.gather(facts and (facts.st_dev, facts.st_ino, facts.st_size))
    if each[0] is not None and all(found == each[0] for found in each):
        return file
    if file >= 0:
        os.close(file)
    return None
