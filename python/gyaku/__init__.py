"""Neural networks trained on CPUs, fast: gyaku (逆伝播, back-propagation).

Layers are written once, in Python; every heavy step runs in C++ kernels with SIMD and OpenMP, and
the same network can run on a plain NumPy reference.

Examples
--------
>>> import gyaku as gk
>>> (x_train, y_train), (x_test, y_test) = gk.data.digits()
>>> model = gk.Sequential(
...     gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(64), gk.ReLU(), gk.Dense(10)
... )
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
from typing import TYPE_CHECKING

try:
    from gyaku._core import __version__ as __version__
except ImportError as error:
    from gyaku.cli import stop_command

    stop_command(error)  # one sentence is enough at the command line
    raise

if TYPE_CHECKING:  # what `__getattr__` does, for those that read and do not run
    from gyaku import callbacks as callbacks
    from gyaku import data as data
    from gyaku import init as init
    from gyaku import layers as layers
    from gyaku import losses as losses
    from gyaku import metrics as metrics
    from gyaku import models as models
    from gyaku import ops as ops
    from gyaku import optim as optim
    from gyaku import plots as plots
    from gyaku import reference as reference
    from gyaku import schedules as schedules
    from gyaku.backend import use_backend as use_backend
    from gyaku.callbacks import Callback as Callback
    from gyaku.callbacks import EarlyStopping as EarlyStopping
    from gyaku.layers import ELU as ELU
    from gyaku.layers import GELU as GELU
    from gyaku.layers import SELU as SELU
    from gyaku.layers import Add as Add
    from gyaku.layers import AvgPool1D as AvgPool1D
    from gyaku.layers import AvgPool2D as AvgPool2D
    from gyaku.layers import BatchNorm as BatchNorm
    from gyaku.layers import Concatenate as Concatenate
    from gyaku.layers import Conv1D as Conv1D
    from gyaku.layers import Conv2D as Conv2D
    from gyaku.layers import Conv2DTranspose as Conv2DTranspose
    from gyaku.layers import Dense as Dense
    from gyaku.layers import DepthwiseConv2D as DepthwiseConv2D
    from gyaku.layers import Dropout as Dropout
    from gyaku.layers import Flatten as Flatten
    from gyaku.layers import GlobalAvgPool2D as GlobalAvgPool2D
    from gyaku.layers import GlobalMaxPool2D as GlobalMaxPool2D
    from gyaku.layers import HardSigmoid as HardSigmoid
    from gyaku.layers import Identity as Identity
    from gyaku.layers import Input as Input
    from gyaku.layers import Layer as Layer
    from gyaku.layers import LayerNorm as LayerNorm
    from gyaku.layers import LeakyReLU as LeakyReLU
    from gyaku.layers import LogSoftmax as LogSoftmax
    from gyaku.layers import MaxPool1D as MaxPool1D
    from gyaku.layers import MaxPool2D as MaxPool2D
    from gyaku.layers import ReLU as ReLU
    from gyaku.layers import Rescaling as Rescaling
    from gyaku.layers import Reshape as Reshape
    from gyaku.layers import Sigmoid as Sigmoid
    from gyaku.layers import SiLU as SiLU
    from gyaku.layers import Softmax as Softmax
    from gyaku.layers import Softplus as Softplus
    from gyaku.layers import Step as Step
    from gyaku.layers import Tanh as Tanh
    from gyaku.model import Model as Model
    from gyaku.model import Residual as Residual
    from gyaku.model import Sequential as Sequential
    from gyaku.model import load as load
    from gyaku.optim import SGD as SGD
    from gyaku.optim import Adam as Adam
    from gyaku.optim import Momentum as Momentum
    from gyaku.optim import Nesterov as Nesterov
    from gyaku.optim import Optimizer as Optimizer
    from gyaku.schedules import Constant as Constant
    from gyaku.schedules import InverseTime as InverseTime
    from gyaku.schedules import OneCycle as OneCycle
    from gyaku.threads import num_threads as num_threads
    from gyaku.threads import set_num_threads as set_num_threads
    from gyaku.train import NonFiniteError as NonFiniteError

# What is imported when it is first asked for, so that `import gyaku` takes no time from those who
# need a part of it only: the modules, and the names of others that are found here, too.
_MODULES = (
    "callbacks",
    "data",
    "init",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optim",
    "plots",
    "reference",
    "schedules",
)
_NAMES = {
    "backend": ("use_backend",),
    "callbacks": (
        "Callback",
        "EarlyStopping",
    ),
    "layers": (
        "ELU",
        "GELU",
        "SELU",
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
        "Sigmoid",
        "SiLU",
        "Softmax",
        "Softplus",
        "Step",
        "Tanh",
    ),
    "model": (
        "Model",
        "Residual",
        "Sequential",
        "load",
    ),
    "optim": (
        "SGD",
        "Adam",
        "Momentum",
        "Nesterov",
        "Optimizer",
    ),
    "schedules": (
        "Constant",
        "InverseTime",
        "OneCycle",
    ),
    "threads": (
        "num_threads",
        "set_num_threads",
    ),
    "train": ("NonFiniteError",),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = sorted([*_MODULES, *_HOMES, "__version__"])


if not TYPE_CHECKING:  # to those that read, a name that is not above is a mistake

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(f"gyaku.{name}")  # the import sets the attribute
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"gyaku.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
