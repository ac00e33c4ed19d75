"""The batches of a source, epoch after epoch, as programs take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.train.reader import Reader, Slabs

if TYPE_CHECKING:
    from gyaku.train.reader import Portion
    from gyaku.train.source import Source

__all__ = ["Stream"]

_WAIT = 0.1
"""Seconds without a batch after which Ctrl-C is looked for."""


class Stream:
    """Batches of one epoch after another, of which the present ones are in a slab.

    Parameters
    ----------
    source : Batches or OnDisk
        The data.

    Attributes
    ----------
    portion : Portion or None
        The batches that are ready.
    used : int
        Number of those that have been used.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._slabs = source, Slabs()
        self._reader: Reader | None = None
        self.portion: Portion | None = None
        self.used = 0

    @property
    def room(self) -> int:
        """Number of batches that are ready."""
        return self.portion.batches - self.used if self.portion else 0

    @property
    def place(self) -> int:
        """Position of the next batch in its slab's order."""
        assert self.portion is not None
        return self.portion.start + self.used * self.portion.size

    def ready(self, epoch: int, position: int = 0) -> bool:
        """Wait a moment for a batch.

        Parameters
        ----------
        epoch, position : int
            The present epoch and, at its beginning, the first batch to read.

        Returns
        -------
        bool
            Whether there is one.
        """
        if self.room:
            return True
        if self._reader is None:
            self._reader = Reader(self._source.epoch(epoch, position), self._slabs)
        self.portion, self.used = self._reader.take(_WAIT), 0
        return self.portion is not None

    @property
    def ended(self) -> bool:
        """Whether the epoch has no further batch."""
        return self._reader is not None and self._reader.ended and not self.room

    def close(self) -> None:
        """End the epoch, and the thread."""
        self.portion, self.used = None, 0
        if self._reader is not None:
            self._reader.close()
            self._reader = None
