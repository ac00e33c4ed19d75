"""The sum of gradients over processes: in buckets behind the backward pass, or in a fixed tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.train.ranks import Reduction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.ranks import Ranks

__all__ = ["Buckets", "Tree"]

_LINE = 64
"""Bytes of a cache line, to which each parameter is aligned: the largest gap between two."""


class Buckets(Reduction):
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
        self._ranks, self._communicator = ranks, communicator
        self._grads, self._buffers = grads, buffers
        step = max(1, size // grads.itemsize)
        stops = range(grads.size, 0, -step)  # the last layer's gradients come first
        self._ranges = [grads[max(0, stop - step) : stop] for stop in stops]
        self._starts = [max(0, stop - step) for stop in stops]
        self.begin()

    def begin(self) -> None:
        """Prepare for the gradients of the first block."""
        self._lowest = self._grads.size  # what lies above is complete
        self._written: dict[int, int] = {}  # first elements by last, of what lies below
        self._begun = 0

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
            offset, rest = divmod(array.ctypes.data - base, itemsize)
            if rest == 0 and 0 <= offset < self._grads.size:
                self._written[offset + array.size] = offset
        gap = _LINE // itemsize
        while below := [stop for stop in self._written if self._lowest - stop < gap]:
            self._lowest = self._written.pop(below[0])
        while self._begun < len(self._ranges) and self._starts[self._begun] >= self._lowest:
            self._start()

    def _start(self) -> None:
        self._communicator.start(self._ranges[self._begun])
        self._begun += 1

    def finish(self) -> None:
        """Begin what is left, and wait for all."""
        while self._begun < len(self._ranges):
            self._start()
        for each in self._ranges:
            self._communicator.finish(each, self._grads)

    def settle(self) -> None:
        """Take the mean of the buffers, each of which has followed its own process's samples."""
        if self._buffers.size:
            self._buffers[...] = self._ranks.sum(self._buffers) / self._ranks.size


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
