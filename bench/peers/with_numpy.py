"""Plain NumPy, as in lecture notes: a class a layer, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bench import workloads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload

    Array = NDArray[np.float32]


class Layer(Protocol):
    """Base of the layers."""

    def forward(self, x: Array) -> Array:
        """Return the outputs."""

    def backward(self, dy: Array) -> Array:
        """Return the gradient with respect to the inputs."""


class Affine(Layer):
    """``y = x W + b``."""

    def __init__(self, weight: Array, bias: Array, first: bool) -> None:
        self.params = [weight.copy(), bias.copy()]
        self.grads: list[Array] = []
        self.first = first

    def forward(self, x: Array) -> Array:
        """Return x W + b."""
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dy: Array) -> Array:
        """Keep dW and db, return dx; that of the first layer is not needed."""
        self.grads = [self.x.T @ dy, dy.sum(axis=0)]
        return dy if self.first else dy @ self.params[0].T


class Sigmoid(Layer):
    """``y = 1 / (1 + exp(-x))``."""

    def forward(self, x: Array) -> Array:
        """Return y."""
        y: Array = np.reciprocal(1 + np.exp(-x))
        self.y = y
        return y

    def backward(self, dy: Array) -> Array:
        """Return dy y (1 - y)."""
        return dy * self.y * (1 - self.y)


class Relu(Layer):
    """``y = max(x, 0)``."""

    def forward(self, x: Array) -> Array:
        """Return y."""
        self.y: Array = np.maximum(x, 0)
        return self.y

    def backward(self, dy: Array) -> Array:
        """Return dy where y is positive."""
        return dy * (self.y > 0)


class Dropout(Layer):
    """Dropout: elements are kept at random and divided by the probability."""

    def __init__(self, rate: float, random: np.random.Generator) -> None:
        self.rate, self.scale, self.random = rate, np.float32(1 / (1 - rate)), random

    def forward(self, x: Array) -> Array:
        """Return x / (1 - rate) where it is kept."""
        kept = self.random.random(x.shape, np.float32) >= self.rate
        self.factor: Array = kept * self.scale
        return x * self.factor

    def backward(self, dy: Array) -> Array:
        """Return dy / (1 - rate) where x was kept."""
        return dy * self.factor


def softmax_cross_entropy(y: Array, target: NDArray[Any]) -> tuple[float, Array]:
    """Return the mean loss of a batch and its gradient with respect to the logits."""
    exp = np.exp(y - y.max(axis=1, keepdims=True))
    p = exp / exp.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, target]).mean()
    p[rows, target] -= 1
    return float(loss), p / np.float32(len(y))


def mean_squared_error(y: Array, target: NDArray[Any]) -> tuple[float, Array]:
    """Return the mean loss of a batch and its gradient with respect to the outputs."""
    difference = y - target
    return float((difference**2).mean()), difference * np.float32(2 / y.size)


class Numpy:
    """A network of NumPy arrays."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights
    ) -> None:
        self.x, self.y, self.batch = x, y, workload.batch
        self.autoencoder = y is x
        self.random = np.random.default_rng(0)
        self.layers: list[Layer] = []
        given = iter(weights)
        for layer in workload.layers:
            if isinstance(layer, workloads.Dropout):
                self.layers.append(Dropout(layer.rate, self.random))
                continue
            assert isinstance(layer, workloads.Dense)
            weight, bias = next(given)
            self.layers.append(Affine(weight, bias, first=not self.layers))
            if layer.activation != "identity":
                self.layers.append({"sigmoid": Sigmoid, "relu": Relu}[layer.activation]())
        self.criterion = mean_squared_error if workload.squared else softmax_cross_entropy
        self.how = workload.optimizer
        self.affine = [layer for layer in self.layers if isinstance(layer, Affine)]
        self.params = [param for layer in self.affine for param in layer.params]
        self.mean = [np.zeros_like(param) for param in self.params]
        self.square = [np.zeros_like(param) for param in self.params]
        self.steps = 0

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        self.loss(epochs)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        total = 0.0
        for _ in range(epochs):
            total = 0.0
            order = self.random.permutation(len(self.x))
            for start in range(0, len(order), self.batch):
                rows = order[start : start + self.batch]
                x = self.x[rows]
                total += len(rows) * self.step(x, x if self.autoencoder else self.y[rows])
        return total / len(self.x)

    def step(self, x: NDArray[Any], target: NDArray[Any]) -> float:
        """Run one step and return its loss."""
        for layer in self.layers:
            x = layer.forward(x)
        loss, dy = self.criterion(x, target)
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        self.update([grad for layer in self.affine for grad in layer.grads])
        return loss

    def update(self, grads: list[NDArray[Any]]) -> None:
        """Change the parameters."""
        how = self.how
        if not isinstance(how, workloads.Adam):
            for param, grad in zip(self.params, grads, strict=True):
                param -= how.learning_rate * grad
            return
        self.steps += 1
        rate = how.learning_rate / (1 - how.beta1**self.steps)
        share = 1 - how.beta2**self.steps
        for param, grad, m, v in zip(self.params, grads, self.mean, self.square, strict=True):
            m += (1 - how.beta1) * (grad - m)
            v += (1 - how.beta2) * (grad * grad - v)
            param -= rate * m / (np.sqrt(v / share) + how.epsilon)


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Numpy:
    """Return the network; there are no settings."""
    del option
    return Numpy(workload, x, y, weights)
