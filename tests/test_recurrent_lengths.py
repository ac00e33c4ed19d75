"""Recurrent layers in models of padded sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recurrent_cases import GATES, RESULTS, SAVED, SHARED, drawn

import gyaku as gk
from gyaku import ops

SAMPLES, STEPS, WORDS, CLASSES, BATCH = 23, 6, 9, 3, 5
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, STEPS + 1, SAMPLES)
REAL = np.arange(STEPS) < LENGTHS[:, np.newaxis]
IDS = np.where(REAL, RNG.integers(1, WORDS, (SAMPLES, STEPS)), 0)
VECTORS = RNG.standard_normal((SAMPLES, STEPS, 4)).astype(np.float32)
TAGS = IDS % CLASSES
LAYERS: dict[str, Callable[[], Any]] = {
    "rnn": lambda: gk.SimpleRNN(5, return_sequences=True),
    "lstm": lambda: gk.LSTM(4, return_sequences=True, recompute=True),
    "gru": lambda: gk.GRU(4, return_sequences=True, go_backwards=True),
    "both": lambda: gk.Bidirectional(gk.LSTM(4, return_sequences=True)),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=list(LAYERS))


def tagger(make: Callable[[], Any], **options: Any) -> gk.Sequential:
    words = gk.Embedding(WORDS, 4, mask_zero=True)
    return gk.Sequential(words, make(), gk.Dropout(0.3), gk.Dense(CLASSES), **options)


@each_layer
def test_what_is_behind_the_end_of_a_sequence_changes_nothing(make: Callable[[], Any]) -> None:
    model = gk.Sequential(make(), gk.Dense(CLASSES))
    y = model.predict(VECTORS, lengths=LENGTHS)
    padded = np.where(REAL[..., np.newaxis], VECTORS, np.float32(1e30))
    again = model.predict(padded, lengths=LENGTHS)
    np.testing.assert_array_equal(again, y)


@each_layer
def test_a_gradient_of_what_is_behind_the_end_is_zero(make: Callable[[], Any]) -> None:
    model = gk.Sequential(make())
    y = model.forward(VECTORS, training=True, lengths=LENGTHS)
    np.testing.assert_array_equal(y[~REAL], 0)
    dx = model.backward(np.ones_like(y), input_gradient=True)
    np.testing.assert_array_equal(dx[~REAL], 0)
    assert (dx[REAL] != 0).mean() > 0.9


@each_layer
def test_padded_training_is_the_same_step_by_step_and_replayed(make: Callable[[], Any]) -> None:
    options: dict[str, Any] = {"loss": "softmax_cross_entropy", "optimizer": gk.Adam(0.01)}
    fitted = tagger(make)
    fitted.fit(IDS, TAGS, **options, epochs=2, batch_size=BATCH, seed=7, verbose=0)
    stepped = tagger(make)
    stepped.build((STEPS,), seed=7)
    loss, optimizer = gk.losses.SoftmaxCrossEntropy(), gk.Adam(0.01)
    order = np.empty(SAMPLES, np.int64)
    for epoch in range(2):
        ops.permutation(order, SAMPLES, seed=7, first_epoch=epoch)
        for start in range(0, SAMPLES, BATCH):
            rows = order[start : start + BATCH]
            y = stepped.forward(IDS[rows], training=True)
            _, dy = loss(y, TAGS[rows], lengths=LENGTHS[rows])
            stepped.backward(dy)
            optimizer.step(stepped)
    assert fitted.flat_params.tobytes() == stepped.flat_params.tobytes()


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_change_no_bit_of_a_training(
    threads: int, set_threads: Callable[[int], None]
) -> None:
    def trained() -> NDArray[Any]:
        model = tagger(LAYERS["both"])
        options: dict[str, Any] = {"epochs": 2, "batch_size": BATCH, "seed": 7, "verbose": 0}
        model.fit(IDS, TAGS, loss="softmax_cross_entropy", **options)
        return model.flat_params

    set_threads(1)
    expected = trained()
    set_threads(threads)
    assert trained().tobytes() == expected.tobytes()


def test_the_last_output_is_that_of_the_last_real_step() -> None:
    last, steps = gk.GRU(4), gk.GRU(4, return_sequences=True)
    model, other = gk.Sequential(last), gk.Sequential(steps)
    y = model.predict(VECTORS, lengths=LENGTHS)
    other.build(VECTORS.shape[1:])
    for name in steps.params:
        steps.params[name] = last.params[name]
    every = other.predict(VECTORS, lengths=LENGTHS)
    np.testing.assert_array_equal(y, every[np.arange(SAMPLES), LENGTHS - 1])


def test_a_tagger_learns_what_comes_before_and_behind() -> None:
    # The classes of the word before and of the word behind.
    ids = np.random.default_rng(1).integers(1, WORDS, (300, STEPS))
    tags = np.zeros_like(ids)
    tags[:, 1:] = ids[:, :-1] % 2
    tags[:, :-1] += 2 * (ids[:, 1:] % 2)
    model = gk.Sequential(
        gk.Embedding(WORDS, 6),
        gk.Bidirectional(gk.LSTM(12, return_sequences=True)),
        gk.Dense(4),
    )
    options: dict[str, Any] = {"optimizer": gk.Adam(0.03), "epochs": 15, "batch_size": 30}
    model.fit(ids, tags, loss="softmax_cross_entropy", seed=0, verbose=0, **options)
    assert (model.predict(ids).argmax(axis=-1) == tags).mean() > 0.97


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [(150, 6, 3, 4), SHARED], ids=str)
@pytest.mark.parametrize("name", GATES)
def test_the_gradient_of_a_state_does_not_depend_on_other_lengths(
    name: str,
    size: tuple[int, int, int, int],
    reverse: bool,
    set_threads: Callable[[int], None],
) -> None:
    set_threads(2)
    rng = np.random.default_rng(0)
    parts = ("h0", "projection") if name == "lstm" and size != SHARED else ("h0",)
    arrays = drawn(name, rng, np.dtype(np.float32), size, (*parts, "lengths"))
    dhn = rng.standard_normal(arrays["h0"].shape).astype(np.float32)

    def gradient(rows: Any) -> Any:
        given = arrays | {key: arrays[key][rows] for key in ("x", "h0", "lengths")}
        found = getattr(ops, name)(**given, reverse=reverse)
        results = dict(zip(RESULTS[name], found, strict=True))
        saved = [given["x"], given["w"], given["u"], *(results[key] for key in SAVED[name])]
        more = {key: given[key] for key in ("lengths", "projection") if key in given}
        backward = getattr(ops, f"{name}_backward")
        return backward(None, *saved, dhn=dhn[rows], **more, reverse=reverse)[
            5 if name == "gru" else 4
        ]

    whole = gradient(slice(None))
    order = rng.permutation(size[0])
    assert whole[order].tobytes() == gradient(order).tobytes()
    for row in range(0, size[0], 7):
        assert whole[row].tobytes() == gradient(slice(row, row + 1)).tobytes()
