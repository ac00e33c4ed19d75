"""Classes of time steps and pixels, and padded sequences: loss, metrics, training."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku import _core

SAMPLES, STEPS, FEATURES, CLASSES = 29, 6, 4, 3
ENTROPY = "softmax_cross_entropy"
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, STEPS + 1, SAMPLES)
REAL = np.arange(STEPS) < LENGTHS[:, np.newaxis]
X = RNG.standard_normal((SAMPLES, STEPS, FEATURES)).astype(np.float32)
TAGS = X[..., :CLASSES].argmax(axis=-1)
IDS = np.where(REAL, RNG.integers(1, 9, (SAMPLES, STEPS)), 0)


def tagger(**options: Any) -> gk.Sequential:
    return gk.Sequential(gk.Dense(5, "tanh"), gk.Dense(CLASSES), **options)


def train(model: gk.Model, x: Any, y: Any, **options: Any) -> dict[str, list[float]]:
    given: dict[str, Any] = {
        "loss": ENTROPY,
        "metrics": "accuracy",
        "epochs": 5,
        "batch_size": 8,
        "verbose": 0,
        **options,
    }
    history = model.fit(x, y, **given)
    return {name: history[name] for name in ("loss", "accuracy")}


def entropy(scores: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Return the cross-entropy of each row."""
    e = np.exp(scores.astype(np.float64))
    return np.asarray(np.log(e.sum(axis=-1)) - np.log(e[np.arange(len(e)), labels]))


def test_a_model_learns_a_class_for_each_step() -> None:
    history = train(tagger(), X, TAGS, epochs=80, optimizer=gk.Adam(0.02))
    assert history["accuracy"][-1] > 0.95


def test_a_model_learns_a_class_for_each_pixel() -> None:
    images = RNG.standard_normal((12, 5, 4, 2)).astype(np.float32)
    labels = (images[..., 0] > images[..., 1]).astype(np.uint8)
    model = gk.Sequential(gk.Conv2D(8, 3, padding="same", activation="relu"), gk.Conv2D(2, 1))
    history = train(model, images, labels, epochs=60, optimizer=gk.Adam(0.02))
    assert history["accuracy"][-1] > 0.9
    right = model.predict(images).argmax(axis=-1) == labels
    assert model.evaluate(images, labels)["accuracy"] == right.mean()


@pytest.mark.parametrize("padded", [False, True])
def test_loss_and_accuracy_are_means_over_steps(padded: bool) -> None:
    model, real = tagger(), REAL if padded else np.ones_like(REAL)
    options: dict[str, Any] = {"lengths": LENGTHS} if padded else {}
    train(model, X, TAGS, **options)
    scores = model.predict(X)[real]
    found = model.evaluate(X, TAGS, batch_size=8, **options)
    assert found["accuracy"] == (scores.argmax(axis=-1) == TAGS[real]).mean()
    assert found["loss"] == pytest.approx(entropy(scores, TAGS[real]).mean(), rel=1e-6)


def test_the_history_counts_each_real_step_once() -> None:
    # Steps so small that the weights stay as they are.
    model = tagger()
    history = train(model, X, TAGS, lengths=LENGTHS, optimizer=gk.SGD(1e-30), epochs=2)
    found = model.evaluate(X, TAGS, lengths=LENGTHS)
    for name in ("loss", "accuracy"):
        assert history[name] == pytest.approx([found[name]] * 2, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (ENTROPY, TAGS),
        (ENTROPY, np.eye(CLASSES, dtype=np.float32)[TAGS]),
        ("cross_entropy", TAGS),
        ("mean_squared_error", X[..., :CLASSES]),
        ("sum_squared_error", X[..., :CLASSES]),
    ],
    ids=["labels", "rows", "probabilities", "mean", "sum"],
)
def test_padded_steps_change_nothing(loss: str, target: NDArray[Any]) -> None:
    found = []
    for filler in (0, 7):
        x, y = X.copy(), target.copy()
        x[~REAL], y[~REAL] = filler, filler if target is not TAGS else -filler
        layers = [gk.Softmax()] if loss == "cross_entropy" else []
        model = gk.Sequential(gk.Dense(5, "tanh"), gk.Dense(CLASSES), *layers)
        history = model.fit(
            *(x, y),
            lengths=LENGTHS,
            validation_data=(x, y, LENGTHS),
            loss=loss,
            metrics="accuracy",
            batch_size=8,
            epochs=3,
            verbose=0,
        )
        found.append((model.flat_params.tobytes(), history.last()))
    assert found[0] == found[1]


