"""Batches in their order, and those of sequences of similar lengths, cut behind their longest."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from gyaku.train.trainee import Passes

__all__ = ["ByLength", "batches"]

# Batches that are sorted by length together, so that training batches remain random.
_WINDOW = 64


class ByLength:
    """Order and number of steps of batches of sequences of similar lengths.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    passes : Passes
        The passes of the model.
    steps : int
        Number of steps of the padded sequences.
    found : mapping of int to ndarray of int64
        Lengths of all values that are padded sequences, the result of `Passes.lengths`.

    Attributes
    ----------
    counts : ndarray of int64
        Numbers of steps that batches may have, in ascending order: 4, 6, 8, 12, 16, 24 ... and that
        of the data, so that there are few programs and a batch has at most half as many steps more
        than its longest sequence.
    """

    __slots__ = ("_lengths", "counts", "timed")

    def __init__(
        self, owner: str, passes: Passes, steps: int, found: Mapping[int, NDArray[np.int64]]
    ) -> None:
        layer = passes.bound_to_steps
        if layer is not None:
            raise ValueError(
                f"{owner}: by_length cuts each batch behind its longest sequence, but {layer} needs"
                f" all {steps} steps"
            )
        if passes.stateful is not None:
            raise ValueError(
                f"{owner}: by_length sorts the samples, but {passes.stateful} carries states from"
                " batch to batch"
            )
        if not found:
            raise ValueError(
                f"{owner}: by_length needs the lengths of the sequences; give lengths, or begin"
                " with Embedding(mask_zero=True)"
            )
        self._lengths = next(iter(found.values()))
        self.timed = tuple(value in found for value in passes.outputs)
        powers = 2 ** np.arange(2, 64 - 2)
        counts = np.stack([powers, powers + powers // 2], axis=1).ravel()
        self.counts = np.append(counts[counts < steps], steps)

    def arrange(
        self, order: NDArray[np.int64], size: int, key: tuple[int, int] | None = None
    ) -> NDArray[np.int64]:
        """Sort samples by length, in place, and return the number of steps of each batch.

        Parameters
        ----------
        order : ndarray of int64
            Indices of the samples.
        size : int
            Samples per batch; those of a smaller last batch stay where they are.
        key : pair of int, optional
            Seed and epoch of a random order of the batches: the samples are sorted within windows
            of 64 batches then, and the batches of a window shuffled.

        Returns
        -------
        ndarray of int64
            The number of steps of each batch, one of `counts`.
        """
        random = None
        if key is not None:  # with a number that neither initial weights nor a split use
            numbers = np.array([key[0], 2**63 + key[1]], np.uint64)
            random = np.random.Generator(np.random.Philox(key=numbers))
        whole = len(order) - len(order) % size
        window = whole if random is None else _WINDOW * size
        for start in range(0, whole, window):
            part = order[start : min(start + window, whole)]
            batches = part[np.argsort(self._lengths[part], kind="stable")].reshape(-1, size)
            part[:] = (batches if random is None else random.permutation(batches)).ravel()
        longest = np.maximum.reduceat(self._lengths[order], np.arange(0, len(order), size))
        return np.asarray(self.counts[np.searchsorted(self.counts, longest)])


def batches(
    order: NDArray[np.int64], size: int, by_length: ByLength | None = None
) -> list[tuple[tuple[int, int], int]]:
    """Return the batches of some samples.

    Parameters
    ----------
    order : ndarray of int64
        Indices of the samples; with `by_length` they are sorted in place.
    size : int
        Samples per batch.
    by_length : ByLength or None
        Batches of sequences of similar lengths, if there are to be any.

    Returns
    -------
    list of ((int, int), int)
        Batches of one shape that follow one another: number of samples and of steps, 0 for all
        steps, and number of these batches.
    """
    full, tail = divmod(len(order), size)
    if by_length is None:
        return [((size, 0), full), ((tail, 0), int(tail > 0))]
    sizes = [size] * full + [tail] * (tail > 0)
    shapes = groupby(zip(sizes, by_length.arrange(order, size).tolist(), strict=True))
    return [(shape, len(list(group))) for shape, group in shapes]
