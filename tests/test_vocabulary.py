"""Vocabularies: ids in a frozen order; features of words."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gyaku as gk
from gyaku.data import Vocabulary, word_features

TEXT = ["b", "a", "b", "c", "b", "a", "d"]


def test_frequent_words_come_first_and_the_order_of_the_text_does_not_matter() -> None:
    assert Vocabulary.counted(TEXT).words == ("b", "a", "c", "d")
    assert Vocabulary.counted(reversed(TEXT)) == Vocabulary.counted(TEXT)


def test_rare_words_are_unknown() -> None:
    words = Vocabulary.counted(TEXT, minimum=2)
    assert words.words == ("b", "a")
    np.testing.assert_array_equal(words.encode(["b", "c", "a", "e"]), [2, 1, 3, 1])
    assert "b" in words
    assert "c" not in words
    assert "<unknown>" not in words


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, [2, 3]),
        ({"padding": False}, [1, 2]),
        ({"unknown": False}, [1, 2]),
        ({"padding": False, "unknown": False}, [0, 1]),
    ],
)
def test_ids_begin_behind_padding_and_unknown(options: dict[str, bool], ids: list[int]) -> None:
    words = Vocabulary(["x", "y"], **options)
    np.testing.assert_array_equal(words.encode(["x", "y"]), ids)
    assert words.decode(ids) == ["x", "y"]
    assert len(words) == len(list(words)) == ids[-1] + 1
    if words.unknown:
        np.testing.assert_array_equal(words.encode(["z"]), [ids[0] - 1])


def test_ids_have_the_shape_of_the_nesting() -> None:
    words = Vocabulary(["x", "y"])
    assert words.encode([("x", "y", "z"), ["y", "y", "y"]]).tolist() == [[2, 3, 1], [3, 3, 3]]
    assert words.encode([]).shape == (0,)
    assert words.encode(["x"]).dtype == np.int64


words = st.lists(st.text(), min_size=1, unique=True)


@settings(max_examples=50, deadline=None)
@given(words, st.booleans(), st.booleans())
def test_json_gives_the_same_vocabulary_back(
    words: list[str], padding: bool, unknown: bool
) -> None:
    written = Vocabulary(words, padding=padding, unknown=unknown)
    text = written.to_json()
    read = Vocabulary.from_json(text)
    assert (read, hash(read), read.to_json()) == (written, hash(written), text)
    assert read.decode(read.encode(words)) == words


def test_vocabularies_of_the_same_names_differ_by_their_ids() -> None:
    assert Vocabulary(["<unknown>"], unknown=False) != Vocabulary(["x"])
    assert Vocabulary(["x"]) != Vocabulary(["x"], padding=False)
    assert Vocabulary(["x"]) != "x"


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: Vocabulary(["a", "b", "a"]),
            ValueError,
            "Vocabulary: each word must occur once, 'a' occurs twice",
        ),
        (lambda: Vocabulary([]), ValueError, "Vocabulary: there must be at least one word"),
        (lambda: Vocabulary(["a", 1]), TypeError, "Vocabulary: words must be str, got 1"),
        (
            lambda: Vocabulary(["a"], padding=0),
            TypeError,
            "Vocabulary: padding must be True or False, got 0",
        ),
        (
            lambda: Vocabulary.counted(TEXT, minimum=4),
            ValueError,
            "Vocabulary: no word occurs 4 times, the minimum",
        ),
        (
            lambda: Vocabulary(["a"], unknown=False).encode([["a"], ["z"]]),
            ValueError,
            "Vocabulary: 'z' is none of its words",
        ),
        (
            lambda: Vocabulary(["a"]).encode("abc"),
            TypeError,
            (
                "Vocabulary: encode takes a sequence of words, got 'abc'; write list(word) for its"
                " characters"
            ),
        ),
        (
            lambda: Vocabulary(["a"]).encode([["a"], ["a", "b"]]),
            ValueError,
            (
                "Vocabulary: encode takes sequences of equally many words; encode each sequence,"
                " then pad them"
            ),
        ),
        *(
            (
                lambda words=words: Vocabulary(["a"]).encode(words),
                TypeError,
                f"Vocabulary: encode takes words, each a str, got {odd!r} among them",
            )
            for words, odd in [
                (["a", np.nan], np.nan),
                (["a", None], None),
                ([3], 3),
                ([["a"], "bc"], "bc"),
                (["a", ["b"]], ["b"]),
            ]
        ),
        *(
            (
                lambda ids=ids: Vocabulary(["a"]).decode(ids),
                TypeError,
                f"Vocabulary: decode takes ids, each an integer, got {odd} among them",
            )
            for ids, odd in [([1, 1.5], 1.5), ([[1]], [1])]
        ),
        (
            lambda: Vocabulary(["a"]).decode([2, 3]),
            ValueError,
            "Vocabulary: ids go from 0 to 2, got 3",
        ),
        (
            lambda: word_features(""),
            ValueError,
            "word_features: word must have at least one character, got ''",
        ),
        (lambda: word_features(3), TypeError, "word_features: word must be a str, got 3"),
    ],
)
def test_invalid_arguments_are_refused(call, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(sentence)}$"):
        call()


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"padding": true, "unknown": true, "words": 3}']
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an object with the keys padding, unknown and words$"):
        Vocabulary.from_json(text)


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1), st.integers(0, 4), st.integers(0, 4))
def test_each_word_has_the_same_number_of_features(word: str, prefixes: int, suffixes: int) -> None:
    features = word_features(word, prefixes=prefixes, suffixes=suffixes)
    assert len(features) == 2 + prefixes + suffixes


def test_the_kinds_of_features_do_not_mix() -> None:
    found = word_features("I", prefixes=2, suffixes=2)
    assert found == ("word i", "prefix i", "prefix i", "suffix i", "suffix i", "shape X")


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("NATO", "X"),
        ("iPhone16", "xXx0"),
        ("100,000", "0,0"),
        ("コンビニの店", "アあ漢"),
        ("B2B", "X0X"),
    ],
)
def test_the_shape_has_a_character_for_each_run(word: str, shape: str) -> None:
    assert word_features(word)[-1] == f"shape {shape}"


def test_characters_are_words_of_a_vocabulary_of_their_own() -> None:
    characters = Vocabulary.counted("".join(TEXT))
    ids, lengths = gk.data.pad([characters.encode(list(word)) for word in ("bad", "c")])
    assert (ids.tolist(), lengths.tolist()) == ([[2, 3, 5], [4, 0, 0]], [3, 1])
