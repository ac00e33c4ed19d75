"""Record recurrent nodes of ONNX, with their outputs, as JSON on the standard output.

The file beside this one, onnx_recurrent.json, was made by onnx 1.23.2 and ONNX Runtime 1.32.0, of
opset 14 and in float32, since ONNX Runtime runs no recurrent nodes in float64::

    python tests/onnx_recurrent.py > tests/onnx_recurrent.json

Nodes of layout 1, which ONNX Runtime does not run either, are those of onnx's own reference
evaluator; it ignores `sequence_lens`, `clip` and the activations of LSTM and GRU.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SAMPLES, TIME, FEATURES, UNITS, LENGTHS = 3, 4, 2, 3, [4, 2, 3]
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
# ONNX's HardSigmoid rises by 0.2 unless it is told otherwise.
HARD = {"activation_alpha": [1 / 6], "activation_beta": [0.5]}
EVERY = ("B", "sequence_lens", "initial_h")
FIRST = {"layout": 1}  # the samples
# Node, attributes, and optional inputs.
CASES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "rnn": ("RNN", {}, ()),
    "rnn of relu, reverse": ("RNN", {"activations": ["Relu"], "direction": "reverse"}, EVERY),
    "rnn, both directions": (
        "RNN",
        {"direction": "bidirectional", "activations": ["Tanh", "Relu"], "clip": 0.7},
        EVERY,
    ),
    "rnn, samples first": ("RNN", FIRST, ("B", "initial_h")),
    "lstm, samples first": ("LSTM", FIRST, ("B", "initial_h", "initial_c", "P")),
    "gru, samples first": ("GRU", FIRST | {"linear_before_reset": 1}, ("B", "initial_h")),
    "rnn of softsign": ("RNN", {"activations": ["Softsign"]}, EVERY),
    "lstm": ("LSTM", {}, ()),
    "lstm, reverse": ("LSTM", {"direction": "reverse"}, (*EVERY, "initial_c")),
    "lstm, both directions, peepholes": (
        "LSTM",
        {"direction": "bidirectional"},
        (*EVERY, "initial_c", "P"),
    ),
    "lstm with a clip": ("LSTM", {"clip": 0.4}, (*EVERY, "initial_c", "P")),
    "lstm of other functions": (
        "LSTM",
        {"activations": ["HardSigmoid", "Softsign", "Relu"], **HARD},
        (*EVERY, "initial_c"),
    ),
    "gru": ("GRU", {"linear_before_reset": 1}, ()),
    "gru, the gate before, reverse": ("GRU", {"direction": "reverse"}, EVERY),
    "gru, both directions": (
        "GRU",
        {"direction": "bidirectional", "linear_before_reset": 1},
        EVERY,
    ),
    "gru with a clip": ("GRU", {"linear_before_reset": 1, "clip": 0.4}, EVERY),
    "gru, the gate before, with a clip": ("GRU", {"clip": 0.4}, EVERY),
    "gru of other functions": (
        "GRU",
        {"linear_before_reset": 1, "activations": ["HardSigmoid", "Relu"], **HARD},
        EVERY,
    ),
}
FUNCTIONS = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Relu": "relu",
    "HardSigmoid": "hard_sigmoid",
    "Softsign": "softsign",
}
USUAL = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
# The place of each of our gates among ONNX's: i, f, g, o in iofc; r, z, n in zrh.
ORDER = {"RNN": [0], "LSTM": [0, 2, 3, 1], "GRU": [1, 0, 2]}


def directions(attributes: dict[str, Any]) -> list[bool]:
    """Return whether each direction of a node is the reverse one."""
    found: str = attributes.get("direction", "forward")
    return {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[found]


def recorded(op: str, attributes: dict[str, Any], optional: tuple[str, ...]) -> dict[str, Any]:
    """Return inputs and outputs of a node."""
    import onnxruntime
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    random = np.random.default_rng(len(op) + len(optional))
    count, columns = len(directions(attributes)), GATES[op] * UNITS
    shapes = {
        "X": (TIME, SAMPLES, FEATURES),
        "W": (count, columns, FEATURES),
        "R": (count, columns, UNITS),
        "B": (count, 2 * columns),
        "initial_h": (count, SAMPLES, UNITS),
        "initial_c": (count, SAMPLES, UNITS),
        "P": (count, 3 * UNITS),
    }
    inputs = {
        name: random.normal(0, 0.8, shape).round(3).astype(np.float32)
        for name, shape in shapes.items()
        if name in {"X", "W", "R", *optional}
    }
    if "sequence_lens" in optional:
        inputs["sequence_lens"] = np.array(LENGTHS, np.int32)
    if attributes.get("layout"):
        states = {"X", "initial_h", "initial_c"} & inputs.keys()
        inputs |= {name: inputs[name].swapaxes(0, 1).copy() for name in states}
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"]
    names = [name if name in inputs else "" for name in order[: 8 if op == "LSTM" else 6]]
    outputs = ["Y", "Y_h", "Y_c"][: 3 if op == "LSTM" else 2]
    node = helper.make_node(op, names, outputs, hidden_size=UNITS, **attributes)

    def value(name: str, array: Array | None = None) -> Any:
        kind = TensorProto.INT32 if name == "sequence_lens" else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, None if array is None else array.shape)

    given = [value(name, array) for name, array in inputs.items()]
    graph = helper.make_graph([node], op, given, [value(name) for name in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    evaluate: Any = (
        ReferenceEvaluator(model)
        if attributes.get("layout")
        else onnxruntime.InferenceSession(model.SerializeToString())
    )
    results = evaluate.run(outputs, inputs)
    return {
        "op": op,
        "attributes": attributes,
        "inputs": {name: array.astype(float).round(3).tolist() for name, array in inputs.items()},
        "outputs": {
            name: each.astype(float).round(8).tolist()
            for name, each in zip(outputs, results, strict=True)
        },
    }


def load() -> dict[str, Any]:
    """Return the records by name."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())
    return loaded


