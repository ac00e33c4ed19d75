"""Layers of ONNX nodes that move, join and drop axes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.onnx import arrays
from gyaku.interop.onnx.reader import DIRECTION, Unreadable, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.onnx.reader import Call, Reader

__all__ = ["OPERATORS", "reshaped"]


def _transpose(reader: Reader, call: Call) -> list[Value]:
    """Permute the axes of a value, without a layer."""
    value = reader.value(call.input(0))
    perm = call.attributes.get("perm", range(len(value.axes))[::-1])
    return [replace(value, axes=tuple(value.axes[axis] for axis in perm))]


def _shape(reader: Reader, call: Call) -> list[Value]:
    """Record the shape of a value as a constant, 0 for the batch axis, as Reshape reads it."""
    found = np.array(reader.value(call.input(0)).dimensions, np.int64)
    start, end = call.attributes.get("start", 0), call.attributes.get("end", len(found))
    reader.constants[call.outputs[0]] = found[start:end]
    return []


def _squeeze(reader: Reader, call: Call) -> list[Value]:
    """Drop or add axes of length 1."""
    value, rank = reader.value(call.input(0)), 0
    listed = _axes(reader, call)
    if call.operator == "Unsqueeze":
        rank = len(value.axes) + len(listed)
        places = {axis % rank for axis in listed}
        left = iter(value.axes)
        return [
            replace(value, axes=tuple(None if n in places else next(left) for n in range(rank)))
        ]
    rank = len(value.axes)
    listed = listed or [n for n, length in enumerate(value.dimensions) if length == 1]
    places = {axis % rank for axis in listed}
    return [_dropped(reader, value, places)]


def _dropped(reader: Reader, value: Value, places: set[int]) -> Value:
    """Drop axes of length 1, in any order of axes."""
    own = {value.axes[place] for place in places} - {None}
    if any(value.dimensions[place] != 1 for place in places):
        raise Unreadable(f"drops the axes {sorted(places)}, which are longer than 1")
    left = [axis for place, axis in enumerate(value.axes) if place not in places]
    if not own:
        return replace(value, axes=tuple(left))
    kept = [axis for axis in range(1, len(value.shape) + 1) if axis not in own]
    if (not kept and not reader.first) or value.order is not None:
        raise Unreadable("leaves no axis of a sample")
    (made,) = reader.apply(layers.Reshape([value.shape[axis - 1] for axis in kept]), value)
    numbers = {axis: n for n, axis in enumerate((0, *kept))}
    return replace(made, axes=tuple(None if axis is None else numbers[axis] for axis in left))


def _axes(reader: Reader, call: Call) -> list[int]:
    """Return the axes of a node: an attribute in older opsets, an input in newer ones."""
    if call.input(1):
        return [int(axis) for axis in reader.constant(call.input(1), "axes")]
    return list(call.attributes.get("axes", []))


def _flatten(reader: Reader, call: Call) -> list[Value]:
    """Join all axes but that of the batch."""
    value = reader.value(call.input(0))
    if reader.first:
        rank = len(value.axes)
        axis = call.attributes.get("axis", 1)
        size = math.prod(value.dimensions[: axis if axis >= 0 else rank + axis])
        return [reshaped(reader, value, [size, math.prod(value.shape) // size])]
    if call.attributes.get("axis", 1) != 1 or value.axes[0] != 0:
        raise Unreadable("joins the batch with other axes")
    return [_flattened(reader, value)]


def _flattened(reader: Reader, value: Value) -> Value:
    order = value.order
    inner = [axis - 1 for axis in value.axes if axis]
    if len(inner) > 1:
        places = np.arange(math.prod(value.shape)).reshape(value.shape)
        order = places.transpose(inner).ravel()
        if np.array_equal(order, np.arange(len(order))):
            order = None
    if len(value.shape) != 1:
        (value,) = reader.apply(layers.Flatten(), replace(value, order=None))
    return replace(value, axes=(0, 1), order=order)


def _reshape(reader: Reader, call: Call) -> list[Value]:
    """Join, split or drop axes, where that is a layer or none."""
    value = reader.value(call.input(0))
    given = call.attributes.get("shape")
    target = [int(n) for n in (given or reader.constant(call.input(1), "shape"))]
    if reader.first:
        if not call.attributes.get("allowzero", 0):
            target = [length or value.dimensions[n] for n, length in enumerate(target)]
        return [reshaped(reader, value, target)]
    if DIRECTION in value.axes and value.merged:
        return [_joined(value, target)]
    old = value.dimensions
    target = [old[n] if length == 0 and n < len(old) else length for n, length in enumerate(target)]
    sizes = [n for n in old if n != 1]
    if value.time and len(target) == len(old) + 1 and target[1] in (value.time, 1):
        return [_sequences(value)]
    if target[:1] == [-1] and value.axes[:2] == (0, 1) and tuple(target[1:]) == old[2:]:
        return [replace(value, shape=value.shape[1:], axes=_less(value.axes), time=value.shape[0])]
    if _without_units(target, sizes):
        left = iter(axis for axis, size in zip(value.axes, old, strict=True) if size != 1)
        kept = [None if length == 1 else next(left) for length in target]
        if {axis for axis in kept if axis is not None} == set(range(len(value.shape) + 1)):
            return [replace(value, axes=tuple(kept))]
    if value.axes[0] == 0 and target[0] in (0, -1, 1):
        size = math.prod(value.shape)
        if len(target) == 2 and target[1] in (-1, size):
            return [_flattened(reader, value)]
    size, inner = math.prod(value.shape), target[1:]
    if -1 in inner and target[0] in (0, reader.batch):
        known = -math.prod(inner)
        inner = [size // known if n == -1 else n for n in inner]
    if math.prod(inner) == size and -1 not in inner and value.axes[0] == 0:
        (made,) = reader.apply(layers.Reshape(inner), reader.plain(value))
        return [reader.as_plain(made)]
    raise Unreadable(f"makes {list(old)} (0 is the batch) into {target}, which no layer does")


def reshaped(reader: Reader, value: Value, shape: list[int]) -> Value:
    """Give a value of a whole input another shape.

    Parameters
    ----------
    reader : Reader
        The graph.
    value : Value
        The value.
    shape : list of int
        The shape.

    Returns
    -------
    Value
        The value, plain.
    """
    return reader.as_plain(reader.apply(layers.Reshape(shape), reader.plain(value))[0])


def _without_units(target: list[int], sizes: list[int]) -> bool:
    """Return whether a shape without its ones is this one; -1 takes any length."""
    kept = [length for length in target if length != 1]
    return len(kept) == len(sizes) and all(a in (b, -1) for a, b in zip(kept, sizes, strict=True))


def _less(axes: tuple[int | None, ...]) -> tuple[int | None, ...]:
    return (0, *(axis and axis - 1 for axis in axes[2:]))


def _sequences(value: Value) -> Value:
    """Return steps as sequences again."""
    axes = (0, 1, *(axis and axis + 1 for axis in value.axes[1:]))
    return replace(value, shape=(value.time, *value.shape), axes=axes, time=0)


def _joined(value: Value, target: list[int]) -> Value:
    """Join the axis of the directions with that of the units behind it."""
    place = value.axes.index(DIRECTION)
    joined = value.axes[:place] + value.axes[place + 1 :]
    if value.merged is None or place != len(value.axes) - 2 or len(target) != len(joined):
        raise Unreadable(f"joins the directions with other axes than the units, into {target}")
    return replace(value.merged("concat"), axes=joined)


_MERGES = {"ReduceSum": "sum", "ReduceProd": "mul", "ReduceMean": "ave"}


def _reduce(reader: Reader, call: Call) -> list[Value]:
    """Merge both directions of a recurrent node, or pool whole images."""
    value, keep = reader.value(call.input(0)), call.attributes.get("keepdims", 1)
    places = {axis % len(value.axes) for axis in _axes(reader, call)}
    over = {value.axes[place] for place in places}
    left = tuple(a for n, a in enumerate(value.axes) if n not in places)
    if over == {DIRECTION} and value.merged and call.operator in _MERGES and not keep:
        return [replace(value.merged(_MERGES[call.operator]), axes=left)]
    pools = {"ReduceMean": layers.GlobalAvgPool2D, "ReduceMax": layers.GlobalMaxPool2D}
    if over != {1, 2} or len(value.shape) != 3 or call.operator not in pools:
        return arrays.reduced(reader, call, sorted(places))
    (pooled,) = reader.apply(pools[call.operator](), value)
    axes = [1 if axis == 3 else axis for axis in value.axes]
    kept = tuple(None if n in places else axis for n, axis in enumerate(axes))
    return [replace(pooled, axes=kept if keep else tuple(a for a in kept if a is not None))]


def _concat(reader: Reader, call: Call) -> list[Value]:
    """Concatenate values along one axis."""
    values = [reader.value(name) for name in call.inputs]
    first = values[0]
    place = call.attributes["axis"]
    if first.axes[0] is None and place == 0 and all(each.axes == first.axes for each in values):
        values = [_with_axis(reader, each) for each in values]
        first = values[0]
    if any(each.axes != first.axes or each.order is not None for each in values) or (
        first.axes[place] is None
    ):
        values = [reader.plain(each) for each in values]
        first = values[0]
    axis: Any = first.axes[place]
    if not axis:
        raise Unreadable("joins values along the batch")
    if len(values) == 1:
        return values
    return reader.apply(layers.Concatenate(axis), *values)


def _with_axis(reader: Reader, value: Value) -> Value:
    """Return a value whose first axis in ONNX, of length 1, is one of the tensor as well."""
    (made,) = reader.apply(layers.Reshape((1, *value.shape)), value)
    return replace(made, axes=(1, *(axis + 1 if axis else axis for axis in value.axes[1:])))


def _gather(reader: Reader, call: Call) -> list[Value]:
    """Read rows of a table of vectors, or the last step of a recurrent layer."""
    axis = call.attributes.get("axis", 0)
    if call.input(0) in reader.constants and not reader.first:
        if axis != 0:
            raise Unreadable(f"reads a table along axis {axis}, and Embedding has axis 0")
        table = reader.constants[call.input(0)]
        value = reader.plain(reader.value(call.input(1)))
        layer = layers.Embedding(*table.shape, mask_zero=call.input(1) in reader.padded)
        (made,) = reader.apply(layer, value, weights={"weight": table})
        return [replace(made, axes=tuple(range(len(made.shape) + 1)))]
    value = reader.value(call.input(0))
    if reader.first and call.input(1) not in reader.constants:
        options = {"axis": axis % len(value.axes) + 1}
        places = reader.plain(reader.value(call.input(1)))
        gather = layers.ArrayOperation("gather", options)
        return [reader.as_plain(reader.apply(gather, reader.plain(value), places)[0])]
    index = reader.constant(call.input(1), "indices")
    if value.final is None or value.axes[axis] != 1 or index.shape != () or index != -1:
        return [_taken(reader, call, value, index)]
    # The axis of the features is the first of the last step.
    axes = tuple(a and 1 for n, a in enumerate(value.axes) if n != axis % len(value.axes))
    return [replace(value.final, axes=axes)]


def _taken(reader: Reader, call: Call, value: Value, index: NDArray[Any]) -> Value:
    """Take elements along an axis, whose place the axes of the indices take."""
    axis = call.attributes.get("axis", 0) % len(value.axes)
    if value.axes[axis] == 0:
        raise Unreadable("takes some of the samples of a batch by index")
    if index.ndim == 0:
        made = arrays.taken(reader, value, axis, [int(index)])
        return _dropped(reader, made, {axis})
    value = reader.plain(value)
    made = arrays.taken(reader, value, axis, index.ravel().tolist())
    if index.ndim == 1:
        return made
    own = axis + reader.first
    shape = (*value.shape[: own - 1], *index.shape, *value.shape[own:])
    return reader.as_plain(reader.apply(layers.Reshape(shape), made)[0])


OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = {
    **dict.fromkeys(arrays.REDUCTIONS, _reduce),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _squeeze),
    "Concat": _concat,
    "Flatten": _flatten,
    "Gather": _gather,
    "Reshape": _reshape,
    "Shape": _shape,
    "Transpose": _transpose,
}
"""The function that reads each operator."""
