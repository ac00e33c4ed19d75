"""Training data, and the initial weights of all frameworks."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.workloads import BatchNorm, Conv, MaxPool, Recurrent, Weighted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.workloads import Workload

    Weights = list[tuple[NDArray[np.float32], ...]]


def store_mnist(folder: Path, *, negatives: bool = False) -> None:
    """Decode MNIST once, with gyaku's reader, into files for all frameworks.

    Four fifths of the pixels are zero; of `negatives` very few.
    """
    from gyaku.data import mnist

    (x_train, y_train), (x_test, y_test) = mnist()
    for name, images in (("x_train", x_train), ("x_test", x_test)):
        pixels = images.reshape(len(images), -1)
        np.save(folder / name, 255 - pixels if negatives else pixels)
    for name, labels in (("y_train", y_train), ("y_test", y_test)):
        np.save(folder / name, labels)


def mnist_part(name: str, folder: Path, samples: int | None = None) -> NDArray[Any]:
    """Return one of MNIST's arrays: images as uint8, (samples, 784), or their digits as int64.

    With `samples`, the first of them; no others are read into memory.
    """
    return np.array(np.load(folder / f"{name}.npy", mmap_mode="r")[:samples])


def floats(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images as float32 from 0 to 1."""
    return images.astype(np.float32) / np.float32(255)


def load(
    workload: Workload, folder: Path | None, *, raw: bool = False
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return inputs and targets of a workload; images stay uint8 if they may be `raw`.

    Targets that are the images themselves are not scaled, so both are floats then.

    `folder` is that of `store_mnist`.
    """
    if not isinstance(workload.data, str):
        return workload.data()
    if not workload.mnist:
        x, y = MADE[workload.data](workload)
        return (floats(x) if workload.bytes and not raw else x), y
    if folder is None:
        raise ValueError(f"{workload.name} is trained on MNIST: say where it is with --data")
    images = mnist_part("x_train", folder, workload.samples).reshape(-1, *workload.inputs)
    if workload.data == "mnist_images":
        x = floats(images)
        return x, x
    return images if raw else floats(images), mnist_part("y_train", folder, workload.samples)


def xor(workload: Workload) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the truth table of XOR."""
    del workload
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return x, np.array([[0], [1], [1], [0]], np.float32)


def noise(workload: Workload) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return 100 batches of random inputs, and the same with a little more noise."""
    random = np.random.default_rng(0)
    x = random.standard_normal((100 * workload.batch, *workload.inputs), np.float32)
    more = random.standard_normal(x.shape, np.float32)
    return x, x + np.float32(0.01) * more


def rows_of_a_table(workload: Workload) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return 80 batches of random features and a smooth function of them, as in a regression."""
    random = np.random.default_rng(0)
    x = random.standard_normal((80 * workload.batch, *workload.inputs), np.float32)
    y = np.sin(x[:, :1]) * x[:, 1:2] + np.abs(x[:, 2:3]) - 0.5 * x[:, 3:].mean(1, keepdims=True)
    return x, y.astype(np.float32)


def classes(workload: Workload) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return ten batches of noisy samples, whose ten classes have a mean each.

    At least 100 samples, so that the beginning of an epoch does not count for its steps.
    """
    random = np.random.default_rng(0)
    y = random.integers(0, 10, max(10 * workload.batch, 100))
    means = random.standard_normal((10, *workload.inputs), np.float32)
    noisy = random.standard_normal((len(y), *workload.inputs), np.float32)
    return np.float32(0.5) * means[y] + noisy, y


def digits(workload: Workload) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the training images of gyaku's digits, as bytes."""
    from gyaku.data import digits

    (x, y), _ = digits()
    return x.reshape(len(x), *workload.inputs), y


MADE = {
    "xor": xor,
    "noise": noise,
    "table": rows_of_a_table,
    "classes": classes,
    "digits": digits,
}
"""Data sets beside MNIST by name: functions of the workload."""


def initial_weights(workload: Workload, seed: int = 0) -> Weights:
    """Return each layer's parameters in gyaku's layout, the same for every framework.

    Dense: (inputs, units); convolution: (height, width, channels, filters); then the bias, if
    there is one. He's normal distribution before ReLU, Glorot and Bengio's uniform one elsewhere,
    biases zero. Batch normalisation: scale one and shift zero.
    """
    random = np.random.default_rng(seed)
    found: Weights = []
    layers = [layer for _, layer, _ in workload.leaves]
    for (before, layer, _), after in zip(workload.leaves, (*layers[1:], None), strict=True):
        if isinstance(layer, BatchNorm):
            channels = before[-1]
            found.append((np.ones(channels, np.float32), np.zeros(channels, np.float32)))
        if isinstance(layer, Recurrent):
            found.append(recurrent_weights(layer, before[1], random))
        if not isinstance(layer, Weighted):
            continue
        shape = layer.weight(before)
        window = prod(shape[:-2])
        inputs, outputs = window * shape[-2], window * shape[-1]
        # The activation may be behind a pooling or a normalisation.
        later = after.activation if isinstance(after, MaxPool | BatchNorm) else ""
        if "relu" in (layer.activation, later):
            weight = random.normal(0, (2 / inputs) ** 0.5, shape)
        else:
            limit = (6 / (inputs + outputs)) ** 0.5
            weight = random.uniform(-limit, limit, shape)
        biased = not isinstance(layer, Conv) or layer.bias
        bias = (np.zeros(shape[-1], np.float32),) if biased else ()
        found.append((weight.astype(np.float32), *bias))
    return found


def recurrent_weights(
    layer: Recurrent, features: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], ...]:
    """Return weights and recurrent weights, uniform up to 1 / sqrt(units), and zero biases."""
    width, limit = layer.gates * layer.units, layer.units**-0.5
    weights = (random.uniform(-limit, limit, (rows, width)) for rows in (features, layer.units))
    biases = [np.zeros(width, np.float32)] * (2 if layer.kind == "gru" else 1)
    return (*(weight.astype(np.float32) for weight in weights), *biases)
