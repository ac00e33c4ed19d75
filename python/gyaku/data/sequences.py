"""Sequences of different lengths: padding, and batches by length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["batches_by_length", "pad"]


def pad(
    sequences: Sequence[ArrayLike],
    steps: int | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Pad sequences with zeros behind their ends to one array.

    Parameters
    ----------
    sequences : sequence of array_like
        The sequences, each (steps, ...), equal in all axes but the first.
    steps : int, optional
        Number of steps in the array, by default that of the longest sequence.
    dtype : dtype, optional
        Dtype of the array, by default that of the first sequence.

    Returns
    -------
    padded : ndarray
        The array, (samples, steps, ...).
    lengths : ndarray of int64
        Number of steps of each sequence, (samples,).

    Raises
    ------
    TypeError
        If the first sequence holds integers and another one fractions, and no dtype is given.
    ValueError
        If there are no sequences, one is empty or longer than `steps`, or their other axes differ.

    Examples
    --------
    >>> padded, lengths = pad([[3, 1, 4], [1, 5]])
    >>> padded
    array([[3, 1, 4],
           [1, 5, 0]])
    >>> lengths
    array([3, 2])
    """
    arrays = [_sequence(place, each) for place, each in enumerate(sequences)]
    if not arrays:
        raise ValueError("pad: there must be at least one sequence")
    for place, each in enumerate(arrays):
        if each.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"pad: sequence {place} has steps of shape {each.shape[1:]}, sequence 0"
                f" {arrays[0].shape[1:]}"
            )
        if dtype is None and not np.can_cast(each.dtype, arrays[0].dtype, "same_kind"):
            raise TypeError(
                f"pad: sequence {place} holds {each.dtype}, sequence 0 {arrays[0].dtype}; give the"
                " dtype of the array"
            )
    lengths = np.array([len(each) for each in arrays], np.int64)
    longest = int(lengths.max())
    steps = longest if steps is None else whole("pad", "steps", steps)
    if longest > steps:
        place = int(np.argmax(lengths > steps))
        raise ValueError(
            f"pad: sequence {place} has {lengths[place]} steps, more than {steps}; cut it first"
        )
    padded = np.zeros((len(arrays), steps, *arrays[0].shape[1:]), dtype or arrays[0].dtype)
    for row, each in zip(padded, arrays, strict=True):
        row[: len(each)] = each
    return padded, lengths


def _sequence(place: int, given: ArrayLike) -> NDArray[Any]:
    """Return a sequence as an array; raise if it has no steps, or they differ in shape."""
    try:
        sequence = np.asarray(given)
    except ValueError:
        raise ValueError(f"pad: the steps of sequence {place} must have one shape") from None
    if not sequence.ndim:
        raise ValueError(
            f"pad: sequence {place} must be a list or an array of steps, got {given!r}"
        )
    if not len(sequence):
        raise ValueError(f"pad: sequence {place} must have at least one step")
    return sequence


def batches_by_length(
    lengths: ArrayLike, batch_size: int, *, seed: int | None = None
) -> list[NDArray[np.int64]]:
    """Divide sequences into batches of similar lengths, so that there is little padding.

    Parameters
    ----------
    lengths : array_like of int
        The length of each sequence, (samples,).
    batch_size : int
        Sequences in a batch; the batch of the longest ones may be smaller.
    seed : int, optional
        Seed of the order of the batches and of the choice among equally long sequences; by default
        the batches go from short to long, and equally long sequences keep their order.

    Returns
    -------
    list of ndarray of int64
        Indices of the sequences of each batch.

    Raises
    ------
    ValueError
        If there are no lengths, or one is below 1.

    Notes
    -----
    The batches are slices of the list of all sequences, sorted by length. Padded to the longest of
    each batch, the 12,544 training sentences of the English Web Treebank take 1.02 times as
    many steps as they have words, in batches of 32; in one array they take 9.7 times as many.

    Examples
    --------
    >>> [batch.tolist() for batch in batches_by_length([9, 2, 8, 3, 9], 2)]
    [[1, 3], [2, 0], [4]]
    """
    size = whole("batches_by_length", "batch_size", batch_size)
    known = np.asarray(lengths)
    if known.ndim != 1 or not known.size or known.dtype.kind not in "iu" or known.min() < 1:
        raise ValueError(
            "batches_by_length: lengths must be integers of at least 1, one for each sequence"
        )
    order = np.arange(len(known))
    random = None
    if seed is not None:
        seed = whole("batches_by_length", "seed", seed, least=0)
        random = np.random.Generator(np.random.Philox(key=seed))
        order = random.permutation(order)
    order = order[np.argsort(known[order], kind="stable")]
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    if random is not None:
        batches = [batches[place] for place in random.permutation(len(batches))]
    return batches
