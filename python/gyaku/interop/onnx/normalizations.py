"""Layers of ONNX's normalisations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import layers
from gyaku.interop.onnx import arrays
from gyaku.interop.onnx.reader import Unreadable, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gyaku.interop.onnx.reader import Call, Reader

__all__ = ["CHANNELS_FIRST", "OPERATORS", "placed"]


def _of_channels(reader: Reader, call: Call) -> Value:
    """Return the input with channels, which ONNX has behind the batch, last."""
    value = reader.value(call.input(0))
    return value if value.axes[1] == len(value.shape) else reader.channels_last(value)


def _instance_norm(reader: Reader, call: Call) -> list[Value]:
    return _by_groups(reader, call, layers.InstanceNorm(call.attributes.get("epsilon", 1e-5)))


def _group_norm(reader: Reader, call: Call) -> list[Value]:
    epsilon = call.attributes.get("epsilon", 1e-5)
    return _by_groups(reader, call, layers.GroupNorm(call.attributes["num_groups"], epsilon))


def _by_groups(reader: Reader, call: Call, layer: layers.Layer) -> list[Value]:
    """Read a normalisation of groups of channels."""
    value = _of_channels(reader, call)
    found = [reader.constant(call.input(n), name) for n, name in ((1, "scale"), (2, "shift"))]
    gamma, beta = (placed(each, value) for each in found)
    return reader.apply(layer, value, weights={"gamma": gamma, "beta": beta})


def _local_response_norm(reader: Reader, call: Call) -> list[Value]:
    size, given = call.attributes["size"], call.attributes
    if size % 2 == 0:
        raise Unreadable("has an even size, whose middle is another one in LocalResponseNorm")
    numbers = given.get("alpha", 1e-4), given.get("beta", 0.75), given.get("bias", 1.0)
    layer = layers.LocalResponseNorm(size, *map(float, numbers))
    return reader.apply(layer, _of_channels(reader, call))


def _batch_norm(reader: Reader, call: Call) -> list[Value]:
    value = _of_channels(reader, call)
    attributes = call.attributes
    momentum = 1 - attributes.get("momentum", 0.9)
    layer = layers.BatchNorm(min(max(momentum, 0.0), 1.0), attributes.get("epsilon", 1e-5))
    names = ("gamma", "beta", "mean", "variance")
    found = [reader.constant(call.input(n + 1), name) for n, name in enumerate(names)]
    weights = {name: placed(each, value) for name, each in zip(names, found, strict=True)}
    return reader.apply(layer, value, weights=weights)


def placed(array: NDArray[Any], value: Value) -> NDArray[Any]:
    """Return rows for the features of a value in the order of the tensor.

    Parameters
    ----------
    array : ndarray
        The rows, in the order of ONNX.
    value : Value
        The value.

    Returns
    -------
    ndarray
        The rows.
    """
    if value.order is None:
        return array
    placed = np.empty_like(array)
    placed[value.order] = array
    return placed


def _layer_norm(reader: Reader, call: Call) -> list[Value]:
    value = reader.value(call.input(0))
    rank = len(value.axes)
    axes = rank - call.attributes.get("axis", -1) % rank
    if axes == rank and not reader.first:
        raise Unreadable("normalises over the samples of a batch")
    if axes > 1 or value.axes[-1] != len(value.shape):
        value = reader.plain(value)
    gamma = reader.constant(call.input(1), "scale")
    beta = reader.constant(call.input(2), "shift") if call.input(2) else np.zeros_like(gamma)
    shape = value.shape[-axes:]
    weights = {
        name: placed(np.broadcast_to(each, shape), value)
        for name, each in (("gamma", gamma), ("beta", beta))
    }
    epsilon = call.attributes.get("epsilon", 1e-5)
    found = reader.apply(layers.LayerNorm(epsilon, axes=axes), value, weights=weights)
    if any(reader.uses[name] for name in call.outputs[1:]):
        found += _statistics(reader, reader.plain(value), axes, epsilon)
    return found


def _statistics(reader: Reader, value: Value, axes: int, epsilon: float) -> list[Value]:
    """Return the mean over the last axes, and one over the standard deviation."""
    end = len(value.shape) + 1
    options = {"axes": [*range(end - axes, end)], "keepdims": True}
    mean = arrays.operated(reader, "mean", value, **options)
    (centred,) = reader.apply(layers.Subtract(), value, mean)
    square = arrays.operated(reader, "sum_square", centred, **options)
    count = math.prod(value.shape[-axes:])
    (variance,) = reader.apply(layers.Rescaling(1 / count, epsilon), square)
    return [mean, arrays.operated(reader, "reciprocal", arrays.operated(reader, "sqrt", variance))]


def _rms_norm(reader: Reader, call: Call) -> list[Value]:
    value = reader.value(call.input(0))
    rank = len(value.axes)
    axes = rank - call.attributes.get("axis", -1) % rank
    if axes == rank and not reader.first:
        raise Unreadable("normalises over the samples of a batch")
    value = reader.plain(value)
    gamma = np.broadcast_to(reader.constant(call.input(1), "scale"), value.shape[-axes:])
    layer = layers.RMSNorm(call.attributes.get("epsilon", 1e-5), axes=axes)
    return reader.apply(layer, value, weights={"gamma": gamma})


CHANNELS_FIRST = ("BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN")
"""Operators whose images have channels first."""
OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = {
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _local_response_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
}
"""The function that reads each operator."""
