"""Recurrent layers with activation functions and limits that kernels do not have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrent_cases import PARTS, RESULTS, SAVED, SMALL, drawn

import gyaku as gk
from gyaku import ops, reference

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, 6, 20)
X = RNG.standard_normal((20, 5, 3)).astype(np.float32)
Y = RNG.standard_normal((20, 5, 4)).astype(np.float32)
LAYERS: dict[str, Callable[..., gk.Layer]] = {
    "rnn": lambda **given: gk.SimpleRNN(4, "softsign", clip=1.0, **given),
    "lstm": lambda **given: gk.LSTM(
        4, activations=("hard_sigmoid", "tanh", "identity"), peepholes=True, **given
    ),
    "gru": lambda **given: gk.GRU(4, clip=0.5, **given),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=list(LAYERS))
OPTIONS: dict[str, Any] = {"loss": "mse", "epochs": 4, "batch_size": 6, "verbose": 0}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("simple_rnn", {"activation": "softsign", "clip": 1.0}),
        ("lstm", {"activations": ("hard_sigmoid", "tanh", "relu"), "reverse": True}),
        ("gru", {"clip": 0.5, "reset_after": False}),
    ],
)
def test_operations_give_what_the_equations_do(name: str, options: Any, dtype: Any) -> None:
    rng, parts = np.random.default_rng(3), [part for part in PARTS[name][-1] if "_" not in part]
    arrays = drawn(name, rng, np.dtype(dtype), SMALL, parts)
    results = getattr(ops, name)(**arrays, **options)
    expected = getattr(reference, name)(**arrays, **options)
    given = {key: arrays[key] for key in ("x", "w", "u", "lengths")}
    given |= {key: each for key, each in arrays.items() if key in {"c0", "peepholes", "projection"}}
    given |= {key: dict(zip(RESULTS[name], expected, strict=True))[key] for key in SAVED[name]}
    dy = rng.standard_normal(expected[0].shape).astype(dtype)
    gradients = getattr(ops, f"{name}_backward")(dy, **given, **options)
    expected += getattr(reference, f"{name}_backward")(dy, **given, **options)
    for found, each in zip((*results, *gradients), expected, strict=True):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, each)


def trained(make: Callable[..., gk.Layer]) -> gk.Sequential:
    model = gk.Sequential(gk.Dense(3), make(return_sequences=True), seed=2)
    model.fit(X, Y, lengths=LENGTHS, **OPTIONS)
    return model


@each_layer
def test_training_in_numpy_is_replayed_like_any(make: Callable[..., gk.Layer]) -> None:
    model = trained(make)
    assert "host" in str(model.program())
    with gk.use_backend("reference"):
        expected = trained(make)
    np.testing.assert_allclose(model.flat_params, expected.flat_params, rtol=1e-4, atol=1e-5)


@each_layer
def test_a_limit_or_another_function_changes_the_outputs(make: Callable[..., gk.Layer]) -> None:
    model, plain = trained(make), type(make())(4, return_sequences=True)
    if isinstance(plain, gk.LSTM):
        plain = gk.LSTM(4, return_sequences=True, peepholes=True)
    other = gk.Sequential(gk.Dense(3), plain)
    other.build(X.shape[1:])
    for name, values in model.params.items():
        other.params[name.replace(model[1].name, plain.name)] = values
    assert np.abs(model.predict(X) - other.predict(X)).max() > 0.01


@each_layer
def test_a_file_keeps_the_options(make: Callable[..., gk.Layer], tmp_path: Path) -> None:
    model = trained(make)
    model.save(tmp_path / "model.safetensors")
    again = gk.load(tmp_path / "model.safetensors")
    assert repr(again[1]) == repr(model[1])
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@each_layer
def test_a_stream_and_both_directions_have_the_options(make: Callable[..., gk.Layer]) -> None:
    model = trained(make)
    stream, whole = model.stream(), model.forward(X[:1])[0]
    np.testing.assert_allclose([stream(x) for x in X[0]], whole, rtol=1e-5, atol=1e-6)
    both = gk.Sequential(gk.Bidirectional(make(return_sequences=True)))  # type: ignore[arg-type]
    one, other = (make(return_sequences=True, go_backwards=back) for back in (False, True))
    y = both.forward(X, lengths=LENGTHS)
    for layer, half, part in ((one, y[..., :4], "forward"), (other, y[..., 4:], "backward")):
        single = gk.Sequential(layer)
        single.build(X.shape[1:])
        for name in layer.params:
            layer.params[name] = both.params[f"bidirectional.{part}.{name}"]
        np.testing.assert_array_equal(single.forward(X, lengths=LENGTHS), half)
