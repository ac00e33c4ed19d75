"""Files of Keras, as Keras writes them, made with h5py and zipfile alone."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gyaku.files import FileError
from gyaku.interop import from_keras

Arrays = Mapping[str, list[Any]]
KERNEL, BIAS = np.arange(6.0).reshape(3, 2), np.array([1.0, -1.0])
DENSE = {"layers/dense": [KERNEL, BIAS]}


def described(kind: str, name: str = "one", **config: Any) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, **config},
        "registered_name": None,
    }


def chain(*layers: dict[str, Any], shape: Any = (3,)) -> dict[str, Any]:
    start = described("InputLayer", "x", batch_shape=[None, *shape])
    return described("Sequential", "chain", layers=[start, *layers]) | {"module": "keras"}


def dense(name: str = "one", activation: Any = "linear") -> dict[str, Any]:
    return described("Dense", name, units=2, activation=activation)


def graph(name: str, layers: list[dict[str, Any]], end: tuple[str, int]) -> dict[str, Any]:
    """Return a graph of one input x."""
    start = described("InputLayer", "x", batch_shape=[None, 3]) | {"name": "x", "inbound_nodes": []}
    ends = {"input_layers": ["x", 0, 0], "output_layers": [*end, 0]}
    return described("Functional", name, layers=[start, *layers], **ends) | {"module": "keras"}


def called(layer: dict[str, Any], *sources: tuple[str, int]) -> dict[str, Any]:
    """Return a layer with its calls on results."""
    nodes = [
        {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": [*each, 0]}}]}
        for each in sources
    ]
    return layer | {"name": layer["config"]["name"], "inbound_nodes": nodes}


def weights(
    layers: Arrays, fill: Callable[[Any], object] = lambda file: None, **options: Any
) -> bytes:
    """Return the file of the arrays in each group, such as ``layers/dense``."""
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        file.create_group("layers")
        for group, arrays in layers.items():
            inside = file.create_group(f"{group}/vars")
            inside.attrs["name"] = group.rpartition("/")[2]
            for number, array in enumerate(arrays):
                inside[str(number)] = array
        fill(file)
    return stream.getvalue()


def archive(path: Path, config: Any, stored: bytes, version: str = "3.15.1") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": version}))
        file.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        file.writestr("model.weights.h5", stored)
    return path


def old(path: Path, config: Any, layers: Arrays, version: bytes = b"2.15.0") -> Path:
    """Write an old file, with the names of the arrays as Keras 2 has them."""
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = version
        group = file.create_group("model_weights") if config is not None else file
        group.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            inside = group.create_group(name)
            names = [f"{name}/{number}:0" for number in range(len(arrays))]
            inside.attrs["weight_names"] = [each.encode() for each in names]
            for each, array in zip(names, arrays, strict=True):
                inside[each] = array
    return path


def refusal(path: Path) -> str:
    """Return the sentence that refuses a file, behind the file's name."""
    with pytest.raises(FileError) as caught:
        from_keras(path)
    return str(caught.value).removeprefix("from_keras: ").removeprefix(str(path)).lstrip(": ")
