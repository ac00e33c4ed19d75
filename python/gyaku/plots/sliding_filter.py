"""A filter that slides over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import whole
from gyaku.plots.canvas import axes_for, divided
from gyaku.plots.film import film
from gyaku.plots.style import INK, VERMILION, heading, set_font, wording

if TYPE_CHECKING:
    from typing import Any, Literal

    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["sliding_filter"]

_WRITTEN = 8  # widest image with a number in each cell
_MOST = 400  # positions
_WORDS = {"en": ("Image", "Filter", "Output"), "ja": ("画像", "フィルタ", "出力")}


def sliding_filter(
    image: ArrayLike,
    filter: ArrayLike,
    *,
    stride: int = 1,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> FuncAnimation:
    """Animate a convolution: a filter slides over an image and leaves a sum at each position.

    Parameters
    ----------
    image : array_like
        The image, (height, width).
    filter : array_like
        The filter, (height, width), not larger than the image.
    stride : int
        Distance between two positions.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    FuncAnimation
        The animation, which a notebook shows; ``save("filter.gif")`` writes a file.

    Raises
    ------
    ValueError
        If image or filter is no matrix, the filter is larger, or there are over 400 positions.

    Notes
    -----
    ``y[i, j] = Σ_ab image[i s + a, j s + b] filter[a, b]`` with the stride s: the filter is not
    flipped.

    Examples
    --------
    >>> film = sliding_filter(np.eye(3), np.ones((2, 2)))
    >>> film.save("filter.gif")  # doctest: +SKIP
    """
    words, font = wording("sliding_filter", _WORDS, lang)
    step = whole("sliding_filter", "stride", stride)
    given, kernel = np.asarray(image, np.float64), np.asarray(filter, np.float64)
    if given.ndim != 2 or kernel.ndim != 2 or not kernel.size:
        raise ValueError(
            "sliding_filter: image and filter must have shape (height, width), got"
            f" {given.shape} and {kernel.shape}"
        )
    if kernel.shape[0] > given.shape[0] or kernel.shape[1] > given.shape[1]:
        raise ValueError(
            f"sliding_filter: the filter {kernel.shape} is larger than the image {given.shape}"
        )
    windows = np.lib.stride_tricks.sliding_window_view(given, kernel.shape)[::step, ::step]
    sums: NDArray[np.float64] = np.einsum("ijab,ab->ij", windows, kernel)
    if sums.size > _MOST:
        raise ValueError(
            f"sliding_filter: the filter has {sums.size} positions, draw at most {_MOST}: a smaller"
            " image or a larger stride"
        )
    ax = axes_for(ax, (7.6, 3.2))
    panels = divided(ax, 1, 3, width_ratios=(3, 1.5, 3))[0]
    for panel, word, values in zip(panels, words, (given, kernel, sums), strict=True):
        _matrix(panel, word, values)
    set_font(font, ax, *panels)
    return film(ax, _frames(panels, kernel.shape, sums, step), sums.size, interval=400)


def _matrix(panel: Axes, word: str, values: NDArray[Any]) -> None:
    largest = float(np.abs(values).max()) or 1.0
    panel.imshow(values, cmap="PuOr_r", vmin=-largest, vmax=largest, alpha=0.6)
    if max(values.shape) <= _WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            panel.text(
                column, row, f"{value:.3g}", ha="center", va="center", fontsize=8.5, color=INK
            )
    panel.set_axis_off()
    heading(panel, word)


def _frames(panels: Any, size: tuple[int, ...], sums: NDArray[Any], step: int) -> Any:
    """Return the function that draws a frame: the window, and the sums up to there."""
    from matplotlib.patches import Rectangle

    image, _, output = panels
    window = Rectangle((0, 0), size[1], size[0], fill=False, color=VERMILION, linewidth=2.4)
    here = Rectangle((0, 0), 1, 1, fill=False, color=VERMILION, linewidth=2.4)
    image.add_patch(window)
    output.add_patch(here)
    (picture,), texts = output.images, output.texts

    def draw(frame: int) -> None:
        row, column = divmod(frame, sums.shape[1])
        window.set_xy((column * step - 0.5, row * step - 0.5))
        here.set_xy((column - 0.5, row - 0.5))
        later = np.arange(sums.size).reshape(sums.shape) > frame
        picture.set_data(np.ma.masked_array(sums, later))
        for place, text in enumerate(texts):
            text.set_visible(place <= frame)

    return draw
