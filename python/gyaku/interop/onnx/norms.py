"""ONNX nodes of normalisations, in the operators that opset 17 has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.onnx.graph import Graph, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = ["NORMS"]


def _batch_norm(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    if not layer.track_running_stats:
        x, axes = graph.last(values[0]), range(len(layer.output_shape))
        return [Value(layer.output_shape, _scaled(graph, layer, _standard(graph, layer, x, axes)))]
    found = {"gamma": layer.gamma, "beta": layer.beta, **layer.buffers}
    names = ("gamma", "beta", "mean", "variance")
    inputs = [graph.first(values[0]), *(graph.constant(name, found[name]) for name in names)]
    options = {"epsilon": layer.epsilon}
    if layer.momentum is not None:
        options["momentum"] = 1 - layer.momentum
    y = graph.node("BatchNormalization", *inputs, **options)
    if len(layer.output_shape) == 1:
        return [Value(layer.output_shape, y)]
    return [Value(layer.output_shape, first=y)]


def _layer_norm(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    scale = [graph.constant("gamma", layer.gamma), graph.constant("beta", layer.beta)]
    x, options = graph.last(values[0]), {"epsilon": layer.epsilon, "axis": -layer.axes}
    y = graph.node("LayerNormalization", x, *scale, **options)
    return [Value(layer.output_shape, y)]


def _group_norm(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, (*_, channels) = graph.last(values[0]), layer.output_shape
    groups = channels if isinstance(layer, layers.InstanceNorm) else layer.groups
    parts = graph.constant("groups", np.array([0, -1, groups, channels // groups]))
    y = _standard(graph, layer, graph.node("Reshape", x, parts), (1, 3))
    y = graph.node("Reshape", y, graph.node("Shape", x))
    return [Value(layer.output_shape, _scaled(graph, layer, y))]


def _rms_norm(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x = graph.last(values[0])
    y = _divided(graph, layer, x, range(-layer.axes, 0))
    return [Value(layer.output_shape, _scaled(graph, layer, y))]


def _local_response_norm(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, channels = graph.last(values[0]), layer.output_shape[-1]
    place = np.arange(channels)
    distance = place[np.newaxis] - place[:, np.newaxis]  # of a channel behind its neighbour
    band = (-((layer.size - 1) // 2) <= distance) & (distance <= layer.size // 2)
    factor = graph.constant("neighbours", band * np.float32(layer.alpha / layer.size))
    sums = graph.node("MatMul", graph.node("Mul", x, x), factor)
    base = graph.node("Add", sums, graph.scalar(layer.k))
    y = graph.node("Div", x, graph.node("Pow", base, graph.scalar(layer.beta)))
    return [Value(layer.output_shape, y)]


def _standard(graph: Graph, layer: Any, x: str, axes: Sequence[int]) -> str:
    """Subtract the mean over some axes, and divide by the standard deviation."""
    mean = graph.node("ReduceMean", x, axes=[*axes], keepdims=1)
    return _divided(graph, layer, graph.node("Sub", x, mean), axes)


def _divided(graph: Graph, layer: Any, x: str, axes: Sequence[int]) -> str:
    """Divide by the root of the mean square over some axes."""
    square = graph.node("ReduceMean", graph.node("Mul", x, x), axes=[*axes], keepdims=1)
    total = graph.node("Add", square, graph.scalar(layer.epsilon))
    return graph.node("Div", x, graph.node("Sqrt", total))


def _scaled(graph: Graph, layer: Any, y: str) -> str:
    if layer.scale:
        y = graph.node("Mul", y, graph.constant("gamma", layer.gamma))
    if layer.shift:
        y = graph.node("Add", y, graph.constant("beta", layer.beta))
    return y


NORMS: dict[type, Callable[[Graph, Any, list[Value]], list[Value]]] = {
    layers.BatchNorm: _batch_norm,
    layers.GroupNorm: _group_norm,
    layers.LayerNorm: _layer_norm,
    layers.LocalResponseNorm: _local_response_norm,
    layers.RMSNorm: _rms_norm,
}
"""The functions that write the nodes, by class."""
