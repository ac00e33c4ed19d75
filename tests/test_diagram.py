"""Diagrams of models and of small expressions: values, gradients, connections, layout."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import gyaku as gk
from gyaku.diagram import Diagram, Edge, Node


def texts(svg: str) -> list[str]:
    found = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return [each.text or "" for each in found]


def branched() -> gk.Model:
    x = gk.Input((8,))
    hidden = gk.Dense(16, "relu")(x)
    block = gk.Residual(gk.Dense(16), gk.ReLU())(hidden)
    return gk.Model(x, (gk.Dense(3)(gk.Concatenate()(block, x)), gk.Dense(1)(hidden)))


def test_the_apples_of_the_lecture_cost_220_with_the_gradients_of_the_notes() -> None:
    apple, count, tax = gk.Variable(100, "apple"), gk.Variable(2, "count"), gk.Variable(1.1, "tax")
    svg = (apple * count * tax).graph().svg()
    shown = texts(svg)
    for value in ("100", "2", "200", "1.1", "220", "2.2", "110", "1"):
        assert value in shown
    assert (apple.gradient, count.gradient, tax.gradient) == pytest.approx((2.2, 110, 200))


def test_a_japanese_graph_has_japanese_words() -> None:
    assert "出力" in texts((gk.Variable(2.0) * 3).graph("ja").svg())


def test_gradients_of_an_expression_are_those_of_differences() -> None:
    def f(w: gk.Variable, b: gk.Variable) -> gk.Variable:
        y = (w * [[1.0, -2.0], [0.5, 3.0]] + b).tanh() - (w / 2).sigmoid().log()
        return (1 / (1 + (-y).exp()) + y.relu()).sum()

    w, b = np.array([[0.3, 0.7]]), np.array([[0.2], [-0.4]])
    given = gk.Variable(w), gk.Variable(b)
    f(*given).backward()
    by_w = gk.numerical_gradient(lambda w: float(f(gk.Variable(w), gk.Variable(b)).value), w)
    by_b = gk.numerical_gradient(lambda b: float(f(gk.Variable(w), gk.Variable(b)).value), b)
    np.testing.assert_allclose(given[0].gradient, by_w, rtol=1e-7)
    np.testing.assert_allclose(given[1].gradient, by_b, rtol=1e-7)


def test_a_value_used_twice_has_the_sum_of_both_gradients() -> None:
    x = gk.Variable(3.0)
    (x * x + x).backward()
    assert x.gradient == 7


def test_mistakes_in_expressions_are_named() -> None:
    with pytest.raises(TypeError, match=r"Variable: value must hold real numbers, got 'a'"):
        gk.Variable("a")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"begin with one number, such as y\.sum\(\), got shape"):
        gk.Variable([1.0, 2.0]).backward()
    with pytest.raises(ValueError, match=r"lang must be 'en' or 'ja', got 'fr'"):
        gk.Variable(1.0).graph("fr")  # type: ignore[arg-type]


def test_a_model_is_drawn_with_all_layers_shapes_and_connections() -> None:
    diagram = branched().graph()
    shown = texts(diagram.svg())
    for text in ("dense", "Concatenate", "(24,)", "residual (Residual)", "Add", "(8,)"):
        assert text in shown
    assert len(re.findall("-->", diagram.mermaid())) == 13
    assert sum("subgraph" in line for line in diagram.mermaid().splitlines()) == 1


def test_edges_into_a_node_do_not_cross() -> None:
    x = gk.Input((8,))
    first = gk.Dense(8)(x)
    diagram = gk.Model(x, gk.Add()(first, gk.Dense(8)(first))).graph()
    diagram.place()
    into = [p for e, p in zip(diagram.edges, diagram.paths, strict=True) if e.target == 3]
    (left, left_end), (right, right_end) = sorted((path[-2][0], path[-1][0]) for path in into)
    assert left < right
    assert left_end < right_end


def test_a_japanese_model_has_japanese_kinds_of_layers() -> None:
    shown = texts(branched().graph("ja").svg())
    assert {"全結合層, relu", "結合", "加算", "出力"} <= set(shown)
    assert "Dense" not in " ".join(shown)
    with pytest.raises(ValueError, match=r"^graph: lang must be 'en' or 'ja', got 'fr'$"):
        branched().graph("fr")  # type: ignore[arg-type]


def test_drawing_leaves_an_unbuilt_model_unbuilt() -> None:
    model = gk.Sequential(gk.Dense(3))
    assert "dense" in texts(model.graph().svg())
    assert not model.built


def test_nodes_do_not_overlap_and_stay_inside_the_picture() -> None:
    diagram = branched().graph()
    diagram.svg()
    boxes = [(n.x - n.width / 2, n.y - n.height / 2, n.width, n.height) for n in diagram.nodes]
    for place, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + w <= diagram.width
        assert y + h <= diagram.height
        for u, v, a, b in boxes[:place]:
            assert x >= u + a or u >= x + w or y >= v + b or v >= y + h


def test_every_edge_goes_down() -> None:
    diagram = branched().graph()
    diagram.svg()
    assert all(diagram.nodes[e.source].y < diagram.nodes[e.target].y for e in diagram.edges)


def test_special_characters_are_escaped() -> None:
    diagram = Diagram([Node(['a<b>&"'])], [])
    assert texts(diagram.svg()) == ['a<b>&"']
    assert 'n0["a#lt;b>#amp;#quot;"]' in diagram.mermaid()


def test_a_diagram_is_saved_by_its_ending(tmp_path: Path) -> None:
    diagram = Diagram([Node(["x"]), Node(["y"])], [Edge(0, 1)])
    diagram.save(tmp_path / "a.svg")
    diagram.save(tmp_path / "a.mmd")
    assert (tmp_path / "a.svg").read_text() == diagram.svg()
    assert (tmp_path / "a.mmd").read_text() == diagram.mermaid()
    with pytest.raises(ValueError, match=r"written as \.svg or \.mmd, got"):
        diagram.save(tmp_path / "a.png")


def test_every_edge_ends_with_a_piece_that_gives_its_arrow_a_direction() -> None:
    diagram = branched().graph()
    diagram.svg()
    assert all(path[-2] != path[-1] and path[-2][1] < path[-1][1] for path in diagram.paths)
