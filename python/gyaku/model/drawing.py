"""The diagram of a model: its layers, their output shapes and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.diagram import Diagram, Edge, Node
from gyaku.model.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gyaku.model.application import Application
    from gyaku.model.plan import Plan
    from gyaku.symbolic import Block

    Source = tuple[int, int]  # node and output

__all__ = ["drawing"]


def drawing(model: Graph) -> Diagram:
    """Return the diagram of a model.

    Parameters
    ----------
    model : Graph
        The model.

    Returns
    -------
    Diagram
        A node for each use of a layer; a frame for each model in it.
    """
    known = model.built or model.input_shapes is not None
    plan = model.passes(model.input_shapes or ()) if known else model.planned()[0]
    inputs = [Node([name, *_shape(plan, i)], "input") for i, name in enumerate(model.input_names)]
    nodes, edges, outputs = _inside(model, inputs, plan, iter(plan.applications))
    for source in outputs:
        edges.append(Edge(source[0], len(nodes), output=source[1]))
        nodes.append(Node(["output"], "input"))
    return Diagram(nodes, edges, title=f"{type(model).__name__} {model.title!r}")


def _inside(
    model: Graph, inputs: Sequence[Node], plan: Plan, uses: Iterator[Application]
) -> tuple[list[Node], list[Edge], list[Source]]:
    """Return nodes and edges of a model, and the sources of its outputs."""
    nodes, edges = [*inputs], list[Edge]()
    values: list[Source] = [(place, 0) for place in range(len(inputs))]
    for part, given in model.wiring.calls:
        for number, value in enumerate(given):
            source, output = values[value]
            edges.append(Edge(source, len(nodes), output=output, input=number))
        block = model.layers[part]
        values += [(len(nodes), output) for output in range(block.arity[1])]
        nodes.append(_node(block, len(given), plan, uses))
    return nodes, edges, [values[value] for value in model.wiring.outputs]


def _node(block: Block, takes: int, plan: Plan, uses: Iterator[Application]) -> Node:
    if isinstance(block, Graph):
        return _group(block, takes, plan, uses)
    use = next(uses)
    layer = use.instance
    given = getattr(layer, "activation", None)
    kind = type(layer).__name__ + (f", {getattr(given, 'op', given)}" if given else "")
    shapes = [line for value in use.outputs for line in _shape(plan, value)]
    name = use.path.rpartition(".")[2]
    return Node([name, kind, *shapes], "weighted" if use.layer.params else "plain")


def _group(block: Graph, takes: int, plan: Plan, uses: Iterator[Application]) -> Node:
    ports = [Node([""], "port") for _ in range(takes)]
    nodes, edges, outputs = _inside(block, ports, plan, uses)
    first = len(nodes)
    for number, (source, output) in enumerate(outputs):
        edges.append(Edge(source, first + number, output=output))
        nodes.append(Node([""], "port"))
    ends = range(takes), range(first, len(nodes))
    return Node([f"{block.name} ({type(block).__name__})"], "group", Diagram(nodes, edges), ends)


def _shape(plan: Plan, value: int) -> list[str]:
    return [str(plan.shapes[value])] if value in plan.shapes else []
