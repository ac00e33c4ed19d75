"""Safetensors files, validated before use.

The format holds tensors and a dictionary of strings, no code, so that loading a file cannot run
any. The official library accepts some invalid files (with a duplicate key, for one), so the header
is validated here first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from gyaku.files import FileError, is_web_page, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    from numpy.typing import NDArray

__all__ = ["read", "write"]

_ITEM_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
_PICKLE = "a pickle: gyaku.interop.load_pickle reads one of arrays"
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive, as .keras and .pt files are: gyaku.interop.from_keras and"
    " load_state_dict read these",
    b"\x89HDF": "an HDF5 file, as Keras writes: gyaku.interop.from_keras and load_weights read it",
    **{bytes((0x80, protocol)): _PICKLE for protocol in range(2, 6)},
}
"""The first bytes of files that are often mistaken for model files."""
_FORMAT_LIMIT = 100_000_000  # of a header
_LONGEST_HEADER = 10_000_000  # JSON becomes up to 27 times as many bytes of objects


def write(
    path: str | os.PathLike[str],
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays and a dictionary of strings to a safetensors file.

    Parameters
    ----------
    path : str or path-like
        The file; an old one is replaced atomically.
    tensors : mapping of str to ndarray
        Arrays of any layout; they are stored in C order, little-endian.
    metadata : mapping of str to str, optional
        Metadata of the file.

    Raises
    ------
    TypeError
        If a name, a metadata value or the type of an array cannot be stored.
    OSError
        If the file cannot be written.

    See Also
    --------
    read : Read the file.

    Notes
    -----
    Equal content gives equal bytes: tensors stand in the order of their item sizes, so that all are
    aligned, then of their names, and the keys of the metadata in that of theirs, while the official
    library (0.8.0) writes these keys in an order that changes from process to process.
    """
    for key, value in (metadata or {}).items():
        if not (_is_text(key) and _is_text(value)):
            raise TypeError(f"metadata must map str to str, got {key!r}: {value!r}")
    stored = {}
    for name, tensor in tensors.items():
        if not _is_text(name) or name == "__metadata__":
            raise TypeError(f"a tensor needs a str other than '__metadata__' as name, got {name!r}")
        array = np.asarray(tensor)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"tensor {name!r} has dtype {array.dtype}, which cannot be stored")
        stored[name] = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    listed = sorted(stored.items(), key=lambda item: (-item[1].itemsize, item[0]))
    head = _header(listed, metadata or {})

    def fill(stream: BinaryIO) -> None:
        stream.write(head)
        for _, array in listed:
            stream.write(array.tobytes())

    write_atomically(path, fill)


