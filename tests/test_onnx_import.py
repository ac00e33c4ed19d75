"""Models read from ONNX files: round trips, foreign exports, damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from layer_cases import LAYER_CASES
from test_onnx_export import CASES, drawn, randomised

import gyaku as gk

# A norm that is no whole number has no operator.
READ = {name: case for name, case in CASES.items() if name != "LPPool2D overlapping"}


@pytest.mark.parametrize("name", READ)
def test_a_round_trip_keeps_outputs_and_gradients(name: str, tmp_path: Path) -> None:
    case = LAYER_CASES[name]
    model, path = case.model(), tmp_path / "model.onnx"
    model.build(case.shape)
    randomised(model)
    gk.interop.to_onnx(model, path)
    again = gk.interop.from_onnx(path)
    inputs = drawn(case)
    x = tuple(inputs) if len(inputs) > 1 else inputs[0]
    y = model.forward(x)
    np.testing.assert_allclose(again.forward(x), y, rtol=1e-6, atol=1e-6)
    if case.vocabulary:
        return
    dy = np.random.default_rng(2).standard_normal(y.shape).astype(np.float32)
    of_model = model.backward(dy, input_gradient=True)
    of_again = again.backward(dy, input_gradient=True)
    if not isinstance(of_model, tuple):
        of_model, of_again = (of_model,), (of_again,)
    for a, b in zip(of_again, of_model, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
