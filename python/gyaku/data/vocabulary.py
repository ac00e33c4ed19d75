"""Vocabulary: ids of words, of their features, or of tags."""

from __future__ import annotations

import json
import operator
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import truth, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Vocabulary"]

PADDING, UNKNOWN = "<padding>", "<unknown>"


class Vocabulary:
    """Words and their ids, in an order that never changes.

    Parameters
    ----------
    words : iterable of str
        The words, each once, in the order of their ids.
    padding : bool, default True
        Whether id 0 is kept for the padding of short sequences.
    unknown : bool, default True
        Whether the next id stands for all other words; without it they raise.

    Attributes
    ----------
    words : tuple of str
        The words.
    padding, unknown : bool
        The arguments.

    Raises
    ------
    TypeError
        If a word is no str.
    ValueError
        If a word occurs twice, or there are none.

    Notes
    -----
    ``len(vocabulary)`` counts the ids of padding and unknown words, so that it is the
    ``vocabulary_size`` of an embedding. A vocabulary of classes, such as tags, has neither of them:
    its ids are class numbers from 0 on.

    Examples
    --------
    >>> words = Vocabulary.counted("the cat sees the dog".split(), minimum=1)
    >>> words.encode(["the", "dog", "barks"])
    array([2, 4, 1])
    >>> words.decode([2, 4, 1])
    ['the', 'dog', '<unknown>']
    >>> tags = Vocabulary(["DET", "NOUN", "VERB"], padding=False, unknown=False)
    >>> tags.encode([["DET", "NOUN"], ["NOUN", "VERB"]])
    array([[0, 1],
           [1, 2]])
    """

    __slots__ = ("_ids", "_names", "padding", "unknown", "words")

    def __init__(self, words: Iterable[str], *, padding: bool = True, unknown: bool = True) -> None:
        self.words = tuple(words)
        self.padding = truth("Vocabulary", "padding", padding)
        self.unknown = truth("Vocabulary", "unknown", unknown)
        _check_words(self.words)
        self._names = (*[PADDING] * self.padding, *[UNKNOWN] * self.unknown, *self.words)
        first = len(self._names) - len(self.words)
        self._ids = {word: first + place for place, word in enumerate(self.words)}

    @classmethod
    def counted(cls, words: Iterable[str], *, minimum: int = 1, **options: bool) -> Vocabulary:
        """Return the vocabulary of a text.

        Parameters
        ----------
        words : iterable of str
            All words of the text.
        minimum : int, default 1
            Least number of occurrences; rarer words are unknown. From 2 on, the training itself has
            unknown words, so that a network learns what to make of them.
        **options : bool
            Further arguments of the constructor.

        Returns
        -------
        Vocabulary
            The words, the most frequent first, equally frequent ones in the order of the code
            points: the order of the text does not matter.

        Raises
        ------
        ValueError
            If no word is frequent enough.

        Examples
        --------
        >>> Vocabulary.counted("to be or not to be".split(), minimum=2).words
        ('be', 'to')
        """
        minimum = whole("Vocabulary", "minimum", minimum)
        counts = Counter(words)
        kept = [word for word, count in counts.items() if count >= minimum]
        if counts and not kept:
            raise ValueError(f"Vocabulary: no word occurs {minimum} times, the minimum")
        return cls(sorted(kept, key=lambda word: (-counts[word], word)), **options)

    def encode(self, words: Any) -> NDArray[np.int64]:
        """Return the ids of words.

        Parameters
        ----------
        words : sequence of str
            The words; or sequences of equally many words, nested to any depth.

        Returns
        -------
        ndarray of int64
            The ids, in the shape of the nesting.

        Raises
        ------
        TypeError
            If they are a single str, whose characters would be taken for words, or hold something
            else than str.
        ValueError
            If a word is unknown and the vocabulary has no id for unknown words, or the nesting is
            ragged.
        """
        if isinstance(words, str):
            raise TypeError(
                f"Vocabulary: encode takes a sequence of words, got {words!r}; write list(word) for"
                " its characters"
            )
        try:
            return np.array(self._nested(words), np.int64)
        except KeyError as error:
            raise ValueError(f"Vocabulary: {error.args[0]!r} is none of its words") from None
        except ValueError:
            raise ValueError(
                "Vocabulary: encode takes sequences of equally many words; encode each sequence,"
                " then pad them"
            ) from None

    def _nested(self, words: Any) -> list[Any]:
        if isinstance(words, str) or not isinstance(words, Iterable):
            raise _no_word(words)
        words = list(words)
        if words and not isinstance(words[0], str):
            return [self._nested(each) for each in words]
        for each in words:
            if not isinstance(each, str):
                raise _no_word(each)
        if self.unknown:
            unknown, ids = int(self.padding), self._ids
            return [ids.get(word, unknown) for word in words]
        return [self._ids[word] for word in words]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the words of ids.

        Parameters
        ----------
        ids : iterable of int
            The ids, in one dimension.

        Returns
        -------
        list of str
            The words; ``"<padding>"`` and ``"<unknown>"`` for the ids that are no word's.

        Raises
        ------
        TypeError
            If an id is no integer.
        ValueError
            If one is outside the vocabulary.
        """
        found = []
        for each in ids:
            try:
                place = operator.index(each)
            except TypeError:
                raise TypeError(
                    f"Vocabulary: decode takes ids, each an integer, got {each!r} among them"
                ) from None
            if not 0 <= place < len(self):
                raise ValueError(f"Vocabulary: ids go from 0 to {len(self) - 1}, got {each}")
            found.append(self._names[place])
        return found

    def to_json(self) -> str:
        """Return the vocabulary as JSON.

        Returns
        -------
        str
            JSON text, the same for equal vocabularies.

        Examples
        --------
        >>> Vocabulary(["猫"]).to_json()
        '{"padding": true, "unknown": true, "words": ["猫"]}'
        """
        content = {"padding": self.padding, "unknown": self.unknown, "words": self.words}
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Vocabulary:
        """Return the vocabulary of a JSON text.

        Parameters
        ----------
        text : str or bytes
            Result of `to_json`.

        Returns
        -------
        Vocabulary
            The vocabulary.

        Raises
        ------
        ValueError
            If the text is not a vocabulary.

        Examples
        --------
        >>> words = Vocabulary(["the", "cat"])
        >>> Vocabulary.from_json(words.to_json()) == words
        True
        """
        try:
            content: Mapping[str, Any] = json.loads(text)
            if content.keys() != {"padding", "unknown", "words"}:
                raise TypeError
            return cls(**content)
        except (AttributeError, TypeError, json.JSONDecodeError):
            raise ValueError(
                "Vocabulary: from_json takes an object with the keys padding, unknown and words"
            ) from None

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return (self._names, self.unknown) == (other._names, other.unknown)

    def __hash__(self) -> int:
        return hash((self._names, self.unknown))

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self.words)} words, {len(self)} ids>"


def _no_word(given: object) -> TypeError:
    return TypeError(f"Vocabulary: encode takes words, each a str, got {given!r} among them")


def _check_words(words: tuple[str, ...]) -> None:
    """Raise unless there are words, each a str and each once."""
    if not words:
        raise ValueError("Vocabulary: there must be at least one word")
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"Vocabulary: words must be str, got {word!r}")
    if len(set(words)) < len(words):
        word = next(word for word, count in Counter(words).items() if count > 1)
        raise ValueError(f"Vocabulary: each word must occur once, {word!r} occurs twice")
