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
from gyaku.layers.dense import Dense
from gyaku.layers.dropout import Dropout
from gyaku.layers.shape import Flatten, Reshape

__all__ = [
    "ELU",
    "GELU",
    "LAYERS",
    "SELU",
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "HardSigmoid",
    "Identity",
    "Layer",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
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
        *(Dense, Dropout, Flatten, Reshape),
        *(Identity, Step, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Softplus),
        *(HardSigmoid, Softmax, LogSoftmax),
    )
}
"""The layers that a model file may name."""
