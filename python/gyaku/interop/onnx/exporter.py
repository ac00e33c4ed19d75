"""Models written as ONNX files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from gyaku.files import write_atomically
from gyaku.interop.onnx.graph import Graph, Value
from gyaku.interop.onnx.layers import write_layer

if TYPE_CHECKING:
    from typing import Any

    from gyaku.model import Model

__all__ = ["to_onnx"]

OPSET, IR_VERSION = 17, 8  # read by runtimes of 2022 and later; onnx's own default is too new
_LARGEST = 2_000_000_000  # bytes of weights in a file; a protobuf ends at 2 GB


def to_onnx(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model to an ONNX file, for other runtimes.

    Parameters
    ----------
    model : Model
        A built model. The file holds its layers as they predict, in float32.
    path : str or path-like
        The file; an old one is replaced atomically. Weights of more than 2 GB lie beside it, in
        ``NAME.data``.

    Raises
    ------
    ImportError
        If the package onnx is missing.
    TypeError
        If `model` is no model.
    ValueError
        If it is not built, or a layer has no counterpart in ONNX: one of the user's own, or a
        stateful one.
    OSError
        If the file cannot be written.

    See Also
    --------
    gyaku.Model.save : Write a model with all that training needs.

    Notes
    -----
    Opset 17 of IR version 8. The batch axis is free, and so is the time axis of a model of layers
    that treat all steps alike. Images stay channels last, as (batch, height, width, channels):
    Transpose nodes stand before the first convolution and behind the last one. Recurrent layers
    are one LSTM, GRU or RNN node each.

    Examples
    --------
    >>> import tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Conv2D(4, 3, activation="relu"), gk.Flatten(), gk.Dense(10))
    >>> model.build((8, 8, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gk.interop.to_onnx(model, folder + "/model.onnx")
    """
    from gyaku.model import Model

    if not isinstance(model, Model):
        raise TypeError(f"to_onnx: model must be a gyaku model, got {type(model).__name__}")
    if not model.built:
        raise ValueError("to_onnx: the model is not built, call build(input_shape) or fit first")
    _save(_proto(model), path)


def _save(proto: Any, path: str | os.PathLike[str]) -> None:
    from onnx import save_model

    if sum(len(each.raw_data) for each in proto.graph.initializer) > _LARGEST:
        beside = os.path.basename(os.fspath(path)) + ".data"
        save_model(proto, path, save_as_external_data=True, location=beside)
        return
    content = proto.SerializeToString(deterministic=True)
    write_atomically(path, lambda stream: stream.write(content))


def _proto(model: Model) -> Any:
    """Return the ModelProto of a model."""
    from onnx import TensorProto, helper, numpy_helper

    from gyaku import _core

    graph = Graph()
    inputs, results = _written(graph, model)
    outputs = [
        _info(name, TensorProto.FLOAT, value.shape, free)
        for name, value, free in zip(
            _outputs(graph, model, results), results, _free(model)[1], strict=True
        )
    ]
    tensors = [numpy_helper.from_array(each, name) for name, each in graph.initialisers.items()]
    return helper.make_model(
        helper.make_graph(graph.nodes, model.name or "gyaku", inputs, outputs, tensors),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="gyaku",
        producer_version=_core.__version__,
    )


def _free(model: Model) -> tuple[list[bool], list[bool]]:
    """Return whether the first axis of each input and each output is a free time axis."""
    plan = model.plan
    if not plan.any_steps:
        return [False] * plan.inputs, [False] * len(plan.outputs)
    steps, *features = plan.shapes[0]
    longer = plan.output_shapes_of((steps + 1, *features))
    return [True], [a != b for a, b in zip(longer, plan.output_shapes, strict=True)]


def _info(name: str, kind: int, shape: tuple[int, ...], free: bool) -> Any:
    from onnx import helper

    dimensions: list[str | int] = ["batch", "time", *shape[1:]] if free else ["batch", *shape]
    return helper.make_tensor_value_info(name, kind, dimensions)


def _written(graph: Graph, model: Model) -> tuple[list[Any], list[Value]]:
    """Write all layers; return the inputs of the graph and its results."""
    from onnx import TensorProto

    plan = model.plan
    values: dict[int, Value] = {}
    infos = []
    dtypes = plan.input_dtypes([""] * plan.inputs)
    for number, (name, free) in enumerate(zip(model.input_names, _free(model)[0], strict=True)):
        values[number] = Value(plan.shapes[number], graph.name(name))
        kind = TensorProto.INT64 if dtypes[number] else TensorProto.FLOAT
        infos.append(_info(name, kind, plan.shapes[number], free))
    lengths: dict[int, str] = {}
    for use in plan.applications:
        given = [values[value] for value in use.inputs]
        graph.scope = use.path
        padded = next((value for value in use.inputs if value in lengths), None)
        graph.lengths = "" if padded is None else lengths[padded]
        layer = use.instance
        values.update(zip(use.outputs, write_layer(graph, layer, given), strict=True))
        if layer.finds_lengths and use.source in range(plan.inputs):
            lengths[use.output] = _lengths(graph, given[0], getattr(layer, "value", None))
        elif padded is not None and _same_steps(layer.output_shape, plan.shapes[padded]):
            lengths[use.output] = lengths[padded]
    graph.scope = ""
    return infos, [values[value] for value in plan.outputs]


def _same_steps(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return len(a) > 1 and a[0] == b[0]


def _lengths(graph: Graph, x: Value, padding: float | None) -> str:
    """Return the int32 tensor of the lengths of sequences: 1 + their last step without padding."""
    zero, axes = graph.constant("zero", np.int64(0)), list(range(2, len(x.shape) + 1))
    equal = graph.node("Equal", x.last, zero if padding is None else graph.scalar(padding))
    real = graph.node("Cast", graph.node("Not", equal), to=1)
    if axes:
        real = graph.node("ReduceMax", real, axes=axes, keepdims=0)
    ones = graph.node("Add", graph.node("Mul", real, graph.scalar(0.0)), graph.scalar(1.0))
    steps = graph.node("CumSum", ones, graph.constant("time", np.int64(1)))
    last = graph.node("ReduceMax", graph.node("Mul", real, steps), axes=[1], keepdims=0)
    if padding is not None:  # one step at least
        last = graph.node("Max", last, graph.scalar(1.0))
    return graph.node("Cast", last, to=6)


def _outputs(graph: Graph, model: Model, results: list[Value]) -> list[str]:
    """Return the names of the outputs, those of the model's."""
    from onnx import helper

    names = [graph.name(name) for name in model.output_names]
    for name, value in zip(names, results, strict=True):
        graph.nodes.append(helper.make_node("Identity", [graph.last(value)], [name], name))
    return names
