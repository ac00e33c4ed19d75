"""The error surface of two parameters, and the paths of optimizers over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.film import film
from gyaku.plots.style import COLORS, INK, frameless, set_font, wording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Literal

    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike, NDArray

    Range = tuple[float, float]
    Surface = Callable[[NDArray[Any], NDArray[Any]], Any]

__all__ = ["animate_paths", "error_surface"]

_POINTS = 161  # of the grid, along each axis
_LEVELS = 18
_FRAMES = 60
_WORDS = {"en": ("start", "step {step}"), "ja": ("始点", "{step} ステップ")}


def error_surface(
    f: Surface,
    xlim: Range,
    ylim: Range,
    *,
    paths: Mapping[str, ArrayLike] | None = None,
    labels: tuple[str, str] = ("$w_1$", "$w_2$"),
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the contours of a function of two parameters, and paths over it.

    Parameters
    ----------
    f : callable
        The function: of two float64 arrays of one shape, it returns the values, in this shape.
    xlim, ylim : tuple of float
        Range of the first and of the second parameter.
    paths : mapping of str to array_like, optional
        Paths by name, (steps, 2).
    labels : tuple of str
        Names of the parameters.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes. Contours lie closer where the function is small; darker is lower.

    Raises
    ------
    ValueError
        If the function does not return an array of the same shape, or a path has not two columns.

    Examples
    --------
    >>> axes = error_surface(
    ...     lambda a, b: a**2 + b**2, (-1, 1), (-1, 1), paths={"SGD": [[1, 1], [0, 0]]}
    ... )
    >>> axes.lines[0].get_label()
    'SGD'
    """
    ax, _ = _surface("error_surface", f, xlim, ylim, paths or {}, labels, ax, lang)
    return ax


def animate_paths(
    f: Surface,
    xlim: Range,
    ylim: Range,
    paths: Mapping[str, ArrayLike],
    *,
    labels: tuple[str, str] = ("$w_1$", "$w_2$"),
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> FuncAnimation:
    """Animate paths over the contours of a function of two parameters.

    Parameters
    ----------
    f, xlim, ylim : object
        The function and the ranges of its parameters; see `error_surface`.
    paths : mapping of str to array_like
        Paths by name, (steps, 2).
    labels : tuple of str
        Names of the parameters.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    FuncAnimation
        The animation, of 60 frames at most, which a notebook shows; ``save("paths.gif")`` writes a
        file.

    Raises
    ------
    ValueError
        If there is no path, or an argument is invalid as in `error_surface`.

    Examples
    --------
    >>> film = animate_paths(lambda a, b: a**2 + b**2, (-1, 1), (-1, 1), {"SGD": [[1, 1], [0, 0]]})
    >>> film._repr_html_()[:45]
    '<img alt="animation" src="data:image/gif;base'
    """
    if not paths:
        raise ValueError("animate_paths: there is no path to animate")
    ax, drawn = _surface("animate_paths", f, xlim, ylim, paths, labels, ax, lang)
    words, font = wording("animate_paths", _WORDS, lang)
    steps = max(len(points) for _, points in drawn)
    shown = np.unique(np.linspace(1, steps, min(steps, _FRAMES)).astype(int))

    def draw(frame: int) -> None:
        for line, points in drawn:
            line.set_data(*points[: shown[frame]].T)
        text = words[1].format(step=shown[frame] - 1)
        ax.set_title(text, loc="right", color=INK, fontsize=10, fontfamily=font)

    return film(ax, draw, len(shown))


def _surface(
    owner: str,
    f: Surface,
    xlim: Range,
    ylim: Range,
    paths: Mapping[str, ArrayLike],
    labels: tuple[str, str],
    ax: Axes | None,
    lang: Literal["en", "ja"],
) -> tuple[Axes, list[tuple[Line2D, NDArray[Any]]]]:
    """Draw surface and paths, and return axes and lines with their points."""
    words, font = wording(owner, _WORDS, lang)
    tracks = {name: _track(owner, name, given) for name, given in paths.items()}
    ax = axes_for(ax, (6.2 if tracks else 5.0, 4.2))
    _contours(ax, owner, f, xlim, ylim)
    drawn = []
    for place, (name, points) in enumerate(tracks.items()):
        color = COLORS[(place + 1) % len(COLORS)]
        (line,) = ax.plot(*points.T, color=color, linewidth=1.6, label=name, zorder=3)
        line.set(marker="o", markersize=3.2, markeredgewidth=0)
        drawn.append((line, points))
    if tracks:
        starts = np.unique([points[0] for points in tracks.values()], axis=0)
        ax.scatter(
            starts[:, 0], starts[:, 1], s=46, color=INK, marker="x", zorder=4, label=words[0]
        )
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, labelcolor=INK)
    ax.set(xlim=xlim, ylim=ylim)
    ax.set_xlabel(labels[0], color=INK)
    ax.set_ylabel(labels[1], color=INK, rotation=0, labelpad=10)
    frameless(ax)
    set_font(font, ax)
    return ax, drawn


def _track(owner: str, name: str, given: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(given, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(
            f"{owner}: the path {name!r} must have shape (steps, 2), got {points.shape}"
        )
    return points


def _contours(ax: Axes, owner: str, f: Surface, xlim: Range, ylim: Range) -> None:
    grid = np.meshgrid(np.linspace(*xlim, _POINTS), np.linspace(*ylim, _POINTS))
    values = np.asarray(f(*grid), np.float64)
    if values.shape != grid[0].shape:
        raise ValueError(
            f"{owner}: f must return a value for each element of its two arrays, got shape"
            f" {values.shape}; np.vectorize(f) does for a function of two numbers"
        )
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    levels = low + (high - low) * np.linspace(0, 1, _LEVELS) ** 2
    if high > low:
        heights = np.linspace(0, 1, _LEVELS - 1)
        ax.contourf(*grid, values, levels=levels, colors=[_shade(h) for h in heights])
        ax.contour(*grid, values, levels=levels, colors="white", linewidths=0.6)


def _shade(height: float) -> tuple[float, float, float]:
    """Return the colour of a level: dark grey-blue at the bottom, nearly white at the top."""
    bottom, top = np.array([0.52, 0.62, 0.72]), np.array([0.96, 0.97, 0.98])
    red, green, blue = bottom + (top - bottom) * height
    return float(red), float(green), float(blue)
