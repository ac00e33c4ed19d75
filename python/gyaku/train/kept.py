"""Outputs and targets that tasks of a program keep, for metrics of a whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku import memory, ops

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    Batch = tuple[NDArray[Any], NDArray[Any], NDArray[np.int64] | None, NDArray[np.float64] | None]

__all__ = ["Kept"]

_BYTES = 1 << 20
"""Size of a store, unless one batch is larger."""


class _Store(NamedTuple):
    """Rows of batches of one kind, and their number."""

    kind: tuple[object, ...]
    arrays: list[NDArray[Any]]
    cursor: NDArray[np.int64]

    @property
    def capacity(self) -> int:
        return len(self.arrays[0])

    @property
    def left(self) -> int:
        return self.capacity - int(self.cursor[0])


class Kept:
    """Outputs, targets, lengths and weights of the batches since the last `take`."""

    def __init__(self) -> None:
        self._stores: list[_Store] = []  # a program goes on writing to those it was recorded with

    def add(self, *batch: NDArray[Any] | None) -> None:
        """Keep a batch, by tasks of the program that is recorded.

        Parameters
        ----------
        *batch : ndarray or None
            Outputs, targets, lengths and weights.
        """
        arrays = [each for each in batch if each is not None]
        kind = tuple(each is None or (each.shape[1:], each.dtype.char) for each in batch)
        alike = (store for store in self._stores if store.kind == kind)
        store = next((store for store in alike if store.left >= len(arrays[0])), None)
        store = store or self._made(kind, arrays)
        for each, kept in zip(arrays, store.arrays, strict=True):
            ops.keep_rows(each, kept, store.cursor)
        ops.advance(store.cursor, len(arrays[0]))

    def _made(self, kind: tuple[object, ...], arrays: list[NDArray[Any]]) -> _Store:
        rows = len(arrays[0])
        row_bytes = sum(each.nbytes for each in arrays) // rows
        capacity = max(rows, _BYTES // max(1, row_bytes))
        found = [memory.empty((capacity, *each.shape[1:]), each.dtype) for each in arrays]
        self._stores.append(_Store(kind, found, memory.zeros((1,), np.int64)))
        return self._stores[-1]

    def room(self, size: int) -> int:
        """Return the number of batches that fit before the next `take`.

        Parameters
        ----------
        size : int
            Samples per batch.

        Returns
        -------
        int
            The number, at least one.
        """
        least = min((store.capacity for store in self._stores), default=0)
        return max(1, least // size)

    def take(self) -> Iterator[Batch]:
        """Take out what was kept.

        Yields
        ------
        tuple of ndarray or None
            Outputs, targets, lengths and weights of some batches together.
        """
        for store in self._stores:
            rows = int(store.cursor[0])
            if rows:
                store.cursor[0] = 0
                arrays = iter(store.arrays)
                y, t, lengths, weights = (
                    None if each is True else next(arrays)[:rows].copy() for each in store.kind
                )
                assert y is not None
                assert t is not None
                yield y, t, lengths, weights

    def clear(self) -> None:
        """Forget what was kept."""
        for store in self._stores:
            store.cursor[0] = 0
