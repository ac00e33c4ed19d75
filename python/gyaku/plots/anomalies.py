"""Anomalies of a time series: the series, and the score with its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for, divided
from gyaku.plots.style import BLUE, INK, VERMILION, decorate, heading, set_font, wording

if TYPE_CHECKING:
    from typing import Any, Literal

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["anomalies"]

_LABELLED = "#F0E442"  # Okabe and Ito's yellow
_WORDS = {
    "en": ("Series", "Score", "threshold", "alarm", "labelled", "end of training"),
    "ja": ("時系列", "スコア", "閾値", "警報", "ラベル区間", "訓練の終わり"),
}


def anomalies(
    time: ArrayLike,
    values: ArrayLike,
    score: ArrayLike,
    threshold: float,
    *,
    labelled: ArrayLike = (),
    training: object = None,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
    title: str | None = None,
) -> Axes:
    """Draw a time series above its anomaly score, with threshold, alarms and labelled windows.

    Parameters
    ----------
    time : array_like of datetime64
        Times, (samples,).
    values : array_like
        The series, (samples,).
    score : array_like
        Its anomaly score, (samples,), NaN where there is none.
    threshold : float
        Scores above it are alarms.
    labelled : array_like of datetime64
        First and last time of each labelled window, (windows, 2).
    training : datetime64, optional
        Time at which the training ends.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}, default "en"
        Language of the labels; English, with a warning, if this machine has no Japanese font.
    title : str, optional
        Title of the figure.

    Returns
    -------
    Axes
        The axes, divided into series and score; ``axes.figure.savefig("anomalies.png")`` writes
        them to a file.

    Raises
    ------
    ValueError
        If the language is unknown, or the arrays have different lengths.

    Examples
    --------
    >>> time = np.datetime64("2026-01-01T00") + np.arange(4)
    >>> axes = anomalies(time, [1, 1, 9, 1], [np.nan, 0.1, 5.0, 0.2], 1.0)
    >>> [panel.get_title(loc="left") for panel in axes.figure.axes[1:]]
    ['Series', 'Score']
    """
    words, font = wording("anomalies", _WORDS, lang)
    when, series, scores = np.asarray(time), np.asarray(values), np.asarray(score, np.float64)
    if not when.shape == series.shape == scores.shape or when.ndim != 1:
        raise ValueError(
            f"anomalies: time, values and score must have one shape (samples,), got {when.shape},"
            f" {series.shape} and {scores.shape}"
        )
    ax = axes_for(ax, (9.6, 4.4))
    above, below = divided(ax, 2, 1, sharex=True, height_ratios=(3, 2))[:, 0]
    _draw(above, words[0], when, series)
    _draw(below, words[1], when, scores)
    with np.errstate(invalid="ignore"):
        alarms = np.where(scores > threshold, scores, np.nan)
    (alarm,) = below.plot(when, alarms, color=VERMILION, linewidth=1.6, marker=".", markersize=3)
    line = below.axhline(threshold, color=VERMILION, linewidth=1, linestyle="--")
    legend: dict[str, Any] = {words[2]: line, words[3]: alarm}
    for first, last in np.asarray(labelled).reshape(-1, 2):
        for panel in (above, below):
            legend[words[4]] = panel.axvspan(first, last, color=_LABELLED, alpha=0.5, linewidth=0)
    if training is not None:
        for panel in (above, below):
            legend[words[5]] = panel.axvline(training, color=INK, linewidth=1, linestyle=":")
    above.legend(
        handles=list(legend.values()),
        labels=list(legend),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
        ncols=len(legend),
        frameon=False,
        labelcolor=INK,
    )
    if title:
        large = {"x": 0.015, "ha": "left", "color": INK, "fontsize": 13, "fontweight": "bold"}
        ax.figure.suptitle(title, fontfamily=font, **large)
    set_font(font, ax, above, below)
    return ax


def _draw(panel: Axes, title: str, when: NDArray[Any], values: NDArray[Any]) -> None:
    steps = np.diff(when).astype(np.float64)
    interval = np.median(steps) if len(steps) else 0.0
    gaps = 1 + np.flatnonzero(steps > 2 * interval)  # over which no line is drawn
    broken = np.insert(values.astype(np.float64), gaps, np.nan)
    panel.plot(np.insert(when, gaps, when[gaps]), broken, color=BLUE, linewidth=0.8)
    heading(panel, title)
    decorate(panel)
    panel.margins(x=0.01)
