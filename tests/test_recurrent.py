"""Recurrent layers: padding, carried states, one step at a time, both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch_recurrent
from numpy.typing import NDArray

import gyaku as gk
from gyaku import ops

Array = NDArray[Any]
EPS = float(np.finfo(np.float64).eps)
F32 = np.dtype(np.float32)
RECORDED = torch_recurrent.load()
LAYERS: dict[str, Callable[..., Any]] = {
    "SimpleRNN": gk.SimpleRNN,
    "LSTM": gk.LSTM,
    "LSTM with projection": lambda *units, **options: gk.LSTM(
        *units, peepholes=True, projection=3, **options
    ),
    "GRU": gk.GRU,
    "GRU with the gate before": lambda *units, **options: gk.GRU(
        *units, reset_after=False, **options
    ),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=list(LAYERS))


def built(layer: gk.Layer, *shape: int) -> Any:
    """Return a layer with random parameters."""
    gk.Sequential(layer).build(shape)
    rng = np.random.default_rng(3)
    for each in layer.params.values():
        each[...] = 0.5 * rng.standard_normal(each.shape)
    return layer


def sequences(samples: int, time: int, features: int, seed: int = 0) -> Array:
    x = np.random.default_rng(seed).standard_normal((samples, time, features))
    return x.astype(np.float32)


def same(actual: Any, expected: Any) -> None:
    """Compare bits."""
    assert np.ascontiguousarray(actual).tobytes() == np.ascontiguousarray(expected).tobytes()


@each_layer
def test_a_backward_pass_may_run_the_forward_pass_again(make: Callable[..., Any]) -> None:
    x, dy = sequences(3, 4, 2), sequences(3, 4, 2, seed=1)
    found = []
    for recompute in (False, True):
        layer = built(make(5, return_sequences=True, recompute=recompute), 4, 2)
        y = layer.forward(x, lengths=np.array([1, 4, 3]))
        dx = layer.backward(np.ones_like(y) * dy[..., :1])
        found.append([dx, *layer.grads.values()])
        assert (layer.saved is None) == recompute
    for one, other in zip(*found, strict=True):
        same(one, other)


@each_layer
def test_an_output_stays_at_its_time_in_a_layer_that_goes_backwards(
    make: Callable[..., Any],
) -> None:
    x, lengths = sequences(2, 5, 3), np.array([3, 5])
    y = built(make(4, return_sequences=True, go_backwards=True), 5, 3).forward(x, lengths=lengths)
    onwards = built(make(4, return_sequences=True), 5, 3)
    for row, length in enumerate(lengths):
        turned = onwards.forward(x[row : row + 1, :length][:, ::-1])
        np.testing.assert_allclose(y[row, :length], turned[0, ::-1], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(y[row, length:], 0)


@pytest.mark.parametrize("case", [case for case in RECORDED if "layers" in case])
def test_layers_on_each_other_in_both_directions_are_those_of_pytorch(case: str) -> None:
    kind, record = ("lstm" if "lstm" in case else "gru"), RECORDED[case]
    make = {"lstm": gk.LSTM, "gru": gk.GRU}[kind]
    x, lengths = np.array(record["x"]), np.array(record["lengths"])
    layers = [
        gk.Bidirectional(make(3, return_sequences=True), name=f"layer{number}")
        for number in range(2)
    ]
    model = gk.Sequential(*layers, dtype="float64")
    model.build(x.shape[1:])
    names = {"w": "weight", "u": "recurrent_weight", "b": "bias", "b_recurrent": "recurrent_bias"}

    def by_name(arrays: Any, gradients: bool = False) -> dict[str, Array]:
        return {
            f"layer{number}.{direction}.{names[name]}": each
            for number in range(2)
            for direction, suffix in (("forward", ""), ("backward", "_reverse"))
            for name, each in torch_recurrent.converted(
                kind, arrays, f"_l{number}{suffix}", gradients=gradients
            ).items()
        }

    for name, each in by_name(record["params"]).items():
        model.params[name] = each
    first = layers[0].forward(x, lengths=lengths)
    y = layers[1].forward(first, lengths=lengths)
    dx = layers[0].backward(layers[1].backward(np.array(record["dresults"][0])))
    expected = by_name(record["grads"], gradients=True)
    found = {name: model.grads[name] for name in expected}
    expected |= {"y": np.array(record["results"][0]), "dx": np.array(record["dx"])}
    found |= {"y": y, "dx": dx}
    for name, each in expected.items():
        np.testing.assert_allclose(found[name], each, rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
def test_bidirectional_is_its_two_layers(merge: str) -> None:
    x, lengths = sequences(3, 4, 2), np.array([2, 4, 1])
    both = built(gk.Bidirectional(gk.GRU(3, return_sequences=True), merge), 4, 2)
    outputs = []
    for direction, backwards in (("forward", False), ("backward", True)):
        layer = built(gk.GRU(3, return_sequences=True, go_backwards=backwards), 4, 2)
        for name in layer.params:
            layer.params[name] = both.params[f"{direction}.{name}"]
        outputs.append(layer.forward(x, lengths=lengths))
    one, other = outputs
    merged = {
        "concat": np.concatenate(outputs, axis=-1),
        "sum": one + other,
        "mul": one * other,
        "ave": (one + other) * np.float32(0.5),
    }
    same(both.forward(x, lengths=lengths), merged[merge])


@pytest.mark.parametrize(
    "layer",
    [
        lambda: gk.Bidirectional(gk.LSTM(3, return_sequences=True)),
        lambda: gk.TimeDistributed(gk.Dense(3)),
    ],
    ids=["Bidirectional", "TimeDistributed"],
)
def test_a_layer_around_a_built_in_one_runs_natively(layer: Callable[[], gk.Layer]) -> None:
    model = gk.Sequential(gk.Dense(2), layer(), gk.Dense(1))
    x = sequences(8, 4, 2)
    model.fit(x, x[..., :1], loss="mean_squared_error", verbose=0)
    assert "matmul" in str(model.program())
    assert "host" not in str(model.program())


def test_a_frozen_layer_gets_no_gradients() -> None:
    for make in (lambda: gk.LSTM(3), lambda: gk.Bidirectional(gk.GRU(3))):
        layer = make()
        layer.trainable = False
        model = gk.Sequential(gk.Dense(2), layer)
        model.build((4, 2))
        y = model.forward(sequences(2, 4, 2), training=True)
        model.backward(np.ones_like(y))
        assert not any(each.any() for each in layer.grads.values())
        assert model.grads["dense.weight"].any()


def test_a_layer_for_each_step_may_be_written_in_numpy() -> None:
    class Scale(gk.Layer):
        def build(self, input_shape):
            self.add_param("scale", input_shape, "ones")
            return input_shape

        def forward(self, x, training=False):
            self.x = x
            return x * self.params["scale"]

        def backward(self, dy):
            self.grads["scale"] = (dy * self.x).sum(axis=0)
            return dy * self.params["scale"]

    x = sequences(20, 3, 2)
    model = gk.Sequential(gk.TimeDistributed(Scale()))
    options: dict[str, Any] = {"loss": "mean_squared_error", "optimizer": gk.SGD(0.5)}
    model.fit(x, x * [3, -1], **options, epochs=60, verbose=0, seed=0)
    np.testing.assert_allclose(model.params["time_distributed.layer.scale"], [3, -1], atol=1e-4)


@each_layer
def test_it_begins_with_an_orthogonal_matrix_for_each_gate(make: Callable[..., Any]) -> None:
    layer = make(6)
    gk.Sequential(layer, dtype="float64").build((3, 2))
    recurrent = layer.params["recurrent_weight"]
    for gate in np.split(recurrent, recurrent.shape[1] // 6, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(len(gate)), atol=1e-14)


def test_an_lstm_begins_by_remembering() -> None:
    layer = gk.LSTM(2, forget_bias=1.5)
    gk.Sequential(layer).build((3, 2))
    assert layer.params["bias"].tolist() == [0, 0, 1.5, 1.5, 0, 0, 0, 0]


MISTAKES: list[tuple[type[Exception], str, Callable[[], Any]]] = [
    (ValueError, "LSTM: units must be at least 1, got 0", lambda: gk.LSTM(0)),
    (
        ValueError,
        (
            "SimpleRNN: activation must be among sigmoid, tanh, relu, identity, leaky_relu, elu,"
            " selu, hard_sigmoid, softsign, got 'gelu'"
        ),
        lambda: gk.SimpleRNN(3, "gelu"),
    ),
    *(
        (
            ValueError,
            (
                f"{name}: needs samples of shape (time, features), got {shape}; a recurrent layer"
                " before it must have return_sequences=True"
            ),
            model,
        )
        for name, shape, model in [
            ("LSTM 'lstm'", (4,), lambda: gk.Sequential(gk.LSTM(3)).build((4,))),
            ("GRU 'gru'", (3,), lambda: gk.Sequential(gk.LSTM(3), gk.GRU(2)).build((4, 2))),
        ]
    ),
    (
        ValueError,
        "LSTM 'lstm': needs samples of shape (time, features), got (4, 2, 1)",
        lambda: gk.Sequential(gk.LSTM(3)).build((4, 2, 1)),
    ),
    (
        ValueError,
        "GRU: goes backwards, it needs the end of a sequence first",
        lambda: gk.GRU(3, go_backwards=True).step(np.zeros((1, 2))),
    ),
    (
        ValueError,
        (
            "LSTM 'lstm': for 2 samples state must have the shapes (2, 3) and (2, 3), got (5, 3)"
            " and (5, 3)"
        ),
        lambda: built(gk.LSTM(3), 4, 2).step(
            np.zeros((2, 2), F32), (np.zeros((5, 3), F32), np.zeros((5, 3), F32))
        ),
    ),
    (
        ValueError,
        "GRU: is not built yet; call build((time, features)) first",
        lambda: gk.GRU(3).step(np.zeros((1, 2))),
    ),
    (
        ValueError,
        "GRU 'gru': a step must have shape (samples, 2), got (5, 4, 2)",
        lambda: built(gk.GRU(3), 4, 2).step(np.zeros((5, 4, 2))),
    ),
    (
        ValueError,
        "GRU 'gru': a step must have shape (samples, 2), got (5, 3)",
        lambda: built(gk.GRU(3), 4, 2).step(np.zeros((5, 3))),
    ),
    (
        TypeError,
        "GRU 'gru': state must be the tuple of length 1 that the step before returned, got ndarray",
        lambda: built(gk.GRU(3), 4, 2).step(np.zeros((5, 2)), np.zeros((5, 3))),
    ),
    (
        ValueError,
        "LSTM 'lstm': initial states must have the shapes (3,) and (3,), got (3,)",
        lambda: gk.Model(
            inputs := [gk.Input((4, 2)), gk.Input((3,))], gk.LSTM(3, name="lstm")(*inputs)
        ).build(),
    ),
    (
        TypeError,
        "Bidirectional: layer must be a recurrent layer, such as LSTM(32), got Dense(3)",
        lambda: gk.Bidirectional(gk.Dense(3)),  # type: ignore[arg-type]
    ),
    (
        ValueError,
        "Bidirectional: layer must not have stateful=True, got GRU(3, stateful=True)",
        lambda: gk.Bidirectional(gk.GRU(3, stateful=True)),
    ),
    (
        ValueError,
        "Bidirectional: merge must be one of concat, sum, mul, ave, got 'add'",
        lambda: gk.Bidirectional(gk.GRU(3), "add"),
    ),
    (
        TypeError,
        "TimeDistributed: layer must be a layer of one input and one output, got Sequential",
        lambda: gk.TimeDistributed(gk.Sequential(gk.Dense(3))),  # type: ignore[arg-type]
    ),
    (
        TypeError,
        (
            "TimeDistributed: layer must not take indices, got Embedding(9, 2), which takes ids of"
            " any number of axes by itself"
        ),
        lambda: gk.TimeDistributed(gk.Embedding(9, 2)),
    ),
    (
        ValueError,
        "TimeDistributed: layer must not have stateful=True, got GRU(3, stateful=True)",
        lambda: gk.TimeDistributed(gk.GRU(3, stateful=True)),
    ),
    (
        ValueError,
        "TimeDistributed 'time_distributed': needs samples of shape (time, ...), got (4,)",
        lambda: gk.Sequential(gk.TimeDistributed(gk.Dense(3))).build((4,)),
    ),
    (
        ValueError,
        "Orthogonal: needs a shape of two axes or more, got (3,)",
        lambda: gk.init.Orthogonal()((3,), np.random.default_rng(0)),
    ),
]


@pytest.mark.parametrize(("error", "message", "call"), MISTAKES, ids=[m for _, m, _ in MISTAKES])
def test_a_mistake_is_refused_in_one_sentence(
    error: type[Exception], message: str, call: Callable[[], Any]
) -> None:
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message


@pytest.mark.parametrize(("dtype", "ulps"), [(np.float32, 3), (np.float64, 5)])
def test_the_functions_of_the_gates_are_accurate(dtype: type, ulps: int) -> None:
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(-20, 20, 60_000), rng.normal(size=60_000) * 1e-3])
    x = np.concatenate([x, [0, 0.17, 0.35, 20, 45, 80, -80]]).astype(dtype)
    w, u = np.ones((1, 4), dtype), np.zeros((1, 4), dtype)
    gates = ops.lstm(x[:, None, None], w, u)[3][:, 0]
    exact = x.astype(np.longdouble)
    for gate, expected in ((0, 1 / (1 + np.exp(-exact))), (2, np.tanh(exact))):
        error = np.abs(gates[:, gate] - expected) / np.spacing(np.abs(expected).astype(dtype))
        assert error.max() <= ulps, (gate, x[error.argmax()])


def test_gates_of_infinite_sums_are_their_limits_and_nan_stays() -> None:
    x = np.array([np.inf, -np.inf, np.nan], np.float32)[:, None, None]
    ones, zeros = np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32)
    gates = ops.lstm(x, ones, zeros)[3][:, 0]
    np.testing.assert_array_equal(gates[:, 2], [1, -1, np.nan])
    np.testing.assert_array_equal(gates[:, 0] > 1e-30, [True, False, False])
    assert np.isnan(gates[2]).all()
