"""ONNX nodes of layers: a function for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.onnx.activations import write_activation
from gyaku.interop.onnx.array_nodes import write_array_operation
from gyaku.interop.onnx.graph import Graph, Value
from gyaku.interop.onnx.norms import NORMS
from gyaku.interop.onnx.recurrent import write_bidirectional, write_recurrent
from gyaku.layers.recurrence import Recurrent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gyaku.windows import Axis

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


def _each(graph: Graph, value: Value, write: Callable[[str], str]) -> Value:
    """Apply nodes that treat all elements alike, in the layout that there is."""
    if value.last:
        return Value(value.shape, last=write(value.last))
    return Value(value.shape, first=write(value.first))


def _activation(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    if layer.elementwise:
        return [_each(graph, values[0], lambda x: write_activation(graph, x, layer))]
    return [Value(values[0].shape, write_activation(graph, graph.last(values[0]), layer))]


def _activated(graph: Graph, layer: Any, value: Value) -> list[Value]:
    return _activation(graph, layer.applied, [value]) if layer.applied else [value]


def _dense(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, params = graph.last(values[0]), layer.params
    inputs = [x, *(graph.constant(name, params[name]) for name in params)]
    if len(layer.input_shape) == 1:
        y = graph.node("Gemm", *inputs)
    else:
        y = graph.node("MatMul", *inputs[:2])
        y = graph.node("Add", y, inputs[2]) if layer.use_bias else y
    return _activated(graph, layer, Value(layer.output_shape, y))


def _places(axes: Sequence[Axis]) -> dict[str, Any]:
    """Return the attributes of windows; they end where the last one ends, whatever the mode."""
    after = [max(axis.span - axis.before - axis.size, 0) for axis in axes]
    return {
        "kernel_shape": [axis.taps for axis in axes],
        "strides": [axis.stride for axis in axes],
        "pads": [*(axis.before for axis in axes), *after],
    }


def _dilations(axes: Sequence[Axis]) -> dict[str, Any]:
    return {"dilations": [axis.dilation for axis in axes]}


def _conv(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, kernel = graph.first(values[0]), np.moveaxis(layer.params["weight"], (-1, -2), (0, 1))
    group = values[0].shape[-1] // layer.params["weight"].shape[-2]
    inputs = [x, graph.constant("weight", kernel), *_bias(graph, layer)]
    y = graph.node("Conv", *inputs, group=group, **_places(layer.axes), **_dilations(layer.axes))
    return _activated(graph, layer, Value(layer.output_shape, first=y))


def _bias(graph: Graph, layer: Any) -> list[str]:
    return [graph.constant("bias", layer.params["bias"])] if layer.use_bias else []


def _conv_transpose(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, kernel = graph.first(values[0]), layer.params["weight"].transpose(3, 2, 0, 1)
    inputs = [x, graph.constant("weight", kernel), *_bias(graph, layer)]
    axes = layer.axes
    # A negative crop at the end is output padding.
    ends = [axis.span - axis.before - axis.size for axis in axes]
    y = graph.node(
        "ConvTranspose",
        *inputs,
        group=layer.groups,
        kernel_shape=[axis.taps for axis in axes],
        strides=[axis.stride for axis in axes],
        pads=[*(axis.before for axis in axes), *(max(end, 0) for end in ends)],
        output_padding=[max(-end, 0) for end in ends],
        **_dilations(axes),
    )
    return _activated(graph, layer, Value(layer.output_shape, first=y))


def _max_pool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    options = {**_places(layer.axes), **_dilations(layer.axes)}
    y = graph.node("MaxPool", graph.first(values[0]), **options)
    return [Value(layer.output_shape, first=y)]


def _avg_pool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    if layer.divisor_override or any(axis.dilation > 1 for axis in layer.axes):
        raise ValueError(f"to_onnx: {layer!r}: opset 17 has no divisor and no dilation of means")
    x, options = graph.first(values[0]), _places(layer.axes)
    if layer.count_include_pad and any(axis.before or axis.after for axis in layer.axes):
        # Counted padding becomes part of the image, since runtimes differ about windows beyond it.
        before, after = zip(*((axis.before, axis.after) for axis in layer.axes), strict=True)
        x = graph.node("Pad", x, graph.constant("pads", [0, 0, *before, 0, 0, *after]))
        ends = [max(axis.span - axis.padded, 0) for axis in layer.axes]
        options["pads"] = [*(0 for _ in ends), *ends]
    y = graph.node("AveragePool", x, **options)
    return [Value(layer.output_shape, first=y)]


def _lp_pool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, options, p = graph.first(values[0]), _places(layer.axes), layer.norm_type
    if p.is_integer():
        y = graph.node("LpPool", x, p=int(p), **options)
    else:  # a depthwise convolution with ones is the sum over windows
        channels = values[0].shape[-1]
        powers = graph.node("Pow", graph.node("Abs", x), graph.scalar(p))
        ones = graph.constant("ones", np.ones((channels, 1, *options["kernel_shape"])))
        sums = graph.node("Conv", powers, ones, group=channels, **options)
        y = graph.node("Pow", sums, graph.scalar(1 / p))
    return [Value(layer.output_shape, first=y)]


def _global_pool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    operator = "GlobalMaxPool" if isinstance(layer, layers.GlobalMaxPool2D) else "GlobalAveragePool"
    y = graph.node("Flatten", graph.node(operator, graph.first(values[0])))
    return [Value(layer.output_shape, y)]


def _add(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    if len({value.shape for value in values}) > 1:
        raise ValueError(f"to_onnx: {layer}: inputs of several shapes have no counterpart here")
    total = graph.last(values[0])
    for each in values[1:]:
        total = graph.node("Add", total, graph.last(each))
    return [Value(layer.output_shape, total)]


def _concatenate(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    y = graph.node("Concat", *map(graph.last, values), axis=layer.axis)
    return [Value(layer.output_shape, y)]


def _dropout(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    if layer.scaled == "prediction" and layer.rate:
        keep = graph.scalar(1 - layer.rate)
        return [_each(graph, values[0], lambda x: graph.node("Mul", x, keep))]
    rate = graph.scalar(layer.rate)  # kept as a node, for readers that train
    return [_each(graph, values[0], lambda x: graph.node("Dropout", x, rate))]


def _rescaling(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    def write(x: str) -> str:
        x = graph.node("Mul", x, graph.scalar(layer.scale)) if layer.scale != 1 else x
        return graph.node("Add", x, graph.scalar(layer.offset)) if layer.offset else x

    return [_each(graph, values[0], write)]


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
    layers.Activation: _activation,
    layers.Add: _add,
    layers.ArrayOperation: write_array_operation,
    layers.AvgPool2D: _avg_pool,
    layers.Bidirectional: write_bidirectional,
    layers.Concatenate: _concatenate,
    layers.Conv2D: _conv,
    layers.Conv2DTranspose: _conv_transpose,
    layers.Dense: _dense,
    layers.Dropout: _dropout,
    layers.Embedding: _embedding,
    layers.Flatten: _flatten,
    layers.GlobalAvgPool2D: _global_pool,
    layers.GlobalMaxPool2D: _global_pool,
    layers.LPPool2D: _lp_pool,
    layers.MaxPool2D: _max_pool,
    layers.Normalization: _normalization,
    Recurrent: write_recurrent,
    layers.Rescaling: _rescaling,
    layers.Reshape: _reshape,
    layers.TimeDistributed: _time_distributed,
}
