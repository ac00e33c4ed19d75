"""The workloads, each stated once: every framework builds what it trains from here.

Nothing but the standard library is imported, because a worker reads its workload before it may
load NumPy, whose number of threads is fixed while it is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dense:
    """A dense layer with bias, and the activation that follows it."""

    units: int
    activation: str = "identity"


@dataclass(frozen=True)
class Dropout:
    """Dropout: a number is kept with the probability 1 - rate, and then divided by it."""

    rate: float


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
    """What gyaku has to reach: so many times the best of some peers, such a share of the limit."""

    ratio: float
    versus: tuple[str, ...]
    limit: float | None = None


@dataclass(frozen=True)
class Workload:
    """A network and how it is trained.

    `loss` is "softmax_cross_entropy" on logits and class numbers or "mean_squared_error" over all
    numbers of a batch; `data` names a data set of `bench.data`; `epochs` are trained before
    anything is timed, and the last one's mean loss is what shows that all learn the same.
    """

    name: str
    inputs: int
    layers: tuple[Dense | Dropout, ...]
    loss: str
    optimizer: SGD | Adam
    batch: int
    data: str
    epochs: int
    target: Target | None = None

    @property
    def dense(self) -> list[tuple[int, Dense]]:
        """The dense layers, each with the number of its inputs."""
        found, width = [], self.inputs
        for layer in self.layers:
            if isinstance(layer, Dense):
                found.append((width, layer))
                width = layer.units
        return found

    @property
    def drops(self) -> bool:
        """Whether there is dropout."""
        return any(isinstance(layer, Dropout) for layer in self.layers)

    @property
    def mnist(self) -> bool:
        """Whether it is trained on MNIST."""
        return self.data.startswith("mnist")

    @property
    def flops(self) -> int:
        """Floating-point operations of a step's matrix products.

        Three for each dense layer: outputs, weight gradient, input gradient; the first layer needs
        no input gradient. A multiplication and an addition count as two.
        """
        products = [2 * self.batch * inputs * layer.units for inputs, layer in self.dense]
        return 3 * sum(products) - products[0]

    @property
    def shape(self) -> str:
        """The layers in a line, such as ``784-100 sigmoid-10``."""
        parts = [str(self.inputs)]
        for layer in self.layers:
            if isinstance(layer, Dropout):
                parts[-1] += f" dropout {layer.rate:g}"
            else:
                name = "" if layer.activation == "identity" else f" {layer.activation}"
                parts.append(f"{layer.units}{name}")
        return "-".join(parts)


CROSS_ENTROPY = "softmax_cross_entropy"
SQUARED = "mean_squared_error"
FRAMEWORKS = ("torch", "jax", "keras")

ROWS = {
    row.name: row
    for row in (
        Workload(
            "mlp_seed",
            inputs=784,
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
            inputs=784,
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
            inputs=784,
            layers=(Dense(128, "sigmoid"), Dense(784, "sigmoid")),
            loss=SQUARED,
            optimizer=Adam(1e-3),
            batch=100,
            data="mnist_images",
            epochs=1,
            target=Target(3, ("torch",)),
        ),
        Workload(
            "xor",
            inputs=2,
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
    """Return a 10-w-w-10 network, small enough that threads may cost more than they bring.

    It is that of PyTorch's issue 144633: linear layers, Adam, 100 batches of 128.
    """
    return Workload(
        f"width_{width}",
        inputs=10,
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
