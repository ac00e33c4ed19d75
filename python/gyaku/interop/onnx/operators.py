"""Layers of ONNX nodes: a function for each operator."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import layers
from gyaku.interop.onnx import (
    arrays,
    normalizations,
    norms_reader,
    recurrent_reader,
    resizing,
    selections,
    shapes,
    windows,
)
from gyaku.interop.onnx.normalizations import placed
from gyaku.interop.onnx.reader import Unreadable, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gyaku.interop.onnx.reader import Call, Reader

__all__ = ["CHANNELS_FIRST", "ELEMENTWISE", "OPERATORS"]


def _identity(reader: Reader, call: Call) -> list[Value]:
    return [reader.value(call.input(0))]


def _cast(reader: Reader, call: Call) -> list[Value]:
    return _converted(reader, reader.value(call.input(0)), call.attributes["to"])


def _converted(reader: Reader, value: Value, kind: int) -> list[Value]:
    is_whole = value.integer or value.tensor.dtype  # of ids as well, which stay integers
    if kind in _FLOATS or (is_whole and kind in _INTEGERS):
        return [value]
    if kind == _BOOL:
        zero_where_true = arrays.operated(reader, "invert", value)
        return [arrays.operated(reader, "invert", zero_where_true)]
    if kind not in _INTEGERS:
        raise Unreadable("casts to a type that is neither a float nor an integer")
    return [replace(arrays.operated(reader, "truncate", value), integer=True)]


def _cast_like(reader: Reader, call: Call) -> list[Value]:
    """Pass a value or a constant on, in the type of values here."""
    name, like = call.inputs
    if reader.first and like in reader.kinds:
        return _converted(reader, reader.value(name), reader.kinds[like])
    given = reader.constants.get(like)
    if (given.dtype.kind != "f") if given is not None else not reader.value(like).tensor.node:
        raise Unreadable("casts to a type that may be no float")
    if name not in reader.constants:
        return [reader.value(name)]
    reader.constants[call.outputs[0]] = reader.constants[name].astype(np.float32)
    return []


_FLOATS, _INTEGERS, _BOOL = (1, 10, 11, 16), (2, 3, 4, 5, 6, 7, 12, 13), 9


_ACTIVATIONS: dict[str, Callable[[], layers.Activation]] = {
    "Sigmoid": layers.Sigmoid,
    "Tanh": layers.Tanh,
    "Relu": layers.ReLU,
    "Softplus": layers.Softplus,
    "Softsign": layers.Softsign,
    "HardSwish": layers.HardSwish,
    "Mish": layers.Mish,
    "Swish": layers.SiLU,
    "Step": layers.Step,
    "GeluTanh": layers.GELUTanh,
}


def _activation(reader: Reader, call: Call) -> list[Value]:
    if call.attributes.get("alpha", 1.0) != 1:  # of Swish
        return arrays.OPERATORS[call.operator](reader, call)
    return reader.apply(_ACTIVATIONS[call.operator](), reader.value(call.input(0)))


# Default of alpha.
_PARAMETRIC: dict[str, tuple[type[Any], float]] = {
    "LeakyRelu": (layers.LeakyReLU, 0.01),
    "Elu": (layers.ELU, 1.0),
    "Celu": (layers.CELU, 1.0),
}


def _parametric(reader: Reader, call: Call) -> list[Value]:
    kind, alpha = _PARAMETRIC[call.operator]
    return reader.apply(kind(call.attributes.get("alpha", alpha)), reader.value(call.input(0)))


# Defaults of the attributes, and those of the layer.
_FIXED: dict[str, tuple[Callable[..., layers.Activation], dict[str, Any], dict[str, Any]]] = {
    "HardSigmoid": (layers.HardSigmoid, {"alpha": 0.2, "beta": 0.5}, {"alpha": 1 / 6, "beta": 0.5}),
    "Selu": (
        layers.SELU,
        {"alpha": 1.6732632, "gamma": 1.050701},
        {"alpha": 1.6732632, "gamma": 1.050701},
    ),
}


def _fixed(reader: Reader, call: Call) -> list[Value]:
    kind, defaults, needed = _FIXED[call.operator]
    given = {name: call.attributes.get(name, value) for name, value in defaults.items()}
    usual = all(np.isclose(given[name], value, rtol=1e-5) for name, value in needed.items())
    return reader.apply(kind() if usual else kind(**given), reader.value(call.input(0)))


def _gelu(reader: Reader, call: Call) -> list[Value]:
    layer = layers.GELU() if call.text("approximate", "none") == "none" else layers.GELUTanh()
    return reader.apply(layer, reader.value(call.input(0)))


def _softmax(reader: Reader, call: Call) -> list[Value]:
    value = reader.value(call.input(0))
    axis = call.attributes.get("axis", -1 if reader.opset >= 13 else 1) % len(value.axes)
    kind = layers.Softmax if call.operator == "Softmax" else layers.LogSoftmax
    if value.axes[axis] == len(value.shape) and (reader.opset >= 13 or axis == len(value.axes) - 1):
        return reader.apply(kind(), value)
    value = reader.plain(value)
    own = axis + reader.first
    if own == 0:
        raise Unreadable("normalises over the samples of a batch")
    if reader.opset >= 13:
        return reader.apply(kind(own), value)
    shape = value.shape  # all axes from this one on are one
    joined = (*shape[: own - 1], math.prod(shape[own - 1 :]))
    (value,) = reader.apply(layers.Reshape(joined), value)
    (value,) = reader.apply(kind(), reader.as_plain(value))
    return [reader.as_plain(reader.apply(layers.Reshape(shape), value)[0])]


def _dropout(reader: Reader, call: Call) -> list[Value]:
    rate = call.attributes.get("ratio", 0.5)
    if call.input(1):
        rate = reader.constant(call.input(1), "ratio").item()
    if rate and call.input(2) and reader.constant(call.input(2), "training_mode").item():
        raise Unreadable("drops elements in prediction as well")
    return reader.apply(layers.Dropout(rate), reader.value(call.input(0)))


def _dense(reader: Reader, value: Value, weight: NDArray[Any], bias: Any) -> list[Value]:
    if value.axes[-1] != len(value.shape):
        value = reader.plain(value)
    weights = {"weight": placed(weight, value)}
    if bias is not None:
        weights["bias"] = np.broadcast_to(bias.reshape(-1), weight.shape[1:])
    layer = layers.Dense(weight.shape[1], use_bias=bias is not None)
    return reader.apply(layer, replace(value, order=None), weights=weights)


def _gemm(reader: Reader, call: Call) -> list[Value]:
    if reader.first and not _is_dense(reader, call):
        return selections.gemm(reader, call)
    if call.attributes.get("transA", 0):
        raise Unreadable("transposes its input")
    value = reader.value(call.input(0))
    weight = reader.constant(call.input(1), "weight")
    weight = weight.T if call.attributes.get("transB", 0) else weight
    bias = reader.constant(call.input(2), "bias") if call.input(2) else None
    if bias is not None:
        bias = bias * np.float32(call.attributes.get("beta", 1.0))
    return _dense(reader, value, weight * np.float32(call.attributes.get("alpha", 1.0)), bias)


def _is_dense(reader: Reader, call: Call) -> bool:
    """Return whether a product of a whole input has constant weights, and a row as bias."""
    bias = reader.constants.get(call.input(2))
    is_row = not call.input(2) or (bias is not None and math.prod(bias.shape[:-1]) == 1)
    return call.input(1) in reader.constants and is_row and not call.attributes.get("transA", 0)


def _matmul(reader: Reader, call: Call) -> list[Value]:
    of_weight = [reader.constants[name].ndim for name in call.inputs if name in reader.constants]
    if reader.first and (of_weight != [2] or call.input(0) in reader.constants):
        return [selections.product(reader, *map(reader.value, call.inputs))]
    if call.input(0) in reader.constants or call.input(1) not in reader.constants:
        return arrays.combined(reader, "matmul", call.inputs)
    value, weight = reader.value(call.input(0)), reader.constants[call.input(1)]
    weight = weight[0] if weight.ndim == 3 and len(weight) == 1 else weight
    if weight.ndim != 2:
        return arrays.combined(reader, "matmul", call.inputs)
    if value.merged:
        raise Unreadable("multiplies the outputs of both directions")
    name, bias = call.outputs[0], None
    node = reader.users.get(name)
    if node is not None and node.op_type == "Add" and reader.uses[name] == 1:
        other = node.input[1] if node.input[0] == name else node.input[0]
        found = reader.constants.get(other)
        if found is not None and found.shape[-1:] == weight.shape[1:] == (found.size,):
            bias = found
            reader.aliases[node.output[0]] = name
    return _dense(reader, value, weight, bias)


def _masking(reader: Reader, call: Call) -> list[Value]:
    padding = reader.constants[call.inputs[1]].item()
    return reader.apply(layers.Masking(padding), reader.plain(reader.value(call.inputs[0])))


def _prelu(reader: Reader, call: Call) -> list[Value]:
    """Read a rectifier, whose slopes train if they are constant."""
    value, name = reader.value(call.input(0)), call.input(1)
    if name not in reader.constants or value.order is not None or None in value.axes:
        return arrays.combined(reader, "slope", call.inputs)
    alpha = arrays.aligned(reader.constants[name], value.axes)[0]
    shared = [axis for axis, n in enumerate(alpha.shape, 1) if n == 1]
    return reader.apply(layers.PReLU(shared), value, weights={"alpha": alpha})


def _einsum(reader: Reader, call: Call) -> list[Value]:
    """Read the product of an axis of a value and a constant matrix."""
    equation = call.text("equation", "").replace(" ", "")
    given, _, result = equation.partition("->")
    inner, _, pair = given.partition(",")
    is_product = len(pair) == 2 and pair[:1] in inner and inner.replace(*pair[:2]) == result
    if not is_product or pair[1] in inner or call.input(1) not in reader.constants:
        return selections.einsum(reader, call)
    value, matrix = reader.value(call.input(0)), reader.constants[call.input(1)]
    if inner[-1] == pair[0] and value.axes[-1] == len(value.shape):
        return _dense(reader, value, matrix, None)
    return [arrays.mixed(reader, value, inner.index(pair[0]), matrix)]


def _scaler(reader: Reader, call: Call) -> list[Value]:
    """Read scikit-learn's scaling of features: (x - offset) scale."""
    value = reader.plain(reader.value(call.input(0)))
    found = []
    for name, operation in (("offset", "subtract"), ("scale", "multiply")):
        row = np.atleast_1d(np.float32(call.attributes[name]))[np.newaxis]
        layer = layers.ArrayOperation(operation, constants=[None, row.shape])
        (value,) = reader.apply(layer, value, weights={"constant_1": row})
        found = [value]
    return found


