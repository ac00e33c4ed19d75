"""Recurrent operations are those of ONNX's nodes RNN, LSTM and GRU."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_recurrent
import pytest

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
