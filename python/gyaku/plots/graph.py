"""Graph of a model or of an expression, in the layout of its diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.diagram import COLORS, EM, LINE, TEXT, bends
from gyaku.plots.canvas import axes_for
from gyaku.plots.style import set_font, wording

if TYPE_CHECKING:
    from typing import Any, Literal

    from matplotlib.axes import Axes

    from gyaku.diagram import Diagram, Edge, Node

__all__ = ["graph"]

_PIXELS = 96  # an inch, as in browsers
_MARGIN = 0.3  # inches
_LEGEND = 28.0  # height in pixels


def graph(model: Any, *, ax: Axes | None = None, lang: Literal["en", "ja"] = "en") -> Axes:
    """Draw the layers of a model and their connections, or a computational graph.

    Parameters
    ----------
    model : Model or Variable
        The model, or a result of an expression, with values above and gradients below the edges.
    ax : Axes, optional
        The axes; by default those of a new figure.
    lang : {"en", "ja"}
        Language of the labels; English, with a warning, if this machine has no Japanese font.

    Returns
    -------
    Axes
        The axes, in pixels of the diagram that ``model.graph()`` returns.

    Raises
    ------
    TypeError
        If `model` has no graph.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Dense(4, "relu"), gk.Dense(2))
    >>> axes = graph(model)
    >>> [text.get_text() for text in axes.texts if "dense" in text.get_text()]
    ['dense', 'dense_2']
    """
    if not callable(getattr(model, "graph", None)):
        raise TypeError(f"graph: model must be a Model or a Variable, got {type(model).__name__}")
    known, font = wording("graph", {"en": "en", "ja": "ja"}, lang)
    diagram: Diagram = model.graph(lang=known)
    diagram.place()
    width, height = diagram.width, diagram.height + _LEGEND * any(diagram.legend)
    given = ax is not None
    ax = axes_for(ax, (width / _PIXELS + _MARGIN, height / _PIXELS + _MARGIN))
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.set_aspect("equal")
    scale = _scale(ax, width, height) if given else 1.0
    _Pen(ax, 72 / _PIXELS * scale).draw(diagram)
    set_font(font, ax)
    return ax


def _scale(ax: Axes, width: float, height: float) -> float:
    """Return the size of a pixel of the diagram in the axes, as a fraction of a browser's."""
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return min(box.width / width, box.height / height) / dpi * _PIXELS


class _Pen:
    """Drawing of a diagram into axes, with points for each pixel."""

    def __init__(self, ax: Axes, points: float) -> None:
        self.ax, self.points = ax, points

    def draw(self, diagram: Diagram) -> None:
        """Draw all parts, and the legend."""
        self.parts(diagram, 0.0, 0.0)
        forward, backward = diagram.legend
        if forward or backward:
            y = diagram.height + _LEGEND / 2
            first = self.text(12, y, forward, TEXT["forward"], ha="left")
            self.ax.annotate(
                backward,
                (1, 0.5),
                xycoords=first,
                xytext=(12, 0),
                textcoords="offset points",
                color=TEXT["backward"],
                fontsize=EM * self.points,
                va="center",
            )

    def parts(self, diagram: Diagram, left: float, top: float) -> None:
        """Draw edges and nodes, from a corner on."""
        for edge, path in zip(diagram.edges, diagram.paths, strict=True):
            inner = diagram.nodes[edge.target]
            ends = inner.kind != "port" and inner.inner is None
            points = [(x + left, y + top) for x, y in path]
            self.wire(points, diagram.direction == "down", ends)
        for node in diagram.nodes:
            self.node(node, left, top)
        for edge in diagram.edges:
            self.labels(edge, left, top)

    def wire(self, path: list[tuple[float, float]], down: bool, arrow: bool) -> None:
        """Draw an edge."""
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        vertices = [path[0], *(point for curve in bends(path, down) for point in curve)]
        codes = [Path.MOVETO, *[Path.CURVE4] * (len(vertices) - 1)]
        self.ax.add_patch(
            FancyArrowPatch(
                path=Path(vertices, codes),
                arrowstyle="-|>" if arrow else "-",
                mutation_scale=9 * self.points / 0.75,
                color=TEXT["wire"],
                linewidth=1.5 * self.points,
                shrinkA=0,
                shrinkB=0,
            )
        )

    def node(self, node: Node, left: float, top: float) -> None:
        """Draw a node, or a group with all that is in it."""
        from matplotlib.patches import Circle, FancyBboxPatch

        if node.kind == "port":
            return
        fill, frame = COLORS[node.kind]
        x, y = node.x + left, node.y + top
        corner = x - node.width / 2, y - node.height / 2
        look: dict[str, Any] = {
            "facecolor": fill,
            "edgecolor": frame,
            "linewidth": self.points / 0.75,
        }
        if node.kind == "operation":
            self.ax.add_patch(Circle((x, y), node.width / 2, **look))
        else:
            style = (0, (4, 3)) if node.kind == "group" else "-"
            rounded = "round,pad=0,rounding_size=6"
            box = FancyBboxPatch(corner, node.width, node.height, rounded, linestyle=style, **look)
            self.ax.add_patch(box)
        if node.inner is not None:
            shift = (node.width - node.inner.width) / 2
            self.parts(node.inner, corner[0] + shift, corner[1])
            self.text(corner[0] + 8, corner[1] + 11, node.lines[0], TEXT["line"], ha="left")
            return
        start = y - LINE * (len(node.lines) - 1) / 2
        for place, line in enumerate(node.lines):
            title = place == 0
            weight = "bold" if title else "normal"
            color = TEXT["title" if title else "line"]
            self.text(x, start + LINE * place, line, color, weight=weight)

    def labels(self, edge: Edge, left: float, top: float) -> None:
        """Write the value and the gradient of an edge."""
        light = {"facecolor": "white", "edgecolor": "none", "alpha": 0.92, "pad": 1.5}
        for shift, text, kind in ((-10, edge.forward, "forward"), (10, edge.backward, "backward")):
            if text:
                self.text(edge.x + left, edge.y + top + shift, text, TEXT[kind], bbox=light)

    def text(self, x: float, y: float, text: str, color: str, **more: Any) -> Any:
        """Write a line of text around a point."""
        options = {"ha": "center", "va": "center_baseline", "fontsize": EM * self.points}
        return self.ax.text(x, y, text, color=color, **{**options, **more})
