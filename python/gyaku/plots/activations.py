"""Activation functions and their derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.layers.activation import activation
from gyaku.plots.canvas import axes_for, divided
from gyaku.plots.style import COLORS, GREY, INK, decorate, heading, set_font, wording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["activations"]

_POINTS = 801
_STYLES = ("-", "--", "-.", ":")
_WORDS = {"en": ("Function", "Derivative"), "ja": ("関数", "導関数")}


def activations(
    functions: Sequence[Any] = ("step", "sigmoid", "tanh", "relu"),
    *,
    xlim: tuple[float, float] = (-4.0, 4.0),
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw activation functions, and beside them their derivatives.

    Parameters
    ----------
    functions : sequence of str or Activation
        The functions, by name or as layers.
    xlim : tuple of float
        Range of the argument.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes, divided into functions and derivatives.

    Raises
    ------
    ValueError
        If there are no functions, more than eight, or a name is unknown.

    Notes
    -----
    Softmax depends on several arguments: the first output for (x, 0, 0) is drawn.

    Examples
    --------
    >>> axes = activations(["sigmoid"])
    >>> _, function, derivative = axes.figure.axes
    >>> print(derivative.lines[0].get_ydata().max())
    0.25
    """
    words, font = wording("activations", _WORDS, lang)
    if isinstance(functions, str):
        functions = [functions]
    layers = [activation(each) for each in functions]
    if not 1 <= len(layers) <= len(COLORS):
        raise ValueError(f"activations: 1 to {len(COLORS)} functions can be drawn: {len(layers)}")
    ax = axes_for(ax, (9.2, 3.4))
    panels = divided(ax, 1, 2)[0]
    x = np.linspace(*xlim, _POINTS)
    for place, layer in enumerate(layers):
        for panel, values in zip(panels, _curves(layer, x), strict=True):
            panel.plot(
                *(x, values),
                color=COLORS[place],
                linestyle=_STYLES[place % len(_STYLES)],
                linewidth=2,
                label=layer.op if layer.elementwise else f"{layer.op}(x, 0, 0)",
            )
    for panel, word in zip(panels, words, strict=True):
        heading(panel, word)
        decorate(panel)
        panel.axvline(0, color=GREY, linewidth=0.8, zorder=0)
        panel.set_xlim(xlim)
        panel.set_xlabel("$x$", color=INK)
    panels[1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelcolor=INK)
    set_font(font, ax, *panels)
    return ax


def _curves(layer: Any, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return function and derivative."""
    points = x[:, None] * ([1.0] if layer.elementwise else [1.0, 0.0, 0.0])
    values = layer.forward(points)
    slopes = layer.backward(np.eye(1, points.shape[1]).repeat(len(x), axis=0))
    return values[:, 0], slopes[:, 0]
