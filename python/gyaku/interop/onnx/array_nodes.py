"""ONNX nodes of operations on arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.onnx.graph import Graph, Value
from gyaku.interop.onnx.selection_nodes import write_selection
from gyaku.interop.onnx.window_nodes import along
from gyaku.reference.selections import SELECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["write_array_operation"]

_FLOAT, _BOOL = 1, 9
_PLAIN = {
    "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "add": "Add", "asin": "Asin",
    "asinh": "Asinh", "atan": "Atan", "atanh": "Atanh", "ceil": "Ceil", "cos": "Cos",
    "cosh": "Cosh", "divide": "Div", "erf": "Erf", "exp": "Exp", "floor": "Floor", "log": "Log",
    "matmul": "MatMul", "maximum": "Max", "minimum": "Min", "multiply": "Mul", "negative": "Neg",
    "power": "Pow", "reciprocal": "Reciprocal", "round": "Round", "sign": "Sign", "sin": "Sin",
    "sinh": "Sinh", "slope": "PRelu", "softplus": "Softplus", "sqrt": "Sqrt", "subtract": "Sub",
    "tan": "Tan",
}  # fmt: skip
"""Operators with the same arguments."""
_COMPARISONS = {
    "equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual", "is_inf": "IsInf",
    "is_nan": "IsNaN", "less": "Less", "less_equal": "LessOrEqual",
}  # fmt: skip
_LOGIC = {"invert": "Not", "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}
_REDUCTIONS = {
    "l1": "ReduceL1", "l2": "ReduceL2", "log_sum": "ReduceLogSum",
    "log_sum_exp": "ReduceLogSumExp", "max": "ReduceMax", "mean": "ReduceMean",
    "min": "ReduceMin", "prod": "ReduceProd", "sum_square": "ReduceSumSquare",
}  # fmt: skip
_ATTRIBUTES: dict[str, tuple[str, dict[str, str]]] = {
    "elu": ("Selu", {"alpha": "alpha", "gamma": "gamma"}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": "alpha", "beta": "beta"}),
    "shrink": ("Shrink", {"bias": "bias", "limit": "lambd"}),
    "threshold": ("ThresholdedRelu", {"limit": "alpha"}),
    "transpose": ("Transpose", {"axes": "perm"}),
}


def write_array_operation(graph: Graph, layer: Any, values: list[Value]) -> list[Value]:
    """Append the nodes of an `ArrayOperation`.

    Parameters
    ----------
    graph : Graph
        The graph.
    layer : ArrayOperation
        The layer.
    values : list of Value
        Its inputs.

    Returns
    -------
    list of Value
        Its output.
    """
    given, options, name = map(graph.last, values), dict(layer.options), layer.operation
    if name == "mix":
        options["rank"] = len(values[0].shape) + 1
    x = [
        next(given) if shape is None else _constant(graph, layer, n)
        for n, shape in enumerate(layer.constants or [None] * len(values))
    ]
    if name in SELECTIONS:
        constants = layer.constants or [None] * len(values)
        shapes = iter(layer.input_shapes)
        ranks = [len(next(shapes)) + 1 if each is None else len(each) for each in constants]
        return [Value(layer.output_shape, write_selection(graph, layer, x, ranks))]
    return [Value(layer.output_shape, _written(graph, name, x, options))]


def _constant(graph: Graph, layer: Any, place: int) -> str:
    name = f"constant_{place}"
    return graph.constant(name, layer.buffers[name])


def _written(graph: Graph, name: str, x: list[str], options: dict[str, Any]) -> str:
    if name in _PLAIN:
        return graph.node(_PLAIN[name], *x)
    if name in _COMPARISONS:
        return graph.node("Cast", graph.node(_COMPARISONS[name], *x), to=_FLOAT)
    if name in _LOGIC:
        found = graph.node(_LOGIC[name], *(graph.node("Cast", each, to=_BOOL) for each in x))
        return graph.node("Cast", found, to=_FLOAT)
    if name in _REDUCTIONS:
        keep = int(options["keepdims"])
        return graph.node(_REDUCTIONS[name], *x, axes=list(options["axes"]), keepdims=keep)
    if name in _ATTRIBUTES:
        operator, named = _ATTRIBUTES[name]
        return graph.node(operator, *x, **{named[key]: each for key, each in options.items()})
    return _COMPOSED[name](graph, *x, **options)


def _sum(graph: Graph, x: str, *, axes: Any, keepdims: bool) -> str:
    # ReduceSum takes the axes as an input from opset 13 on, the others from 18 on.
    return graph.node("ReduceSum", x, graph.constant("axes", list(axes)), keepdims=int(keepdims))


def _clip(graph: Graph, x: str, *, least: float | None, most: float | None) -> str:
    limits = ["" if each is None else graph.scalar(each) for each in (least, most)]
    return graph.node("Clip", x, *limits)


def _take(graph: Graph, x: str, *, indices: Any, axis: int) -> str:
    return graph.node("Gather", x, graph.constant("indices", np.array(indices, int)), axis=axis)


def _pad(graph: Graph, x: str, *, widths: Any, fill: float) -> str:
    before, behind = ([0, *ends] for ends in zip(*widths, strict=True))
    return graph.node("Pad", x, graph.constant("pads", [*before, *behind]), graph.scalar(fill))


def _expand(graph: Graph, x: str, *, shape: Any) -> str:
    return graph.node("Expand", x, graph.constant("shape", [1, *shape]))


def _where(graph: Graph, condition: str, a: str, b: str) -> str:
    return graph.node("Where", graph.node("Cast", condition, to=_BOOL), a, b)


def _modulo(graph: Graph, a: str, b: str) -> str:
    quotient = graph.node("Floor", graph.node("Div", a, b))
    return graph.node("Sub", a, graph.node("Mul", b, quotient))


def _truncate(graph: Graph, x: str) -> str:
    whole = graph.node("Floor", graph.node("Abs", x))
    return graph.node("Mul", graph.node("Sign", x), whole)


def _swish(graph: Graph, x: str, *, alpha: float) -> str:
    return graph.node("Mul", x, graph.node("Sigmoid", graph.node("Mul", x, graph.scalar(alpha))))


def _gelu_tanh(graph: Graph, x: str) -> str:
    cube = graph.node("Mul", graph.node("Pow", x, graph.scalar(3.0)), graph.scalar(0.044715))
    inner = graph.node("Mul", graph.node("Add", x, cube), graph.scalar(math.sqrt(2 / math.pi)))
    sums = graph.node("Add", graph.node("Tanh", inner), graph.scalar(1.0))
    return graph.node("Mul", graph.node("Mul", x, sums), graph.scalar(0.5))


_COMPOSED: dict[str, Callable[..., str]] = {
    "clip": _clip,
    "expand": _expand,
    "gelu_tanh": _gelu_tanh,
    "mix": along,
    "modulo": _modulo,
    "pad": _pad,
    "remainder": lambda graph, a, b: graph.node("Mod", a, b, fmod=1),
    "sum": _sum,
    "swish": _swish,
    "take": _take,
    "truncate": _truncate,
    "where": _where,
}
