"""Networks of one's own as estimators, and scikit-learn's callbacks."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import gyaku as gk
from gyaku.sklearn import (
    CNNClassifier,
    MLPClassifier,
    NetClassifier,
    NetRegressor,
    SequenceClassifier,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RELEASE = tuple(map(int, sklearn.__version__.split(".")[:2]))
(IMAGES, DIGITS), _ = gk.data.digits()
IMAGES, DIGITS = IMAGES[:300] / np.float32(255), DIGITS[:300]
SEQUENCES = np.random.default_rng(0).normal(size=(200, 12, 2))
SUMS = SEQUENCES.sum(axis=(1, 2))
LAYOUTS = [IMAGES[:50], IMAGES[:50, ::-1], np.asfortranarray(IMAGES[:50])]


def convolutional(shape: tuple[int, ...], outputs: int) -> list[Any]:
    assert shape == IMAGES.shape[1:]
    return [gk.Conv2D(8, 3, activation="relu"), gk.MaxPool2D(2), gk.Flatten(), gk.Dense(outputs)]


def recurrent(shape: tuple[int, ...], outputs: int) -> list[Any]:
    return [gk.GRU(8), gk.Dense(outputs)]


@pytest.mark.parametrize("estimator", [NetClassifier(), NetRegressor()])
def test_passes_the_checks_of_scikit_learn(estimator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the checks, which train too short
        check_estimator(estimator)


def test_images_are_classified() -> None:
    words = np.array([f"digit {each}" for each in range(10)])[DIGITS]
    network = NetClassifier(convolutional, optimizer=gk.Adam(0.02), max_iter=30, random_state=0)
    assert network.fit(IMAGES, words).score(IMAGES, words) > 0.95
    proba = network.predict_proba(IMAGES)
    assert proba.shape == (300, 10)
    assert proba.dtype == np.float32
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(network.predict_proba(IMAGES[:7]), proba[:7])


def test_sequences_have_numbers() -> None:
    network = NetRegressor(recurrent, optimizer=gk.Adam(0.02), max_iter=60, random_state=0)
    assert network.fit(SEQUENCES, SUMS).score(SEQUENCES, SUMS) > 0.9
    assert network.model_.dtype == np.float64


@pytest.mark.parametrize("samples", LAYOUTS)
def test_samples_are_not_changed_and_may_be_read_only(samples: Any) -> None:
    samples = samples.copy(order="K")
    samples.flags.writeable = False
    before = samples.copy()
    network = NetClassifier(convolutional, max_iter=2).fit(samples, DIGITS[:50])
    network.predict(samples)
    np.testing.assert_array_equal(samples, before)


def test_weights_of_images_are_repetitions() -> None:
    options: dict[str, Any] = {"max_iter": 3, "random_state": 0}
    x, y, weights = IMAGES[:60].astype(float), DIGITS[:60], np.arange(60) % 3
    weighted = NetClassifier(convolutional, **options).fit(x, y, sample_weight=weights)
    rows = np.repeat(np.arange(60), weights)
    repeated = NetClassifier(convolutional, **options).fit(x[rows], y[rows])
    np.testing.assert_allclose(weighted.predict_proba(x), repeated.predict_proba(x), rtol=1e-6)


def test_clone_and_pickle_of_images() -> None:
    network = NetClassifier(convolutional, max_iter=2, random_state=0).fit(IMAGES, DIGITS)
    assert not hasattr(clone(network), "model_")
    again = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(again.predict_proba(IMAGES), network.predict_proba(IMAGES))


def test_a_network_that_was_given_is_never_trained() -> None:
    # Labels without any relation: a network that kept its weights would know them by heart.
    own = gk.Sequential(gk.Flatten(), gk.Dense(64, "relu"), gk.Dense(2), seed=0)
    own.build(IMAGES.shape[1:])
    before = own.flat_params.copy()
    noise = np.random.default_rng(0).integers(2, size=100)
    network = NetClassifier(lambda shape, outputs: own, max_iter=20)
    labels = np.where(noise, "b", "a")
    labels[0] = "c"  # three classes, which need another last layer
    with pytest.raises(ValueError, match=r"outputs of shape \(2,\), the targets need \(3,\)"):
        network.fit(IMAGES[:100], labels)
    single = gk.Sequential(gk.Flatten(), gk.Dense(64, "relu"), gk.Dense(1), seed=0)
    network.set_params(model_fn=lambda shape, outputs: single)
    assert cross_val_score(network, IMAGES[:100], noise, cv=3).mean() < 0.75
    assert not single.built
    np.testing.assert_array_equal(own.flat_params, before)


def test_something_else_than_a_network_is_refused() -> None:
    with pytest.raises(TypeError, match="model_fn must return a gyaku model or a list of layers"):
        NetClassifier(lambda shape, outputs: 3).fit(IMAGES, DIGITS)


def test_optimizers_are_copied() -> None:
    learner = gk.Adam(0.01)
    first = NetRegressor(optimizer=learner, max_iter=3, random_state=0).fit(SEQUENCES[:, 0], SUMS)
    again = NetRegressor(optimizer=learner, max_iter=3, random_state=0).fit(SEQUENCES[:, 0], SUMS)
    assert learner.params.size == 0
    np.testing.assert_array_equal(first.predict(SEQUENCES[:, 0]), again.predict(SEQUENCES[:, 0]))


if RELEASE >= (1, 9):
    from sklearn.callback import ScoringMonitor

    class Recorder:
        """Callback that counts the tasks, and ends a training behind its third epoch."""

        def __init__(self) -> None:
            self.events: list[str] = []
            self.scores: list[float] = []
            self.kept: list[Any] = []

        def setup(self, estimator: Any, context: Any) -> None:
            self.events.append("setup")

        def teardown(self, estimator: Any, context: Any) -> None:
            self.events.append("teardown")

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
            self.events.append(f"begin {context.task_name}")

        def on_fit_task_end(
            self, estimator: Any, context: Any, *, X: Any, y: Any, fitted_estimator: Any
        ) -> bool:
            self.events.append(f"end {context.task_name}")
            self.scores.append(fitted_estimator.score(X, y))
            self.kept.append(fitted_estimator)
            return len(self.scores) == 3

    def test_callbacks_of_scikit_learn_are_told_of_epochs_and_end_a_training() -> None:
        told = Recorder()
        network = MLPClassifier(random_state=0).set_callbacks(told)
        x = IMAGES.reshape(300, -1)
        network.fit(x, DIGITS)
        epoch = ["begin epoch", "end epoch"]
        assert told.events == ["setup", "begin fit", *(3 * epoch), "end fit", "teardown"]
        assert network.n_iter_ == 3
        assert told.scores[0] < told.scores[2] == told.scores[3] == network.score(x, DIGITS)
        assert [each.score(x, DIGITS) for each in told.kept] == told.scores

    GRID = {"mlpclassifier__alpha": [1e-4, 1.0]}

    def pipeline() -> Any:
        return make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=9, random_state=0))

    class Progress:
        """Callback that scikit-learn hands on to the estimators within others."""

        max_propagation_depth = None

        def __init__(self, epochs: int = 9) -> None:
            self.epochs = epochs
            self.told: list[str] = []

        def setup(self, estimator: Any, context: Any) -> None:
            pass

        def teardown(self, estimator: Any, context: Any) -> None:
            pass

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
            if context.estimator_name == "MLPClassifier":
                self.told.append(f"{context.task_name} of {context.max_subtasks}")

        def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
            return context.task_name == "epoch" and context.task_id + 1 == self.epochs

    def test_a_search_shows_the_epochs_within_it() -> None:
        progress = Progress()
        search = GridSearchCV(pipeline(), GRID, cv=2).set_callbacks(progress)
        search.fit(IMAGES.reshape(300, -1), DIGITS)
        fits = 2 * 2 + 1  # settings, folds and the last fit
        assert progress.told == fits * ["fit of 9", *(9 * ["epoch of 0"])]

    def test_a_callback_of_a_search_ends_the_trainings_within_it() -> None:
        progress = Progress(epochs=2)
        search = GridSearchCV(pipeline(), GRID, cv=2).set_callbacks(progress)
        search.fit(IMAGES.reshape(300, -1), DIGITS)
        assert progress.told == 5 * ["fit of 9", *(2 * ["epoch of 0"])]
        assert search.best_estimator_[-1].n_iter_ == 2

    PADDED, LENGTHS = gk.data.pad([SEQUENCES[i, : 3 + i % 9] for i in range(60)])

    @pytest.mark.parametrize(
        ("estimator", "given"),
        [
            (MLPClassifier(max_iter=4), {"X": IMAGES[:60].reshape(60, -1)}),
            (CNNClassifier((2,), max_iter=4), {"X": IMAGES[:60].reshape(60, -1)}),
            (SequenceClassifier(3, max_iter=4), {"X": PADDED, "lengths": LENGTHS}),
        ],
    )
    def test_scikit_learns_own_monitor_scores_the_epochs(
        estimator: Any, given: dict[str, Any]
    ) -> None:
        monitor = ScoringMonitor(scoring="accuracy")
        weights = np.arange(60.0)
        network = estimator.set_params(random_state=0).set_callbacks(monitor)
        network.fit(**given, y=DIGITS[:60], sample_weight=weights)
        logs = monitor.get_logs(select="most_recent").data
        scores = [row["accuracy"] for row in logs if row["task_name"] == "epoch"]
        assert len(scores) == 4
        assert scores[-1] == network.score(**given, y=DIGITS[:60], sample_weight=weights)
