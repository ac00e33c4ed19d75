"""What a model is made of, as JSON can hold it: classes by name, their arguments, and wires."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.components import Configured

if TYPE_CHECKING:
    import os
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.symbolic import Block

__all__ = ["Architecture", "described", "save", "training_described"]

FORMAT = 2
"""The version of the files. Models of the first, which did not name it, scale bytes to 0...1."""


class Architecture:
    """Parts that were described, so that a shared one stays one."""

    def __init__(self) -> None:
        self.parts: list[Block] = []

    def described(self, part: Block) -> dict[str, Any]:
        """Return what would make a part again.

        Parameters
        ----------
        part : Block
            A layer or a model.

        Returns
        -------
        dict
            Its class, name and arguments; for a part that was described before, its number.

        Raises
        ------
        TypeError
            If it was made with something that a file cannot hold.
        """
        for number, other in enumerate(self.parts):
            if other is part:
                return {"again": number}
        self.parts.append(part)
        if isinstance(part, Configured):
            frozen = {} if getattr(part, "trainable", True) else {"trainable": False}
            return described(part) | {"name": part.name} | frozen
        model: Any = part
        return {**model.description(self.described), "name": part.name}


def described(given: Any) -> dict[str, Any]:
    """Return class and arguments of an object, as JSON can hold them.

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
        If it was made with something that a file cannot hold.
    """
    return {
        "class": type(given).__name__,
        "config": {name: _plain(given, name, value) for name, value in given.config().items()},
    }


def _plain(owner: Configured, name: str, value: object) -> object:
    if isinstance(value, Configured):
        return described(value)
    if isinstance(value, (tuple, list)):
        return [_plain(owner, name, each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"save: {owner!r} cannot be saved, its {name} is {value!r}")


def training_described(loss: Any, weights: Any, metrics: Any) -> dict[str, Any]:
    """Return what `evaluate` takes after loading; functions that people wrote cannot be kept.

    Parameters
    ----------
    loss, weights, metrics : object
        Those of a model.

    Returns
    -------
    dict
        The description, empty if a loss cannot be kept.
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


def _names(metrics: Any) -> Any:
    from gyaku.metrics import METRICS

    if isinstance(metrics, dict):
        return {name: _names(each) for name, each in metrics.items()}
    return [metric.name for metric in metrics if type(metric) in METRICS.values()]


def save(
    path: str | os.PathLike[str],
    tensors: dict[str, NDArray[Any]],
    architecture: dict[str, Any],
    input_shape: Any,
    dtype: np.dtype[Any],
) -> None:
    """Write a model to a file: safetensors with the architecture in the metadata, and no code.

    Parameters
    ----------
    path : str or path-like
        The file.
    tensors : dict of str to ndarray
        Parameters and buffers.
    architecture : dict
        The description of the model.
    input_shape : object
        Its `input_shape`.
    dtype : numpy.dtype
        Its dtype.
    """
    import json

    from gyaku import _core
    from gyaku.interop import safetensors

    metadata = {
        "gyaku.version": _core.__version__,
        "gyaku.format": str(FORMAT),
        "gyaku.architecture": json.dumps(architecture),
        "input_shape": json.dumps(input_shape),
        "dtype": str(dtype),
    }
    safetensors.write(path, tensors, metadata)
