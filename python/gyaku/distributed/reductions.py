"""The sum of gradients over processes: in buckets behind the backward pass, or in a fixed tree."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.train.ranks import Reduction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.ranks import Ranks

__all__ = ["Buckets", "Means", "Ranges", "Tree", "ranges_of"]

_LINE = 64
"""Bytes of a cache line, to which each parameter is aligned: the largest gap between two."""


class Ranges:
    """Ranges of the flat gradients, from the last layer's on, each cut as soon as it is complete.

    A range ends where the gradients of a layer end, so that nothing that is complete waits for an
    earlier layer, unless it is too small to be sent by itself.

    Parameters
    ----------
    size : int
        Number of elements of the gradients.
    least : int
        Number of elements of a range; it has less than twice as many.
    gap : int
        Number of elements of a cache line, at which parameters begin: there are fewer between two.
    """

    def __init__(self, size: int, least: int, gap: int) -> None:
        self._least, self._gap = least, gap
        self._lowest = self._cut = size  # what lies above is complete, or in a range
        self._written: dict[int, int] = {}  # first elements by last, of what lies below

    def wrote(self, start: int, size: int) -> list[slice]:
        """Return the ranges that are complete with some more elements.

        Parameters
        ----------
        start, size : int
            The first of them, and their number.

        Returns
        -------
        list of slice
            The ranges.
        """
        self._written[start + size] = start
        while below := [stop for stop in self._written if self._lowest - stop < self._gap]:
            self._lowest = self._written.pop(below[0])
        is_enough = self._cut - self._lowest >= self._least
        return self._cut_to(self._lowest) if is_enough else []

    def rest(self) -> list[slice]:
        """Return what is left.

        Returns
        -------
        list of slice
            Ranges.
        """
        return self._cut_to(0)

    def _cut_to(self, lowest: int) -> list[slice]:
        waiting = self._cut - lowest
        count = max(1, waiting // self._least) if waiting else 0
        line = self._gap
        bounds = [self._cut - waiting * i // count // line * line for i in range(count)] + [lowest]
        self._cut = lowest
        return [slice(start, stop) for stop, start in pairwise(bounds)]


class Means(Reduction):
    """Sum of the gradients of one block of each process, of whose buffers the mean is kept.

    Parameters
    ----------
    ranks : Ranks
        The processes.
    grads, buffers : ndarray
        The flat gradients, and the flat buffers.
    """

    def __init__(self, ranks: Ranks, grads: NDArray[Any], buffers: NDArray[Any]) -> None:
        self._ranks, self._grads, self._buffers = ranks, grads, buffers

    def settle(self) -> None:
        """Take the mean of the buffers, each of which has followed its own process's samples."""
        if self._buffers.size:
            self._buffers[...] = self._ranks.sum(self._buffers) / self._ranks.size


class Buckets(Means):
    """Sums of ranges of the gradients, each begun as soon as the backward pass has written it.

    Parameters
    ----------
    ranks : Ranks
        The processes.
    communicator : gyaku._core.Communicator
        Their sums as tasks.
    grads, buffers : ndarray
        The flat gradients, and the flat buffers, of which the mean is kept.
    size : int
        Bytes of a range.
    """

    def __init__(
        self,
        ranks: Ranks,
        communicator: Any,
        grads: NDArray[Any],
        buffers: NDArray[Any],
        size: int,
    ) -> None:
        super().__init__(ranks, grads, buffers)
        self._communicator, self._size = communicator, size
        self.begin()

    def begin(self) -> None:
        """Prepare for the gradients of the first block."""
        self._ranges = ranges_of(self._grads, self._size)
        self._begun: list[slice] = []

    def seen(self, use: object, arrays: Iterable[NDArray[Any]]) -> None:
        """Begin the sums of all ranges that are complete by now.

        Parameters
        ----------
        use : object
            The use of a layer.
        arrays : iterable of ndarray
            Its gradients; only those of parameters are summed.
        """
        itemsize = self._grads.itemsize
        base = self._grads.ctypes.data
        for array in arrays:
            offset, remainder = divmod(array.ctypes.data - base, itemsize)
            if remainder == 0 and 0 <= offset < self._grads.size:
                self._start(self._ranges.wrote(offset, array.size))

    def _start(self, ranges: list[slice]) -> None:
        for each in ranges:
            self._communicator.start(self._grads[each])
        self._begun += ranges

    def parts(self) -> Iterator[slice]:
        """Begin what is left, and wait for one range after the other.

        Yields
        ------
        slice
            The range.
        """
        self._start(self._ranges.rest())
        for each in self._begun:
            self._communicator.finish(self._grads[each], self._grads)
            yield each

    def finish(self) -> None:
        """Begin what is left, and wait for all."""
        for _ in self.parts():
            pass


def ranges_of(grads: NDArray[Any], size: int) -> Ranges:
    """Return the ranges of gradients.

    Parameters
    ----------
    grads : ndarray
        The flat gradients.
    size : int
        Bytes of a range.

    Returns
    -------
    Ranges
        The ranges.
    """
    return Ranges(grads.size, max(1, size // grads.itemsize), _LINE // grads.itemsize)


class Tree(Reduction):
    """Sum over the blocks of a step in a binary tree, the same for any number of processes.

    Parameters
    ----------
    ranks : Ranks
        The processes; they and the blocks are powers of two.
    grads, buffers : ndarray
        The flat gradients, and the flat buffers, of which the mean is kept.
    """

    def __init__(self, ranks: Ranks, grads: NDArray[Any], buffers: NDArray[Any]) -> None:
        self._ranks, self._grads, self._buffers = ranks, grads, buffers
        self._own = ranks.blocks // ranks.size
        levels = self._own.bit_length() - 1
        self._sums = [(grads.copy(), buffers.copy()) for _ in range(levels)]
        self._received = grads.copy(), buffers.copy()
        self._before = buffers.copy()

    def begin(self) -> None:
        """Keep the buffers, from which each block begins."""
        memory.host(self._keep, [self._buffers], [])

    def _keep(self) -> None:
        np.copyto(self._before, self._buffers)

    def add(self, block: int) -> None:
        """Add the gradients of a block to those before it, as far as the tree has them together.

        Parameters
        ----------
        block : int
            Index of the block in the step.
        """
        arrays = [self._grads, self._buffers]
        memory.host(lambda: self._add(block % self._own), arrays, arrays)

    def _add(self, block: int) -> None:
        level = 0
        while block >> level & 1:
            for total, part in zip((self._grads, self._buffers), self._sums[level], strict=True):
                np.add(part, total, out=total)
            level += 1
        if block + 1 < self._own:
            for kept, total in zip(self._sums[level], (self._grads, self._buffers), strict=True):
                np.copyto(kept, total)
            np.copyto(self._buffers, self._before)

    def finish(self) -> None:
        """Add up the processes' sums, in the same tree."""
        arrays = [self._grads, self._buffers]
        memory.host(self._finish, arrays, arrays)

    def _finish(self) -> None:
        distance = 1
        while distance < self._ranks.size:
            for total, other in zip((self._grads, self._buffers), self._received, strict=True):
                self._ranks.exchange(total, other, self._ranks.rank ^ distance)
                np.add(total, other, out=total)
            distance *= 2
        np.multiply(self._buffers, 1 / self._ranks.blocks, out=self._buffers)
