"""Activations and normalisations that graphs compose of elementary nodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["rewritten"]

_SQRT2 = math.sqrt(2)
_PHI: Sequence[Any] = [
    ("Add", ("Erf", ("Div", "x", _SQRT2)), 1.0),
    ("Add", ("Erf", ("Mul", "x", 1 / _SQRT2)), 1.0),
]
_TANH_PHI: Sequence[Any] = [
    ("Add", 1.0, ("Tanh", ("Mul", math.sqrt(2 / math.pi), ("Add", "x", ("Mul", 0.044715, cube)))))
    for cube in (("Mul", "x", ("Mul", "x", "x")), ("Pow", "x", 3.0))
]
_REAL = ("Cast", ("Not", ("Equal", "x", "padding")))
_GROUPED = ("Reshape", "x", "groups")
_CENTRED = ("Sub", _GROUPED, ("ReduceMean 1 3", _GROUPED))


def _over_root_mean_square(x: Any, axes: str) -> Any:
    square = (f"ReduceMean {axes}", ("Mul", x, x))
    return ("Div", x, ("Sqrt", ("Add", square, "epsilon")))


# An operator and its arguments: the input x, a constant or its name, or another pattern.
_PATTERNS: Sequence[tuple[str, Any]] = [
    ("Swish", ("Mul", "x", ("Sigmoid", "x"))),
    ("Mish", ("Mul", "x", ("Tanh", ("Softplus", "x")))),
    *(("Masking", ("Mul", "x", (f"ReduceMax {axes}", _REAL))) for axes in ("2", "2 3", "2 3 4")),
    ("Step", ("Cast", ("Greater", "x", 0.0))),
    *(("Gelu", ("Mul", ("Mul", "x", phi), 0.5)) for phi in _PHI),
    *(("Gelu", ("Mul", ("Mul", "x", 0.5), phi)) for phi in _PHI),
    *(("Gelu", ("Mul", "x", ("Mul", phi, 0.5))) for phi in _PHI),
    *(("GeluTanh", ("Mul", "x", ("Mul", 0.5, phi))) for phi in _TANH_PHI),
    *(("GeluTanh", ("Mul", ("Mul", "x", 0.5), phi)) for phi in _TANH_PHI),
    ("GroupNorm", ("Reshape", _over_root_mean_square(_CENTRED, "1 3"), ("Shape", "x"))),
    *(
        (
            f"BatchNorm{rank}",
            _over_root_mean_square(("Sub", "x", (f"ReduceMean {axes}", "x")), axes),
        )
        for rank, axes in enumerate(("0", "0 1", "0 1 2", "0 1 2 3"), 1)
    ),
    ("RMSNorm", _over_root_mean_square("x", "-1")),
    ("RMSNorm2", _over_root_mean_square("x", "-2 -1")),
    ("RMSNorm3", _over_root_mean_square("x", "-3 -2 -1")),
]
_COMMUTATIVE = {"Add", "Mul"}


def rewritten(nodes: Sequence[Any], constants: Mapping[str, NDArray[Any]]) -> list[Any]:
    """Return nodes in which composed activations and normalisations are one node each.

    Parameters
    ----------
    nodes : sequence of NodeProto
        The nodes of a graph.
    constants : mapping of str to ndarray
        Its constants.

    Returns
    -------
    list of NodeProto
        The nodes; those within a pattern are still there, and may be unused.
    """
    makers = {name: node for node in nodes for name in node.output}
    return [_matched(node, makers, constants) or node for node in nodes]


def _matched(
    node: Any, makers: Mapping[str, Any], constants: Mapping[str, NDArray[Any]]
) -> Any | None:
    from onnx import helper

    for operator, pattern in _PATTERNS:
        bound: dict[str, str] = {}
        if pattern[0] == node.op_type and _fits(pattern, node.output[0], makers, constants, bound):
            return helper.make_node(operator, list(bound.values()), list(node.output), node.name)
    return None


def _operator(node: Any) -> str:
    """Return the operator, with the axes of a reduction."""
    found = [str(axis) for each in node.attribute if each.name == "axes" for axis in each.ints]
    dropped = any(each.name == "keepdims" and not each.i for each in node.attribute)
    return " ".join([node.op_type, *found, *["dropped"] * dropped])


def _fits(
    pattern: Any,
    name: str,
    makers: Mapping[str, Any],
    constants: Mapping[str, NDArray[Any]],
    bound: dict[str, str],
) -> bool:
    """Return whether a value is computed by a pattern; bind its input and named constants."""
    if isinstance(pattern, str):
        is_known = pattern == "x" or name in constants
        return is_known and bound.setdefault(pattern, name) == name
    if isinstance(pattern, float):
        found = constants.get(name)
        return found is not None and found.size == 1 and bool(np.isclose(found.item(), pattern))
    node = makers.get(name)
    if node is None or _operator(node) != pattern[0] or len(node.input) != len(pattern) - 1:
        return False
    orders = [list(node.input)]
    if node.op_type in _COMMUTATIVE:
        orders.append(orders[0][::-1])
    for order in orders:
        trial = dict(bound)
        if all(
            _fits(each, given, makers, constants, trial)
            for each, given in zip(pattern[1:], order, strict=True)
        ):
            bound.update(trial)
            return True
    return False
