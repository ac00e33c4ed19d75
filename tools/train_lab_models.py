"""Train the models that come with the lab, and write them in half precision.

``python tools/train_lab_models.py`` needs MNIST (`gk.data.mnist`) and a few minutes of two cores.
The images are turned, sheared, scaled and shifted at random, differently in each epoch, so that the
models read what people draw. The accuracy in the files is that of the rounded weights on the test
images of MNIST, none of which is trained on or chosen by.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import gyaku as gk
from gyaku import safetensors
from gyaku.model.architecture import file_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

FOLDER = Path(gk.__file__).parent / "lab" / "trained"
SIDE, BATCH = 28, 128


def convnet() -> gk.Sequential:
    """Return a small LeNet."""
    return gk.Sequential(
        gk.Rescaling(1 / 255),
        *(gk.Conv2D(8, 5, activation="relu"), gk.MaxPool2D(2)),
        *(gk.Conv2D(24, 5, activation="relu"), gk.MaxPool2D(2)),
        *(gk.Flatten(), gk.Dense(64, "relu"), gk.Dense(10)),
        name="convnet",
    )


def mlp() -> gk.Sequential:
    """Return a multi-layer perceptron whose hidden units are seen as pictures."""
    return gk.Sequential(
        *(gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(48, "relu"), gk.Dense(10)), name="mlp"
    )


# Model, epochs, highest rate, largest turn in degrees, shift in pixels, and fraction of scaling.
RECIPES: dict[str, tuple[Callable[[], gk.Sequential], int, float, float, float, float]] = {
    "convnet": (convnet, 30, 6e-3, 12.0, 1.5, 0.12),
    "mlp": (mlp, 16, 6e-3, 8.0, 1.0, 0.08),
}


def warped(
    images: Bytes, random: np.random.Generator, turn: float, shift: float, scale: float
) -> Bytes:
    """Return images under random affine maps, interpolated linearly."""
    count = len(images)
    angle = np.deg2rad(random.uniform(-turn, turn, count))
    shear = random.uniform(-0.15, 0.15, count)
    sizes = random.uniform(1 - scale, 1 + scale, (2, count))
    cos, sin = np.cos(angle), np.sin(angle)
    maps = np.array([[cos, -sin + shear], [sin, cos]]) / sizes[:, None]
    middle = (SIDE - 1) / 2
    grid = np.indices((SIDE, SIDE)).reshape(2, -1) - middle
    places = np.einsum("ijn,jp->nip", maps, grid).astype(np.float32)
    places += middle + random.uniform(-shift, shift, (count, 2, 1)).astype(np.float32)
    low = np.floor(places).astype(np.int32)
    part = places - low
    framed = np.pad(images[..., 0], ((0, 0), (1, 2), (1, 2)))
    rows = np.arange(count)[:, None]
    low = np.clip(low + 1, 0, SIDE + 1)
    total = np.zeros((count, SIDE * SIDE), np.float32)
    for y in (0, 1):
        for x in (0, 1):
            weight = np.abs(1 - y - part[:, 0]) * np.abs(1 - x - part[:, 1])
            total += weight * framed[rows, low[:, 0] + y, low[:, 1] + x]
    return np.round(total).astype(np.uint8).reshape(images.shape)


def epoch_of(
    x: Bytes, y: NDArray[np.int64], seed: int, limits: tuple[float, float, float]
) -> Callable[[], Iterator[tuple[Bytes, NDArray[np.int64]]]]:
    """Return a function that returns the batches of another epoch."""
    random = np.random.default_rng(seed)

    def batches() -> Iterator[tuple[Bytes, NDArray[np.int64]]]:
        order = random.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            yield warped(x[rows], random, *limits), y[rows]

    return batches


def train(name: str) -> None:
    """Train a model and write its file."""
    build, epochs, rate, *limits = RECIPES[name]
    turn, shift, scale = limits
    (x, y), (x_test, y_test) = gk.data.mnist()
    model = build()
    model.build(x.shape[1:])
    steps = len(x) // BATCH
    schedule = gk.schedules.OneCycle(rate, total_steps=epochs * steps)
    model.fit(
        epoch_of(x, y, 0, (turn, shift, scale)),
        loss="softmax_cross_entropy",
        optimizer=gk.AdamW(schedule, weight_decay=1e-2),
        metrics=["accuracy"],
        epochs=epochs,
        seed=0,
    )
    for params in (model.params, model.buffers):
        for key, array in params.items():
            params[key] = array.astype(np.float16).astype(np.float32)
    accuracy = model.evaluate(x_test, y_test)["accuracy"]
    model.metadata = {
        "data": "MNIST, 60,000 images of 28 x 28 pixels, from 0 to 255",
        "training": f"{epochs} epochs of AdamW, batches of {BATCH}, one cycle up to {rate};"
        f" turned by up to {turn} degrees, sheared by 0.15, scaled by {scale}, shifted by {shift}"
        " pixels",
        "made by": "tools/train_lab_models.py",
        "test accuracy": round(accuracy, 4),
    }
    tensors, metadata = model.as_file(optimizer=False)
    halves = {key: tensor.astype(np.float16) for key, tensor in tensors.items()}
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.safetensors"
    safetensors.write(path, *file_of(halves, metadata))
    print(f"{path}: {path.stat().st_size} bytes, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    for each in sys.argv[1:] or RECIPES:
        train(each)
