"""Model files: safetensors with the architecture in the metadata, and no code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import init
from gyaku.arguments import Configured, unknown
from gyaku.layers import LAYERS
from gyaku.losses import LOSSES
from gyaku.metrics import METRICS
from gyaku.model.sequential import Sequential

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Any

    from gyaku.layers.base import Layer
    from gyaku.model.base import Model

__all__ = ["load", "save"]

_INITIALIZERS = {
    cls.__name__: cls
    for cls in (init.Constant, init.He, init.Normal, init.Ones, init.Uniform, init.Xavier)
} | {"Zeros": init.Zeros}


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model to a file; `Model.save` says how.

    Parameters
    ----------
    model : Model
        The model.
    path : str or path-like
        The file.
    """
    import json

    import gyaku
    from gyaku.interop import safetensors

    if not model.built:
        raise ValueError("save: the model has no weights yet, call fit or build first")
    architecture: dict[str, Any] = {
        "class": type(model).__name__,
        "name": model.name,
        "layers": [_described(layer) | {"name": layer.name} for layer in model.layers],
    }
    # For `evaluate` after loading; functions that people wrote cannot be kept.
    if model.loss is not None and type(model.loss) in LOSSES.values():
        architecture["loss"] = _described(model.loss)
        architecture["metrics"] = [
            metric.name for metric in model.metrics if type(metric) in METRICS.values()
        ]
    metadata = {
        "gyaku.version": gyaku.__version__,
        "gyaku.architecture": json.dumps(architecture),
        "input_shape": json.dumps(model.input_shape),
        "dtype": str(model.dtype),
    }
    safetensors.write(path, model.params, metadata)


def load(
    path: str | os.PathLike[str], *, layers: Mapping[str, type[Layer]] | None = None
) -> Sequential:
    """Read a model from a file that `Model.save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    layers : mapping of str to type, optional
        Layers of your own that the model contains, by their class's name.

    Returns
    -------
    Sequential
        The model.

    Raises
    ------
    FileError
        If the file is not a model of gyaku's, or what it holds does not fit together.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Dense(3, "relu"), gk.Dense(2))
    >>> model.build((4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder + "/model.safetensors")
    ...     gk.load(folder + "/model.safetensors")
    Sequential(Dense(3, activation='relu', name='dense'), Dense(2, name='dense_2'))
    """
    import json

    from gyaku.files import FileError
    from gyaku.interop import safetensors

    tensors, metadata = safetensors.read(path)
    if "gyaku.architecture" not in metadata:
        raise FileError(f"{path} holds tensors, but no model of gyaku's")
    table = {**LAYERS, **(layers or {})}
    try:
        architecture = json.loads(metadata["gyaku.architecture"])
        listed = [_restored(each, table) for each in architecture["layers"]]
        model = Sequential(*listed, dtype=metadata["dtype"], name=architecture["name"])
        for layer in model.layers:  # checked against the architecture before memory is taken
            layer.stored = {
                name.removeprefix(layer.name + "."): tensor
                for name, tensor in tensors.items()
                if name.startswith(layer.name + ".")
            }
        model.build(tuple(json.loads(metadata["input_shape"])))
        if "loss" in architecture:
            model.loss = _restored(architecture["loss"], {c.__name__: c for c in LOSSES.values()})
            model.metrics = tuple(METRICS[name]() for name in architecture["metrics"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} does not describe a model that can be made: {error}") from None
    if set(tensors) != set(model.params):
        more = sorted(set(tensors) - set(model.params))
        raise FileError(f"{path} holds what its architecture has no place for: {', '.join(more)}")
    for layer in model.layers:
        layer.stored = None
    return model


def _described(given: Configured) -> dict[str, Any]:
    """Return class and arguments of an object, as JSON can hold them."""
    return {
        "class": type(given).__name__,
        "config": {name: _plain(given, name, value) for name, value in given.config().items()},
    }


def _plain(owner: Configured, name: str, value: object) -> object:
    if isinstance(value, Configured):
        return _described(value)
    if isinstance(value, (tuple, list)):
        return [_plain(owner, name, each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"save: {owner!r} cannot be saved, its {name} is {value!r}")


def _restored(description: Any, table: Mapping[str, Any]) -> Any:
    """Return the object that a description describes, if its class is in the table."""
    name = description["class"]
    if name not in table:
        raise ValueError(
            unknown("layer", name, table)
            + f"; a layer of your own is given by load(path, layers={{{name!r}: {name}}})"
        )
    nested = {**table, **_INITIALIZERS}
    config = {
        key: _restored(value, nested) if isinstance(value, dict) else value
        for key, value in description["config"].items()
    }
    made = table[name](**config)
    if "name" in description:
        made.name = description["name"]
    return made
