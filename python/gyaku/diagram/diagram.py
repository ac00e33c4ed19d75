"""Diagrams of graphs: nodes in layers, as SVG and Mermaid."""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from gyaku.diagram.layout import ordered, positions_of
from gyaku.files import write_atomically

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    Point = tuple[float, float]

__all__ = ["COLORS", "EM", "LINE", "TEXT", "Diagram", "Edge", "Node", "bends"]

_FONT = "system-ui,'Noto Sans CJK JP','Hiragino Sans','Yu Gothic',sans-serif"
EM = 13.0
"""Font size in pixels."""
LINE = 17.0
"""Distance of two lines of text in pixels."""
COLORS = {
    "input": ("#FFFFFF", "#7A828A"),
    "weighted": ("#DCECF7", "#0072B2"),
    "plain": ("#F1F2F4", "#7A828A"),
    "group": ("#FAFBFC", "#9AA2AA"),
    "operation": ("#FFF4DC", "#B87A00"),
}
"""Fill and frame by kind; texts are on a light fill, so that they are readable on any page."""
TEXT = {
    "title": "#1A1A1A",
    "line": "#555B61",
    "forward": "#333333",
    "backward": "#B3400A",
    "wire": "#7A828A",
}
"""Colours of titles and further lines of a node, of the labels of an edge, and of the edge."""
_WIRE = TEXT["wire"]


@dataclass
class Node:
    """Node of a diagram.

    Parameters
    ----------
    lines : sequence of str
        Its text; the first line is the title.
    kind : {"input", "weighted", "plain", "group", "operation"}
        The look.
    inner : Diagram, optional
        Diagram inside a group.
    ports : tuple of (sequence of int, sequence of int)
        Indices of the inner nodes that stand for the inputs and outputs of a group.

    Examples
    --------
    >>> Node(["dense", "(10,)"], "weighted").lines
    ['dense', '(10,)']
    """

    lines: Sequence[str]
    kind: str = "plain"
    inner: Diagram | None = None
    ports: tuple[Sequence[int], Sequence[int]] = ((), ())
    width: float = field(default=0.0, init=False)
    height: float = field(default=0.0, init=False)
    x: float = field(default=0.0, init=False)
    y: float = field(default=0.0, init=False)


@dataclass
class Edge:
    """Edge of a diagram.

    Parameters
    ----------
    source, target : int
        Indices of the nodes.
    forward, backward : str
        Labels: a value above the edge, a gradient below it.
    output, input : int
        Which output of the source and which input of the target, for groups.

    Examples
    --------
    >>> Edge(0, 1, "220").forward
    '220'
    """

    source: int
    target: int
    forward: str = ""
    backward: str = ""
    output: int = 0
    input: int = 0
    x: float = field(default=0.0, init=False)
    y: float = field(default=0.0, init=False)


