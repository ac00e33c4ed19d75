"""gyaku by its public API: `Sequential` and `fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gyaku as gk
from bench.workloads import Adam, Conv, Dense, Dropout
from gyaku.layers.activation import ACTIVATIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import SGD, Workload


def network(workload: Workload) -> gk.Sequential:
    """Return the layers."""
    layers: list[gk.Layer] = []
    if workload.data == "mnist":  # the images are bytes
        layers.append(gk.Rescaling(1 / 255))
    for before, layer, _ in workload.traced:
        if isinstance(layer, Dropout):
            layers.append(gk.Dropout(layer.rate))
            continue
        activation = None if layer.activation == "identity" else layer.activation
        if isinstance(layer, Dense):
            if len(before) > 1:
                layers.append(gk.Flatten())
            layers.append(gk.Dense(layer.units, activation))
        elif isinstance(layer, Conv):
            layers.append(
                gk.Conv2D(layer.filters, layer.kernel, padding=layer.padding, activation=activation)
            )
        else:
            layers.append(gk.MaxPool2D(layer.window))
            if activation:
                layers.append(ACTIVATIONS[activation]())
    return gk.Sequential(*layers)


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
        given = [array for pair in weights for array in pair]
        for param, value in zip(self.model.params.values(), given, strict=True):
            param[...] = value
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
            verbose=0,
        )
        return history["loss"][-1]


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Gyaku:
    """Return the network; there are no settings."""
    del option
    return Gyaku(workload, x, y, weights)
