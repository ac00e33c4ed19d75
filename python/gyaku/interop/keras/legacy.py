"""Old files ``.h5``, in which a model within a model has one list of all its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.keras.activations import Unreadable
from gyaku.interop.keras.config import MODELS, described, layers_of
from gyaku.interop.keras.file import Stored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.keras.config import Described

__all__ = ["split"]

_KERNELS = {
    **dict.fromkeys(("Dense", "Conv1D", "Conv2D", "Conv2DTranspose"), 1),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), 1),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D", "SimpleRNN", "LSTM", "GRU"), 2),
}
"""Number of weights beside the bias, by class."""


def split(layers: Sequence[Described], arrays: Sequence[NDArray[Any]]) -> dict[str, Stored]:
    """Return the arrays of each layer of a model within a model.

    Parameters
    ----------
    layers : sequence of Described
        The layers.
    arrays : sequence of ndarray
        The arrays that are trained of all layers, then the others.

    Returns
    -------
    dict of str to Stored
        The arrays by the names of the layers.

    Raises
    ------
    Unreadable
        If their number is another.
    """
    counts = [_counts(each) for each in layers]
    trained = sum(count for count, _ in counts)
    total = trained + sum(count for _, count in counts)
    if total != len(arrays):
        names = ", ".join(each.name for each in layers[:4])
        raise Unreadable(f"has {len(arrays)} arrays for {names} ..., which need {total}")
    found, place, other = {}, 0, trained
    for layer, (weights, states) in zip(layers, counts, strict=True):
        own = [*arrays[place : place + weights], *arrays[other : other + states]]
        found[layer.name] = Stored(layer.name, own)
        place, other = place + weights, other + states
    return found


def _counts(layer: Described) -> tuple[int, int]:
    """Return the numbers of arrays of a layer that are trained, and that are not."""
    if layer.kind in MODELS:
        counts = [_counts(each) for each in layers_of(layer)]
        weights, states = (sum(each) for each in zip(*counts, strict=True)) if counts else (0, 0)
    else:
        weights, states = _own(layer)
    return (weights, states) if layer.config.get("trainable", True) else (0, weights + states)


def _own(layer: Described) -> tuple[int, int]:
    kind, config = layer.kind, layer.config
    if kind in _KERNELS:
        return _KERNELS[kind] + bool(config.get("use_bias", True)), 0
    if kind in ("BatchNormalization", "LayerNormalization", "GroupNormalization"):
        weights = bool(config.get("scale", True)) + bool(config.get("center", True))
        return weights, 2 * (kind == "BatchNormalization")
    if kind in ("Bidirectional", "TimeDistributed"):
        weights, states = _counts(described(config.get("layer")))
        times = 2 if kind == "Bidirectional" else 1
        return times * weights, times * states
    if kind == "Normalization":
        return 0, 3 * (config.get("mean") is None)
    return int(kind in ("Embedding", "PReLU")), 0
