"""Normalisations that ONNX graphs compose of elementary nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.onnx.reader import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.onnx.reader import Call, Reader, Value

__all__ = ["OPERATORS"]


def _group_norm(reader: Reader, call: Call) -> list[Value]:
    value = reader.plain(reader.value(call.input(0)))
    samples, positions, groups, channels = reader.constants[call.inputs[1]].tolist()
    if samples not in (0, reader.batch) or positions != -1 or groups * channels != value.shape[-1]:
        raise Unreadable("normalises groups of other elements than channels")
    scale = _absorbed(reader, call.outputs[0], "Mul", value.shape[-1:])
    shift = _absorbed(reader, call.outputs[0], "Add", value.shape[-1:])
    layer = layers.GroupNorm(groups, _epsilon(reader, call), scale=bool(scale), shift=bool(shift))
    return reader.apply(layer, value, weights=_weights(gamma=scale, beta=shift))


def _batch_norm(reader: Reader, call: Call) -> list[Value]:
    value = reader.plain(reader.value(call.input(0)))
    if call.operator != f"BatchNorm{len(value.shape)}":
        raise Unreadable("normalises over the samples of a batch, and not over all channels alike")
    scale = _absorbed(reader, call.outputs[0], "Mul", value.shape[-1:])
    shift = _absorbed(reader, call.outputs[0], "Add", value.shape[-1:])
    layer = layers.BatchNorm(
        epsilon=_epsilon(reader, call),
        scale=bool(scale),
        shift=bool(shift),
        track_running_stats=False,
    )
    return reader.apply(layer, value, weights=_weights(gamma=scale, beta=shift))


def _rms_norm(reader: Reader, call: Call, axes: int) -> list[Value]:
    value = reader.plain(reader.value(call.input(0)))
    if axes > len(value.shape):
        raise Unreadable("normalises over the samples of a batch")
    scale = _absorbed(reader, call.outputs[0], "Mul", value.shape[-axes:])
    layer = layers.RMSNorm(_epsilon(reader, call), axes=axes, scale=bool(scale))
    return reader.apply(layer, value, weights=_weights(gamma=scale))


def _epsilon(reader: Reader, call: Call) -> float:
    return float(reader.constants[call.inputs[-1]].item())


def _weights(**found: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: each[0] for name, each in found.items() if each}


def _absorbed(
    reader: Reader, name: str, operator: str, shape: tuple[int, ...]
) -> list[NDArray[Any]]:
    """Return the constant of a following node, if it fits the parameter; absorb the node."""
    last = name
    while (node := reader.users.get(last)) is not None and node.output[0] in reader.aliases:
        last = node.output[0]
    if node is None or node.op_type != operator or reader.uses[last] != 1:
        return []
    other = node.input[1] if node.input[0] == last else node.input[0]
    constant = reader.constants.get(other)
    if constant is None or constant.shape != shape:
        return []
    reader.aliases[node.output[0]] = name
    return [np.asarray(constant)]


OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = {
    **dict.fromkeys((f"BatchNorm{rank}" for rank in range(1, 5)), _batch_norm),
    "GroupNorm": _group_norm,
    "RMSNorm": lambda reader, call: _rms_norm(reader, call, 1),
    "RMSNorm2": lambda reader, call: _rms_norm(reader, call, 2),
    "RMSNorm3": lambda reader, call: _rms_norm(reader, call, 3),
}
"""The function that reads each pattern."""
