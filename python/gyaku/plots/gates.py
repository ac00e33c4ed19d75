"""The gates of a recurrent layer over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for, divided
from gyaku.plots.passes import layer_path, outputs_of_layers, parts
from gyaku.plots.style import INK, frameless, heading, set_font, wording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["gates"]

_WORDS = {
    "en": {
        "lstm": ("Input gate", "Forget gate", "", "Output gate"),
        "gru": ("Reset gate", "Update gate", ""),
        "axes": ("Time", "Unit"),
    },
    "ja": {
        "lstm": ("入力ゲート", "忘却ゲート", "", "出力ゲート"),
        "gru": ("リセットゲート", "更新ゲート", ""),
        "axes": ("時刻", "ユニット"),
    },
}


def gates(
    model: Any,
    x: object,
    layer: Any = None,
    *,
    steps: Sequence[str] | None = None,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the gates of an LSTM or GRU over the steps of one sequence.

    Parameters
    ----------
    model : Model
        The model.
    x : array_like
        One input sample, without the batch axis, such as (time, features).
    layer : str or int or Layer, optional
        The layer, by name, index or itself; by default the first one with gates.
    steps : sequence of str, optional
        Labels of the steps, such as the words of the sequence.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes, divided into a panel for each gate: white is closed, 0, and blue open, 1.

    Raises
    ------
    ValueError
        If there is no such layer, it has no gates, or the number of labels differs from the steps.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.LSTM(4), gk.Dense(1))
    >>> axes = gates(model, np.zeros((6, 2)))
    >>> [panel.get_title(loc="left") for panel in axes.figure.axes[1:4]]
    ['Input gate', 'Forget gate', 'Output gate']
    """
    from matplotlib.ticker import MaxNLocator

    words, font = wording("gates", _WORDS, lang)
    recurrent, values = _values(model, x, layer)
    named = words[recurrent.operation]
    shown = [(word, value) for word, value in zip(named, values, strict=True) if word]
    units, time = shown[0][1].shape[::-1]
    if steps is not None and len(steps) != time:
        raise ValueError(f"gates: there are {len(steps)} labels for {time} steps")
    height = len(shown) * min(2.2, max(1.0, 0.5 + 0.12 * units)) + 0.6
    ax = axes_for(ax, (max(5.2, min(9.6, 1.6 + 0.22 * time)), height))
    panels = divided(ax, len(shown), 1, sharex=True)[:, 0]
    for panel, (word, value) in zip(panels, shown, strict=True):
        panel.imshow(value.T, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        heading(panel, word)
        panel.set_ylabel(words["axes"][1], color=INK)
        panel.set_yticks([0, units - 1] if units > 1 else [0])
        panel.yaxis.set_major_formatter(lambda place, _: f"{place + 1:g}")
        frameless(panel)
    if steps is not None:
        panels[-1].set_xticks(range(time), [*steps])
    else:
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[-1].xaxis.set_major_formatter(lambda place, _: f"{place + 1:g}")
    panels[-1].set_xlabel(words["axes"][0], color=INK)
    bar = ax.figure.colorbar(
        panels[0].images[0], ax=[*panels], ticks=[0, 0.5, 1], aspect=30, pad=0.02
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, length=0, labelsize=9)
    set_font(font, ax, *panels, bar.ax)
    return ax


def _values(model: Any, x: object, layer: Any) -> tuple[Any, list[NDArray[Any]]]:
    """Return a recurrent layer and its gates, (time, units) each."""
    outputs_of_layers(model, np.asarray(x)[None])
    known = dict(parts(model))
    if layer is None:
        path = next((name for name, each in known.items() if _has_gates(each)), "")
        if not path:
            raise ValueError(f"gates: no layer of the model has gates, it has {', '.join(known)}")
    else:
        path = layer_path("gates", model, layer)
    found = known[path]
    if not _has_gates(found):
        raise ValueError(f"gates: {found} has no gates, only LSTM and GRU layers do")
    _, _, saved = found.run(found.x, found.before, found.lengths)
    return found, np.split(saved[0][0], found.gates, axis=-1)


def _has_gates(layer: Any) -> bool:
    return getattr(layer, "operation", "") in _WORDS["en"]
