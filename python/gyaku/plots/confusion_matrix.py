"""The confusion matrix: how many samples of each class are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.passes import classes, outputs, target_classes
from gyaku.plots.style import INK, frameless, heading, percent, set_font, wording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["confusion_matrix"]

_WORDS = {
    "en": ("Prediction", "Target", "Accuracy {accuracy} of {total:,}"),
    "ja": ("予測", "正解", "{total:,} 個の正解率 {accuracy}"),
}
_WRITTEN = 30  # most classes with a number in each cell


def confusion_matrix(
    model: Any,
    x: object = None,
    y: object = None,
    *,
    names: Sequence[str] | None = None,
    normalize: bool = False,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the confusion matrix of a classifier.

    Parameters
    ----------
    model : Model or callable or array_like
        The classifier; or the matrix itself, (classes, classes), with a row for each target.
    x, y : array_like
        Inputs and targets, class numbers or rows whose largest element marks the class; left out
        with a matrix.
    names : sequence of str, optional
        Names of the classes; by default their numbers.
    normalize : bool
        Whether the cells show percentages of their row instead of numbers of samples.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes. The colour of a cell is its fraction of the row; empty cells have no number.

    Raises
    ------
    ValueError
        If the matrix is not square, or the number of targets or names does not fit.

    Examples
    --------
    >>> axes = confusion_matrix([[8, 2], [1, 9]])
    >>> [text.get_text() for text in axes.texts]
    ['8', '2', '1', '9']
    """
    words, font = wording("confusion_matrix", _WORDS, lang)
    counts = _counts(model, x, y, names)
    size, total = len(counts), counts.sum()
    inches = min(8.0, 2.2 + 0.42 * size)
    ax = axes_for(ax, (inches, inches))
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(np.sqrt(fractions), cmap="Blues", vmin=0, vmax=1)  # so that few errors are seen
    labels = [*names] if names is not None else [*map(str, range(size))]
    long = names is not None and max(map(len, labels)) > 3
    ax.set_xticks(range(size), labels, rotation=45 if long else 0, ha="right" if long else "center")
    ax.set_yticks(range(size), labels)
    if size <= _WRITTEN:
        _write(ax, counts, fractions, normalize)
    frameless(ax)
    ax.set_xlabel(words[0], color=INK)
    ax.set_ylabel(words[1], color=INK)
    accuracy = percent(np.trace(counts) / max(total, 1))
    heading(ax, words[2].format(accuracy=accuracy, total=int(total)))
    set_font(font, ax)
    return ax


def _write(ax: Axes, counts: NDArray[Any], fractions: NDArray[Any], normalize: bool) -> None:
    """Write the number of each cell that is not empty."""
    size = len(counts)
    points = 72 * ax.get_window_extent().width / ax.figure.dpi / size
    longest = 3 if normalize else max(len(f"{counts.max():.0f}"), 2)
    for row, column in zip(*np.nonzero(counts), strict=True):
        fraction = fractions[row, column]
        text = f"{100 * fraction:.0f}" if normalize else f"{counts[row, column]:.0f}"
        ax.text(
            *(column, row, text),
            ha="center",
            va="center",
            fontsize=min(10.0, 1.3 * points / longest),
            color="white" if fraction > 0.4 else INK,
        )


def _counts(model: Any, x: object, y: object, names: Sequence[str] | None) -> NDArray[np.float64]:
    """Return the number of samples of each target, in rows, and prediction."""
    owner = "confusion_matrix"
    if x is None and y is None:
        counts = np.asarray(model, np.float64)
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
            raise ValueError(
                f"{owner}: a matrix must have shape (classes, classes), got {counts.shape}; a model"
                " needs x and y"
            )
    else:
        raw = outputs(owner, model, x)
        found, targets = classes(raw), target_classes(owner, y, len(raw))
        several = raw.ndim == 2 and raw.shape[1] > 1
        size = max(raw.shape[1] if several else 2, int(max(found.max(), targets.max())) + 1)
        counts = np.zeros((size, size))
        np.add.at(counts, (targets, found), 1)
    if names is not None and len(names) != len(counts):
        raise ValueError(f"{owner}: there are {len(names)} names for {len(counts)} classes")
    return counts
