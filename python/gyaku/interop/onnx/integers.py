"""Arithmetic of integers in ONNX graphs, which floats compute exactly up to 2 to the power 24."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gyaku.interop.onnx import arrays
from gyaku.interop.onnx.reader import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gyaku.interop.onnx.reader import Call, Reader, Value

__all__ = ["INTEGERS", "are_numbers", "check", "marked"]

INTEGERS = (2, 3, 4, 5, 6, 7, 12, 13)
"""The types of integers, by their numbers in ONNX."""
# Of integers they give integers; the types of the results are those of the inputs.
_KEPT = {
    *("Abs", "Add", "Clip", "Concat", "CumSum", "Div", "Expand", "Flatten", "Gather", "Identity"),
    *("Compress", "CumProd", "GatherElements", "GatherND", "Scatter", "ScatterElements"),
    *("ScatterND", "TopK", "Trilu", "Max", "Min", "Mod", "Mul", "Neg", "Pad", "Pow"),
    *("ReduceMax", "ReduceMin", "ReduceProd"),
    *("ReduceSum", "Reshape", "Sign", "Slice", "Split", "Squeeze", "Sub", "Sum", "Tile"),
    *("Transpose", "Unsqueeze"),
}
_COMPARED = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
_OF_SHAPES = {"Cast", "CastLike", "EyeLike", "Shape", "Size"}
_OF_FLOATS = {"ArgMax", "ArgMin", "Einsum", "Hardmax", "MaxUnpool", "OneHot", "Where"}
_OF_THEIR_OWN = {"ArgMax", "ArgMin", "CastLike", "TopK"}
_IDS = {"Gather", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
"""Operators that ids pass on their way to a table."""


def are_numbers(name: str, nodes: Sequence[Any]) -> bool:
    """Return whether an input of integers is computed with, and holds no ids.

    Parameters
    ----------
    name : str
        The input.
    nodes : sequence of NodeProto
        The nodes.

    Returns
    -------
    bool
        Whether all nodes that take it compute with numbers.
    """
    users = [node.op_type for node in nodes if name in node.input]
    return bool(users) and all(each in (_KEPT | _COMPARED | _OF_FLOATS) - _IDS for each in users)


def _of_inputs(reader: Reader, call: Call) -> list[bool]:
    """Return whether each input holds integers."""
    return [
        reader.constants[name].dtype.kind in "iub"
        if name in reader.constants
        else name in reader.values and reader.values[name].integer
        for name in call.inputs
        if name
    ]


def check(reader: Reader, call: Call) -> None:
    """Raise if a node takes integers that were computed, and may not do the same with floats.

    Parameters
    ----------
    reader : Reader
        The graph.
    call : Call
        The node.
    """
    known = any(name in reader.values and reader.values[name].integer for name in call.inputs)
    if known and call.operator not in _KEPT | _COMPARED | _OF_FLOATS | _OF_SHAPES:
        raise Unreadable("computes with integers, in a way of their own")


def marked(reader: Reader, call: Call, found: list[Value]) -> list[Value]:
    """Return the results of a node, as integers if they are.

    Parameters
    ----------
    reader : Reader
        The graph.
    call : Call
        The node.
    found : list of Value
        The results, computed with floats.

    Returns
    -------
    list of Value
        The results.
    """
    inputs = _of_inputs(reader, call)
    if not any(name in reader.values and reader.values[name].integer for name in call.inputs):
        return found
    inputs = inputs[1:] if call.operator == "Where" else inputs
    keeps = call.operator in {*_KEPT, "Where"} or call.attributes.get("to") in INTEGERS
    if call.operator in _OF_THEIR_OWN:
        return found
    if not keeps or not (inputs and inputs[0]):
        return [replace(each, integer=False) if each.integer else each for each in found]
    if call.operator == "Div" or (call.operator == "Pow" and not all(inputs)):
        found = [arrays.operated(reader, "truncate", each) for each in found]
    return [replace(each, integer=True) for each in found]
