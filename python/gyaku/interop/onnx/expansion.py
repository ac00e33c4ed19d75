"""Operators of ONNX graphs as the graphs of simpler ones by which onnx defines them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

__all__ = ["expanded", "kinds"]

_LOOPS = ("Range", "SequenceMap")
"""Functions whose bodies are loops."""
_DEPTH = 3
"""The most functions within one another."""


def expanded(proto: Any, known: Container[str]) -> Any:
    """Return a model in which operators that are functions of others are these others.

    Parameters
    ----------
    proto : ModelProto
        The model.
    known : container of str
        Operators that stay.

    Returns
    -------
    ModelProto
        The model; the same one if there is none.
    """
    from google.protobuf.message import EncodeError
    from onnx import checker, helper, inliner, shape_inference

    too_large = EncodeError, RuntimeError, ValueError
    without_types = checker.ValidationError, shape_inference.InferenceError

    if proto.functions:  # of the file's own, which may hold one another any number of times
        return proto
    typed = {each.name for each in (*proto.graph.input, *proto.graph.value_info)}
    made = proto
    for _ in range(_DEPTH):
        found = {
            (node.domain, node.op_type)
            for node in made.graph.node
            if node.domain in ("", "ai.onnx")
            and not (node.op_type in known or node.op_type in _LOOPS)
        }
        if not found:
            break
        if made is proto:  # the body of a function may depend on the types of its arguments
            made.graph.value_info.extend(
                helper.make_tensor_value_info(each.name, each.data_type, each.dims)
                for each in made.graph.initializer
                if each.name not in typed
            )
        try:
            given = made, sorted(found)
            after = inliner.inline_selected_functions(*given, inline_schema_functions=True)
        except (*too_large, *without_types):
            break
        if [each.op_type for each in after.graph.node] == [
            each.op_type for each in made.graph.node
        ]:
            break
        made = after
    return made


def kinds(proto: Any) -> dict[str, int]:
    """Return the types of the elements of values.

    Parameters
    ----------
    proto : ModelProto
        The model.

    Returns
    -------
    dict of str to int
        Their numbers in ONNX, by the values that have one.
    """
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(proto).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    found = {each.name: each.type.tensor_type.elem_type for each in values}
    return found | {each.name: each.data_type for each in graph.initializer}
