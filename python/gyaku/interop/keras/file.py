"""Files of Keras: archives ``.keras``, weights ``.weights.h5`` or their index, old models ``.h5``.

Only text and arrays are read: no pickle, no code of a layer, no file that another one refers to.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gyaku.files import FileError, check_expansion, is_web_page
from gyaku.interop.keras.hdf5 import Arrays

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any
    from zipfile import ZipFile

    from numpy.typing import NDArray

__all__ = ["KerasFile", "Stored", "content_of", "read"]

_LONGEST_CONFIG = 10_000_000  # JSON becomes up to 27 times as many bytes of objects
_DEEPEST = 64  # groups within groups
_HDF5 = b"\x89HDF\r\n\x1a\n"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_PARTS = (  # of layers
    *("cell", "layer", "forward_layer", "backward_layer"),
    *("query_dense", "key_dense", "value_dense", "output_dense"),
)
_LAYERS = ("layers", "_layer_checkpoint_dependencies")  # the latter by Keras 2.13


@dataclass
class Stored:
    """Arrays of a layer or a model as they are stored.

    Parameters
    ----------
    name : str
        Name of the layer, "" if it is not stored.
    arrays : list of ndarray
        Its own arrays, in their order.
    parts : dict of str to Stored
        What it consists of, such as the cell of a recurrent layer, or the layers of a model.
    """

    name: str = ""
    arrays: list[NDArray[Any]] = field(default_factory=list)
    parts: dict[str, Stored] = field(default_factory=dict)

    @property
    def all_arrays(self) -> list[NDArray[Any]]:
        """The arrays, or else those of the parts, as Keras lists the weights of a layer."""
        if self.arrays:
            return self.arrays
        known = (self.parts[each] for each in _PARTS if each in self.parts)
        return [array for part in known for array in part.all_arrays]


@dataclass
class KerasFile:
    """Content of a file.

    Parameters
    ----------
    name : str
        The file, for errors.
    config : dict or None
        The architecture, None if the file has weights alone.
    version : int
        Major version of Keras.
    layers : dict of str to Stored
        The layers: by their classes and numbers, such as "dense_1", or, in an old file, by their
        names in the order of the model.
    by_name : bool
        Whether it is an old file.
    """

    name: str
    config: dict[str, Any] | None
    version: int
    layers: dict[str, Stored]
    by_name: bool = False


def read(path: Path) -> KerasFile:
    """Read a file of Keras.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    KerasFile
        Its content.

    Raises
    ------
    FileError
        If it is of another kind, truncated or inconsistent.
    OSError
        If it cannot be read.
    """
    name = os.fspath(path)
    if path.is_dir():
        raise FileError(f"{name} is a folder, as SavedModel is; save the model as .keras")
    with path.open("rb") as stream:
        start = stream.read(64)
        content = start + stream.read()
    if start.startswith(_HDF5):
        return _read_hdf5(content, name)
    if start.startswith(b"PK"):
        return _read_archive(content, name)
    if path.name.endswith(".weights.json"):
        return _read_shards(content, path)
    raise FileError(f"{name} is {_kind(start)}, not a file of Keras")


def content_of(source: Any) -> KerasFile:
    """Return the content of a file, or of a model by way of one.

    Parameters
    ----------
    source : str or path-like or keras.Model
        The file or the model.

    Returns
    -------
    KerasFile
        The content.

    Raises
    ------
    TypeError
        If it is neither.
    """
    from pathlib import Path

    if isinstance(source, str) or hasattr(source, "__fspath__"):
        return read(Path(source))
    if not (hasattr(source, "get_config") and hasattr(source, "save")):
        raise TypeError(
            f"from_keras: source must be a path or a model of Keras, got {type(source).__name__}"
        )
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        source.save(path)
        found = read(path)
    found.name = str(getattr(source, "name", "the model"))
    return found


def _kind(start: bytes) -> str:
    """Return what a file is, from its first bytes."""
    if not start:
        return "empty"
    if is_web_page(start):
        return "a web page"
    if start[8:9] == b"{":
        return "a safetensors file, which gyaku.load and load_state_dict read"
    if start.lstrip()[:1] == b"{":
        return "JSON, which holds no weights, or the index of several files"
    if start[:1] == b"\x80":
        return "a pickle"
    if start.startswith(b"\x08"):
        return "an ONNX file, which from_onnx reads"
    return "of another kind, or damaged"


def _read_archive(content: bytes, name: str) -> KerasFile:
    import io
    from zipfile import BadZipFile, ZipFile
    from zlib import error as ZlibError

    try:
        with ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
            if not {_CONFIG, _WEIGHTS} <= names:
                raise FileError(f"{name} is {_archive_kind(names)}")
            size = len(content)
            config, weights = (
                _member(archive, each, name, size, most)
                for each, most in ((_CONFIG, _LONGEST_CONFIG), (_WEIGHTS, None))
            )
            metadata = b"{}"
            if "metadata.json" in names:
                metadata = _member(archive, "metadata.json", name, size, 1 << 16)
    except FileError:
        raise
    except (BadZipFile, ZlibError, EOFError, OverflowError, RuntimeError, ValueError) as error:
        raise FileError(f"{name} is cut off or damaged ({error})") from None
    found = _read_hdf5(weights, name)
    found.config = _parsed(config, name)
    found.version = _version(_parsed(metadata, name).get("keras_version"), 3)
    return found


def _read_shards(content: bytes, path: Path) -> KerasFile:
    """Read the weights of several files, which an index lists by the layer."""
    name = os.fspath(path)
    listed = _parsed(content, name).get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise FileError(f"{name} is no index of weights: it has no weight_map")
    found: dict[str, Stored] = {}
    for each in dict.fromkeys(map(str, listed.values())):
        is_beside = each == os.path.basename(each) and each.endswith(".h5")
        shard = path.with_name(each) if is_beside else None
        if shard is None:
            raise FileError(f"{name} lists {each!r}, which is no HDF5 file beside it")
        if not shard.is_file():
            raise FileError(f"{name} lists {each}, which is missing")
        _merge(found, read(shard).layers)
    return KerasFile(name, None, 3, found)


def _merge(found: dict[str, Stored], more: dict[str, Stored]) -> None:
    """Add the arrays of further layers, and parts of layers."""
    for key, stored in more.items():
        own = found.setdefault(key, Stored())
        own.name, own.arrays = own.name or stored.name, own.arrays or stored.arrays
        _merge(own.parts, stored.parts)


def _archive_kind(names: set[str]) -> str:
    if any(each.endswith("data.pkl") for each in names):
        return "a .pt archive of PyTorch, which load_state_dict reads"
    if _CONFIG in names:
        return f"an archive of Keras without {_WEIGHTS}"
    return f"a zip archive, but not of Keras: it has no {_CONFIG}"


def _member(archive: ZipFile, member: str, name: str, size: int, most: int | None) -> bytes:
    info = archive.getinfo(member)
    if most is not None and info.file_size > most:
        raise FileError(f"{name} has a {member} of {info.file_size} bytes, at most {most} are read")
    check_expansion(name, info.file_size, size)
    return archive.read(info)


def _parsed(text: bytes | str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{name} describes no model: {error}") from None
    if not isinstance(found, dict):
        raise FileError(f"{name} describes no model, but a {type(found).__name__}")
    return found


def _version(given: object, default: int) -> int:
    """Return the major version of Keras."""
    first = str(given).partition(".")[0]
    return int(first) if first.isdecimal() and len(first) < 3 else default


def _read_hdf5(content: bytes, name: str) -> KerasFile:
    file = Arrays(content, name)
    start = next((each for each in _LAYERS if each in file.members("")), None)
    if start is not None:
        return KerasFile(name, None, 3, _layers(file, start))
    group = "model_weights" if "model_weights" in file.members("") else ""
    listed = file.names(group, "layer_names")
    if listed is None:
        raise FileError(f"{name} is an HDF5 file, but not of Keras: it has no layers")
    config = file.text("", "model_config")
    if config is not None and len(config) > _LONGEST_CONFIG:
        raise FileError(
            f"{name} has a model_config of {len(config)} bytes, at most {_LONGEST_CONFIG} are read"
        )
    layers = {}
    for layer in listed:
        within = f"{group}/{layer}".strip("/")
        arrays = [file.array(f"{within}/{n}") for n in file.names(within, "weight_names") or ()]
        layers[layer] = Stored(layer, arrays)
    described = None if config is None else _parsed(config, name)
    version = file.text("", "keras_version") or file.text(group, "keras_version")
    return KerasFile(name, described, _version(version, 2), layers, by_name=True)


def _layers(file: Arrays, group: str, depth: int = 0) -> dict[str, Stored]:
    """Return the layers, or other parts, in a group."""
    if depth > _DEEPEST:
        raise FileError(f"{file.name} is no file of Keras: its groups are nested too deeply")
    found = {}
    for member in file.members(group):
        path = f"{group}/{member}"
        if member == "vars" or not file.is_group(path):
            continue
        inside = file.members(path)
        own = f"{path}/vars" if "vars" in inside else None
        layers = next((each for each in _LAYERS if each in inside), None)
        found[member] = Stored(
            "" if own is None else file.text(own, "name") or "",
            [] if own is None else [file.array(f"{own}/{n}") for n in _numbered(file, own)],
            _layers(file, path if layers is None else f"{path}/{layers}", depth + 1),
        )
    return found


def _numbered(file: Arrays, group: str) -> list[str]:
    """Return the names of the arrays of a layer, which are numbers from 0."""
    names = file.members(group)
    if sorted(names) != sorted(map(str, range(len(names)))):
        raise FileError(
            f"{file.name}: the arrays in {group} are {', '.join(names)}, not numbers from 0"
        )
    return sorted(names, key=int)
