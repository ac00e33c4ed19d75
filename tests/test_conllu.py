"""CoNLL-U is read as it stands, and what is no CoNLL-U is refused with its line."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import pytest

import gyaku as gk
from gyaku.files import FileError


def row(number: str, form: str, upos: str = "X", *, misc: str = "_") -> str:
    return f"{number}\t{form}\t{form.lower()}\t{upos}\t_\t_\t0\troot\t_\t{misc}"


TWO = "\n".join(
    [
        "# sent_id = first",
        "# text = Don't!",
        row("1-2", "Don't"),
        row("1", "Do", "AUX", misc="Gloss=a=b"),
        row("2", "n't", "PART"),
        row("2.1", "go"),
        row("3", "!", "PUNCT"),
        "",
        row("1", "猫", "NOUN"),
    ]
)


def read(text: str | bytes) -> list[gk.data.Sentence]:
    content = text if isinstance(text, bytes) else text.encode()
    return gk.data.read_conllu(io.BytesIO(content), name="words.conllu")


def test_words_are_read_without_multiword_tokens_and_empty_nodes() -> None:
    first, second = read(TWO)
    assert first.form == ("Do", "n't", "!")
    assert first.upos == ("AUX", "PART", "PUNCT")
    assert (second.form, second.lemma) == (("猫",), ("猫",))


def test_fields_stay_the_text_of_the_file() -> None:
    assert read(TWO)[0].misc[0] == "Gloss=a=b"


def test_comments_belong_to_their_sentence() -> None:
    first, second = read(TWO)
    assert first.metadata == {"sent_id": "first", "text": "Don't!"}
    assert second.comments == ()


@pytest.mark.parametrize(
    "text",
    [
        TWO + "\n",
        TWO + "\n\n\n",
        "\n" + TWO,
        TWO.replace("\n\n", "\n \n\n"),
        TWO.replace("\n", "\r\n"),
        "\ufeff" + TWO,
        gzip.compress(TWO.encode()),
    ],
    ids=["last line", "blank lines", "blank start", "spaces", "CRLF", "mark", "gzipped"],
)
def test_a_file_may_be_written_in_several_ways(text: str | bytes) -> None:
    assert read(text) == read(TWO)


def test_a_word_may_hold_a_space_and_any_line_separator_of_unicode() -> None:
    [sentence] = read(row("1", "vì\u2028 vậy"))
    assert sentence.form == ("vì\u2028 vậy",)


def test_a_file_without_words_has_no_sentences() -> None:
    assert read("") == read("# only a comment\n\n") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f"# a comment\n{row('1', 'a')}\n2\tb\tb\tX",
            "words.conllu, line 3 must have 10 fields separated by tabs, got 4",
        ),
        (
            row("1", "a").replace("\t", " "),
            (
                "words.conllu, line 1 must have 10 fields separated by tabs, got 1, separated by"
                " spaces instead of tabs"
            ),
        ),
        (
            row("1", "a", ""),
            "words.conllu, line 1 has an empty field 4, write _ for no value",
        ),
        (
            f"{row('1', 'a')}\n{row('3', 'c')}",
            "words.conllu, line 2 must be word 2 of its sentence, got '3'",
        ),
        (f"{row('one', 'a')}", "words.conllu, line 1 must be word 1 of its sentence, got 'one'"),
        (
            row("1", "a").encode() + b"\n\n" + row("1", "b").encode() + b"\xff",
            "words.conllu, line 3 is not UTF-8 text: invalid start byte",
        ),
        (gzip.compress(TWO.encode())[:-9], "words.conllu is truncated: its gzip stream has no end"),
        (b"<!DOCTYPE html><html>", "words.conllu is a web page, not a data file"),
    ],
)
def test_an_invalid_file_is_refused_with_its_line(text: str | bytes, sentence: str) -> None:
    with pytest.raises(FileError, match=f"^{re.escape(sentence)}$"):
        read(text)


def test_a_path_is_the_name_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "broken.conllu"
    path.write_text("1\ta")
    with pytest.raises(FileError, match=re.escape(f"{path}, line 1 must have 10 fields")):
        gk.data.read_conllu(path)


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that GYAKU_DATA names, with the dev part of a treebank."""
    folder = tmp_path / "ud_tiny"
    folder.mkdir()
    (folder / "xx_tiny-ud-dev.conllu.gz").write_bytes(gzip.compress(TWO.encode()))
    monkeypatch.setenv("GYAKU_DATA", str(tmp_path))
    return folder


def test_a_treebank_is_found_in_the_folder_of_the_data(bank: Path) -> None:
    assert gk.data.treebank("tiny", "dev") == read(TWO)
    assert gk.data.treebank("any", "dev", folder=bank) == read(TWO)


def test_a_treebank_that_is_not_here_is_named_with_its_folder(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match=rf"no \*-test.conllu or .conllu.gz in {bank};"):
        gk.data.treebank("tiny", "test")
    with pytest.raises(ValueError, match="split must be train, dev or test, got 'valid'"):
        gk.data.treebank("tiny", "valid")
    monkeypatch.delenv("GYAKU_DATA")
    with pytest.raises(FileNotFoundError, match="ud_tiny in the folder that GYAKU_DATA names"):
        gk.data.treebank("tiny", "dev")
