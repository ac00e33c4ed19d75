"""Tables of text for models, programs, profiles and histories."""

from __future__ import annotations

import re
import sys
from itertools import zip_longest
from textwrap import fill, wrap
from typing import TYPE_CHECKING

from gyaku.terminal import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Table", "quantity"]

_PIECES = re.compile(r".+?(?:\s+|[._](?=[a-z])|$)")
_INDENT = "  "
_LEAST = 8
"""Least width of a column of a table that is too wide, half of that of the first."""


class Table:
    """Table of text: rows under a header, printed in columns.

    Parameters
    ----------
    title : str
        A line above.
    header : sequence of str
        The names of the columns.
    rows : sequence of sequence of str
        The rows; the first column is aligned to the left, the others to the right.
    footer : str
        A line below.

    Examples
    --------
    >>> Table("Fruit", ["kind", "number"], [["apples", "10"], ["pears", "2"]])
    Fruit
    kind    number
    ------  ------
    apples      10
    pears        2
    """

    def __init__(
        self,
        title: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        footer: str = "",
    ) -> None:
        self.title = title
        self.header = header
        self.rows = rows
        self.footer = footer

    def __str__(self) -> str:
        return self.text(columns(sys.stdout))

    def text(self, width: int = 0) -> str:
        """Return the table as text.

        Parameters
        ----------
        width : int
            Largest number of characters of a line, into which cells are broken; 0 for any.

        Returns
        -------
        str
            The lines.
        """
        table = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        if width and not _shrink(widths, width):
            lines = [line for row in self.rows for line in self._stacked(row, width)]
        else:
            lines = [line for row in table for line in _lines(row, widths)]
            rule = "  ".join("-" * each for each in widths)
            lines.insert(len(_lines(self.header, widths)), rule)
        title, footer = (_wrapped(text, width) for text in (self.title, self.footer))
        return "\n".join(filter(None, [title, *lines, footer]))

    def _stacked(self, row: Sequence[str], width: int) -> list[str]:
        """Return a row as its first cell, and below it the others with their names."""
        first, *others = row
        named = zip(self.header[1:], others, strict=True)
        text = ", ".join(f"{name} {cell}" for name, cell in named if cell)
        below = wrap(text, width, initial_indent="    ", subsequent_indent="    ")
        return [*_broken(first, width), *below]

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from html import escape

        def row(cells: Sequence[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead>{row(self.header, 'th')}</thead><tbody>{body}</tbody></table>"
            f"<p>{escape(self.footer)}</p>"
        )


def _shrink(widths: list[int], limit: int) -> bool:
    """Narrow the widest columns of a table that is too wide; return whether it fits then."""
    least = [min(width, _LEAST if place else 2 * _LEAST) for place, width in enumerate(widths)]
    gaps = 2 * (len(widths) - 1)
    while sum(widths) + gaps > limit:
        spare = [width if width > few else 0 for width, few in zip(widths, least, strict=True)]
        if not any(spare):
            return False
        widths[spare.index(max(spare))] -= 1
    return True


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return a row as lines of text; a cell that is too wide continues in the next one."""
    cells = [_broken(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = zip_longest(*cells, fillvalue="")
    return ["  ".join(_aligned(line, widths)).rstrip() for line in lines]


def _broken(cell: str, width: int) -> list[str]:
    """Break a cell at spaces, and within a path or a name of several words."""
    lines = [""]
    for piece in _PIECES.findall(cell):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append(_INDENT)
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:  # a word longer than the column
            lines[-1:] = [lines[-1][:width], _INDENT + lines[-1][width:]]
    return [line.rstrip() for line in lines]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]


def _wrapped(text: str, width: int) -> str:
    """Break the lines of a text that are too long."""
    if not width:
        return text
    return "\n".join(fill(line, width) for line in text.splitlines())


def quantity(value: float, unit: str) -> str:
    """Format a number with an SI prefix.

    Parameters
    ----------
    value : float
        The number.
    unit : str
        Its unit.

    Returns
    -------
    str
        At most four digits, prefix and unit.

    Examples
    --------
    >>> quantity(1234567, "FLOP"), quantity(12, "B"), quantity(0, "B")
    ('1.23 MFLOP', '12 B', '0 B')
    """
    prefixes = ["", "k", "M", "G", "T", "P"]
    while abs(value) >= 999.5 and len(prefixes) > 1:
        value /= 1000
        prefixes.pop(0)
    return f"{value:.3g} {prefixes[0]}{unit}"
