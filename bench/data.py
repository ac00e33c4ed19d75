"""What is trained on, and the weights that all frameworks begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.workloads import Workload

    Weights = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


def store_mnist(folder: Path) -> None:
    """Decode MNIST once, with gyaku's reader, into files that every framework can read."""
    from gyaku.data import mnist

    (x_train, y_train), (x_test, y_test) = mnist()
    for name, images in (("x_train", x_train), ("x_test", x_test)):
        np.save(folder / name, images.reshape(len(images), -1))
    for name, labels in (("y_train", y_train), ("y_test", y_test)):
        np.save(folder / name, labels)


def mnist_part(name: str, folder: Path) -> NDArray[Any]:
    """Return one of MNIST's arrays: images as uint8, (samples, 784), or their digits as int64."""
    array: NDArray[Any] = np.load(folder / f"{name}.npy")
    return array


def floats(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images as float32 from 0 to 1."""
    return images.astype(np.float32) / np.float32(255)


def load(
    workload: Workload, folder: Path | None, *, raw: bool = False
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return inputs and targets of a workload; images stay uint8 if they may be `raw`.

    `folder` is where `store_mnist` put its files.
    """
    random = np.random.default_rng(0)
    if workload.data == "xor":
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        return x, np.array([[0], [1], [1], [0]], np.float32)
    if workload.data == "noise":
        x = random.standard_normal((100 * workload.batch, workload.inputs), np.float32)
        noise = random.standard_normal(x.shape, np.float32)
        return x, x + np.float32(0.01) * noise
    if folder is None:
        raise ValueError(f"{workload.name} is trained on MNIST: say where it is with --data")
    images = mnist_part("x_train", folder)
    x = images if raw else floats(images)
    if workload.data == "mnist_images":
        return x, x
    return x, mnist_part("y_train", folder)


def initial_weights(workload: Workload, seed: int = 0) -> Weights:
    """Return weights of shape (inputs, units) and biases, the same for every framework.

    He's normal distribution before ReLU, Glorot and Bengio's uniform one elsewhere, biases zero.
    """
    random = np.random.default_rng(seed)
    found = []
    for inputs, layer in workload.dense:
        if layer.activation == "relu":
            weight = random.normal(0, (2 / inputs) ** 0.5, (inputs, layer.units))
        else:
            limit = (6 / (inputs + layer.units)) ** 0.5
            weight = random.uniform(-limit, limit, (inputs, layer.units))
        found.append((weight.astype(np.float32), np.zeros(layer.units, np.float32)))
    return found
