"""ONNX files, validated before use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gyaku.files import FileError, is_web_page

if TYPE_CHECKING:
    from typing import Any

__all__ = ["printable", "read"]

_OTHERS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes",
    b"PK\x03\x04": "a ZIP archive, as .pt and .keras files are",
    b"\x80": "a pickle",
    b"\x1f\x8b": "a gzip archive",
}
"""The first bytes of files that are often mistaken for ONNX files."""


def read(path: str | os.PathLike[str]) -> Any:
    """Read an ONNX file and the weights beside it.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    ModelProto
        The model, which has passed onnx's checker.

    Raises
    ------
    FileError
        If the file is truncated, inconsistent, or of another kind.
    OSError
        If it cannot be read.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto, checker
    from onnx.external_data_helper import load_external_data_for_model
    from onnx.shape_inference import InferenceError

    name, content = os.fspath(path), Path(path).read_bytes()
    _check_kind(name, content)
    proto = ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        raise FileError(f"{name} is no ONNX file, or it is cut off") from None
    if not proto.graph.node:
        raise FileError(f"{name} is no ONNX file: it holds no graph")
    try:
        load_external_data_for_model(proto, os.fspath(Path(path).parent))
        checker.check_model(proto, full_check=True)
    except (checker.ValidationError, InferenceError, OSError, ValueError, RuntimeError) as error:
        raise FileError(f"{name} is not a valid ONNX file: {_first_line(error)}") from None
    return proto


def _check_kind(name: str, content: bytes) -> None:
    if not content:
        raise FileError(f"{name} is empty, not an ONNX file")
    if is_web_page(content[:64]):
        raise FileError(f"{name} is a web page, not an ONNX file")
    if content[8:9] == b"{" and content[:8].endswith(b"\0\0"):
        raise FileError(f"{name} is a safetensors file, not an ONNX file; gyaku.load reads it")
    for start, kind in _OTHERS.items():
        if content.startswith(start):
            raise FileError(f"{name} is {kind}, not an ONNX file")


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return printable(line if len(line) <= 160 else f"{line[:157]}...")


def printable(text: str) -> str:
    r"""Return a text on one line, with names that a file may have chosen freely.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    str
        The text, in which all that cannot be printed is escaped.

    Examples
    --------
    >>> print(printable("Conv\x1b from x"))
    Conv\x1b from x
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
