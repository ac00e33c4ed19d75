"""A whole training in a cold process: `python -m bench.cold RECIPE PEER`, prints a line of JSON.

The process imports its framework, reads MNIST, trains and measures: `accuracy` on the test
images, `loss` (the last epoch's mean), `epochs`, and `training`, the seconds of the training
alone. The seconds of the whole process are measured from outside, by `bench.accuracy`.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """A network with one hidden layer on MNIST, and how it is trained.

    `rate` is the maximum of one cycle of Adam's learning rate, or that of plain SGD if it is not a
    `cycle`; with `until` the training ends after the first epoch whose mean loss is not above it.
    """

    name: str
    hidden: int
    activation: str
    batch: int
    epochs: int
    rate: float
    cycle: bool
    until: float = 0.0


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("one_cycle", 512, "relu", batch=128, epochs=3, rate=0.005, cycle=True),
        Recipe(
            "lecture", 100, "sigmoid", batch=100, epochs=15, rate=1.0, cycle=False, until=0.1138
        ),
    )
}


def with_gyaku(recipe: Recipe, data: Path, seed: int) -> dict[str, Any]:
    """Train with gyaku, as its users write it; the data come from its own cache."""
    import gyaku as gk

    del data
    (x, y), test = gk.data.mnist()
    model = gk.Sequential(gk.Flatten(), gk.Dense(recipe.hidden, recipe.activation), gk.Dense(10))
    start = perf_counter()
    history = model.fit(
        x,
        y,
        loss="softmax_cross_entropy",
        optimizer=gk.Adam(gk.OneCycle(recipe.rate)) if recipe.cycle else gk.SGD(recipe.rate),
        epochs=recipe.epochs,
        batch_size=recipe.batch,
        seed=seed,
        callbacks=[lambda _, logs: logs["loss"] <= recipe.until] if recipe.until else [],
        verbose=0,
    )
    training = perf_counter() - start
    accuracy = model.evaluate(*test, metrics=["accuracy"])["accuracy"]
    return {
        "accuracy": accuracy,
        "loss": history["loss"][-1],
        "epochs": history.epochs,
        "training": training,
    }


def cycle(recipe: Recipe, steps: int) -> list[float]:
    """Return the learning rates of one cycle: up and down along half cosines, as gyaku's does."""
    top = 0.3 * (steps - 1)

    def between(start: float, end: float, share: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    return [
        between(recipe.rate / 25, recipe.rate, step / top)
        if step < top
        else between(recipe.rate, recipe.rate / 1e4, (step - top) / (steps - 1 - top))
        for step in range(steps)
    ]


def with_torch(recipe: Recipe, data: Path, seed: int) -> dict[str, Any]:
    """Train with PyTorch: the data as one tensor, fused Adam, learning rates computed ahead."""
    import torch
    from torch import nn

    from bench.data import mnist_part

    torch.manual_seed(seed)

    def images(name: str) -> torch.Tensor:
        return torch.from_numpy(mnist_part(name, data)).float().div_(255)

    x, y = images("x_train"), torch.from_numpy(mnist_part("y_train", data))
    relu = recipe.activation == "relu"
    model = nn.Sequential(
        nn.Linear(784, recipe.hidden),
        nn.ReLU() if relu else nn.Sigmoid(),
        nn.Linear(recipe.hidden, 10),
    )
    for dense, rectified in ((model[0], relu), (model[2], False)):
        start_weight = nn.init.kaiming_normal_ if rectified else nn.init.xavier_uniform_
        start_weight(dense.weight)
        nn.init.zeros_(dense.bias)
    optimizer = (
        torch.optim.Adam(model.parameters(), lr=recipe.rate, fused=True)
        if recipe.cycle
        else torch.optim.SGD(model.parameters(), lr=recipe.rate, fused=True)
    )
    batches = -(-len(x) // recipe.batch)
    rates = iter(cycle(recipe, recipe.epochs * batches)) if recipe.cycle else None
    group = optimizer.param_groups[0]
    loss, epoch = math.inf, 0
    start = perf_counter()
    while epoch < recipe.epochs and loss > recipe.until:
        total = torch.zeros(())
        for rows in torch.randperm(len(x)).split(recipe.batch):
            if rates:
                group["lr"] = next(rates)
            value = nn.functional.cross_entropy(
                model(x.index_select(0, rows)), y.index_select(0, rows)
            )
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += len(rows) * value.detach()
        loss, epoch = total.item() / len(x), epoch + 1
    training = perf_counter() - start
    with torch.inference_mode():
        scores = model(images("x_test"))
    right = scores.argmax(1) == torch.from_numpy(mnist_part("y_test", data))
    return {
        "accuracy": right.float().mean().item(),
        "loss": loss,
        "epochs": epoch,
        "training": training,
    }


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold")
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("peer", choices=("gyaku", "torch"))
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npy files")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    train = {"gyaku": with_gyaku, "torch": with_torch}[asked.peer]
    print(json.dumps(train(RECIPES[asked.recipe], asked.data, asked.seed)))


if __name__ == "__main__":
    main()