def test_lengths_are_given_or_found_in_the_ids() -> None:
    def model(mask_zero: bool) -> gk.Sequential:
        embedding = gk.Embedding(9, 4, mask_zero=mask_zero, weight_init=with_zero_first)
        return gk.Sequential(embedding, gk.Dense(CLASSES))

    found, given = model(True), model(False)
    assert train(found, IDS, TAGS) == train(given, IDS, TAGS, lengths=LENGTHS)
    assert found.flat_params.tobytes() == given.flat_params.tobytes()


def with_zero_first(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[Any]:
    values = random.standard_normal(shape)
    values[0] = 0
    return values


def words() -> gk.Sequential:
    return gk.Sequential(gk.Embedding(9, 4, mask_zero=True), gk.Dense(5, "relu"), gk.Dense(CLASSES))


def test_the_bits_depend_on_nothing_but_the_data() -> None:
    results = []
    for threads in (1, 2, 3, 5):
        _core.set_num_threads(threads)
        model = words()
        results.append((train(model, IDS, TAGS), model.flat_params.tobytes()))
    assert all(result == results[0] for result in results)


def test_replay_is_the_passes_themselves() -> None:
    model, other = words(), words()
    train(model, IDS, TAGS, optimizer=gk.SGD(0.1), batch_size=None, shuffle=False, seed=3)
    loss, optimizer = gk.losses.SoftmaxCrossEntropy(), gk.SGD(0.1)
    other.build((STEPS,), seed=3)
    for _ in range(5):
        other.backward(loss(other.forward(IDS, training=True), TAGS, LENGTHS)[1])
        optimizer.step(other)
    assert model.flat_params.tobytes() == other.flat_params.tobytes()


def test_the_order_of_the_rows_changes_no_row() -> None:
    model, order = words(), RNG.permutation(SAMPLES)
    train(model, IDS, TAGS)
    np.testing.assert_array_equal(model.predict(IDS[order]), model.predict(IDS)[order])


def test_both_backends_agree() -> None:
    native = train(words(), IDS, TAGS)
    gk.use_backend("reference")
    for name, values in train(words(), IDS, TAGS).items():
        assert values == pytest.approx(native[name], rel=1e-4)


class Clipped(gk.SGD):
    """An optimizer that comes between gradients and update."""

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
        gradients()
        update()


def test_an_optimizer_may_come_between() -> None:
    models = words(), words()
    found = [
        train(model, IDS, TAGS, optimizer=optimizer)
        for model, optimizer in zip(models, (gk.SGD(0.1), Clipped(0.1)), strict=True)
    ]
    assert found[0] == found[1]
    assert models[0].flat_params.tobytes() == models[1].flat_params.tobytes()


def test_functions_get_the_real_steps_alone() -> None:
    shapes = set()

    def mine(y, t):
        shapes.add((y.shape[1:], t.shape[1:]))
        difference = y - np.eye(CLASSES)[t]
        return (difference**2).mean(), 2 * difference / difference.size

    def error(y, t):
        return (y.argmax(axis=-1) != t).mean()

    tags = np.where(REAL, TAGS, 99)
    model, other = words(), words()
    history = model.fit(*(IDS, tags), loss=mine, metrics=[error], epochs=3, batch_size=8, verbose=0)
    rows = np.eye(CLASSES, dtype=np.float32)[TAGS]
    wanted = other.fit(
        *(IDS, rows),
        loss="mean_squared_error",
        metrics="accuracy",
        epochs=3,
        batch_size=8,
        verbose=0,
    )
    assert shapes == {((CLASSES,), ())}
    np.testing.assert_allclose(history["loss"], wanted["loss"], rtol=1e-4)
    np.testing.assert_allclose(history["error"], 1 - np.array(wanted["accuracy"]), atol=1e-6)
    np.testing.assert_allclose(model.flat_params, other.flat_params, atol=1e-4)


def test_each_of_several_outputs_counts_its_own_steps() -> None:
    x = gk.Input((STEPS,), "int64")
    vectors = gk.Embedding(9, 4, mask_zero=True)(x)
    tags = gk.Dense(CLASSES, name="tags")(vectors)
    topic = gk.Dense(2, name="topic")(gk.Flatten()(vectors))
    model, topics = gk.Model(x, (tags, topic)), IDS[:, 0] % 2
    options: dict[str, Any] = {"loss": ENTROPY, "metrics": "accuracy"}
    model.fit(IDS, (TAGS, topics), **options, loss_weights=(0.5, 2), batch_size=8, verbose=0)
    found = model.evaluate(IDS, (TAGS, topics), batch_size=8)
    scores, of_topics = model.predict(IDS)
    assert found["tags_loss"] == pytest.approx(entropy(scores[REAL], TAGS[REAL]).mean(), rel=1e-6)
    assert found["topic_loss"] == pytest.approx(entropy(of_topics, topics).mean(), rel=1e-6)
    assert found["loss"] == pytest.approx(0.5 * found["tags_loss"] + 2 * found["topic_loss"])
    assert found["tags_accuracy"] == (scores.argmax(axis=-1) == TAGS)[REAL].mean()
    assert found["topic_accuracy"] == (of_topics.argmax(axis=-1) == topics).mean()


def test_a_sum_is_that_of_the_real_steps() -> None:
    loss = gk.losses.SoftmaxCrossEntropy(reduction="sum")
    model = words()
    train(model, IDS, TAGS, loss=loss, optimizer=gk.SGD(1e-3))
    wanted = entropy(model.predict(IDS)[REAL], TAGS[REAL]).sum()
    assert model.evaluate(IDS, TAGS, batch_size=8)["loss"] == pytest.approx(wanted, rel=1e-6)


class Lengths(gk.Layer):
    """The length of each sequence, as its only output."""

    def build(self, input_shape):
        return (1,)

    def forward(self, x, training=False, *, lengths=None):
        steps = np.full(len(x), x.shape[1]) if lengths is None else lengths
        return steps[:, np.newaxis].astype(self.dtype)

    def backward(self, dy):
        return None


@pytest.mark.parametrize("batch_size", [7, 512])
def test_predict_passes_lengths_on(batch_size: int) -> None:
    model = gk.Sequential(gk.Dense(2), Lengths())
    found = model.predict(X, lengths=LENGTHS, batch_size=batch_size)
    np.testing.assert_array_equal(found[:, 0], LENGTHS)
    np.testing.assert_array_equal(model.forward(X, lengths=LENGTHS)[:, 0], LENGTHS)
    np.testing.assert_array_equal(model.predict(X)[:, 0], STEPS)


def test_one_of_several_inputs_may_be_padded() -> None:
    a, b = gk.Input((STEPS, FEATURES), name="a"), gk.Input((STEPS, FEATURES), name="b")
    model = gk.Model((a, b), Lengths()(gk.Add()(gk.Dense(2)(a), gk.Dense(2)(b))))
    for lengths in ((None, LENGTHS), {"a": LENGTHS, "b": None}):
        found = model.predict((X, X), lengths=lengths)
        np.testing.assert_array_equal(found[:, 0], LENGTHS)


def test_a_split_keeps_lengths_and_samples_together() -> None:
    x = np.where(REAL[..., np.newaxis], X, 1e30).astype(np.float32)  # all would be lost with one
    history = tagger().fit(
        *(x, TAGS),
        lengths=LENGTHS,
        loss=ENTROPY,
        validation_split=0.3,
        epochs=2,
        batch_size=4,
        verbose=0,
    )
    assert max(history["loss"] + history["val_loss"]) < 10


def test_a_profile_takes_lengths() -> None:
    model = tagger()
    train(model, X, TAGS, lengths=LENGTHS)
    before = copy.deepcopy(model).flat_params
    assert "count_steps" in str(model.profile(X, TAGS, lengths=LENGTHS, batch_size=8, steps=2))
    np.testing.assert_array_equal(model.flat_params, before)


def wrong(labels: NDArray[Any], label: int) -> NDArray[Any]:
    labels = labels.copy()
    labels[REAL & (np.arange(SAMPLES)[:, np.newaxis] == 5)] = label
    return labels


def replaced(value: int) -> NDArray[Any]:
    return np.where(np.arange(SAMPLES) == 2, value, LENGTHS)


RANGE = "must be 1 to 6, the time steps of the batch, got"
MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"lengths": replaced(7)}, ValueError, f"fit: lengths {RANGE} 7 for sample 2"),
    ({"lengths": replaced(0)}, ValueError, f"fit: lengths {RANGE} 0 for sample 2"),
    ({"lengths": LENGTHS[:3]}, ValueError, "fit: lengths must have shape (29,), got (3,)"),
    (
        {"lengths": REAL},
        TypeError,
        "fit: lengths must be integers, got dtype bool; those of a mask are mask.sum(axis=1)",
    ),
    (
        {"lengths": REAL.astype(int)},
        ValueError,
        ("fit: lengths must have shape (29,), got (29, 6); those of a mask are mask.sum(axis=1)"),
    ),
    ({"lengths": LENGTHS / 2}, TypeError, "fit: lengths must be integers, got dtype float64"),
    (
        {"validation_data": (X, TAGS, replaced(9))},
        ValueError,
        f"fit: validation_data's lengths {RANGE} 9 for sample 2",
    ),
    (
        {"validation_data": (X,)},
        TypeError,
        (
            "fit: validation_data must be (x, y), (x, y, sample_weight), (x, y, lengths) if lengths"
            " are given, (x, y, lengths, sample_weight), or an iterable of batches"
        ),
    ),
    (
        {"y": wrong(TAGS, 3)},
        ValueError,
        (
            "fit: the label 3 in row 5, step 0 of y is out of range: the model has 3 outputs, so"
            " labels go from 0 to 2"
        ),
    ),
    (
        {"y": TAGS.astype(float)},
        ValueError,
        (
            "fit: y has targets of shape (6,), the model's outputs have (6, 3); class numbers can"
            " be converted by y.astype(int)"
        ),
    ),
    (
        {"y": TAGS[:, :4]},
        ValueError,
        (
            "fit: y has targets of shape (4,), the model's outputs have (6, 3); end it with a"
            " recurrent layer without return_sequences, or with Flatten and Dense"
        ),
    ),
    (
        {"y": TAGS[:, 0]},
        ValueError,
        (
            "fit: y holds one class number a sample, but the model's outputs have shape (6, 3);"
            " end it with a recurrent layer without return_sequences, or with Flatten and Dense"
        ),
    ),
]


