"""Estimators of scikit-learn: its own checks, and its own networks as the oracle."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_matrix
from sklearn import neural_network as oracle
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import check_estimator

import gyaku as gk
from gyaku.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, NUMBERS = load_digits(return_X_y=True)
X, NUMBERS = X[:400] / 16, NUMBERS[:400]
LABELS = np.stack([NUMBERS > 4, NUMBERS % 2 == 0, NUMBERS == 3], axis=1).astype(int)
OWN = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}


@pytest.mark.parametrize("estimator", [MLPClassifier(), MLPRegressor()])
def test_passes_the_checks_of_scikit_learn(estimator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the checks, which train too short
        if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 7):
            check_estimator(estimator)
            return
        found = check_estimator(estimator, on_skip=None)
    assert len(found) > 55
    assert {each["status"] for each in found} <= {"passed", "skipped"}
    skipped = {each["check_name"] for each in found if each["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}


@pytest.mark.parametrize("name", OWN)
def test_takes_the_arguments_of_scikit_learn_with_its_defaults(name: str) -> None:
    theirs = inspect.signature(getattr(oracle, name)).parameters
    own = inspect.signature(OWN[name]).parameters
    for argument, parameter in theirs.items():
        assert own[argument].default == parameter.default
        assert own[argument].kind == parameter.kind
    assert set(own) - set(theirs) <= {"class_weight", "loss"}


# With "sgd" and samples in order nothing is left to chance but the order of sums.
@pytest.mark.parametrize(
    ("name", "y", "options"),
    [
        ("MLPClassifier", NUMBERS, {}),
        ("MLPClassifier", NUMBERS, {"nesterovs_momentum": False, "learning_rate": "invscaling"}),
        ("MLPClassifier", NUMBERS > 4, {"activation": "tanh", "alpha": 10.0}),
        ("MLPClassifier", LABELS, {"activation": "logistic", "hidden_layer_sizes": (9, 7)}),
        ("MLPRegressor", NUMBERS / 9, {"activation": "identity", "alpha": 10.0}),
        ("MLPRegressor", LABELS * 1.0, {"hidden_layer_sizes": 5}),
        ("MLPClassifier", NUMBERS > 4, {"early_stopping": True, "validation_fraction": 0.5}),
    ],
)
def test_weights_are_those_of_scikit_learn(name: str, y: Any, options: dict[str, Any]) -> None:
    options = {"solver": "sgd", "max_iter": 12, "shuffle": False, "random_state": 0} | options
    theirs = getattr(oracle, name)(**options).fit(X, y)
    own = OWN[name](**options).fit(X, y)
    expected = theirs.coefs_ + theirs.intercepts_
    for weight, each in zip(own.coefs_ + own.intercepts_, expected, strict=True):
        np.testing.assert_allclose(weight, each, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(own.predict(X), theirs.predict(X), rtol=1e-9, atol=1e-12)
    for each in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(own, each) == getattr(theirs, each)
    # The penalty is that of the weights behind an epoch, in place of the mean over its steps.
    np.testing.assert_allclose(own.loss_curve_, theirs.loss_curve_, rtol=1e-2)
    if options.get("early_stopping"):
        np.testing.assert_allclose(own.validation_scores_, theirs.validation_scores_)
    if name == "MLPClassifier":
        np.testing.assert_allclose(own.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
        expected = np.log(own.predict_proba(X))
        np.testing.assert_allclose(own.predict_log_proba(X), expected, rtol=1e-9)


def test_loss_stands_still_where_it_does_in_scikit_learn() -> None:
    options = {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.5}
    options |= {"tol": 1e-2, "n_iter_no_change": 2, "shuffle": False, "random_state": 0}
    theirs = oracle.MLPClassifier(**options).fit(X, NUMBERS)
    own = MLPClassifier(**options).fit(X, NUMBERS)
    assert own.n_iter_ == theirs.n_iter_ < 200


# scikit-learn 1.6 with a later SciPy warns of an option that it sets.
@pytest.mark.filterwarnings("ignore:.*`iprint` options:DeprecationWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_loss_is_as_small_as_that_of_scikit_learn(solver: str) -> None:
    options = {"solver": solver, "alpha": 1.0, "random_state": 0, "max_iter": 300}
    theirs = oracle.MLPClassifier((20,), **options).fit(X, NUMBERS)
    own = MLPClassifier((20,), **options).fit(X, NUMBERS)
    assert own.loss_ < 1.02 * theirs.loss_


def test_poisson_regression_finds_the_rates() -> None:
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (300, 2))
    y = random.poisson(np.exp(2 + x[:, 0]))
    network = MLPRegressor("poisson", (10,), solver="lbfgs", random_state=0, max_iter=100)
    rates = network.fit(x, y).predict(x)
    assert rates.min() > 0
    assert np.corrcoef(rates, np.exp(2 + x[:, 0]))[0, 1] > 0.97


def test_max_fun_ends_lbfgs() -> None:
    network = MLPRegressor(solver="lbfgs", max_fun=5, random_state=0).fit(X, NUMBERS)
    assert network.n_iter_ <= 5
    assert len(network.loss_curve_) == network.n_iter_


def test_short_training_warns() -> None:
    with pytest.warns(ConvergenceWarning, match="Maximum iterations \\(2\\)"):
        MLPClassifier(max_iter=2).fit(X, NUMBERS)


def test_text_labels_come_back() -> None:
    words = np.array(["even", "odd"])[NUMBERS % 2]
    network = MLPClassifier(random_state=0, max_iter=60, learning_rate_init=0.01).fit(X, words)
    assert network.classes_.tolist() == ["even", "odd"]
    assert network.score(X, words) > 0.95
    assert (network.decision_function(X) > 0).tolist() == (network.predict(X) == "odd").tolist()


def test_class_weights_are_weights_of_the_samples() -> None:
    options = {"random_state": 0, "max_iter": 5, "batch_size": 400}
    by_class = MLPClassifier(class_weight={0: 3.0, 7: 0.5}, **options).fit(X, NUMBERS)
    weights = np.where(NUMBERS == 0, 3.0, np.where(NUMBERS == 7, 0.5, 1.0))
    by_sample = MLPClassifier(**options).fit(X, NUMBERS, sample_weight=weights)
    np.testing.assert_array_equal(by_class.coefs_[0], by_sample.coefs_[0])
    plain = MLPClassifier(**options).fit(X, NUMBERS)
    assert not np.array_equal(by_class.coefs_[0], plain.coefs_[0])


def test_partial_fits_train_like_epochs_of_one_fit() -> None:
    whole = MLPClassifier(random_state=0, max_iter=4).fit(X, NUMBERS)
    parts = MLPClassifier(random_state=0)
    for _ in range(4):
        parts.partial_fit(X, NUMBERS, classes=np.arange(10))
    np.testing.assert_array_equal(parts.coefs_[0], whole.coefs_[0])
    assert parts.t_ == whole.t_ == 1600
    with pytest.raises(ValueError, match="classes not in"):
        parts.partial_fit(X, NUMBERS + 5)
    with pytest.raises(AttributeError, match="partial_fit"):
        MLPClassifier(solver="lbfgs").partial_fit(X, NUMBERS)


def test_warm_start_goes_on_from_the_weights() -> None:
    network = MLPClassifier(random_state=0, max_iter=3, warm_start=True).fit(X, NUMBERS)
    first = network.coefs_[0].copy()
    network.fit(X, NUMBERS)
    assert len(network.loss_curve_) == 6
    assert network.loss_curve_[3] < network.loss_curve_[2]
    assert not np.array_equal(network.coefs_[0], first)
    with pytest.raises(ValueError, match="warm_start can only be used"):
        network.fit(X, NUMBERS % 5)


def test_early_stopping_keeps_the_best_weights() -> None:
    options = {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.05}
    network = MLPClassifier(random_state=1, **options).fit(X, NUMBERS)
    assert network.best_validation_score_ == max(network.validation_scores_)
    assert len(network.validation_scores_) == network.n_iter_ < 200
    assert network.best_loss_ is None


def test_views_of_the_weights_change_the_network() -> None:
    network = MLPRegressor(max_iter=2).fit(X, NUMBERS)
    network.coefs_[-1][:] = 0
    network.intercepts_[-1][:] = 3
    assert (network.predict(X) == 3).all()


def test_clones_are_not_fitted_and_pickles_are() -> None:
    network = MLPClassifier(max_iter=2, random_state=0).fit(X, NUMBERS)
    with pytest.raises(NotFittedError):
        clone(network).predict(X)
    again = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(again.predict_proba(X), network.predict_proba(X))
    again.partial_fit(X, NUMBERS)
    network.partial_fit(X, NUMBERS)
    np.testing.assert_array_equal(again.coefs_[0], network.coefs_[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_computes_in_the_dtype_of_the_inputs(dtype: Any) -> None:
    network = MLPClassifier(max_iter=2).fit(X.astype(dtype), NUMBERS)
    assert network.predict_proba(X.astype(dtype)).dtype == network.coefs_[0].dtype == dtype


def test_sparse_inputs_give_the_results_of_dense_ones() -> None:
    dense = MLPClassifier(max_iter=2, random_state=0).fit(X, NUMBERS)
    sparse = MLPClassifier(max_iter=2, random_state=0).fit(csr_matrix(X), NUMBERS)
    np.testing.assert_array_equal(sparse.predict_proba(csr_matrix(X)), dense.predict_proba(X))


def test_names_of_columns_are_known() -> None:
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    network = MLPRegressor(max_iter=2).fit(frame, NUMBERS)
    assert network.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        network.predict(frame[["c", "b", "a"]])


@pytest.mark.filterwarnings("ignore:fit. x is not scaled")
def test_huge_inputs_are_refused_in_a_sentence() -> None:
    network = MLPRegressor(solver="sgd", activation="identity", random_state=0)
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        network.fit(1e6 * X, NUMBERS)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"activation": "relu6"}, "'activation' parameter of MLPClassifier must be"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes must be > 0"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "validation set is too small"),
    ],
)
def test_invalid_arguments_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        MLPClassifier(**options).fit(X, NUMBERS)


def test_import_leaves_scikit_learn_alone() -> None:
    code = (
        "import sys, gyaku as gk; gk.sklearn.__all__; assert 'sklearn' not in sys.modules;"
        "gk.sklearn.MLPClassifier; assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_absence_of_scikit_learn_is_said() -> None:
    code = "import sys, gyaku as gk; sys.modules['sklearn'] = None; gk.sklearn.MLPClassifier"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MLPClassifier needs scikit-learn 1.6 or later: pip install" in done.stderr


def test_unknown_name_gets_a_hint() -> None:
    with pytest.raises(AttributeError, match="MLPClassifier"):
        _ = gk.sklearn.MLPClasifier
