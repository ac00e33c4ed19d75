"""The batches of a source, epoch after epoch, as programs take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.train.capture import MOST
from gyaku.train.reader import Reader, Slabs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from gyaku.train.reader import Chunk, Portion
    from gyaku.train.samples import Samples

    class Chunks(Protocol):
        """Data in chunks, epoch after epoch; `ReadAhead` has the meaning of the names."""

        is_repeatable: bool
        samples: Samples
        steps: int | None
        expected: int | None
        batch_size: int
        epoch_count: int

        @property
        def count(self) -> int | None:
            """Number of samples, None if unknown."""

        def epoch(self, index: int, position: int = 0) -> Iterator[Chunk]:
            """Return the chunks of an epoch, from a batch on."""

        def leave(self) -> None:
            """Leave the rest of a pass out."""


__all__ = ["Stream"]

_WAIT = 0.1
"""Seconds without a batch after which Ctrl-C is looked for."""


class Stream:
    """Batches of one epoch after another, of which the present ones are in a slab.

    Parameters
    ----------
    source : Chunks
        The data.
    most : int
        Number of kinds of samples to keep memory for.

    Attributes
    ----------
    portion : Portion or None
        The batches that are ready.
    used : int
        Number of those that have been used.
    """

    def __init__(self, source: Chunks, most: int = MOST) -> None:
        self._source, self._slabs = source, Slabs(most)
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
