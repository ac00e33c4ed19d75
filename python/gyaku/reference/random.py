"""Counter-based random numbers: Philox, dropout and permutations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["dropout", "permutation", "philox4x32", "random_words"]

_LOW = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and sqrt(3) - 1
DATA_STREAM = _LOW
"""The stream of the order of samples."""
_GROUP = 128  # elements that share 16 blocks of four words, each word two draws of 16 bits
_LANES = 16


def philox4x32(counter: NDArray[Any], key: NDArray[Any], *, rounds: int = 10) -> NDArray[Any]:
    """Map counters to random words by the Philox4x32 function.

    Parameters
    ----------
    counter : ndarray
        Counters of four 32-bit words, of shape (..., 4).
    key : ndarray
        Key of two 32-bit words, of shape (2,).
    rounds : int, default 10
        Number of rounds.

    Returns
    -------
    ndarray
        Four random words for each counter, uint32 of shape (..., 4).

    Notes
    -----
    A round maps (c0, c1, c2, c3) to (hi1 ^ c1 ^ k0, lo1, hi0 ^ c3 ^ k1, lo0), where hi and lo are
    the halves of the 64-bit products 0xD2511F53 c0 and 0xCD9E8D57 c2; between rounds the key moves
    on by a Weyl sequence. Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2,
    3", SC 2011.

    Examples
    --------
    >>> [hex(word) for word in philox4x32(np.zeros(4, np.uint32), np.zeros(2, np.uint32))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = np.moveaxis(counter.astype(np.uint64), -1, 0)
    k0, k1 = (int(word) for word in key)
    for _ in range(rounds):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> 32) ^ c1 ^ k0,
            product1 & _LOW,
            (product0 >> 32) ^ c3 ^ k1,
            product0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def random_words(blocks: int | NDArray[Any], *, seed: int, stream: int, step: int) -> NDArray[Any]:
    """Return the random words of a stream at one step.

    Parameters
    ----------
    blocks : int or ndarray
        Number of blocks of four words from the first one on, or their indices, of shape (n,).
    seed : int
        Seed, 64 bits.
    stream : int
        Stream, such as that of a dropout layer, 32 bits.
    step : int
        Step or epoch, 64 bits.

    Returns
    -------
    ndarray
        Words, uint32 of shape (n, 4).

    Notes
    -----
    The key is the seed, low word first; the counter is (block, stream, step, step >> 32).

    Examples
    --------
    >>> random_words(2, seed=0, stream=0, step=0).shape
    (2, 4)
    """
    numbers = np.arange(blocks) if isinstance(blocks, int) else blocks
    counter = np.empty((len(numbers), 4), np.uint32)
    counter[:, 0] = numbers
    counter[:, 1:] = stream, step & _LOW, step >> 32
    return philox4x32(counter, np.array([seed & _LOW, seed >> 32], np.uint32))


def dropout(
    x: NDArray[Any], clock: NDArray[Any], *, rate: float, seed: int, stream: int
) -> NDArray[Any]:
    """Return y = x / (1 - rate) where kept, else 0."""
    groups = -(-x.size // _GROUP)
    words = random_words(_LANES * groups, seed=seed, stream=stream, step=int(clock[0]))
    halves = np.stack([words & 0xFFFF, words >> 16], axis=-1)  # block, word, half
    draws = halves.reshape(groups, _LANES, 4, 2).transpose(0, 2, 3, 1)  # group, word, half, lane
    threshold = int(rate * 65536 + 0.5)
    kept = draws.reshape(-1)[: x.size].reshape(x.shape) >= threshold
    return np.where(kept, x / (1 - rate), 0)


def _shuffled(n: int, seed: int, epoch: int) -> list[int]:
    words = random_words(-(-n // 4), seed=seed, stream=DATA_STREAM, step=epoch)
    order = list(range(n))
    for i, word in zip(range(n - 1, 0, -1), words.reshape(-1).tolist(), strict=False):
        j = (word * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]
    return order


def permutation(order: NDArray[Any], n: int, *, seed: int, first_epoch: int) -> NDArray[Any]:
    """Shuffle the integers below n once for each of several epochs."""
    # Fisher and Yates, from the end: for i = n - 1, ..., 1 swap place i with place ⌊r (i + 1)
    # / 2³²⌋, where r is the next random word.
    epochs = range(first_epoch, first_epoch + len(order) // n)
    return np.array([_shuffled(n, seed, epoch) for epoch in epochs], np.int64).reshape(-1)
