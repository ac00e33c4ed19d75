"""Weights of samples, steps, pixels and classes: in training, evaluation and their metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(50, 6)).astype("f4")
T = RANDOM.integers(0, 3, 50)
T[:30] = 0
WEIGHTS = RANDOM.choice([1, 2, 3], 50)
METRICS = ["accuracy", "f1", "auc", gk.metrics.TopAccuracy(2), "balanced_accuracy"]
OPTIONS: dict[str, Any] = {"loss": "softmax_cross_entropy", "epochs": 3, "verbose": 0}
SEQUENCES = RANDOM.normal(size=(12, 5, 2)).astype("f4")
TAGS = RANDOM.integers(0, 3, (12, 5))
LENGTHS = RANDOM.integers(1, 6, 12)


def network() -> gk.Sequential:
    return gk.Sequential(gk.Dense(8, "tanh"), gk.BatchNorm(), gk.Dense(3))


def tagger() -> gk.Sequential:
    return gk.Sequential(gk.LSTM(4, return_sequences=True), gk.Dense(3))


def trained(model: gk.Sequential, x: Any, t: Any, **options: Any) -> tuple[Any, gk.History]:
    history = model.fit(x, t, **OPTIONS | options)
    return model.flat_params, history


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("batch_size", [7, None])
def test_a_sample_of_weight_zero_is_not_there(backend: str, batch_size: int | None) -> None:
    gk.use_backend(backend)
    weights = WEIGHTS * (np.arange(50) % 3 > 0)
    there = weights > 0
    options = {"batch_size": batch_size, "metrics": METRICS, "validation_split": 0.2}
    params, history = trained(network(), X, T, sample_weight=weights, **options)
    wanted, other = trained(network(), X[there], T[there], sample_weight=weights[there], **options)
    np.testing.assert_array_equal(params, wanted)
    assert dict(history) == dict(other)


def test_weights_of_one_change_no_bit() -> None:
    options = {"batch_size": 8, "metrics": METRICS}
    params, history = trained(network(), X, T, sample_weight=np.ones(50), **options)
    wanted, other = trained(network(), X, T, **options)
    np.testing.assert_array_equal(params, wanted)
    assert dict(history) == dict(other)


def test_a_weight_of_two_is_a_sample_given_twice() -> None:
    model, other = (
        gk.Sequential(gk.Dense(8, "tanh"), gk.Dense(3), dtype="float64") for _ in range(2)
    )
    options = {"batch_size": None, "metrics": METRICS}
    params, history = trained(model, X, T, sample_weight=WEIGHTS, **options)
    twice = np.repeat(np.arange(50), WEIGHTS)
    wanted, expected = trained(other, X[twice], T[twice], **options)
    np.testing.assert_allclose(params, wanted, rtol=1e-11)
    for name, values in history.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-11)


@pytest.mark.parametrize("loss", ["mse", "mae", gk.losses.Huber(), "sum_squared_error"])
def test_a_regression_has_weights(loss: Any) -> None:
    y = X[:, :2] * 3
    model, other = (gk.Sequential(gk.Dense(2), dtype="float64") for _ in range(2))
    options = {"loss": loss, "batch_size": None, "metrics": ["mse", "mae", "rmse", "r2"]}
    params, history = trained(model, X, y, sample_weight=WEIGHTS, **options)
    twice = np.repeat(np.arange(50), WEIGHTS)
    wanted, expected = trained(other, X[twice], y[twice], **options)
    np.testing.assert_allclose(params, wanted, rtol=1e-11)
    for name, values in history.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-11)


@pytest.mark.parametrize("by_length", [False, True])
def test_steps_have_weights_beside_lengths(by_length: bool) -> None:
    real = np.arange(5) < LENGTHS[:, None]
    weights = RANDOM.random((12, 5))
    options = {"lengths": LENGTHS, "batch_size": 4, "metrics": ["accuracy", "recall"]}
    options["by_length"] = by_length
    behind = np.where(real, weights, np.pi)  # weights behind the ends change nothing
    params, history = trained(tagger(), SEQUENCES, TAGS, sample_weight=weights, **options)
    wanted, other = trained(tagger(), SEQUENCES, TAGS, sample_weight=behind, **options)
    np.testing.assert_array_equal(params, wanted)
    assert dict(history) == dict(other)
    # Without lengths, zeros behind the ends have the same loss: the recurrence runs forwards.
    model = tagger()
    model.build((5, 2))
    found = model.evaluate(
        *(SEQUENCES, TAGS), sample_weight=weights, loss=OPTIONS["loss"], **drop(options)
    )
    zeros = model.evaluate(
        *(SEQUENCES, TAGS),
        sample_weight=np.where(real, weights, 0),
        loss=OPTIONS["loss"],
        metrics=options["metrics"],
    )
    assert found == pytest.approx(zeros, rel=1e-6)


def drop(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "batch_size"}


def test_a_weight_of_a_sequence_is_that_of_its_steps() -> None:
    weights = RANDOM.random(12)
    options = {"loss": OPTIONS["loss"], "metrics": ["accuracy", "recall"], "lengths": LENGTHS}
    model = tagger()
    model.build((5, 2))
    found = model.evaluate(SEQUENCES, TAGS, sample_weight=weights, **options)
    by_step = np.repeat(weights[:, None], 5, axis=1)
    expected = model.evaluate(SEQUENCES, TAGS, sample_weight=by_step, **options)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mse"])
def test_pixels_have_weights(loss: str) -> None:
    images = RANDOM.normal(size=(6, 4, 4, 1)).astype("f4")
    classes = RANDOM.integers(0, 2, (6, 4, 4))
    targets = classes if loss != "mse" else np.eye(2)[classes]
    weights = RANDOM.choice([0.0, 1.0, 2.0], (6, 4, 4))
    model = gk.Sequential(gk.Conv2D(2, 3, padding="same"), dtype="float64")
    model.build((4, 4, 1))
    found = model.evaluate(images, targets, sample_weight=weights, loss=loss, batch_size=4)
    y = model.predict(images)
    if loss == "mse":
        each = np.square(y - targets).mean(-1)
    else:
        each = -np.take_along_axis(gk.ops.log_softmax(y), classes[..., None], -1)[..., 0]
    assert found["loss"] == pytest.approx((weights * each).sum() / weights.sum(), rel=1e-12)
    model.fit(images, targets, sample_weight=weights, loss=loss, verbose=0)


def test_balanced_classes_have_the_same_weight() -> None:
    counts = np.bincount(T)
    by_class = {label: 50 / (3 * count) for label, count in enumerate(counts)}
    options = {"batch_size": 9, "metrics": ["accuracy"]}
    params, history = trained(network(), X, T, class_weight="balanced", **options)
    for given in ({"class_weight": by_class}, {"sample_weight": (50 / (3 * counts))[T]}):
        wanted, other = trained(network(), X, T, **given, **options)
        np.testing.assert_array_equal(params, wanted)
        assert dict(history) == dict(other)
    rows = np.eye(3)[T]
    wanted, _ = trained(network(), X, rows, class_weight="balanced", **options)
    np.testing.assert_allclose(params, wanted, atol=1e-5)


def test_classes_and_samples_multiply_and_validation_has_no_classes() -> None:
    half = {0: 0.5}
    options = {"batch_size": 9, "validation_data": (X, T, WEIGHTS), "metrics": ["accuracy"]}
    params, history = trained(network(), X, T, class_weight=half, sample_weight=WEIGHTS, **options)
    product = np.where(T == 0, 0.5, 1) * WEIGHTS
    wanted, other = trained(network(), X, T, sample_weight=product, **options)
    np.testing.assert_array_equal(params, wanted)
    assert dict(history) == dict(other)
    model = network()
    _, history = trained(model, X, T, class_weight=half, **options)
    found = model.evaluate(X, T, sample_weight=WEIGHTS, batch_size=9)
    assert found == {name: history[f"val_{name}"][-1] for name in found}


def test_one_output_has_two_classes() -> None:
    yes = (T > 0).astype(float)[:, None]
    options = {"loss": "bce", "batch_size": 10}
    model = gk.Sequential(gk.Dense(1, "sigmoid"))
    params, _ = trained(model, X, yes, class_weight={0: 1, 1: 4}, **options)
    wanted, _ = trained(
        gk.Sequential(gk.Dense(1, "sigmoid")), X, yes, sample_weight=1 + 3 * yes[:, 0], **options
    )
    np.testing.assert_array_equal(params, wanted)


def test_each_output_has_weights() -> None:
    x = gk.Input((6,))
    hidden = gk.Dense(4, "tanh")(x)
    outputs = (gk.Dense(3, name="a")(hidden), gk.Dense(2, name="b")(hidden))
    model = gk.Model(x, outputs, dtype="float64")
    losses, targets = ("softmax_cross_entropy", "mse"), (T, X[:, :2])
    found = model.evaluate(X, targets, loss=losses, sample_weight={"a": WEIGHTS, "b": None})
    alone = model.evaluate(X, targets, loss=losses)
    assert found["b_loss"] == pytest.approx(alone["b_loss"], rel=1e-12)
    assert found["loss"] == pytest.approx(found["a_loss"] + found["b_loss"], rel=1e-12)
    each = -np.take_along_axis(gk.ops.log_softmax(model.predict(X)[0]), T[:, None], 1)[:, 0]
    assert found["a_loss"] == pytest.approx(np.average(each, weights=WEIGHTS), rel=1e-12)
    both = model.evaluate(X, targets, loss=losses, sample_weight=WEIGHTS)
    assert both["a_loss"] == pytest.approx(found["a_loss"], rel=1e-12)
    history = model.fit(X, targets, loss=losses, class_weight={"a": "balanced"}, verbose=0)
    assert np.isfinite(history["loss"]).all()


def test_functions_take_the_weights_as_an_argument() -> None:
    def loss(y: Any, t: Any, sample_weight: Any = None) -> Any:
        w = np.ones(len(y)) if sample_weight is None else sample_weight
        each = w[:, None] * (y - t)
        return (each * (y - t)).sum() / w.sum() / 2, each / w.sum()

    def spread(y: Any, t: Any, sample_weight: Any) -> Any:
        return np.average(abs(y - t).max(axis=1), weights=sample_weight)

    y = X[:, :3]
    options = {"batch_size": 8, "sample_weight": WEIGHTS}
    model, other = (gk.Sequential(gk.Dense(3), dtype="float64") for _ in range(2))
    metrics = [spread, gk.metrics.Overall(spread, name="all")]
    params, history = trained(model, X, y, **options | {"loss": loss, "metrics": metrics})
    wanted, expected = trained(other, X, y, **options | {"loss": "sum_squared_error"})
    np.testing.assert_allclose(params, wanted, rtol=1e-9)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-9)
    found = model.evaluate(X, y, sample_weight=WEIGHTS, batch_size=8)
    whole = spread(model.predict(X), y, WEIGHTS)
    assert [found["spread"], found["all"]] == pytest.approx([whole, whole], rel=1e-9)


def test_without_weights_a_program_has_no_task_for_them() -> None:
    model = network()
    trained(model, X, T)
    assert "weigh" not in str(model.program())
    trained(model, X, T, sample_weight=WEIGHTS)
    assert "weigh_losses" in str(model.program())
    assert "python" not in str(model.program()).lower()


def test_a_batch_of_zero_weights_leaves_the_loss_finite() -> None:
    weights = np.ones((12, 5))
    weights[:4, 1:] = 0
    weights[:4, 0] = 1e-30
    weights[0] = 0
    params, history = trained(tagger(), SEQUENCES, TAGS, sample_weight=weights, batch_size=1)
    assert np.isfinite(params).all()
    assert np.isfinite(history["loss"]).all()


def test_several_labels_a_sample_are_no_classes() -> None:
    labels = np.stack([T > 0, T > 1, T > -1], axis=1)
    with pytest.raises(ValueError, match="one class a sample, but y holds several labels; give"):
        network().fit(X, labels, class_weight="balanced", **OPTIONS | {"loss": "bce"})


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"sample_weight": WEIGHTS[:9]},
        ValueError,
        "fit: sample_weight must have the shape (50,), a weight for each sample, got shape (9,)",
    ),
    (
        {"sample_weight": -WEIGHTS},
        ValueError,
        "fit: sample_weight must not be negative, but row 0 holds ",
    ),
    (
        {"sample_weight": WEIGHTS * np.nan},
        ValueError,
        "fit: sample_weight must be finite, but row 0 holds nan",
    ),
    (
        {"sample_weight": 0 * WEIGHTS},
        ValueError,
        "fit: sample_weight must hold a weight above zero, but all are zero",
    ),
    (
        {"class_weight": {3: 1.0}},
        ValueError,
        "fit: class_weight has the key 3, the classes are 0 to 2",
    ),
    (
        {"class_weight": {0: -1}},
        ValueError,
        "fit: class_weight[0] must be at least 0, got -1",
    ),
    (
        {"class_weight": "even"},
        TypeError,
        'fit: class_weight must be "balanced" or a dict of class numbers to weights, got ',
    ),
    (
        {"class_weight": "balanced", "y": X[:, :3], "loss": "mse"},
        ValueError,
        "fit: class_weight is for targets of one class a sample, but y holds numbers; give sample_",
    ),
    (
        {"sample_weight": WEIGHTS, "metrics": lambda y, t: 0.0},
        TypeError,
        "fit: samples have weights, but the metric <lambda> takes none; give its function the",
    ),
    (
        {"sample_weight": WEIGHTS, "loss": lambda y, t: (0.0, 0 * y)},
        TypeError,
        "fit: samples have weights, but the loss <lambda> takes none; give its function the",
    ),
]


@pytest.mark.parametrize(("change", "kind", "message"), BAD, ids=[row[2][:50] for row in BAD])
def test_mistakes_are_one_sentence(
    change: dict[str, Any], kind: type[Exception], message: str
) -> None:
    model = network()
    with pytest.raises(kind) as caught:
        model.fit(**{"x": X, "y": T, **OPTIONS, **change})
    assert str(caught.value).startswith(message)
    assert not model.built
