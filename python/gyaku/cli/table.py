"""Tables of texts: files with a header and one sample a row."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from gyaku.files import FileError
from gyaku.names import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["TABLES", "Table", "as_number", "listed", "read_table"]

TABLES = {".csv", ".tsv", ".txt"}
"""Suffixes of tables."""

_MISSING = {"", "na", "n/a", "nan", "null", "?"}
_LONGEST = max(map(len, _MISSING))
_TRUTH = {"true": 1.0, "false": 0.0}
_SHOWN = 12


class Table:
    """Columns of texts by name.

    Parameters
    ----------
    path : Path
        The file, for errors.
    cells : dict of str to list of str
        The columns.
    lines : list of int
        Line of the file on which each row ends.
    comma : bool
        Whether numbers have a decimal comma, as they may where columns are not separated by one.
    """

    def __init__(
        self, path: Path, cells: dict[str, list[str]], lines: list[int], comma: bool = False
    ) -> None:
        self.path, self.cells, self.lines, self.comma = path, cells, lines, comma
        self._numbers: dict[str, list[float | None]] = {}

    def __len__(self) -> int:
        return len(self.lines)

    def header_hint(self) -> str:
        """Return the end of a sentence if the first line holds a number, in place of a header.

        Returns
        -------
        str
            The end, or "".
        """
        odd = [name for name in self.cells if as_number(name, comma=self.comma) is not None]
        return f"; its first line must name the columns, but holds {odd[0]}" if odd else ""

    def column(self, name: str) -> list[str]:
        """Return a column.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        list of str
            Its texts.

        Raises
        ------
        FileError
            If there is no such column.
        """
        if name not in self.cells:
            raise FileError(f"{self.path}: {unknown('column', name, self.cells)}")
        return self.cells[name]

    def numbers(self, name: str) -> list[float | None]:
        """Return the numbers of a column.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        list of float or None
            A number for each row, None for any other text.
        """
        if name not in self._numbers:
            texts = self.column(name)
            self._numbers[name] = _plain_numbers(texts) or [
                as_number(text, comma=self.comma) for text in texts
            ]
        return self._numbers[name]

    def missing(self, names: Iterable[str]) -> list[tuple[int, str]]:
        """Return the places of missing values.

        Parameters
        ----------
        names : iterable of str
            The columns to search.

        Returns
        -------
        list of (int, str)
            Row and column of each, by rows.
        """
        places = [
            (row, name)
            for name in names
            for row, text in enumerate(self.column(name))
            if len(text) <= _LONGEST and text.lower() in _MISSING
        ]
        return sorted(places, key=lambda place: place[0])

    def check_complete(self, names: Iterable[str], remedy: str = "") -> None:
        """Raise if a value is missing.

        Parameters
        ----------
        names : iterable of str
            The columns to search.
        remedy : str
            End of the sentence.

        Raises
        ------
        FileError
            If there is an empty cell, or one with NA, NaN, null or a question mark.
        """
        places = self.missing(names)
        if places:
            row, name = places[0]
            count = "a value" if len(places) == 1 else f"{len(places):,} values"
            raise FileError(
                f"{self.path} lacks {count}, the first in column {name!r} in line"
                f" {self.lines[row]}{remedy}"
            )

    def only(self, rows: Sequence[int]) -> Table:
        """Return some rows of the table.

        Parameters
        ----------
        rows : sequence of int
            Indices of the rows.

        Returns
        -------
        Table
            These rows.
        """
        cells = {name: [column[row] for row in rows] for name, column in self.cells.items()}
        return Table(self.path, cells, [self.lines[row] for row in rows], self.comma)


def _plain_numbers(texts: Sequence[str]) -> list[float | None]:
    """Return the numbers of texts that are all finite numbers, [] otherwise."""
    try:
        numbers = [*map(float, texts)]
    except ValueError:
        return []
    return [*numbers] if all(map(math.isfinite, numbers)) and "_" not in "".join(texts) else []


def as_number(text: str, *, comma: bool = False) -> float | None:
    """Return the number that a text stands for.

    Parameters
    ----------
    text : str
        The text; true and false stand for 1 and 0.
    comma : bool
        Whether a decimal comma is taken for a point.

    Returns
    -------
    float or None
        The number, None if it is none or not finite.

    Examples
    --------
    >>> as_number("1e3"), as_number("True"), as_number("1,5", comma=True), as_number("red")
    (1000.0, 1.0, 1.5, None)
    """
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    try:
        value = float(text.replace(",", ".", 1) if comma else text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence, shortened if there are many.

    Parameters
    ----------
    names : sequence of str
        The names.

    Returns
    -------
    str
        At most a dozen of them.
    """
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def read_table(path: Path) -> Table:
    """Read a table with a header.

    Parameters
    ----------
    path : Path
        Text in UTF-8, UTF-16 or Shift-JIS, with commas, semicolons or tabs between the columns,
        whichever the first line has most of.

    Returns
    -------
    Table
        The columns.

    Raises
    ------
    FileError
        If the file is no text, has no header, no rows, or a row of another length.
    """
    text = _decoded(path)
    head = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t;,", key=head.count) if any(map(head.count, "\t;,")) else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if any(map(str.strip, row)):
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise FileError(f"{path} is no table: {error} in line {reader.line_num}") from None
    names = _header(path, rows)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(names):
            raise FileError(
                f"{path} has {len(row)} columns in line {line}, but its header has {len(names)}"
            )
    columns = map(list, zip(*rows[1:], strict=True))
    return Table(path, dict(zip(names, columns, strict=True)), lines[1:], delimiter != ",")


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ["utf-16"] if wide else ["utf-8-sig", "cp932"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise FileError(f"{path} is not a text file")


def _header(path: Path, rows: list[list[str]]) -> list[str]:
    """Return the names of the columns; raise unless the first row holds names."""
    if len(rows) < 2:
        raise FileError(f"{path} holds no {'rows behind its header' if rows else 'table'}")
    # The index of a data frame has no name.
    names = [name or f"column {place}" for place, name in enumerate(rows[0], 1)]
    if all(as_number(name) is not None for name in names):
        raise FileError(
            f"{path} has no header: its first line must hold the names of the columns, not numbers"
        )
    for place, name in enumerate(names):
        if name in names[:place]:
            raise FileError(f"{path} has two columns named {name!r}")
    return names
