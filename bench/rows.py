"""The rows of the tables: networks and their training, each defined once for all frameworks."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

from bench.workloads import (
    CROSS_ENTROPY,
    SGD,
    SQUARED,
    Adam,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalMean,
    Layer,
    MaxPool,
    Recurrent,
    Residual,
    Target,
    Workload,
)

IMAGE = (28, 28, 1)
FEWER = 12_000
"""Samples of an epoch if the slowest framework would take a minute for all."""
FRAMEWORKS = ("torch", "jax", "keras")
EAGER = ("torch", "keras")


def each(ratio: float, peers: tuple[str, ...]) -> dict[str, float]:
    """Return the same ratio to each of some peers."""
    return dict.fromkeys(peers, ratio)


def perceptron(name: str, batch: int, epochs: int, title: str, target: Target | None) -> Workload:
    """Return 784-100-10 with sigmoid and plain SGD, the network of many a first lecture."""
    return Workload(
        name,
        inputs=(784,),
        layers=(Dense(100, "sigmoid"), Dense(10)),
        loss=CROSS_ENTROPY,
        optimizer=SGD(0.1),
        batch=batch,
        data="mnist",
        epochs=epochs,
        target=target,
        samples=FEWER if batch == 1 else None,
        title=title,
    )


def convolution(filters: int, kernel: int, stride: int = 1) -> tuple[Layer, ...]:
    """Return a convolution without bias, whose padding keeps the size, and its normalisation."""
    return Conv(filters, kernel, kernel // 2, stride=stride, bias=False), BatchNorm()


def separable(before: int, filters: int, stride: int = 1) -> tuple[Layer, ...]:
    """Return a depthwise convolution and one of 1 × 1, each normalised and with ReLU."""
    depthwise = Conv(before, 3, 1, stride=stride, bias=False, depthwise=True)
    return depthwise, BatchNorm("relu"), Conv(filters, 1, bias=False), BatchNorm("relu")


def block(filters: int, stride: int = 1) -> Residual:
    """Return a residual block of two convolutions."""
    first, second = convolution(filters, 3, stride), convolution(filters, 3)
    shortcut = convolution(filters, 1, stride) if stride > 1 else ()
    return Residual((first[0], BatchNorm("relu"), *second), shortcut)


def resnet(depth: int, width: int = 16) -> tuple[Layer, ...]:
    """Return the network of He et al. (2016), section 4.2, with shortcuts of 1 × 1 convolutions.

    Its depth is 6 n + 2 with n blocks in each of three stages, of 1, 2 and 4 times the width.
    """
    stages = [
        block(width << stage, 2 if stage and not place else 1)
        for stage in range(3)
        for place in range(depth // 6)
    ]
    first = Conv(width, 3, 1, bias=False), BatchNorm("relu")
    return (*first, *stages, GlobalMean(), Dense(10))


def images(name: str, layers: tuple[Layer, ...], title: str) -> Workload:
    """Return a network for 32 × 32 colour images, here random ones."""
    return Workload(
        name,
        inputs=(32, 32, 3),
        layers=layers,
        loss=CROSS_ENTROPY,
        optimizer=Adam(1e-3),
        batch=128,
        data="classes",
        epochs=2,
        title=title,
    )


def recurrent(kind: str, title: str, target: Target) -> Workload:
    """Return a recurrent layer over the 28 rows of an image, and a dense one."""
    return Workload(
        kind,
        inputs=(28, 28),
        layers=(Recurrent(kind, 128), Dense(10)),
        loss=CROSS_ENTROPY,
        optimizer=Adam(1e-3),
        batch=100,
        data="mnist",
        epochs=1,
        target=target,
        samples=FEWER,
        title=title,
    )


LENET = (
    Conv(20, 5, activation="relu"),
    MaxPool(),
    Conv(50, 5, activation="relu"),
    MaxPool(),
    Dense(500, "relu"),
    Dense(10),
)
DEEP = (
    Conv(16, 3, 1, "relu"),
    Conv(16, 3, 1, "relu"),
    MaxPool(),
    Conv(32, 3, 1, "relu"),
    # The wider padding makes 16 rows of 14, which two more poolings divide evenly.
    Conv(32, 3, 2, "relu"),
    MaxPool(),
    Conv(64, 3, 1, "relu"),
    Conv(64, 3, 1, "relu"),
    MaxPool(),
    Dense(50, "relu"),
    Dropout(0.5),
    Dense(10),
    Dropout(0.5),
)
MOBILENET: tuple[Layer, ...] = (
    *(Conv(32, 3, 1, bias=False), BatchNorm("relu")),
    *separable(32, 64),
    *separable(64, 128, 2),
    *separable(128, 128),
    *separable(128, 256, 2),
    *separable(256, 256),
    *(GlobalMean(), Dense(10)),
)
"""The first layers of MobileNet, Howard et al. (2017), for small images."""

ROWS = {
    row.name: row
    for row in (
        perceptron(
            "mlp_seed",
            batch=100,
            epochs=2,
            title="784-100-10, sigmoid, SGD",
            target=Target(each(1.8, FRAMEWORKS), limit=0.6),
        ),
        perceptron(
            "mlp_one",
            batch=1,
            epochs=1,
            title="784-100-10, one sample a step",
            target=Target({"torch": 12, "jax": 1.5}),
        ),
        perceptron("mlp_full", batch=60_000, epochs=5, title="784-100-10, full batch", target=None),
        Workload(
            "mlp_big",
            inputs=(784,),
            layers=(Dense(512, "relu"), Dropout(0.2), Dense(256, "relu"), Dropout(0.2), Dense(10)),
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=128,
            data="mnist",
            epochs=1,
            target=Target(each(2, FRAMEWORKS)),
            title="784-512-256-10, ReLU, dropout, Adam",
        ),
        Workload(
            "autoenc",
            inputs=(784,),
            layers=(Dense(128, "sigmoid"), Dense(784, "sigmoid")),
            loss=SQUARED,
            optimizer=Adam(1e-3),
            batch=100,
            data="mnist_images",
            epochs=1,
            target=Target({"torch": 3}),
            title="784-128-784 autoencoder, Adam",
        ),
        Workload(
            "tabular",
            inputs=(8,),
            layers=(Dense(64, "relu"), Dense(64, "relu"), Dense(1)),
            loss=SQUARED,
            optimizer=Adam(1e-3),
            batch=256,
            data="table",
            epochs=2,
            target=Target(each(10, ("torch", "sklearn"))),
            title="8-64-64-1 regression, ReLU, Adam",
        ),
        Workload(
            "digits",
            inputs=(64,),
            layers=(Dense(100, "relu"), Dense(10)),
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=200,
            data="digits",
            epochs=20,
            target=Target(each(10, ("torch", "sklearn"))),
            title="64-100-10 on 1,438 digits, ReLU, Adam",
        ),
        Workload(
            "xor",
            inputs=(2,),
            layers=(Dense(2, "sigmoid"), Dense(1, "sigmoid")),
            loss=SQUARED,
            optimizer=SGD(1.0),
            batch=1,
            data="xor",
            epochs=2000,
            target=Target({"torch": 200, "jax": 1}),
            title="2-2-1 (XOR), one sample a step",
        ),
        Workload(
            "lenet",
            inputs=IMAGE,
            layers=LENET,
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=100,
            data="mnist",
            epochs=1,
            target=Target(each(2.2, EAGER)),
            samples=FEWER,
            title="LeNet: conv 20, pool, conv 50, pool, 500, 10",
        ),
        Workload(
            "simpleconv",
            inputs=IMAGE,
            layers=(Conv(30, 5, activation="relu"), MaxPool(), Dense(100, "relu"), Dense(10)),
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=100,
            data="mnist",
            epochs=1,
            target=Target(each(4, EAGER)),
            samples=FEWER,
            title="conv 30, pool, 100, 10",
        ),
        Workload(
            "deepconv",
            inputs=IMAGE,
            layers=DEEP,
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=100,
            data="mnist",
            epochs=1,
            target=Target(each(1.4, EAGER), lighter=("torch",)),
            samples=FEWER,
            title="six convolutions, three pools, 50, 10",
        ),
        images("resnet20", resnet(20), "ResNet-20 on 32 × 32 × 3, Adam"),
        *(
            images(
                f"resnet8_{width}",
                resnet(8, width),
                f"ResNet-8 from {width} filters, 32 × 32 × 3, Adam",
            )
            for width in (16, 32, 64)
        ),
        images("separable", MOBILENET, "depthwise-separable network, 32 × 32 × 3, Adam"),
        recurrent("rnn", "28 steps of 28, RNN 128, 10, Adam", Target(each(3, FRAMEWORKS))),
        recurrent("lstm", "28 steps of 28, LSTM 128, 10, Adam", Target(each(1.8, FRAMEWORKS))),
        recurrent("gru", "28 steps of 28, GRU 128, 10, Adam", Target(each(4, FRAMEWORKS))),
        Workload(
            "lstm_long",
            inputs=(1000, 8),
            layers=(Recurrent("lstm", 256), Dense(10)),
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=1,
            data="classes",
            epochs=2,
            target=Target({"torch": 2}),
            title="1,000 steps of 8, LSTM 256, 10, one sequence a step",
        ),
    )
}


def coarse(row: Workload) -> Workload:
    """Return a row with products in bfloat16."""
    name, title = f"{row.name}_bf16", f"{row.title}; products in bfloat16"
    return replace(row, name=name, precision="bfloat16", target=None, title=title)


COARSE_ROWS = {
    row.name: row
    for row in map(
        coarse,
        (
            ROWS[name]
            for name in ("mlp_big", "autoenc", "lenet", "deepconv", "resnet20", "lstm", "gru")
        ),
    )
}
"""Rows on request: gyaku in bfloat16, against PyTorch in float32 and with autocast."""


def narrow(width: int) -> Workload:
    """Return a 10-w-w-10 network, so small that more threads may slow it down.

    It is that of PyTorch's issue 144633: linear layers, Adam, 100 batches of 128.
    """
    return Workload(
        f"width_{width}",
        inputs=(10,),
        layers=(Dense(width), Dense(width), Dense(10)),
        loss=SQUARED,
        optimizer=Adam(1e-3),
        batch=128,
        data="noise",
        epochs=2,
    )


def from_file(path: str) -> Workload:
    """Return the variable `row` of a Python file, a row of one's own."""
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}; a row is the variable `row` of a Python file")
    found = runpy.run_path(path).get("row")
    if not isinstance(found, Workload):
        raise ValueError(f"{path} has no variable `row` that is a bench.workloads.Workload")
    return found


def find(name: str) -> Workload:
    """Return a workload by its name: a row's, ``width_46``, or the path of a Python file."""
    if name.endswith(".py"):
        return from_file(name)
    start, _, width = name.partition("_")
    if start == "width" and width.isdecimal() and int(width) > 0:
        return narrow(int(width))
    known = ROWS | COARSE_ROWS
    if name not in known:
        raise ValueError(
            f"there is no row {name!r}; known are {', '.join(known)}, width_W and FILE.py"
        )
    return known[name]
