"""Layers of ONNX's recurrent nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import layers
from gyaku.interop.onnx import arrays
from gyaku.interop.onnx.reader import DIRECTION, Unreadable, Value
from gyaku.interop.onnx.recurrent import ACTIVATIONS, GATES, PEEPHOLES, reordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from gyaku.interop.onnx.reader import Call, Reader

__all__ = ["OPERATORS"]

_OPERATIONS = {"LSTM": "lstm", "GRU": "gru", "RNN": "simple_rnn"}
_ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def _recurrent(reader: Reader, call: Call) -> list[Value]:
    """Read a recurrent node."""
    value, batch_first = reader.value(call.input(0)), bool(call.attributes.get("layout", 0))
    if value.axes != ((0, 1, 2) if batch_first else (1, 0, 2)):
        raise Unreadable("takes sequences whose axes are not (time, batch, features)")
    directions = 2 if call.text("direction", "forward") == "bidirectional" else 1
    weights = _weights(reader, call, directions)
    _check_lengths(reader, call)
    options = {"use_bias": "bias" in weights[0], **_options(call, directions)}
    states = _initial(reader, call)
    used = [bool(name) and reader.uses[name] > 0 for name in call.outputs]
    used += [False] * (3 - len(used))
    if directions == 2:
        return _both(reader, call, (value, *states), options, weights, used, batch_first)
    outputs = _one(reader, call, (value, *states), options, weights[0], used)
    leading = (0, 1, None) if batch_first else (1, None, 0)
    found = [replace(outputs[0], axes=(*leading, 2), final=outputs[1])]
    front = (0, None) if batch_first else (None, 0)
    return found + [replace(each, axes=(*front, 1)) for each in outputs[1:]]


def _layer(call: Call, units: int, **options: Any) -> Any:
    kinds: Any = {"LSTM": layers.LSTM, "GRU": layers.GRU, "RNN": layers.SimpleRNN}
    return kinds[call.operator](units, **options)


def _one(
    reader: Reader,
    call: Call,
    values: tuple[Value, ...],
    options: dict[str, Any],
    weights: dict[str, NDArray[Any]],
    used: list[bool],
) -> list[Value]:
    """Return sequence and last states of one direction."""
    backwards = call.text("direction", "forward") == "reverse"
    sequences, states = used[0], used[1] or used[2]
    settings = {"return_sequences": True, "return_state": True}
    if not states and not _takes_last(reader, call.outputs[0]):
        settings["return_state"] = False
    if not sequences and not used[2]:
        settings = {"return_sequences": False, "return_state": False}
    layer = _layer(call, _units(weights), go_backwards=backwards, **settings, **options)
    made = reader.apply(layer, *(replace(each, axes=(0,)) for each in values), weights=weights)
    if not settings["return_sequences"]:
        return [made[0], made[0]]
    return made if settings["return_state"] else [made[0], made[0]]


def _takes_last(reader: Reader, name: str) -> bool:
    """Return whether the last step is read from the sequence, behind nodes that move axes."""
    node = reader.users.get(name)
    if node is None:
        return False
    if node.op_type in ("Transpose", "Squeeze", "Reshape", "Identity"):
        return _takes_last(reader, node.output[0])
    return bool(node.op_type == "Gather")


def _both(
    reader: Reader,
    call: Call,
    values: tuple[Value, ...],
    options: dict[str, Any],
    weights: list[dict[str, NDArray[Any]]],
    used: list[bool],
    batch_first: bool,
) -> list[Value]:
    """Return the outputs of both directions, which a later node merges."""
    if used[2] or (used[0] and used[1]):
        raise Unreadable(
            "gives sequences and last states in both directions, and Bidirectional gives either"
        )
    states = _by_direction(reader, values[1:])
    named = {
        f"{direction}.{name}": each
        for direction, found in zip(("forward", "backward"), weights, strict=True)
        for name, each in found.items()
    }
    inner = _layer(call, _units(weights[0]), return_sequences=used[0], **options)

    def merged(merge: str) -> Value:
        layer = layers.Bidirectional(inner, merge)
        given = (replace(each, axes=(0,)) for each in (values[0], *states))
        return reader.apply(layer, *given, weights=named)[0]

    if used[0]:
        axes: tuple[int | None, ...] = (0, 1, DIRECTION, 2) if batch_first else (1, DIRECTION, 0, 2)
    else:
        axes = (0, DIRECTION, 1) if batch_first else (DIRECTION, 0, 1)
    units = _units(weights[0])
    shape = (values[0].shape[0], units) if used[0] else (units,)
    waiting = Value(values[0].tensor, shape, axes, merged=merged)
    return [waiting] * len(call.outputs)


def _by_direction(reader: Reader, states: Sequence[Value]) -> list[Value]:
    """Return the states of the forward direction, then those of the other."""
    if any(each.axes != (1, 0, 2) for each in states):
        raise Unreadable("takes initial states whose axes are not (direction, batch, units)")
    found = []
    for n in range(2 * bool(states)):
        for each in states:
            row = arrays.operated(reader, "take", each, indices=[n], axis=1)
            found += reader.apply(layers.Reshape(row.shape[1:]), row)
    return found


def _units(weights: dict[str, NDArray[Any]]) -> int:
    return int(weights["recurrent_weight"].shape[0])


def _options(call: Call, directions: int) -> dict[str, Any]:
    if call.attributes.get("input_forget"):
        raise Unreadable("has input_forget=1, which no layer has")
    names = _activations(call, directions)
    options: dict[str, Any] = {"clip": call.attributes.get("clip")}
    options |= {"activation": names[0]} if call.operator == "RNN" else {"activations": names}
    if call.operator == "GRU":
        options["reset_after"] = bool(call.attributes.get("linear_before_reset", 0))
    if call.operator == "LSTM":
        options["peepholes"] = bool(call.input(7))
    return options


def _activations(call: Call, directions: int) -> list[str]:
    """Return the functions of one direction by their names here."""
    default = _ACTIVATIONS[call.operator]
    given = [each.decode() for each in call.attributes.get("activations", [])]
    given = given or default * directions
    numbers = {key: iter(call.attributes.get(f"activation_{key}", [])) for key in ("alpha", "beta")}
    found = []
    for name in given:
        here = next((key for key, row in ACTIVATIONS.items() if row[0] == name), None)
        if here is None:
            raise Unreadable(f"has the activation {name}, which no layer has")
        wanted = zip(
            ("alpha", "beta"), ACTIVATIONS[here][1:], _DEFAULTS.get(name, ()), strict=False
        )
        for key, number, usual in wanted:
            stated = usual if number is None else next(numbers[key], usual)
            if number is not None and not np.isclose(stated, number, rtol=1e-5):
                raise Unreadable(f"has {name} with {key}={stated:g}, and layers have {number:g}")
        found.append(here)
    if found != found[: len(default)] * directions:
        raise Unreadable(f"has the activations {', '.join(given)}, which differ by direction")
    return found[: len(default)]


_DEFAULTS = {"Affine": (1.0, 0.0), "LeakyRelu": (0.01,), "Elu": (1.0,), "HardSigmoid": (0.2, 0.5)}


def _weights(reader: Reader, call: Call, directions: int) -> list[dict[str, NDArray[Any]]]:
    """Return the parameters of each direction."""
    w, r = (reader.constant(call.input(n), "weights") for n in (1, 2))
    gates = len(GATES[_OPERATIONS[call.operator]])
    units: int = call.attributes.get("hidden_size") or r.shape[-1]
    if w.shape[:2] != (directions, gates * units) or r.shape != (directions, gates * units, units):
        raise Unreadable(
            f"has weights of shapes {w.shape} and {r.shape}, which do not fit hidden_size={units};"
            " an LSTM with a projection is not complete in such a node"
        )
    b = reader.constant(call.input(3), "bias") if call.input(3) else None
    p = reader.constant(call.input(7), "peepholes") if call.input(7) else None
    found = []
    for n in range(directions):
        of_one = _matrices(call, w[n].T, r[n].T, None if b is None else b[n])
        if p is not None:
            of_one["peepholes"] = p[n].reshape(3, units)[_inverse(PEEPHOLES)]
        found.append(of_one)
    return found


def _inverse(order: Iterable[int]) -> list[int]:
    return [int(n) for n in np.argsort(list(order))]


def _matrices(
    call: Call, w: NDArray[Any], r: NDArray[Any], b: NDArray[Any] | None
) -> dict[str, NDArray[Any]]:
    order = tuple(_inverse(GATES[_OPERATIONS[call.operator]]))
    found = {"weight": reordered(w, order), "recurrent_weight": reordered(r, order)}
    if b is None:
        return found
    first, second = (reordered(each, order) for each in np.split(b, 2))
    if call.operator == "GRU" and call.attributes.get("linear_before_reset", 0):
        return found | {"bias": first, "recurrent_bias": second}
    return found | {"bias": first + second}


def _initial(reader: Reader, call: Call) -> list[Value]:
    """Return the initial states; none if all are zero."""
    names = [name for name in (call.input(5), call.input(6)) if name]
    names = [name for name in names if not _is_zero(reader, name)]
    if not names:
        return []
    if call.operator == "LSTM" and len(names) < 2:
        raise Unreadable("has one initial state that is not zero, and LSTM takes both or none")
    return [reader.value(name) for name in names]


def _is_zero(reader: Reader, name: str) -> bool:
    if name in reader.constants:
        return not reader.constants[name].any()  # also an empty one, which has the batch 0
    node = reader.makers.get(name)
    return (
        node is not None
        and node.op_type in ("Expand", "ConstantOfShape", "Transpose")
        and (node.op_type == "ConstantOfShape" or _is_zero(reader, node.input[0]))
    )


def _check_lengths(reader: Reader, call: Call) -> None:
    name = call.input(4)
    time = reader.value(call.input(0)).shape[0]
    if name in reader.constants and (reader.constants[name] == time).all():
        return
    if name and name not in reader.lengths:
        raise Unreadable(
            "takes sequence_lens from elsewhere than from the ids of an Embedding, padded with 0"
        )


OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = dict.fromkeys(_OPERATIONS, _recurrent)
"""The function that reads each operator."""
