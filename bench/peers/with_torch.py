"""PyTorch: eager, with the data as one tensor instead of a data loader."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from bench.peers import AUTOCAST, CHANNELS_FIRST, CHANNELS_LAST
from bench.workloads import (
    Adam,
    BatchNorm,
    Conv,
    Dropout,
    GlobalMean,
    MaxPool,
    Recurrent,
    Residual,
    trace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import SGD, Layer, Shape, Weighted, Workload

    Given = Iterator[tuple[torch.Tensor, ...]]

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": partial(nn.ReLU, inplace=True)}
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
        layout, _, implementation = option.removeprefix(AUTOCAST).rpartition(", ")
        coarse = partial(torch.autocast, "cpu", torch.bfloat16)
        self.precision = coarse if option.startswith(AUTOCAST) else nullcontext
        self.x, self.y, self.batch = images(x, layout), torch.from_numpy(y), workload.batch
        self.model = network(workload, weights, layout)
        self.optimizer = optimizer(workload.optimizer, self.model, implementation)
        functional = nn.functional
        self.criterion = functional.mse_loss if workload.squared else functional.cross_entropy
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
        with self.precision():
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
    given = (tuple(map(torch.from_numpy, params)) for params in weights)
    model = nn.Sequential(*stack(workload.layers, workload.inputs, given))
    return model.to(memory_format=FORMATS[layout]) if layout else model


class Skip(nn.Module):
    """Layers with a skip connection, and ReLU of the sum."""

    def __init__(self, layers: list[nn.Module], shortcut: list[nn.Module]) -> None:
        super().__init__()
        self.inner, self.shortcut = nn.Sequential(*layers), nn.Sequential(*shortcut)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ReLU of the sum."""
        return nn.functional.relu(self.inner(x) + self.shortcut(x), inplace=True)


class LastState(nn.Module):
    """A recurrent layer and its state after the last step; gates are in the order of gyaku."""

    def __init__(self, layer: Recurrent, features: int, *params: torch.Tensor) -> None:
        super().__init__()
        kinds = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
        self.inner = kinds[layer.kind](features, layer.units, batch_first=True)
        weight, recurrent, bias, *_ = params
        with torch.no_grad():
            self.inner.weight_ih_l0.copy_(weight.t())
            self.inner.weight_hh_l0.copy_(recurrent.t())
            self.inner.bias_ih_l0.copy_(bias)
            self.inner.bias_hh_l0.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last state."""
        states: torch.Tensor = self.inner(x)[0]
        return states[:, -1]


def stack(layers: tuple[Layer, ...], shape: Shape, given: Given) -> Iterator[nn.Module]:
    """Yield the layers of PyTorch."""
    for before, layer, _ in trace(layers, shape):
        if isinstance(layer, Residual):
            inner = list(stack(layer.layers, before, given))
            yield Skip(inner, list(stack(layer.shortcut, before, given)))
        elif isinstance(layer, Dropout):
            yield nn.Dropout(layer.rate)
        elif isinstance(layer, Recurrent):
            yield LastState(layer, before[1], *next(given))
        elif isinstance(layer, GlobalMean):
            yield nn.AdaptiveAvgPool2d(1)
            yield nn.Flatten()
        else:
            if isinstance(layer, MaxPool):
                yield nn.MaxPool2d(layer.window)
            elif isinstance(layer, BatchNorm):
                next(given)  # those of PyTorch
                yield nn.BatchNorm2d(before[-1], eps=layer.epsilon, momentum=layer.momentum)
            else:
                yield from weighted(before, layer, *next(given))
            if layer.activation != "identity":
                yield ACTIVATIONS[layer.activation]()


def weighted(
    before: Shape, layer: Weighted, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> Iterator[nn.Module]:
    """Yield a layer with its weights; PyTorch has channels before rows and columns."""
    made: nn.Linear | nn.Conv2d
    if isinstance(layer, Conv):
        made = nn.Conv2d(
            before[2],
            layer.filters,
            layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
            groups=before[2] if layer.depthwise else 1,
            bias=layer.bias,
        )
        weight = weight.permute(3, 2, 0, 1)
    else:
        made = nn.Linear(len(weight), layer.units)
        if len(before) > 1:
            yield nn.Flatten()
            weight = weight.reshape(*before, -1).permute(2, 0, 1, 3).flatten(0, 2)
        weight = weight.t()
    with torch.no_grad():
        made.weight.copy_(weight)
        if bias is not None and made.bias is not None:
            made.bias.copy_(bias)
    yield made


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Torch:
    """Return the network; `option` chooses layout and the optimizer's implementation."""
    return Torch(workload, x, y, weights, option)
