"""ONNX nodes of layers: a function for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.onnx.activations import write_activated, write_activation
from gyaku.interop.onnx.array_nodes import write_array_operation
from gyaku.interop.onnx.graph import Graph, Value
from gyaku.interop.onnx.norms import NORMS
from gyaku.interop.onnx.recurrent import write_bidirectional, write_recurrent
from gyaku.interop.onnx.window_nodes import WINDOWS
from gyaku.layers.recurrence import Recurrent

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    Write = Callable[[Graph, Any, list[Value]], list[Value]]

__all__ = ["write_layer"]


def write_layer(graph: Graph, layer: layers.Layer, values: list[Value]) -> list[Value]:
    """Append the nodes of a layer.

    Parameters
    ----------
    graph : Graph
        The graph.
    layer : Layer
        A built layer.
    values : list of Value
        Its inputs.

    Returns
    -------
    list of Value
        Its outputs.

    Raises
    ------
    ValueError
        If the layer has no counterpart in ONNX.
    """
    for kind in type(layer).__mro__:
        if kind in _WRITERS and type(layer).__module__.startswith("gyaku.layers."):
            return _WRITERS[kind](graph, layer, values)
    raise ValueError(f"to_onnx: {layer} has no counterpart in ONNX here")


def _activation(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    return [write_activation(graph, layer, values[0])]


def _dense(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, params = graph.last(values[0]), layer.params
    inputs = [x, *(graph.constant(name, params[name]) for name in params)]
    if len(layer.input_shape) == 1:
        y = graph.node("Gemm", *inputs)
    else:
        y = graph.node("MatMul", *inputs[:2])
        y = graph.node("Add", y, inputs[2]) if layer.use_bias else y
    return write_activated(graph, layer, Value(layer.output_shape, y))


def _arithmetic(operator: str) -> Write:
    """Return the function of a layer that combines inputs, which are broadcast."""

    def write(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
        names, _, made = graph.alike(*values)
        rank = len(layer.output_shape)
        total, *others = (_of_rank(graph, *each, rank) for each in zip(names, values, strict=True))
        for each in others:
            total = graph.node(operator, total, each)
        return [made(layer.output_shape, total)]

    return write


def _of_rank(graph: Graph, x: str, value: Value, rank: int) -> str:
    """Return a tensor with axes of length 1 behind that of the samples."""
    missing = rank - len(value.shape)
    if not missing:
        return x
    return graph.node("Unsqueeze", x, graph.constant("axes", [*range(1, missing + 1)]))


def _masking(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, axes = graph.last(values[0]), [*range(2, len(layer.input_shape) + 1)]
    real = graph.node("Not", graph.node("Equal", x, graph.scalar(layer.value)))
    real = graph.node("ReduceMax", graph.node("Cast", real, to=1), axes=axes, keepdims=1)
    return [Value(layer.output_shape, graph.node("Mul", x, real))]


def _matmul(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    factors, rank = [], len(layer.output_shape)
    for value, is_transposed in zip(values, (layer.transpose_a, layer.transpose_b), strict=True):
        x = _of_rank(graph, graph.last(value), value, rank)
        perm = [*range(rank - 1), rank, rank - 1]
        factors.append(graph.node("Transpose", x, perm=perm) if is_transposed else x)
    y = graph.node("MatMul", *factors)
    y = y if layer.scale == 1 else graph.node("Mul", y, graph.scalar(layer.scale))
    return [Value(layer.output_shape, y)]


def _selection(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    (value,) = values
    (x,), axes, made = graph.alike(value)
    widths = [[0] * len(axes) for _ in range(2)]
    for axis, places in enumerate(layer.positions(value.shape)):
        (inside,) = np.nonzero(places >= 0)
        widths[0][axes[axis + 1]] = int(inside[0])
        widths[1][axes[axis + 1]] = int(len(places) - 1 - inside[-1])
        taken = places[inside]
        if taken.tolist() != [*range(value.shape[axis])]:
            x = _taken(graph, x, axes[axis + 1], taken)
    if any(map(any, widths)):
        pads = graph.constant("pads", widths[0] + widths[1])
        x = graph.node("Pad", x, pads, graph.scalar(layer.constant))
    return [made(layer.output_shape, x)]


def _taken(graph: Graph, x: str, axis: int, places: NDArray[np.int64]) -> str:
    """Take elements along an axis, as a slice if their distances are equal."""
    steps = {*np.diff(places).tolist()} or {1}
    if len(steps) > 1 or 0 in steps:
        return graph.node("Gather", x, graph.constant("places", places), axis=axis)
    (step,) = steps
    end = int(places[-1]) + (1 if step > 0 else -1)
    bounds = {"start": places[0], "end": end if end >= 0 else _BEFORE, "axis": axis, "step": step}
    return graph.node("Slice", x, *(graph.constant(key, [n]) for key, n in bounds.items()))


_BEFORE = -(2**31)  # the first element, as the end of a slice backwards


def _permute(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    y = graph.node("Transpose", graph.last(values[0]), perm=[0, *layer.axes])
    return [Value(layer.output_shape, y)]


def _prelu(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    (value,), alpha = values, layer.params["alpha"]
    (x,), _, made = graph.alike(values[0])
    alpha = alpha if value.last else np.moveaxis(alpha, -1, 0)
    return [made(value.shape, graph.node("PRelu", x, graph.constant("alpha", alpha)))]


def _concatenate(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    names, axes, made = graph.alike(*values)
    return [made(layer.output_shape, graph.node("Concat", *names, axis=axes[layer.axis]))]


def _dropout(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    (x,), _, made = graph.alike(values[0])
    if layer.scaled == "prediction" and layer.rate:
        y = graph.node("Mul", x, graph.scalar(1 - layer.rate))
    else:  # kept as a node, for readers that train
        y = graph.node("Dropout", x, graph.scalar(layer.rate))
    return [made(layer.output_shape, y)]


def _rescaling(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    (x,), _, made = graph.alike(values[0])
    x = graph.node("Mul", x, graph.scalar(layer.scale)) if layer.scale != 1 else x
    x = graph.node("Add", x, graph.scalar(layer.offset)) if layer.offset else x
    return [made(layer.output_shape, x)]


def _normalization(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    std = np.array(layer.std)
    mean = graph.constant("mean", np.array(layer.mean))
    y = graph.node("Sub", graph.last(values[0]), mean)
    y = graph.node("Div", y, graph.constant("std", np.where(std == 0, 1.0, std)))
    return [Value(layer.output_shape, y)]


def _flatten(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    return [Value(layer.output_shape, graph.node("Flatten", graph.last(values[0])))]


def _reshape(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    shape = graph.constant("shape", np.array([0, *layer.output_shape]))
    return [Value(layer.output_shape, graph.node("Reshape", graph.last(values[0]), shape))]


def _embedding(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    weight = graph.constant("weight", layer.params["weight"])
    return [Value(layer.output_shape, graph.node("Gather", weight, graph.last(values[0]), axis=0))]


def _time_distributed(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, part = graph.last(values[0]), layer._part
    leading = graph.node("Shape", x, start=0, end=2)
    shape = graph.constant("step", np.array([-1, *part.input_shape]))
    steps = Value(part.input_shape, graph.node("Reshape", x, shape))
    lengths, graph.lengths = graph.lengths, ""  # the samples of the part are steps
    outer, graph.scope = graph.scope, f"{graph.scope}.layer"
    y = graph.last(write_layer(graph, part, [steps])[0])
    graph.scope = outer
    graph.lengths = lengths
    inner = graph.constant("outputs", np.array(part.output_shape))
    y = graph.node("Reshape", y, graph.node("Concat", leading, inner, axis=0))
    return [Value(layer.output_shape, y)]


_WRITERS: dict[type, Write] = {
    **NORMS,
    **WINDOWS,
    **dict.fromkeys((layers.Crop, layers.Pad, layers.Slice), _selection),
    layers.Activation: _activation,
    layers.Add: _arithmetic("Add"),
    layers.ArrayOperation: write_array_operation,
    layers.Bidirectional: write_bidirectional,
    layers.Concatenate: _concatenate,
    layers.Dense: _dense,
    layers.Divide: _arithmetic("Div"),
    layers.Dropout: _dropout,
    layers.Embedding: _embedding,
    layers.Flatten: _flatten,
    layers.Masking: _masking,
    layers.MatMul: _matmul,
    layers.Multiply: _arithmetic("Mul"),
    layers.Normalization: _normalization,
    layers.PReLU: _prelu,
    layers.Permute: _permute,
    Recurrent: write_recurrent,
    layers.Rescaling: _rescaling,
    layers.Reshape: _reshape,
    layers.Subtract: _arithmetic("Sub"),
    layers.TimeDistributed: _time_distributed,
}