class Diagram:
    """Directed graph without cycles, drawn in layers.

    Parameters
    ----------
    nodes : sequence of Node
        The nodes.
    edges : sequence of Edge
        The edges.
    direction : {"down", "right"}
        Direction of the edges.
    title : str
        The title for screen readers.
    legend : tuple of str
        Names of the forward and of the backward labels; "" without a legend.

    Notes
    -----
    A notebook shows it as the last line of a cell. Ranks are the longest paths from an input;
    nodes of a rank are ordered by the mean position of their neighbours. K. Sugiyama and others,
    Methods for visual understanding of hierarchical system structures (1981).

    Examples
    --------
    >>> diagram = Diagram([Node(["x"]), Node(["y"])], [Edge(0, 1)])
    >>> print(diagram.mermaid())
    flowchart TD
      n0["x"]
      n1["y"]
      n0 --> n1
    >>> diagram.svg()[:4]
    '<svg'
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        edges: Sequence[Edge],
        *,
        direction: str = "down",
        title: str = "",
        legend: tuple[str, str] = ("", ""),
    ) -> None:
        self.nodes, self.edges = list(nodes), list(edges)
        self.direction, self.title, self.legend = direction, title, legend
        self.paths: list[list[Point]] = []
        self.width = self.height = 0.0

    def __repr__(self) -> str:
        return f"<Diagram of {len(self.nodes)} nodes and {len(self.edges)} edges>"

    def _repr_svg_(self) -> str:
        return self.svg()

    def svg(self) -> str:
        """Return the picture as SVG, readable on light and dark pages.

        Returns
        -------
        str
            The text of the file.
        """
        self.place()
        body = "".join(self._drawn())
        height = self.height
        if any(self.legend):
            height += 28
            first, second = map(_width, self.legend)
            body += _pill(12 + first / 2, height - 14, self.legend[0], TEXT["forward"])
            body += _pill(28 + first + second / 2, height - 14, self.legend[1], TEXT["backward"])
        width = max(self.width, 40 + sum(map(_width, self.legend)))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
            f' viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{_FONT}"'
            f' font-size="{EM:.0f}"><title>{escape(self.title)}</title>'
            '<defs><marker id="gyaku-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
            f' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{_WIRE}"/></marker>'
            f"</defs>{body}</svg>"
        )

    def mermaid(self) -> str:
        """Return the graph in Mermaid's language, which GitHub and many wikis draw.

        Returns
        -------
        str
            The text, without a fence.
        """
        way = "TD" if self.direction == "down" else "LR"
        return "\n".join([f"flowchart {way}", *self._mermaid("n", "  ")])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the diagram to a file.

        Parameters
        ----------
        path : str or path-like
            A file that ends with .svg, or with .mmd for Mermaid.

        Raises
        ------
        ValueError
            If it ends otherwise.
        """
        forms = {".svg": self.svg, ".mmd": self.mermaid}
        form = forms.get(Path(path).suffix.lower())
        if form is None:
            raise ValueError(f"save: a diagram is written as .svg or .mmd, got {str(path)!r}")
        content = form()
        write_atomically(path, lambda stream: stream.write(content.encode()))

    def _mermaid(self, prefix: str, indent: str) -> Iterator[str]:
        for place, node in enumerate(self.nodes):
            text = "<br/>".join(_quoted(line) for line in node.lines)
            if node.inner is None:
                yield f'{indent}{prefix}{place}["{text}"]'
            else:
                yield f'{indent}subgraph {prefix}{place}["{text}"]'
                yield from node.inner._mermaid(f"{prefix}{place}_", indent + "  ")
                yield f"{indent}end"
        for edge in self.edges:
            label = ", ".join(filter(None, [edge.forward, edge.backward]))
            arrow = f'-->|"{_quoted(label)}"|' if label else "-->"
            yield (
                f"{indent}{self._port(prefix, edge.source, edge.output, 1)} {arrow}"
                f" {self._port(prefix, edge.target, edge.input, 0)}"
            )

    def _port(self, prefix: str, place: int, number: int, side: int) -> str:
        """Return the name of the innermost node at an end of an edge."""
        node = self.nodes[place]
        if node.inner is None:
            return f"{prefix}{place}"
        return f"{prefix}{place}_{node.ports[side][number]}"

    # Layout: x is the position in a rank and y grows with the ranks; "right" swaps them at the end.

    def place(self) -> None:
        """Compute the positions of nodes and edges, in pixels from the upper left corner.

        ``width`` and ``height`` of the diagram; ``x`` and ``y`` of the middle of each node, with
        its width and height, and of the labels of each edge, above and below that point; in
        ``paths`` the points that each edge goes through. A diagram inside a group has positions of
        its own.
        """
        down = self.direction == "down"
        for node in self.nodes:
            _measure(node, down)
        ranks = self._ranks()
        chains, items, sizes = self._chains(ranks)
        order = ordered(items, chains)
        positions = positions_of(order, chains, sizes)
        depth = [
            max(
                (self._extent(place)[1] for place, rank in enumerate(ranks) if rank == which),
                default=0.0,
            )
            for which in range(len(order))
        ]
        label = max((_width(t) for e in self.edges for t in (e.forward, e.backward)), default=0.0)
        gap = 30.0 if down else label + 60
        tops = [8.0]
        for each in depth[:-1]:
            tops.append(tops[-1] + each + gap)
        for place, node in enumerate(self.nodes):
            across, along = positions[place], tops[ranks[place]] + depth[ranks[place]] / 2
            node.x, node.y = (across, along) if down else (along, across)
        self._route(chains, positions, items, tops, depth)
        across = max(positions[i] + sizes[i] / 2 for i in range(len(sizes))) + 8
        along = tops[-1] + depth[-1] + 8
        self.width, self.height = (across, along) if down else (along, across)

    def _extent(self, place: int) -> Point:
        """Return the size of a node across and along the ranks."""
        node = self.nodes[place]
        both = node.width, node.height
        if self.direction == "down":
            return both
        return max(node.height, 2.5 * LINE), node.width  # two labels beside each node

    def _ranks(self) -> list[int]:
        ranks = [0] * len(self.nodes)
        for _ in self.nodes:  # at most as often as the longest path has nodes
            before = list(ranks)
            for edge in self.edges:
                ranks[edge.target] = max(ranks[edge.target], ranks[edge.source] + 1)
            if ranks == before:
                break
        return ranks

    def _chains(self, ranks: list[int]) -> tuple[list[list[int]], list[int], list[float]]:
        """Return the items that each edge passes; items behind the nodes are bends."""
        items, sizes = list(ranks), [self._extent(i)[0] for i in range(len(ranks))]
        chains = []
        for edge in self.edges:
            chain = [edge.source]
            for rank in range(ranks[edge.source] + 1, ranks[edge.target]):
                chain.append(len(items))
                items.append(rank)
                sizes.append(2.5 * LINE if edge.forward else 8.0)
            chains.append([*chain, edge.target])
        return chains, items, sizes

    def _route(
        self,
        chains: list[list[int]],
        positions: list[float],
        items: list[int],
        tops: list[float],
        depth: list[float],
    ) -> None:
        count, down = len(self.nodes), self.direction == "down"
        self.paths = []
        slots = self._slots([positions[chain[-2]] for chain in chains])
        for edge, chain, slot in zip(self.edges, chains, slots, strict=True):
            points: list[Point] = []
            for item in chain:
                ends = tops[items[item]], tops[items[item]] + depth[items[item]]
                top, bottom = ends  # past higher nodes of the rank an edge goes straight
                if item < count:
                    half = self._extent(item)[1] / 2
                    top, bottom = (top + bottom) / 2 - half, (top + bottom) / 2 + half
                at = positions[item]
                if item < count and self.nodes[item].kind == "port":
                    top, bottom = tops[-1] + depth[-1] + 8, 0.0  # the frame around the group
                if item == edge.source:
                    start = at + self._offset(item, edge.output, 1)
                    points += [(start, bottom), (start, max(bottom, ends[1]))][: 1 + down]
                elif item == edge.target:
                    end = at + self._offset(item, slot, 0)
                    points += [(end, min(top, ends[0])), (end, top)][1 - down :]
                else:
                    points += [(at, top), (at, bottom)]
            points = [point for point, _ in itertools.groupby(points)]
            self.paths.append(points if down else [(y, x) for x, y in points])
            # Labels are at the beginning of the last piece, where edges are furthest apart.
            wide = max(_width(edge.forward), _width(edge.backward))
            edge.x, edge.y = self.paths[-1][-2][0] + wide / 2 + 8, self.paths[-1][-2][1]

    def _slots(self, sources: list[float]) -> list[int]:
        """Return which end of its target each edge takes: ordered by the positions before it."""
        slots = [edge.input for edge in self.edges]
        for target, node in enumerate(self.nodes):
            taken = [i for i, edge in enumerate(self.edges) if edge.target == target]
            if node.inner is None:
                for slot, edge in enumerate(sorted(taken, key=lambda i: (sources[i], slots[i]))):
                    slots[edge] = slot
        return slots

    def _offset(self, place: int, number: int, side: int) -> float:
        """Return the position of an end of an edge, from the middle of its node."""
        node = self.nodes[place]
        if node.inner is not None:
            return node.inner.nodes[node.ports[side][number]].x - node.inner.width / 2
        if side == 1 or node.kind == "operation":
            return 0.0
        taken = [edge.input for edge in self.edges if edge.target == place]
        step = min(16.0, 0.7 * self._extent(place)[0] / max(taken, default=1) if max(taken) else 16)
        return step * (number - max(taken) / 2)

    def _drawn(self) -> Iterator[str]:
        for edge, path in zip(self.edges, self.paths, strict=True):
            yield f'<path d="{_curve(path, self.direction == "down")}" fill="none"'
            to_port = self.nodes[edge.target].kind == "port"
            yield f' stroke="{_WIRE}" stroke-width="1.5"'
            into_group = self.nodes[edge.target].inner is not None
            yield "/>" if to_port or into_group else ' marker-end="url(#gyaku-arrow)"/>'
        for node in self.nodes:
            yield from _shape(node)
        for edge in self.edges:
            if edge.forward:
                yield _pill(edge.x, edge.y - 10, edge.forward, TEXT["forward"])
            if edge.backward:
                yield _pill(edge.x, edge.y + 10, edge.backward, TEXT["backward"])


