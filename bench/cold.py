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

from bench.peers import LAYOUTS
from bench.rows import IMAGE
from bench.workloads import CROSS_ENTROPY, SGD, Adam, Conv, Dense, MaxPool, Workload


@dataclass(frozen=True)
class Recipe:
    """A network on MNIST, its training, and gyaku's target.

    The workload's learning rate is the maximum of one cycle that rises in a fraction `warmup` of
    the steps, or constant without one; its epochs are the largest number. With `until` the training
    ends after the first epoch whose mean loss is not above it. `accuracy` is that of the test
    images, of the worst seed, or with `seeds` the mean of at least that number. gyaku's whole
    process has to be `ahead` times faster than PyTorch's best, or take less than `seconds`.
    """

    workload: Workload
    warmup: float | None = None
    until: float = 0.0
    accuracy: float = 0.0
    seeds: int = 0
    ahead: float = 0.0
    seconds: float = math.inf

    @property
    def name(self) -> str:
        """The name of its network."""
        return self.workload.name


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            Workload(
                "one_cycle",
                inputs=(784,),
                layers=(Dense(512, "relu"), Dense(10)),
                loss=CROSS_ENTROPY,
                optimizer=Adam(0.005),
                batch=128,
                data="mnist",
                epochs=3,
            ),
            warmup=0.3,
            accuracy=0.98,
            ahead=4,
        ),
        Recipe(
            Workload(
                "lecture",
                inputs=(784,),
                layers=(Dense(100, "sigmoid"), Dense(10)),
                loss=CROSS_ENTROPY,
                optimizer=SGD(1.0),
                batch=100,
                data="mnist",
                epochs=15,
            ),
            until=0.1138,
            seconds=3,
        ),
        Recipe(
            Workload(
                "fast",
                inputs=IMAGE,
                layers=(
                    Conv(24, 5),
                    MaxPool(activation="relu"),
                    Conv(32, 3),
                    MaxPool(activation="relu"),
                    Dense(256, "relu"),
                    Dense(10),
                ),
                loss=CROSS_ENTROPY,
                optimizer=Adam(0.01, beta1=0.7, beta2=0.9),
                batch=256,
                data="mnist",
                epochs=1,
            ),
            warmup=0.15,
            accuracy=0.99,
            seeds=10,
            ahead=1 / 0.45,
        ),
    )
}


def with_gyaku(recipe: Recipe, data: Path, layout: str, seed: int) -> dict[str, Any]:
    """Train with gyaku's public API; the data come from its own cache."""
    import gyaku as gk
    from bench.peers.with_gyaku import network, optimizer

    del data, layout
    workload = recipe.workload
    (x, y), (x_test, y_test) = gk.data.mnist()
    model, how = network(workload), workload.optimizer
    top, warmup = how.learning_rate, recipe.warmup
    start = perf_counter()
    history = model.fit(
        x.reshape(-1, *workload.inputs),
        y,
        loss=workload.loss,
        optimizer=optimizer(
            how, top if warmup is None else gk.schedules.OneCycle(top, warmup=warmup)
        ),
        epochs=workload.epochs,
        batch_size=workload.batch,
        seed=seed,
        callbacks=[lambda _, logs: logs["loss"] <= recipe.until] if recipe.until else [],
        verbose=0,
    )
    training = perf_counter() - start
    tested = model.evaluate(x_test.reshape(-1, *workload.inputs), y_test, metrics=["accuracy"])
    return {
        "accuracy": tested["accuracy"],
        "loss": history["loss"][-1],
        "epochs": history.epochs,
        "training": training,
    }


def cycle(rate: float, steps: int, warmup: float) -> list[float]:
    """Return the learning rates of one cycle along half cosines, as `OneCycle`."""
    top = warmup * (steps - 1)

    def between(start: float, end: float, share: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    return [
        between(rate / 25, rate, step / top)
        if step < top
        else between(rate, rate / 1e4, (step - top) / (steps - 1 - top))
        for step in range(steps)
    ]


def with_torch(recipe: Recipe, data: Path, layout: str, seed: int) -> dict[str, Any]:
    """Train with PyTorch: the data as one tensor, fused Adam, learning rates computed ahead."""
    import torch

    from bench.data import floats, initial_weights, mnist_part
    from bench.peers.with_torch import images, network, optimizer

    torch.manual_seed(seed)
    workload = recipe.workload

    def read(name: str) -> torch.Tensor:
        return images(floats(mnist_part(name, data)).reshape(-1, *workload.inputs), layout)

    x, y = read("x_train"), torch.from_numpy(mnist_part("y_train", data))
    model = network(workload, initial_weights(workload, seed), layout)
    learner = optimizer(workload.optimizer, model, "fused")
    steps = workload.epochs * -(-len(x) // workload.batch)
    rates = None
    if recipe.warmup is not None:
        rates = iter(cycle(workload.optimizer.learning_rate, steps, recipe.warmup))
    group = learner.param_groups[0]
    loss, epoch = math.inf, 0
    start = perf_counter()
    while epoch < workload.epochs and loss > recipe.until:
        total = torch.zeros(())
        for rows in torch.randperm(len(x)).split(workload.batch):
            if rates:
                group["lr"] = next(rates)
            value = torch.nn.functional.cross_entropy(
                model(x.index_select(0, rows)), y.index_select(0, rows)
            )
            learner.zero_grad()
            value.backward()
            learner.step()
            total += len(rows) * value.detach()
        loss, epoch = total.item() / len(x), epoch + 1
    training = perf_counter() - start
    with torch.inference_mode():
        scores = model(read("x_test"))
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
    parser.add_argument("--layout", choices=LAYOUTS, default="", help="of PyTorch's images")
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npy files")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    train = {"gyaku": with_gyaku, "torch": with_torch}[asked.peer]
    print(json.dumps(train(RECIPES[asked.recipe], asked.data, asked.layout, asked.seed)))


if __name__ == "__main__":
    main()