def _arithmetic(reader: Reader, call: Call) -> list[Value]:
    """Read a sum of values, or a scale or an offset for all elements."""
    if call.outputs[0] in reader.aliases:
        return [reader.value(reader.aliases[call.outputs[0]])]
    constants = [name in reader.constants for name in call.inputs]
    if call.operator in ("Add", "Sum") and not any(constants):
        return _sum(reader, call)
    if len(call.inputs) != 2 or not any(constants):
        return arrays.OPERATORS[call.operator](reader, call)
    place = constants.index(True)
    found = reader.constants[call.inputs[place]]
    if found.size != 1 or found.ndim > len(reader.value(call.inputs[1 - place]).axes):
        return _by_channel(reader, call, place, found)
    number = float(found.item())
    is_integer = reader.value(call.inputs[1 - place]).integer  # whose quotients are exact
    if call.operator == "Div" and (place == 0 or is_integer):
        return arrays.OPERATORS["Div"](reader, call)
    scale, offset = {
        "Add": (1.0, number),
        "Sum": (1.0, number),
        "Sub": (1.0, -number) if place else (-1.0, number),
        "Mul": (number, 0.0),
        "Div": (1 / number if number else np.inf, 0.0),
    }[call.operator]
    return reader.apply(layers.Rescaling(scale, offset), reader.value(call.inputs[1 - place]))


