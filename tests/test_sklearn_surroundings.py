"""Frames, parallel searches and callbacks around estimators: what libraries do unexpectedly."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import distributed
import joblib
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score

import gyaku as gk
from gyaku import _core
from gyaku.sklearn import MLPClassifier, MLPRegressor, SequenceClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RELEASE = tuple(map(int, sklearn.__version__.split(".")[:2]))
(IMAGES, DIGITS), _ = gk.data.digits()
X, DIGITS = IMAGES[:200].reshape(200, 64) / 255, DIGITS[:200]
SEQUENCES = [row[: 20 + place % 40].reshape(-1, 1) for place, row in enumerate(X)]
GRID = {"alpha": [1e-4, 100.0], "activation": ["relu", "tanh"]}
NETWORK = MLPClassifier((8,), max_iter=8, random_state=0)
FRAME = pd.DataFrame(
    {
        "flag": [True, False, True, True],
        "size": [0.5, 1.5, 2.5, 3.5],
        "count": pd.array([1, 2, 3, 4], "Int64"),
        "small": np.array([1, 2, 3, 4], np.int8),
    }
)
FRAMES: list[Any] = [FRAME]
if RELEASE >= (1, 9):  # earlier releases know no names of polars 2
    FRAMES.append(pl.DataFrame(FRAME.to_dict("list")))
VALUES = np.array([[1, 0.5, 1, 1], [0, 1.5, 2, 2], [1, 2.5, 3, 3], [1, 3.5, 4, 4]])


# Frames


@pytest.mark.parametrize("frame", FRAMES)
def test_columns_of_several_kinds_are_taken_at_their_value(frame: Any) -> None:
    own = MLPRegressor(max_iter=3, random_state=0).fit(frame, [1, 2, 3, 4])
    expected = MLPRegressor(max_iter=3, random_state=0).fit(VALUES, [1, 2, 3, 4])
    np.testing.assert_array_equal(own.coefs_[0], expected.coefs_[0])
    assert own.feature_names_in_.tolist() == list(FRAME.columns)


@pytest.mark.parametrize("native", FRAMES)
def test_a_frame_of_narwhals_has_names_and_an_order(native: Any) -> None:
    frame = nw.from_native(native)
    own = MLPRegressor(max_iter=3, random_state=0).fit(frame, frame["count"])
    assert own.feature_names_in_.tolist() == list(FRAME.columns)
    np.testing.assert_array_equal(own.predict(frame), own.predict(native))
    with pytest.raises(ValueError, match="feature names"):
        own.predict(frame.select("size", "flag", "small", "count"))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_values_are_refused(missing: Any) -> None:
    frame = pl.DataFrame({"a": [1.0, missing, 3.0], "b": [4, 5, 6]})
    with pytest.raises(ValueError, match="contains NaN"):
        MLPRegressor().fit(frame, [1, 2, 3])


# Arrays of other libraries


if RELEASE >= (1, 9):  # whose check is there for all estimators

    def test_the_check_of_the_array_api_passes_where_scipy_has_it() -> None:
        code = (
            "import warnings; warnings.simplefilter('ignore')\n"
            "from sklearn.utils.estimator_checks import estimator_checks_generator as checks\n"
            "from gyaku import sklearn\n"
            "done = 0\n"
            "for kind in sklearn.__all__:\n"
            "    for estimator, check in checks(getattr(sklearn, kind)(max_iter=3)):\n"
            "        if getattr(check, 'func', check).__name__ == 'check_array_api_input':\n"
            "            check(estimator); done += 1\n"
            "assert done == len(sklearn.__all__), done"
        )
        environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)


# Searches in several threads and processes


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_search_finds_the_same_however_it_is_spread(backend: str) -> None:
    alone = GridSearchCV(NETWORK, GRID, cv=2).fit(X, DIGITS)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        spread = GridSearchCV(NETWORK, GRID, cv=2).fit(X, DIGITS)
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(spread.cv_results_[key], alone.cv_results_[key])
    assert spread.best_params_ == alone.best_params_
    np.testing.assert_array_equal(spread.predict_proba(X), alone.predict_proba(X))


# A cluster of Dask leaves OMP_NUM_THREADS=1 in the environment.
@mock.patch.dict(os.environ)
def test_a_search_finds_the_same_on_a_cluster_of_dask() -> None:
    threads = _core.num_threads()
    alone = GridSearchCV(NETWORK, GRID, cv=2).fit(X, DIGITS)
    cluster = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(processes=True, **cluster) as local,
        distributed.Client(local),
        joblib.parallel_config("dask"),
    ):
        spread = GridSearchCV(NETWORK, GRID, cv=2).fit(X, DIGITS)
        counts = cross_val_score(NETWORK, X, DIGITS, cv=2, scoring=threads_of_worker)
    key = "mean_test_score"
    np.testing.assert_array_equal(spread.cv_results_[key], alone.cv_results_[key])
    assert spread.best_params_ == alone.best_params_
    np.testing.assert_array_equal(spread.predict_proba(X), alone.predict_proba(X))
    assert (counts % 1000).tolist() == [1, 1]
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert _core.num_threads() == threads, (
        "what a cluster sets for its workers is not for gyaku here"
    )


def test_successive_halving_finds_the_same_in_two_processes() -> None:
    options: dict[str, Any] = {"cv": 2, "random_state": 0, "factor": 2}
    options |= {"resource": "max_iter", "min_resources": 2, "max_resources": 8}
    alone, spread = (
        HalvingGridSearchCV(NETWORK, GRID, n_jobs=jobs, **options).fit(X, DIGITS)
        for jobs in (None, 2)
    )
    assert alone.n_iterations_ == 3
    key = "mean_test_score"
    np.testing.assert_array_equal(spread.cv_results_[key], alone.cv_results_[key])
    assert spread.best_params_ == alone.best_params_


def test_sequences_are_searched_in_two_processes() -> None:
    network = SequenceClassifier(4, "gru", max_iter=2, random_state=0)
    alone, spread = (
        cross_val_score(network, SEQUENCES, DIGITS, cv=2, n_jobs=jobs) for jobs in (None, 2)
    )
    np.testing.assert_array_equal(alone, spread)


def threads_of_worker(estimator: Any, x: Any, y: Any) -> float:
    return float(gk.num_threads()) + (1000 if threading.current_thread().daemon else 0)


def test_processes_share_the_threads() -> None:
    counts = cross_val_score(NETWORK, X, DIGITS, cv=2, n_jobs=2, scoring=threads_of_worker)
    assert counts.max() <= max(1, joblib.cpu_count() // 2)


def test_threads_of_joblib_obey_the_limit_of_the_process() -> None:
    before = gk.num_threads()
    gk.set_num_threads(1)
    try:
        with joblib.parallel_config(backend="threading", n_jobs=2):
            counts = cross_val_score(NETWORK, X, DIGITS, cv=2, scoring=threads_of_worker)
        assert (counts % 1000).tolist() == [1, 1]
        assert counts.max() > 1000  # in a worker, and not in the main thread
    finally:
        gk.set_num_threads(before)


def test_estimators_train_in_several_threads_at_once() -> None:
    expected = clone(NETWORK).fit(X, DIGITS).predict_proba(X)
    with ThreadPoolExecutor(4) as pool:
        fits = [pool.submit(clone(NETWORK).fit, X, DIGITS) for _ in range(8)]
    for each in fits:
        np.testing.assert_array_equal(each.result().predict_proba(X), expected)
