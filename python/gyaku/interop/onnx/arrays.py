"""Operations on arrays of ONNX nodes, which NumPy computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import layers
from gyaku.interop.onnx.reader import Unreadable, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gyaku.interop.onnx.reader import Call, Reader

__all__ = ["ELEMENTWISE", "OPERATORS", "aligned", "combined", "mixed", "operated", "taken"]


def operated(reader: Reader, operation: str, value: Value, **options: Any) -> Value:
    """Apply an operation to one value.

    Parameters
    ----------
    reader : Reader
        The graph.
    operation : str
        Its name.
    value : Value
        The value.
    **options : object
        Its options.

    Returns
    -------
    Value
        The result.
    """
    return reader.apply(layers.ArrayOperation(operation, options), value)[0]


def combined(reader: Reader, operation: str, names: Sequence[str]) -> list[Value]:
    """Apply an operation to values and constants that are broadcast.

    Parameters
    ----------
    reader : Reader
        The graph.
    operation : str
        Its name.
    names : sequence of str
        The names of its arguments.

    Returns
    -------
    list of Value
        The result.
    """
    values = [None if name in reader.constants else reader.value(name) for name in names]
    if reader.first and not any(values):  # constants that onnx does not compute
        values[0] = reader.value(names[0])
    given = [value for value in values if value is not None]
    if reader.first:
        ranks = [reader.constants[name].ndim for name in names if name in reader.constants]
        rank = max([*ranks, *(len(each.axes) for each in given)])
        given = [reader.raised(each, rank) for each in given]
    axes = given[0].axes
    moves = operation == "matmul" or None in axes or given[0].order is not None
    if moves or any(each.axes != axes or each.order is not None for each in given):
        given = [reader.plain(each) for each in given]
        axes = max((each.axes for each in given), key=len)
    if any(len(each.axes) != len(axes) for each in given):
        raise Unreadable("broadcasts values of different ranks, one along the batch of the other")
    constants = {
        place: aligned(reader.constants[name], axes)
        for place, (name, value) in enumerate(zip(names, values, strict=True))
        if value is None
    }
    if not constants and (known := _layer(operation, given)) is not None:
        return reader.apply(known, *given)
    shapes = [constants[n].shape if n in constants else None for n in range(len(names))]
    layer = layers.ArrayOperation(operation, constants=shapes if constants else None)
    weights = {f"constant_{place}": each for place, each in constants.items()}
    return reader.apply(layer, *given, weights=weights)


def _layer(operation: str, given: Sequence[Value]) -> layers.Layer | None:
    """Return the layer of an operation on values alone, if there is one with a kernel."""
    if operation == "matmul" and min(len(each.shape) for each in given) < 2:
        return None
    return _LAYERS[operation]() if operation in _LAYERS else None


_LAYERS: dict[str, type[layers.Layer]] = {
    "add": layers.Add, "subtract": layers.Subtract, "multiply": layers.Multiply,
    "divide": layers.Divide, "matmul": layers.MatMul,
}  # fmt: skip


def aligned(constant: NDArray[Any], axes: Sequence[int | None]) -> NDArray[Any]:
    """Return a constant with the axes of the tensors that it is combined with.

    Parameters
    ----------
    constant : ndarray
        The constant.
    axes : sequence of int or None
        The axes of the tensors.

    Returns
    -------
    ndarray
        The constant, an axis of length 1 for the samples.
    """
    extra = len(axes) - constant.ndim
    if extra < 0 and set(constant.shape[:-extra]) != {1}:
        raise Unreadable(f"takes a constant of shape {constant.shape}, which has too many axes")
    array = constant.reshape(
        (1,) * extra + constant.shape if extra >= 0 else constant.shape[-extra:]
    )
    is_whole = 0 not in axes
    array = array.transpose([axes.index(axis + is_whole) for axis in range(len(axes))])
    if is_whole:
        array = array[np.newaxis]
    if array.shape[0] != 1:
        raise Unreadable(
            f"takes a constant of shape {constant.shape}, which varies with the sample"
        )
    return array.astype(np.float32)


def taken(reader: Reader, value: Value, axis: int, indices: Sequence[int]) -> Value:
    """Take elements along an axis of ONNX.

    Parameters
    ----------
    reader : Reader
        The graph.
    value : Value
        The value.
    axis : int
        The axis.
    indices : sequence of int
        Indices of the elements.

    Returns
    -------
    Value
        The elements.
    """
    axis %= len(value.axes)
    length = value.dimensions[axis]
    own = value.axes[axis]
    if own == 0:
        raise Unreadable("takes some of the samples of a batch")
    wanted = [int(n) for n in indices]
    if wanted == [*range(length)]:
        return value
    if own is None or value.order is not None:
        value = reader.plain(value)
        own = value.axes[axis]
    return operated(reader, "take", value, indices=wanted, axis=own)


_UNARY = {
    "Abs": "abs", "Acos": "acos", "Acosh": "acosh", "Asin": "asin", "Asinh": "asinh",
    "Atan": "atan", "Atanh": "atanh", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Erf": "erf",
    "Exp": "exp", "Floor": "floor", "IsInf": "is_inf", "IsNaN": "is_nan", "Log": "log",
    "Neg": "negative", "Not": "invert", "Reciprocal": "reciprocal", "Round": "round",
    "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Sqrt": "sqrt", "Tan": "tan",
}  # fmt: skip
_BINARY = {
    "Add": "add", "And": "logical_and", "Div": "divide", "Equal": "equal", "Greater": "greater",
    "GreaterOrEqual": "greater_equal", "Less": "less", "LessOrEqual": "less_equal",
    "Mul": "multiply", "Or": "logical_or", "Pow": "power", "Sub": "subtract", "Where": "where",
    "Xor": "logical_xor",
}  # fmt: skip
_SEVERAL = {"Max": "maximum", "Mean": "add", "Min": "minimum", "Sum": "add"}
_REDUCTIONS = {
    "ReduceL1": "l1", "ReduceL2": "l2", "ReduceLogSum": "log_sum",
    "ReduceLogSumExp": "log_sum_exp", "ReduceMax": "max", "ReduceMean": "mean",
    "ReduceMin": "min", "ReduceProd": "prod", "ReduceSum": "sum", "ReduceSumSquare": "sum_square",
}  # fmt: skip
# The operation, and its options with their defaults.
_WITH_OPTIONS: dict[str, tuple[str, dict[str, tuple[str, float]]]] = {
    "HardSigmoid": ("hard_sigmoid", {"alpha": ("alpha", 0.2), "beta": ("beta", 0.5)}),
    "Selu": ("elu", {"alpha": ("alpha", 1.6732632), "gamma": ("gamma", 1.050701)}),
    "Shrink": ("shrink", {"bias": ("bias", 0.0), "limit": ("lambd", 0.5)}),
    "Swish": ("swish", {"alpha": ("alpha", 1.0)}),
    "ThresholdedRelu": ("threshold", {"limit": ("alpha", 1.0)}),
}  # fmt: skip


def _unary(reader: Reader, call: Call) -> list[Value]:
    signs = [call.attributes.get(f"detect_{sign}", 1) for sign in ("negative", "positive")]
    if 0 in signs:
        infinity = np.inf if signs[1] else -np.inf if signs[0] else np.nan
        reader.constants[" infinity"] = np.array(infinity, np.float32)
        return combined(reader, "equal", [call.input(0), " infinity"])
    return [operated(reader, _UNARY[call.operator], reader.value(call.input(0)))]


def _binary(reader: Reader, call: Call) -> list[Value]:
    return combined(reader, _BINARY[call.operator], call.inputs)


def _modulo(reader: Reader, call: Call) -> list[Value]:
    operation = "remainder" if call.attributes.get("fmod", 0) else "modulo"
    return combined(reader, operation, call.inputs)


def _several(reader: Reader, call: Call) -> list[Value]:
    """Combine any number of values, from the first to the last."""
    names, operation = list(call.inputs), _SEVERAL[call.operator]
    if len(names) == 1:
        return [reader.value(names[0])]
    while len(names) > 1:
        (made,) = combined(reader, operation, names[:2])
        names[:2] = [reader.hold(made)]
    if call.operator == "Mean":
        scale = layers.Rescaling(1 / len(call.inputs))
        return reader.apply(scale, reader.value(names[0]))
    return [reader.value(names[0])]


def _with_options(reader: Reader, call: Call) -> list[Value]:
    operation, named = _WITH_OPTIONS[call.operator]
    options = {name: call.attributes.get(*given) for name, given in named.items()}
    return [operated(reader, operation, reader.value(call.input(0)), **options)]


def _clip(reader: Reader, call: Call) -> list[Value]:
    limits = []
    for n, name in ((1, "min"), (2, "max")):
        given = call.attributes.get(name)
        if call.input(n):
            given = reader.constant(call.input(n), name).item()
        limits.append(None if given is None else float(given))
    value = reader.value(call.input(0))
    return [operated(reader, "clip", value, least=limits[0], most=limits[1])]


def reduced(reader: Reader, call: Call, axes: Sequence[int]) -> list[Value]:
    """Reduce over axes.

    Parameters
    ----------
    reader : Reader
        The graph.
    call : Call
        The node.
    axes : sequence of int
        The axes; none of them is the batch.

    Returns
    -------
    list of Value
        The result.
    """
    value = reader.plain(reader.value(call.input(0)))
    if not axes and call.attributes.get("noop_with_empty_axes", 0):
        return [value]
    rank = len(value.axes)
    places = sorted(value.axes[axis % rank] or 0 for axis in axes or range(rank))
    if 0 in places:
        raise Unreadable("reduces over the samples of a batch")
    keep = bool(call.attributes.get("keepdims", 1))
    operation = _REDUCTIONS[call.operator]
    return [reader.as_plain(operated(reader, operation, value, axes=places, keepdims=keep))]


def _unit(reader: Reader, call: Call) -> list[Value]:
    """Divide vectors by their norm; one of zeros stays."""
    axis, order = call.attributes.get("axis", -1), call.attributes.get("p", 2)
    value = reader.plain(reader.value(call.input(0)))
    own = value.axes[axis]
    if own == 0 or order not in (1, 2):
        raise Unreadable("normalises over the samples of a batch, or by another norm")
    norm = operated(reader, f"l{order}", value, axes=[own], keepdims=True)
    (norm,) = reader.apply(layers.Add(), norm, operated(reader, "invert", norm))
    return reader.apply(layers.Divide(), value, norm)


def _slice(reader: Reader, call: Call) -> list[Value]:
    value, attributes = reader.value(call.input(0)), call.attributes
    found: dict[str, Any] = {name: attributes.get(name) for name in ("starts", "ends", "axes")}
    for n, name in enumerate(("starts", "ends", "axes", "steps"), 1):
        if call.input(n):
            found[name] = reader.constant(call.input(n), name).tolist()
    axes = found["axes"] or range(len(found["starts"]))
    steps = found.get("steps") or [1] * len(found["starts"])
    for axis, start, end, step in zip(axes, found["starts"], found["ends"], steps, strict=True):
        length = value.dimensions[axis]
        if (
            value.axes[axis] == 0
            and start == 0
            and step == 1
            and (end > 2**30 or end in (0, reader.batch))
        ):
            continue
        bounds = slice(start, None if step < 0 and end < -length else end, step)
        value = taken(reader, value, axis, range(*bounds.indices(length)))
    return [value]


def _split(reader: Reader, call: Call) -> list[Value]:
    value, axis = reader.value(call.input(0)), call.attributes.get("axis", 0)
    sizes, length = call.attributes.get("split"), value.dimensions[axis]
    if call.input(1):
        sizes = reader.constant(call.input(1), "sizes").tolist()
    if sizes is None:
        each = -(-length // len(call.outputs))
        sizes = [min(each, length - n * each) for n in range(len(call.outputs))]
    ends = np.cumsum(sizes)
    return [
        taken(reader, value, axis, range(end - size, end))
        for end, size in zip(ends.tolist(), sizes, strict=True)
    ]


def _tile(reader: Reader, call: Call) -> list[Value]:
    value = reader.value(call.input(0))
    for axis, count in enumerate(reader.constant(call.input(1), "repeats").tolist()):
        if count != 1:
            reader.check_room(count, *value.shape)
            value = taken(reader, value, axis, [*range(value.dimensions[axis])] * count)
    return [value]


def _expand(reader: Reader, call: Call) -> list[Value]:
    value = reader.plain(reader.value(call.input(0)))
    target = reader.constant(call.input(1), "shape").tolist()
    rank = len(value.axes)
    if reader.first:
        value = reader.raised(value, len(target))
    elif len(target) > rank or (len(target) == rank and target[0] not in (0, 1, reader.batch)):
        raise Unreadable(f"expands to {target}, along the batch")
    inner = tuple(target[-len(value.shape) :]) if value.shape else ()
    shape = np.broadcast_shapes(value.shape, inner)
    reader.check_room(*shape)
    return [reader.as_plain(operated(reader, "expand", value, shape=list(shape)))]


def _cumulative(reader: Reader, call: Call) -> list[Value]:
    axis = int(reader.constant(call.input(1), "axis").item())
    value = reader.value(call.input(0))
    reader.check_room(*(value.dimensions[axis],) * 2)
    matrix = np.triu(np.ones((value.dimensions[axis],) * 2), call.attributes.get("exclusive", 0))
    return [mixed(reader, value, axis, matrix.T if call.attributes.get("reverse", 0) else matrix)]


def mixed(reader: Reader, value: Value, axis: int, matrix: NDArray[Any]) -> Value:
    """Multiply an axis of ONNX by a matrix, or take elements if that is all it does.

    Parameters
    ----------
    reader : Reader
        The graph.
    value : Value
        The value.
    axis : int
        The axis.
    matrix : ndarray
        The matrix, of shape (old length, new length).

    Returns
    -------
    Value
        The product.
    """
    if ((matrix == 0) | (matrix == 1)).all() and (matrix.sum(axis=0) == 1).all():
        return taken(reader, value, axis, matrix.argmax(axis=0).tolist())
    axis %= len(value.axes)
    own = value.axes[axis]
    if own == 0:
        raise Unreadable("combines the samples of a batch")
    if own is None or value.order is not None:
        value = reader.plain(value)
        own = value.axes[axis]
    layer = layers.ArrayOperation("mix", {"axis": own}, [None, matrix.shape])
    return reader.apply(layer, value, weights={"constant_1": matrix.astype(np.float32)})[0]


def padded(reader: Reader, value: Value, pads: Sequence[int], mode: str, fill: float) -> Value:
    """Pad all axes of a value.

    Parameters
    ----------
    reader : Reader
        The graph.
    value : Value
        The value.
    pads : sequence of int
        Elements before each axis, then behind each; negative ones are cut off.
    mode : str
        Name of the mode.
    fill : float
        Value of a constant padding.

    Returns
    -------
    Value
        The padded value.
    """
    rank, value = len(value.axes), reader.plain(value)
    pairs = [(pads[n], pads[n + rank]) for n in range(rank)]
    if value.axes[0] == 0 and pairs[0] != (0, 0):
        raise Unreadable("pads the batch")
    lengths = zip(value.dimensions, pairs, strict=True)
    reader.check_room(*(max(n, 1) + max(a, 0) + max(b, 0) for n, (a, b) in lengths))
    for axis, (before, behind) in enumerate(pairs):
        length = value.dimensions[axis]
        if not value.axes[axis]:
            continue
        if mode != "constant":
            numbers = np.arange(length)[max(-before, 0) : length - max(-behind, 0)]
            places = np.pad(numbers, (max(before, 0), max(behind, 0)), mode=mode)  # type: ignore[call-overload]
            value = taken(reader, value, axis, places.tolist())
        else:
            value = taken(reader, value, axis, range(max(-before, 0), length - max(-behind, 0)))
    widths = [[max(n, 0) for n in pair] for pair in pairs[1 - reader.first :]]
    if mode == "constant" and any(map(any, widths)):
        value = operated(reader, "pad", value, widths=widths, fill=fill)
    return value


ELEMENTWISE = {*_UNARY, *_BINARY, *_SEVERAL, *_WITH_OPTIONS, "Clip", "Mod", "PRelu"}
"""Operators that treat all axes alike."""

OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BINARY, _binary),
    **dict.fromkeys(_SEVERAL, _several),
    **dict.fromkeys(_WITH_OPTIONS, _with_options),
    "Clip": _clip,
    "CumSum": _cumulative,
    "Expand": _expand,
    "LpNormalization": _unit,
    "Mod": _modulo,
    "Slice": _slice,
    "Split": _split,
    "Tile": _tile,
}
"""The function that reads each operator."""
REDUCTIONS = _REDUCTIONS
