"""Models for other programs, and from them."""

from gyaku.interop.onnx_export import to_onnx

__all__ = ["to_onnx"]
