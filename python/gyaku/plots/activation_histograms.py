"""Histograms of activations, layer by layer."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for, divided
from gyaku.plots.passes import layer_path, outputs_of_layers, parts
from gyaku.plots.style import BLUE, INK, decorate, heading, set_font, wording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from matplotlib.axes import Axes

__all__ = ["activation_histograms"]

_COLUMNS, _BINS = 5, 30
_WORDS = {"en": ("Output", "Fraction"), "ja": ("出力", "割合")}


def activation_histograms(
    model: Any,
    x: object,
    *,
    layers: Sequence[Any] | None = None,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw a histogram of the outputs of each activation.

    Parameters
    ----------
    model : Model
        The model.
    x : array_like
        Inputs of a batch, (samples, ...).
    layers : sequence of str or int or Layer, optional
        The layers; by default all activations but softmax, or those with weights if there are none.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes, divided into a panel for each layer.

    Raises
    ------
    ValueError
        If there is no such layer.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Dense(4), gk.Tanh(), gk.Dense(4), gk.Tanh(), gk.Dense(1))
    >>> axes = activation_histograms(model, np.eye(3))
    >>> [panel.get_title(loc="left") for panel in axes.figure.axes[1:]]
    ['tanh', 'tanh_2']
    """
    words, font = wording("activation_histograms", _WORDS, lang)
    found = outputs_of_layers(model, x)
    if layers is None:
        paths = _drawn(model)
    else:
        paths = [layer_path("activation_histograms", model, layer) for layer in layers]
    columns = min(_COLUMNS, len(paths))
    rows = ceil(len(paths) / columns)
    ax = axes_for(ax, (max(3.2, 1.9 * columns + 0.5), 2.1 * rows + 0.4))
    panels = divided(ax, rows, columns, sharey=True)
    for panel in panels.flat[len(paths) :]:
        panel.set_axis_off()
    for panel, path in zip(panels.flat, paths, strict=False):
        values = found[path].ravel()
        values = values[np.isfinite(values)]
        share = np.full(len(values), 1 / max(1, len(values)))
        panel.hist(values, bins=_BINS, weights=share, color=BLUE)
        decorate(panel)
        heading(panel, path)
        panel.set_xlabel(words[0], color=INK)
    for panel in panels[:, 0]:
        panel.set_ylabel(words[1], color=INK)
    set_font(font, ax, *panels.flat)
    return ax


def _drawn(model: Any) -> list[str]:
    """Return the names of the activations, or of the layers with weights."""
    known = parts(model)
    applied = [(path, getattr(layer, "applied", None) or layer) for path, layer in known]
    active = [path for path, layer in applied if getattr(layer, "elementwise", False)]
    weighted = [path for path, layer in known if "weight" in layer.params]
    return active or weighted or [path for path, _ in known]
