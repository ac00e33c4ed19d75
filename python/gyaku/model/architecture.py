"""Architecture of a model as JSON: class names, constructor arguments and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.components import Configured
from gyaku.init import INITIALIZERS
from gyaku.names import unknown

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.optim import Optimizer
    from gyaku.symbolic import Block

__all__ = ["CHECKSUM", "PLACE", "STATE", "TRAINING", "Architecture", "checksum", "contents"]
__all__ += ["described", "file_of", "metadata_of", "optimizer_described", "restored"]
__all__ += ["restored_optimizer", "training_described"]

FORMAT = 3
"""Format version of the files.

Models of format 1, which is not recorded, scale bytes to 0...1. Format 3 adds the state of the
optimizer.
"""

CHECKSUM = "gyaku.checksum"
"""Key of the metadata of the checksum, which those who change a file's content leave out."""

STATE = "optimizer:"
"""Prefix of the names of the optimizer's tensors; those of parameters contain a dot."""

PLACE = "gyaku.training"
"""Key of the metadata of a checkpoint: where the training stands."""

TRAINING = "training:"
"""Prefix of the names of a training's own tensors."""


class Architecture:
    """Descriptions of parts; a shared part is described once and then referred to."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def described(self, part: Block) -> dict[str, Any]:
        """Return the description of a part.

        Parameters
        ----------
        part : Block
            A layer or a model.

        Returns
        -------
        dict
            Class, name and arguments; for a part described before, its index.

        Raises
        ------
        TypeError
            If one of its arguments cannot be written to a file.
        """
        number = self._numbers.setdefault(id(part), count := len(self._numbers))
        if number < count:
            return {"again": number}
        if isinstance(part, Configured):
            frozen = {} if getattr(part, "trainable", True) else {"trainable": False}
            return described(part) | {"name": part.name} | frozen
        model: Any = part
        return {**model.description(self.described), "name": part.name}


def described(given: Any) -> dict[str, Any]:
    """Return class and arguments of an object as JSON values.

    Parameters
    ----------
    given : Configured
        The object.

    Returns
    -------
    dict
        The description.

    Raises
    ------
    TypeError
        If one of its arguments cannot be written to a file.
    """
    return {
        "class": type(given).__name__,
        "config": {name: _json_value(given, name, value) for name, value in given.config().items()},
    }


def _json_value(owner: Configured, name: str, value: object) -> object:
    if isinstance(value, Configured):
        return described(value)
    if isinstance(value, (tuple, list)):
        return [_json_value(owner, name, each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"save: {owner!r} cannot be saved, its {name} is {value!r}")


def training_described(loss: Any, weights: Any, metrics: Any) -> dict[str, Any]:
    """Return loss and metrics as JSON values; user functions are left out.

    Parameters
    ----------
    loss, weights, metrics : object
        Those of the model.

    Returns
    -------
    dict
        The description; empty if a loss is a user function.
    """
    from gyaku.losses import LOSSES

    losses = loss if isinstance(loss, tuple) else (loss,)
    if any(type(each) not in LOSSES.values() for each in losses):
        return {}
    return {
        "loss": [described(each) for each in losses],
        "loss_weights": weights,
        "metrics": _names(metrics),
    }


def optimizer_described(model: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return where the training stands: as JSON values, and the optimizer's state as tensors.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    description : dict
        The description; empty if the model was not trained, or by an optimizer or a schedule of the
        user's own.
    tensors : dict of str to ndarray
        The state.
    """
    from gyaku.optim import OPTIMIZERS

    optimizer = model.optimizer
    if type(optimizer) not in OPTIMIZERS.values() or not optimizer.follows(model):
        return {}, {}
    try:
        description = described(optimizer)
    except TypeError:
        return {}, {}
    training = {
        "seed": model.last_seed,
        "epochs": model.epochs_begun,
        "step": int(model.clock[0]),
        "clock": optimizer.clock.tolist(),
        "schedule_begun": optimizer.schedule_begun,
    }
    tensors = {STATE + name: each for name, each in optimizer.state.items()}
    return {"optimizer": description, "training": training}, tensors


def restored(description: Any, table: Mapping[str, Any]) -> Any:
    """Return the object of a description, if its class is in the table.

    Parameters
    ----------
    description : dict
        Result of `described`.
    table : mapping of str to type
        The known classes by name.

    Returns
    -------
    object
        The object.

    Raises
    ------
    ValueError
        If there is no such class.
    """
    name = description["class"]
    if name not in table:
        raise ValueError(
            unknown("layer", name, table)
            + f"; give a layer of your own as load(path, layers={{{name!r}: {name}}})"
        )
    nested = {**{each.__name__: each for each in INITIALIZERS.values()}, **table}

    def inner(value: Any) -> Any:
        if isinstance(value, list):
            return [inner(each) for each in value]
        return restored(value, nested) if isinstance(value, dict) else value

    config = {key: inner(value) for key, value in description["config"].items()}
    made = table[name](**config)
    if "name" in description:
        made.name = description["name"]
    if not description.get("trainable", True):
        made.trainable = False
    return made


