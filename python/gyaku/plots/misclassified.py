"""Images that a model gets wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.passes import classes, outputs, target_classes
from gyaku.plots.style import heading, set_font, wording
from gyaku.plots.tiles import as_pictures, draw_tiles, tiles_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from matplotlib.axes import Axes

__all__ = ["misclassified"]

_COLUMNS = 10
_WORDS = {
    "en": "{wrong:,} of {total:,} wrong: target → prediction",
    "ja": "{total:,} 個のうち {wrong:,} 個が誤り：正解 → 予測",
}


def misclassified(
    model: Any,
    x: object,
    y: object,
    *,
    count: int = 30,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the images that a classifier gets wrong, with target and prediction.

    Parameters
    ----------
    model : Model or callable
        The classifier, with one output for each class.
    x : array_like
        Images, (samples, height, width), with or without channels; or flat square ones.
    y : array_like
        Targets: class numbers, (samples,), or rows whose largest element marks the class.
    count : int
        Largest number of images, the first ones.
    names : sequence of str, optional
        Names of the classes; by default their numbers.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes, without images if the classifier gets all of them right.

    Raises
    ------
    ValueError
        If the inputs are no images, or there is not one target for each.

    Examples
    --------
    >>> axes = misclassified(lambda x: np.eye(2)[[0, 1, 1]], np.zeros((3, 8, 8)), [0, 1, 0])
    >>> [text.get_text() for text in axes.texts]
    ['0 → 1']
    """
    words, font = wording("misclassified", _WORDS, lang)
    pictures = as_pictures("misclassified", x)
    targets = target_classes("misclassified", y, len(pictures))
    found = classes(outputs("misclassified", model, x))
    wrong = np.flatnonzero(found != targets)
    shown = wrong[:count]

    def named(number: int) -> str:
        return str(number) if names is None else names[number]

    labels = [f"{named(targets[i])} → {named(found[i])}" for i in shown]
    columns = min(_COLUMNS, max(6, len(shown)))
    aspect = pictures.shape[1] / pictures.shape[2]
    ax = axes_for(ax, tiles_size(len(shown), columns, aspect, labelled=True))
    heading(ax, words.format(wrong=len(wrong), total=len(pictures)))
    ax.set_axis_off()
    if labels:
        draw_tiles(ax, [*pictures[shown]], columns, labels=labels)
    set_font(font, ax)
    return ax