def _quoted(text: str) -> str:
    return text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;")


def _width(text: str) -> float:
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return EM * (0.58 * (len(text) - wide) + wide)


def _measure(node: Node, down: bool) -> None:
    """Set width and height of a node from its text or its inner diagram."""
    if node.kind == "port":
        node.width, node.height = 8.0, 0.0
        return
    node.width = max(map(_width, node.lines)) + 24
    node.height = LINE * len(node.lines) + 12
    if node.kind == "operation":
        node.width = node.height = max(node.width, 40.0)
    if node.inner is not None:
        node.inner.place()
        node.width = max(node.width, node.inner.width)
        node.height = node.inner.height


def bends(path: Sequence[Point], down: bool) -> Iterator[tuple[Point, Point, Point]]:
    """Yield the Bézier curves of an edge, which leave and enter along the direction of the ranks.

    Parameters
    ----------
    path : sequence of (float, float)
        The points that it goes through, the first of which begins the first curve.
    down : bool
        Whether the ranks go down, and not to the right.

    Yields
    ------
    tuple of three points
        Both control points and the end.
    """
    for (x, y), (u, v) in itertools.pairwise(path):
        if down:
            yield (x, (y + v) / 2), (u, (y + v) / 2), (u, v)
        else:
            yield ((x + u) / 2, y), ((x + u) / 2, v), (u, v)


