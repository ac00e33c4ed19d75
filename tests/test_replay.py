"""Replay is the eager step again: the same bits, on any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from layer_cases import LAYER_CASES
from numpy.typing import NDArray
from test_losses import PARTS, targets_of

import gyaku as gk
from gyaku import ops
from gyaku.losses import LOSSES, Loss
from gyaku.optim import OPTIMIZERS, Optimizer

SAMPLES, FEATURES, CLASSES, BATCH = 23, 12, 5, 5  # four whole batches and a tail of three
Build = Callable[[], list[gk.Layer]]


class Scale(gk.Layer):
    """A layer as a student writes it."""

    def build(self, input_shape):
        self.add_param("scale", input_shape, gk.init.Uniform(low=0.5, high=1.5))
        return input_shape

    def forward(self, x, training=False):
        self.x = x
        return x * self.params["scale"] + (0.25 if training else 0)

    def backward(self, dy):
        self.grads["scale"] = (dy * self.x).sum(axis=0)
        return dy * self.params["scale"]


class Twice(gk.Layer):
    """A layer of somebody's own that uses operations, which must not be recorded twice."""

    def forward(self, x):
        return ops.matmul(x, 2 * np.eye(x.shape[1], dtype=x.dtype))

    def backward(self, dy):
        return ops.matmul(dy, 2 * np.eye(dy.shape[1], dtype=dy.dtype))


class SignDescent(gk.Optimizer):
    """An optimizer as a student writes it."""

    def update(self, params, grads):
        params -= self.rate * np.sign(grads)


class OwnSGD(gk.Optimizer):
    """An optimizer of somebody's own that calls an operation, which must count once."""

    def update(self, params, grads):
        ops.sgd(params, grads, self.clock)


def absolute_error(y, t):
    """A loss as a student writes it."""
    return np.abs(y - t).sum() / len(y), np.sign(y - t) / len(y)


def data(dtype: Any = np.float32) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(SAMPLES, FEATURES)).astype(dtype)
    labels = rng.integers(0, CLASSES, SAMPLES)
    return x, np.eye(CLASSES, dtype=dtype)[labels] * 0.8 + 0.1, labels


def eager(
    layers: list[gk.Layer], loss: Any, optimizer: Any, t: NDArray[Any], *, epochs: int, dtype: Any
) -> tuple[NDArray[Any], list[float]]:
    """Train in Python, operation by operation, and return weights and the loss of each epoch."""
    loss, optimizer = gk.losses.loss(loss), gk.optim.optimizer(optimizer)
    x = data(dtype)[0]
    model = gk.Sequential(*layers, dtype=dtype)
    model.build(x.shape[1:], seed=7)
    order, found = np.empty(SAMPLES, np.int64), []
    for epoch in range(epochs):
        ops.permutation(order, SAMPLES, seed=7, first_epoch=epoch)
        total = 0.0
        for start in range(0, SAMPLES, BATCH):
            rows = order[start : start + BATCH]
            y = model.forward(x[rows], training=True)
            value, dy = loss(y, t[rows])
            model.backward(dy)
            optimizer.step(model)
            total += float(value) * (len(rows) if loss.reduction == "mean" else 1)
        found.append(total / SAMPLES if loss.reduction == "mean" else total)
    return model.flat_params, found


def replayed(
    layers: list[gk.Layer], loss: Any, optimizer: Any, t: NDArray[Any], *, epochs: int, dtype: Any
) -> tuple[NDArray[Any], list[float]]:
    """Train by fit and return weights and the loss of each epoch."""
    model = gk.Sequential(*layers, dtype=dtype)
    history = model.fit(
        *(data(dtype)[0], t),
        loss=loss,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=BATCH,
        seed=7,
        verbose=0,
    )
    return model.flat_params, history["loss"]


