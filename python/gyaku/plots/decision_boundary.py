"""The decision boundary of a classifier of two inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.passes import classes, outputs, target_classes
from gyaku.plots.style import COLORS, INK, frameless, set_font, wording

if TYPE_CHECKING:
    from typing import Any, Literal

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["decision_boundary"]

_POINTS = 201  # of the grid, along each axis
_MARKERS = "osD^vP*X"
_WORDS = {"en": ("class {number}", "$x_1$", "$x_2$"), "ja": ("クラス {number}", "$x_1$", "$x_2$")}


def decision_boundary(
    model: Any,
    x: object,
    y: object,
    *,
    threshold: float = 0.5,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the regions in which a classifier of two inputs predicts each class, with the samples.

    Parameters
    ----------
    model : Model or callable
        The classifier: one output for each class, or one output for two classes; a `Perceptron`.
    x : array_like
        Samples, (samples, 2).
    y : array_like
        Targets: class numbers, (samples,), or rows whose largest element marks the class.
    threshold : float
        Output above which one output alone means class 1; 0 for logits.
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
        If there are not two inputs, or not one target for each sample.

    Examples
    --------
    >>> axes = decision_boundary(lambda x: x[:, 0], [[0.2, 0.0], [0.8, 1.0]], [0, 1])
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['class 0', 'class 1']
    """
    from matplotlib.colors import ListedColormap

    words, font = wording("decision_boundary", _WORDS, lang)
    samples = np.asarray(x, np.float64)
    if samples.ndim != 2 or samples.shape[1] != 2:
        raise ValueError(
            "decision_boundary: x must have shape (samples, 2), since the axes are the two inputs,"
            f" got {samples.shape}"
        )
    targets = target_classes("decision_boundary", y, len(samples))
    edges = [_edges(samples[:, axis]) for axis in (0, 1)]
    grid = np.stack(np.meshgrid(*edges), axis=-1)
    found = classes(outputs("decision_boundary", model, grid.reshape(-1, 2)), threshold)
    count = int(max(found.max(), targets.max(), 1)) + 1
    if count > len(COLORS):
        raise ValueError(f"decision_boundary: at most {len(COLORS)} classes have colours: {count}")
    ax = axes_for(ax, (5.2, 4.0))
    ax.imshow(
        found.reshape(grid.shape[:2]),
        extent=(*edges[0][[0, -1]], *edges[1][[0, -1]]),
        origin="lower",
        cmap=ListedColormap(COLORS[:count]),
        vmin=0,
        vmax=count - 1,
        alpha=0.22,
        interpolation="nearest",
        aspect="auto",
    )
    for number in np.unique(targets):
        ax.scatter(
            samples[targets == number, 0],
            samples[targets == number, 1],
            color=COLORS[number],
            marker=_MARKERS[number],
            s=34,
            edgecolors="white",
            linewidths=0.7,
            label=words[0].format(number=number),
        )
    ax.set_xlabel(words[1], color=INK)
    ax.set_ylabel(words[2], color=INK, rotation=0, labelpad=10)
    frameless(ax)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, labelcolor=INK)
    set_font(font, ax)
    return ax


def _edges(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the points of the grid along an axis, wider than the samples."""
    low, high = float(values.min()), float(values.max())
    room = 0.15 * (high - low) or 1.0
    return np.linspace(low - room, high + room, _POINTS)