def restored_optimizer(architecture: dict[str, Any]) -> Optimizer:
    """Return the optimizer of a description, without its state.

    Parameters
    ----------
    architecture : dict
        The description of a model that has one.

    Returns
    -------
    Optimizer
        The optimizer.

    Raises
    ------
    ValueError
        If it describes none.
    """
    from gyaku.optim import OPTIMIZERS
    from gyaku.schedules import SCHEDULES

    kinds = [*OPTIMIZERS.values(), *SCHEDULES.values()]
    optimizer: Optimizer = restored(
        architecture["optimizer"], {each.__name__: each for each in kinds}
    )
    if type(optimizer) not in OPTIMIZERS.values():
        raise ValueError(f"{optimizer!r} is no optimizer")
    return optimizer


def _names(metrics: Any) -> Any:
    from gyaku.metrics import METRICS

    if isinstance(metrics, dict):
        return {name: _names(each) for name, each in metrics.items()}
    return [described(metric) for metric in metrics if type(metric) in METRICS.values()]


def metadata_of(
    architecture: dict[str, Any], input_shape: Any, dtype: np.dtype[Any]
) -> dict[str, str]:
    """Return the metadata of a model file.

    Parameters
    ----------
    architecture : dict
        The description of the model.
    input_shape : object
        Its `input_shape`.
    dtype : numpy.dtype
        Its dtype.

    Returns
    -------
    dict of str to str
        The metadata, still without a checksum.
    """
    import json

    from gyaku import _core

    try:
        text = json.dumps(architecture)
    except TypeError as error:  # layers were checked one by one
        raise TypeError(f"save: metadata must hold what JSON has: {error}") from None
    return {
        "gyaku.version": _core.__version__,
        "gyaku.format": str(FORMAT),
        "gyaku.architecture": text,
        "input_shape": json.dumps(input_shape),
        "dtype": str(dtype),
    }


def file_of(
    tensors: dict[str, NDArray[Any]], metadata: dict[str, str]
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the content of a model file, with its checksum.

    Parameters
    ----------
    tensors : dict of str to ndarray
        The tensors.
    metadata : dict of str to str
        The metadata.

    Returns
    -------
    tensors : dict of str to ndarray
        The tensors.
    metadata : dict of str to str
        The metadata with the checksum of both.
    """
    return tensors, {**metadata, CHECKSUM: checksum(tensors, metadata)}


def checksum(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> str:
    """Return the CRC-32 of the content of a model file.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        The tensors.
    metadata : mapping of str to str
        The metadata, of which an older checksum does not count.

    Returns
    -------
    str
        Eight hexadecimal digits.
    """
    from zlib import crc32

    found = 0
    for key in sorted(metadata.keys() - {CHECKSUM}):
        found = crc32(repr((key, metadata[key])).encode(), found)
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name], tensors[name].dtype.newbyteorder("<"), order="C")
        found = crc32(repr((name, tensor.dtype.str, tensor.shape)).encode(), found)
        found = crc32(tensor.reshape(-1).view(np.uint8).data, found)
    return f"{found:08x}"


def contents(
    path: str | os.PathLike[str],
) -> tuple[dict[str, NDArray[Any]], dict[str, str], dict[str, Any]]:
    """Read a model file without making its model.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    tensors : dict of str to ndarray
        The tensors.
    metadata : dict of str to str
        The metadata.
    architecture : dict
        The description of the model.

    Raises
    ------
    FileError
        If it is no model file, of an unknown format, or damaged.
    OSError
        If it cannot be read.
    """
    import json

    from gyaku import safetensors
    from gyaku.files import FileError

    tensors, metadata = safetensors.read(path)
    if "gyaku.architecture" not in metadata:
        raise FileError(f"{path} has no gyaku model description in the metadata")
    written = metadata.get("gyaku.format", "1")
    if written not in map(str, range(1, FORMAT + 1)):
        raise FileError(
            f"{path} is a model file of format {written}, this version of gyaku reads 1 to {FORMAT}"
        )
    if metadata.get(CHECKSUM, found := checksum(tensors, metadata)) != found:
        raise FileError(f"{path} is damaged: its checksum is not that of its content")
    try:
        architecture: dict[str, Any] = json.loads(metadata["gyaku.architecture"])
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} has an invalid model description: {error}") from None
    return tensors, metadata, architecture
