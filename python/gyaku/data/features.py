"""Features of a word that its characters give: beginnings, endings, shape."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby

from gyaku.checks import whole

__all__ = ["word_features"]

# Scripts whose characters stand for themselves as one: hiragana, katakana, Han.
_SCRIPTS = (
    ("あ", "\u3040", "\u309f"),
    ("ア", "\u30a0", "\u30ff"),
    ("漢", "\u3400", "\u9fff"),
)


def word_features(word: str, *, prefixes: int = 3, suffixes: int = 3) -> tuple[str, ...]:
    """Return the features of a word: itself, its beginnings and endings, its shape.

    Parameters
    ----------
    word : str
        The word.
    prefixes, suffixes : int, default 3
        Lengths of the longest prefix and suffix, in characters.

    Returns
    -------
    tuple of str
        The word and its prefixes and suffixes in lower case, each under the name of its kind, then
        its shape: ``2 + prefixes + suffixes`` features. A word that is shorter than a prefix gives
        itself.

    Raises
    ------
    TypeError
        If the word is no str.
    ValueError
        If the word is empty.

    Notes
    -----
    They tell a network about words that the training did not have [1]_. The shape has one character
    for each run of capitals (X), small letters (x), digits (0), hiragana (あ), katakana (ア) and
    Han characters (漢); other characters stand for themselves.

    References
    ----------
    .. [1] A. Ratnaparkhi, *A Maximum Entropy Model for Part-of-Speech Tagging*, Conference on
       Empirical Methods in Natural Language Processing, 1996.

    Examples
    --------
    >>> word_features("Re-running", prefixes=1, suffixes=2)
    ('word re-running', 'prefix r', 'suffix g', 'suffix ng', 'shape Xx-x')
    >>> word_features("食べる", prefixes=1, suffixes=1)
    ('word 食べる', 'prefix 食', 'suffix る', 'shape 漢あ')
    """
    if not isinstance(word, str):
        raise TypeError(f"word_features: word must be a str, got {word!r}")
    if not word:
        raise ValueError("word_features: word must have at least one character, got ''")
    prefixes = whole("word_features", "prefixes", prefixes, least=0)
    suffixes = whole("word_features", "suffixes", suffixes, least=0)
    return _features(word, prefixes, suffixes)


@lru_cache(1 << 16)  # a text repeats its words
def _features(word: str, prefixes: int, suffixes: int) -> tuple[str, ...]:
    lower = word.lower()
    return (
        f"word {lower}",
        *(f"prefix {lower[:length]}" for length in range(1, prefixes + 1)),
        *(f"suffix {lower[-length:]}" for length in range(1, suffixes + 1)),
        f"shape {''.join(kind for kind, _ in groupby(map(_kind, word)))}",
    )


def _kind(character: str) -> str:
    """Return the character that stands for the kind of a character in a shape."""
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    if character.isdigit():
        return "0"
    for kind, first, last in _SCRIPTS:
        if first <= character <= last:
            return kind
    return character