def in_our_order(op: str, array: Array) -> Array:
    """Return the gates along the first axis in our order."""
    return np.concatenate([np.split(array, GATES[op])[place] for place in ORDER[op]])


def converted(record: dict[str, Any], direction: int) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return arguments and options of our operation for a direction of a node."""
    op, attributes = record["op"], record["attributes"]
    given = {name: np.array(each) for name, each in record["inputs"].items()}
    after = op == "GRU" and bool(attributes.get("linear_before_reset"))
    if not attributes.get("layout"):
        given["X"] = given["X"].swapaxes(0, 1)
    else:
        states = {"initial_h", "initial_c"} & given.keys()
        given |= {name: given[name].swapaxes(0, 1) for name in states}
    arrays = {"x": given["X"]}
    arrays |= {
        ours: in_our_order(op, given[theirs][direction]).T
        for ours, theirs in (("w", "W"), ("u", "R"))
    }
    if "B" in given:
        one, other = (in_our_order(op, each) for each in np.split(given["B"][direction], 2))
        arrays |= {"b": one, "b_recurrent": other} if after else {"b": one + other}
    if "P" in given:
        i, o, f = np.split(given["P"][direction], 3)
        arrays["peepholes"] = np.stack([i, f, o])
    for name, ours in (("initial_h", "h0"), ("initial_c", "c0")):
        if name in given:
            arrays[ours] = given[name][direction]
    if "sequence_lens" in given:
        arrays["lengths"] = given["sequence_lens"].astype(np.int64)
    names = attributes.get("activations", USUAL[op] * 2)[direction * len(USUAL[op]) :]
    functions = tuple(FUNCTIONS[name] for name in names[: len(USUAL[op])])
    options = {"activation": functions[0]} if op == "RNN" else {"activations": functions}
    options |= {"reset_after": after} if op == "GRU" else {}
    options |= {"clip": attributes.get("clip"), "reverse": directions(attributes)[direction]}
    return arrays, options


if __name__ == "__main__":
    print(json.dumps({name: recorded(*case) for name, case in CASES.items()}))
