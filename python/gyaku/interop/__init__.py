"""Models, weights and files of other programs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gyaku.interop.keras.exporter import to_keras as to_keras
    from gyaku.interop.keras.importer import from_keras as from_keras
    from gyaku.interop.keras.weights import load_weights as load_weights
    from gyaku.interop.onnx.exporter import to_onnx as to_onnx
    from gyaku.interop.onnx.importer import from_onnx as from_onnx
    from gyaku.interop.pickles import load_pickle as load_pickle
    from gyaku.interop.sklearn_mlp import from_sklearn as from_sklearn
    from gyaku.interop.sklearn_mlp import to_sklearn as to_sklearn
    from gyaku.interop.source.c_exporter import to_c as to_c
    from gyaku.interop.source.numpy_exporter import to_numpy as to_numpy
    from gyaku.interop.torch.exporter import to_torch as to_torch
    from gyaku.interop.torch.importer import from_torch as from_torch
    from gyaku.interop.torch.state import load_state_dict as load_state_dict
    from gyaku.interop.torch.state import state_dict as state_dict

# Modules wait until they are used.
_HOMES = {
    "from_keras": "keras.importer",
    "from_onnx": "onnx.importer",
    "from_sklearn": "sklearn_mlp",
    "from_torch": "torch.importer",
    "load_pickle": "pickles",
    "load_state_dict": "torch.state",
    "load_weights": "keras.weights",
    "state_dict": "torch.state",
    "to_c": "source.c_exporter",
    "to_keras": "keras.exporter",
    "to_numpy": "source.numpy_exporter",
    "to_onnx": "onnx.exporter",
    "to_sklearn": "sklearn_mlp",
    "to_torch": "torch.exporter",
}
__all__ = ["from_keras", "from_onnx", "from_sklearn", "from_torch", "load_pickle"]
__all__ += ["load_state_dict", "load_weights", "state_dict", "to_c", "to_keras", "to_numpy"]
__all__ += ["to_onnx", "to_sklearn", "to_torch"]

if not TYPE_CHECKING:  # for type checkers, the names above are all there are

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            from gyaku.names import suggestion

            hint = suggestion(name, _HOMES)
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
