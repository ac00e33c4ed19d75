"""Hidden codes: the outputs of a narrow layer, as a table and on a cube."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for, divided
from gyaku.plots.passes import layer_path, outputs_of_layers
from gyaku.plots.style import BLUE, GREY, GRID, INK, frameless, heading, set_font, wording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["hidden_codes"]

_MOST = 40  # patterns in a table that can be read
_DEPTH = np.array([0.42, 0.34])  # of the cube's third axis, drawn to the upper right
_WORDS = {
    "en": ("Hidden codes", "Hidden unit", "{distinct} of {count} distinct once rounded"),
    "ja": ("隠れ層の符号", "隠れユニット", "丸めると {count} 個中 {distinct} 個が異なる"),
}


def hidden_codes(
    codes: Any,
    x: object = None,
    *,
    layer: Any = None,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the codes of patterns as a table, and those of three units on a cube as well.

    Parameters
    ----------
    codes : array_like or Model
        Codes, (patterns, units); or a model whose layer computes them.
    x : array_like, optional
        Patterns, (patterns, inputs), for a model.
    layer : str or int or Layer, optional
        The layer of the model; by default the narrowest one, with its activation.
    names : sequence of str, optional
        Names of the patterns; by default their numbers, from 1.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes, divided into table and cube if there are three units of outputs from 0 to 1.

    Raises
    ------
    ValueError
        If the codes are no table of at most 40 patterns, or there is not one name for each.

    Examples
    --------
    >>> axes = hidden_codes([[0.1, 0.9], [0.8, 0.2]])
    >>> [text.get_text() for text in axes.texts]
    ['0.10', '0.90', '0.80', '0.20']
    """
    words, font = wording("hidden_codes", _WORDS, lang)
    table = _table(codes, x, layer)
    count, units = table.shape
    if not 1 <= count <= _MOST or not units:
        raise ValueError(
            f"hidden_codes: the table must have 1 to {_MOST} patterns, got shape {table.shape}"
        )
    labels = [*names] if names is not None else [str(i + 1) for i in range(count)]
    if len(labels) != count:
        raise ValueError(f"hidden_codes: there are {len(labels)} names for {count} patterns")
    cube = units == 3 and table.min() >= 0 and table.max() <= 1
    width, height = 1.2 + 0.62 * units, 1.2 + 0.34 * count
    ax = axes_for(ax, (max(3.4, width) + 4 * cube, max(3.6 if cube else 2.4, height)))
    panels = [*divided(ax, 1, 2, width_ratios=(2, 3))[0]] if cube else [ax]
    _draw_table(panels[0], table, labels, words[:2])
    if cube:
        _draw_cube(panels[1], table, labels)
        distinct = len(np.unique(np.rint(table), axis=0))
        heading(panels[1], words[2].format(distinct=distinct, count=count))
    set_font(font, ax, *panels)
    return ax


def _table(codes: Any, x: object, layer: Any) -> NDArray[np.float64]:
    """Return the codes, (patterns, units)."""
    if not hasattr(codes, "planned"):
        table = np.asarray(codes, np.float64)
        if table.ndim != 2:
            raise ValueError(
                f"hidden_codes: codes must have shape (patterns, units), got {table.shape}"
            )
        return table
    if x is None:
        raise ValueError("hidden_codes: the codes of a model need patterns, give x")
    found = outputs_of_layers(codes, x)
    if layer is None:
        least = min(y.reshape(len(y), -1).shape[1] for y in found.values())
        narrow = [name for name, y in found.items() if y.reshape(len(y), -1).shape[1] == least]
        layer = narrow[-1]
    name = layer_path("hidden_codes", codes, layer)
    return np.asarray(found[name].reshape(len(found[name]), -1), np.float64)


def _draw_table(
    panel: Axes, table: NDArray[Any], labels: Sequence[str], words: Sequence[str]
) -> None:
    count, units = table.shape
    high, signed = max(1.0, float(np.abs(table).max())), bool(table.min() < 0)
    panel.imshow(
        table,
        cmap="PuOr_r" if signed else "Blues",
        vmin=-high if signed else 0,
        vmax=high,
        aspect="auto",
    )
    for row, column in np.ndindex(table.shape):
        value = table[row, column]
        dark = abs(value) / high > (0.75 if signed else 0.55)
        panel.text(
            *(column, row, f"{value:.2f}".replace("-", "−")),
            ha="center",
            va="center",
            fontsize=9.5,
            color="white" if dark else INK,
        )
    panel.set_xticks(range(units), [str(i + 1) for i in range(units)])
    panel.set_yticks(range(count), [*labels])
    panel.set_xlabel(words[1], color=INK)
    frameless(panel)
    heading(panel, words[0])


def _draw_cube(panel: Axes, table: NDArray[Any], labels: Sequence[str]) -> None:
    """Draw the codes in the unit cube, in an oblique projection."""
    corners = np.array([*np.ndindex(2, 2, 2)], np.float64)
    for a in corners:
        for b in corners[np.abs(corners - a).sum(axis=1) == 1]:
            hidden = a[2] + b[2] > 0 and (a[0] + b[0] == 0 or a[1] + b[1] == 0)
            ends = _flat(np.array([a, b]))
            panel.plot(*ends.T, color=GRID if hidden else GREY, linewidth=1.2, zorder=1)
    places = _flat(table)
    for code, place in zip(table, places, strict=True):
        foot = _flat(np.array([[code[0], 0, code[2]]]))[0]
        panel.plot(*np.array([foot, place]).T, color=BLUE, linewidth=0.8, alpha=0.4, zorder=2)
    panel.scatter(places[:, 0], places[:, 1], color=BLUE, s=36, zorder=3)
    for place, label in zip(places, labels, strict=True):
        panel.annotate(
            *(label, place),
            xytext=(6, 4),
            textcoords="offset points",
            color=INK,
            fontsize=10,
            zorder=4,
        )
    for axis, (end, shift) in enumerate(
        zip(np.eye(3), ((0, -14), (-12, 0), (12, -6)), strict=True)
    ):
        panel.annotate(
            *(str(axis + 1), _flat(0.5 * end[None])[0]),
            xytext=shift,
            textcoords="offset points",
            ha="center",
            va="center",
            color=GREY,
            fontsize=9.5,
        )
    panel.set_aspect("equal")
    panel.margins(0.08)
    panel.set_axis_off()


def _flat(points: NDArray[Any]) -> NDArray[Any]:
    """Return points of space on the paper."""
    projected: NDArray[Any] = points[:, :2] + points[:, 2:] * _DEPTH
    return projected
