"""Sequences of different lengths: padding, and batches by length."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyaku.data import batches_by_length, pad

lengths_of = st.lists(st.integers(1, 30), min_size=1, max_size=60)


def test_padding_stands_behind_the_sequences() -> None:
    padded, lengths = pad([[[1, 2]], [[3, 4], [5, 6]]], steps=3)
    assert padded.tolist() == [[[1, 2], [0, 0], [0, 0]], [[3, 4], [5, 6], [0, 0]]]
    assert lengths.tolist() == [1, 2]
    assert (padded.dtype, lengths.dtype) == (np.int64, np.int64)


def test_the_dtype_is_that_of_the_first_sequence_or_the_one_asked_for() -> None:
    assert pad([np.ones(2, np.float32), np.ones(1)])[0].dtype == np.float32
    assert pad([[1], [2, 3]], dtype=np.float64)[0].dtype == np.float64


def test_fractions_do_not_become_integers_unasked() -> None:
    sequences = [[1, 2], [3.5]]
    message = "^pad: sequence 1 holds float64, sequence 0 int64; give the dtype of the array$"
    with pytest.raises(TypeError, match=message):
        pad(sequences)
    assert pad(sequences, dtype=float)[0].tolist() == [[1, 2], [3.5, 0]]


@settings(max_examples=50, deadline=None)
@given(lengths_of, st.integers(1, 9), st.none() | st.integers(0, 2**32))
def test_each_sequence_is_in_one_batch_among_its_like(
    lengths: list[int], size: int, seed: int | None
) -> None:
    batches = batches_by_length(lengths, size, seed=seed)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert sorted(map(len, batches), reverse=True)[:-1] == [size] * (len(batches) - 1)
    assert max(map(len, batches)) <= size
    # Sorted by their shortest, no batch reaches into the next.
    ranges = sorted(
        (min(known), max(known)) for known in ([lengths[i] for i in b] for b in batches)
    )
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(ranges))


def test_a_seed_fixes_the_batches_and_another_one_changes_them() -> None:
    lengths = np.arange(1000) % 50 + 1
    given = [batches_by_length(lengths, 8, seed=seed) for seed in (1, 1, 2)]
    flat = [np.concatenate(batches).tolist() for batches in given]
    assert flat[0] == flat[1] != flat[2]
    assert {frozenset(batch.tolist()) for batch in given[0]} != {
        frozenset(batch.tolist()) for batch in given[2]
    }


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: pad([]), "pad: there must be at least one sequence"),
        (lambda: pad([[1], []]), "pad: sequence 1 must have at least one step"),
        (
            lambda: pad([[[1, 2]], [[1, 2, 3]]]),
            "pad: sequence 1 has steps of shape (3,), sequence 0 (2,)",
        ),
        (
            lambda: pad([[1], [1, 2, 3], [1, 2]], steps=2),
            "pad: sequence 1 has 3 steps, more than 2; cut it first",
        ),
        (lambda: pad([1, 2]), "pad: sequence 0 must be a list or an array of steps, got 1"),
        (lambda: pad([[[1, 2], [3]]]), "pad: the steps of sequence 0 must have one shape"),
        (
            lambda: batches_by_length([1], 0),
            "batches_by_length: batch_size must be at least 1, got 0",
        ),
    ],
)
def test_invalid_arguments_are_refused(call, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        call()


@pytest.mark.parametrize("lengths", [[], [1, 0], [1.0], [[1]]], ids=str)
def test_lengths_are_integers_of_at_least_1(lengths: object) -> None:
    with pytest.raises(ValueError, match="lengths must be integers of at least 1, one for each"):
        batches_by_length(lengths, 2)
