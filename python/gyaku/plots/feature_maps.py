"""Feature maps: what the filters of a layer find in an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.passes import layer_path, outputs_of_layers
from gyaku.plots.style import heading, set_font, wording
from gyaku.plots.tiles import draw_tiles, tiles_size

if TYPE_CHECKING:
    from typing import Any, Literal

    from matplotlib.axes import Axes

__all__ = ["feature_maps"]

_COLUMNS, _MOST = 8, 64
_WORDS = {
    "en": "Feature maps of {name}: {count} of {height} × {width}",
    "ja": "{name} の特徴マップ：{height} × {width} が {count} 枚",
}


def feature_maps(
    model: Any,
    image: object,
    layer: Any = None,
    *,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the output of a layer for one image, channel by channel.

    Parameters
    ----------
    model : Model
        The model.
    image : array_like
        One input sample, without the batch axis.
    layer : str or int or Layer, optional
        The layer, by name, index or itself; by default the first one whose output has channels.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes, with 64 maps at most.

    Raises
    ------
    ValueError
        If there is no such layer, or its output has no maps.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Conv2D(6, 3), gk.ReLU(), gk.Flatten(), gk.Dense(2))
    >>> axes = feature_maps(model, np.zeros((8, 8, 1)), "relu")
    >>> len(axes.images), axes.images[0].get_array().shape
    (6, (6, 6))
    """
    words, font = wording("feature_maps", _WORDS, lang)
    found = outputs_of_layers(model, np.asarray(image)[None])
    if layer is None:
        layer = next((name for name, y in found.items() if _is_maps(y)), next(iter(found)))
    name = layer_path("feature_maps", model, layer)
    maps = found[name]
    if maps.ndim != 4:
        raise ValueError(
            f"feature_maps: the output of {name} has no maps, (height, width, channels), but shape"
            f" {maps.shape[1:]}"
        )
    _, height, width, count = maps.shape
    columns, shown = min(_COLUMNS, count), min(_MOST, count)
    size = tiles_size(shown, columns, height / width)
    ax = axes_for(ax, (max(4.2, size[0]), size[1]))
    draw_tiles(ax, [maps[0, :, :, channel] for channel in range(shown)], columns)
    heading(ax, words.format(name=name, count=count, height=height, width=width))
    set_font(font, ax)
    return ax


def _is_maps(y: Any) -> bool:
    return bool(y.ndim == 4 and y.shape[3] > 1)
