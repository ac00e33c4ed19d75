"""Layouts of Keras's arrays: the order of gates, the two biases of a GRU, depthwise kernels.

Both keep channels last and weights as (inputs, outputs). The gates of an LSTM have the same order,
i, f, g, o; those of a GRU are z, r, n in Keras and r, z, n here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.layers import (
    GRU,
    LSTM,
    BatchNorm,
    Bidirectional,
    Dense,
    DepthwiseConv2D,
    Embedding,
    GroupNorm,
    LayerNorm,
    PReLU,
    RMSNorm,
    TimeDistributed,
)
from gyaku.layers.conv import Convolution
from gyaku.layers.recurrence import Recurrent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers import Layer

__all__ = ["Variable", "misfit", "to_gyaku", "to_keras", "variables"]


class Variable(NamedTuple):
    """Correspondence of an array of Keras with parameters of a layer.

    Parameters
    ----------
    name : str
        The array, as Keras calls it.
    params : tuple of str
        The parameters or buffers of the layer; of several, each is a row of the array.
    gates : bool
        Whether its columns are the gates z, r, n of a GRU.
    multiplier : int
        Filters for each channel of a depthwise kernel, 0 for others.
    """

    name: str
    params: tuple[str, ...]
    gates: bool = False
    multiplier: int = 0

    def read(self, array: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the parameters from the array.

        Parameters
        ----------
        array : ndarray
            The array of Keras.

        Returns
        -------
        dict of str to ndarray
            The parameters by name.
        """
        if self.gates:
            array = _swapped(array)
        if self.multiplier and array.ndim == 4:
            array = array.reshape(*array.shape[:2], 1, array.shape[2] * array.shape[3])
        rows = [array] if len(self.params) == 1 else list(array)
        return dict(zip(self.params, rows, strict=False))

    def write(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the array from the parameters, the inverse of `read`.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            The parameters and buffers of the layer.

        Returns
        -------
        ndarray
            The array of Keras.
        """
        rows = [arrays[name] for name in self.params]
        array = np.stack(rows) if len(rows) > 1 else rows[0]
        if self.gates:
            array = _swapped(array)
        if self.multiplier:
            array = array.reshape(*array.shape[:2], -1, self.multiplier)
        return np.ascontiguousarray(array)


def variables(layer: Layer) -> list[Variable] | None:
    """Return the correspondences of a layer, in the order in which Keras keeps its arrays.

    Parameters
    ----------
    layer : Layer
        The layer.

    Returns
    -------
    list of Variable or None
        The correspondences, [] for a layer without weights; None if Keras has no such layer.
    """
    if isinstance(layer, Bidirectional):
        parts = [("forward", layer.layer), ("backward", layer.layer)]
        return _joined(parts)
    if isinstance(layer, TimeDistributed):
        return _joined([("layer", layer.layer)])
    if isinstance(layer, Recurrent):
        return _recurrent(layer)
    if isinstance(layer, DepthwiseConv2D):
        kernel = Variable("kernel", ("weight",), multiplier=layer.multiplier)
        return [kernel, *_plain(bias="bias")][: 1 + layer.use_bias]
    if isinstance(layer, (Dense, Convolution)):
        return _plain(kernel="weight", bias="bias")[: 1 + layer.use_bias]
    if isinstance(layer, Embedding):
        return _plain(embeddings="weight")
    if isinstance(layer, BatchNorm):
        return [*_scaled(layer), *_plain(moving_mean="mean", moving_variance="variance")]
    if isinstance(layer, PReLU):
        return _plain(alpha="alpha")
    if isinstance(layer, RMSNorm):
        return _plain(scale="gamma") if layer.scale else []
    if isinstance(layer, (LayerNorm, GroupNorm)):
        return _scaled(layer)
    return None if layer.params or layer.buffers else []


def _scaled(layer: BatchNorm | LayerNorm | GroupNorm) -> list[Variable]:
    present = {"gamma": layer.scale, "beta": layer.shift}
    return _plain(**{name: name for name, there in present.items() if there})


def _plain(**names: str) -> list[Variable]:
    return [Variable(theirs, (ours,)) for theirs, ours in names.items()]


def _recurrent(layer: Recurrent) -> list[Variable] | None:
    if isinstance(layer, LSTM) and (layer.peepholes or layer.projection):
        return None
    gates = isinstance(layer, GRU)
    biases = (
        ("bias", "recurrent_bias") if isinstance(layer, GRU) and layer.reset_after else ("bias",)
    )
    found = {"kernel": ("weight",), "recurrent_kernel": ("recurrent_weight",), "bias": biases}
    made = [Variable(name, params, gates) for name, params in found.items()]
    return made[: 2 + layer.use_bias]


def _joined(parts: Sequence[tuple[str, Layer]]) -> list[Variable] | None:
    """Return the correspondences of a layer around others."""
    found = []
    for prefix, part in parts:
        inner = variables(part)
        if inner is None:
            return None
        found += [
            each._replace(
                name=f"{prefix}.{each.name}",
                params=tuple(f"{prefix}.{param}" for param in each.params),
            )
            for each in inner
        ]
    return found


def _swapped(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array whose columns are three gates with the first two exchanged."""
    units = array.shape[-1] // 3
    first, second, third = (array[..., start * units : (start + 1) * units] for start in range(3))
    return np.concatenate([second, first, third, array[..., 3 * units :]], axis=-1)


def to_gyaku(found: Sequence[Variable], arrays: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the parameters and buffers of a layer from the arrays of Keras.

    Parameters
    ----------
    found : sequence of Variable
        The correspondences.
    arrays : sequence of ndarray
        The arrays.

    Returns
    -------
    dict of str to ndarray
        The parameters and buffers by name.

    Raises
    ------
    ValueError
        If there are too few arrays or too many, or their elements are no real numbers.
    """
    if len(found) != len(arrays):
        names = ", ".join(each.name for each in found) or "none"
        raise ValueError(f"has {len(arrays)} arrays in the file, it needs {len(found)}: {names}")
    params: dict[str, NDArray[Any]] = {}
    for each, array in zip(found, arrays, strict=True):
        if array.dtype.kind != "f":
            raise ValueError(f"has {each.name} of dtype {array.dtype}, as of a quantised model")
        if not array.ndim:
            raise ValueError(f"has {each.name} of shape (), which is no weight")
        params |= each.read(array)
    return params


def to_keras(layer: Layer) -> list[NDArray[Any]]:
    """Return the arrays of Keras from a layer, the inverse of `to_gyaku`.

    Parameters
    ----------
    layer : Layer
        The layer, built, of which `variables` knows the arrays.

    Returns
    -------
    list of ndarray
        The arrays.
    """
    arrays = {**layer.params, **layer.buffers}
    return [each.write(arrays) for each in variables(layer) or []]


def misfit(layer: Layer, found: Sequence[Variable], arrays: Sequence[NDArray[Any]] | None) -> str:
    """Return the reason why arrays do not fit a layer, "" if they do.

    Parameters
    ----------
    layer : Layer
        The layer, built.
    found : sequence of Variable
        Its correspondences.
    arrays : sequence of ndarray or None
        The arrays, None if there are none for it.

    Returns
    -------
    str
        The reason.
    """
    if arrays is None:
        return "no layer in the file"
    try:
        params = to_gyaku(found, arrays)
    except ValueError as error:
        return str(error)
    wanted = {**layer.params, **layer.buffers}
    for variable, array in zip(found, arrays, strict=True):
        for name in variable.params:
            given = params[name].shape if name in params else None
            if given != wanted[name].shape:
                return f"{variable.name} {array.shape} is no {name} of shape {wanted[name].shape}"
    return ""
