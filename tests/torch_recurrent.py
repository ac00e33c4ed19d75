"""Record recurrent layers of PyTorch, with outputs and gradients, as JSON on the standard output.

The file beside this one, torch_recurrent.json, was made by PyTorch 2.13.0 (torch.nn.RNN, LSTM and
GRU, on their own initial weights, in float64)::

    python tests/torch_recurrent.py > tests/torch_recurrent.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES, TIME, FEATURES, UNITS, LENGTHS = 2, 3, 2, 3, [3, 2]
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("RNN", {}),
    "rnn of relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "lstm without bias": ("LSTM", {"bias": False}),
    "lstm with projection": ("LSTM", {"proj_size": 2}),
    "gru": ("GRU", {}),
    "two layers of lstm, both directions": ("LSTM", {"num_layers": 2, "bidirectional": True}),
    "two layers of gru, both directions": ("GRU", {"num_layers": 2, "bidirectional": True}),
}


def recorded(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return arguments, parameters, results and all gradients; states only of a single layer."""
    import torch

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    layer = getattr(torch.nn, kind)(FEATURES, UNITS, batch_first=True, **options)
    single = "num_layers" not in options
    widths = [options.get("proj_size", UNITS)] + [UNITS] * (kind == "LSTM") if single else []
    x = torch.randn(SAMPLES, TIME, FEATURES, requires_grad=True)
    states = [torch.randn(1, SAMPLES, width, requires_grad=True) for width in widths]
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True)
    given = (tuple(states) if kind == "LSTM" else states[0]) if single else None
    output, last = layer(packed, given)
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    results = [y, *(last if isinstance(last, tuple) else (last,))] if single else [y]
    gradients = [torch.randn_like(each) for each in results]
    torch.autograd.backward(results, gradients)

    def numbers(arrays: Any) -> list[Any]:
        return [each.detach().tolist() for each in arrays]

    return {
        "x": x.tolist(),
        "dx": x.grad.tolist(),  # type: ignore[union-attr]
        "states": numbers(states),
        "dstates": numbers(each.grad for each in states),
        "params": {name: each.tolist() for name, each in layer.named_parameters()},
        "grads": {name: each.grad.tolist() for name, each in layer.named_parameters()},
        "results": numbers(results),
        "dresults": numbers(gradients),
        "lengths": LENGTHS,
    }


def load() -> dict[str, Any]:
    """Return the records by name."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())
    return loaded


def converted(
    kind: str, arrays: dict[str, Any], suffix: str = "_l0", *, gradients: bool = False
) -> dict[str, NDArray[Any]]:
    """Return parameters, or their gradients, by the names of gyaku's arguments.

    Matrices are transposed. Two biases that are only added are one, with the gradient of either.
    """
    given = {
        name.removesuffix(suffix): np.array(each)
        for name, each in arrays.items()
        if name.endswith(suffix)
    }
    named = {"w": given["weight_ih"].T, "u": given["weight_hh"].T}
    if "bias_ih" in given and kind == "gru":
        named |= {"b": given["bias_ih"], "b_recurrent": given["bias_hh"]}
    elif "bias_ih" in given:
        named["b"] = given["bias_ih"] if gradients else given["bias_ih"] + given["bias_hh"]
    if "weight_hr" in given:
        named["projection"] = given["weight_hr"].T
    return named


if __name__ == "__main__":
    print(json.dumps({name: recorded(*config) for name, config in CONFIGS.items()}))
