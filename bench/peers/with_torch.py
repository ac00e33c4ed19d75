"""PyTorch: eager, the data as one tensor that batches are picked from, no data loader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from bench.workloads import Adam, Dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}
# The optimizer's implementation, by the name of the setting.
IMPLEMENTATIONS = {
    "fused": {"fused": True},
    "foreach": {"foreach": True},
    "plain": {"foreach": False},
}


class Torch:
    """A network of PyTorch and its training loop."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
    ) -> None:
        torch.manual_seed(0)
        self.x, self.y, self.batch = torch.from_numpy(x), torch.from_numpy(y), workload.batch
        self.model = network(workload, weights)
        how: Any = workload.optimizer
        parameters, implementation = list(self.model.parameters()), IMPLEMENTATIONS[option]
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.Adam(
                parameters,
                lr=how.learning_rate,
                betas=(how.beta1, how.beta2),
                eps=how.epsilon,
                **implementation,
            )
            if isinstance(how, Adam)
            else torch.optim.SGD(parameters, lr=how.learning_rate, **implementation)
        )
        squared = workload.loss == "mean_squared_error"
        self.criterion = nn.functional.mse_loss if squared else nn.functional.cross_entropy
        self.autoencoder = y is x
        if self.batch == 1:
            self.pairs = [(self.x[i : i + 1], self.y[i : i + 1]) for i in range(len(x))]

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        for _ in range(epochs):
            for x, y in self.batches():
                self.step(x, y)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        self.train(epochs - 1)
        total = 0.0
        for x, y in self.batches():
            total += len(x) * self.step(x, y).item()
        return total / len(self.x)

    def batches(self) -> Any:
        """Return an epoch's batches."""
        order = torch.randperm(len(self.x))
        if self.batch == 1:
            return [self.pairs[i] for i in order.tolist()]
        return map(self.pick, order.split(self.batch))

    def pick(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch."""
        x = self.x.index_select(0, rows)
        return x, x if self.autoencoder else self.y.index_select(0, rows)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Do one step; the loss is looked at only where it is asked for."""
        value = self.criterion(self.model(x), y)
        self.optimizer.zero_grad()
        value.backward()
        self.optimizer.step()
        return value


def network(workload: Workload, weights: Weights) -> nn.Sequential:
    """Return the layers, with the weights that all begin with."""
    layers: list[nn.Module] = []
    given = iter(weights)
    width = workload.inputs
    for layer in workload.layers:
        if not isinstance(layer, Dense):
            layers.append(nn.Dropout(layer.rate))
            continue
        dense = nn.Linear(width, layer.units)
        weight, bias = next(given)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(weight.T))
            dense.bias.copy_(torch.from_numpy(bias))
        layers.append(dense)
        width = layer.units
        if layer.activation != "identity":
            layers.append(ACTIVATIONS[layer.activation]())
    return nn.Sequential(*layers)


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Torch:
    """Return the network; `option` chooses the optimizer's implementation."""
    return Torch(workload, x, y, weights, option)