def _curve(path: Sequence[Point], down: bool) -> str:
    text = f"M{path[0][0]:.1f} {path[0][1]:.1f}"
    for curve in bends(path, down):
        text += "C" + " ".join(f"{x:.1f} {y:.1f}" for x, y in curve)
    return text


def _shape(node: Node) -> Iterator[str]:
    if node.kind == "port":
        return
    fill, frame = COLORS[node.kind]
    left, top = node.x - node.width / 2, node.y - node.height / 2
    round_by = node.width / 2 if node.kind == "operation" else 6
    dash = ' stroke-dasharray="4 3"' if node.kind == "group" else ""
    yield (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}" height="{node.height:.1f}"'
        f' rx="{round_by:.1f}" fill="{fill}" stroke="{frame}"{dash}/>'
    )
    if node.inner is not None:
        shift = (node.width - node.inner.width) / 2
        yield f'<g transform="translate({left + shift:.1f} {top:.1f})">'
        yield from node.inner._drawn()
        yield "</g>"
        yield _text(left + 8, top + 15, node.lines[0], TEXT["line"], anchor="start")
        return
    start = node.y - LINE * (len(node.lines) - 1) / 2 + 4.5
    for place, line in enumerate(node.lines):
        color = TEXT["title" if place == 0 else "line"]
        yield _text(node.x, start + LINE * place, line, color, bold=place == 0)


def _text(
    x: float, y: float, text: str, color: str, *, anchor: str = "middle", bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}"{weight}>'
        f"{escape(text)}</text>"
    )


def _pill(x: float, y: float, text: str, color: str) -> str:
    wide = _width(text) + 8
    return (
        f'<rect x="{x - wide / 2:.1f}" y="{y - 8.5:.1f}" width="{wide:.1f}" height="17" rx="4"'
        f' fill="#FFFFFF" fill-opacity="0.92"/>{_text(x, y + 4.5, text, color)}'
    )
