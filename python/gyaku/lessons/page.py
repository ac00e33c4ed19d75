"""Lessons as files: MyST Markdown with code cells, one file for each lesson and language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gyaku.names import unknown

__all__ = ["LANGUAGES", "Cell", "Lesson", "find_lesson", "lessons"]

LANGUAGES = ("en", "ja")

_FRONT_MATTER = re.compile(r"\A---\n.*?^---\n", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```\{code-cell\}[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"^:\w+:.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """Cell of a lesson.

    Parameters
    ----------
    kind : {"text", "code"}
        Markdown or Python.
    source : str
        The text.
    shown : bool
        False for a check, which runs without being shown (tag ``remove-cell``).

    Examples
    --------
    >>> lessons()[0].cells()[-1].kind
    'code'
    """

    kind: str
    source: str
    shown: bool = True


@dataclass(frozen=True)
class Lesson:
    """Lesson in one language.

    Parameters
    ----------
    number : int
        Place in the course, from 1.
    name : str
        Name for ``gyaku lesson NAME``.
    path : Path
        The file.

    Examples
    --------
    >>> find_lesson("xor").title
    'XOR: two layers of perceptrons'
    """

    number: int
    name: str
    path: Path

    @property
    def title(self) -> str:
        """First heading of the page."""
        return next(line[2:] for line in self._text().splitlines() if line.startswith("# "))

    def cells(self) -> list[Cell]:
        """Return text and code in their order.

        Returns
        -------
        list of Cell
            The cells, empty texts left out.
        """
        text = _FRONT_MATTER.sub("", self._text())
        cells, start = [], 0
        for block in _CODE.finditer(text):
            cells.append(Cell("text", text[start : block.start()].strip()))
            code = block["code"]
            options = "".join(_OPTION.findall(code))
            cells.append(Cell("code", _OPTION.sub("", code), "remove-cell" not in options))
            start = block.end()
        cells.append(Cell("text", text[start:].strip()))
        return [cell for cell in cells if cell.source]

    def _text(self) -> str:
        return self.path.read_text(encoding="utf-8")


def lessons(lang: str = "en") -> list[Lesson]:
    """Return the lessons in the order of the course.

    Parameters
    ----------
    lang : {"en", "ja"}
        The language.

    Returns
    -------
    list of Lesson
        The lessons: a file ``02_xor.md`` is number 2, named xor.

    Raises
    ------
    ValueError
        If the language is unknown.

    Examples
    --------
    >>> lessons()[0].name
    'perceptron'
    """
    if lang not in LANGUAGES:
        raise ValueError(f"lessons: lang must be 'en' or 'ja', got {lang!r}")
    found = []
    for path in sorted((Path(__file__).parent / lang).glob("*.md")):
        number, _, name = path.stem.partition("_")
        found.append(Lesson(int(number), name, path))
    return found


def find_lesson(name: str, lang: str = "en") -> Lesson:
    """Return a lesson.

    Parameters
    ----------
    name : str
        Name or number of the lesson.
    lang : {"en", "ja"}
        The language.

    Returns
    -------
    Lesson
        The lesson.

    Raises
    ------
    ValueError
        If there is no such lesson.

    Examples
    --------
    >>> find_lesson("2").name
    'xor'
    """
    known = lessons(lang)
    wanted = name.lower().replace("-", "_")
    for lesson in known:
        if wanted in (lesson.name, str(lesson.number)):
            return lesson
    raise ValueError(unknown("lesson", name, [lesson.name for lesson in known]))
