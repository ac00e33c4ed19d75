"""Layers: each a forward pass, a backward pass and the parameters between them."""

from gyaku.layers.activation import (
    ELU,
    GELU,
    SELU,
    Activation,
    HardSigmoid,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Step,
    Tanh,
)
from gyaku.layers.base import Layer
from gyaku.layers.conv import Conv1D, Conv2D, DepthwiseConv2D
from gyaku.layers.conv_transpose import Conv2DTranspose
from gyaku.layers.dense import Dense
from gyaku.layers.dropout import Dropout
from gyaku.layers.merge import Add, Concatenate
from gyaku.layers.norm import BatchNorm, LayerNorm
from gyaku.layers.pool import (
    AvgPool1D,
    AvgPool2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    MaxPool1D,
    MaxPool2D,
)
from gyaku.layers.rescaling import Rescaling
from gyaku.layers.shape import Flatten, Reshape
from gyaku.symbolic import Input

__all__ = [
    "ELU",
    "GELU",
    "LAYERS",
    "SELU",
    "Activation",
    "Add",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "HardSigmoid",
    "Identity",
    "Input",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "MaxPool1D",
    "MaxPool2D",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Step",
    "Tanh",
]

LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        *(Dense, Dropout, Flatten, Rescaling, Reshape),
        *(Conv2D, Conv1D, Conv2DTranspose, DepthwiseConv2D, BatchNorm, LayerNorm),
        *(MaxPool2D, MaxPool1D, AvgPool2D, AvgPool1D, GlobalMaxPool2D, GlobalAvgPool2D),
        *(Add, Concatenate),
        *(Identity, Step, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Softplus),
        *(HardSigmoid, Softmax, LogSoftmax),
    )
}
"""The layers that a model file may name."""