def same_bits(
    build: Build, loss: Any, make: Callable[[], Any], t: NDArray[Any], *, dtype: Any = np.float32
) -> None:
    """Hold three epochs of fit against the same in Python."""
    wanted, losses = eager(build(), loss, make(), t, epochs=3, dtype=dtype)
    found, history = replayed(build(), loss, make(), t, epochs=3, dtype=dtype)
    assert np.isfinite(wanted).all()
    assert wanted.tobytes() == found.tobytes()
    assert losses == history


BEHIND_OTHERS = [
    name for name, case in LAYER_CASES.items() if not (case.vocabulary or case.make().finds_lengths)
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BEHIND_OTHERS)
def test_replay_of_a_layer_equals_eager_bit_for_bit(name: str, dtype: Any) -> None:
    def build() -> list[gk.Layer]:
        within = LAYER_CASES[name].within(FEATURES)
        within.trainable = "step" not in name.lower()  # through which nothing learns
        return [within, gk.Flatten(), gk.Dense(CLASSES)]

    same_bits(build, "softmax_cross_entropy", gk.Adam, data()[2], dtype=dtype)


def images(*layers: gk.Layer) -> list[gk.Layer]:
    """Return layers between samples that are made images and classes."""
    return [gk.Reshape((3, 4, 1)), *layers, gk.Flatten(), gk.Dense(CLASSES)]


def sequences(*layers: gk.Layer) -> list[gk.Layer]:
    return [gk.Reshape((6, 2)), *layers, gk.Flatten(), gk.Dense(CLASSES)]


# Where the place of a layer matters: first, last, one behind the other.
ROWS_OF_LAYERS: dict[str, Build] = {
    "dense": lambda: [gk.Dense(7), gk.Dense(6, use_bias=False), gk.Dense(CLASSES)],
    "dropout": lambda: [gk.Dense(40), gk.Dropout(0.4), gk.Dense(CLASSES), gk.Dropout(0.1)],
    "convolutions": lambda: images(gk.Conv2D(5, 2, padding=1, activation="relu"), gk.Conv2D(4, 2)),
    "sequences": lambda: sequences(gk.Conv1D(5, 3, padding="same"), gk.Conv1D(4, 2, stride=2)),
    "transposed": lambda: images(gk.Conv2DTranspose(3, 2, stride=2), gk.Conv2D(2, 3)),
    "depthwise": lambda: images(gk.Conv2D(3, 1), gk.DepthwiseConv2D(2, 2, padding=1)),
    "poolings": lambda: images(gk.Conv2D(4, 1), gk.MaxPool2D(2, 1), gk.MaxPool2D(2)),
    "normalised": lambda: images(gk.Conv2D(4, 2), gk.BatchNorm(), gk.ReLU()),
    "residual": lambda: [gk.Dense(8), gk.Residual(gk.Dense(8, "tanh")), gk.Dense(CLASSES)],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROWS_OF_LAYERS)