def _by_channel(reader: Reader, call: Call, place: int, constant: NDArray[Any]) -> list[Value]:
    """Read an offset or a scale for each channel."""
    value = reader.value(call.inputs[1 - place])
    long = [n - constant.ndim for n, length in enumerate(constant.shape) if length > 1]
    is_first = place == 0 and call.operator in ("Sub", "Div")
    if len(long) != 1 or value.axes[long[0]] != len(value.shape) or value.order is not None:
        return arrays.OPERATORS[call.operator](reader, call)
    array = constant.ravel().astype(np.float64)
    rounds = call.operator == "Div" and value.integer
    if is_first or rounds or (call.operator in ("Mul", "Div") and (array <= 0).any()):
        return arrays.OPERATORS[call.operator](reader, call)
    zeros, ones = np.zeros_like(array), np.ones_like(array)
    mean, std = {
        "Add": (-array, ones),
        "Sum": (-array, ones),
        "Sub": (array, ones),
        "Mul": (zeros, 1 / np.where(array == 0, 1, array)),
        "Div": (zeros, array),
    }[call.operator]
    return reader.apply(layers.Normalization(mean.tolist(), std.tolist()), value)


def _sum(reader: Reader, call: Call) -> list[Value]:
    values = [reader.value(name) for name in call.inputs]
    first = values[0]
    alike = all(each.axes == first.axes and _order(each) == _order(first) for each in values)
    if not alike or len({each.shape for each in values}) > 1 or len(values) < 2:
        return arrays.OPERATORS[call.operator](reader, call)
    return reader.apply(layers.Add(), *values)


def _order(value: Value) -> list[int]:
    return [] if value.order is None else value.order.tolist()


OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = {
    **arrays.OPERATORS,
    **normalizations.OPERATORS,
    **norms_reader.OPERATORS,
    **recurrent_reader.OPERATORS,
    **resizing.OPERATORS,
    **selections.OPERATORS,
    **shapes.OPERATORS,
    **windows.OPERATORS,
    **windows.PADDING,
    **dict.fromkeys(_ACTIVATIONS, _activation),
    **dict.fromkeys(_PARAMETRIC, _parametric),
    **dict.fromkeys(_FIXED, _fixed),
    **dict.fromkeys(("Add", "Sum", "Sub", "Mul", "Div"), _arithmetic),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Dropout": _dropout,
    "Einsum": _einsum,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Identity": _identity,
    "Masking": _masking,
    "MatMul": _matmul,
    "PRelu": _prelu,
    "Scaler": _scaler,
    "ZipMap": _identity,  # the probabilities, without the names of the classes
}
"""The function that reads each operator."""

CHANNELS_FIRST = {*windows.OPERATORS, *normalizations.CHANNELS_FIRST}
"""Operators whose images have channels first."""

ELEMENTWISE = {
    *arrays.ELEMENTWISE,
    *_ACTIVATIONS, *_PARAMETRIC, *_FIXED, "Add", "Sub", "Mul", "Div", "Cast", "Dropout", "Gelu",
    "Identity", "Pad",
}  # fmt: skip
"""Operators that treat all axes alike."""
