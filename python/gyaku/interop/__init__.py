"""Models, weights and files of other programs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gyaku.interop.c_export import to_c as to_c
    from gyaku.interop.keras_export import to_keras as to_keras
    from gyaku.interop.keras_import import from_keras as from_keras
    from gyaku.interop.keras_weights import load_weights as load_weights
    from gyaku.interop.numpy_export import to_numpy as to_numpy
    from gyaku.interop.onnx_export import to_onnx as to_onnx
    from gyaku.interop.onnx_import import from_onnx as from_onnx
    from gyaku.interop.pickles import load_pickle as load_pickle
    from gyaku.interop.sklearn_mlp import from_sklearn as from_sklearn
    from gyaku.interop.sklearn_mlp import to_sklearn as to_sklearn
    from gyaku.interop.torch_export import to_torch as to_torch
    from gyaku.interop.torch_import import from_torch as from_torch
    from gyaku.interop.torch_state import load_state_dict as load_state_dict
    from gyaku.interop.torch_state import state_dict as state_dict

# Modules wait until they are used.
_HOMES = {
    "from_keras": "keras_import",
    "from_onnx": "onnx_import",
    "from_sklearn": "sklearn_mlp",
    "from_torch": "torch_import",
    "load_pickle": "pickles",
    "load_state_dict": "torch_state",
    "load_weights": "keras_weights",
    "state_dict": "torch_state",
    "to_c": "c_export",
    "to_keras": "keras_export",
    "to_numpy": "numpy_export",
    "to_onnx": "onnx_export",
    "to_sklearn": "sklearn_mlp",
    "to_torch": "torch_export",
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
