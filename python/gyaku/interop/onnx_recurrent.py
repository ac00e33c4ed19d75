"""ONNX nodes of recurrent layers: one node for all steps, never unrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.onnx_graph import Value
from gyaku.layers import GRU, LSTM

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.onnx_graph import Graph
    from gyaku.layers.recurrence import Recurrent

__all__ = ["GATES", "reordered", "write_recurrent"]

GATES = {"simple_rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
"""The gates in the order of ONNX (i, o, f, c and z, r, h), each its index here."""
_OPERATORS = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
_PEEPHOLES = (0, 2, 1)  # i, o, f


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
    outputs = _node(graph, layer, values)
    projection = layer.params.get("projection")
    if projection is not None:
        matrix = graph.constant("projection", projection)
        outputs[:2] = [graph.node("MatMul", each, matrix) for each in outputs[:2]]
    steps, *states = outputs
    y = steps if layer.return_sequences else states[0]
    names = [y, *states] if layer.return_state else [y]
    shapes = layer.output_shapes if layer.return_state else (layer.output_shape,)
    return [Value(shape, name) for shape, name in zip(shapes, names, strict=True)]


def _node(graph: Graph, layer: Recurrent, values: list[Value]) -> list[str]:
    """Append the node between transposes, and return steps and last states, batch first."""
    # Time first, since runtimes refuse layout=1, which the checker takes.
    x = graph.node("Transpose", graph.last(values[0]), perm=[1, 0, 2])
    steps, *states = graph.node_of_several(
        _OPERATORS[layer.operation],
        [x, *_weights(graph, layer), *_states(graph, layer, values[1:])],
        1 + layer.states,
        hidden_size=layer.units,
        direction="reverse" if layer.go_backwards else "forward",
        **_settings(layer),
    )
    one, zero = (graph.constant(f"axis_{axis}", [axis]) for axis in (1, 0))
    steps = graph.node("Transpose", graph.node("Squeeze", steps, one), perm=[1, 0, 2])
    return [steps, *(graph.node("Squeeze", each, zero) for each in states)]


def _settings(layer: Any) -> dict[str, Any]:
    if isinstance(layer, GRU):
        return {"linear_before_reset": int(layer.reset_after)}
    return {} if isinstance(layer, LSTM) else {"activations": [layer.activation.capitalize()]}


def _weights(graph: Graph, layer: Recurrent) -> list[str]:
    """Return the constants W, R and B of one direction."""
    params, order = layer.params, GATES[layer.operation]
    recurrent = params["recurrent_weight"]
    if "projection" in params:
        # The node has no projection p: (m p) u = m (p u), so that its state is m, before p.
        recurrent = params["projection"] @ recurrent
    matrices = {"weight": params["weight"], "recurrent_weight": recurrent}
    names = [graph.constant(n, reordered(a, order).T[None]) for n, a in matrices.items()]
    if not layer.use_bias:
        return [*names, ""]
    bias = params["bias"]
    second = params.get("recurrent_bias", np.zeros_like(bias))
    both = np.concatenate([reordered(each, order) for each in (bias, second)])
    return [*names, graph.constant("bias", both[None])]


def _states(graph: Graph, layer: Recurrent, values: list[Value]) -> list[str]:
    """Return the optional inputs behind the weights, up to the last one in use."""
    given = [graph.last(each) for each in values]
    if given and "projection" in layer.params:
        given[0] = _unprojected(graph, layer, given[0])
    zero = graph.constant("axis_0", [0]) if given else ""
    found = [graph.lengths, *(graph.node("Unsqueeze", each, zero) for each in given)]
    if "peepholes" in layer.params:
        peepholes = layer.params["peepholes"][list(_PEEPHOLES)].reshape(1, -1)
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
