"""Pre-training: what it makes of each layer, and the deep networks that it lets learn."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk

(X, Y), (X_TEST, Y_TEST) = gk.data.digits()
ENTROPY = "softmax_cross_entropy"


def deep(seed: int, **options: Any) -> gk.Sequential:
    """Return a network with five hidden layers of sigmoid units."""
    hidden = [gk.Dense(40, "sigmoid") for _ in range(5)]
    front = gk.Rescaling(1 / 255), gk.Flatten()
    return gk.Sequential(*front, *hidden, gk.Dense(10), seed=seed, **options)


def accuracy(model: gk.Sequential, seed: int) -> float:
    optimizer = gk.SGD(0.1)
    model.fit(X, Y, loss=ENTROPY, optimizer=optimizer, epochs=10, seed=seed, verbose=0)
    return float((model.predict(X_TEST).argmax(axis=1) == Y_TEST).mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_deep_sigmoid_network_learns_with_it_and_not_without(seed: int) -> None:
    model = deep(seed)
    assert accuracy(model, seed) < 0.3
    model = deep(seed)
    histories = gk.pretrain(model, X, optimizer=gk.Adam(0.01), seed=seed, verbose=0)
    assert list(histories) == ["dense", "dense_2", "dense_3", "dense_4", "dense_5"]
    assert all(h["loss"][-1] < h["loss"][0] / 2 for h in histories.values())
    assert accuracy(model, seed) > 0.9


MNIST = (
    Path(os.environ.get("GYAKU_DATA") or Path(__file__).parents[2] / "shared" / "data") / "mnist"
)


@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST is not on this machine: set GYAKU_DATA")
@pytest.mark.parametrize("seed", range(5))
def test_mnist_is_learnt_by_a_deep_sigmoid_network_with_it_alone(seed: int) -> None:
    (x, y), (x_test, y_test) = gk.data.mnist(MNIST)
    x, y, x_test, y_test = x[:6000], y[:6000], x_test[:2000], y_test[:2000]
    accuracies = []
    for pretrained in (False, True):
        hidden = [gk.Dense(64, "sigmoid") for _ in range(5)]
        front = gk.Rescaling(1 / 255), gk.Flatten()
        model = gk.Sequential(*front, *hidden, gk.Dense(10), seed=seed)
        if pretrained:
            gk.pretrain(model, x, optimizer=gk.Adam(3e-3), epochs=3, seed=seed, verbose=0)
        options: dict[str, Any] = {"optimizer": gk.SGD(0.2), "epochs": 5, "seed": seed}
        model.fit(x, y, loss=ENTROPY, verbose=0, **options)
        accuracies.append(float((model.predict(x_test).argmax(axis=1) == y_test).mean()))
    assert accuracies[0] < 0.2 < 0.75 < accuracies[1]


def test_a_layer_becomes_the_encoder_of_an_autoencoder_on_the_outputs_below() -> None:
    model = gk.Sequential(gk.Dense(6, "sigmoid"), gk.Dense(4), gk.Tanh(), gk.Dense(2), seed=1)
    x = np.random.default_rng(0).normal(size=(90, 8)).astype(np.float32)
    model.build((8,))
    before = {name: view.copy() for name, view in model.params.items()}
    gk.pretrain(model, x, epochs=3, seed=5, verbose=0)
    options: dict[str, Any] = {"loss": "sum_squared_error", "epochs": 3, "seed": 5, "verbose": 0}
    values: Any = x
    # Outputs of the sigmoid lie between 0 and 1, the inputs do not.
    encoders = [[gk.Dense(6, "sigmoid")], [gk.Dense(4), gk.Tanh()]]
    for name, layers, last in zip(("dense", "dense_2"), encoders, (None, "sigmoid"), strict=True):
        encoder = gk.Sequential(*layers)
        by_hand = gk.Sequential(encoder, gk.Dense(values.shape[1], last), seed=5)
        by_hand.build(values.shape[1:])
        encoder.params["dense.weight"] = before[f"{name}.weight"]
        by_hand.fit(values, values, **options)
        for part in ("weight", "bias"):
            found = model.params[f"{name}.{part}"]
            np.testing.assert_array_equal(found, encoder.params[f"dense.{part}"])
        values = encoder.predict(values)
    for part in ("weight", "bias"):
        np.testing.assert_array_equal(model.params[f"dense_3.{part}"], before[f"dense_3.{part}"])


def test_normalisation_dropout_and_float64_belong_to_the_encoder() -> None:
    layers = gk.Dense(6), gk.BatchNorm(), gk.ReLU(), gk.Dropout(0.2), gk.Dense(10)
    model = gk.Sequential(*layers, dtype="float64")
    histories = gk.pretrain(model, X[:200].reshape(200, -1) / 255, epochs=2, verbose=0)
    assert list(histories) == ["dense"]
    assert (model.buffers["batch_norm.mean"] != 0).all()
    assert (model.params["batch_norm.gamma"] != 1).all()
    assert model.clock[0] == 0
    model.fit(X[:200].reshape(200, -1) / 255, Y[:200], loss=ENTROPY, verbose=0)


def test_it_is_reproducible_and_leaves_frozen_layers() -> None:
    weights = []
    for _ in range(2):
        model = deep(3)
        model.build((8, 8, 1))
        model[3].trainable = False
        kept = model.params["dense_2.weight"].copy()
        histories = gk.pretrain(model, X[:300], epochs=1, verbose=0)
        assert list(histories) == ["dense", "dense_3", "dense_4", "dense_5"]
        np.testing.assert_array_equal(model.params["dense_2.weight"], kept)
        weights.append(model.flat_params.tobytes())
    assert weights[0] == weights[1]


X_INPUT = gk.Input((64,))
BRANCH = gk.Dense(64, "sigmoid")(X_INPUT)
NO_ENCODERS = "has no encoders; it needs a hidden Dense layer in front of the last one"


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (gk.Sequential(gk.Flatten(), gk.Dense(10)), ValueError, f"Sequential {NO_ENCODERS}"),
        (gk.Sequential(gk.Flatten()), ValueError, f"pretrain: Sequential {NO_ENCODERS}"),
        (
            gk.Sequential(gk.Conv2D(2, 3), gk.Flatten(), gk.Dense(9), gk.Dense(10)),
            ValueError,
            "pretrain: Conv2D 'conv2d' in front of the first Dense layer is no encoder;",
        ),
        (
            gk.Model(X_INPUT, gk.Dense(10)(gk.Add()(BRANCH, X_INPUT))),
            ValueError,
            "pretrain: Model is no chain; pre-train a Sequential of Dense layers",
        ),
        (gk.Dense(3), TypeError, "pretrain: model must be a Model, got Dense(3)"),
    ],
)
def test_a_model_without_encoders_is_refused(
    model: Any, error: type[Exception], message: str
) -> None:
    x = X.reshape(len(X), -1) if isinstance(model, gk.Model) and model.input_shape else X
    with pytest.raises(error, match=re.escape(message)):
        gk.pretrain(model, x, verbose=0)
