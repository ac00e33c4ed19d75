"""gyaku through its public face: `Sequential` and `fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gyaku as gk
from bench.workloads import Adam, Dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload


class Gyaku:
    """A network of gyaku; whole calls of `fit` are timed, its checks and its capture included."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights
    ) -> None:
        layers: list[gk.Layer] = []
        for layer in workload.layers:
            if isinstance(layer, Dense):
                activation = None if layer.activation == "identity" else layer.activation
                layers.append(gk.Dense(layer.units, activation))
            else:
                layers.append(gk.Dropout(layer.rate))
        self.model = gk.Sequential(*layers)
        self.model.build((workload.inputs,))
        given = [array for pair in weights for array in pair]
        for param, value in zip(self.model.params.values(), given, strict=True):
            param[...] = value
        how = workload.optimizer
        self.optimizer: gk.Optimizer = gk.SGD(how.learning_rate)
        if isinstance(how, Adam):
            self.optimizer = gk.Adam(
                how.learning_rate, beta1=how.beta1, beta2=how.beta2, epsilon=how.epsilon
            )
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
