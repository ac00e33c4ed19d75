"""Layers of ONNX nodes that order, select and combine elements."""

from __future__ import annotations

import math
from dataclasses import replace
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import layers
from gyaku.interop.onnx.arrays import combined, taken
from gyaku.interop.onnx.reader import Unreadable, Value
from gyaku.reference.selections import einsum_terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gyaku.interop.onnx.reader import Call, Reader

__all__ = ["OPERATORS", "einsum", "gemm", "product"]


def _along(reader: Reader, call: Call, axis: int) -> tuple[Value, int]:
    """Return the input, plain, and the axis of its tensor that a node is about."""
    value = reader.plain(reader.value(call.input(0)))
    own: Any = value.axes[axis]
    if own == 0:
        raise Unreadable("compares or moves the samples of a batch")
    return value, own


def _applied(reader: Reader, name: str, *values: Value, **options: Any) -> Value:
    """Apply an operation to plain values."""
    layer = layers.ArrayOperation(name, options)
    return reader.as_plain(reader.apply(layer, *values)[0])


def _arg(reader: Reader, call: Call) -> list[Value]:
    given = call.attributes
    value, axis = _along(reader, call, given.get("axis", 0))
    options = {
        "axis": axis,
        "keepdims": bool(given.get("keepdims", 1)),
        "last": bool(given.get("select_last_index", 0)),
    }
    made = _applied(
        reader, {"ArgMax": "arg_max", "ArgMin": "arg_min"}[call.operator], value, **options
    )
    return [replace(made, integer=True)]


def _hardmax(reader: Reader, call: Call) -> list[Value]:
    value, axis = _along(reader, call, call.attributes.get("axis", -1 if reader.opset >= 13 else 1))
    if reader.opset < 13 and axis != len(value.shape):
        raise Unreadable("compares the elements of several axes")
    return [_applied(reader, "hardmax", value, axis=axis)]


def _top(reader: Reader, call: Call) -> list[Value]:
    value, axis = _along(reader, call, call.attributes.get("axis", -1))
    count = call.attributes.get("k")
    if count is None:
        count = reader.constant(call.input(1), "count").item()
    options = {
        "axis": axis,
        "count": int(count),
        "largest": bool(call.attributes.get("largest", 1)),
    }
    values = replace(_applied(reader, "top", value, **options), integer=value.integer)
    return [values, replace(_applied(reader, "top_places", value, **options), integer=True)]


def _products(reader: Reader, call: Call) -> list[Value]:
    value, axis = _along(reader, call, int(reader.constant(call.input(1), "axis").item()))
    options = {name: bool(call.attributes.get(name, 0)) for name in ("exclusive", "reverse")}
    return [_applied(reader, "cumulative_product", value, axis=axis, **options)]


def _triangle(reader: Reader, call: Call) -> list[Value]:
    value = reader.plain(reader.value(call.input(0)))
    if len(value.shape) < 2:
        raise Unreadable("takes a triangle of samples")
    diagonal = int(reader.constant(call.input(1), "diagonal").item()) if call.input(1) else 0
    options = {"upper": bool(call.attributes.get("upper", 1)), "diagonal": diagonal}
    return [_applied(reader, "triangle", value, **options)]


def _one_hot(reader: Reader, call: Call) -> list[Value]:
    places = reader.value(call.input(0))
    is_row = places.axes == (0,)  # whose tensor has an axis of length 1 behind the samples
    places = replace(places, axes=(0, 1)) if is_row else reader.plain(places)
    depth = int(reader.constant(call.input(1), "depth").item())
    axis = call.attributes.get("axis", -1) % (len(places.axes) + 1 - is_row) + reader.first
    if axis == 0:
        raise Unreadable("makes an axis in front of the samples")
    reader.check_room(depth, *places.shape)
    layer = layers.ArrayOperation("one_hot", {"depth": depth, "axis": axis})
    given, weights = [places], {}
    if call.input(2) in reader.constants:
        layer = layers.ArrayOperation("one_hot", dict(layer.options), [None, (1, 2)])
        weights["constant_1"] = reader.constants[call.input(2)].astype(np.float32)[np.newaxis]
    else:
        given.append(reader.plain(reader.value(call.input(2))))
    (made,) = reader.apply(layer, *given, weights=weights)
    if is_row:
        (made,) = reader.apply(layers.Reshape((depth,)), made)
    return [reader.as_plain(made)]


_GATHERED = {"GatherElements": "gather_elements", "GatherND": "gather_tuples"}
_SCATTERED = {
    "Scatter": "scatter_elements", "ScatterElements": "scatter_elements",
    "ScatterND": "scatter_tuples",
}  # fmt: skip


def _by_places(reader: Reader, call: Call) -> list[Value]:
    """Read or replace elements at places that are a value as well."""
    values = [reader.plain(reader.value(name)) for name in call.inputs]
    if call.operator in {"GatherND", "ScatterND"}:
        axis: Any = call.attributes.get("batch_dims", 0) + reader.first
    else:
        axis = values[0].axes[call.attributes.get("axis", 0)]
    if axis == 0:
        raise Unreadable("takes or replaces samples of a batch")
    if call.operator in _GATHERED:
        return [_applied(reader, _GATHERED[call.operator], *values, axis=axis)]
    join = call.text("reduction", "none")
    if join == "mul":
        raise Unreadable("multiplies elements")
    return [_applied(reader, _SCATTERED[call.operator], *values, axis=axis, join=join)]


def _compress(reader: Reader, call: Call) -> list[Value]:
    """Take the elements for which a constant is true."""
    places = np.flatnonzero(reader.constant(call.input(1), "condition")).tolist()
    value, axis = reader.value(call.input(0)), call.attributes.get("axis")
    if axis is None:
        if not reader.first:
            raise Unreadable("joins the batch with other axes")
        value, axis = _joined(reader, value), 0
    if not places:
        raise Unreadable("takes no element")
    return [taken(reader, value, axis, places)]


