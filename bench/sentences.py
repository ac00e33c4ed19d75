"""Sentences of mixed lengths, their batches, and the initial weights of a tagger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bench.data import Weights

SENTENCES, BATCH = 1000, 32
VOCABULARY, WIDTH, UNITS, TAGS = 8000, 64, 128, 17
SHAPE = f"embedding {VOCABULARY} × {WIDTH}-bidirectional lstm {UNITS}-{TAGS}"
LONGEST = 159
"""Length of the longest sentence, as in the English Web Treebank."""
RATE = 1e-3
"""Learning rate of Adam."""


def sentences() -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and tags, padded by zeros to (sentences, longest), and lengths.

    The lengths have about the distribution of those of the English Web Treebank, the frequencies
    of the words are inverse to their ranks.
    """
    random = np.random.default_rng(0)
    drawn = np.exp(random.normal(2.5, 0.85, SENTENCES))
    lengths = np.clip(drawn, 1, LONGEST).astype(np.int64)
    real = np.arange(lengths.max()) < lengths[:, np.newaxis]
    ranks = np.arange(1, VOCABULARY)
    words = random.choice(ranks, real.shape, p=(1 / ranks) / (1 / ranks).sum())
    ids = np.where(real, words, 0).astype(np.int32)
    return ids, np.where(real, words % TAGS, 0), lengths


def batches(
    lengths: NDArray[np.int64], random: np.random.Generator, *, sort: bool = True
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield the rows of each batch of an epoch, in random order, and a number of steps for them.

    With `sort` a batch has sentences of similar lengths. There are few numbers of steps, for which
    a compiler makes a program each.
    """
    order = random.permutation(len(lengths))
    if sort:
        order = order[np.argsort(lengths[order], kind="stable")]
    starts = random.permutation(np.arange(0, len(order), BATCH))
    powers = 2 ** np.arange(2, 10)
    counts = np.sort(np.append(powers, powers + powers // 2))
    for start in starts:
        rows = order[start : start + BATCH]
        longest = lengths[rows].max()
        yield rows, int(min(counts[np.searchsorted(counts, longest)], lengths.max()))


def weights() -> Weights:
    """Return the table, weights of both directions, and those of the tags, in gyaku's layout."""
    random = np.random.default_rng(1)

    def uniform(*shape: int) -> NDArray[np.float32]:
        return random.uniform(-(UNITS**-0.5), UNITS**-0.5, shape).astype(np.float32)

    table = random.normal(0, 0.3, (VOCABULARY, WIDTH)).astype(np.float32)
    table[0] = 0
    columns = 4 * UNITS
    directions = [
        (uniform(WIDTH, columns), uniform(UNITS, columns), np.zeros(columns, np.float32))
        for _ in range(2)
    ]
    return [(table,), *directions, (uniform(2 * UNITS, TAGS), np.zeros(TAGS, np.float32))]
