"""Streams: one step at a time, with the bits of the whole sequence."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku.backend import use_backend

Array = NDArray[Any]
STEPS, FEATURES = 9, 3
# One step of a product is computed in another way than many.
MODELS: dict[str, Callable[[], list[gk.Layer]]] = {
    "rnn": lambda: [gk.SimpleRNN(5, return_sequences=True), gk.Dense(2)],
    "lstm": lambda: [gk.LSTM(20, return_sequences=True, peepholes=True), gk.Dense(17, "tanh")],
    "gru": lambda: [gk.GRU(33, return_sequences=True)],
    "two layers": lambda: [
        *(gk.Rescaling(0.5), gk.Dense(6, "relu"), gk.LSTM(9, return_sequences=True)),
        *(gk.Dropout(0.5), gk.LayerNorm(), gk.GRU(4, return_sequences=True, reset_after=False)),
        *(gk.BatchNorm(), gk.TimeDistributed(gk.LayerNorm()), gk.Dense(3), gk.Softmax()),
    ],
    "time distributed": lambda: [gk.TimeDistributed(gk.Dense(7)), gk.TimeDistributed(gk.Dense(1))],
    "normalised": lambda: [
        *(gk.Normalization([0.5, -1, 0.25], [2, 1, 0.5]), gk.GRU(5, return_sequences=True)),
        *(gk.PReLU(), gk.RMSNorm(), gk.LocalResponseNorm(3)),
    ],
    "projection": lambda: [gk.LSTM(16, projection=5, return_sequences=True), gk.Dense(1)],
}


def built(layers: list[gk.Layer], dtype: str = "float32") -> gk.Sequential:
    model = gk.Sequential(*layers, dtype=dtype)
    model.build((STEPS, FEATURES), seed=3)
    return model


def signals(samples: int, dtype: str = "float32") -> Array:
    x = np.random.default_rng(0).standard_normal((samples, STEPS, FEATURES))
    return x.astype(dtype)


def assert_same_bits(actual: Any, expected: Any) -> None:
    assert np.ascontiguousarray(actual).tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("layers", MODELS.values(), ids=list(MODELS))
def test_steps_have_the_bits_of_the_whole(
    layers: Callable[[], list[gk.Layer]], backend: Any, dtype: str
) -> None:
    model, x = built(layers(), dtype), signals(1, dtype)
    with use_backend(backend):
        whole = model.forward(x)
        stream = model.stream()
        for _ in range(2):
            steps = [stream(x[0, t]) for t in range(STEPS)]
            if backend == "native":
                assert_same_bits(steps, whole[0])
            else:  # NumPy's products of few rows have other bits
                np.testing.assert_allclose(steps, whole[0], rtol=1e-4, atol=1e-6)
            stream.reset()


@pytest.mark.parametrize("layers", MODELS.values(), ids=list(MODELS))
def test_signals_may_come_side_by_side(layers: Callable[[], list[gk.Layer]]) -> None:
    model, x = built(layers()), signals(7)
    stream, whole = model.stream(samples=7), model.forward(x)
    for t in range(STEPS):
        assert_same_bits(stream(x[:, t]), whole[:, t])


def test_the_last_output_is_that_of_the_sequence_so_far() -> None:
    model, x = built([gk.GRU(6, return_sequences=True), gk.LSTM(5), gk.Dense(2)]), signals(1)
    stream = model.stream()
    outputs = [stream(x[0, t]) for t in range(STEPS)]
    assert outputs[0].shape == (2,)
    assert_same_bits(outputs[-1], model.forward(x)[0])


def test_a_stream_of_ids() -> None:
    ids = np.random.default_rng(0).integers(0, 7, (1, STEPS))
    model = gk.Sequential(gk.Embedding(7, 4), gk.LSTM(5, return_sequences=True), gk.Dense(2))
    model.build((STEPS,))
    stream, whole = model.stream(), model.forward(ids)
    assert_same_bits([stream(each) for each in ids[0]], whole[0])
    with pytest.raises(ValueError, match="^stream: .* 7"):
        stream(7)
    with pytest.raises(
        ValueError, match="^stream: x must hold indices that are whole .* row 0 holds 0.5$"
    ):
        stream(0.5)
    assert stream([0.0][0]).shape == (2,)


def test_an_id_that_is_padding_behind_a_sequence_is_a_word_in_a_stream() -> None:
    ids = np.array([[0, 3, 0, 0, 5, 2]])
    model = gk.Sequential(
        *(gk.Embedding(7, 4, mask_zero=True), gk.LSTM(5, return_sequences=True), gk.Dense(2))
    )
    model.build(ids.shape[1:])
    stream, whole = model.stream(), model.forward(ids)
    assert_same_bits([stream(each) for each in ids[0]], whole[0])


def test_branches_meet_in_each_step() -> None:
    source = gk.Input((STEPS, FEATURES))
    gate, memory = gk.Dense(4, "sigmoid")(source), gk.GRU(4, return_sequences=True)(source)
    apart = gk.Divide()(gk.Subtract()(memory, gk.Multiply()(gate, memory)), gate)
    model, x = gk.Model(source, gk.Concatenate()(apart, source)), signals(1)
    model.build()
    stream, whole = model.stream(), model.forward(x)
    assert_same_bits([stream(x[0, t]) for t in range(STEPS)], whole[0])


def test_a_sequence_of_any_number_of_steps_meets_none_of_a_fixed_number() -> None:
    source = gk.Input((STEPS, 4))
    last = gk.Reshape((STEPS, 4))(gk.Dense(STEPS * 4)(gk.GRU(4)(source)))
    model = gk.Model(source, gk.Add(name="sum")(source, last))
    model.build()
    with pytest.raises(ValueError, match="^stream: Add 'sum' needs several steps of a sequence"):
        model.stream()


class Before(gk.Layer):
    """The step before, for any number of steps."""

    any_steps = True

    def forward(self, x, training=False):
        return np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)

    def backward(self, dy):
        return np.concatenate([dy[:, 1:], np.zeros_like(dy[:, :1])], axis=1)


def test_states_are_outputs_too() -> None:
    source = gk.Input((STEPS, FEATURES))
    y, h, c = gk.LSTM(4, return_sequences=True, return_state=True)(source)
    model = gk.Model(source, [y, h, c])
    model.build()
    x = signals(1)
    expected, stream = model.forward(x), model.stream()
    found = [stream(x[0, t]) for t in range(STEPS)]
    assert_same_bits([each[0] for each in found], expected[0][0])
    for last, each in zip(found[-1][1:], expected[1:], strict=True):
        assert_same_bits(last, each[0])


def test_the_model_stays_as_it_is_and_shares_its_parameters() -> None:
    model, x = built([gk.LSTM(4, return_sequences=True), gk.Dense(2)]), signals(16)
    before = model.predict(x)
    stream = model.stream()
    stream(x[0, 0])
    assert_same_bits(model.predict(x), before)
    assert not model.layers[0].stateful
    model.layers[0].trainable = False  # lays out the parameters anew
    model.fit(x, np.zeros((16, STEPS, 2)), loss="mean_squared_error", epochs=1, verbose=0)
    stream.reset()
    assert_same_bits([stream(x[0, t]) for t in range(STEPS)], model.forward(x[:1])[0])


def test_an_output_is_not_changed_by_the_next_step() -> None:
    stream, x = built([gk.GRU(4, return_sequences=True)]).stream(), signals(1)
    first = stream(x[0, 0])
    kept = first.copy()
    stream(x[0, 1])
    assert_same_bits(first, kept)


def test_two_streams_of_a_model_do_not_meet() -> None:
    model, x = built([gk.GRU(4, return_sequences=True)]), signals(2)
    one, other = model.stream(), model.stream()
    whole = model.forward(x)
    for t in range(STEPS):
        assert_same_bits(one(x[0, t]), whole[0, t])
        assert_same_bits(other(x[1, t]), whole[1, t])


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))]
)
def test_a_copy_goes_on_by_itself(copied: Callable[[Any], Any]) -> None:
    model, x = built([gk.LSTM(4, return_sequences=True), gk.GRU(3)]), signals(1)
    stream = model.stream()
    copied(stream)  # before its first step
    for t in range(4):
        stream(x[0, t])
    other = copied(stream)
    wanted = [stream(x[0, t]) for t in range(4, STEPS)]
    assert_same_bits([other(x[0, t]) for t in range(4, STEPS)], wanted)
    assert_same_bits(wanted[-1], model.forward(x)[0])


def test_steps_hold_real_numbers() -> None:
    stream = built([gk.GRU(3)]).stream()
    for step in (np.zeros(3, complex), ["a", "b", "c"]):
        with pytest.raises(TypeError, match="^stream: x must hold real numbers, got dtype"):
            stream(step)
    assert_same_bits(stream([1, 2, 3]), built([gk.GRU(3)]).stream()(np.array([1.0, 2, 3], "f")))


def dense() -> gk.Sequential:
    model = gk.Sequential(gk.Dense(2))
    model.build((4,))
    return model


MISTAKES: list[tuple[str, Callable[[], Any]]] = [
    (
        "stream: Sequential is not built yet; call fit or build first",
        lambda: gk.Sequential(gk.GRU(3)).stream(),
    ),
    (
        "stream: Bidirectional 'bidirectional' needs several steps of a sequence at once",
        lambda: built([gk.Bidirectional(gk.GRU(3))]).stream(),
    ),
    (
        "stream: LSTM 'lstm' needs several steps of a sequence at once",
        lambda: built([gk.LSTM(3, go_backwards=True)]).stream(),
    ),
    (
        "stream: Conv1D 'conv1d' needs several steps of a sequence at once",
        lambda: built([gk.Conv1D(3, 2), gk.GRU(2)]).stream(),
    ),
    (
        "stream: Before 'before' needs several steps of a sequence at once",
        lambda: built([Before(), gk.GRU(2)]).stream(),
    ),
    (
        "stream: Sequential takes samples of shape (4,), which have no axis of time",
        lambda: dense().stream(),
    ),
    (
        "stream: a step must have shape (3,), got (4,)",
        lambda: built([gk.GRU(3)]).stream()(np.zeros(4)),
    ),
    (
        "stream: a step must have shape (2, 3), got (3,)",
        lambda: built([gk.GRU(3)]).stream(samples=2)(np.zeros(3)),
    ),
    ("stream: samples must be at least 1, got 0", lambda: built([gk.GRU(3)]).stream(samples=0)),
]


@pytest.mark.parametrize(("message", "call"), MISTAKES, ids=[message for message, _ in MISTAKES])
def test_a_mistake_is_refused_in_one_sentence(message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError) as raised:
        call()
    assert str(raised.value) == message


def test_a_stream_has_one_input_and_begins_with_its_own_state() -> None:
    x, h = gk.Input((STEPS, FEATURES)), gk.Input((3,))
    model = gk.Model([x, h], gk.GRU(3)(x, h))
    model.build()
    with pytest.raises(ValueError, match="^stream: Model must have one input, got 2$"):
        model.stream()
    first = gk.GRU(3, return_state=True, name="first")(x)[1]
    model = gk.Model(x, gk.GRU(3, name="second")(x, first))
    model.build()
    message = "^stream: GRU 'second' begins with a given state, not with that before$"
    with pytest.raises(ValueError, match=message):
        model.stream()


def test_a_stream_says_what_it_is() -> None:
    model = gk.Sequential(gk.GRU(2), name="tagger")
    model.build((4, 3))
    assert repr(model.stream()) == "<stream of one signal through Sequential 'tagger'>"
    assert repr(model.stream(5)) == "<stream of 5 signals through Sequential 'tagger'>"
