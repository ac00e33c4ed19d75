"""Sizes of gradients and updates, layer by layer."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from gyaku.losses import loss as as_loss
from gyaku.plots.canvas import axes_for
from gyaku.plots.style import COLORS, INK, decorate, heading, set_font, wording

if TYPE_CHECKING:
    from typing import Any, Literal

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["gradient_sizes"]

_WORDS = {
    "en": ("gradient", "update", "Root mean square of the weights' {}, log scale", "Layer", "0"),
    "ja": ("勾配", "更新量", "重みの{}の二乗平均平方根（対数目盛）", "層", "0"),
}


def gradient_sizes(
    model: Any,
    x: object,
    y: object,
    loss: Any,
    *,
    optimizer: Any = None,
    ax: Axes | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Axes:
    """Draw how large the gradient of each layer's weights is, and the update of an optimizer.

    Parameters
    ----------
    model : Model or mapping of str to Model
        A model of one output, or several to compare by name; they stay unchanged.
    x, y : array_like
        Inputs and targets of one batch.
    loss : str or Loss or callable
        The loss.
    optimizer : Optimizer, optional
        An optimizer, whose first update is drawn as well, dashed.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes; gradients of zero are left out of the logarithmic scale.

    Raises
    ------
    ValueError
        If a model has no weights to train.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Dense(4), gk.Sigmoid(), gk.Dense(2))
    >>> axes = gradient_sizes(model, np.eye(3), [0, 1, 0], "softmax_cross_entropy")
    >>> len(axes.lines[0].get_ydata())
    2
    """
    words, font = wording("gradient_sizes", _WORDS, lang)
    models = {"": model} if hasattr(model, "planned") else dict(model)
    sizes = {name: _sizes(each, x, y, as_loss(loss), optimizer) for name, each in models.items()}
    longest = max(sizes.values(), key=lambda each: len(each[0]))[0]
    ax = axes_for(ax, (max(5.2, min(9.6, 1.8 + 0.55 * len(longest))), 3.9))
    for color, (name, (_, *columns)) in zip(COLORS, sizes.items(), strict=False):
        for word, values, form in zip(words, columns, ("o-", "s--"), strict=False):
            if not len(values):
                continue
            label = " ".join(filter(None, (name, word if optimizer else "")))
            ax.plot(
                *(range(len(values)), np.where(values > 0, values, np.nan), form),
                color=color,
                linewidth=1.8,
                markersize=5,
                markerfacecolor=color if form == "o-" else "white",
                label=label,
            )
    ax.set_yscale("log")
    decorate(ax)
    tilted = len(longest) > 6 or max(map(len, longest)) > 9
    ax.set_xticks(
        *(range(len(longest)), longest),
        rotation=45 if tilted else 0,
        ha="right" if tilted else "center",
    )
    joined = f"{words[0]} / {words[1]}" if optimizer else words[0]
    heading(ax, words[2].format(joined))
    if optimizer or len(models) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelcolor=INK)
    set_font(font, ax)
    return ax


def _sizes(
    model: Any, x: object, y: object, loss: Any, optimizer: Any
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Return the names of the layers with weights, and the sizes of gradients and updates."""
    twin = copy.deepcopy(model)
    _, dy = loss(twin.forward(x, training=True), np.asarray(y))
    twin.backward(dy)
    paths = [
        use.path
        for use in twin.plan.applications
        if use.layer.trainable and "weight" in use.layer.params
    ]
    if not paths:
        raise ValueError("gradient_sizes: the model has no weights to train")
    gradients = [_rms(twin.grads[f"{path}.weight"]) for path in paths]
    before = {path: twin.params[f"{path}.weight"].copy() for path in paths}
    if optimizer is not None:
        copy.deepcopy(optimizer).step(twin)
    updates = [_rms(twin.params[f"{path}.weight"] - before[path]) for path in paths]
    columns = [np.array(gradients), np.array(updates)]
    return paths, columns[0], columns[1] if optimizer is not None else np.zeros(0)


def _rms(values: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
