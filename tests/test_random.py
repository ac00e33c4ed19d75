"""Random numbers: the published vectors, and masks and orders that depend on nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from op_case import Array

from gyaku import _core, reference

# Salmon et al., Random123, known-answer vectors of Philox4x32-10: counter, key, words.
KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN, ids=["zeros", "ones", "pi"])
def test_philox_gives_the_published_words(counter: str, key: str, expected: str) -> None:
    given = np.array(words(counter), np.uint32), np.array(words(key), np.uint32)
    assert reference.philox4x32(*given).tolist() == words(expected)
    assert list(_core.philox(words(counter), words(key))) == words(expected)


def test_philox_takes_counters_of_any_shape() -> None:
    counters = np.arange(24, dtype=np.uint32).reshape(2, 3, 4)
    key = np.array([1, 2], np.uint32)
    one_by_one = [reference.philox4x32(counter, key) for counter in counters.reshape(-1, 4)]
    np.testing.assert_array_equal(
        reference.philox4x32(counters, key).reshape(-1, 4), np.stack(one_by_one)
    )


def dropped(
    size: int, *, rate: float = 0.5, seed: int = 0, stream: int = 0, step: int = 0
) -> Array:
    clock = np.array([step])
    y = reference.dropout(np.ones(size), clock, rate=rate, seed=seed, stream=stream)
    return np.asarray(y == 0)


def test_dropout_draws_as_it_says() -> None:
    # Element by element, in plain Python, from the sentence in the docstring.
    seed, stream, step, rate = 5 + (7 << 32), 3, 9 + (1 << 32), 0.3
    mask = dropped(300, rate=rate, seed=seed, stream=stream, step=step)
    for element in range(300):
        group, within = divmod(element, 128)
        word_and_half, lane = divmod(within, 16)
        word, half = divmod(word_and_half, 2)
        block = _core.philox([16 * group + lane, stream, 9, 1], [5, 7])
        draw = (block[word] >> (16 * half)) & 0xFFFF
        assert mask[element] == (draw < math.floor(rate * 65536 + 0.5)), element


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share(rate: float) -> None:
    n = 100_000
    share = dropped(n, rate=rate).mean()
    assert abs(share - rate) < 5 * math.sqrt(rate * (1 - rate) / n)


@pytest.mark.parametrize("other", [{"seed": 1}, {"stream": 1}, {"step": 1}, {"step": 2**32}])
def test_dropout_depends_on_seed_stream_and_step(other: dict[str, Any]) -> None:
    n = 100_000
    agree = (dropped(n) == dropped(n, **other)).mean()
    assert abs(agree - 0.5) < 5 * math.sqrt(0.25 / n)  # like two coins


def test_dropout_of_a_part_is_a_part_of_dropout() -> None:
    np.testing.assert_array_equal(dropped(1000)[:333], dropped(333))


def test_dropout_keeps_what_it_keeps_in_scale() -> None:
    x = np.arange(1.0, 101)
    y = reference.dropout(x, np.array([0]), rate=0.2, seed=0, stream=0)
    np.testing.assert_array_equal(y[y != 0], x[y != 0] / 0.8)
    np.testing.assert_array_equal(
        reference.dropout(x, np.array([0]), rate=0.0, seed=0, stream=0), x
    )


def orders(n: int, epochs: int, *, seed: int = 0, first_epoch: int = 0) -> Array:
    order = np.empty(n * epochs, np.int64)
    return reference.permutation(order, n, seed=seed, first_epoch=first_epoch).reshape(epochs, n)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 17, 1000])
def test_permutation_permutes(n: int) -> None:
    for order in orders(n, 3):
        assert sorted(order) == list(range(n))


def test_an_epoch_has_its_permutation_wherever_it_is_asked_for() -> None:
    together = orders(17, 5, first_epoch=2**32 - 2)
    apart = [orders(17, 1, first_epoch=2**32 - 2 + k)[0] for k in range(5)]
    np.testing.assert_array_equal(together, apart)
    assert len({tuple(order) for order in apart}) == 5
    assert tuple(orders(17, 1, seed=1)[0]) != tuple(orders(17, 1)[0])


def test_permutations_are_equally_frequent() -> None:
    _, counts = np.unique(orders(3, 3000), axis=0, return_counts=True)
    assert len(counts) == 6
    assert (np.abs(counts - 500) < 5 * math.sqrt(3000 * 5 / 36)).all()
