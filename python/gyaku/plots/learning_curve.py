"""The learning curve: loss and metrics over the epochs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.plots.canvas import axes_for, divided
from gyaku.plots.style import BLUE, INK, VERMILION, decorate, heading, set_font, wording

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from matplotlib.axes import Axes

    Curves = list[tuple[str, str, list[float]]]

__all__ = ["learning_curve"]

_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "loss": "Loss",
        "accuracy": "Accuracy",
        "epoch": "Epoch",
        "log": "{} (log scale)",
        "series": ("training", "validation"),
    },
    "ja": {
        "loss": "損失",
        "accuracy": "正解率",
        "epoch": "エポック",
        "log": "{}（対数目盛）",
        "series": ("訓練", "検証"),
    },
}
_NOT_DRAWN = frozenset({"epoch", "learning_rate", "samples_per_second", "seconds", "time"})
_MARKED = 12  # most epochs with a marker each
_LABEL_GAP = 0.065  # distance between two labels, as a fraction of the height of the axes
_LOG_FROM = 30  # smallest ratio of losses for a logarithmic axis


def learning_curve(
    history: Mapping[str, Sequence[float]],
    ax: Axes | None = None,
    *,
    lang: Literal["en", "ja"] = "en",
    title: str | None = None,
    names: tuple[str, str] | None = None,
) -> Axes:
    """Draw loss and metrics over the epochs.

    Parameters
    ----------
    history : History or mapping of str to sequence of float
        Result of `fit`: ``"loss"`` and metrics, with or without ``"val_"`` counterparts.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}, default "en"
        Language of the labels; English, with a warning, if this machine has no Japanese font.
    title : str, optional
        Title of the figure.
    names : tuple of str, optional
        Names of the two curves, ``("training", "validation")`` by default.

    Returns
    -------
    Axes
        The axes, divided into a panel for each quantity if there are several;
        ``axes.figure.savefig("curve.png")`` writes them to a file.

    Raises
    ------
    TypeError
        If the history is no mapping.
    ValueError
        If it is empty or the language unknown.

    Notes
    -----
    The scale of a loss is logarithmic, and says so, if the largest is over 30 times the smallest.

    Examples
    --------
    >>> axes = learning_curve({"loss": [0.9, 0.4, 0.2], "val_loss": [0.8, 0.5, 0.4]})
    >>> axes.get_xlabel(), len(axes.lines)
    ('Epoch', 2)
    """
    if not hasattr(history, "keys"):
        raise TypeError(
            "learning_curve: history must be a History, or a dict of lists such as"
            f" {{'loss': [0.9, 0.4]}}, got {type(history).__name__}"
        )
    words, font = wording("learning_curve", _WORDS, lang)
    quantities = _quantities(history)
    if not quantities:
        raise ValueError("learning_curve: the history has no finished epoch to draw")
    count = len(quantities)
    ax = axes_for(ax, (5.2 * count, 3.9))
    panels = [ax] if count == 1 else [*divided(ax, 1, count)[0]]
    for panel, quantity in zip(panels, quantities, strict=True):
        curves = _curves(history, quantity, names or words["series"])
        _draw(panel, quantity, curves, words, getattr(history, "initial_epoch", 0))
    if title:
        above = {"x": 0.015, "ha": "left", "color": INK, "fontsize": 13, "fontweight": "bold"}
        ax.figure.suptitle(title, fontfamily=font, **above)
    set_font(font, ax, *panels)
    return ax


def _quantities(history: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the names of the quantities to draw: the loss first, then the metrics."""
    names = [name for name in history if not name.startswith("val_") and len(history[name])]
    metrics = [name for name in names if name != "loss" and name not in _NOT_DRAWN]
    return [name for name in names if name == "loss"] + metrics


def _curves(
    history: Mapping[str, Sequence[float]], quantity: str, names: tuple[str, str]
) -> Curves:
    """Return name, colour and values of the training curve and of the validation curve."""
    curves = [(names[0], BLUE, [float(v) for v in history[quantity]])]
    if f"val_{quantity}" in history:
        curves.append((names[1], VERMILION, [float(v) for v in history[f"val_{quantity}"]]))
    return curves


def _draw(panel: Axes, quantity: str, curves: Curves, words: Mapping[str, Any], begun: int) -> None:
    """Draw the curves of a quantity, whose first epoch is behind those begun before."""
    epochs = max(len(values) for _, _, values in curves)
    for _, color, values in curves:
        where = [i for i, v in enumerate(values, begun + 1) if math.isfinite(v)]
        seen = [v for v in values if math.isfinite(v)]
        marker = "o" if epochs <= _MARKED else None
        panel.plot(
            *(where, seen), color=color, linewidth=2, marker=marker, markersize=5, clip_on=False
        )
    _scale(panel, quantity, [v for _, _, values in curves for v in values if math.isfinite(v)])
    _decorate(panel, epochs, begun)
    panel.set_xlabel(words["epoch"], color=INK)
    name = words.get(quantity, quantity.replace("_", " ").capitalize())
    heading(panel, words["log"].format(name) if panel.get_yscale() == "log" else name)
    _label_ends(panel, quantity, curves)


def _scale(panel: Axes, quantity: str, values: list[float]) -> None:
    """Set the scale of the vertical axis, from the range of the values."""
    if not values:
        return
    if quantity == "accuracy":
        panel.yaxis.set_major_formatter(lambda value, _: f"{round(100 * value, 6):g} %")
        low = min(values)
        panel.set_ylim(low - 0.05 * (1 - low) - 1e-3, 1)
    elif min(values) > 0 and max(values) / min(values) > _LOG_FROM:
        from matplotlib.ticker import LogLocator, NullLocator

        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        low, high = min(0.0, *values), max(0.0, *values)
        panel.set_ylim(1.05 * low, 1.05 * high if low or high else 1)


def _decorate(panel: Axes, epochs: int, begun: int) -> None:
    from matplotlib.ticker import MaxNLocator

    panel.set_xlim(begun + (1 if epochs > 1 else 0.5), begun + max(epochs, 1.5))
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    decorate(panel)


def _label_ends(panel: Axes, quantity: str, curves: Curves) -> None:
    """Write name and last value of each curve at its end, without overlap."""
    to_axes = panel.transData + panel.transAxes.inverted()
    ends: list[tuple[float, str, str]] = []
    for name, color, values in curves:
        seen = [v for v in values if math.isfinite(v)]
        if seen:
            text = f"{100 * seen[-1]:.1f} %" if quantity == "accuracy" else f"{seen[-1]:.3g}"
            height = float(to_axes.transform((1.0, seen[-1]))[1])
            ends.append((height, f"{name} {text}", color))
    ends.sort()
    heights = [height for height, _, _ in ends]
    if len(ends) == 2 and heights[1] - heights[0] < _LABEL_GAP:
        middle = sum(heights) / 2
        heights = [middle - _LABEL_GAP / 2, middle + _LABEL_GAP / 2]
    for height, (_, text, color) in zip(heights, ends, strict=True):
        panel.text(
            1.02, height, text, color=color, fontsize=9.5, va="center", transform=panel.transAxes
        )
