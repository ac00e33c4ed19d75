"""Samples on their way into a network: frames, sparse rows, padded sequences."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scipy.sparse import issparse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Inputs", "native"]

ROWS = 4096
"""Number of rows of sparse inputs that are dense at a time in a prediction."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Samples, and the lengths of padded sequences.

    Parameters
    ----------
    array : array_like or sparse matrix
        The samples, (samples, ...).
    lengths : array_like of int, optional
        Number of steps of each sequence.
    """

    array: Any
    lengths: Any = None

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def rows(self, index: Array) -> Inputs:
        """Return some of the samples.

        Parameters
        ----------
        index : ndarray of int
            Their indices.

        Returns
        -------
        Inputs
            The samples.
        """
        return Inputs(self.array[index], None if self.lengths is None else self.lengths[index])

    def dense(self) -> Inputs:
        """Return dense samples.

        Returns
        -------
        Inputs
            The same, with an array in place of a sparse matrix.
        """
        return Inputs(self.array.toarray(), self.lengths) if issparse(self.array) else self

    def parts(self) -> Iterator[Inputs]:
        """Yield dense samples, sparse ones by 4,096 rows.

        Yields
        ------
        Inputs
            Some of the samples, in their order.
        """
        if not issparse(self.array):
            yield self
            return
        rows = self.array.tocsr()
        for first in range(0, len(self), ROWS):
            yield Inputs(rows[first : first + ROWS].toarray())


def native(given: Any) -> Any:
    """Return the frame that a narwhals one stands for, which scikit-learn does not know by name.

    Parameters
    ----------
    given : object
        A frame, a series, or anything else.

    Returns
    -------
    object
        The frame or series of pandas, polars or pyarrow; anything else as it is.
    """
    if not type(given).__module__.startswith("narwhals."):
        return given
    return sys.modules["narwhals"].to_native(given)
