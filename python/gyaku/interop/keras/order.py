"""The order in which Keras lists the layers of a graph, by which it numbers their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

__all__ = ["Node", "keras_order"]


class Node(NamedTuple):
    """Call of a layer in a graph.

    Parameters
    ----------
    layer : hashable
        The layer.
    inputs : sequence of int
        Indices of the nodes whose results it takes.
    """

    layer: Hashable
    inputs: Sequence[int]


def keras_order(nodes: Sequence[Node], outputs: Sequence[int]) -> list[Hashable]:
    """Return the layers of a graph in the order of Keras.

    Parameters
    ----------
    nodes : sequence of Node
        The calls, inputs of the graph among them, each behind those whose results it takes.
    outputs : sequence of int
        Indices of the nodes that give the outputs.

    Returns
    -------
    list of hashable
        The layers: those furthest from the outputs first, and as a search from the outputs meets
        them among equals.

    Notes
    -----
    ``keras.src.ops.function.map_graph`` of Keras 3.

    Examples
    --------
    >>> nodes = [
    ...     Node("x", ()),
    ...     Node("a", (0,)),
    ...     Node("b", (1,)),
    ...     Node("c", (0,)),
    ...     Node("+", (3, 2)),
    ... ]
    >>> keras_order(nodes, [4])
    ['x', 'a', 'c', 'b', '+']
    """
    visited = list(_visited(nodes, outputs))
    seen: dict[Hashable, int] = {}
    for node, begins in visited:
        if begins:
            seen.setdefault(nodes[node].layer, len(seen))
    depths: dict[int, int] = {}
    of_layers: dict[Hashable, int] = {}
    for node, begins in reversed(visited):
        if begins:
            continue
        layer = nodes[node].layer
        depth = max(depths.get(node, 0), of_layers.get(layer, 0))
        depths[node] = of_layers[layer] = depth
        for each in nodes[node].inputs:
            depths[each] = max(depths.get(each, 0), depth + 1)
    return sorted(of_layers, key=lambda layer: (-of_layers[layer], seen[layer]))


def _visited(nodes: Sequence[Node], outputs: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """Yield each node where a search in depth meets it, and again where it leaves it."""
    known: set[int] = set()
    for output in outputs:
        waiting = [(output, True)]
        while waiting:
            node, begins = waiting.pop()
            if not begins:
                yield node, False
            elif node not in known:
                known.add(node)
                yield node, True
                waiting.append((node, False))
                waiting += [(each, True) for each in reversed(nodes[node].inputs)]
