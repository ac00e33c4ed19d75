"""Images of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.plots.canvas import axes_for
from gyaku.plots.style import set_font, wording
from gyaku.plots.tiles import as_pictures, draw_tiles, tiles_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from matplotlib.axes import Axes

__all__ = ["images"]

_COLUMNS = 10


def images(
    x: object,
    *,
    labels: Sequence[object] | None = None,
    count: int = 50,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw images side by side.

    Parameters
    ----------
    x : array_like
        Images, (samples, height, width), with 1 or 3 channels behind it; or flat square ones.
    labels : sequence of object, optional
        A label for each image.
    count : int
        Largest number of images.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels, for a Japanese font.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If there are no images, or the number of labels differs from theirs.

    Examples
    --------
    >>> import numpy as np
    >>> axes = images(np.zeros((3, 8, 8)), labels=[3, 1, 4])
    >>> len(axes.images), [text.get_text() for text in axes.texts]
    (3, ['3', '1', '4'])
    """
    _, font = wording("images", {"en": (), "ja": ()}, lang)
    pictures = as_pictures("images", x)
    if not len(pictures):
        raise ValueError("images: there is no image to draw")
    if labels is not None and len(labels) != len(pictures):
        raise ValueError(f"images: there are {len(labels)} labels for {len(pictures)} images")
    shown = pictures[:count]
    columns = min(_COLUMNS, len(shown))
    aspect = shown.shape[1] / shown.shape[2]
    named = [str(label) for label in labels[:count]] if labels is not None else []
    ax = axes_for(ax, tiles_size(len(shown), columns, aspect, labelled=bool(named), headed=False))
    draw_tiles(ax, [*shown], columns, labels=named)
    set_font(font, ax)
    return ax
