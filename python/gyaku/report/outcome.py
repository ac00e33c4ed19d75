"""Parts of a report on test data: measures, confusions, wrong samples, residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.checks import texts
from gyaku.report import page
from gyaku.report.chart import Curve, bars, points
from gyaku.report.decisions import decisions
from gyaku.report.pictures import pictures, png
from gyaku.report.words import WORDS, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.report.decisions import Decisions

__all__ = ["Outcome", "outcome_parts"]

_MATRIX = 20  # most classes whose confusions are shown as a table
_CONFUSED = 15  # most confusions of more classes
_POINTS = 1000  # most points of a chart
_LONG, _LONGEST = 4, 24  # characters of a name in the matrix before it is turned, and cut
_OUTPUTS = 3  # most outputs with charts of their own
_BARS = 21


class Outcome(NamedTuple):
    """A model on test data.

    Parameters
    ----------
    x : object
        Inputs.
    y : ndarray
        Targets.
    outputs : ndarray
        Outputs of the model.
    measures : dict of str to float
        Loss and metrics.
    decisions : Decisions or None
        True and predicted classes of a classifier.
    names : sequence of str
        Names of its classes.
    most : int
        Largest number of wrong samples to show.
    """

    x: object
    y: NDArray[Any]
    outputs: NDArray[Any]
    measures: dict[str, float]
    decisions: Decisions | None
    names: Sequence[str]
    most: int

    @classmethod
    def of(
        cls, owner: str, model: Any, data: Any, names: Sequence[str] | None, most: int
    ) -> Outcome:
        """Test a model.

        Parameters
        ----------
        owner : str
            The function that was called, for errors.
        model : Model
            The model, of one input and one output.
        data : tuple of array_like
            Inputs and targets.
        names : sequence of str or None
            Names of the classes.
        most : int
            Largest number of wrong samples to show.

        Returns
        -------
        Outcome
            The result.

        Raises
        ------
        TypeError
            If data are no pair, the names no list, or the model has several outputs.
        ValueError
            If the names are too few.
        """
        if not isinstance(data, (tuple, list)) or len(data) != 2:
            raise TypeError(f"{owner}: data must be (x, y), inputs and targets")
        x, y = data
        outputs = model.predict(x)
        if isinstance(outputs, tuple):
            raise TypeError(
                f"{owner}: the model has {len(outputs)} outputs, data are for a model with one"
            )
        measures = {} if model.loss is None else dict(model.evaluate(x, y))
        found = decisions(outputs, y, model.loss)
        classes = 0 if found is None else found.classes
        known = texts(owner, "names", range(classes) if names is None else names)
        if len(known) < classes:
            raise ValueError(f"{owner}: there are {len(known)} names for {classes} classes")
        return cls(x, np.asarray(y), np.asarray(outputs), measures, found, known, most)


def outcome_parts(outcome: Outcome, lang: str) -> Iterator[str]:
    """Yield the section of the test.

    Parameters
    ----------
    outcome : Outcome
        The result.
    lang : {"en", "ja"}
        The language.

    Yields
    ------
    str
        HTML.
    """
    words, found = WORDS[lang], outcome.decisions
    measures = {named(name, lang): value for name, value in outcome.measures.items()}
    if found is not None:
        measures.setdefault(named("accuracy", lang), float(np.mean(found.true == found.found)))
        more = [*_confusion_parts(found, outcome.names, lang), *_wrong_parts(outcome, lang)]
    else:
        more = [*_number_parts(outcome, measures, lang)]
    lines = [(name, page.number(value)) for name, value in measures.items()]
    count = words["on_samples"].format(count=f"{len(outcome.outputs):,}")
    yield page.section("test", words["test"], [page.note(count), page.facts(lines), *more])


def _confusion_parts(found: Decisions, names: Sequence[str], lang: str) -> Iterator[str]:
    words, classes = WORDS[lang], found.classes
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (found.true, found.found), 1)
    if classes <= _MATRIX:
        fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        short = [_short(name) for name in names]
        rows = [
            [name, *(str(count or "") for count in row)]
            for name, row in zip(short, counts, strict=False)
        ]
        kind = "matrix long" if max(map(len, short[:classes])) > _LONG else "matrix"
        yield page.heading(words["confusions"])
        yield page.note(words["confusions_note"])
        header = ["", *short[:classes]]
        yield page.table(header, rows, kind=kind, shades=fractions.tolist())
        return
    np.fill_diagonal(counts, 0)
    order = [place for place in np.argsort(-counts, axis=None, kind="stable") if counts.flat[place]]
    pairs = [divmod(int(place), classes) for place in order[:_CONFUSED]]
    yield page.heading(words["most_confused"])
    if not pairs:
        yield page.note(words["no_confusions"])
        return
    rows = [[names[true], names[taken], f"{counts[true, taken]:,}"] for true, taken in pairs]
    yield page.table([words["true"], words["predicted"], words["count"]], rows)


def _short(name: str) -> str:
    """Return a name without its middle if it is long."""
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[:half]}…{name[1 - half :]}"


def _wrong_parts(outcome: Outcome, lang: str) -> Iterator[str]:
    words, found = WORDS[lang], outcome.decisions
    assert found is not None
    wrong = found.wrong
    shown = wrong[: outcome.most]
    facts = {"wrong": f"{len(wrong):,}", "count": f"{len(found.true):,}"}
    yield page.heading(words["wrong"])
    if not len(wrong):
        yield page.note(words["no_confusions"])
        return
    yield page.note(words["wrong_note"].format(**facts))
    x = outcome.x
    drawn = pictures(np.asarray(x)[shown]) if hasattr(x, "__array__") or _nested(x) else None
    files: Sequence[bytes | None] = [None] * len(shown) if drawn is None else [*map(png, drawn)]
    labels = [f"{outcome.names[found.true[i]]} → {outcome.names[found.found[i]]}" for i in shown]
    if drawn is None:
        number = (words["sample"].format(number=f"{i:,}") for i in shown)
        labels = [f"{where}: {label}" for where, label in zip(number, labels, strict=True)]
    yield page.tiles(zip(files, labels, strict=True))


def _nested(x: object) -> bool:
    """Return whether inputs are an array as lists, and not several by name or place."""
    return isinstance(x, list)


def _number_parts(outcome: Outcome, measures: dict[str, float], lang: str) -> Iterator[str]:
    """Yield charts of outputs that are numbers, and add their measures."""
    words, outputs, y = WORDS[lang], outcome.outputs, outcome.y
    size = outputs.size // max(1, len(outputs))
    if y.size != outputs.size or size > _OUTPUTS or not y.size:
        yield page.note(words["no_pictures"].format(shape=outputs.shape[1:]))
        return
    found = outputs.reshape(len(outputs), -1).astype(np.float64)
    targets = y.reshape(found.shape).astype(np.float64)
    for place in range(size):
        which = "" if size == 1 else words["output"].format(number=place + 1) + ": "
        measures |= _measured(found[:, place], targets[:, place], which, lang)
        yield from _charts(found[:, place], targets[:, place], which, lang)


def _measured(
    found: NDArray[np.float64], targets: NDArray[np.float64], which: str, lang: str
) -> dict[str, float]:
    words, away = WORDS[lang], found - targets
    squares, spread = float(np.sum(away**2)), float(np.sum((targets - targets.mean()) ** 2))
    return {
        which + words["rmse"]: float(np.sqrt(squares / len(away))),
        which + words["mae"]: float(np.abs(away).mean()),
        which + words["r2"]: 1 - squares / spread if spread else float("nan"),
    }


def _charts(
    found: NDArray[np.float64], targets: NDArray[np.float64], which: str, lang: str
) -> Iterator[str]:
    words, away = WORDS[lang], found - targets
    if not np.isfinite(away).all():
        return
    rows = np.linspace(0, len(found) - 1, min(_POINTS, len(found))).astype(int)
    curve = Curve(words["true"], targets[rows].tolist(), found[rows].tolist())
    counts, edges = np.histogram(away, bins=_BARS)
    titles = which + words["scatter"], which + words["residuals"]
    charts = (
        points(titles[0], curve, words["predicted"]),
        bars(titles[1], edges.tolist(), counts.tolist(), (words["residual"], words["count"])),
    )
    figures = "".join(page.figure(*each) for each in zip(titles, charts, strict=True))
    yield f'<div class="charts">{figures}</div>'
    yield page.note(f"{words['scatter_note']} {words['residuals_note']}")
