"""Parts of a page in HTML; every text is escaped here, and nowhere else."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["document", "facts", "figure", "header", "heading", "note", "section", "table"]
__all__ += ["number", "tiles"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.5 system-ui, "Noto Sans", "Noto Sans JP", "Noto Sans CJK JP", "Hiragino Sans",
  "Yu Gothic", Meiryo, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 0.6rem; border-bottom: 2px solid #1a1a1a; font-size: 1.3rem; }
h3 { margin: 1.2rem 0 0.4rem; font-size: 1.05rem; }
p { margin: 0.4rem 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.7rem; border-bottom: 1px solid #ccc; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; }
.numbers td, .numbers thead th { text-align: right; }
.numbers thead th:first-child { text-align: left; }
.matrix td { min-width: 2.1em; padding: 0.2em; border: 1px solid #fff; text-align: center; }
.matrix th { border: 0; padding: 0.2em 0.4em; text-align: center; white-space: nowrap; }
.matrix tbody th { text-align: right; }
.long thead th { padding: 0.4em 0; writing-mode: vertical-rl; text-align: right; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
figure { margin: 0; max-width: 40rem; }
figcaption { font-weight: 600; }
.chart { width: 100%; height: auto; font-size: 19px; }
.chart text { fill: #1a1a1a; }
.chart line:where(:not([stroke])) { stroke: #1a1a1a; stroke-width: 1; }
.chart .grid { stroke: #ddd; }
.chart polyline, .chart line[stroke] { stroke-width: 2; }
.chart .middle { text-anchor: middle; }
.chart .end { text-anchor: end; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); gap: 0.7rem;
  margin: 0.6rem 0; padding: 0; list-style: none; }
.tiles li { text-align: center; overflow-wrap: anywhere; }
.tiles img { width: 100%; max-width: 6rem; image-rendering: pixelated; border: 1px solid #ccc; }
@page { size: A4; margin: 16mm; }
@media (max-width: 30rem) { .charts { grid-template-columns: 1fr; } }
@media print {
  body { margin: 0; max-width: none; padding: 0; color: #000; font-size: 10pt; }
  .charts { grid-template-columns: 1fr 1fr; }
  h2, h3 { break-after: avoid; }
  figure, tr, .tiles li { break-inside: avoid; }
  section.whole { break-inside: avoid; }
  .scroll { overflow: visible; }
  .matrix { font-size: 8pt; }
  .long { font-size: 7pt; }
  .matrix td, .tiles img, .chart { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def document(lang: str, title: str, body: Iterable[str]) -> str:
    """Return a whole page that needs nothing else, and runs nothing.

    Parameters
    ----------
    lang : {"en", "ja"}
        Its language.
    title : str
        Its title.
    body : iterable of str
        Its parts, as HTML.

    Returns
    -------
    str
        The page.
    """
    return (
        f'<!doctype html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def header(title: str, lines: Iterable[str]) -> str:
    """Return the head of the page.

    Parameters
    ----------
    title : str
        The title.
    lines : iterable of str
        Lines below it, as HTML.

    Returns
    -------
    str
        The head.
    """
    return f"<header><h1>{escape(title)}</h1>{''.join(lines)}</header>"


def section(name: str, title: str, parts: Iterable[str], *, whole: bool = False) -> str:
    """Return a section.

    Parameters
    ----------
    name : str
        Its name in the page, which no text of others may be.
    title : str
        Its heading.
    parts : iterable of str
        Its parts, as HTML.
    whole : bool
        Whether it should stay on one page of paper.

    Returns
    -------
    str
        The section.
    """
    kind = ' class="whole"' if whole else ""
    return (
        f'<section id="{name}"{kind}><h2>{escape(title)}</h2>\n' + "\n".join(parts) + "</section>"
    )


def heading(text: str) -> str:
    """Return a heading within a section.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    str
        The heading.
    """
    return f"<h3>{escape(text)}</h3>"


def note(text: str) -> str:
    """Return a paragraph.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    str
        The paragraph.
    """
    return f"<p>{escape(text)}</p>"


def number(value: float) -> str:
    """Return a number as text.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    str
        Four digits, more where they stand before the point.

    Examples
    --------
    >>> number(0.123456), number(52123.4), number(1e-7)
    ('0.1235', '52,123', '1e-07')
    """
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values.

    Parameters
    ----------
    rows : iterable of (str, str)
        The rows.

    Returns
    -------
    str
        The table.
    """
    lines = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows
    ]
    return f"<table>{''.join(lines)}</table>"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    kind: str = "",
    shades: Sequence[Sequence[float]] | None = None,
) -> str:
    """Return a table, whose first column names the rows.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of sequence of str
        The rows.
    kind : {"", "numbers", "matrix", "matrix long"}
        What it holds; the names above the columns of a long matrix are turned.
    shades : sequence of sequence of float, optional
        A fraction for each cell but those of the first column, by which it is coloured.

    Returns
    -------
    str
        The table.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    lines = []
    for place, (first, *cells) in enumerate(rows):
        of_row = shades[place] if shades is not None else [0.0] * len(cells)
        row = zip(cells, of_row, strict=True)
        shown = "".join(f"<td{_shade(shade)}>{escape(cell)}</td>" for cell, shade in row)
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{shown}</tr>')
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll"><table class="{kind}">{body}</table></div>'


def _shade(fraction: float) -> str:
    """Return the style of a cell: from white to blue, with text that can be read on it."""
    if not fraction > 0:
        return ""
    part = min(fraction, 1.0) ** 0.5  # so that few errors are seen
    colour = ", ".join(f"{255 + part * (end - 255):.0f}" for end in (0, 80, 140))
    text = "#fff" if part > 0.55 else "#1a1a1a"
    return f' style="background: rgb({colour}); color: {text}"'


def figure(title: str, svg: str) -> str:
    """Return a chart under its title.

    Parameters
    ----------
    title : str
        The title.
    svg : str
        The chart, an SVG element.

    Returns
    -------
    str
        The figure.
    """
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>"


def tiles(each: Iterable[tuple[bytes | None, str]]) -> str:
    """Return pictures side by side, each over its label.

    Parameters
    ----------
    each : iterable of (bytes or None, str)
        PNG files and labels; None for a label alone.

    Returns
    -------
    str
        The list.
    """
    items = []
    for picture, label in each:
        text = escape(label)
        image = ""
        if picture is not None:
            data = b64encode(picture).decode("ascii")
            image = f'<img alt="" src="data:image/png;base64,{data}">'
        items.append(f"<li>{image}<div>{text}</div></li>")
    return f'<ul class="tiles">{"".join(items)}</ul>'
