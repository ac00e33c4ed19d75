"""Samples on their way into a network: frames, sparse rows, padded sequences."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from gyaku.data import pad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Inputs", "native", "stacked"]

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

    @property
    def axes(self) -> int:
        """Number of axes, that of the samples included."""
        shape = getattr(self.array, "shape", None)
        return np.asarray(self.array).ndim if shape is None else len(shape)

    def given(self) -> Any:
        """Return samples that an estimator takes without lengths.

        Returns
        -------
        array_like
            The array, or a list of sequences without their padding.
        """
        if self.lengths is None:
            return self.array
        return [row[:steps] for row, steps in zip(self.array, self.lengths, strict=True)]

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


def stacked(given: Any, lengths: Any = None, *, always: bool = False) -> Inputs:
    """Return samples as one array, sequences of several lengths padded behind their ends.

    Parameters
    ----------
    given : array_like or Inputs
        An array, a list of arrays, or samples that were stacked before.
    lengths : array_like of int, optional
        Number of steps of each sequence of a padded array.
    always : bool
        Whether a list of arrays holds sequences even if they are equally long.

    Returns
    -------
    Inputs
        The samples, with lengths if they are sequences.

    Raises
    ------
    ValueError
        If a list of sequences comes with lengths.
    """
    if isinstance(given, Inputs):
        given, lengths = given.array, given.lengths
    sizes, has_arrays = _sizes(given)
    if len(sizes) < 2 and not (always and has_arrays):
        return Inputs(given, lengths)
    if lengths is not None:
        raise ValueError("lengths: a list of sequences has its own; give them with a padded array")
    arrays = [np.asarray(each) for each in given]
    return Inputs(*pad(arrays, dtype=np.result_type(*arrays)))


def _sizes(given: Any) -> tuple[set[int], bool]:
    """Return the lengths of the sequences of a list, and whether there are arrays among them."""
    is_list = isinstance(given, list | tuple)
    is_array = isinstance(given, np.ndarray) and given.dtype == object and given.ndim == 1
    if not is_list and not is_array:
        return set(), False
    if not all(isinstance(each, list | tuple | np.ndarray) and np.ndim(each) for each in given):
        return set(), False
    return {len(each) for each in given}, any(isinstance(each, np.ndarray) for each in given)
