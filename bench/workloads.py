"""The workloads, each defined once for all frameworks.

Only the standard library is imported, because a worker reads its workload before the import of
NumPy, which fixes its number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    """A dense layer with bias and activation; images are flattened first."""

    units: int
    activation: str = "identity"

    def weight(self, before: Shape) -> Shape:
        """Return the shape of the weights, from that of a sample."""
        return prod(before), self.units

    def behind(self, before: Shape) -> Shape:
        """Return the shape of a sample behind the layer."""
        del before
        return (self.units,)

    def __str__(self) -> str:
        return f"{self.units}{named(self.activation)}"


@dataclass(frozen=True)
class Conv:
    """A convolution with bias, padding on all sides and activation."""

    filters: int
    kernel: int
    padding: int = 0
    activation: str = "identity"

    def weight(self, before: Shape) -> Shape:
        """Return the shape of the weights, from that of an image (height, width, channels)."""
        return self.kernel, self.kernel, before[2], self.filters

    def behind(self, before: Shape) -> Shape:
        """Return the shape of an image behind the layer."""
        height, width = (size + 2 * self.padding - self.kernel + 1 for size in before[:2])
        return height, width, self.filters

    def __str__(self) -> str:
        return f"conv{self.filters} {self.kernel}×{self.kernel}{named(self.activation)}"


@dataclass(frozen=True)
class MaxPool:
    """Max-pooling by adjacent windows, and activation."""

    window: int = 2
    activation: str = "identity"

    def behind(self, before: Shape) -> Shape:
        """Return the shape of an image behind the layer."""
        return before[0] // self.window, before[1] // self.window, before[2]

    def __str__(self) -> str:
        return f"pool{named(self.activation)}"


@dataclass(frozen=True)
class Dropout:
    """Dropout: an element is kept with the probability 1 - rate, and divided by it."""

    rate: float

    def behind(self, before: Shape) -> Shape:
        """Return the shape of a sample behind the layer, which is that before it."""
        return before

    def __str__(self) -> str:
        return f"dropout {self.rate:g}"


Weighted = Dense | Conv
Layer = Dense | Conv | MaxPool | Dropout


def named(activation: str) -> str:
    """Return the text of an activation behind a layer's name."""
    return "" if activation == "identity" else f" {activation}"


@dataclass(frozen=True)
class SGD:
    """Plain gradient descent."""

    learning_rate: float


@dataclass(frozen=True)
class Adam:
    """Adam, algorithm 1 of D. Kingma and J. Ba (2014)."""

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


@dataclass(frozen=True)
class Target:
    """Target of gyaku.

    A ratio to the best of the peers of `versus`, a fraction of the limit, and less memory than all
    of `lighter`.
    """

    ratio: float
    versus: tuple[str, ...]
    limit: float | None = None
    lighter: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workload:
    """A network and its training.

    `loss` is "softmax_cross_entropy" on logits and class numbers or "mean_squared_error" over all
    elements of a batch; `data` names a data set of `bench.data`, of which the first `samples` are
    taken; `epochs` are trained before the timing, and the mean loss of the last one shows that all
    frameworks train the same network.
    """

    name: str
    inputs: Shape
    layers: tuple[Layer, ...]
    loss: str
    optimizer: SGD | Adam
    batch: int
    data: str
    epochs: int
    target: Target | None = None
    samples: int | None = None

    @property
    def traced(self) -> list[tuple[Shape, Layer, Shape]]:
        """The layers, each with the shapes of a sample before and behind it."""
        found, shape = [], self.inputs
        for layer in self.layers:
            behind = layer.behind(shape)
            found.append((shape, layer, behind))
            shape = behind
        return found

    @property
    def weighted(self) -> list[tuple[Shape, Weighted]]:
        """The layers with weights, each with their shape."""
        return [
            (layer.weight(before), layer)
            for before, layer, _ in self.traced
            if isinstance(layer, Weighted)
        ]

    @property
    def drops(self) -> bool:
        """Whether there is dropout."""
        return any(isinstance(layer, Dropout) for layer in self.layers)

    @property
    def convolves(self) -> bool:
        """Whether it is a network for images."""
        return any(isinstance(layer, Conv) for layer in self.layers)

    @property
    def mnist(self) -> bool:
        """Whether it is trained on MNIST."""
        return self.data.startswith("mnist")

    @property
    def flops(self) -> int:
        """Floating-point operations of a step's matrix products and convolutions.

        Three products for each layer with weights: outputs, weight gradient, input gradient; the
        first layer needs no input gradient. A multiplication and an addition count as two, also on
        padding.
        """
        products = [
            2 * self.batch * prod(layer.weight(before)) * prod(behind[:-1])
            for before, layer, behind in self.traced
            if isinstance(layer, Weighted)
        ]
        return 3 * sum(products) - products[0]

    @property
    def shape(self) -> str:
        """The layers in a line, such as ``784-100 sigmoid-10``."""
        parts = ["×".join(map(str, self.inputs))]
        for layer in self.layers:
            if isinstance(layer, Dropout):
                parts[-1] += f" {layer}"
            else:
                parts.append(str(layer))
        return "-".join(parts)


CROSS_ENTROPY = "softmax_cross_entropy"
SQUARED = "mean_squared_error"
FRAMEWORKS = ("torch", "jax", "keras")
EAGER = ("torch", "keras")
IMAGE = (28, 28, 1)
FEWER = 12_000
"""Images per epoch if the slowest framework would take a minute for all."""

ROWS = {
    row.name: row
    for row in (
        Workload(
            "mlp_seed",
            inputs=(784,),
            layers=(Dense(100, "sigmoid"), Dense(10)),
            loss=CROSS_ENTROPY,
            optimizer=SGD(0.1),
            batch=100,
            data="mnist",
            epochs=2,
            target=Target(1.8, FRAMEWORKS, limit=0.6),
        ),
        Workload(
            "mlp_big",
            inputs=(784,),
            layers=(Dense(512, "relu"), Dropout(0.2), Dense(256, "relu"), Dropout(0.2), Dense(10)),
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=128,
            data="mnist",
            epochs=1,
            target=Target(2, FRAMEWORKS),
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
            target=Target(3, ("torch",)),
        ),
        Workload(
            "lenet",
            inputs=IMAGE,
            layers=(
                Conv(20, 5, activation="relu"),
                MaxPool(),
                Conv(50, 5, activation="relu"),
                MaxPool(),
                Dense(500, "relu"),
                Dense(10),
            ),
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=100,
            data="mnist",
            epochs=1,
            target=Target(2.2, EAGER),
            samples=FEWER,
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
            target=Target(4, EAGER),
            samples=FEWER,
        ),
        Workload(
            "deepconv",
            inputs=IMAGE,
            layers=(
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
            ),
            loss=CROSS_ENTROPY,
            optimizer=Adam(1e-3),
            batch=100,
            data="mnist",
            epochs=1,
            target=Target(1.4, EAGER, lighter=("torch",)),
            samples=FEWER,
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
            target=Target(200, ("torch",)),
        ),
    )
}


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


def find(name: str) -> Workload:
    """Return a workload by its name: a row's, or ``width_46``."""
    start, _, width = name.partition("_")
    if start == "width" and width.isdecimal() and int(width) > 0:
        return narrow(int(width))
    if name not in ROWS:
        raise ValueError(f"there is no row {name!r}; known are {', '.join(ROWS)} and width_W")
    return ROWS[name]
