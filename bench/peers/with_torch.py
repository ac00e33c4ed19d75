"""PyTorch: eager, with the data as one tensor instead of a data loader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from bench.peers import CHANNELS_FIRST, CHANNELS_LAST
from bench.workloads import Adam, Conv, Dropout, MaxPool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import SGD, Shape, Weighted, Workload

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}
FORMATS = {CHANNELS_FIRST: torch.contiguous_format, CHANNELS_LAST: torch.channels_last}
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
        layout, _, implementation = option.rpartition(", ")
        self.x, self.y, self.batch = images(x, layout), torch.from_numpy(y), workload.batch
        self.model = network(workload, weights, layout)
        self.optimizer = optimizer(workload.optimizer, self.model, implementation)
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
        """Run one step; the loss is computed only on request."""
        value = self.criterion(self.model(x), y)
        self.optimizer.zero_grad()
        value.backward()
        self.optimizer.step()
        return value


def optimizer(how: SGD | Adam, model: nn.Module, implementation: str) -> torch.optim.Optimizer:
    """Return the optimizer of a network, in one of PyTorch's implementations."""
    parameters, ways = model.parameters(), IMPLEMENTATIONS[implementation]
    rate: Any = how.learning_rate
    if isinstance(how, Adam):
        betas = how.beta1, how.beta2
        return torch.optim.Adam(parameters, lr=rate, betas=betas, eps=how.epsilon, **ways)
    return torch.optim.SGD(parameters, lr=rate, **ways)


def images(x: NDArray[Any], layout: str) -> torch.Tensor:
    """Return images, (n, height, width, channels), in a layout of PyTorch; other data unchanged."""
    if x.ndim != 4:
        return torch.from_numpy(x)
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=FORMATS[layout])


def network(workload: Workload, weights: Weights, layout: str = "") -> nn.Sequential:
    """Return the layers, with the common initial weights."""
    layers: list[nn.Module] = []
    given = iter(weights)
    for before, layer, _ in workload.traced:
        if isinstance(layer, Dropout):
            layers.append(nn.Dropout(layer.rate))
            continue
        if isinstance(layer, MaxPool):
            layers.append(nn.MaxPool2d(layer.window))
        else:
            layers += weighted(before, layer, *map(torch.from_numpy, next(given)))
        if layer.activation != "identity":
            layers.append(ACTIVATIONS[layer.activation]())
    model = nn.Sequential(*layers)
    return model.to(memory_format=FORMATS[layout]) if layout else model


def weighted(
    before: Shape, layer: Weighted, weight: torch.Tensor, bias: torch.Tensor
) -> list[nn.Module]:
    """Return a layer with its weights; PyTorch has channels before rows and columns."""
    made: nn.Linear | nn.Conv2d
    flat: list[nn.Module] = []
    if isinstance(layer, Conv):
        made = nn.Conv2d(before[2], layer.filters, layer.kernel, padding=layer.padding)
        weight = weight.permute(3, 2, 0, 1)
    else:
        made = nn.Linear(len(weight), layer.units)
        if len(before) > 1:
            flat = [nn.Flatten()]
            weight = weight.reshape(*before, -1).permute(2, 0, 1, 3).flatten(0, 2)
        weight = weight.t()
    with torch.no_grad():
        made.weight.copy_(weight)
        assert made.bias is not None
        made.bias.copy_(bias)
    return [*flat, made]


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Torch:
    """Return the network; `option` chooses layout and the optimizer's implementation."""
    return Torch(workload, x, y, weights, option)
