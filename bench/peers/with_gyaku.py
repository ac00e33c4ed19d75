"""gyaku by its public API: `Sequential` and `fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gyaku as gk
from bench.workloads import (
    Adam,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalMean,
    MaxPool,
    Recurrent,
    Residual,
    trace,
)
from gyaku.layers.activation import ACTIVATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import SGD, Layer, Shape, Workload
    from gyaku.symbolic import Block


RECURRENT = {"rnn": gk.SimpleRNN, "lstm": gk.LSTM, "gru": gk.GRU}


def network(workload: Workload) -> gk.Sequential:
    """Return the layers; images of bytes are rescaled by the first one."""
    first = [gk.Rescaling(1 / 255)] if workload.bytes else []
    return gk.Sequential(*first, *stack(workload.layers, workload.inputs))


def stack(layers: tuple[Layer, ...], shape: Shape) -> Iterator[Block]:
    """Yield the layers of gyaku."""
    for before, layer, _ in trace(layers, shape):
        if isinstance(layer, Residual):
            shortcut = gk.Sequential(*stack(layer.shortcut, before)) if layer.shortcut else None
            yield gk.Residual(*stack(layer.layers, before), shortcut=shortcut)
            yield gk.ReLU()
        elif isinstance(layer, Dropout):
            yield gk.Dropout(layer.rate)
        elif isinstance(layer, Recurrent):
            yield RECURRENT[layer.kind](layer.units)
        elif isinstance(layer, GlobalMean):
            yield gk.GlobalAvgPool2D()
        else:
            yield from activated(layer, before)


def activated(layer: Dense | Conv | MaxPool | BatchNorm, before: Shape) -> Iterator[Block]:
    """Yield a layer with its activation."""
    activation = None if layer.activation == "identity" else layer.activation
    if isinstance(layer, Dense):
        if len(before) > 1:
            yield gk.Flatten()
        yield gk.Dense(layer.units, activation)
    elif isinstance(layer, Conv):
        yield gk.Conv2D(
            layer.filters,
            layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
            groups=before[2] if layer.depthwise else 1,
            activation=activation,
            use_bias=layer.bias,
        )
    else:
        if isinstance(layer, MaxPool):
            yield gk.MaxPool2D(layer.window)
        else:
            yield gk.BatchNorm(layer.momentum, layer.epsilon)
        if activation:
            yield ACTIVATIONS[activation]()


def fill(model: gk.Sequential, weights: Weights) -> None:
    """Give a model the common initial weights."""
    given = [array for params in weights for array in params]
    for param, value in zip(model.params.values(), given, strict=True):
        param[...] = value


def optimizer(how: SGD | Adam, rate: float | gk.schedules.OneCycle) -> gk.Optimizer:
    """Return the optimizer with a learning rate."""
    if isinstance(how, Adam):
        return gk.Adam(rate, beta1=how.beta1, beta2=how.beta2, epsilon=how.epsilon)
    return gk.SGD(rate)


class Gyaku:
    """A network of gyaku; whole calls of `fit` are timed, with validation and capture."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights
    ) -> None:
        self.model = network(workload)
        self.model.build(workload.inputs)
        fill(self.model, weights)
        self.optimizer = optimizer(workload.optimizer, workload.optimizer.learning_rate)
        self.workload, self.x, self.y = workload, x, y

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        self.loss(epochs)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        history = self.model.fit(
            self.x,
            self.y,
            loss=self.workload.loss,
            optimizer=self.optimizer,
            epochs=epochs,
            batch_size=self.workload.batch,
            precision=self.workload.precision,
            verbose=0,
        )
        return history["loss"][-1]


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Gyaku:
    """Return the network; there are no settings."""
    del option
    return Gyaku(workload, x, y, weights)
