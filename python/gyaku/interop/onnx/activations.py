"""ONNX nodes of activations, by the name of the operation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.interop.onnx.graph import Graph, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.layers import Activation

__all__ = ["ATTRIBUTES", "NODES", "write_activated", "write_activation"]

NODES = {
    "identity": "Identity", "sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "elu": "Elu",
    "leaky_relu": "LeakyRelu", "selu": "Selu", "softplus": "Softplus", "celu": "Celu",
    "hard_sigmoid": "HardSigmoid", "hard_swish": "HardSwish", "softsign": "Softsign",
    "softmax": "Softmax", "log_softmax": "LogSoftmax",
}  # fmt: skip
"""The operator of each activation that has one in opset 17."""

# HardSigmoid rises by 0.2 unless told otherwise; softmax normalises along the last axis.
ATTRIBUTES: dict[str, dict[str, float]] = {
    "hard_sigmoid": {"alpha": 1 / 6, "beta": 0.5},
    "softmax": {"axis": -1},
    "log_softmax": {"axis": -1},
}
"""Attributes that differ from the operator's defaults."""


def write_activation(graph: Graph, layer: Activation, value: Value) -> Value:
    """Append the nodes of an activation.

    Parameters
    ----------
    graph : Graph
        The graph.
    layer : Activation
        The activation.
    value : Value
        Its input.

    Returns
    -------
    Value
        Its output.
    """
    if not layer.elementwise:  # its axis is that of the batch
        return Value(value.shape, _written(graph, graph.last(value), layer))
    (x,), _, made = graph.alike(value)
    return made(value.shape, _written(graph, x, layer))


def write_activated(graph: Graph, layer: Any, value: Value) -> list[Value]:
    """Append the activation within a layer.

    Parameters
    ----------
    graph : Graph
        The graph.
    layer : Weighted
        The layer.
    value : Value
        Its sums.

    Returns
    -------
    list of Value
        Its output.
    """
    return [write_activation(graph, layer.applied, value) if layer.applied else value]


def _written(graph: Graph, x: str, layer: Activation) -> str:
    if layer.op == "softplus" and layer.options:
        return _softplus(graph, x, **layer.options)
    if layer.op in NODES:
        attributes = {**ATTRIBUTES.get(layer.op, {}), **layer.options}
        return graph.node(NODES[layer.op], x, **attributes)
    if layer.op not in _COMPOSED:
        raise ValueError(f"to_onnx: {layer} has no counterpart in ONNX")
    return _COMPOSED[layer.op](graph, x)


def _softplus(graph: Graph, x: str, beta: float = 1.0, threshold: float = math.inf) -> str:
    """Append softplus(beta x) / beta, and x beyond the threshold of beta x."""
    z = x if beta == 1 else graph.node("Mul", x, graph.scalar(beta))
    y = graph.node("Softplus", z)
    y = y if beta == 1 else graph.node("Mul", y, graph.scalar(1 / beta))
    if threshold == math.inf:
        return y
    return graph.node("Where", graph.node("Greater", z, graph.scalar(threshold)), x, y)


def _step(graph: Graph, x: str) -> str:
    return graph.node("Cast", graph.node("Greater", x, graph.scalar(0.0)), to=1)


def _silu(graph: Graph, x: str) -> str:
    return graph.node("Mul", x, graph.node("Sigmoid", x))


def _mish(graph: Graph, x: str) -> str:
    return graph.node("Mul", x, graph.node("Tanh", graph.node("Softplus", x)))


def _gelu(graph: Graph, x: str) -> str:
    """Append x / 2 (1 + erf(x / √2)): the operator Gelu came with opset 20."""
    erf = graph.node("Erf", graph.node("Div", x, graph.scalar(math.sqrt(2))))
    sums = graph.node("Add", erf, graph.scalar(1.0))
    return graph.node("Mul", graph.node("Mul", x, sums), graph.scalar(0.5))


def _gelu_tanh(graph: Graph, x: str) -> str:
    """Append x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³))), as PyTorch writes it."""
    cube = graph.node("Mul", x, graph.node("Mul", x, x))
    sums = graph.node("Add", x, graph.node("Mul", graph.scalar(0.044715), cube))
    inner = graph.node("Mul", graph.scalar(math.sqrt(2 / math.pi)), sums)
    phi = graph.node("Add", graph.scalar(1.0), graph.node("Tanh", inner))
    return graph.node("Mul", x, graph.node("Mul", graph.scalar(0.5), phi))


_COMPOSED: dict[str, Callable[[Graph, str], str]] = {
    "step": _step,
    "silu": _silu,
    "mish": _mish,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}
