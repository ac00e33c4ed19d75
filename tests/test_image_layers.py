"""Convolutions, poolings and normalisation as layers: how they begin, what they keep and refuse."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6, 6, 2)).astype(np.float32)
LABELS = RNG.integers(0, 3, 24)
ENTROPY = "softmax_cross_entropy"


@pytest.mark.parametrize(
    ("layer", "shape", "inputs", "outputs"),
    [
        (gk.Conv2D(64, 5), (9, 9, 8), 200, 1600),
        (gk.Conv2D(64, (3, 5), groups=4), (9, 9, 32), 120, 240),
        (gk.Conv1D(128, 7), (9, 8), 56, 896),
        (gk.DepthwiseConv2D(9, 2), (9, 9, 32), 81, 162),
        (gk.Conv2DTranspose(32, 4), (9, 9, 64), 1024, 512),
        (gk.Conv2DTranspose(32, 4, groups=2), (9, 9, 64), 512, 256),
    ],
    ids=repr,
)
@pytest.mark.parametrize("rule", ["he", "xavier"])
def test_initial_weights_count_the_taps(
    layer: gk.Layer, shape: tuple[int, ...], inputs: int, outputs: int, rule: str
) -> None:
    layer = copy.copy(layer)
    after = gk.ReLU() if rule == "he" else gk.Tanh()
    model = gk.Sequential(layer, gk.BatchNorm(), after)  # a normalisation changes nothing in this
    model.build(shape)
    weight = layer.params["weight"]
    deviation = np.sqrt(2 / inputs) if rule == "he" else np.sqrt(2 / (inputs + outputs))
    assert weight.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * weight.size))


def test_float32_and_float64_begin_alike() -> None:
    weights = []
    for dtype in ("float32", "float64"):
        model = gk.Sequential(gk.Conv2D(4, 3, groups=2), dtype=dtype)
        model.build((6, 6, 2))
        weights.append(model.params["conv2d.weight"].astype(np.float32))
    np.testing.assert_array_equal(*weights)


def test_a_sequence_is_an_image_of_one_row() -> None:
    x = RNG.normal(size=(3, 9, 4)).astype(np.float32)
    one, two = (
        gk.Conv1D(6, 3, padding=(2, 1), stride=2),
        gk.Conv2D(6, (1, 3), padding=((0, 0), (2, 1)), stride=(1, 2)),
    )
    a, b = gk.Sequential(one), gk.Sequential(two)
    a.build((9, 4))
    b.build((1, 9, 4))
    assert one.params["weight"].shape == (3, 4, 6)
    two.params["weight"] = one.params["weight"][None]
    np.testing.assert_array_equal(a.forward(x), b.forward(x[:, None])[:, 0])


def normalised(**options: Any) -> gk.Sequential:
    return gk.Sequential(
        *(gk.Conv2D(4, 3, use_bias=False), gk.BatchNorm(**options), gk.ReLU()),
        *(gk.Flatten(), gk.Dense(3)),
    )


def trained(**options: Any) -> gk.Sequential:
    model = normalised()
    model.fit(X, LABELS, **{"loss": ENTROPY, "epochs": 3, "batch_size": 8, "verbose": 0} | options)
    return model


def test_running_statistics_are_kept_but_not_trained() -> None:
    model = trained()
    assert list(model.buffers) == ["batch_norm.mean", "batch_norm.variance"]
    assert "batch_norm.mean" not in model.params
    assert model.flat_params.size == sum(-(-v.size // 16) * 16 for v in model.params.values())
    text = str(model.summary())
    count = 3 * 3 * 2 * 4 + 4 + 4 + 64 * 3 + 3
    assert f"{count} parameters" in text
    assert "8 elements in buffers that are not trained" in text
    assert model.buffers["batch_norm.mean"].any()


def test_running_statistics_approach_those_of_the_data() -> None:
    model = gk.Sequential(gk.BatchNorm(momentum=0.5))
    x = RNG.normal(3, 2, size=(400, 5))
    for _ in range(60):
        model.forward(x, training=True)
    np.testing.assert_allclose(model.buffers["batch_norm.mean"], x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        model.buffers["batch_norm.variance"], x.var(axis=0, ddof=1), rtol=1e-5
    )
    y = model.forward(x)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-2)


def test_prediction_does_not_depend_on_the_batch() -> None:
    model = trained()
    whole = model.predict(X)
    np.testing.assert_allclose(model.predict(X[:1]), whole[:1], rtol=1e-5, atol=1e-6)
    before = model.flat_buffers.copy()
    model.evaluate(X, LABELS)
    np.testing.assert_array_equal(model.flat_buffers, before)


def test_running_statistics_go_into_files_and_copies(tmp_path: Path) -> None:
    model = trained()
    model.save(tmp_path / "model.safetensors")
    for again in (gk.load(tmp_path / "model.safetensors"), copy.deepcopy(model)):
        assert again.flat_buffers.tobytes() == model.flat_buffers.tobytes()
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_the_best_weights_come_back_with_their_statistics() -> None:
    seen = {}

    class Watch(gk.Callback):
        def on_epoch_end(self, epoch, logs):
            seen[epoch] = self.model.flat_buffers.copy()

    stop = gk.EarlyStopping("loss", mode="max", patience=2)
    model = trained(callbacks=[Watch(), stop], epochs=9)
    np.testing.assert_array_equal(model.flat_buffers, seen[stop.best_epoch])


def test_a_batch_of_one_cannot_be_normalised_in_training() -> None:
    model = gk.Sequential(gk.Dense(4), gk.BatchNorm(), gk.Dense(3))
    x = X.reshape(24, -1)
    message = (
        "fit: BatchNorm 'batch_norm' needs at least 2 samples a step, but 5 samples in batches of 4"
        " leave 1; choose another batch_size"
    )
    with pytest.raises(ValueError, match=message):
        model.fit(x[:5], LABELS[:5], loss=ENTROPY, batch_size=4, verbose=0)
    with pytest.raises(ValueError, match="one sample has no variance to train by, give at least"):
        model.forward(x[:1], training=True)
    model.predict(x[:1])
    images = normalised()
    images.fit(X[:5], LABELS[:5], loss=ENTROPY, batch_size=4, verbose=0)


def learns(build: Callable[[], gk.Sequential], **options: Any) -> float:
    (x, y), (x_test, y_test) = gk.data.digits()
    model = build()
    model.fit(x, y, loss=ENTROPY, verbose=0, **options)
    return float((model.predict(x_test).argmax(axis=1) == y_test).mean())


def test_a_small_lenet_reads_the_digits() -> None:
    def build() -> gk.Sequential:
        return gk.Sequential(
            gk.Rescaling(1 / 255),
            *(gk.Conv2D(8, 3, padding="same", activation="relu"), gk.MaxPool2D(2)),
            *(gk.Conv2D(16, 3, activation="relu"), gk.Flatten(), gk.Dense(10)),
        )

    assert learns(build, epochs=6, optimizer=gk.Adam(gk.schedules.OneCycle(0.01))) >= 0.96


def refused(layer: Callable[[], gk.Layer], shape: tuple[int, ...]) -> None:
    gk.Sequential(layer()).build(shape)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            lambda: gk.Conv2D(2, 3),
            (28, 28),
            r"Conv2D 'conv2d': samples must .* got \(28, 28\); x\[..., None\] has one channel",
        ),
        (lambda: gk.Conv2D(2, 3), (784,), r"got \(784,\); Reshape makes images of rows"),
        (lambda: gk.Conv1D(2, 3), (9,), r"the shape \(time, channels\), got \(9,\); x\[..., None"),
        (
            lambda: gk.Conv2D(2, 5),
            (4, 4, 1),
            "Conv2D 'conv2d': a window of 5 x 5 is larger than the padded image of 4 x 4",
        ),
        (
            lambda: gk.Conv2D(2, 5),
            (3, 32, 32),
            r"image of 3 x 32.*; channels come last, x.transpose\(0, 2, 3, 1\) puts them there",
        ),
        (
            lambda: gk.Conv2D(4, 3, groups=2),
            (5, 5, 3),
            r"Conv2D 'conv2d': channels \(3\) must be divisible by groups \(2\)",
        ),
        (
            lambda: gk.Conv2D(3, 3, groups=2),
            (5, 5, 4),
            r"filters \(3\) must be divisible by groups \(2\)",
        ),
        (
            lambda: gk.MaxPool2D(5, name="pool"),
            (4, 4, 1),
            "MaxPool2D 'pool': a window of 5 x 5 is larger than the padded image of 4 x 4",
        ),
        (lambda: gk.MaxPool2D(2), (4, 4), "MaxPool2D 'max_pool2d': samples must have the shape"),
        (
            lambda: gk.AvgPool2D(3, padding=3),
            (9, 9, 1),
            "padding must be less than the kernel of 3 x 3, got padding 3",
        ),
        (lambda: gk.GlobalAvgPool2D(), (4,), "GlobalAvgPool2D 'global_avg_pool2d': samples must"),
        (
            lambda: gk.Conv2DTranspose(4, 2, padding=2),
            (2, 2, 1),
            "Conv2DTranspose 'conv2d_transpose': padding 2 leaves nothing",
        ),
        (lambda: gk.LayerNorm(), (), r"needs at least one element to normalise, got samples of sh"),
    ],
)
def test_samples_that_do_not_fit_are_refused(
    layer: Callable[[], gk.Layer], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        refused(layer, shape)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: gk.Conv2D(0, 3), ValueError, "Conv2D: filters must be at least 1, got 0"),
        (lambda: gk.Conv2D(2, 0), ValueError, "Conv2D: kernel_size must be at least 1, got 0"),
        (lambda: gk.Conv2D(2, (3, 0)), ValueError, r"size must be at least 1, got \(3, 0\)"),
        (lambda: gk.Conv2D(2, (3, 3, 3)), ValueError, "kernel_size must be an integer or a pair"),
        (lambda: gk.Conv2D(2, 2.5), TypeError, "kernel_size must be an integer or a pair"),
        (lambda: gk.Conv2D(2, 3, stride=0), ValueError, "stride must be at least 1, got 0"),
        (lambda: gk.Conv2D(2, 3, padding=-1), ValueError, "padding must be at least 0, got -1"),
        (lambda: gk.Conv2D(2, 3, padding="some"), ValueError, 'padding must be "same", "valid"'),
        (lambda: gk.Conv2D(2, 3, groups=0), ValueError, "groups must be at least 1, got 0"),
        (lambda: gk.Conv2D(2, 3, activation="rleu"), ValueError, "did you mean 'relu'"),
        (lambda: gk.Conv1D(2, (3, 3)), ValueError, "Conv1D: kernel_size must be an integer"),
        (lambda: gk.DepthwiseConv2D(3, 0), ValueError, "multiplier must be at least 1, got 0"),
        (
            lambda: gk.Conv2DTranspose(3, 2, groups=2),
            ValueError,
            r"Conv2DTranspose: filters \(3\) must be divisible by groups \(2\)",
        ),
        (
            lambda: gk.MaxPool2D(0, name="a"),
            ValueError,
            "'a': kernel_size must be at least 1",
        ),
        (
            lambda: gk.BatchNorm(momentum=1.5),
            ValueError,
            "momentum must be at least 0 and at most 1, got 1.5",
        ),
        (lambda: gk.BatchNorm(epsilon=0), ValueError, "epsilon must be positive, got 0"),
        (lambda: gk.LayerNorm(epsilon=-1), ValueError, "epsilon must be positive, got -1"),
    ],
)
def test_a_senseless_argument_is_refused(
    make: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make()
