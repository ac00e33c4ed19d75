"""Parts of a report that the history knows: settings and curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.report import page
from gyaku.report.chart import Curve, curves
from gyaku.report.words import WORDS, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gyaku.history import History

__all__ = ["course_parts", "duration", "settings_parts"]

_LOG_FROM = 30  # smallest ratio of losses for a logarithmic axis
_SHOWN = 20  # most epochs in the table; of more, evenly spaced ones


def settings_parts(history: History, lang: str) -> Iterator[str]:
    """Yield the section of the settings.

    Parameters
    ----------
    history : History
        The history.
    lang : {"en", "ja"}
        The language.

    Yields
    ------
    str
        HTML.
    """
    words = WORDS[lang]
    known = {**history.settings, "samples": f"{history.samples:,}"}
    known.pop("begun", None)
    answers = {True: words["yes"], False: words["no"]}
    rows = [
        (named(str(name), lang), answers[value] if isinstance(value, bool) else str(value))
        for name, value in known.items()
    ]
    parts = [page.facts(rows)]
    if not history.settings:
        parts.append(page.note(words["no_settings"]))
    yield page.section("settings", words["settings"], parts, whole=True)


def course_parts(history: History, lang: str) -> Iterator[str]:
    """Yield the section of the curves.

    Parameters
    ----------
    history : History
        The history.
    lang : {"en", "ja"}
        The language.

    Yields
    ------
    str
        HTML.
    """
    words = WORDS[lang]
    if not history.epochs:
        yield page.section("course", words["curves"], [page.note(words["no_epochs"])])
        return
    charts = [_chart(history, name, lang) for name in history if not name.startswith("val_")]
    parts = [f'<div class="charts">{"".join(charts)}</div>', page.heading(words["values"])]
    header = [words["epoch"], *(named(name, lang) for name in history), words["seconds"]]
    columns = [*(history[name] for name in history), history.seconds]
    first = history.initial_epoch + 1
    rows = [
        [str(first + epoch), *(page.number(column[epoch]) for column in columns)]
        for epoch in _spread(history.epochs)
    ]
    parts.append(page.table(header, rows, kind="numbers"))
    yield page.section("course", words["curves"], parts)


def _spread(epochs: int) -> list[int]:
    """Return the epochs of the table, the first and the last one among them."""
    if epochs <= _SHOWN:
        return [*range(epochs)]
    return [round(place * (epochs - 1) / (_SHOWN - 1)) for place in range(_SHOWN)]


def _chart(history: History, name: str, lang: str) -> str:
    words = WORDS[lang]
    numbers = range(history.initial_epoch + 1, history.initial_epoch + history.epochs + 1)
    found = [Curve(words["training"], numbers, history[name])]
    if f"val_{name}" in history:
        found.append(Curve(words["validation"], numbers, history[f"val_{name}"]))
    values = [y for curve in found for _, y in curve.known]
    title = named(name, lang)
    if not values:
        return page.figure(title, "")
    log = min(values) > 0 and max(values) / min(values) > _LOG_FROM and name != "accuracy"
    title = words["log"].format(name=title) if log else title
    return page.figure(title, curves(title, found, words["epoch"], log=log))


def duration(seconds: float, lang: str) -> str:
    """Return a time in words.

    Parameters
    ----------
    seconds : float
        The time.
    lang : {"en", "ja"}
        The language.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> duration(0.8334, "en"), duration(75.2, "en"), duration(3723, "ja")
    ('0.833 s', '1 min 15 s', '1 時間 2 分 3 秒')
    """
    if not math.isfinite(seconds):
        return "?"
    units = ("h", "min", "s") if lang == "en" else ("時間", "分", "秒")
    if seconds < 60:
        return f"{seconds:.3g} {units[2]}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, units[0]), (minutes, units[1]), (rest, units[2])]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)
