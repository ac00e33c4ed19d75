"""Reading ahead: a thread that fills buffers with the next batches while the present one trains."""

from __future__ import annotations

from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku import memory
from gyaku.train.capture import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from numpy.typing import NDArray

    from gyaku.train.samples import Samples

    class Chunk(Protocol):
        """Batches of one size that are read together."""

        @property
        def like(self) -> Samples:
            """Arrays whose samples have the same shapes and dtypes."""

        @property
        def size(self) -> int:
            """The number of samples in a batch."""

        @property
        def batches(self) -> int:
            """The number of batches."""

        def write(self, to: Samples, order: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
            """Write the samples into arrays, in any order, and their order beside them.

            Parameters
            ----------
            to : Samples
                The arrays, of as many samples as the batches have.
            order : ndarray of int64
                Index of each sample of the batches within these arrays.
            rows : ndarray of int64
                Array for the number of each sample in the data, in the order of the arrays.
            """


__all__ = ["Portion", "Reader", "Slab", "Slabs"]

_AHEAD = 2
"""Number of chunks that are ready, beside the one in use and the one that is read."""

_PATIENCE = 2.0
"""Seconds to wait at an early end for a batch that is still being made."""


class Slab:
    """Memory that programs gather from: room for the chunks that are ready, in use and read.

    Parameters
    ----------
    number : int
        A number of its own.
    like : Samples
        Arrays whose samples have the same shapes and dtypes.
    capacity : int
        Largest number of samples in a chunk.

    Attributes
    ----------
    samples : Samples
        The arrays.
    order : ndarray of int64
        Row of each sample of the batches.
    rows : ndarray of int64
        Number in the data of the sample in each row.
    """

    __slots__ = ("_places", "_turn", "capacity", "number", "order", "rows", "samples")

    def __init__(self, number: int, like: Samples, capacity: int) -> None:
        self.number, self.capacity = number, capacity
        self._places, self._turn = _AHEAD + 2, 0
        self.samples = like.each(
            lambda each: memory.zeros((capacity * self._places, *each.shape[1:]), each.dtype)
        )
        self.order = memory.empty((capacity * self._places,), np.int64)
        self.rows = memory.zeros((capacity * self._places,), np.int64)

    def fill(self, chunk: Chunk) -> Portion:
        """Write a chunk over the oldest one.

        Parameters
        ----------
        chunk : Chunk
            The chunk.

        Returns
        -------
        Portion
            Its place.
        """
        start = self._turn * self.capacity
        self._turn = (self._turn + 1) % self._places
        rows = slice(start, start + chunk.size * chunk.batches)
        order = self.order[rows]
        chunk.write(self.samples.each(lambda each: each[rows]), order, self.rows[rows])
        order += start
        return Portion(self, start, chunk.size, chunk.batches)


class Portion(NamedTuple):
    """Batches that are ready.

    Parameters
    ----------
    slab : Slab
        Memory that holds them.
    start : int
        Position of the first sample in the slab's order.
    size : int
        Number of samples in each.
    batches : int
        Number of batches.
    """

    slab: Slab
    start: int
    size: int
    batches: int


class Slabs:
    """A slab for each kind of samples; the least recently used is dropped.

    Parameters
    ----------
    most : int
        Number of slabs to keep.
    """

    __slots__ = ("_count", "_most", "_slabs")

    def __init__(self, most: int = MOST) -> None:
        self._slabs: dict[tuple[object, ...], Slab] = {}
        self._count, self._most = 0, most

    def fill(self, chunk: Chunk) -> Portion:
        """Write a chunk into the slab of its kind.

        Parameters
        ----------
        chunk : Chunk
            The chunk.

        Returns
        -------
        Portion
            Its place.
        """
        kind = tuple((each.shape[1:], each.dtype.char) for each in chunk.like.arrays)
        slab = self._slabs.pop(kind, None)
        rows = chunk.size * chunk.batches
        if slab is None or slab.capacity < rows:
            self._count += 1
            slab = Slab(self._count, chunk.like, rows)
        self._slabs[kind] = slab
        if len(self._slabs) > self._most:
            del self._slabs[next(iter(self._slabs))]
        return slab.fill(chunk)


class Reader:
    """A thread that reads chunks ahead.

    Parameters
    ----------
    chunks : iterator of Chunk
        The chunks; the thread runs it.
    slabs : Slabs
        Memory for them. Only one reader at a time may use it.

    Attributes
    ----------
    ended : bool
        Whether all were taken.
    """

    def __init__(self, chunks: Iterator[Chunk], slabs: Slabs) -> None:
        self.ended = False
        self._chunks, self._slabs = chunks, slabs
        self._closed = Event()
        self._ready: Queue[Portion | BaseException | None] = Queue(_AHEAD)
        self._thread = Thread(target=self._read, name="gyaku reader", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        last: BaseException | None = None
        try:
            for chunk in self._chunks:
                if self._closed.is_set():
                    return
                self._ready.put(self._slabs.fill(chunk))
                if self._closed.is_set():
                    return
        except BaseException as error:  # noqa: BLE001, also of the user's code: `take` raises it
            last = error
        self._ready.put(last)

    def take(self, seconds: float) -> Portion | None:
        """Return the next batches; they stay in place until the next call.

        Parameters
        ----------
        seconds : float
            Time to wait for them.

        Returns
        -------
        Portion or None
            None if none is ready yet, or all were taken.

        Raises
        ------
        BaseException
            The error that ended the thread.
        """
        try:
            found = None if self.ended else self._ready.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(found, Portion):
            return found
        self.ended = True
        if found is not None:
            raise found
        return None

    def close(self) -> None:
        """End the thread, after the batch that it is reading."""
        self._closed.set()
        self.ended = True
        waited = 0.0
        while self._thread.is_alive() and waited < _PATIENCE:
            while not self._ready.empty():
                self._ready.get_nowait()
            self._thread.join(0.02)
            waited += 0.02
