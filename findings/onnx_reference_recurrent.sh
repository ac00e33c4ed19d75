#!/usr/bin/env bash
# onnx 1.23.2: `onnx.reference.ReferenceEvaluator` evaluates nodes as the standard defines them. One
# would expect it to compute LSTM, GRU and RNN with their attributes and optional inputs, or to say
# that it cannot, so that the outputs of a runtime can be compared with it.
#
# Seen, with ONNX Runtime 1.32.0 beside it on the same nodes (differences below 1e-6 without them):
# - `sequence_lens` is read and ignored: the steps behind the end of a sequence are computed, and
#   enter the last state;
# - `clip` is ignored in all three;
# - `activations` are ignored in LSTM and GRU, whatever they name, while RNN raises for "Relu", which
#   the standard lists.
# No warning is given. So a converter whose test compares with the evaluator can lose all three
# without a failing test. Fails if the behaviour changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper
from onnx.reference import ReferenceEvaluator

TIME, SAMPLES, FEATURES, UNITS = 4, 2, 3, 5
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def difference(op, lengths=None, **attributes):
    """Return the largest difference between the outputs of the evaluator and of the runtime."""
    random = np.random.default_rng(0)
    shapes = {
        "X": (TIME, SAMPLES, FEATURES),
        "W": (1, GATES[op] * UNITS, FEATURES),
        "R": (1, GATES[op] * UNITS, UNITS),
    }
    given = {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    names = list(given)
    if lengths is not None:
        given["L"] = np.array(lengths, np.int32)
        names += ["", "L"]
    node = helper.make_node(op, names, ["", "Y_h"], hidden_size=UNITS, **attributes)
    inputs = [
        helper.make_tensor_value_info(
            name, TensorProto.INT32 if name == "L" else TensorProto.FLOAT, each.shape
        )
        for name, each in given.items()
    ]
    output = helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, (1, SAMPLES, UNITS))
    graph = helper.make_graph([node], "graph", inputs, [output])
    opset = helper.make_opsetid("", 14)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    checker.check_model(model)
    found = ReferenceEvaluator(model).run(None, given)[0]
    runtime = onnxruntime.InferenceSession(model.SerializeToString()).run(None, given)[0]
    return float(np.abs(found - runtime).max())


for op in GATES:
    assert difference(op) < 1e-6, op
    for name, found in {
        "sequence_lens": difference(op, lengths=[4, 2]),
        "clip": difference(op, clip=0.3),
    }.items():
        print(f"{op}: {name} ignored, the last states differ by {found:.2f}")
        assert found > 0.1, (op, name, found)
for op, functions in {"LSTM": ["HardSigmoid", "Softsign", "Relu"], "GRU": ["Sigmoid", "Relu"]}.items():
    found = difference(op, activations=functions)
    print(f"{op}: activations ignored, the last states differ by {found:.2f}")
    assert found > 0.1, (op, found)
try:
    difference("RNN", activations=["Relu"])
except RuntimeError as error:
    print("RNN:", error)
    assert "Unknown activation function 'Relu'" in str(error)
else:
    raise AssertionError("RNN knows Relu")
PYTHON
