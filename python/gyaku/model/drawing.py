"""The diagram of a model: its layers, their output shapes and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.diagram import Diagram, Edge, Node
from gyaku.model.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gyaku.model.application import Application
    from gyaku.model.plan import Plan
    from gyaku.symbolic import Block

    Source = tuple[int, int]  # node and output

__all__ = ["drawing"]

# Kinds of layers in Japanese, by their classes; others keep the name of the class.
_JAPANESE = {
    "Add": "加算",
    "AvgPool1D": "平均プーリング層",
    "AvgPool2D": "平均プーリング層",
    "BatchNorm": "バッチ正規化層",
    "Bidirectional": "双方向の層",
    "Concatenate": "結合",
    "Conv1D": "畳み込み層",
    "Conv2D": "畳み込み層",
    "Conv2DTranspose": "転置畳み込み層",
    "Dense": "全結合層",
    "DepthwiseConv2D": "チャンネル別の畳み込み層",
    "Dropout": "ドロップアウト",
    "Embedding": "埋め込み層",
    "Flatten": "平坦化",
    "GlobalAvgPool2D": "全体の平均プーリング",
    "GlobalMaxPool2D": "全体の最大プーリング",
    "GroupNorm": "グループ正規化層",
    "GRU": "GRU 層",
    "InstanceNorm": "インスタンス正規化層",
    "LayerNorm": "層正規化",
    "LocalResponseNorm": "局所応答正規化層",
    "LPPool2D": "Lp プーリング層",
    "LSTM": "LSTM 層",
    "MaxPool1D": "最大プーリング層",
    "MaxPool2D": "最大プーリング層",
    "ReLU": "ReLU 関数",
    "RMSNorm": "RMS 正規化層",
    "Rescaling": "スケーリング",
    "Reshape": "形の変更",
    "Sigmoid": "シグモイド関数",
    "SimpleRNN": "単純な再帰層",
    "Softmax": "ソフトマックス関数",
    "Tanh": "tanh 関数",
    "TimeDistributed": "時刻ごとの層",
}
_KINDS: dict[str, dict[str, str]] = {"en": {}, "ja": _JAPANESE}
_OUTPUTS = {"en": "output", "ja": "出力"}


def drawing(model: Graph, lang: str = "en") -> Diagram:
    """Return the diagram of a model.

    Parameters
    ----------
    model : Graph
        The model.
    lang : {"en", "ja"}
        Language of the kinds of layers.

    Returns
    -------
    Diagram
        A node for each use of a layer; a frame for each model in it.

    Raises
    ------
    ValueError
        If the language is unknown.
    """
    if lang not in _KINDS:
        raise ValueError(f"graph: lang must be 'en' or 'ja', got {lang!r}")
    kinds = _KINDS[lang]
    known = model.built or model.input_shapes is not None
    plan = model.passes(model.input_shapes or ()) if known else model.planned()[0]
    inputs = [Node([name, *_shape(plan, i)], "input") for i, name in enumerate(model.input_names)]
    nodes, edges, outputs = _inside(model, inputs, plan, iter(plan.applications), kinds)
    for source in outputs:
        edges.append(Edge(source[0], len(nodes), output=source[1]))
        nodes.append(Node([_OUTPUTS[lang]], "input"))
    return Diagram(nodes, edges, title=f"{type(model).__name__} {model.title!r}")


def _inside(
    model: Graph,
    inputs: Sequence[Node],
    plan: Plan,
    uses: Iterator[Application],
    kinds: Mapping[str, str],
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
        nodes.append(_node(block, len(given), plan, uses, kinds))
    return nodes, edges, [values[value] for value in model.wiring.outputs]


def _node(
    block: Block, takes: int, plan: Plan, uses: Iterator[Application], kinds: Mapping[str, str]
) -> Node:
    if isinstance(block, Graph):
        return _group(block, takes, plan, uses, kinds)
    use = next(uses)
    layer = use.instance
    given = getattr(layer, "activation", None)
    kind = type(layer).__name__
    kind = kinds.get(kind, kind) + (f", {getattr(given, 'op', given)}" if given else "")
    shapes = [line for value in use.outputs for line in _shape(plan, value)]
    name = use.path.rpartition(".")[2]
    return Node([name, kind, *shapes], "weighted" if layer.params else "plain")


def _group(
    block: Graph, takes: int, plan: Plan, uses: Iterator[Application], kinds: Mapping[str, str]
) -> Node:
    ports = [Node([""], "port") for _ in range(takes)]
    nodes, edges, outputs = _inside(block, ports, plan, uses, kinds)
    first = len(nodes)
    for number, (source, output) in enumerate(outputs):
        edges.append(Edge(source, first + number, output=output))
        nodes.append(Node([""], "port"))
    ends = range(takes), range(first, len(nodes))
    return Node([f"{block.name} ({type(block).__name__})"], "group", Diagram(nodes, edges), ends)


def _shape(plan: Plan, value: int) -> list[str]:
    return [str(plan.shapes[value])] if value in plan.shapes else []