def _header(listed: list[tuple[str, NDArray[Any]]], metadata: Mapping[str, str]) -> bytes:
    """Return the beginning of a file, whose length is divisible by 8."""
    import json

    entries: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    start = 0
    for name, array in listed:
        kind = (
            "BOOL" if array.dtype.kind == "b" else f"{array.dtype.kind.upper()}{8 * array.itemsize}"
        )
        offsets = [start, start + array.nbytes]
        entries[name] = {"dtype": kind, "shape": [*array.shape], "data_offsets": offsets}
        start += array.nbytes
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read(path: str | os.PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read a safetensors file.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    tensors : dict of str to ndarray
        The arrays, without shared memory.
    metadata : dict of str to str
        Metadata of the file.

    Raises
    ------
    FileError
        If the file is truncated, inconsistent, or not a safetensors file.
    OSError
        If it cannot be read.

    Notes
    -----
    Valid files follow the description of the format exactly: a header of at most 10 MB (of the
    format's 100, which could fill 2.7 GB of memory) without duplicate keys; tensors whose sorted
    offsets tile the remainder of the file; sizes that agree with shape and dtype. Memory is
    allocated only after validation.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(folder + "/a.safetensors", {"w": np.ones((2, 3))}, {"note": "six ones"})
    ...     tensors, metadata = read(folder + "/a.safetensors")
    >>> tensors["w"].shape, metadata["note"]
    ((2, 3), 'six ones')
    """
    from pathlib import Path

    from safetensors import SafetensorError
    from safetensors.numpy import load

    name = os.fspath(path)
    if not Path(path).is_file():
        kind = "is a folder, give a file in it" if Path(path).is_dir() else "does not exist"
        raise FileNotFoundError(f"the file {name!r} {kind}")
    with Path(path).open("rb") as stream:
        header, room = _read_header(stream, name)
        stream.seek(0)
        content = stream.read()  # no map: a file that is cut off meanwhile would end the process
    metadata = header.pop("__metadata__", {})
    _check_metadata(metadata, name)
    _check_tensors(header, room, name)
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise _refusal(name, str(error)) from None
    return tensors, metadata


def _refusal(name: str, reason: str) -> FileError:
    shown = reason if len(reason) <= 160 else f"{reason[:157]}..."  # the reason can quote the file
    return FileError(f"{name} is not a valid safetensors file: {shown}")


def _read_header(stream: BinaryIO, name: str) -> tuple[dict[str, Any], int]:
    """Return the parsed header and the number of bytes for the tensors."""
    import json

    size = os.fstat(stream.fileno()).st_size
    start = stream.read(64)
    if not start:
        raise FileError(f"{name} is empty, not a safetensors file")
    if is_web_page(start):
        raise FileError(f"{name} is a web page, not a safetensors file")
    if len(start) < 8:
        raise _refusal(name, f"it has only {size} bytes")
    length = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{" and (kind := _kind_of(start)):
        raise FileError(f"{name} is {kind}")
    if start[8:9] not in (b"{", b"") or length > _FORMAT_LIMIT or length < 2:
        raise _refusal(name, "it does not begin with a safetensors header")
    if 8 + length > size:
        raise FileError(
            f"{name} is cut off: its header alone has {length} bytes, the file has {size}"
        )
    if length > _LONGEST_HEADER:
        raise FileError(
            f"{name} has a header of {length} bytes, at most {_LONGEST_HEADER} are read"
        )
    stream.seek(8)
    try:
        header = json.loads(
            stream.read(length).decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise _refusal(name, f"its header is damaged ({error})") from None
    return header, size - 8 - length  # a dict, since the header begins with a brace


def _kind_of(start: bytes) -> str:
    """Return what another kind of file is and which function reads it, "" if it is not known."""
    found = (kind for signature, kind in _OTHERS.items() if start.startswith(signature))
    return next(found, "")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} occurs twice")
        found[key] = value
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _check_metadata(metadata: object, name: str) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _refusal(name, "its metadata is not a dictionary of strings")


def _check_tensors(header: dict[str, Any], room: int, name: str) -> None:
    """Validate dtype, shape and offsets of each tensor against each other and the file."""
    spans = []
    for tensor, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise _refusal(name, f"tensor {tensor!r} needs dtype, shape and data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _ITEM_SIZES:
            raise _refusal(name, f"tensor {tensor!r} has the unknown dtype {dtype!r}")
        if not _is_sizes(shape) or len(shape) > 64:
            raise _refusal(name, f"tensor {tensor!r} has the impossible shape {shape!r}")
        if not _is_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise _refusal(name, f"tensor {tensor!r} has the impossible offsets {offsets!r}")
        needed = extent = _ITEM_SIZES[dtype]
        for length in shape:  # Python's integers do not overflow
            needed *= length
            extent *= max(length, 1)
        if needed != offsets[1] - offsets[0] or extent > 2**63 - 1:
            raise _refusal(
                name,
                f"tensor {tensor!r} of shape {shape} and dtype {dtype} has"
                f" {offsets[1] - offsets[0]} bytes instead of {needed}",
            )
        spans.append((offsets[0], offsets[1], tensor))
    end = 0
    for begin, stop, tensor in sorted(spans):
        if begin != end:
            raise _refusal(name, f"tensor {tensor!r} begins at byte {begin} instead of {end}")
        end = stop
    if room < end:
        raise FileError(f"{name} is cut off: its tensors need {end} bytes, {room} are there")
    if room > end:
        raise _refusal(name, f"{room - end} bytes follow behind the last tensor")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_sizes(values: object) -> bool:
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
