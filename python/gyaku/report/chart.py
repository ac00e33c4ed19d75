"""Charts as SVG: curves, points and bars, with axes and a legend."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from gyaku.plots.style import COLORS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Axis", "Curve", "bars", "curves", "points", "ticks"]

_WIDTH, _HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 16, 48, 64
_MARKED = 20  # most points of a curve with a marker each
_BEYOND = 1e100  # no chart shows such values
_DASHES = ("", "7 4", "2 3", "9 3 2 3")


class Curve(NamedTuple):
    """A curve and its name.

    Parameters
    ----------
    name : str
        The name.
    x, y : sequence of float
        Its points; those that are not finite, or beyond 1e100, are left out.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]

    @property
    def known(self) -> list[tuple[float, float]]:
        """The points that can be drawn."""
        pairs = zip(self.x, self.y, strict=True)
        return [(x, y) for x, y in pairs if abs(x) < _BEYOND and abs(y) < _BEYOND]


class Axis(NamedTuple):
    """An axis: from values to places in a chart.

    Parameters
    ----------
    label : str
        What it shows.
    low, high : float
        The values at its ends.
    log : bool
        Whether its scale is logarithmic.
    whole : bool
        Whether whole numbers alone have a label, as those of epochs.
    """

    label: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    @classmethod
    def over(cls, label: str, values: Sequence[float], *, log: bool = False) -> Axis:
        """Return the axis that some values need.

        Parameters
        ----------
        label : str
            What it shows.
        values : sequence of float
            The values, finite.
        log : bool
            Whether its scale is logarithmic.

        Returns
        -------
        Axis
            The axis.
        """
        low, high = min(values), max(values)
        if log:
            return cls(label, low / 1.15, high * 1.15, log)
        size = max(abs(low), abs(high))
        room = 0.04 * (high - low)
        if room <= 1e-10 * size or size < 1 / _BEYOND:
            room = 0.5 * size if size > 1 / _BEYOND else 1.0
        return cls(label, low - room, high + room)

    def fraction(self, value: float) -> float:
        """Return how far along the axis a value is.

        Parameters
        ----------
        value : float
            The value.

        Returns
        -------
        float
            From 0 to 1.
        """
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return (value - low) / (high - low)

    @property
    def ticks(self) -> list[float]:
        """The values that have a label."""
        found = ticks(self.low, self.high, log=self.log)
        return [value for value in found if value == round(value)] if self.whole else found


