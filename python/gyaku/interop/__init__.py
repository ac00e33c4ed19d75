"""Models, weights and files of other programs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gyaku.interop.onnx_export import to_onnx as to_onnx
    from gyaku.interop.onnx_import import from_onnx as from_onnx

# Modules wait until they are used.
_HOMES = {
    "from_onnx": "onnx_import",
    "to_onnx": "onnx_export",
}
__all__ = ["from_onnx", "to_onnx"]

if not TYPE_CHECKING:  # for type checkers, the names above are all there are

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            from gyaku.names import suggestion

            hint = suggestion(name, _HOMES)
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
