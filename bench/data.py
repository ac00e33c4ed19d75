"""Training data, and the initial weights of all frameworks."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.workloads import MaxPool, Weighted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.workloads import Workload

    Weights = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


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
    random = np.random.default_rng(0)
    if workload.data == "xor":
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        return x, np.array([[0], [1], [1], [0]], np.float32)
    if workload.data == "noise":
        x = random.standard_normal((100 * workload.batch, *workload.inputs), np.float32)
        noise = random.standard_normal(x.shape, np.float32)
        return x, x + np.float32(0.01) * noise
    if folder is None:
        raise ValueError(f"{workload.name} is trained on MNIST: say where it is with --data")
    images = mnist_part("x_train", folder, workload.samples).reshape(-1, *workload.inputs)
    if workload.data == "mnist_images":
        x = floats(images)
        return x, x
    return images if raw else floats(images), mnist_part("y_train", folder, workload.samples)


def initial_weights(workload: Workload, seed: int = 0) -> Weights:
    """Return weights in gyaku's layout, and biases, the same for every framework.

    Dense: (inputs, units); convolution: (height, width, channels, filters). He's normal
    distribution before ReLU, Glorot and Bengio's uniform one elsewhere, biases zero.
    """
    random = np.random.default_rng(seed)
    found = []
    afterwards = (*workload.layers[1:], None)
    for (before, layer, _), after in zip(workload.traced, afterwards, strict=True):
        if not isinstance(layer, Weighted):
            continue
        shape = layer.weight(before)
        window = prod(shape[:-2])
        inputs, outputs = window * shape[-2], window * shape[-1]
        # The activation may be behind a pooling.
        pooled = after.activation if isinstance(after, MaxPool) else ""
        if "relu" in (layer.activation, pooled):
            weight = random.normal(0, (2 / inputs) ** 0.5, shape)
        else:
            limit = (6 / (inputs + outputs)) ** 0.5
            weight = random.uniform(-limit, limit, shape)
        found.append((weight.astype(np.float32), np.zeros(shape[-1], np.float32)))
    return found
