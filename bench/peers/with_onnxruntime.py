"""ONNX Runtime, which predicts but does not train: a network as its graph and session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bench.workloads import Conv, Dense, MaxPool, trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload

OPSET, IR = 17, 8
"""Versions that both old and new runtimes read."""


class Graph:
    """A graph of one node after the other; `last` is the name of the last output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.last = "x"

    def add(self, kind: str, *params: NDArray[Any], **attributes: Any) -> None:
        """Append a node that takes the last output and some parameters."""
        number = len(self.nodes)
        names = [f"p{number}_{index}" for index in range(len(params))]
        self.tensors += [
            numpy_helper.from_array(array.copy(), name)
            for array, name in zip(params, names, strict=True)
        ]
        self.nodes.append(helper.make_node(kind, [self.last, *names], [f"y{number}"], **attributes))
        self.last = f"y{number}"


def session(workload: Workload, weights: Weights) -> onnxruntime.InferenceSession:
    """Return a session of a network for images, which takes ``x``: (n, channels, height, width)."""
    graph, given = Graph(), iter(weights)
    for before, layer, _ in trace(workload.layers, workload.inputs):
        if isinstance(layer, MaxPool):
            window = [layer.window] * 2
            graph.add("MaxPool", kernel_shape=window, strides=window)
        elif isinstance(layer, Conv):
            weight, *bias = next(given)
            padding = [layer.padding] * 4
            graph.add("Conv", weight.transpose(3, 2, 0, 1), *bias, pads=padding)
        elif isinstance(layer, Dense):
            weight, *bias = next(given)
            if len(before) > 1:
                graph.add("Flatten")
                weight = weight.reshape(*before, -1).transpose(2, 0, 1, 3).reshape(weight.shape)
            graph.add("Gemm", weight, *bias)
        else:
            raise ValueError(f"{workload.name}: no ONNX is written for {layer}")
        if layer.activation != "identity":
            graph.add(layer.activation.capitalize())
    height, width, channels = workload.inputs
    inputs = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, height, width])
    outputs = helper.make_tensor_value_info(
        graph.last, TensorProto.FLOAT, ["n", *workload.leaves[-1][2]]
    )
    model = helper.make_model(
        helper.make_graph(graph.nodes, workload.name, [inputs], [outputs], graph.tensors),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
    )
    onnx.checker.check_model(model)
    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model.SerializeToString(), how, providers=providers)
