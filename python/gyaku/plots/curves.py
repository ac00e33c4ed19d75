"""Curves: any quantities over another, with a legend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.style import COLORS, INK, decorate, set_font, wording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from matplotlib.axes import Axes

    from gyaku.plots.style import Language

__all__ = ["curves"]

_MARKED = 20  # most points of a curve with a marker each
_DASHES = ("-", "--", "-.", ":")


def curves(
    values: Mapping[str, Any],
    *,
    xlabel: str = "",
    ylabel: str = "",
    log: str = "",
    ax: Axes | None = None,
    lang: Language = "en",
) -> Axes:
    """Draw curves, each with its name.

    Parameters
    ----------
    values : mapping of str to array_like or pair of array_like
        The curves by name: values over 1, 2, 3, ..., or a tuple of places and values.
    xlabel, ylabel : str
        Labels of the axes.
    log : {"", "x", "y", "xy"}
        Axes with a logarithmic scale.
    ax : Axes, optional
        Axes to draw into; by default those of a new figure.
    lang : {"en", "ja"}, default "en"
        Language of the names and labels, which sets the font.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If there are no curves, or `log` or the language is unknown.

    Examples
    --------
    >>> axes = curves({"batch": [0.9, 0.5], "online": [0.6, 0.1]}, ylabel="loss")
    >>> [line.get_label() for line in axes.lines]
    ['batch', 'online']
    """
    from matplotlib.ticker import MaxNLocator

    if not values:
        raise ValueError("curves: there is no curve to draw, values must name at least one")
    if log not in ("", "x", "y", "xy"):
        raise ValueError(f"curves: log must be '', 'x', 'y' or 'xy', got {log!r}")
    _, font = wording("curves", {"en": (), "ja": ()}, lang)
    axes = axes_for(ax, (6.4, 3.9))
    counted = {
        name: given if isinstance(given, tuple) else (np.arange(1, 1 + len(given)), given)
        for name, given in values.items()
    }
    for axis, of_axis in zip(
        (axes.xaxis, axes.yaxis), zip(*counted.values(), strict=True), strict=True
    ):
        if all(_whole(each) for each in of_axis):
            axis.set_major_locator(MaxNLocator(integer=True))
    for number, (name, (x, y)) in enumerate(counted.items()):
        axes.plot(
            *(x, y),
            label=name,
            color=COLORS[number % len(COLORS)],
            linestyle=_DASHES[number % len(_DASHES)],
            linewidth=2,
            marker="o" if len(x) <= _MARKED else None,
            markersize=4,
        )
    if "x" in log:
        axes.set_xscale("log")
    if "y" in log:
        axes.set_yscale("log")
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    decorate(axes)
    if len(values) > 1:
        axes.legend(frameon=False, labelcolor=INK)
    set_font(font, axes)
    return axes


def _whole(values: Any) -> bool:
    """Return whether all values are whole numbers, such as counts."""
    array = np.asarray(values, np.float64)
    return bool((array == np.round(array)).all())
