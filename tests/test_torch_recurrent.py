"""Recurrent layers are those of PyTorch on its own weights: outputs, states and all gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch_recurrent
from numpy.typing import NDArray

from gyaku import ops

Array = NDArray[Any]
RECORDED = torch_recurrent.load()
OPERATIONS = {"rnn": "simple_rnn", "lstm": "lstm", "gru": "gru"}
SAVED = {"rnn": slice(0, None, 2), "lstm": slice(3, None), "gru": slice(2, None)}
GRADIENTS = {"rnn": "x w u b h0", "lstm": "x w u b h0 c0", "gru": "x w u b b_recurrent h0"}
STATES, LAST = ("h0", "c0"), ("dhn", "dcn")


def named(names: tuple[str, ...], arrays: list[Any], dtype: Any) -> dict[str, Array]:
    """Return the arrays of a single layer by name."""
    return {name: np.array(each[0], dtype) for name, each in zip(names, arrays, strict=False)}


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("case", [case for case in RECORDED if "layers" not in case])
def test_outputs_and_gradients_are_those_of_pytorch(case: str, dtype: Any, bound: float) -> None:
    record, kind = RECORDED[case], case.split()[0]
    name, options = OPERATIONS[kind], dict[str, Any](lengths=np.array(record["lengths"]))
    if case.endswith("relu"):
        options["activation"] = "relu"
    params = torch_recurrent.converted(kind, record["params"])
    given = {key: each.astype(dtype) for key, each in params.items()}
    x, states = np.array(record["x"], dtype), named(STATES, record["states"], dtype)
    results = getattr(ops, name)(x, **given, **states, **options)
    dy, *of_last = record["dresults"]
    extra = {key: each for key, each in (given | states).items() if key in {"c0", "projection"}}
    gradients = getattr(ops, f"{name}_backward")(
        *(np.array(dy, dtype), x, given["w"], given["u"], *results[SAVED[kind]]),
        **named(LAST, of_last, dtype),
        **extra,
        **options,
    )
    names = [*GRADIENTS[kind].split(), *(["projection"] if "projection" in extra else [])]
    found = dict(zip(names, gradients, strict=True))
    expected = torch_recurrent.converted(kind, record["grads"], gradients=True)
    expected |= {"x": np.array(record["dx"])} | named(STATES, record["dstates"], np.float64)
    found |= dict(zip(("y", "hn", "cn"), results, strict=False))
    wanted, *last = record["results"]
    expected |= {"y": np.array(wanted)} | named(("hn", "cn"), last, np.float64)
    for key, each in expected.items():
        assert found[key].dtype == dtype
        assert np.abs(found[key] - each).max() <= bound * np.abs(each).max(), key
