"""Models for other programs, and from them."""

from gyaku.interop.onnx_export import to_onnx
from gyaku.interop.onnx_import import from_onnx

__all__ = ["from_onnx", "to_onnx"]
