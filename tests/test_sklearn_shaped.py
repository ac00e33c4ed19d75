"""Estimators of images, sequences and codes: a battery that scikit-learn's own checks lack."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

import gyaku as gk
from gyaku.sklearn import (
    AutoencoderTransformer,
    CNNClassifier,
    NetClassifier,
    SequenceClassifier,
    SequenceRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
(IMAGES, DIGITS), _ = gk.data.digits()
IMAGES, DIGITS = IMAGES[:120], DIGITS[:120]  # bytes, (120, 8, 8, 1)
RANDOM = np.random.default_rng(0)
RAGGED = [RANDOM.normal(size=(steps, 2)) for steps in RANDOM.integers(2, 9, 120)]
SIGNS = np.array([["down", "up"][int(each.sum() > 0)] for each in RAGGED])
SUMS = np.array([each.sum() for each in RAGGED])
PADDED, LENGTHS = gk.data.pad(RAGGED)
SHORT: dict[str, Any] = {"max_iter": 3, "random_state": 0}
CNN = CNNClassifier((4,), hidden_layer_sizes=(), scale=1 / 255, **SHORT)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "bytes": (CNN, IMAGES, DIGITS),
    "float32 images": (CNN, IMAGES.astype(np.float32), DIGITS),
    "images in layers": (CNN, IMAGES[..., 0] * 1.0, DIGITS),
    "images in rows": (CNN, IMAGES.reshape(120, 64) * 1.0, DIGITS),
    "list": (SequenceClassifier(5, "gru", **SHORT), RAGGED, SIGNS),
    "bidirectional": (SequenceClassifier((4, 3), bidirectional=True, **SHORT), RAGGED, SIGNS),
    "array": (SequenceRegressor(5, "rnn", **SHORT), PADDED, SUMS),
    "float32 list": (
        SequenceRegressor(5, "gru", **SHORT),
        [each.astype(np.float32) for each in RAGGED],
        SUMS,
    ),
    "codes": (AutoencoderTransformer(3, (8,), **SHORT), IMAGES.reshape(120, 64) / 255, None),
}


def take(samples: Any, rows: Any) -> Any:
    return [samples[row] for row in rows] if isinstance(samples, list) else samples[rows]


def outputs(network: Any, samples: Any) -> Any:
    for method in ("predict_proba", "transform", "predict"):
        if hasattr(network, method):
            return getattr(network, method)(samples)
    raise AssertionError(network)


def tolerance(found: Any) -> float:
    return 1e-5 if found.dtype == np.float32 else 1e-12


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: clone(each).fit(x, y) for name, (each, x, y) in CASES.items()}


@pytest.mark.parametrize(
    "estimator",
    [
        CNNClassifier((4,), hidden_layer_sizes=(8,)),
        SequenceClassifier(8, "gru"),
        SequenceRegressor(16, "rnn"),
        AutoencoderTransformer(hidden_layer_sizes=(8,)),
    ],
)
def test_passes_the_checks_of_scikit_learn(estimator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the checks, which train too short
        check_estimator(estimator)


@pytest.mark.parametrize("name", CASES)
def test_pickles_give_the_same_bits_and_train_on(name: str, fitted: dict[str, Any]) -> None:
    _, x, y = CASES[name]
    again, once_more = (pickle.loads(pickle.dumps(fitted[name])) for _ in range(2))
    np.testing.assert_array_equal(outputs(again, x), outputs(fitted[name], x))
    for each in (again, once_more):
        each.partial_fit(x, y)
    np.testing.assert_array_equal(outputs(again, x), outputs(once_more, x))
    assert not np.array_equal(outputs(again, x), outputs(fitted[name], x))


@pytest.mark.parametrize("name", CASES)
def test_clones_have_no_weights_and_a_second_fit_gives_the_same_bits(
    name: str, fitted: dict[str, Any]
) -> None:
    _, x, y = CASES[name]
    fresh = clone(fitted[name])
    assert vars(fresh).keys() == fresh.get_params().keys()
    with pytest.raises(NotFittedError):
        outputs(fresh, x)
    np.testing.assert_array_equal(outputs(fresh.fit(x, y), x), outputs(fitted[name], x))
    np.testing.assert_array_equal(outputs(fresh.fit(x, y), x), outputs(fitted[name], x))


@pytest.mark.parametrize("name", CASES)
def test_a_sample_does_not_depend_on_its_neighbours(name: str, fitted: dict[str, Any]) -> None:
    _, x, _ = CASES[name]
    expected = outputs(fitted[name], x)
    order = np.random.default_rng(1).permutation(120)
    close = {"rtol": tolerance(expected), "atol": tolerance(expected)}
    np.testing.assert_allclose(outputs(fitted[name], take(x, order)), expected[order], **close)
    parts = [outputs(fitted[name], take(x, range(i, i + 8))) for i in range(0, 120, 8)]
    np.testing.assert_allclose(np.concatenate(parts), expected, **close)
    single = [outputs(fitted[name], take(x, [i])) for i in range(3)]
    np.testing.assert_allclose(np.concatenate(single), expected[:3], **close)


@pytest.mark.parametrize("name", CASES)
def test_computes_in_float32_what_is_float32_or_bytes(name: str, fitted: dict[str, Any]) -> None:
    dtype = np.float32 if name.startswith(("bytes", "float32")) else np.float64
    assert fitted[name].model_.dtype == dtype
    assert outputs(fitted[name], CASES[name][1]).dtype == dtype


@pytest.mark.parametrize("name", CASES)
def test_does_not_write_into_what_was_given(name: str) -> None:
    estimator, x, y = CASES[name]
    before = pickle.dumps(x)
    for each in x if isinstance(x, list) else [x]:
        each.flags.writeable = False
    try:
        outputs(clone(estimator).fit(x, y), x)
    finally:
        for each in x if isinstance(x, list) else [x]:
            each.flags.writeable = True
    assert pickle.dumps(x) == before


@pytest.mark.parametrize(
    ("name", "features"),
    [("bytes", 1), ("images in layers", 1), ("images in rows", 64), ("list", 2), ("array", 2)],
)
def test_features_are_channels_or_columns(name: str, features: int, fitted: dict[str, Any]) -> None:
    assert fitted[name].n_features_in_ == features


@pytest.mark.parametrize(
    ("name", "wrong", "match"),
    [
        ("bytes", np.ones((2, 8, 8, 3)), r"X has samples of shape \(8, 8, 3\), .* 1 channels"),
        ("bytes", np.ones((2, 7, 8, 1)), r"\(7, 8, 1\)"),
        ("bytes", np.ones((2, 64)), r"X has samples of shape \(64,\), but CNNClassifier is"),
        ("bytes", np.ones((2, 1, 8, 8, 1)), "X must be images of shape"),
        (
            "images in rows",
            np.ones((2, 63)),
            "X has 63 features, but CNNClassifier is expecting 64",
        ),
        ("images in rows", np.ones((2, 8, 8)), "is expecting rows of 64 features as input"),
        ("list", [np.ones((4, 3)), np.ones((5, 3))], r"\(5, 3\), .* 2 channels as input"),
        ("list", [np.ones((4, 2)), np.ones((5, 3))], "sequence 1 has steps of shape"),
        ("list", np.ones((3, 4)), r"X has samples of shape \(4, 1\), .* 2 channels"),
        ("list", np.ones((3, 4, 2, 1)), "X must be sequences"),
        ("list", [np.full((4, 2), np.nan), np.ones((5, 2))], "contains NaN"),
        ("codes", np.ones((2, 63)), "X has 63 features"),
    ],
)
def test_wrong_shapes_are_named(name: str, wrong: Any, match: str, fitted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=match):
        outputs(fitted[name], wrong)


def test_labels_that_a_network_has_no_output_for_are_named(fitted: dict[str, Any]) -> None:
    for name, labels in (("bytes", DIGITS + 1), ("list", np.char.upper(SIGNS))):
        network = pickle.loads(pickle.dumps(fitted[name]))
        with pytest.raises(ValueError, match="`y` has classes not in `self.classes_`"):
            network.partial_fit(CASES[name][1], labels)


def test_images_are_classified() -> None:
    network = CNNClassifier((8,), hidden_layer_sizes=(), scale=1 / 255, optimizer=gk.Adam(0.02))
    network.set_params(max_iter=30, random_state=0)
    words = np.array([f"digit {each}" for each in range(10)])[DIGITS]
    assert network.fit(IMAGES, words).score(IMAGES, words) > 0.9
    assert type(network.model_[1]) is gk.Conv2D


def test_images_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="the samples of CNNClassifier must have one shape"):
        clone(CNN).fit([np.ones((8, 8)), np.ones((7, 8))], [0, 1])


def test_rows_of_pixels_are_images_of_the_given_shape() -> None:
    rows = np.ones((4, 24))
    network = clone(CNN).set_params(image_shape=(2, 4, 3)).fit(rows, [0, 1, 0, 1])
    assert network.model_.input_shape == (2, 4, 3)
    assert clone(CNN).fit(rows, [0, 1, 0, 1]).model_.input_shape == (1, 24, 1)
    with pytest.raises(ValueError, match=r"image_shape \(5, 5\) has 25 pixels, X has 24 columns"):
        network.set_params(image_shape=(5, 5)).fit(rows, [0, 1, 0, 1])


def test_a_list_of_sequences_is_a_padded_array_with_lengths(fitted: dict[str, Any]) -> None:
    network = fitted["list"]
    expected = network.predict_proba(RAGGED)
    junk = np.where(np.arange(PADDED.shape[1])[:, None] < LENGTHS[:, None, None], PADDED, 99.0)
    np.testing.assert_array_equal(network.predict_proba(junk, lengths=LENGTHS), expected)
    objects = np.empty(120, object)
    objects[:] = RAGGED
    np.testing.assert_array_equal(network.predict_proba(objects), expected)
    longer = np.pad(PADDED, ((0, 0), (0, 9), (0, 0)))
    found = network.predict_proba(longer, lengths=LENGTHS)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert network.score(junk, SIGNS, lengths=LENGTHS) == network.score(RAGGED, SIGNS)
    own = clone(network).fit(junk, SIGNS, lengths=LENGTHS)
    np.testing.assert_array_equal(own.predict_proba(RAGGED), expected)


def test_sequences_of_numbers_have_one_channel() -> None:
    x = [each[:, 0] for each in RAGGED]
    network = SequenceRegressor(6, "gru", **SHORT).fit(x, SUMS)
    assert network.n_features_in_ == 1
    once = network.predict([x[0]])
    np.testing.assert_allclose(network.predict(x[0][np.newaxis]), once)
    np.testing.assert_allclose(network.predict(x)[:1], once)
    listed = SequenceRegressor(6, "gru", **SHORT).fit([each.tolist() for each in x], SUMS)
    np.testing.assert_array_equal(listed.predict(x), network.predict(x))


def test_sequences_are_learnt() -> None:
    options: dict[str, Any] = {"optimizer": gk.Adam(0.02), "random_state": 0, "max_iter": 60}
    sums = SequenceRegressor(8, "gru", batch_size=40, **options)
    assert sums.fit(RAGGED, SUMS).score(RAGGED, SUMS) > 0.9
    signs = SequenceClassifier(8, "lstm", batch_size=40, early_stopping=True, **options)
    assert signs.fit(RAGGED, SIGNS).score(RAGGED, SIGNS) > 0.9


@pytest.mark.parametrize(
    ("lengths", "match"),
    [
        (LENGTHS[:7], "inconsistent numbers of samples"),
        (LENGTHS + 5, "lengths"),
        (np.zeros(120, int), "lengths"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        SequenceRegressor(4, **SHORT).fit(PADDED, SUMS, lengths=lengths)
    with pytest.raises(ValueError, match="a list of sequences has its own"):
        SequenceRegressor(4, **SHORT).fit(RAGGED, SUMS, lengths=lengths)


def tagger(shape: tuple[int, ...], units: int) -> list[Any]:
    return [gk.Embedding(30, 4), gk.GRU(6), gk.Dense(units)]


def test_ids_of_words_stay_integers_and_lengths_reach_any_network() -> None:
    ids, lengths = gk.data.pad([RANDOM.integers(1, 30, size) for size in range(2, 42)])
    y = np.arange(40) % 3
    network = NetClassifier(tagger, **SHORT).fit(ids, y, lengths=lengths)
    expected = network.predict_proba(ids, lengths=lengths)
    junk = np.where(np.arange(ids.shape[1]) < lengths[:, np.newaxis], ids, 29)
    np.testing.assert_array_equal(network.predict_proba(junk, lengths=lengths), expected)
    assert not np.allclose(network.predict_proba(junk, lengths=np.full(40, 41)), expected)
    ragged = [row[:size] for row, size in zip(ids, lengths, strict=True)]
    np.testing.assert_array_equal(network.predict_proba(ragged), expected)


def test_lengths_are_metadata_that_a_search_routes() -> None:
    network = SequenceClassifier(5, "gru", **SHORT)
    with sklearn.config_context(enable_metadata_routing=True):
        network.set_fit_request(lengths=True).set_score_request(lengths=True)
        routed = GridSearchCV(network, {"units": [3, 5]}, cv=2)
        routed.fit(PADDED, SIGNS, lengths=LENGTHS)
    listed = GridSearchCV(clone(network), {"units": [3, 5]}, cv=2).fit(RAGGED, SIGNS)
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(routed.cv_results_[key], listed.cv_results_[key])


def test_codes_are_restored() -> None:
    x = RANDOM.normal(size=(200, 2)) @ RANDOM.normal(size=(2, 6))
    network = AutoencoderTransformer(2, optimizer=gk.Adam(0.02), max_iter=200, random_state=0)
    codes = network.fit_transform(x)
    assert codes.shape == (200, 2)
    restored = network.inverse_transform(codes)
    np.testing.assert_allclose(restored, network.model_.predict(x), rtol=1e-12)
    assert network.score(x) == pytest.approx(-np.square(restored - x).mean())
    assert network.score(x) > -0.01 * x.var()
    assert network.loss_ == pytest.approx(-network.score(x) / 2, rel=0.5, abs=1e-4)
    weights = np.arange(200.0)
    errors = np.square(restored - x).mean(axis=1)
    expected = -np.average(errors, weights=weights)
    assert network.score(x, sample_weight=weights) == pytest.approx(expected)


def test_codes_have_names_and_frames() -> None:
    frame = pd.DataFrame(RANDOM.normal(size=(30, 3)), columns=["a", "b", "c"])
    network = AutoencoderTransformer(2, **SHORT).set_output(transform="pandas")
    found = network.fit_transform(frame)
    names = ["autoencodertransformer0", "autoencodertransformer1"]
    assert found.columns.tolist() == names
    assert network.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="X has 3 components, but AutoencoderTransformer has"):
        network.inverse_transform(frame)


def test_a_denoising_autoencoder_is_exact_once_it_predicts() -> None:
    x = RANDOM.normal(size=(50, 4))
    network = AutoencoderTransformer(2, corruption=0.5, **SHORT).fit(x)
    np.testing.assert_array_equal(network.transform(x), network.transform(x))
    plain = AutoencoderTransformer(2, **SHORT).fit(x)
    assert not np.allclose(network.transform(x), plain.transform(x))


def test_scores_of_folds_do_not_see_trained_weights(fitted: dict[str, Any]) -> None:
    noise = np.random.default_rng(0).integers(2, size=120)
    network = clone(fitted["bytes"]).set_params(max_iter=20).fit(IMAGES, noise)
    assert cross_val_score(network, IMAGES, noise, cv=3).mean() < 0.7
