"""ONNX nodes of recurrent layers: one node for all steps, never unrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.onnx.graph import Value
from gyaku.layers import GRU, LSTM

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.onnx.graph import Graph
    from gyaku.layers.recurrence import Recurrent

__all__ = [
    "ACTIVATIONS",
    "GATES",
    "PEEPHOLES",
    "reordered",
    "write_bidirectional",
    "write_recurrent",
]

GATES = {"simple_rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
"""The gates in the order of ONNX (i, o, f, c and z, r, h), each its index here."""
ACTIVATIONS: dict[str, tuple[str, float | None, float | None]] = {
    "sigmoid": ("Sigmoid", None, None),
    "tanh": ("Tanh", None, None),
    "relu": ("Relu", None, None),
    "identity": ("Affine", 1.0, 0.0),
    "leaky_relu": ("LeakyRelu", 0.01, None),
    "elu": ("Elu", 1.0, None),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "softsign": ("Softsign", None, None),
}
"""The name in ONNX of each function of a recurrent layer, with alpha and beta if it has them."""
_OPERATORS = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
_MERGES = {"sum": "ReduceSum", "mul": "ReduceProd", "ave": "ReduceMean"}
PEEPHOLES = (0, 2, 1)
"""The peepholes in the order of ONNX: i, o, f."""


def reordered(array: NDArray[Any], order: tuple[int, ...]) -> NDArray[Any]:
    """Return an array whose blocks along the last axis stand in another order.

    Parameters
    ----------
    array : ndarray
        One block for each gate along the last axis.
    order : tuple of int
        Index of each block.

    Returns
    -------
    ndarray
        The blocks in this order.
    """
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[index] for index in order], axis=-1)


def write_recurrent(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    """Append the nodes of a recurrent layer.

    Parameters
    ----------
    graph : Graph
        The graph.
    layer : Recurrent
        The layer.
    values : list of Value
        The sequences, and the initial states if they are given.

    Returns
    -------
    list of Value
        Its outputs.

    Raises
    ------
    ValueError
        If the layer is stateful, or its initial state cannot be represented.
    """
    if layer.stateful:
        raise ValueError(
            f"to_onnx: {layer} is stateful, and an ONNX graph carries no state from one run to the"
            " next; give its states as inputs and return_state=True instead"
        )
    direction = "reverse" if layer.go_backwards else "forward"
    steps, *states = _node(graph, [layer], values, direction)
    one, zero = (graph.constant(f"axis_{axis}", [axis]) for axis in (1, 0))
    steps = graph.node("Transpose", graph.node("Squeeze", steps, one), perm=[1, 0, 2])
    states = [graph.node("Squeeze", each, zero) for each in states]
    y = steps if layer.return_sequences else states[0]
    names = [y, *states] if layer.return_state else [y]
    shapes = layer.output_shapes if layer.return_state else (layer.output_shape,)
    return [Value(shape, name) for shape, name in zip(shapes, names, strict=True)]


def write_bidirectional(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    """Append the nodes of a layer in both directions.

    Parameters
    ----------
    graph : Graph
        The graph.
    layer : Bidirectional
        The layer.
    values : list of Value
        The sequences.

    Returns
    -------
    list of Value
        Its output.
    """
    parts = [layer._forward_part, layer._backward_part]
    steps, last, *_ = _node(graph, parts, values, "bidirectional")
    y, direction, batch_first = (
        (steps, 1, [2, 0, 1, 3]) if len(layer.output_shape) > 1 else (last, 0, [1, 0, 2])
    )
    if layer.merge == "concat":
        shape = graph.constant("shape", np.array([0] * (len(batch_first) - 2) + [-1]))
        y = graph.node("Reshape", graph.node("Transpose", y, perm=batch_first), shape)
        return [Value(layer.output_shape, y)]
    # ReduceSum takes the axes as an input from opset 13 on, the others from 18 on.
    axes = {"axes": [direction]} if layer.merge != "sum" else {}
    inputs = [y] if axes else [y, graph.constant("direction", [direction])]
    y = graph.node(_MERGES[layer.merge], *inputs, keepdims=0, **axes)
    if len(layer.output_shape) > 1:
        y = graph.node("Transpose", y, perm=[1, 0, 2])
    return [Value(layer.output_shape, y)]


def _node(graph: Graph, parts: list[Any], values: list[Value], direction: str) -> list[str]:
    """Append the node; return steps (time, direction, batch, units) and states without time."""
    # Time first, since runtimes refuse layout=1, which the checker takes.
    x = graph.node("Transpose", graph.last(values[0]), perm=[1, 0, 2])
    layer = parts[0]
    outputs = graph.node_of_several(
        _OPERATORS[layer.operation],
        [x, *_weights(graph, parts), *_states(graph, parts, values[1:])],
        1 + layer.states,
        hidden_size=layer.units,
        direction=direction,
        **_settings(layer, len(parts)),
    )
    if "projection" in layer.params:
        matrix = graph.constant("projection", [each.params["projection"] for each in parts])
        outputs[:2] = [graph.node("MatMul", each, matrix) for each in outputs[:2]]
    return outputs


def _settings(layer: Any, directions: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(layer, GRU):
        found["linear_before_reset"] = int(layer.reset_after)
    if layer.clip is not None:
        found["clip"] = layer.clip
    names = layer.activations if isinstance(layer, (GRU, LSTM)) else (layer.activation,)
    if names in (("sigmoid", "tanh"), ("sigmoid", "tanh", "tanh")):
        return found
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown:
        raise ValueError(
            f"to_onnx: {layer} has the activation {unknown[0]}, which no recurrent node of ONNX has"
        )
    numbers = [ACTIVATIONS[name] for name in names] * directions
    found["activations"] = [name for name, _, _ in numbers]
    found["activation_alpha"] = [alpha for _, alpha, _ in numbers if alpha is not None]
    found["activation_beta"] = [beta for _, _, beta in numbers if beta is not None]
    return {name: each for name, each in found.items() if each != []}


def _weights(graph: Graph, parts: list[Any]) -> list[str]:
    """Return the constants W, R and B, each with an axis of directions in front."""
    found = [_matrices(each) for each in parts]
    return [graph.constant(name, [each[name] for each in found]) for name in found[0]] + [""] * (
        "bias" not in found[0]
    )


def _matrices(layer: Recurrent) -> dict[str, NDArray[Any]]:
    params, order = layer.params, GATES[layer.operation]
    recurrent = params["recurrent_weight"]
    if "projection" in params:
        # The node has no projection p: (m p) u = m (p u), so that its state is m, before p.
        recurrent = params["projection"] @ recurrent
    found = {
        "weight": reordered(params["weight"], order).T,
        "recurrent_weight": reordered(recurrent, order).T,
    }
    if layer.use_bias:
        second = params.get("recurrent_bias", np.zeros_like(params["bias"]))
        both = [reordered(each, order) for each in (params["bias"], second)]
        found["bias"] = np.concatenate(both)
    return found


def _states(graph: Graph, parts: list[Any], values: list[Value]) -> list[str]:
    """Return the optional inputs behind the weights, up to the last one in use."""
    layer, given = parts[0], [graph.last(each) for each in values]
    zero = graph.constant("axis_0", [0]) if given else ""
    found, rows = [graph.lengths], []
    for n, part in enumerate(parts):
        own = given[n * part.states : (n + 1) * part.states]
        if own and "projection" in part.params:
            own[0] = _unprojected(graph, part, own[0])
        rows.append([graph.node("Unsqueeze", each, zero) for each in own])
    found += [
        each[0] if len(each) == 1 else graph.node("Concat", *each, axis=0)
        for each in zip(*rows, strict=True)
    ]
    if "peepholes" in layer.params:
        peepholes = [each.params["peepholes"][list(PEEPHOLES)].ravel() for each in parts]
        found += [""] * (3 - len(found)) + [graph.constant("peepholes", peepholes)]
    while found and not found[-1]:
        found.pop()
    return found


def _unprojected(graph: Graph, layer: Recurrent, state: str) -> str:
    """Return a state before the projection that gives this one behind it."""
    projection = np.asarray(layer.params["projection"], np.float64)
    if np.linalg.matrix_rank(projection) < projection.shape[1]:
        raise ValueError(
            f"to_onnx: {layer} has an initial state behind its projection of shape"
            f" {projection.shape}, which has no inverse, and ONNX has no projections"
        )
    return graph.node("MatMul", state, graph.constant("inverse", np.linalg.pinv(projection)))
