"""ONNX nodes of operations that order, select and combine elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyaku.interop.onnx.graph import Graph

__all__ = ["write_selection"]

_FLOAT, _INT64 = 1, 7


def write_selection(graph: Graph, layer: Any, x: list[str], ranks: list[int]) -> str:
    """Append the nodes of an operation.

    Parameters
    ----------
    graph : Graph
        The graph.
    layer : ArrayOperation
        The layer.
    x : list of str
        The names of its arguments.
    ranks : list of int
        Their numbers of axes, with that of the samples.

    Returns
    -------
    str
        The name of its output.

    Raises
    ------
    ValueError
        If there are no such nodes.
    """
    options, write = dict(layer.options), _WRITERS.get(layer.operation)
    if write is None or (write is _scatter and options["join"] in ("max", "min")):
        raise ValueError(f"to_onnx: {layer} has no counterpart in opset 17: {layer.operation}")
    return write(graph, x, ranks, options)


def _integers(graph: Graph, name: str) -> str:
    return graph.node("Cast", name, to=_INT64)


def _arg(operator: str) -> Callable[..., str]:
    def write(graph: Graph, x: list[str], ranks: list[int], options: dict[str, Any]) -> str:
        axis, keep, last = (int(options[name]) for name in ("axis", "keepdims", "last"))
        places = graph.node(operator, *x, axis=axis, keepdims=keep, select_last_index=last)
        return graph.node("Cast", places, to=_FLOAT)

    return write


def _einsum(graph: Graph, x: list[str], ranks: list[int], options: dict[str, Any]) -> str:
    *terms, result = options["terms"]
    return graph.node("Einsum", *x, equation=f"{','.join(terms)}->{result}")


def _gather(graph: Graph, x: list[str], ranks: list[int], options: dict[str, Any]) -> str:
    """Bring the axis behind that of the samples, where tuples of one index take its elements."""
    axis, (rank, of_places) = options["axis"], ranks
    order = [0, axis, *(n for n in range(1, rank) if n != axis)]
    moved = graph.node("Transpose", x[0], perm=order) if axis > 1 else x[0]
    behind = graph.constant("behind", np.array([-1]))
    places = graph.node("Unsqueeze", _integers(graph, x[1]), behind)
    found = graph.node("GatherND", moved, places, batch_dims=1)
    inner = range(1, of_places)
    rest = range(of_places, of_places + rank - 2)
    back = [0, *rest[: axis - 1], *inner, *rest[axis - 1 :]]
    return graph.node("Transpose", found, perm=back) if axis > 1 else found


def _one_hot(graph: Graph, x: list[str], ranks: list[int], options: dict[str, Any]) -> str:
    """Choose between the values of each sample, which may differ."""
    depth = graph.constant("depth", np.array(options["depth"]))
    ends = graph.constant("ends", np.array([0, 1], np.float32))
    hot = graph.node("OneHot", _integers(graph, x[0]), depth, ends, axis=options["axis"])
    shape = graph.constant("alike", np.array([-1, *[1] * ranks[0]]))
    off, on = (
        graph.node(
            "Reshape",
            graph.node("Gather", x[1], graph.constant("place", np.array([n])), axis=1),
            shape,
        )
        for n in (0, 1)
    )
    return graph.node("Add", graph.node("Mul", hot, graph.node("Sub", on, off)), off)


def _scatter(graph: Graph, x: list[str], ranks: list[int], options: dict[str, Any]) -> str:
    given = {"reduction": "add"} if options["join"] == "add" else {}
    places = _integers(graph, x[1])
    return graph.node("ScatterElements", x[0], places, x[2], axis=options["axis"], **given)


def _top(place: int) -> Callable[..., str]:
    def write(graph: Graph, x: list[str], ranks: list[int], options: dict[str, Any]) -> str:
        count = graph.constant("count", np.array([options["count"]]))
        given = {"axis": options["axis"], "largest": int(options["largest"])}
        found = graph.node_of_several("TopK", [*x, count], 2, **given)
        return graph.node("Cast", found[1], to=_FLOAT) if place else found[0]

    return write


def _triangle(graph: Graph, x: list[str], ranks: list[int], options: dict[str, Any]) -> str:
    diagonal = graph.constant("diagonal", np.array(options["diagonal"]))
    return graph.node("Trilu", *x, diagonal, upper=int(options["upper"]))


_WRITERS: dict[str, Callable[..., str]] = {
    "arg_max": _arg("ArgMax"),
    "arg_min": _arg("ArgMin"),
    "determinant": lambda graph, x, ranks, options: graph.node("Det", *x),
    "einsum": _einsum,
    "gather": _gather,
    "gather_elements": lambda graph, x, ranks, options: graph.node(
        "GatherElements", x[0], _integers(graph, x[1]), axis=options["axis"]
    ),
    "gather_tuples": lambda graph, x, ranks, options: graph.node(
        "GatherND", x[0], _integers(graph, x[1]), batch_dims=options["axis"]
    ),
    "hardmax": lambda graph, x, ranks, options: graph.node("Hardmax", *x, axis=options["axis"]),
    "one_hot": _one_hot,
    "scatter_elements": _scatter,
    "top": _top(0),
    "top_places": _top(1),
    "triangle": _triangle,
}
