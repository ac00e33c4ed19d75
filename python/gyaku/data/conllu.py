"""Reader for CoNLL-U, the file format of Universal Dependencies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gyaku.data.lines import read_lines
from gyaku.files import FileError

if TYPE_CHECKING:
    import os
    from typing import IO

__all__ = ["UPOS", "Sentence", "read_conllu"]

UPOS = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN"),
    *("PUNCT", "SCONJ", "SYM", "VERB", "X"),
)
"""The 17 universal part-of-speech tags, which treebanks of all languages share."""

_FIELDS = 10
# A multiword token such as 1-2, or an empty node such as 1.1: both stand beside the words.
_BESIDE = re.compile(r"[0-9]+[-.][0-9]+")


class Sentence(NamedTuple):
    """Words of a sentence, a tuple of strings for each column of CoNLL-U.

    Parameters
    ----------
    form, lemma : tuple of str
        The words as written, and their dictionary forms.
    upos, xpos : tuple of str
        Part-of-speech tags: universal ones, of `UPOS`, and those of the language.
    feats : tuple of str
        Morphological features.
    head, deprel : tuple of str
        Number of the syntactic head, "0" for the root, and the relation to it.
    deps, misc : tuple of str
        Enhanced dependencies, and everything else.
    comments : tuple of str
        Comment lines of the sentence, without ``#``.

    Notes
    -----
    Fields are the text of the file, unchanged; "_" is an absent value.
    """

    form: tuple[str, ...]
    lemma: tuple[str, ...]
    upos: tuple[str, ...]
    xpos: tuple[str, ...]
    feats: tuple[str, ...]
    head: tuple[str, ...]
    deprel: tuple[str, ...]
    deps: tuple[str, ...]
    misc: tuple[str, ...]
    comments: tuple[str, ...] = ()

    @property
    def metadata(self) -> dict[str, str]:
        """Comments of the form ``key = value``, such as ``sent_id`` and ``text``."""
        pairs = (comment.partition("=") for comment in self.comments if "=" in comment)
        return {key.strip(): value.strip() for key, _, value in pairs}


def read_conllu(
    source: str | os.PathLike[str] | IO[bytes], *, name: str | None = None
) -> list[Sentence]:
    r"""Read the sentences of a CoNLL-U file, gzipped or not.

    Parameters
    ----------
    source : str, path-like or binary file
        The file, in UTF-8, with or without a byte order mark; gzip is detected from its content.
    name : str, optional
        Name for error messages, by default the path.

    Returns
    -------
    list of Sentence
        The sentences. Multiword tokens (1-2) and empty nodes (1.1) are left out: the words of a
        multiword token stand on lines of their own.

    Raises
    ------
    FileError
        If a line is not CoNLL-U, with its number: not ten fields separated by tabs, an empty
        field, or a word out of order.
    OSError
        If the file cannot be read.

    Notes
    -----
    A word is a line of ten fields; a blank line ends a sentence, which the last one may lack; lines
    that begin with ``#`` are comments [1]_.

    References
    ----------
    .. [1] M.-C. de Marneffe, C. D. Manning, J. Nivre, D. Zeman, *Universal Dependencies*,
       Computational Linguistics 47 (2), 2021, https://universaldependencies.org/format.html

    Examples
    --------
    >>> import io
    >>> rows = [
    ...     "# text = Birds sing",
    ...     "1 Birds bird NOUN NNS _ 2 nsubj _ _",
    ...     "2 sing sing VERB VBP _ 0 root _ _",
    ... ]
    >>> lines = [rows[0], *(row.replace(" ", "\t") for row in rows[1:])]
    >>> [sentence] = read_conllu(io.BytesIO("\n".join(lines).encode()))
    >>> sentence.form, sentence.upos, sentence.metadata["text"]
    (('Birds', 'sing'), ('NOUN', 'VERB'), 'Birds sing')
    """
    lines, name = read_lines(source, name=name)
    sentences: list[Sentence] = []
    words: list[list[str]] = []
    comments: list[str] = []
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip():
            if words:
                _, *columns = zip(*words, strict=True)
                sentences.append(Sentence._make([*columns, tuple(comments)]))
            words, comments = [], []
        elif line.startswith("#"):
            comments.append(line[1:].strip())
        else:
            fields = line.split("\t")
            if fields[0] != str(len(words) + 1) or len(fields) != _FIELDS or "" in fields:
                _check(name, number, fields, len(words) + 1)
                continue
            words.append(fields)
    return sentences


def _check(name: str, number: int, fields: list[str], word: int) -> None:
    """Raise unless a line is a multiword token or an empty node."""
    where = f"{name}, line {number}"
    if len(fields) != _FIELDS:
        hint = ", separated by spaces instead of tabs" if len(fields) == 1 else ""
        raise FileError(
            f"{where} must have {_FIELDS} fields separated by tabs, got {len(fields)}{hint}"
        )
    if "" in fields:
        raise FileError(f"{where} has an empty field {fields.index('') + 1}, write _ for no value")
    if not _BESIDE.fullmatch(fields[0]):
        raise FileError(f"{where} must be word {word} of its sentence, got {fields[0]!r}")
