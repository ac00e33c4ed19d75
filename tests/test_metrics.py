"""Metrics: of whole data sets, whatever the batches; against recorded numbers of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import metrics as m
from gyaku.train.kept import Kept

RANDOM = np.random.default_rng(3)
Y = RANDOM.dirichlet(np.ones(4), 60).astype("f4").round(2)
T = RANDOM.integers(0, 4, 60)
T[:20] = Y[:20].argmax(1)
NUMBERS = RANDOM.normal(size=(60, 3))
PREDICTED = NUMBERS + RANDOM.normal(size=(60, 3)) * [0.1, 1, 3]
SOFTMAX = np.exp(Y.astype(float)) / np.exp(Y.astype(float)).sum(1, keepdims=True)
BINARY = (T > 1).astype(int)

# Metric, outputs, targets, and the number of scikit-learn 1.9.
RECORDED: list[tuple[m.Overall, Any, Any, float]] = [
    (m.Precision(), Y, T, 0.5884049773755656),
    (m.Recall(), Y, T, 0.5786210317460317),
    (m.F1(), Y, T, 0.5801467051467051),
    (m.BalancedAccuracy(), Y, T, 0.5786210317460317),
    (m.Precision(label=2), Y, T, 0.55),
    (m.Recall(label=2), Y, T, 0.6875),
    (m.F1(label=2), Y, T, 0.6111111111111112),
    (m.AUC(), SOFTMAX, T, 0.7416184359119142),
    (m.AUC(), Y, T, 0.7416184359119142),
    (m.TopAccuracy(2), Y, T, 0.7666666666666667),
    (m.BalancedAccuracy(), Y[:, :1], BINARY[:, None], 0.40384615384615385),
    (m.F1(), Y[:, :1], BINARY[:, None], 0.0),
    (m.AUC(), Y[:, :1], BINARY[:, None], 0.31900452488687786),
    (m.R2(), PREDICTED, NUMBERS, -2.614955260558636),
    (m.RootMeanSquaredError(), PREDICTED[:, :1], NUMBERS[:, :1], 0.09605640048249502),
]


@pytest.mark.parametrize(
    ("metric", "y", "t", "expected"),
    RECORDED,
    ids=[f"{place} {row[0].name}" for place, row in enumerate(RECORDED)],
)
@pytest.mark.parametrize("size", [60, 7, 1])
def test_a_metric_is_that_of_scikit_learn(
    metric: m.Overall, y: Any, t: Any, expected: float, size: int
) -> None:
    model = gk.Sequential(gk.Rescaling(1.0), dtype="float64")
    found = model.evaluate(y, t, loss=lambda y, t: (0.0, 0 * y), metrics=metric, batch_size=size)
    assert found[metric.name] == pytest.approx(expected, rel=1e-12)


def test_rows_as_targets_are_classes() -> None:
    rows = np.eye(4)[T]
    top = m.TopAccuracy(2)
    assert top(Y, rows) == top(Y, T)
    for metric in (m.F1(), m.AUC()):
        summaries = [metric.summary(Y, target) for target in (rows, T)]
        assert metric.of(summaries[:1]) == metric.of(summaries[1:])
    np.testing.assert_array_equal(m.confusion_matrix(Y, rows), m.confusion_matrix(Y, T))


def test_a_confusion_matrix_has_a_row_for_each_true_class() -> None:
    expected = [[8, 0, 2, 4], [2, 6, 3, 1], [2, 1, 11, 2], [1, 3, 4, 10]]
    assert m.confusion_matrix(Y, T).tolist() == expected
    steps = m.confusion_matrix(Y.reshape(6, 10, 4), T.reshape(6, 10))
    assert steps.tolist() == expected
    with pytest.raises(ValueError) as caught:
        m.confusion_matrix(Y, T[:9])
    assert str(caught.value) == (
        "confusion_matrix: t must have the shape (60,), or (60, 4) of y, got (9,)"
    )


def network() -> gk.Sequential:
    return gk.Sequential(gk.Dense(8, "tanh"), gk.Dense(4))


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_metrics_of_a_training(backend: str) -> None:
    gk.use_backend(backend)
    names = ["accuracy", "f1", "auc", "top_2_accuracy"]
    model = network()
    history = model.fit(
        *(Y, T),
        loss="softmax_cross_entropy",
        metrics=["acc", "f1_score", "roc_auc", m.TopAccuracy(2)],
        epochs=3,
        batch_size=11,
        validation_data=(Y, T),
        optimizer=gk.SGD(1e-12),
        verbose=0,
    )
    found = model.evaluate(Y, T)
    for name in names:
        np.testing.assert_allclose(history[name], history[f"val_{name}"], rtol=1e-9)
        assert history[f"val_{name}"] == [found[name]] * 3
    y = model.predict(Y)
    assert found["f1"] == m.F1().of([m.confusion_matrix(y, T)])
    assert found["accuracy"] == pytest.approx(m.confusion_matrix(y, T).trace() / 60)


NATIVE = ["precision", "recall", "f1", "balanced_accuracy", "top_accuracy", "auc"]


@pytest.mark.parametrize("lengths", [False, True])
def test_no_metric_calls_python_in_a_step(lengths: bool) -> None:
    x, y = (Y.reshape(12, 5, 4), T.reshape(12, 5)) if lengths else (Y, T)
    layers = [gk.GRU(3, return_sequences=True)] if lengths else []
    model = gk.Sequential(*layers, gk.Dense(4))
    more = {"lengths": np.arange(12) % 5 + 1} if lengths else {}
    metrics = [*NATIVE, m.Overall(lambda y, t: np.ptp(y), name="spread")]
    model.fit(x, y, loss="softmax_cross_entropy", metrics=metrics, verbose=0, **more)
    names = [task["name"] for task in model.captured["tasks"]]
    assert names.count("count_confusions") == 1  # four metrics have it in common
    assert "keep_rows" in names
    assert not any(task["host"] for task in model.captured["tasks"])


@pytest.mark.parametrize("kind", ["arrays", "batches", "by length"])
def test_outputs_are_kept_whatever_the_size_of_their_store(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(2)
    x, lengths = random.normal(size=(60, 40, 2)).astype("f4"), random.integers(1, 41, 60)
    options: dict[str, Any] = {"loss": "softmax_cross_entropy", "metrics": ["auc", "f1"]}
    options |= {"epochs": 2, "batch_size": 7, "verbose": 0, "optimizer": gk.SGD(0.1)}
    data: Any = (x, T)
    if kind == "batches":
        parts = [slice(0, 3), slice(3, 20), slice(20, 21), slice(21, 60)]
        data = ([(x[part], T[part]) for part in parts].__iter__,)
        del options["batch_size"]
    else:
        options |= {"lengths": lengths, "by_length": kind == "by length"}

    def run(size: int) -> dict[str, list[float]]:
        monkeypatch.setattr("gyaku.train.kept._BYTES", size)
        model = gk.Sequential(gk.GRU(3), gk.Dense(4), seed=1)
        return dict(model.fit(*data, **options))

    assert run(1 << 20) == run(1) == run(200)


def test_blocks_of_a_step_are_kept_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyaku.train.kept._BYTES", 1)
    kept, parts = Kept(), [np.full((rows, 2), float(rows)) for rows in (3, 4, 3)]
    for _ in range(2):
        for part in parts:
            kept.add(part, np.arange(len(part)), None, None)
        found = np.concatenate([y for y, *_ in kept.take()])
        np.testing.assert_array_equal(
            np.sort(found, axis=0), np.sort(np.concatenate(parts), axis=0)
        )
    assert kept.room(2) == 1


def test_a_threshold_is_for_several_labels() -> None:
    with pytest.raises(ValueError, match="the metric 'f1' has a threshold, which is for several"):
        network().fit(*(Y, T), loss="softmax_cross_entropy", metrics=m.F1(threshold=0.5), verbose=0)


def test_padded_steps_do_not_count() -> None:
    x, lengths = RANDOM.normal(size=(9, 5, 2)), RANDOM.integers(1, 6, 9)
    tags = RANDOM.integers(0, 3, (9, 5))
    model = gk.Sequential(gk.SimpleRNN(3, return_sequences=True), gk.Dense(3))
    found = model.evaluate(
        *(x, tags),
        lengths=lengths,
        loss="softmax_cross_entropy",
        metrics=["recall", "auc"],
        batch_size=4,
    )
    real = np.arange(5) < lengths[:, None]
    y = model.predict(x, lengths=lengths)[real]
    assert found["recall"] == m.Recall().of([m.confusion_matrix(y, tags[real])])
    assert found["auc"] == pytest.approx(m.AUC().of([(y, tags[real])]), rel=1e-12)


def test_a_function_of_the_whole_set() -> None:
    def middle(y: Any, t: Any) -> Any:
        return np.median(abs(y - t))

    metric = m.Overall(middle)
    model = gk.Sequential(gk.Rescaling(1.0), dtype="float64")
    for size in (60, 13):
        found = model.evaluate(PREDICTED, NUMBERS, loss="mse", metrics=metric, batch_size=size)
        assert found["middle"] == np.median(abs(PREDICTED - NUMBERS))
    wrong = m.Overall(lambda y, t: y, name="wrong")
    with pytest.raises(ValueError, match="the metric 'wrong' must return a number, got shape"):
        model.evaluate(PREDICTED, NUMBERS, loss="mse", metrics=wrong)


def test_a_mean_absolute_error() -> None:
    model = gk.Sequential(gk.Rescaling(1.0), dtype="float64")
    found = model.evaluate(PREDICTED, NUMBERS, loss="mse", metrics="mae", batch_size=7)
    assert found["mean_absolute_error"] == pytest.approx(1.0689166236947656, rel=1e-12)


def test_metrics_are_kept_in_the_file(tmp_path: Path) -> None:
    model = network()
    given = ["accuracy", m.Recall(label=3), m.TopAccuracy(2)]
    options = {"loss": "softmax_cross_entropy", "verbose": 0}
    model.fit(Y, T, metrics=[*given, m.Overall(lambda y, t: 0.0, name="own")], **options)
    model.save(tmp_path / "model.safetensors")
    loaded = gk.load(tmp_path / "model.safetensors")
    assert repr(loaded.metrics) == "(Accuracy(), Recall(label=3), TopAccuracy(k=2))"
    assert loaded.evaluate(Y, T).items() < model.evaluate(Y, T).items()


@pytest.mark.parametrize(
    ("monitor", "more"),
    [("val_f1", True), ("recall_3", True), ("r2", True), ("auc", True), ("top_2_accuracy", True),
     ("val_loss", False), ("mean_absolute_error", False), ("own", False)],
)  # fmt: skip
def test_early_stopping_knows_which_way_is_better(monitor: str, more: bool) -> None:
    assert gk.EarlyStopping(monitor).best == (-np.inf if more else np.inf)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda: m.Recall(label=-1), "Recall: label must be at least 0, got -1"),
        (lambda: m.TopAccuracy(0), "TopAccuracy: k must be at least 1, got 0"),
        (lambda: m.F1(label=4), "F1: label must be below 4, the number of classes, got 4"),
    ],
)
def test_a_senseless_metric_is_refused(metric: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        network().evaluate(Y, T, loss="softmax_cross_entropy", metrics=metric())
    assert str(caught.value) == message
