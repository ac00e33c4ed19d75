"""Neural networks trained on CPUs, fast: gyaku (逆伝播, back-propagation).

Layers are written once, in Python; every heavy step runs in C++ kernels with SIMD and OpenMP, and
the same network can run on a plain NumPy reference.

Examples
--------
>>> import gyaku as gk
>>> (x_train, y_train), (x_test, y_test) = gk.data.digits()
>>> model = gk.Sequential(gk.Flatten(), gk.Dense(64), gk.ReLU(), gk.Dense(10))
>>> history = model.fit(
...     x_train,
...     y_train,
...     loss="softmax_cross_entropy",
...     optimizer=gk.Adam(3e-3),
...     epochs=10,
...     metrics=["accuracy"],
...     seed=0,
...     verbose=0,
... )
>>> model.evaluate(x_test, y_test)["accuracy"] > 0.9
True
"""

from importlib import import_module
from types import ModuleType

try:
    from gyaku._core import __version__
except ImportError as error:
    from gyaku.cli import stop_command

    stop_command(error)  # one sentence is enough at the command line
    raise

from gyaku import (
    callbacks,
    data,
    init,
    layers,
    losses,
    metrics,
    models,
    ops,
    optim,
    plots,
    schedules,
)
from gyaku.backend import use_backend
from gyaku.callbacks import Callback, EarlyStopping
from gyaku.layers import (
    ELU,
    GELU,
    SELU,
    Add,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    HardSigmoid,
    Identity,
    Input,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    MaxPool1D,
    MaxPool2D,
    ReLU,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Step,
    Tanh,
)
from gyaku.model import Model, Residual, Sequential, load
from gyaku.optim import SGD, Adam, Momentum, Nesterov, Optimizer
from gyaku.schedules import Constant, InverseTime, OneCycle
from gyaku.threads import num_threads, set_num_threads
from gyaku.train import NonFiniteError

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "SGD",
    "Adam",
    "Add",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "Callback",
    "Concatenate",
    "Constant",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "HardSigmoid",
    "Identity",
    "Input",
    "InverseTime",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "MaxPool1D",
    "MaxPool2D",
    "Model",
    "Momentum",
    "Nesterov",
    "NonFiniteError",
    "OneCycle",
    "Optimizer",
    "ReLU",
    "Reshape",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Step",
    "Tanh",
    "__version__",
    "callbacks",
    "data",
    "init",
    "layers",
    "load",
    "losses",
    "metrics",
    "models",
    "num_threads",
    "ops",
    "optim",
    "plots",
    "schedules",
    "set_num_threads",
    "use_backend",
]


def __getattr__(name: str) -> ModuleType:
    # The reference is imported when it is first asked for: most never need it.
    if name != "reference":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("gyaku.reference")
