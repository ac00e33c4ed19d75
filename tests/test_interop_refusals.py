"""Layers and options that the formats of other programs lack; every other one is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layer_cases import LAYER_CASES

import gyaku as gk

OWN = {"Product", "Scale", "Sum"}
# Ways to make a layer that a format has not, by the function that writes it.
REFUSED: dict[str, set[str]] = {
    "to_onnx": OWN,
    "to_c": OWN | {"BatchNorm without statistics"},
    "to_numpy": OWN | {"BatchNorm without statistics"},
    "to_keras": {
        *OWN,
        *(
            "Step",
            "Dense with step",
            "GELUTanh",
            "Dense with gelu_tanh",
            "LogSoftmax along an axis",
        ),
        *("SELU with parameters", "SELU with a scale", "Softplus with parameters"),
        *("HardSigmoid with parameters", "Dense with a line of its own", "Dropout of the paper"),
        *("Conv2DTranspose with all it takes", "Conv3DTranspose with all it takes"),  # groups
        *("MaxPool2D overlapping", "MaxPool1D", "AvgPool2D overlapping", "MaxPool3D overlapping"),
        *("AvgPool3D overlapping", "MaxPool2D far beyond the edge", "AvgPool2D with dilation"),
        *("AvgPool2D with a divisor", "AvgPool1D with a divisor", "AvgPool3D with a divisor"),
        *("LPPool2D", "LPPool2D of magnitudes", "LPPool2D overlapping", "MaxUnpool2D"),
        *("MaxUnpool2D with padding", "LocalResponseNorm", "LocalResponseNorm of an even size"),
        *("BatchNorm without parameters", "BatchNorm without statistics", "RMSNorm without scale"),
        *("ArrayOperation", "ArrayOperation with a constant", "ArrayOperation with options"),
        *("ArrayOperation over axes", "Divide", "Divide by a row", "MatMul of scores"),
        *("LSTM with all it takes", "LSTM without bias", "LSTM with peepholes"),
        "Bidirectional from states",
        *("GRU with all it takes", "Pad", "Pad reflected", "Pad by the edge", "Pad of rows"),
        *("Slice", "Slice backwards", "Upsample with corners", "Upsample exactly"),
        "Upsample by cubes",
    },
}
ENDINGS = {"to_onnx": "onnx", "to_c": "c", "to_numpy": "py", "to_keras": "keras"}


def refusal(write: Callable[[Any, Path], None], name: str, path: Path) -> str:
    """Return the sentence that refuses a layer, "" if it is written."""
    case = LAYER_CASES[name]
    model = case.model()
    model.build(case.shapes if len(case.shapes) > 1 else case.shapes[0])
    try:
        write(model, path)
    except ValueError as error:
        assert not path.exists()
        return str(error)
    return ""


@pytest.mark.parametrize("function", REFUSED)
def test_layers_without_a_counterpart_are_those_listed(function: str, tmp_path: Path) -> None:
    write, path = getattr(gk.interop, function), tmp_path / f"model.{ENDINGS[function]}"
    found = {}
    for name in LAYER_CASES:
        path.unlink(missing_ok=True)
        if reason := refusal(write, name, path):
            found[name] = reason
    assert found.keys() == REFUSED[function]
    for name, reason in found.items():
        assert reason.startswith(f"{function}: "), (name, reason)
