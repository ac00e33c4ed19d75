"""The layers, optimizers and trainings that all frameworks build alike.

Only the standard library is imported, because a worker reads its workload before the import of
NumPy, which fixes its number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any, Literal

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
    """A convolution with padding on all sides and activation.

    Depthwise, each channel has a filter of its own: there are as many of these as channels.
    """

    filters: int
    kernel: int
    padding: int = 0
    activation: str = "identity"
    stride: int = 1
    bias: bool = True
    depthwise: bool = False

    def weight(self, before: Shape) -> Shape:
        """Return the shape of the weights, from that of an image (height, width, channels)."""
        return self.kernel, self.kernel, 1 if self.depthwise else before[2], self.filters

    def behind(self, before: Shape) -> Shape:
        """Return the shape of an image behind the layer."""
        height, width = (
            (size + 2 * self.padding - self.kernel) // self.stride + 1 for size in before[:2]
        )
        return height, width, self.filters

    def __str__(self) -> str:
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        kind = f"{'depthwise ' if self.depthwise else ''}conv{self.filters}"
        return f"{kind} {self.kernel}×{self.kernel}{stride}{named(self.activation)}"


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


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation of each channel, with running statistics, and activation."""

    activation: str = "identity"
    momentum: float = 0.1
    epsilon: float = 1e-5

    def behind(self, before: Shape) -> Shape:
        """Return the shape of an image behind the layer, which is that before it."""
        return before

    def __str__(self) -> str:
        return f"norm{named(self.activation)}"


@dataclass(frozen=True)
class GlobalMean:
    """The mean of each channel over rows and columns."""

    def behind(self, before: Shape) -> Shape:
        """Return the shape of a sample behind the layer: the channels."""
        return before[-1:]

    def __str__(self) -> str:
        return "mean"


@dataclass(frozen=True)
class Residual:
    """Layers with a skip connection, through the layers of `shortcut`, and ReLU of the sum."""

    layers: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def behind(self, before: Shape) -> Shape:
        """Return the shape of an image behind the block."""
        return [behind for _, _, behind in trace(self.layers, before)][-1]

    def __str__(self) -> str:
        return f"[{'-'.join(map(str, self.layers))}]"


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer of a kind of `GATES`, whose output is its state after the last step.

    Inputs are (time, features). The parameters are weights (features, gates · units), recurrent
    weights (units, gates · units) and a bias, for ``gru`` a recurrent bias too.
    """

    kind: str
    units: int

    @property
    def gates(self) -> int:
        """The number of gates, with the candidate of the state."""
        return GATES[self.kind]

    def behind(self, before: Shape) -> Shape:
        """Return the shape of a sample behind the layer."""
        del before
        return (self.units,)

    def flops(self, before: Shape) -> int:
        """Return the floating-point operations of a sample's products with both weights."""
        steps, features = before
        return 2 * steps * (features + self.units) * self.gates * self.units

    def __str__(self) -> str:
        return f"{self.kind} {self.units}"


GATES = {"rnn": 1, "lstm": 4, "gru": 3}
"""The kinds of recurrent layers: tanh, long short-term memory (i, f, g, o), gated (r, z, n)."""
Weighted = Dense | Conv
Layer = Dense | Conv | MaxPool | Dropout | BatchNorm | GlobalMean | Residual | Recurrent


def trace(layers: tuple[Layer, ...], shape: Shape) -> Iterator[tuple[Shape, Layer, Shape]]:
    """Yield the layers, each with the shapes of a sample before and behind it."""
    for layer in layers:
        behind = layer.behind(shape)
        yield shape, layer, behind
        shape = behind


