"""Tables of text for models, programs, profiles and histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Table", "quantity"]


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
        table = [self.header, *self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(self.header))]
        table.insert(1, ["-" * width for width in widths])
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in table
        ]
        return "\n".join(filter(None, [self.title, *lines, self.footer]))

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
