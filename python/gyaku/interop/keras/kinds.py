"""Classes of Keras's layers that have weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.layers import (
    GRU,
    LSTM,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Dense,
    DepthwiseConv2D,
    Embedding,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    PReLU,
    RMSNorm,
    SimpleRNN,
    TimeDistributed,
)

if TYPE_CHECKING:
    from gyaku.layers import Layer

__all__ = ["kind_of", "refused"]

_KINDS: dict[type[Layer], str] = {
    Dense: "Dense", Conv1D: "Conv1D", Conv2D: "Conv2D", Conv2DTranspose: "Conv2DTranspose",
    DepthwiseConv2D: "DepthwiseConv2D", Conv3D: "Conv3D", Conv3DTranspose: "Conv3DTranspose",
    RMSNorm: "RMSNormalization", BatchNorm: "BatchNormalization",
    LayerNorm: "LayerNormalization", GroupNorm: "GroupNormalization",
    InstanceNorm: "GroupNormalization", Embedding: "Embedding", SimpleRNN: "SimpleRNN",
    LSTM: "LSTM", GRU: "GRU", Bidirectional: "Bidirectional", TimeDistributed: "TimeDistributed",
    PReLU: "PReLU",
}  # fmt: skip
"""Layers with weights, by the class of Keras."""


def kind_of(layer: Layer) -> str:
    """Return the class in Keras of a layer that has weights.

    Parameters
    ----------
    layer : Layer
        The layer.

    Returns
    -------
    str
        The class, "" if there is none.
    """
    return _KINDS.get(type(layer), "")


def refused(layer: Layer, reason: str) -> ValueError:
    """Return the error of a layer without counterpart.

    Parameters
    ----------
    layer : Layer
        The layer.
    reason : str
        The reason.

    Returns
    -------
    ValueError
        The error.
    """
    return ValueError(f"to_keras: {layer}: {reason}")