@pytest.mark.parametrize(("given", "kind", "sentence"), MISTAKES, ids=[row[2] for row in MISTAKES])
def test_mistakes_are_one_sentence(
    given: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    options = {"x": X, "y": TAGS, "lengths": LENGTHS, "loss": ENTROPY, "verbose": 0} | given
    with pytest.raises(kind) as caught:
        tagger().fit(**options)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("loss", "targets"), [(ENTROPY, TAGS), ("mse", np.zeros((SAMPLES, TAGS.shape[1], 3)))]
)
def test_targets_for_each_step_need_outputs_for_each_step(loss: str, targets: Any) -> None:
    model = gk.Sequential(gk.GRU(4), gk.Dense(3))
    message = (
        f"fit: y has targets of shape {targets.shape[1:]}, the model's outputs have (3,); outputs"
        " for each time step take return_sequences=True in recurrent layers"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.fit(np.zeros((SAMPLES, TAGS.shape[1], 2)), targets, loss=loss, verbose=0)


def test_lengths_that_nothing_depends_on_are_refused() -> None:
    model = gk.Sequential(gk.Flatten(), gk.Dense(CLASSES))
    with pytest.raises(ValueError, match="predict: lengths reach no output and no layer that"):
        model.predict(X, lengths=LENGTHS)


def test_lengths_of_several_inputs_are_named() -> None:
    a, b = gk.Input((STEPS, FEATURES), name="a"), gk.Input((STEPS, FEATURES), name="b")
    model = gk.Model((a, b), gk.Dense(CLASSES)(gk.Add()(a, b)))
    with pytest.raises(ValueError, match=r"predict: lengths\['b'\] must be 1 to 6, the time steps"):
        model.predict((X, X), lengths=(LENGTHS, LENGTHS + 9))
