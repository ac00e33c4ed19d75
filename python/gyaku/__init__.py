"""Neural networks trained on CPUs, fast: gyaku (逆伝播, back-propagation).

Layers are written once, in Python; every heavy step runs in C++ kernels with SIMD and threads, and
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

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

try:
    from gyaku._core import __version__ as __version__
except ImportError as error:
    from gyaku.cli import stop_command

    stop_command(error)  # one sentence at the command line
    raise

if TYPE_CHECKING:  # the names of `__getattr__`, for type checkers
    from types import ModuleType

    from gyaku import callbacks as callbacks
    from gyaku import data as data
    from gyaku import distributed as distributed
    from gyaku import dlfs as dlfs
    from gyaku import init as init
    from gyaku import interop as interop
    from gyaku import lab as lab
    from gyaku import layers as layers
    from gyaku import losses as losses
    from gyaku import metrics as metrics
    from gyaku import models as models
    from gyaku import ops as ops
    from gyaku import optim as optim
    from gyaku import plots as plots
    from gyaku import reference as reference
    from gyaku import schedules as schedules
    from gyaku import sklearn as sklearn
    from gyaku.backend import *
    from gyaku.callbacks import *
    from gyaku.computation import *
    from gyaku.diagnosis import *
    from gyaku.gradients import *
    from gyaku.history import *
    from gyaku.layers import *
    from gyaku.learning_rate import *
    from gyaku.model import *
    from gyaku.optim import *
    from gyaku.perceptron import *
    from gyaku.precision import *
    from gyaku.pretraining import *
    from gyaku.threads import *
    from gyaku.train import *
    from gyaku.tuning import *

# Modules are imported on first access, so that `import gyaku` is fast.
_MODULES = (
    *("callbacks", "data", "distributed", "dlfs", "init", "interop", "lab", "layers"),
    *("losses", "metrics", "models", "ops", "optim", "plots", "reference", "schedules", "sklearn"),
)
# The modules whose names are found here, too, in the order of the search: first what models need.
_EXPORTED = (
    *(
        "threads",
        "backend",
        "precision",
        "layers",
        "model",
        "optim",
        "callbacks",
        "train",
        "history",
    ),
    *("gradients", "perceptron", "pretraining", "computation", "diagnosis"),
    *("learning_rate", "tuning"),
)


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")  # this sets the attribute


def _exports() -> list[str]:
    names = {name for module in _EXPORTED for name in _module(module).__all__}
    return sorted({"__version__", *_MODULES, *names})


def _hint(name: str) -> str:
    """Return a hint for a missing name: its module, or the closest name."""
    from gyaku.names import equivalent, hint

    if equivalent(name, exports := _exports()):
        return hint(name, exports)
    within = {each: getattr(_module(each), "__all__", ()) for each in _MODULES}
    homes = [f"gyaku.{each}.{name}" for each, names in within.items() if name in names]
    if homes:
        return f"; there is {' and '.join(homes)}"
    deeper = (f"{each}.{one}" for each, names in within.items() for one in names)
    return hint(name, [*exports, *deeper])


if not TYPE_CHECKING:  # for type checkers, the names above are all there are

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return _module(name)
        if name == "__all__":
            return _exports()
        from importlib.machinery import PathFinder

        hint = ""
        # `from gyaku import memory` asks here before it imports a module that is not listed.
        if not name.startswith("_") and not PathFinder.find_spec(name, globals()["__path__"]):
            for module in map(_module, _EXPORTED):
                if name in module.__all__:
                    globals()[name] = value = getattr(module, name)
                    return value
            hint = _hint(name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_exports()})
