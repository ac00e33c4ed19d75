"""Filters of a convolution, as images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.passes import layer_path, parts
from gyaku.plots.style import heading, set_font, wording
from gyaku.plots.tiles import draw_tiles, tiles_size

if TYPE_CHECKING:
    from typing import Any, Literal

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["filters"]

_MOST = 8  # filters in a row, and channels below each other
_WORDS = {
    "en": (
        "Filters of {name}: purple below 0, orange above",
        "{name}: {shown} of {filters} filters, {rows} of {channels} channels below each other",
    ),
    "ja": (
        "{name} のフィルタ：紫は負，橙は正",
        "{name}：{filters} 個のフィルタのうち {shown} 個，縦に {channels} チャンネルのうち {rows}",
    ),
}


def filters(
    model: Any,
    layer: Any = None,
    *,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the filters of a convolution as images.

    Parameters
    ----------
    model : Model or Layer
        A model, or a convolution.
    layer : str or int or Layer, optional
        The layer, by name, index or itself; by default the first one with filters.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes. Filters of one channel stand row after row; those of several channels beside each
        other, with one row for each channel, eight at most.

    Raises
    ------
    ValueError
        If there is no such layer, or it has no filters.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Conv2D(6, 3), gk.Flatten(), gk.Dense(2))
    >>> model.build((8, 8, 1))
    >>> len(filters(model).images)
    6
    """
    words, font = wording("filters", _WORDS, lang)
    name, weight = _weight(model, layer)
    channels, count = weight.shape[2:]
    rows = min(channels, _MOST)
    columns = min(_MOST, count)
    shown = count if channels == 1 else columns
    pictures = [weight[:, :, c, f] for c in range(rows) for f in range(shown)]
    text = words[shown < count or rows < channels]
    size = tiles_size(len(pictures), columns, weight.shape[0] / weight.shape[1])
    ax = axes_for(ax, (max(5.2, size[0]), size[1]))
    draw_tiles(ax, pictures, columns, signed=True)
    facts = {"filters": count, "shown": shown, "channels": channels, "rows": rows}
    heading(ax, text.format(name=name, **facts))
    set_font(font, ax)
    return ax


def _weight(model: Any, layer: Any) -> tuple[str, NDArray[Any]]:
    """Return name and weight, (height, width, channels, filters), of a convolution."""
    if not hasattr(model, "planned"):
        known = [(str(model), model)]
    else:
        known = parts(model)
        if layer is not None:
            path = layer_path("filters", model, layer)
            known = [part for part in known if part[0] == path]
    for name, each in known:
        weight = each.params.get("weight")
        if weight is not None and weight.ndim in (3, 4):
            return name, np.asarray(weight).reshape(weight.shape[0], -1, *weight.shape[-2:])
    if getattr(model, "built", True) is False:
        raise ValueError("filters: the model has no weights yet, call build or fit first")
    if len(known) == 1:
        raise ValueError(
            f"filters: {known[0][0]} has no filters, only convolutions do; give one, such as Conv2D"
        )
    names = ", ".join(name for name, _ in known)
    raise ValueError(f"filters: no layer of the model has filters, it has {names}")
