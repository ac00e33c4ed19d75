"""States of recurrent layers: carried between batches, handed from one layer to another."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_recurrent import EPS, Array, built, each_layer, same, sequences

import gyaku as gk


@each_layer
def test_a_stateful_layer_goes_on_where_it_ended(make: Callable[..., Any]) -> None:
    x = sequences(2, 8, 3)
    whole = built(make(4, return_sequences=True), 8, 3).forward(x)
    layer = built(make(4, return_sequences=True, stateful=True), 4, 3)
    halves = [layer.forward(np.ascontiguousarray(each)) for each in np.split(x, 2, axis=1)]
    np.testing.assert_allclose(np.concatenate(halves, axis=1), whole, rtol=1e-5, atol=1e-6)
    layer.reset_states()
    same(layer.forward(np.ascontiguousarray(x[:, :4])), halves[0])


@each_layer
def test_gradients_end_at_the_border_of_a_batch(make: Callable[..., Any]) -> None:
    # The second half by itself, from the states that the first half left.
    first, second = sequences(2, 3, 2), sequences(2, 3, 2, seed=1)
    options = {"return_sequences": True}
    layer = built(make(4, stateful=True, **options), 3, 2)
    layer.forward(first)
    y = layer.forward(second)
    dx = layer.backward(np.ones_like(y))
    other = built(make(4, **options), 3, 2)
    state = None
    for t in range(3):
        _, state = other.step(first[:, t], state)
    other.forward(second, *state)
    other_dx, *_ = other.backward(np.ones_like(y))
    np.testing.assert_allclose(dx, other_dx, rtol=1e-5)


def test_a_stateful_layer_trains_by_replay_as_in_python() -> None:
    x, t = sequences(12, 4, 3), sequences(12, 4, 2, seed=1)

    def model() -> Any:
        layer = gk.LSTM(5, return_sequences=True, stateful=True, name="lstm")
        return gk.Sequential(layer, gk.Dense(2), seed=0)

    fitted, stepped = model(), model()
    options: dict[str, Any] = {"loss": "mean_squared_error", "optimizer": gk.SGD(0.1)}
    fitted.fit(x, t, **options, epochs=2, batch_size=4, shuffle=False, seed=0, verbose=0)
    stepped.build((4, 3), seed=0)
    loss, optimizer = gk.losses.MeanSquaredError(), gk.SGD(0.1)
    for _ in range(2):
        for rows in np.split(np.arange(12), 3):
            _, dy = loss(stepped.forward(x[rows], training=True), t[rows])
            stepped.backward(dy)
            optimizer.step(stepped)
    same(fitted.flat_params, stepped.flat_params)


@pytest.mark.parametrize("samples", [4, 3])
def test_validation_leaves_the_states_of_the_training(samples: int) -> None:
    x, t = sequences(8, 4, 3), sequences(8, 4, 2, seed=1)

    def fitted(**options: Any) -> tuple[Any, gk.History]:
        layer = gk.GRU(5, return_sequences=True, stateful=True)
        model = gk.Sequential(layer, gk.Dense(2), seed=0)
        options |= {"loss": "mean_squared_error", "batch_size": 4, "shuffle": False, "seed": 0}
        return model, model.fit(x, t, epochs=3, verbose=0, **options)

    model, history = fitted(validation_data=(x[:samples], t[:samples]))
    same(model.flat_params, fitted()[0].flat_params)
    model.reset_states()
    measured = model.evaluate(x[:samples], t[:samples])["loss"]
    assert history["val_loss"][-1] == measured


def test_a_stateful_layer_trains_on_batches_of_one_size_in_their_order() -> None:
    model = gk.Sequential(gk.GRU(3, stateful=True, name="memory"), gk.Dense(1))
    data = sequences(8, 4, 3), np.zeros((8, 1))
    options: dict[str, Any] = {"loss": "mean_squared_error", "epochs": 1, "verbose": 0}
    message = (
        "^fit: GRU 'memory' carries states from batch to batch, but 8 samples in batches of 3 leave"
        " 2; choose another batch_size$"
    )
    with pytest.raises(ValueError, match=message):
        model.fit(*data, batch_size=3, shuffle=False, **options)
    assert not model.built
    message = (
        "^fit: GRU 'memory' goes on where the batch before ended, but the samples are shuffled;"
        " give shuffle=False$"
    )
    with pytest.warns(UserWarning, match=message):
        model.fit(*data, batch_size=4, **options)


def test_states_of_a_layer_that_is_not_built_are_zero() -> None:
    gk.LSTM(3, stateful=True).reset_states()


def test_another_batch_size_is_refused_while_states_are_carried() -> None:
    layer = built(gk.GRU(2, stateful=True, name="memory"), 3, 2)
    layer.forward(sequences(4, 3, 2))
    message = (
        r"^GRU 'memory': carries the states of 4 samples, got a batch of 2; call reset_states\(\)"
        " first, or keep the size of batches$"
    )
    with pytest.raises(ValueError, match=message):
        layer.forward(sequences(2, 3, 2))
    layer.reset_states()
    assert layer.forward(sequences(2, 3, 2)).shape == (2, 2)


def encoder_and_decoder(make: Any, *, with_output: bool) -> gk.Model:
    source, target = gk.Input((4, 2)), gk.Input((3, 2))
    y, *states = make(3, return_state=True)(source)
    decoded = gk.Flatten()(make(3, return_sequences=True)(target, *states))
    joined = gk.Concatenate()(decoded, y) if with_output else decoded
    return gk.Model([source, target], gk.Dense(2)(joined), dtype="float64")


def assert_gradients_are_numerical(model: gk.Model, inputs: list[Array]) -> None:
    x: Any = inputs if len(inputs) > 1 else inputs[0]
    dy = np.random.default_rng(1).standard_normal(model.forward(x, training=True).shape)

    def value(_: Array) -> float:
        return float((dy * model.forward(x, training=True)).sum())

    found = model.backward(dy, input_gradient=True)
    pairs = [*zip(inputs, found if len(inputs) > 1 else [found], strict=True)]
    pairs += [(view, model.grads[name].copy()) for name, view in model.params.items()]
    for each, gradient in pairs:
        expected = gk.numerical_gradient(value, each)
        np.testing.assert_allclose(gradient, expected, atol=100 * EPS ** (2 / 3), rtol=0)


@pytest.mark.parametrize("make", [gk.LSTM, gk.GRU, gk.SimpleRNN])
@pytest.mark.parametrize("with_output", [False, True])
def test_states_travel_from_an_encoder_to_a_decoder(
    make: Any, with_output: bool, tmp_path: Path
) -> None:
    model = encoder_and_decoder(make, with_output=with_output)
    inputs = [sequences(2, time, 2).astype(np.float64) for time in (4, 3)]
    assert_gradients_are_numerical(model, inputs)
    model.save(tmp_path / "model.safetensors")
    again = gk.load(tmp_path / "model.safetensors")
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.predict(inputs), model.predict(inputs))


def test_a_summary_shows_all_outputs_of_a_layer() -> None:
    model = encoder_and_decoder(gk.LSTM, with_output=False)
    model.build()
    lines = str(model.summary()).splitlines()
    first, second = (
        next(line for line in lines if line.startswith(each)) for each in ("lstm ", "lstm_2 ")
    )
    assert "(3,), (3,), (3,)" in first
    assert second.endswith("x2, lstm[1], lstm[2]")


def test_a_cell_alone_may_be_the_output() -> None:
    x = gk.Input((4, 2))
    _, _, c = gk.LSTM(3, return_state=True, return_sequences=True)(x)
    model = gk.Model(x, gk.Dense(1)(c), dtype="float64")
    assert_gradients_are_numerical(model, [sequences(2, 4, 2).astype(np.float64)])


def test_states_of_a_layer_with_two_uses_stay_apart() -> None:
    one, other, encode = gk.Input((4, 2)), gk.Input((4, 2)), gk.GRU(3, return_state=True)
    states = [encode(each)[1] for each in (one, other)]
    model = gk.Model([one, other], gk.Dense(1)(gk.Concatenate()(states)), dtype="float64")
    inputs = [sequences(2, 4, 2, seed).astype(np.float64) for seed in (0, 1)]
    assert_gradients_are_numerical(model, inputs)


@pytest.mark.parametrize(
    "shared",
    [
        gk.Bidirectional(gk.LSTM(2, return_sequences=True), "mul"),
        gk.TimeDistributed(gk.Dense(3, "tanh")),
        gk.TimeDistributed(gk.Bidirectional(gk.GRU(2))),
    ],
    ids=repr,
)
def test_uses_of_a_layer_around_others_stay_apart(shared: gk.Layer, tmp_path: Path) -> None:
    steps = (3, 4, 2) if "GRU" in repr(shared) else (4, 2)
    inputs = [gk.Input(steps), gk.Input(steps)]
    model = gk.Model(inputs, gk.Subtract()([shared(each) for each in inputs]), dtype="float64")
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((2, *steps)) for _ in inputs]
    assert_gradients_are_numerical(model, x)
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        gk.load(tmp_path / "model.safetensors").predict(x), model.predict(x)
    )


@pytest.mark.parametrize("make", [gk.SimpleRNN, gk.LSTM, gk.GRU])
def test_a_training_that_computes_forward_passes_again_takes_less_memory(make: Any) -> None:
    x = sequences(8, 20, 16)
    memory, weights = [], []
    for recompute in (False, True):
        layers = [make(32, return_sequences=True, recompute=recompute) for _ in range(4)]
        model = gk.Sequential(*layers, seed=0)
        model.fit(x, x[..., :1].repeat(32, axis=2), loss="mse", batch_size=4, epochs=1, verbose=0)
        found = re.search(r"share (\S+ \S+)", str(model.program()))
        assert found
        number, unit = found[1].split()
        memory.append(float(number) * {"kB": 1e3, "MB": 1e6}[unit])
        weights.append(model.flat_params)
    assert memory[1] < (0.9 if make is gk.SimpleRNN else 0.65) * memory[0]
    same(*weights)
