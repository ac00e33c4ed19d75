"""The loss over the learning rate, from a training whose rate grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.plots.canvas import axes_for
from gyaku.plots.style import BLUE, INK, VERMILION, decorate, heading, set_font, wording

if TYPE_CHECKING:
    from typing import Literal

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["lr_finder", "steepest"]

_WORDS = {
    "en": ("Learning rate, log scale", "Loss", "steepest at {rate:.2g}"),
    "ja": ("学習係数（対数目盛）", "損失", "{rate:.2g} で最も急"),
}
_DIVERGED = 4.0  # times the smallest loss


def lr_finder(
    rates: ArrayLike,
    losses: ArrayLike,
    *,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw the loss over the learning rate, and mark where it falls most steeply.

    Parameters
    ----------
    rates : array_like
        Learning rates in rising order, (steps,).
    losses : array_like
        The loss at each of them, (steps,).
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
        If there are not two or more rates, rising and positive, or not one loss for each.

    Notes
    -----
    L. Smith, Cyclical learning rates for training neural networks (2015), section 3.3. Losses above
    four times the smallest are cut off.

    Examples
    --------
    >>> axes = lr_finder([0.001, 0.01, 0.1, 1], [2.3, 2.2, 0.9, 8.0])
    >>> axes.texts[0].get_text()
    'steepest at 0.032'
    """
    words, font = wording("lr_finder", _WORDS, lang)
    rate, loss = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    if rate.ndim != 1 or rate.shape != loss.shape or len(rate) < 2:
        raise ValueError(
            f"lr_finder: rates and losses must have one shape (steps,), got {rate.shape} and"
            f" {loss.shape}"
        )
    if rate[0] <= 0 or (np.diff(rate) <= 0).any():
        raise ValueError("lr_finder: the rates must be positive and rise")
    ax = axes_for(ax, (5.6, 3.7))
    ax.plot(rate, loss, color=BLUE, linewidth=2)
    ax.set_xscale("log")
    finite = np.isfinite(loss)
    if finite.any():
        low, first = float(loss[finite].min()), float(loss[finite][0])
        high = max(first, min(_DIVERGED * low, float(loss[finite].max())) if low > 0 else first)
        room = 0.06 * ((high - low) or 1.0)
        ax.set_ylim(low - room, high + room)
        best = steepest(rate, loss)
        ax.axvline(best, color=VERMILION, linewidth=1.2, linestyle="--")
        ax.annotate(
            *(words[2].format(rate=best), (best, 1.0)),
            xycoords=("data", "axes fraction"),
            xytext=(5, -4),
            textcoords="offset points",
            va="top",
            color=VERMILION,
            fontsize=9.5,
        )
    decorate(ax)
    ax.set_xlabel(words[0], color=INK)
    heading(ax, words[1])
    set_font(font, ax)
    return ax


def steepest(rates: NDArray[np.float64], losses: NDArray[np.float64]) -> float:
    """Return the rate where the loss falls most steeply over the logarithm of the rate.

    Parameters
    ----------
    rates, losses : ndarray of float64
        Learning rates in rising order, and the loss at each of them.

    Returns
    -------
    float
        The geometric mean of the two rates, a tenth of all apart, between which it falls most.

    Examples
    --------
    >>> round(steepest(np.array([0.001, 0.01, 0.1, 1]), np.array([2.3, 2.2, 0.9, 8.0])), 3)
    0.032
    """
    apart = max(1, len(rates) // 10)
    slopes = (losses[apart:] - losses[:-apart]) / np.log(rates[apart:] / rates[:-apart])
    least = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
    slopes = slopes[: max(1, least)]  # behind it a loss that diverges may fall once more
    place = int(np.argmin(np.where(np.isfinite(slopes), slopes, np.inf)))
    return float(np.sqrt(rates[place] * rates[place + apart]))
