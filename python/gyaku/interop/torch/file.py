"""Files of PyTorch's tensors: ``.pt`` archives and safetensors, in one file or several."""

from __future__ import annotations

import functools
import math
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.files import FileError, largest_content, open_archive
from gyaku.interop.pickles import parse

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any
    from zipfile import ZipFile

    from numpy.typing import NDArray

    State = dict[str, NDArray[Any]]

__all__ = ["read_state"]

_STORAGES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": "bf16", "Long": "i8", "Int": "i4",
    "Short": "i2", "Char": "i1", "Byte": "u1", "Bool": "b1",
}  # fmt: skip
_CONTAINERS = ("state_dict", "model_state_dict", "model", "net")


class _Storage(NamedTuple):
    key: str
    dtype: str
    elements: int


def read_state(path: Path) -> State:
    """Read the tensors of a model from a file.

    Parameters
    ----------
    path : Path
        A ``.pt`` archive of a state dict, a safetensors file, or the index of several.

    Returns
    -------
    dict of str to ndarray
        The tensors by name; those of bfloat16 as float32.

    Raises
    ------
    FileError
        If the file is of another kind, is damaged, or wants to run code.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(16)
    if path.name.endswith(".index.json"):
        return _read_shards(path)
    if start.startswith(b"PK"):
        return _read_archive(path)
    if start[:1] == b"\x80":
        raise FileError(
            f"{path} is a pickle or of the format before PyTorch 1.6; write it anew with"
            " torch.save(torch.load(path), path), or read a textbook's with load_pickle"
        )
    if start.startswith(b"\x89HDF"):
        raise FileError(f"{path} is an HDF5 file, as Keras writes it, not one of PyTorch")
    from gyaku import safetensors

    return safetensors.read(path)[0]


def _read_shards(path: Path) -> State:
    """Return the tensors of all files that an index names, which are beside it."""
    import json

    from gyaku import safetensors

    try:
        files = dict(json.loads(path.read_text("utf-8"))["weight_map"])
    except (ValueError, KeyError, TypeError):
        raise FileError(f"{path} is no index of safetensors files, it needs a weight_map") from None
    found: State = {}
    for name in sorted(set(map(str, files.values()))):
        if name != os.path.basename(name):
            raise FileError(f"{path} names the file {name!r}, which is not beside it")
        found |= safetensors.read(path.with_name(name))[0]
    if missing := sorted(set(files) - set(found)):
        raise FileError(f"{path} lists the tensor {missing[0]!r}, which is in none of its files")
    return {name: found[name] for name in files}


def _read_archive(path: Path) -> State:
    with open_archive(path, "is cut off or damaged") as archive:
        return _named(_unpickled(archive, path), path)


def _unpickled(archive: ZipFile, path: Path) -> Any:
    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(names) != 1:
        raise FileError(f"{path} is a zip archive, but not of PyTorch: it has no data.pkl")
    folder = names[0].removesuffix("data.pkl")
    order = "<"
    if folder + "byteorder" in archive.namelist():
        order = ">" if archive.read(folder + "byteorder") == b"big" else "<"

    @functools.cache
    def content(storage: _Storage) -> NDArray[Any]:
        return _content(archive, folder, storage, order)

    def tensor(storage: _Storage, offset: int, size: Any, stride: Any, *_: Any) -> NDArray[Any]:
        return _strided(content(storage), offset, size, stride)

    def stored(identity: Any) -> _Storage:
        _, dtype, key, _, elements = identity
        return _Storage(str(key), dtype, int(elements))

    try:
        return parse(
            archive.read(names[0]),
            functions={
                "torch._utils._rebuild_tensor_v2": tensor,
                "torch._utils._rebuild_parameter": lambda data, *_: data,
            },
            names={f"torch.{name}Storage": dtype for name, dtype in _STORAGES.items()},
            stored=stored,
            room=largest_content(path.stat().st_size),
        )
    except ValueError as error:
        hint = "; save model.state_dict() instead of the model" if "code" in str(error) else ""
        raise FileError(f"{path} is refused: {error}{hint}") from None


def _content(archive: ZipFile, folder: str, storage: _Storage, order: str) -> NDArray[Any]:
    half = storage.dtype == "bf16"
    dtype = np.dtype(order + ("u2" if half else storage.dtype))
    entry = archive.getinfo(f"{folder}data/{storage.key}")
    if entry.file_size != storage.elements * dtype.itemsize:  # before memory is taken
        raise ValueError(
            f"storage {storage.key} has {entry.file_size} bytes instead of"
            f" {storage.elements * dtype.itemsize}"
        )
    array = np.frombuffer(archive.read(entry), dtype)
    if half:  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(dtype.newbyteorder("="))


def _strided(content: NDArray[Any], offset: int, size: Any, stride: Any) -> NDArray[Any]:
    """Return a copy of the elements of a tensor, if all are within its storage."""
    sizes, steps = tuple(map(int, size)), tuple(map(int, stride))
    if min((offset, *sizes, *steps)) < 0 or len(sizes) != len(steps):
        raise ValueError(f"it has a tensor of the impossible shape {sizes}")
    last = offset + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
    if math.prod(sizes) and (last >= len(content) or math.prod(sizes) > len(content)):
        raise ValueError(f"a tensor of shape {sizes} reaches beyond its {len(content)} elements")
    moved = content[offset:]
    width = content.itemsize
    view = np.lib.stride_tricks.as_strided(moved, sizes, [step * width for step in steps])
    return view.copy()


def _named(found: Any, path: Path) -> State:
    """Return the tensors of a state dict, which may be an entry of a checkpoint."""
    for name in _CONTAINERS:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise FileError(f"{path} has no dictionary of tensors by name")
    tensors = {name: each for name, each in found.items() if isinstance(each, np.ndarray)}
    if not tensors:
        names = ", ".join(each if each.isprintable() else repr(each) for each in found)
        raise FileError(f"{path} has no tensors by name, but {names[:100]}")
    return tensors
