"""Elementary steps of operations on arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.source.axis_steps import broadcast, mixed, taken
from gyaku.interop.source.element_expressions import EXPRESSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gyaku.interop.source.forward_pass import ForwardPass

__all__ = ["ARRAY_STEPS"]


def _array_operation(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    given = iter(values)
    constants = layer.constants or (None,) * len(values)
    operands = [
        next(given) if shape is None else _constant(made, layer, place, values[0])
        for place, shape in enumerate(constants)
    ]
    if layer.operation not in OPERATIONS:
        raise ValueError(
            f"{made.owner}: {layer} computes {layer.operation}, of which no source code is written"
        )
    write = _WRITERS.get(layer.operation, _elements)
    return [write(made, layer, operands, dict(layer.options))]


def _constant(made: ForwardPass, layer: Any, place: int, after: int) -> int:
    array = layer.buffers[f"constant_{place}"]
    return made.step("constant", [after], array.shape[1:], {f"constant_{place}": array})


def _elements(made: ForwardPass, layer: Any, values: list[int], options: dict[str, Any]) -> int:
    """Apply an operation to elements, from the first two arrays to the last."""
    shape, operation = layer.output_shape, layer.operation
    given = [broadcast(made, each, shape) for each in values]
    if operation in _ARITHMETIC:
        return made.step(operation, given, shape)
    while operation in ("maximum", "minimum") and len(given) > 2:
        given[:2] = [made.step("elements", given[:2], shape, operation=operation)]
    return made.step("elements", given, shape, operation=operation, **options)


_ARITHMETIC = ("add", "subtract", "multiply", "divide")


def _reduction(made: ForwardPass, layer: Any, values: list[int], options: dict[str, Any]) -> int:
    """Reduce rows of the elements along the axes."""
    (value,), operation = values, layer.operation
    shape = made.values[value].shape
    axes = sorted(axis - 1 for axis in options["axes"])
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    count = math.prod(shape[axis] for axis in axes)
    if [*kept, *axes] != [*range(len(shape))]:
        order = (*kept, *axes)
        value = made.step("permute", [value], tuple(shape[n] for n in order), axes=order)
    value = made.step("reshape", [value], (math.prod(shape[axis] for axis in kept), count))
    before, kind, after = _REDUCTIONS[operation]
    rows = made.values[value].shape
    if before == "square":
        value = made.step("multiply", [value, value], rows)
    elif before:
        value = made.step("elements", [value], rows, operation=before)
    value = made.step("reduce", [value], rows[:1], operation=kind)
    if after == "mean":
        value = made.step("rescale", [value], rows[:1], scale=1 / count, offset=0.0)
    elif after:
        value = made.step("elements", [value], rows[:1], operation=after)
    return made.step("reshape", [value], layer.output_shape)


# What is done to each element, the reduction, and what is done to the results.
_REDUCTIONS = {
    "l1": ("abs", "sum", ""),
    "l2": ("square", "sum", "sqrt"),
    "log_sum": ("", "sum", "log"),
    "log_sum_exp": ("", "log_sum_exp", ""),
    "max": ("", "max", ""),
    "mean": ("", "sum", "mean"),
    "min": ("", "min", ""),
    "prod": ("", "prod", ""),
    "sum": ("", "sum", ""),
    "sum_square": ("square", "sum", ""),
}


def _take(made: ForwardPass, layer: Any, values: list[int], options: dict[str, Any]) -> int:
    axis = options["axis"] - 1
    size = made.values[values[0]].shape[axis]
    return taken(made, values[0], axis, np.array(options["indices"], np.int64).reshape(-1) % size)


def _transpose(made: ForwardPass, layer: Any, values: list[int], options: dict[str, Any]) -> int:
    axes = tuple(axis - 1 for axis in options["axes"][1:])
    return made.step("permute", values, layer.output_shape, axes=axes)


def _pad(made: ForwardPass, layer: Any, values: list[int], options: dict[str, Any]) -> int:
    (value,) = values
    for axis, (before, behind) in enumerate(options["widths"]):
        places = np.arange(made.values[value].shape[axis])
        places = np.pad(places, (before, behind), constant_values=-1)
        value = taken(made, value, axis, places, options["fill"])
    return value


def _expand(made: ForwardPass, layer: Any, values: list[int], options: dict[str, Any]) -> int:
    return broadcast(made, values[0], layer.output_shape)


def _mix(made: ForwardPass, layer: Any, values: list[int], options: dict[str, Any]) -> int:
    return mixed(made, values[0], options["axis"] - 1, layer.buffers["constant_1"])


def _matmul(made: ForwardPass, layer: Any, values: list[int], options: dict[str, Any]) -> int:
    shape = layer.output_shape
    shapes = [made.values[each].shape for each in values]
    if min(map(len, shapes)) < 2:
        raise ValueError(
            f"{made.owner}: {layer} multiplies rows, of which no source code is written"
        )
    pairs = zip(values, shapes, strict=True)
    factors = [broadcast(made, each, (*shape[:-2], *own[-2:])) for each, own in pairs]
    return made.step("matmul", factors, shape)


_WRITERS: dict[str, Callable[[ForwardPass, Any, list[int], dict[str, Any]], int]] = {
    **dict.fromkeys(_REDUCTIONS, _reduction),
    "expand": _expand,
    "matmul": _matmul,
    "mix": _mix,
    "pad": _pad,
    "take": _take,
    "transpose": _transpose,
}
ARRAY_STEPS: dict[type, Callable[[ForwardPass, Any, list[int]], list[int]]] = {
    layers.ArrayOperation: _array_operation
}
"""The function that appends the steps."""
OPERATIONS: Sequence[str] = (*EXPRESSIONS, *_ARITHMETIC, *_WRITERS)
"""Operations of which source code is written."""