def flatten(layers: tuple[Layer, ...], shape: Shape) -> Iterator[tuple[Shape, Layer, Shape]]:
    """Yield the layers like `trace`, and instead of a residual block those inside it."""
    for before, layer, behind in trace(layers, shape):
        if isinstance(layer, Residual):
            yield from flatten(layer.layers, before)
            yield from flatten(layer.shortcut, before)
        else:
            yield before, layer, behind


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

    The smallest ratio to each of some peers, a fraction of the limit, and less memory than all of
    `lighter`.
    """

    least: Mapping[str, float]
    limit: float | None = None
    lighter: tuple[str, ...] = ()


Samples = Callable[[], tuple[Any, Any]]
"""Function that returns inputs and targets, arrays of NumPy."""


@dataclass(frozen=True)
class Workload:
    """A network and its training.

    Parameters
    ----------
    name
        The name of the row.
    inputs
        The shape of a sample: features, or height, width and channels.
    layers
        The network.
    loss
        ``"softmax_cross_entropy"`` on logits and class numbers, or ``"mean_squared_error"`` over
        all elements of a batch.
    optimizer
        How it is trained.
    batch
        The samples of a step.
    data
        The name of a data set of `bench.data`, or a function that returns inputs (float32) and
        targets (int64 classes, or float32).
    epochs
        Epochs before the timing; the mean loss of the last one shows that all frameworks train
        the same network.
    target
        gyaku's target.
    samples
        The number of samples to take from the front of the data; by default all.
    precision
        ``"float32"`` or ``"bfloat16"``, of the operands of products.
    title
        The network in a few words.
    """

    name: str
    inputs: Shape
    layers: tuple[Layer, ...]
    loss: str
    optimizer: SGD | Adam
    batch: int
    data: str | Samples
    epochs: int
    target: Target | None = None
    samples: int | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    title: str = field(default="", compare=False)

    @property
    def leaves(self) -> list[tuple[Shape, Layer, Shape]]:
        """All layers with the shapes of a sample before and behind them, blocks taken apart."""
        return list(flatten(self.layers, self.inputs))

    @property
    def weighted(self) -> list[tuple[Shape, Weighted]]:
        """The layers with weights, each with their shape."""
        return [
            (layer.weight(before), layer)
            for before, layer, _ in self.leaves
            if isinstance(layer, Weighted)
        ]

    def has(self, *kinds: type) -> bool:
        """Return whether there is a layer of some kinds."""
        return any(isinstance(layer, kinds) for _, layer, _ in self.leaves)

    @property
    def squared(self) -> bool:
        """Whether the loss is the mean squared error."""
        return self.loss == SQUARED

    @property
    def mnist(self) -> bool:
        """Whether it is trained on MNIST."""
        return isinstance(self.data, str) and self.data.startswith("mnist")

    @property
    def bytes(self) -> bool:
        """Whether the inputs are images of bytes, which gyaku takes as they are."""
        return self.data in {"mnist", "digits"}

    @property
    def flops(self) -> int:
        """Floating-point operations of a step's matrix products and convolutions.

        Three products for each layer with weights: outputs, weight gradient, input gradient; the
        first layer needs no input gradient, a recurrent one that of its states alone. A
        multiplication and an addition count as two, also on padding.
        """
        first = self.products[0]
        before, layer, _ = self.leaves[0]
        if isinstance(layer, Recurrent):
            first = first * before[1] // (before[1] + layer.units)
        return self.batch * (3 * sum(self.products) - first)

    @property
    def products(self) -> list[int]:
        """Floating-point operations of a sample's forward pass, for each layer with weights."""
        return [
            layer.flops(before)
            if isinstance(layer, Recurrent)
            else 2 * prod(layer.weight(before)) * prod(behind[:-1])
            for before, layer, behind in self.leaves
            if isinstance(layer, Weighted | Recurrent)
        ]

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

    def facts(self) -> dict[str, Any]:
        """Return all of it for a file of results."""
        data = self.data if isinstance(self.data, str) else self.data.__name__
        return asdict(self) | {"data": data, "flops": self.flops, "shape": self.shape}


CROSS_ENTROPY = "softmax_cross_entropy"
SQUARED = "mean_squared_error"
