"""Perceptrons of scikit-learn as models, and models as perceptrons of scikit-learn."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest
import sklearn
from scipy.special import expit, softmax
from sklearn import neural_network as oracle
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import gyaku as gk
from gyaku.interop import from_sklearn, to_sklearn

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # scikit-learn 1.6 with a later SciPy warns of an option that it sets.
    pytest.mark.filterwarnings("ignore:.*`iprint` options:DeprecationWarning"),
]
X, NUMBERS = load_digits(return_X_y=True)
X, NUMBERS = X[:200] / 16, NUMBERS[:200]
WORDS = np.array(["even", "odd"])[NUMBERS % 2]
LABELS = np.stack([NUMBERS > 4, NUMBERS % 2 == 0, NUMBERS == 3], axis=1).astype(int)
CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("MLPClassifier", NUMBERS, {}),
    ("MLPClassifier", NUMBERS, {"activation": "tanh", "hidden_layer_sizes": (9, 7)}),
    ("MLPClassifier", WORDS, {"activation": "logistic"}),
    ("MLPClassifier", LABELS, {"activation": "identity", "alpha": 0.1}),
    ("MLPClassifier", NUMBERS, {"hidden_layer_sizes": ()}),
    ("MLPRegressor", NUMBERS / 9, {}),
    ("MLPRegressor", LABELS * 1.0, {"solver": "lbfgs", "max_iter": 7}),
    ("MLPRegressor", NUMBERS, {"early_stopping": True, "batch_size": 70}),
]

if tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 7):
    CASES.append(("MLPRegressor", NUMBERS, {"loss": "poisson"}))


def predictions(estimator: Any, x: Any) -> Any:
    return getattr(estimator, "predict_proba", estimator.predict)(x)


def tolerance(dtype: Any) -> dict[str, float]:
    bound = 1e-6 if dtype == np.float32 else 1e-14
    return {"rtol": 10 * bound, "atol": bound}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "y", "options"), CASES)
def test_model_of_a_perceptron_predicts_alike(
    name: str, y: Any, options: dict[str, Any], dtype: Any
) -> None:
    x = X.astype(dtype)
    theirs = getattr(oracle, name)(**({"max_iter": 5, "random_state": 0} | options)).fit(x, y)
    model = from_sklearn(theirs)
    assert model.dtype == theirs.coefs_[0].dtype  # float64 after L-BFGS
    scores = model.predict(x)
    if name == "MLPRegressor":
        found = scores if y.ndim > 1 else scores[:, 0]
        found = np.exp(found) if theirs.out_activation_ == "exp" else found
    elif theirs.out_activation_ == "softmax":
        found = softmax(scores, axis=1)
    else:
        found = expit(scores)
        found = found if y.ndim > 1 else np.hstack([1 - found, found])
    np.testing.assert_allclose(found, predictions(theirs, x), **tolerance(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "y", "options"), CASES)
def test_estimator_becomes_scikit_learns_and_comes_back(
    name: str, y: Any, options: dict[str, Any], dtype: Any
) -> None:
    x = X.astype(dtype)
    options = {"max_iter": 5, "random_state": 0} | options
    own = getattr(gk.sklearn, name)(**options).fit(x, y)
    theirs = pickle.loads(pickle.dumps(to_sklearn(own)))
    assert type(theirs) is getattr(oracle, name)
    assert theirs.get_params().items() >= options.items()
    np.testing.assert_array_equal(theirs.predict(x[:9]).shape, own.predict(x[:9]).shape)
    np.testing.assert_allclose(predictions(theirs, x), predictions(own, x), **tolerance(dtype))
    if name == "MLPClassifier":
        np.testing.assert_array_equal(theirs.classes_, own.classes_)
    for weight, again in zip(own.coefs_, from_sklearn(theirs).layers, strict=True):
        np.testing.assert_array_equal(again.params["weight"], weight)


def test_weights_are_copies() -> None:
    theirs = oracle.MLPRegressor(max_iter=2).fit(X, NUMBERS)
    model = from_sklearn(theirs)
    again = to_sklearn(model)
    model.flat_params[...] = 0
    assert np.any(theirs.coefs_[0])
    assert np.any(again.coefs_[0])


def test_the_result_trains_on_in_both() -> None:
    options: dict[str, Any] = {"random_state": 0, "max_iter": 20}
    theirs = oracle.MLPClassifier(**options).fit(X, NUMBERS)
    before = theirs.score(X, NUMBERS)
    model = from_sklearn(theirs)
    model.fit(X, NUMBERS, loss="softmax_cross_entropy", epochs=20, verbose=0)
    again = to_sklearn(model, classes=range(10))
    after = again.score(X, NUMBERS)
    assert after > before
    for _ in range(20):
        again.partial_fit(X, NUMBERS)
    assert again.loss_curve_[-1] < again.loss_curve_[0]
    assert len(again.loss_curve_) == 20
    assert again.score(X, NUMBERS) >= after


def chain(*layers: Any) -> Any:
    model = gk.Sequential(*layers, dtype="float64", seed=0)
    model.build((64,))
    return model


@pytest.mark.parametrize(
    ("layers", "classes", "link"),
    [
        ([gk.Dense(5), gk.ReLU(), gk.Dropout(0.5), gk.Dense(3), gk.Softmax()], None, None),
        ([gk.Dense(5, "sigmoid"), gk.Dense(3)], ["a", "b", "c"], softmax),
        ([gk.Dense(5, "tanh", use_bias=False), gk.Dense(2)], ["no", "yes"], softmax),
        ([gk.Dense(3), gk.Sigmoid()], None, None),
    ],
)
def test_models_become_classifiers(layers: Any, classes: Any, link: Any) -> None:
    model = chain(*layers)
    theirs = to_sklearn(model, classes)
    outputs = model.predict(X)
    expected = link(outputs, axis=1) if link else outputs
    np.testing.assert_allclose(theirs.predict_proba(X), expected, rtol=1e-12)
    assert classes is None or theirs.classes_.tolist() == classes


def test_estimators_of_other_networks_give_their_classes() -> None:
    own = gk.sklearn.NetClassifier(max_iter=3, random_state=0).fit(X, WORDS)
    theirs = to_sklearn(own)
    assert theirs.classes_.tolist() == ["even", "odd"]
    np.testing.assert_allclose(theirs.predict_proba(X), own.predict_proba(X), rtol=1e-12)
    codes = gk.sklearn.AutoencoderTransformer(3, (5,), max_iter=3, random_state=0).fit(X)
    with pytest.raises(ValueError, match="the hidden layers have the activations 'relu', '', "):
        to_sklearn(codes)
    with pytest.raises(TypeError, match="model must be a gyaku model or estimator, got MLPReg"):
        to_sklearn(gk.sklearn.MLPRegressor())


def test_one_output_separates_two_classes() -> None:
    model = chain(gk.Dense(4, "relu"), gk.Dense(1))
    theirs = to_sklearn(model, ["even", "odd"])
    np.testing.assert_allclose(theirs.predict_proba(X)[:, 1:], expit(model.predict(X)), rtol=1e-12)
    labels = to_sklearn(chain(gk.Dense(2)), multilabel=True)
    assert labels.predict(X).shape == (200, 2)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        (LogisticRegression(), TypeError, "must be an MLPClassifier or MLPRegressor, got Logistic"),
        (make_pipeline(oracle.MLPRegressor()), TypeError, "got Pipeline; give its last step"),
        (oracle.MLPRegressor(), ValueError, "this MLPRegressor is not fitted; call its fit first"),
        (gk.sklearn.MLPRegressor(), ValueError, "this MLPRegressor is not fitted"),
    ],
)
def test_other_estimators_are_refused(given: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        from_sklearn(given)


@pytest.mark.parametrize(
    ("layers", "options", "match"),
    [
        ([gk.Dense(4), gk.BatchNorm(), gk.Dense(2)], {}, "has no counterpart in scikit-learn's"),
        ([gk.Dense(4, "elu"), gk.Dense(2)], {}, "the hidden layers have the activations 'elu'"),
        ([gk.Dense(4, "relu"), gk.Dense(4, "tanh"), gk.Dense(2)], {}, "one for all"),
        ([gk.Dense(2, "tanh")], {}, "the outputs have the activation 'tanh'"),
        ([gk.Dense(2, "relu")], {"classes": [0, 1]}, "the outputs have the activation 'relu'"),
        ([gk.Dense(3)], {"classes": [0, 1]}, "there are 2 classes and 3 outputs"),
        ([gk.Dense(2)], {"classes": [1, 0]}, "classes must be sorted and different, got"),
    ],
)
def test_other_models_are_refused(layers: Any, options: Any, match: str) -> None:
    with pytest.raises(ValueError, match=re.escape(match)):
        to_sklearn(chain(*layers), **options)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(TypeError, match="model must be a gyaku model or estimator, got 3"):
        to_sklearn(3)
    with pytest.raises(ValueError, match="the model is not built"):
        to_sklearn(gk.Sequential(gk.Dense(3)))
