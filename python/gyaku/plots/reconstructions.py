"""Images and what an autoencoder makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.passes import outputs
from gyaku.plots.style import INK, set_font, wording
from gyaku.plots.tiles import as_pictures, draw_tiles, tiles_size

if TYPE_CHECKING:
    from typing import Any, Literal

    from matplotlib.axes import Axes

__all__ = ["reconstructions"]

_WORDS = {"en": ("input", "output", "target"), "ja": ("入力", "出力", "目標")}


def reconstructions(
    model: Any,
    x: object,
    *,
    target: object = None,
    count: int = 10,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw images above what a model makes of them.

    Parameters
    ----------
    model : Model or callable
        An autoencoder, or a model that removes noise.
    x : array_like
        Images, (samples, height, width), with or without channels; or flat square ones.
    target : array_like, optional
        Images without noise, in a third row.
    count : int
        Largest number of images, the first ones.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If inputs, outputs or targets are no images, or of different shapes.

    Notes
    -----
    Each row has grey levels of its own, since bytes may come in and fractions out.

    Examples
    --------
    >>> axes = reconstructions(lambda x: x / 2, np.eye(4).reshape(4, 2, 2))
    >>> len(axes.images), axes.texts[1].get_text()
    (8, 'output')
    """
    words, font = wording("reconstructions", _WORDS, lang)
    given = np.asarray(x)[:count]
    rows = [given, outputs("reconstructions", model, given)]
    if target is not None:
        rows.append(np.asarray(target)[:count])
    drawn = [_scaled(as_pictures("reconstructions", row)) for row in rows]
    if len({row.shape for row in drawn}) > 1:
        shapes = " and ".join(str(row.shape) for row in drawn)
        raise ValueError(f"reconstructions: the images must have one shape, got {shapes}")
    columns, aspect = len(given), drawn[0].shape[1] / drawn[0].shape[2]
    ax = axes_for(ax, tiles_size(len(drawn) * columns, columns, aspect, headed=False))
    draw_tiles(ax, [picture for row in drawn for picture in row], columns, limits=(0, 1))
    for row, word in enumerate(words[: len(drawn)]):
        height = 1 - (row + 0.5) / len(drawn)
        ax.text(
            *(-0.01, height, word),
            ha="right",
            va="center",
            color=INK,
            fontsize=10,
            transform=ax.transAxes,
        )
    set_font(font, ax)
    return ax


def _scaled(pictures: Any) -> Any:
    """Return images between 0 and 1, with 0 where it was unless there are negative values."""
    least, most = min(0.0, float(pictures.min(initial=0))), float(pictures.max(initial=0))
    return (pictures - least) / ((most - least) or 1.0)
