"""Models of sequences with any number of steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.train.by_length import ByLength

STEPS, BUILT = 12, 9
RNG = np.random.default_rng(7)
LENGTHS = RNG.integers(1, STEPS + 1, 23)
IDS = np.where(np.arange(STEPS) < LENGTHS[:, np.newaxis], RNG.integers(1, 9, (23, STEPS)), 0)


class Doubled(gk.Layer):
    """Layer in NumPy that treats all steps alike."""

    any_steps = True

    def build(self, input_shape):
        return input_shape

    def forward(self, x, training=False):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


MODELS: dict[str, Callable[[], list[gk.Layer]]] = {
    "lstm": lambda: [gk.LSTM(5, return_sequences=True), gk.Dense(3)],
    "bidirectional": lambda: [
        gk.Bidirectional(gk.GRU(4, return_sequences=True)),
        gk.Dropout(0.5),
        gk.LayerNorm(),
        gk.Dense(3),
    ],
    "each": lambda: [
        gk.TimeDistributed(gk.Reshape((2, 2))),
        gk.TimeDistributed(gk.Flatten()),
        gk.SimpleRNN(5, return_sequences=True, go_backwards=True),
        gk.LeakyReLU(),
    ],
    "last": lambda: [gk.BatchNorm(), gk.LSTM(5), gk.Reshape((5, 1)), gk.Flatten()],
    "numpy": lambda: [Doubled(), gk.LSTM(5, return_sequences=True), Doubled()],
}


def model_of(name: str, steps: int | None = BUILT, dtype: str = "float32") -> gk.Sequential:
    model = gk.Sequential(gk.Embedding(9, 4, mask_zero=True), *MODELS[name](), seed=1, dtype=dtype)
    if steps:
        model.build((steps,))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_outputs_do_not_depend_on_the_number_of_steps(name: str) -> None:
    model, whole = model_of(name), model_of(name, STEPS)
    wanted = whole.predict(IDS)
    assert np.array_equal(model.predict(IDS), wanted)
    assert np.array_equal(model.predict(IDS, batch_size=4), wanted)
    assert np.array_equal(model.forward(IDS), wanted)
    for row, length, each in zip(IDS, LENGTHS, wanted, strict=True):
        expected = each[:length] if each.ndim == 2 else each
        assert np.array_equal(model.predict(row[np.newaxis, :length])[0], expected)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_and_training_are_those_of_a_model_built_for_the_steps(name: str) -> None:
    model, whole = model_of(name), model_of(name, STEPS)
    for each in (model, whole):
        y = each.forward(IDS, training=True)
        each.backward(np.cos(np.arange(y.size)).reshape(y.shape))
    assert np.array_equal(model.flat_grads, whole.flat_grads)
    assert np.abs(model.flat_grads).max() > 0
    y = np.sin(np.arange(y.size)).reshape(y.shape)
    given: dict[str, Any] = {"loss": "mse", "epochs": 3, "batch_size": 5, "verbose": 0}
    histories = [each.fit(IDS, y, **given) for each in (model, whole)]
    assert histories[0]["loss"] == histories[1]["loss"]
    assert np.array_equal(model.flat_params, whole.flat_params)
    assert model.evaluate(IDS, y) == whole.evaluate(IDS, y)


def test_a_validation_may_have_other_steps_than_the_training() -> None:
    model = model_of("lstm", None)
    y = np.zeros((len(IDS), STEPS), np.int64)
    more, labels = (np.pad(each, ((0, 0), (0, 2))) for each in (IDS, y))
    history = model.fit(
        *(IDS, y),
        loss="softmax_cross_entropy",
        validation_data=(more, labels),
        epochs=1,
        verbose=0,
    )
    assert model.input_shape == (STEPS,)
    assert history["val_loss"][0] == model.evaluate(IDS, y)["loss"]


def two() -> gk.Model:
    a, b = gk.Input((BUILT, 2)), gk.Input((BUILT, 2))
    return gk.Model([a, b], gk.Add()(a, b))


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (lambda: gk.Sequential(gk.Embedding(9, 4), gk.Flatten(), gk.Dense(2)), IDS),
        (lambda: gk.Sequential(gk.Embedding(9, 4), gk.Reshape((BUILT, 2, 2))), IDS),
        (lambda: gk.Sequential(gk.Embedding(9, 4), gk.Conv1D(3, 3), gk.LSTM(2)), IDS),
        (lambda: gk.Sequential(gk.Embedding(9, 4), gk.MaxPool1D(2), gk.LSTM(2)), IDS),
        (lambda: gk.Sequential(gk.ReLU(), gk.Softmax()), IDS.astype(np.float32)),
        (two, [np.ones((3, STEPS, 2))] * 2),
    ],
    ids=["flatten", "reshape", "conv", "pool", "features", "inputs"],
)
def test_a_layer_may_need_the_number_of_steps(model: Callable[[], gk.Model], x: Any) -> None:
    built = model()
    built.build(None if built.input_shapes else (BUILT,))
    for call in (built.forward, built.predict):
        with pytest.raises(ValueError, match=rf" of shape \({STEPS},.*expects \({BUILT},"):
            call(x)


def test_features_must_fit() -> None:
    model = gk.Sequential(gk.LSTM(3, return_sequences=True))
    model.build((BUILT, 4))
    with pytest.raises(ValueError, match=r"samples of shape \(12, 5\), the model expects \(9, 4\)"):
        model.predict(np.zeros((2, STEPS, 5)))


COUNT = 150
LONG = RNG.integers(1, 41, COUNT)
MANY = np.where(np.arange(40) < LONG[:, np.newaxis], RNG.integers(1, 9, (COUNT, 40)), 0)
TAGS = MANY % 3


def fitted(
    name: str, dtype: str = "float32", **options: Any
) -> tuple[gk.Sequential, dict[str, list[float]]]:
    model = model_of(name, None, dtype)
    given: dict[str, Any] = {
        "loss": "softmax_cross_entropy",
        "metrics": ["accuracy"],
        "epochs": 3,
        "batch_size": 16,
        "verbose": 0,
        **options,
    }
    history = model.fit(MANY, TAGS if name != "last" else TAGS[:, 0], **given)
    return model, {key: history[key] for key in history}


@pytest.mark.parametrize("name", ["lstm", "each"])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_batches_by_length_give_what_whole_batches_would(
    name: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gk.use_backend(backend):
        cut, losses = fitted(name, "float64", by_length=True)
        # The same batches, with all steps.
        monkeypatch.setattr(ByLength, "arrange", uncut(ByLength.arrange))
        whole, wanted = fitted(name, "float64", by_length=True)
    np.testing.assert_allclose(losses["loss"], wanted["loss"], rtol=1e-12)
    assert losses["accuracy"] == wanted["accuracy"]
    np.testing.assert_allclose(cut.flat_params, whole.flat_params, atol=1e-12)


def uncut(arrange: Callable[..., Any]) -> Callable[..., Any]:
    def arranged(*given: Any) -> Any:
        return np.full_like(arrange(*given), 40)

    return arranged


def by_length_of(lengths: Any, size: int, seed: int | None = None) -> tuple[Any, Any]:
    """Return the order and the steps of the batches."""
    model = gk.Sequential(gk.SimpleRNN(1, return_sequences=True))
    model.build((1000, 1))
    x = np.zeros((len(lengths), 1000, 1), np.float32)
    found = model.plan.lengths([x], [np.asarray(lengths)])
    batches = ByLength("fit", model.plan, x.shape[1], found)
    order = np.arange(len(lengths))
    if seed is not None:
        np.random.default_rng(seed).shuffle(order)
    return order, batches.arrange(order, size, None if seed is None else (seed, 0))


def test_steps_are_rounded_up_to_few_counts() -> None:
    lengths = [1, 4, 5, 6, 7, 9, 13, 17, 25, 33, 49, 512, 513, 769, 1000]
    wanted = [4, 4, 6, 6, 8, 12, 16, 24, 32, 48, 64, 512, 768, 1000, 1000]
    order, steps = by_length_of(lengths, 1)
    assert (order.tolist(), steps.tolist()) == (list(range(15)), wanted)


def test_each_sample_is_once_in_an_epoch_beside_similar_ones() -> None:
    lengths = np.random.default_rng(0).integers(1, 1001, 4 * 64 * 3 + 2)
    order, steps = by_length_of(lengths, 4, seed=0)
    assert sorted(order) == list(range(len(lengths)))
    longest = [lengths[order[start : start + 4]].max() for start in range(0, len(order), 4)]
    assert np.all(steps >= longest)
    ranges = [np.ptp(lengths[order[start : start + 4]]) for start in range(0, len(order) - 4, 4)]
    assert np.mean(ranges) < 20  # of 600 in a random batch
    assert np.abs(np.diff(longest)).mean() > 200  # from one batch to the next
    assert not np.array_equal(order, by_length_of(lengths, 4, seed=1)[0])


def test_batches_by_length_depend_on_the_seed_alone() -> None:
    (one, first), (two, second), (_, other) = (
        fitted("lstm", by_length=True, seed=s) for s in (0, 0, 1)
    )
    assert first == second
    assert np.array_equal(one.flat_params, two.flat_params)
    assert first["loss"] != other["loss"]


def test_any_optimizer_and_callback_goes_with_batches_by_length() -> None:
    _, all_at_once = fitted("lstm", by_length=True)
    _, stepwise = fitted("lstm", by_length=True, callbacks=[Each()])
    assert stepwise == all_at_once
    _, found = fitted("lstm", by_length=True, optimizer=gk.LBFGS(), batch_size=None)
    assert found["loss"][-1] < found["loss"][0]


class Each(gk.callbacks.Callback):
    """Callback behind each step, so that no native call has several."""

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        pass


def test_validation_and_evaluation_by_length() -> None:
    model, history = fitted("bidirectional", by_length=True, validation_data=(MANY, TAGS))
    wanted = model.evaluate(MANY, TAGS)
    for found in (
        model.evaluate(MANY, TAGS, by_length=True, batch_size=16),
        model.evaluate(MANY, TAGS, by_length=True),
        {"loss": history["val_loss"][-1], "accuracy": history["val_accuracy"][-1]},
    ):
        assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-6)
        assert found["accuracy"] == wanted["accuracy"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("batch_size", [7, 512])
def test_prediction_by_length_gives_the_same_bits(name: str, batch_size: int) -> None:
    model, real = model_of(name), np.arange(40) < LONG[:, np.newaxis]
    wanted = model.predict(MANY)
    found = model.predict(MANY, by_length=True, batch_size=batch_size)
    assert found.shape == wanted.shape
    if found.ndim == 3:
        found, wanted = found[real], wanted[real]
    assert np.array_equal(found, wanted)


def test_prediction_by_length_of_several_outputs_and_given_lengths() -> None:
    x = gk.Input((BUILT, 3))
    steps, last = gk.GRU(4, return_sequences=True, return_state=True)(x)
    model = gk.Model(x, (gk.Dense(2)(steps), last, gk.Add()(last, last)))
    model.build()
    data = RNG.standard_normal((COUNT, 40, 3)).astype(np.float32)
    wanted = model.predict(data, lengths=LONG)
    found = model.predict(data, lengths=LONG, by_length=True, batch_size=16)
    real = np.arange(40) < LONG[:, np.newaxis]
    assert np.array_equal(found[0][real], wanted[0][real])
    assert not found[0][LONG < 20, 39].any()
    assert np.array_equal(found[1], wanted[1])
    assert np.array_equal(found[2], wanted[2])


def test_targets_of_whole_sequences_are_not_cut() -> None:
    model, history = fitted("last", by_length=True, validation_split=0.2)
    assert history["loss"][-1] < history["loss"][0]
    found = model.evaluate(MANY, TAGS[:, 0], by_length=True)
    assert found["loss"] == pytest.approx(model.evaluate(MANY, TAGS[:, 0])["loss"], rel=1e-6)


def test_lengths_may_be_given() -> None:
    x = RNG.standard_normal((COUNT, 40, 4)).astype(np.float32)
    models = [gk.Sequential(gk.LSTM(5, return_sequences=True), seed=0) for _ in range(2)]
    for model, other in zip(models, (0, 7), strict=True):
        y = x[..., :1].repeat(5, axis=-1)
        x[np.arange(40) >= LONG[:, np.newaxis]] = other  # padding has no meaning
        model.fit(x, y, lengths=LONG, loss="mse", by_length=True, verbose=0)
    assert np.array_equal(models[0].flat_params, models[1].flat_params)


def test_a_loss_that_is_not_finite_is_found_in_a_cut_batch() -> None:
    with pytest.raises(gk.NonFiniteError, match="at step "):
        fitted("lstm", by_length=True, optimizer=gk.SGD(3e38))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            lambda: [gk.Embedding(9, 2, mask_zero=True), gk.Flatten(), gk.Dense(3)],
            "cuts each batch behind its longest sequence, but Flatten 'flatten' needs all 40 steps",
        ),
        (
            lambda: [gk.Embedding(9, 2), gk.LSTM(3)],
            "needs the lengths of the sequences; give lengths, or begin with .*mask_zero=True.*",
        ),
        (
            lambda: [gk.Embedding(9, 2, mask_zero=True), gk.LSTM(3, stateful=True)],
            "sorts the samples, but LSTM 'lstm' carries states from batch to batch",
        ),
    ],
    ids=["flatten", "lengths", "stateful"],
)
def test_batches_by_length_need_lengths_and_layers_for_any_steps(
    layers: Callable[[], list[gk.Layer]], message: str
) -> None:
    model = gk.Sequential(*layers())
    given: dict[str, Any] = {"loss": "softmax_cross_entropy", "by_length": True, "batch_size": 75}
    with pytest.raises(ValueError, match=f"^fit: by_length {message}$"):
        model.fit(MANY, TAGS[:, 0], verbose=0, **given)
    assert not model.built
    with pytest.raises(ValueError, match=f"^evaluate: by_length {message}$"):
        model.evaluate(MANY, TAGS[:, 0], **given)
    with pytest.raises(ValueError, match=f"^predict: by_length {message}$"):
        model.predict(MANY, by_length=True)
    assert not model.built