def ticks(low: float, high: float, *, log: bool = False) -> list[float]:
    """Return round values within a range.

    Parameters
    ----------
    low, high : float
        The range.
    log : bool
        Whether the scale is logarithmic.

    Returns
    -------
    list of float
        Three to eight values where there are as many.

    Examples
    --------
    >>> ticks(0.0, 10.0)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    >>> ticks(0.003, 2.0, log=True)
    [0.01, 0.1, 1.0]
    """
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        every = max(1, (last - first) // 6)
        powers = [float(f"1e{p}") for p in range(first, last + 1, every)]
        found = [value for value in powers if low <= value <= high]
        if len(found) > 1:
            return found
        fine = [float(f"{m}e{p}") for p in range(first, last + 1) for m in (1, 2, 5)]
        return [value for value in fine if low <= value <= high]
    rough = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [float(f"{place * step:.12g}") for place in places]


def curves(title: str, given: Sequence[Curve], xlabel: str, *, log: bool = False) -> str:
    """Return a chart of curves.

    Parameters
    ----------
    title : str
        What they show, which is also the label of the vertical axis.
    given : sequence of Curve
        The curves, with one point in all at least.
    xlabel : str
        Label of the horizontal axis.
    log : bool
        Whether the vertical scale is logarithmic.

    Returns
    -------
    str
        An SVG element.

    Examples
    --------
    >>> chart = curves("loss", [Curve("training", [1, 2], [0.5, 0.25])], "epoch")
    >>> chart.count("<polyline")
    1
    """
    known = [(curve.name, curve.known) for curve in given]
    every = [point for _, each in known for point in each]
    across = [a for a, _ in every]
    x = Axis.over(xlabel, across)._replace(whole=all(a == round(a) for a in across))
    y = Axis.over("", [b for _, b in every], log=log)
    body = []
    for number, (name, each) in enumerate(known):
        colour = COLORS[number % len(COLORS)]
        dash = _DASHES[number % len(_DASHES)]
        style = f' stroke-dasharray="{dash}"' if dash else ""
        line = " ".join(f"{_across(x, a):.1f},{_up(y, b):.1f}" for a, b in each)
        body.append(f'<polyline points="{line}" fill="none" stroke="{colour}"{style}/>')
        if len(each) <= _MARKED:
            body += [_dot(_across(x, a), _up(y, b), 3, colour) for a, b in each]
        body.append(_key(number, name, colour, style))
    return _framed(title, x, y, body)


def points(title: str, curve: Curve, ylabel: str) -> str:
    """Return a chart of points over a diagonal.

    Parameters
    ----------
    title : str
        What it shows.
    curve : Curve
        The points, with the label of the horizontal axis as name.
    ylabel : str
        Label of the vertical axis.

    Returns
    -------
    str
        An SVG element.
    """
    known = curve.known
    values = [value for point in known for value in point]
    x, y = Axis.over(curve.name, values), Axis.over(ylabel, values)
    ends = f'x1="{_LEFT}" y1="{_HEIGHT - _BOTTOM}" x2="{_WIDTH - _RIGHT}" y2="{_TOP}"'
    body = [f'<line {ends} class="axis"/>']
    body += [_dot(_across(x, a), _up(y, b), 2.5, COLORS[0], 0.45) for a, b in known]
    return _framed(title, x, y, body)


def bars(title: str, edges: Sequence[float], counts: Sequence[float], labels: Sequence[str]) -> str:
    """Return a histogram.

    Parameters
    ----------
    title : str
        What it shows.
    edges, counts : sequence of float
        Edges of the bars, and their heights.
    labels : sequence of str
        Labels of the two axes.

    Returns
    -------
    str
        An SVG element.
    """
    x = Axis(labels[0], edges[0], edges[-1])
    y = Axis(labels[1], 0.0, 1.06 * max(max(counts), 1))
    body = []
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        at, top = _across(x, left), _up(y, count)
        size = f'width="{_across(x, right) - at - 1:.1f}" height="{_up(y, 0) - top:.1f}"'
        body.append(f'<rect x="{at + 0.5:.1f}" y="{top:.1f}" {size} fill="{COLORS[0]}"/>')
    return _framed(title, x, y, body)


def _across(axis: Axis, value: float) -> float:
    return _LEFT + axis.fraction(value) * (_WIDTH - _LEFT - _RIGHT)


def _up(axis: Axis, value: float) -> float:
    return _HEIGHT - _BOTTOM - axis.fraction(value) * (_HEIGHT - _TOP - _BOTTOM)


def _label(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e7 else f"{value:g}"


def _dot(x: float, y: float, radius: float, colour: str, opacity: float = 1.0) -> str:
    faint = "" if opacity == 1 else f' fill-opacity="{opacity}"'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"{faint}/>'


def _key(number: int, name: str, colour: str, style: str) -> str:
    """Return an entry of the legend."""
    left = _LEFT + 220 * number
    line = f'<line x1="{left}" y1="18" x2="{left + 28}" y2="18" stroke="{colour}"{style}/>'
    return f'{line}<text x="{left + 38}" y="24">{escape(name)}</text>'


def _framed(title: str, x: Axis, y: Axis, body: Sequence[str]) -> str:
    """Return a chart with its axes."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [f"<title>{escape(title)}</title>"]
    for value in y.ticks:
        at = _up(y, value)
        parts.append(f'<line x1="{_LEFT}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at + 6:.1f}" class="end">{_label(value)}</text>')
    for value in x.ticks:
        at = _across(x, value)
        parts.append(f'<line x1="{at:.1f}" y1="{bottom}" x2="{at:.1f}" y2="{bottom + 5}"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 26}" class="middle">{_label(value)}</text>')
    parts.append(f'<line x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}" class="axis"/>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" class="middle">{escape(x.label)}</text>')
    if y.label:
        turned = f'transform="translate(20 {(_TOP + bottom) / 2}) rotate(-90)"'
        parts.append(f'<text {turned} class="middle">{escape(y.label)}</text>')
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg {box} role="img" class="chart">{"".join([*parts, *body])}</svg>'
