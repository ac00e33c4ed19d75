"""ONNX nodes of layers that slide windows over the axes of samples."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.onnx.activations import write_activated
from gyaku.interop.onnx.graph import Graph, Value
from gyaku.interop.separable import matrices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.windows import Axis

__all__ = ["WINDOWS", "along"]


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


def _weights(graph: Graph, layer: Any) -> list[str]:
    kernel = graph.constant("weight", np.moveaxis(layer.params["weight"], (-1, -2), (0, 1)))
    return [kernel, *([graph.constant("bias", layer.params["bias"])] if layer.use_bias else [])]


def _conv(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    inputs = [graph.first(values[0]), *_weights(graph, layer)]
    group = values[0].shape[-1] // layer.params["weight"].shape[-2]
    y = graph.node("Conv", *inputs, group=group, **_places(layer.axes), **_dilations(layer.axes))
    return write_activated(graph, layer, Value(layer.output_shape, first=y))


def _conv_transpose(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    inputs, axes = [graph.first(values[0]), *_weights(graph, layer)], layer.axes
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
    return write_activated(graph, layer, Value(layer.output_shape, first=y))


def _max_pool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    options = {**_places(layer.axes), **_dilations(layer.axes)}
    y = graph.node("MaxPool", graph.first(values[0]), **options)
    return [Value(layer.output_shape, first=y)]


def _max_unpool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    x, images = map(graph.first, values)
    options = _places(layer.axes)
    more = _dilations(layer.axes)
    _, places = graph.node_of_several("MaxPool", [images], 2, **options, **more)
    y = graph.node("MaxUnpool", x, places, graph.node("Shape", images), **options)
    return [Value(layer.output_shape, first=y)]


def _avg_pool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    if layer.divisor_override or any(axis.dilation > 1 for axis in layer.axes):
        return [_mixed(graph, values[0], matrices(layer))]  # opset 17 has neither
    x, options = graph.first(values[0]), _places(layer.axes)
    if layer.count_include_pad and any(axis.before or axis.after for axis in layer.axes):
        # Counted padding becomes part of the image, since runtimes differ about windows beyond it.
        before, after = zip(*((axis.before, axis.after) for axis in layer.axes), strict=True)
        x = graph.node("Pad", x, graph.constant("pads", [0, 0, *before, 0, 0, *after]))
        ends = [max(axis.span - axis.padded, 0) for axis in layer.axes]
        options["pads"] = [*(0 for _ in ends), *ends]
    y = graph.node("AveragePool", x, **options)
    return [Value(layer.output_shape, first=y)]


def _mixed(graph: Graph, value: Value, by_axis: Sequence[NDArray[Any]]) -> Value:
    """Multiply the first axes of samples by matrices, (old length, new length)."""
    (x,), axes, made = graph.alike(value)
    shape = list(value.shape)
    for axis, matrix in enumerate(by_axis):
        shape[axis] = matrix.shape[1]
        if ((matrix == 1).sum(axis=0) == 1).all() and np.count_nonzero(matrix) == shape[axis]:
            x = graph.node(
                "Gather", x, graph.constant("places", matrix.argmax(axis=0)), axis=axes[axis + 1]
            )
        else:
            x = along(graph, x, graph.constant("matrix", matrix), axes[axis + 1], len(axes))
    return made(tuple(shape), x)


def along(graph: Graph, x: str, matrix: str, axis: int, rank: int) -> str:
    """Append the product of an axis and a matrix.

    Parameters
    ----------
    graph : Graph
        The graph.
    x : str
        The tensor.
    matrix : str
        The matrix, (old length, new length).
    axis : int
        The axis.
    rank : int
        Number of axes of the tensor.

    Returns
    -------
    str
        The product.
    """
    letters = ascii_lowercase[:rank]
    product = letters.replace(letters[axis], "z")
    return graph.node("Einsum", x, matrix, equation=f"{letters},{letters[axis]}z->{product}")


def _lp_pool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    p, (value,) = layer.norm_type, values
    if p.is_integer():
        y = graph.node("LpPool", graph.first(value), p=int(p), **_places(layer.axes))
        return [Value(layer.output_shape, first=y)]
    powers = graph.node("Pow", graph.node("Abs", graph.first(value)), graph.scalar(p))
    sums = _mixed(graph, Value(value.shape, first=powers), matrices(layer))
    y = graph.node("Pow", sums.first, graph.scalar(1 / p))
    return [Value(layer.output_shape, first=y)]


def _global_pool(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    operator = "GlobalMaxPool" if isinstance(layer, layers.GlobalMaxPool2D) else "GlobalAveragePool"
    y = graph.node("Flatten", graph.node(operator, graph.first(values[0])))
    return [Value(layer.output_shape, y)]


def _adaptive_mean(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    (value,), outputs = values, layer.output_shape[:-1]
    sizes = value.shape[:-1]
    if any(n % m for n, m in zip(sizes, outputs, strict=True)):
        return [_mixed(graph, value, matrices(layer))]
    kernel = [n // m for n, m in zip(sizes, outputs, strict=True)]
    y = graph.node("AveragePool", graph.first(value), kernel_shape=kernel, strides=kernel)
    return [Value(layer.output_shape, first=y)]


def _adaptive_maximum(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    """Write windows of one length, in which shorter ones repeat their last element."""
    x, positions = graph.first(values[0]), layer.positions()
    for axis, (places, size) in enumerate(zip(positions, values[0].shape, strict=False), 2):
        listed = places.T.ravel()
        if listed.tolist() != [*range(size)]:
            x = graph.node("Gather", x, graph.constant("places", listed), axis=axis)
    kernel = [len(places) for places in positions]
    y = graph.node("MaxPool", x, kernel_shape=kernel, strides=kernel)
    return [Value(layer.output_shape, first=y)]


def _upsample(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    (value,), (*new, channels) = values, layer.output_shape
    sizes, scale = value.shape[:-1], 2 if layer.scale is None else layer.scale
    rests = np.mod(scale, 1) if layer.size is None else np.mod(new, sizes)
    if np.any(rests) or len(new) != 2:  # runtimes round, and interpolate images alone
        return [_mixed(graph, value, matrices(layer))]
    options = next(each for mode, each in _RESIZE.items() if mode in layer.mode)
    if layer.align_corners:
        options = options | {"coordinate_transformation_mode": "align_corners"}
    factors = [1, 1, *(m // n for m, n in zip(new, sizes, strict=True))]
    scales = graph.constant("scales", np.array(factors, np.float32))
    y = graph.node("Resize", graph.first(value), "", scales, **options)
    return [Value((*new, channels), first=y)]


_RESIZE: dict[str, dict[str, Any]] = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "linear": {"mode": "linear"},
    "cubic": {"mode": "cubic"},
}
"""Attributes of modes; pixels are areas unless told otherwise."""


WINDOWS: dict[type, Callable[[Graph, Any, list[Value]], list[Value]]] = {
    **dict.fromkeys((layers.Conv2D, layers.Conv3D), _conv),
    **dict.fromkeys((layers.Conv2DTranspose, layers.Conv3DTranspose), _conv_transpose),
    **dict.fromkeys((layers.MaxPool2D, layers.MaxPool3D), _max_pool),
    **dict.fromkeys((layers.AvgPool2D, layers.AvgPool3D), _avg_pool),
    **dict.fromkeys((layers.GlobalAvgPool2D, layers.GlobalMaxPool2D), _global_pool),
    **dict.fromkeys(
        (layers.AdaptiveAvgPool1D, layers.AdaptiveAvgPool2D, layers.AdaptiveAvgPool3D),
        _adaptive_mean,
    ),
    **dict.fromkeys(
        (layers.AdaptiveMaxPool1D, layers.AdaptiveMaxPool2D, layers.AdaptiveMaxPool3D),
        _adaptive_maximum,
    ),
    layers.LPPool2D: _lp_pool,
    layers.MaxUnpool2D: _max_unpool,
    layers.Upsample: _upsample,
}
"""The functions that write the nodes, by class."""
