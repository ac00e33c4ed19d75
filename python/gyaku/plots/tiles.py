"""Images side by side in one Axes."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["as_pictures", "draw_tiles", "tiles_size"]

_GAP = 0.08  # between two tiles, in widths of a tile
_LABEL = 0.24  # height of a label, in widths of a tile
_INCHES = 0.86  # width of a tile in a new figure
_WIDEST = 9.6  # inches


def as_pictures(owner: str, x: object) -> Array:
    """Return images as they can be drawn: in grey levels, or in three colours from 0 to 1.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    x : array_like
        Images, (samples, height, width) or (samples, height, width, channels), or flat ones of a
        square, (samples, height width).

    Returns
    -------
    ndarray of float64
        Images, (samples, height, width) or (samples, height, width, 3).

    Raises
    ------
    ValueError
        If they are no images.
    """
    given = np.asarray(x, np.float64)
    if given.ndim == 2 and (side := round(given.shape[1] ** 0.5)) ** 2 == given.shape[1]:
        given = given.reshape(-1, side, side)
    if given.ndim == 4 and given.shape[3] == 1:
        given = given[..., 0]
    if given.ndim == 4 and given.shape[3] == 3:
        return np.clip(given / (255 if given.max(initial=0) > 1 else 1), 0, 1)
    if given.ndim != 3:
        raise ValueError(
            f"{owner}: images must have shape (samples, height, width), with 1 or 3 channels behind"
            f" it, got {np.asarray(x).shape}"
        )
    return given


def tiles_size(
    count: int, columns: int, aspect: float = 1.0, *, labelled: bool = False, headed: bool = True
) -> tuple[float, float]:
    """Return the size of a new figure for tiles.

    Parameters
    ----------
    count, columns : int
        Number of tiles, and of those in a row.
    aspect : float
        Height of a tile over its width.
    labelled : bool
        Whether there are labels above the tiles.
    headed : bool
        Whether there is a title above all of them.

    Returns
    -------
    tuple of float
        Width and height in inches.
    """
    inches = min(_INCHES, _WIDEST / columns)
    height = ceil(count / columns) * inches * (aspect + _GAP + _LABEL * labelled)
    return max(2.4, columns * inches * (1 + _GAP) + 0.5), height + (0.42 if headed else 0.16)


def draw_tiles(
    ax: Axes,
    pictures: Sequence[Array],
    columns: int,
    *,
    labels: Sequence[str] = (),
    signed: bool = False,
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw images side by side, row after row, each with its label above it.

    Parameters
    ----------
    ax : Axes
        The axes.
    pictures : sequence of ndarray
        Images of one shape, (height, width) or (height, width, 3).
    columns : int
        Number of images in a row.
    labels : sequence of str
        A label for each image; () for none.
    signed : bool
        Whether to draw negative values in one colour and positive ones in another, grey levels
        otherwise.
    limits : tuple of float, optional
        Values that are black and white; by default smallest and largest of all images.
    """
    largest = max(float(np.abs(each).max(initial=0)) for each in pictures) or 1.0
    if signed:
        limits = (-largest, largest)
    elif limits is None:
        limits = min(float(each.min()) for each in pictures), largest
    height, width = pictures[0].shape[:2]
    aspect, lead = height / width, _LABEL if labels else 0.0
    rows = ceil(len(pictures) / columns)
    right, bottom = columns * (1 + _GAP) - _GAP, rows * (aspect + _GAP + lead) - _GAP
    for place, picture in enumerate(pictures):
        left, top = place % columns * (1 + _GAP), place // columns * (aspect + _GAP + lead) + lead
        ax.imshow(
            picture,
            extent=(left, left + 1, top + aspect, top),
            cmap="PuOr_r" if signed else "gray",
            vmin=limits[0],
            vmax=limits[1],
            interpolation="nearest",
        )
    ax.set_xlim(0, right)
    ax.set_ylim(bottom, 0)
    ax.set_aspect("equal")
    ax.set_axis_off()
    _write(ax, labels, columns, aspect, lead)


def _write(ax: Axes, labels: Sequence[str], columns: int, aspect: float, lead: float) -> None:
    """Write labels as large as the tiles allow."""
    from gyaku.plots.style import INK

    points = 72 * ax.get_window_extent().width / ax.figure.dpi / (columns * (1 + _GAP))
    longest = max(map(len, labels), default=1)
    size = min(10.0, 0.72 * _LABEL * points, 1.6 * points / longest)
    for place, label in enumerate(labels):
        left, top = place % columns * (1 + _GAP), place // columns * (aspect + _GAP + lead) + lead
        ax.text(
            *(left + 0.5, top - 0.2 * lead, label),
            ha="center",
            va="baseline",
            fontsize=size,
            color=INK,
        )
