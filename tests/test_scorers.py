"""Scorers, metrics and argument names of scikit-learn as metrics of fit and evaluate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.metrics import get_scorer, make_scorer

import gyaku as gk

RANDOM = np.random.default_rng(8)
X = RANDOM.normal(size=(60, 4))
T = RANDOM.integers(0, 3, 60)
WEIGHTS = RANDOM.choice([0.5, 1, 3], 60)
NUMBERS = X @ RANDOM.normal(size=(4, 1)) + RANDOM.normal(size=(60, 1))
LABELS = (RANDOM.random((60, 4)) > 0.6).astype(float)


def model(*layers: gk.Layer) -> gk.Sequential:
    return gk.Sequential(*(layers or [gk.Rescaling(1.0)]), dtype="float64")


def measured(y: Any, t: Any, metric: Any, *, size: int = 60, **options: Any) -> float:
    """Return the metric of given outputs."""
    options = {"loss": "mse" if np.shape(t) == y.shape else "softmax_cross_entropy"} | options
    found = model().evaluate(y, t, metrics=metric, batch_size=size, **options)
    (value,) = [value for name, value in found.items() if name != "loss"]
    return value


CLASSES = X[:, :3]
P = np.exp(CLASSES) / np.exp(CLASSES).sum(1, keepdims=True)
BINARY = (T > 0).astype(float)[:, None]
Q = 1 / (1 + np.exp(-X[:, :1]))
BEST = P.argmax(1)
YES = Q[:, 0] > 0.5


def by(weights: Any) -> dict[str, Any]:
    return {"sample_weight": weights}


SCORES: list[tuple[Any, Any, Any, Any]] = [
    ("f1_macro", CLASSES, T, lambda w: sk.f1_score(T, BEST, average="macro", sample_weight=w)),
    ("neg_log_loss", CLASSES, T, lambda w: -sk.log_loss(T, P, sample_weight=w)),
    (
        get_scorer("roc_auc_ovr"),
        CLASSES,
        T,
        lambda w: sk.roc_auc_score(T, P, multi_class="ovr", sample_weight=w),
    ),
    (
        "average_precision",
        Q,
        BINARY,
        lambda w: sk.average_precision_score(BINARY, Q, sample_weight=w),
    ),
    (get_scorer("recall"), Q, BINARY, lambda w: sk.recall_score(BINARY, YES, sample_weight=w)),
    (
        get_scorer("recall"),
        X[:, :1],
        BINARY,
        lambda w: sk.recall_score(BINARY, YES, sample_weight=w),
    ),
    (
        "neg_median_absolute_error",
        X[:, :1],
        NUMBERS,
        lambda w: -sk.median_absolute_error(NUMBERS[:, 0], X[:, 0], sample_weight=w),
    ),
    (
        make_scorer(sk.mean_pinball_loss, greater_is_better=False, alpha=0.9),
        X[:, :1],
        NUMBERS,
        lambda w: -sk.mean_pinball_loss(NUMBERS, X[:, :1], alpha=0.9, sample_weight=w),
    ),
    (sk.zero_one_loss, CLASSES, T, lambda w: sk.zero_one_loss(T, BEST, sample_weight=w)),
    (sk.hamming_loss, LABELS, LABELS, lambda w: 0.0),
    (sk.roc_auc_score, Q, BINARY, lambda w: sk.roc_auc_score(BINARY, Q, sample_weight=w)),
    (sk.max_error, X[:, :1], NUMBERS, lambda w: sk.max_error(NUMBERS, X[:, :1])),
    (sk.r2_score, X, X**2, lambda w: sk.r2_score(X**2, X, sample_weight=w)),
]


@pytest.mark.parametrize(("metric", "y", "t", "expected"), SCORES, ids=range(len(SCORES)))
@pytest.mark.parametrize("size", [60, 7])
def test_a_scorer_is_that_of_scikit_learn(
    metric: Any, y: Any, t: Any, expected: Any, size: int
) -> None:
    assert measured(y, t, metric, size=size) == pytest.approx(expected(None), rel=1e-9)


@pytest.mark.parametrize(("metric", "y", "t", "expected"), SCORES, ids=range(len(SCORES)))
def test_a_scorer_has_weights(metric: Any, y: Any, t: Any, expected: Any) -> None:
    if metric is sk.max_error:
        with pytest.raises(TypeError, match="the metric max_error takes none; give its function"):
            measured(y, t, metric, sample_weight=WEIGHTS)
        return
    found = measured(y, t, metric, size=7, sample_weight=WEIGHTS)
    assert found == pytest.approx(expected(WEIGHTS), rel=1e-9)


WEIGHTED: list[tuple[Any, Any, Any, Any]] = [
    ("precision", CLASSES, T, lambda: sk.precision_score(T, BEST, average="macro", **W)),
    ("balanced_accuracy", CLASSES, T, lambda: sk.balanced_accuracy_score(T, BEST, **W)),
    ("accuracy", CLASSES, T, lambda: sk.accuracy_score(T, BEST, **W)),
    ("top_2_accuracy", CLASSES, T, lambda: sk.top_k_accuracy_score(T, P, k=2, **W)),
    ("auc", CLASSES, T, lambda: sk.roc_auc_score(T, P, multi_class="ovr", **W)),
    ("auc", Q, BINARY, lambda: sk.roc_auc_score(BINARY, Q, **W)),
    ("rmse", X, X**2, lambda: np.sqrt(sk.mean_squared_error(X**2, X, **W))),
    ("r2", X, X**2, lambda: sk.r2_score(X**2, X, **W)),
    ("mae", X, X**2, lambda: sk.mean_absolute_error(X**2, X, **W)),
]
W = {"sample_weight": WEIGHTS}


@pytest.mark.parametrize(("name", "y", "t", "expected"), WEIGHTED, ids=range(len(WEIGHTED)))
def test_a_weighted_metric_is_that_of_scikit_learn(
    name: Any, y: Any, t: Any, expected: Any
) -> None:
    metric = gk.metrics.TopAccuracy(2) if name == "top_2_accuracy" else name
    assert measured(y, t, metric, size=13, **W) == pytest.approx(expected(), rel=1e-9)


def test_several_labels_a_sample_are_columns() -> None:
    yes = X > 0
    options = {"average": "macro"}
    for kind, function in (("F1", sk.f1_score), ("Recall", sk.recall_score)):
        make = getattr(gk.metrics, kind)
        found = measured(X, LABELS, make(threshold=0), size=11)
        assert found == pytest.approx(function(LABELS, yes, **options), rel=1e-12)
        weighted = measured(X, LABELS, make(threshold=0), size=11, **W)
        assert weighted == pytest.approx(function(LABELS, yes, **options, **W), rel=1e-12)
        one = measured(X, LABELS, make(label=2, threshold=0), size=11)
        assert one == pytest.approx(function(LABELS[:, 2], yes[:, 2]), rel=1e-12)
    assert measured(X, LABELS, "auc") == pytest.approx(sk.roc_auc_score(LABELS, X), rel=1e-12)


def test_a_training_shows_scores_and_each_output_has_its_own() -> None:
    x = gk.Input((4,))
    outputs = (gk.Dense(3, name="kind")(x), gk.Dense(1, name="size")(x))
    both = gk.Model(x, outputs, dtype="float64")
    history = both.fit(
        *(X, (T, NUMBERS)),
        loss=("softmax_cross_entropy", "mse"),
        metrics={"kind": ["f1_macro"], "size": [sk.r2_score]},
        validation_data=(X, (T, NUMBERS)),
        epochs=2,
        verbose=0,
    )
    y = both.predict(X)
    score = sk.f1_score(T, y[0].argmax(1), average="macro")
    assert history["val_kind_f1_macro"][-1] == pytest.approx(score)
    assert history["val_size_r2_score"][-1] == pytest.approx(sk.r2_score(NUMBERS, y[1]))


def test_own_names_come_first_and_unknown_ones_are_explained() -> None:
    assert isinstance(gk.metrics.metric("f1"), gk.metrics.F1)
    assert isinstance(gk.metrics.metric("roc_auc"), gk.metrics.AUC)
    with pytest.raises(ValueError, match="unknown metric 'acuracy', did you mean 'accuracy'"):
        gk.metrics.metric("acuracy")


def test_a_scorer_that_fails_raises_its_own_error() -> None:
    with pytest.raises(ValueError, match="Only one class is present|continuous|is not supported"):
        measured(X[:, :1], NUMBERS, get_scorer("f1"))


@pytest.mark.parametrize(
    ("monitor", "sign"),
    [
        ("val_average_precision", -1),
        ("val_neg_log_loss", -1),
        ("val_f1_macro", -1),
        ("r2_score", -1),
        ("val_kind_f1", -1),
        ("val_size_root_mean_squared_error", 1),
        ("f1_3", -1),
        ("val_loss", 1),
        ("my_own", 1),
    ],
)
def test_an_early_stop_looks_for_large_scores(monitor: str, sign: int) -> None:
    stop = gk.EarlyStopping(monitor)
    assert stop.best == sign * np.inf