def _joined(reader: Reader, value: Value) -> Value:
    layer = layers.Reshape([math.prod(value.shape)])
    return reader.as_plain(reader.apply(layer, reader.plain(value))[0])


def _size(reader: Reader, call: Call) -> list[Value]:
    """Record the number of elements, or an identity matrix, as a constant."""
    value = reader.value(call.input(0))
    if not reader.first:
        raise Unreadable("depends on the size of a batch")
    if call.operator == "Size":
        found: NDArray[Any] = np.array(math.prod(value.dimensions))
    else:
        rows, columns = value.dimensions
        found = np.eye(rows, columns, int(call.attributes.get("k", 0)), np.float32)
    reader.constants[call.outputs[0]] = found
    return []


def _determinant(reader: Reader, call: Call) -> list[Value]:
    value = reader.plain(reader.value(call.input(0)))
    if len(value.shape) < 2:
        raise Unreadable("takes the determinant of samples")
    return [_applied(reader, "determinant", value)]


def einsum(reader: Reader, call: Call) -> list[Value]:
    """Read a sum of products in Einstein's notation.

    Parameters
    ----------
    reader : Reader
        The graph.
    call : Call
        The node.

    Returns
    -------
    list of Value
        The sum.
    """
    names, equation = call.inputs, call.text("equation", "")
    constants = {
        place: reader.constants[name]
        for place, name in enumerate(names)
        if name in reader.constants
    }
    values = {
        place: reader.plain(reader.value(name))
        for place, name in enumerate(names)
        if place not in constants
    }
    ranks = [
        constants[place].ndim if place in constants else len(values[place].axes)
        for place in range(len(names))
    ]
    terms, result = einsum_terms(equation, ranks)
    if not reader.first:
        batch = result[:1]
        for place, array in constants.items():
            if terms[place][:1] == batch and len(array) == 1:
                constants[place], terms[place] = array[0], terms[place][1:]
        inner = [terms[place][1:] for place in values] + [terms[place] for place in constants]
        is_led = batch and all(terms[place][:1] == batch for place in values)
        if not is_led or batch in result[1:] or any(batch in each for each in inner):
            raise Unreadable(f"computes {equation}, whose first axis is not that of samples alone")
        terms = [term[1:] if place in values else term for place, term in enumerate(terms)]
        result = result[1:]
    lengths: dict[str, int] = {}
    for place, term in enumerate(terms):
        shape = constants[place].shape if place in constants else values[place].shape
        for letter, length in zip(term, shape, strict=True):
            lengths[letter] = max(lengths.get(letter, 1), length)
    reader.check_room(*lengths.values())
    samples = next(each for each in ascii_letters if each not in lengths)
    options = {"terms": [samples + term for term in (*terms, result)]}
    shapes = [(1, *constants[n].shape) if n in constants else None for n in range(len(names))]
    layer = layers.ArrayOperation("einsum", options, shapes if constants else None)
    weights = {
        f"constant_{place}": each.astype(np.float32)[np.newaxis]
        for place, each in constants.items()
    }
    return [reader.as_plain(reader.apply(layer, *values.values(), weights=weights)[0])]


def product(reader: Reader, a: Value, b: Value) -> Value:
    """Multiply matrices, stacks of them, and vectors, of whole inputs.

    Parameters
    ----------
    reader : Reader
        The graph.
    a, b : Value
        The factors.

    Returns
    -------
    Value
        The product.
    """
    a, b = reader.plain(a), reader.plain(b)
    dropped = [-2] * (len(a.shape) == 1) + [-1] * (len(b.shape) == 1)
    if len(b.shape) == 1:
        (b,) = map(reader.as_plain, reader.apply(layers.Reshape((*b.shape, 1)), b))
    rank = max(len(a.shape), len(b.shape), 2)
    made = reader.as_plain(
        reader.apply(layers.MatMul(), reader.raised(a, rank), reader.raised(b, rank))[0]
    )
    if not dropped:
        return made
    shape = [n for place, n in enumerate(made.shape, -rank) if place not in dropped]
    return reader.as_plain(reader.apply(layers.Reshape(shape), made)[0])


def gemm(reader: Reader, call: Call) -> list[Value]:
    """Read a product of matrices of a whole input, and the matrix that it is added to.

    Parameters
    ----------
    reader : Reader
        The graph.
    call : Call
        The node.

    Returns
    -------
    list of Value
        The sum.
    """
    factors = []
    for n, name in enumerate(("transA", "transB")):
        value = reader.value(call.input(n))
        flips = call.attributes.get(name, 0)
        factors.append(replace(value, axes=value.axes[::-1]) if flips else value)
    found = product(reader, *factors)
    alpha, beta = (call.attributes.get(name, 1.0) for name in ("alpha", "beta"))
    if alpha != 1:
        (found,) = reader.apply(layers.Rescaling(alpha), found)
    if not call.input(2):
        return [found]
    bias = reader.value(call.input(2))
    if beta != 1:
        (bias,) = reader.apply(layers.Rescaling(beta), bias)
    return combined(reader, "add", [reader.hold(found), reader.hold(bias)])


OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = {
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys((*_GATHERED, *_SCATTERED), _by_places),
    **dict.fromkeys(("Size", "EyeLike"), _size),
    "Compress": _compress,
    "CumProd": _products,
    "Det": _determinant,
    "Hardmax": _hardmax,
    "OneHot": _one_hot,
    "TopK": _top,
    "Trilu": _triangle,
}
"""The function that reads each operator."""
