"""Diagrams of graphs: nodes in layers, as SVG and Mermaid."""

from __future__ import annotations

from gyaku.diagram.diagram import COLORS, EM, LINE, TEXT, Diagram, Edge, Node, bends

__all__ = ["COLORS", "EM", "LINE", "TEXT", "Diagram", "Edge", "Node", "bends"]
