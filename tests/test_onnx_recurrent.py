"""Recurrent operations are those of ONNX's nodes RNN, LSTM and GRU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_recurrent
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from test_onnx_import import graph_file, node

import gyaku as gk
from gyaku import ops, reference

RECORDED = onnx_recurrent.load()
NAMES = {"RNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}


def test_all_nodes_are_recorded() -> None:
    cases = onnx_recurrent.CASES
    assert {name: (each["op"], each["attributes"]) for name, each in RECORDED.items()} == {
        name: (op, attributes) for name, (op, attributes, _) in cases.items()
    }


@pytest.mark.parametrize("library", [ops, reference], ids=["native", "reference"])
@pytest.mark.parametrize("case", RECORDED)
def test_outputs_are_those_of_the_node(case: str, library: Any) -> None:
    record = RECORDED[case]
    outputs = {name: np.array(each) for name, each in record["outputs"].items()}
    if record["attributes"].get("layout"):
        y = outputs["Y"].transpose(1, 2, 0, 3)
        outputs = {name: each.swapaxes(0, 1) for name, each in outputs.items()} | {"Y": y}
    for direction in range(outputs["Y"].shape[1]):
        arrays, options = onnx_recurrent.converted(record, direction)
        results = getattr(library, NAMES[record["op"]])(**arrays, **options)
        expected = {"Y": outputs["Y"][:, direction].swapaxes(0, 1)}
        expected |= {name: outputs[name][direction] for name in outputs if name != "Y"}
        for (name, each), found in zip(expected.items(), results, strict=False):
            np.testing.assert_allclose(found, each, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("gates", [1, 3, 4], ids=["RNN", "GRU", "LSTM"])
def test_a_layer_that_gives_its_last_state_alone_is_read(gates: int, tmp_path: Path) -> None:
    # As converters write a Keras layer with return_sequences=False: Y is left out, Y_h squeezed.
    op, units, features = {1: "RNN", 3: "GRU", 4: "LSTM"}[gates], 3, 2
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.standard_normal((1, gates * units, features)),
        "r": rng.standard_normal((1, gates * units, units)),
        "b": rng.standard_normal((1, 2 * gates * units)),
        "dense": rng.standard_normal((units, 5)),
    }
    options = {"linear_before_reset": 1} if op == "GRU" else {}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(op, ["t", "w", "r", "b"], ["", "h"], hidden_size=units, **options),
        node("Squeeze", ["h", "axes"], ["last"]),
        node("MatMul", ["last", "dense"], ["y"]),
    ]
    constants = {name: each.astype(np.float32) for name, each in weights.items()}
    path = graph_file(
        *(tmp_path / "a.onnx", *nodes),
        **{"shape": ("n", 7, features), "rank": 2, "axes": np.array([0]), **constants},
    )
    x = rng.standard_normal((4, 7, features)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    model = gk.interop.from_onnx(path)
    assert not any(getattr(layer, "return_sequences", False) for layer in model.layers)
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
def test_states_of_both_directions_may_be_inputs(operator: str, tmp_path: Path) -> None:
    gates, states = {"RNN": (1, 1), "GRU": (3, 1), "LSTM": (4, 2)}[operator]
    rng, value = np.random.default_rng(0), helper.make_tensor_value_info
    shapes: dict[str, list[Any]] = {"x": ["time", "n", 2], "h": [2, "n", 3], "c": [2, "n", 3]}
    names = ["x", "h", "c"][: 1 + states]
    weights = {"w": (2, gates * 3, 2), "r": (2, gates * 3, 3)}
    options = {"hidden_size": 3, "direction": "bidirectional"}
    inputs = ["x", "w", "r", "", "", *names[1:]]
    nodes = [
        helper.make_node(operator, inputs, ["s"], **options),
        helper.make_node("ReduceSum", ["s", "axis"], ["y"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [value(name, TensorProto.FLOAT, shapes[name]) for name in names],
        [value("y", TensorProto.FLOAT, ["time", "n", 3])],
        [
            numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)
            for name, shape in weights.items()
        ]
        + [numpy_helper.from_array(np.array([1]), "axis")],
    )
    path, opset = tmp_path / "a.onnx", [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    given = [rng.standard_normal((4, 5, 2)), *rng.standard_normal((states, 2, 5, 3))]
    feed = {name: each.astype(np.float32) for name, each in zip(names, given, strict=True)}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, feed)
    for wrong in ([(4, 2)], (4, 2), [(4, 3), *[(2, 3)] * states]):
        with pytest.raises(ValueError, match="input_shape must"):
            gk.interop.from_onnx(path, input_shape=wrong)
    model = gk.interop.from_onnx(path, input_shape=[(4, 2), *[(2, 3)] * states])
    x = tuple(each.swapaxes(0, 1) for each in feed.values())
    np.testing.assert_allclose(model.forward(x), expected.swapaxes(0, 1), rtol=1e-5, atol=1e-6)