def test_replay_of_layers_in_a_row_equals_eager_bit_for_bit(name: str, dtype: Any) -> None:
    same_bits(ROWS_OF_LAYERS[name], "softmax_cross_entropy", gk.Adam, data()[2], dtype=dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_replay_of_a_loss_equals_eager(name: str, reduction: str) -> None:
    def build() -> list[gk.Layer]:
        last = {"cross_entropy": gk.Softmax, "binary_cross_entropy": gk.Sigmoid}
        ends = [last[name]()] if name in last else []
        steps = [gk.Reshape((1, CLASSES))] if name == "ctc" else []
        return [gk.Dense(8, "tanh"), gk.Dense(CLASSES * PARTS.get(name, 1)), *steps, *ends]

    loss: Loss = LOSSES[name](reduction=reduction)
    rows, labels = data()[1:]
    for target in (rows, labels) if loss.takes == "classes" else (targets_of(name, rows),):
        same_bits(build, loss, lambda: gk.SGD(0.05), target)


OPTIMIZER_CASES: dict[str, Callable[[], Optimizer]] = {
    **{name: cls for name, cls in OPTIMIZERS.items() if name != "lbfgs"},  # which needs fit
    "sgd, decay": lambda: gk.SGD(0.1, weight_decay=0.01),
    "momentum, decay": lambda: gk.Momentum(0.1, 0.8, weight_decay=0.01),
    "adam, decay": lambda: gk.Adam(0.01, beta1=0.7, beta2=0.9, weight_decay=0.01),
    "inverse time": lambda: gk.SGD(gk.schedules.InverseTime(0.1, 3)),
    "one cycle": lambda: gk.Adam(gk.schedules.OneCycle(0.01, total_steps=15)),
    "function": lambda: gk.SGD(lambda steps: 0.1 / (1 + steps)),
    "own": lambda: SignDescent(0.01),
    "own, by operations": lambda: OwnSGD(0.1),
}


@pytest.mark.parametrize("name", OPTIMIZER_CASES)
def test_replay_of_an_optimizer_equals_eager(name: str) -> None:
    same_bits(
        lambda: [gk.Dense(8, "relu"), gk.Dense(CLASSES)],
        "softmax_cross_entropy",
        OPTIMIZER_CASES[name],
        data()[2],
    )


def test_replay_of_a_layer_in_numpy_equals_eager() -> None:
    def build() -> list[gk.Layer]:
        return [Scale(), gk.Dense(8), Scale(), Twice(), gk.Dense(CLASSES)]

    same_bits(build, "softmax_cross_entropy", gk.Adam, data()[2])


def test_replay_of_a_loss_in_numpy_equals_eager() -> None:
    same_bits(lambda: [gk.Dense(CLASSES)], absolute_error, gk.Adam, data()[1])


def big_training(threads: int, dtype: Any) -> tuple[bytes, list[float]]:
    """Train on batches that are worth sharing, with a tail that is cut in another way."""
    rng = np.random.default_rng(0)
    x = rng.random((700, 300)).astype(dtype)
    labels = (10 * x[:, 0]).astype(np.int64)
    gk.set_num_threads(threads, exact=True)
    model = gk.Sequential(
        *(gk.Dense(256), gk.GELU(), gk.Dropout(0.2), gk.Dense(64, "sigmoid"), gk.Dense(10)),
        dtype=dtype,
    )
    history = model.fit(
        x, labels, loss="softmax_cross_entropy", epochs=3, batch_size=200, verbose=0
    )
    return model.flat_params.tobytes(), history["loss"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_thread_two_and_three_give_the_same_bits(dtype: Any) -> None:
    one = big_training(1, dtype)
    assert one == big_training(2, dtype)
    assert one == big_training(3, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["sigmoid", "relu", "gelu"])
def test_native_and_reference_stay_together_for_200_steps(activation: str, dtype: Any) -> None:
    x, _, labels = data(dtype)
    weights = {}
    for backend in ("native", "reference"):
        with gk.use_backend(backend):
            model = gk.Sequential(gk.Dense(9, activation), gk.Dense(CLASSES), dtype=dtype)
            model.fit(
                *(x, labels),
                loss="softmax_cross_entropy",
                optimizer=gk.Momentum(0.05),
                epochs=40,
                batch_size=BATCH,
                verbose=0,
            )
            weights[backend] = model.flat_params
    # Rounding errors of each step, of the longest sum in it, carried on by the momentum.
    steps, terms, carried = 200, FEATURES, 10
    tolerance = steps * carried * np.sqrt(terms) * np.finfo(dtype).eps
    assert tolerance < (1e-9 if dtype is np.float64 else 1e-2)
    np.testing.assert_allclose(weights["native"], weights["reference"], rtol=0, atol=tolerance)


def test_a_second_fit_works_on_the_same_buffers() -> None:
    x, _, labels = data()
    model = gk.Sequential(gk.Dense(8, "relu"), gk.Dense(CLASSES))
    model.fit(x, labels, loss="softmax_cross_entropy", epochs=2, verbose=0)
    params, grads = model.flat_params, model.flat_grads
    model.fit(x, labels, loss="softmax_cross_entropy", epochs=2, verbose=0)
    assert model.flat_params is params
    assert model.flat_grads is grads
