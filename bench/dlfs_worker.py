"""The textbook's networks, by gyaku or in plain NumPy: `python -m bench.dlfs_worker PEER DATA`.

A request (see `bench.serving`) is the name of a `Case`, the answer its microseconds a step and
the losses of the first steps, from the same weights and batches.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.peers import OWN
from bench.serving import serve

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 100
SAMPLES = 12_000
COMPARED = 20
"""Number of steps whose losses are compared."""
SECONDS, CALLS = 0.5, 3
"""Time of a timed call, and their number."""
LOOPS = ("own loop", "Trainer")


@dataclass(frozen=True)
class Case:
    """A network, the dtype of its parameters, and who updates them.

    "own loop" is that of the book's fifth chapter: ``params[key] -= lr * grad[key]``, then the
    loss of the batch.
    """

    network: str
    dtype: str
    loop: str

    def __str__(self) -> str:
        return f"{self.network}, {self.dtype}, {self.loop}"


CASES = {
    str(case): case
    for case in (
        Case(network, dtype, loop)
        for network in ("TwoLayerNet", "SimpleConvNet")
        for dtype in ("float64", "float32")
        for loop in LOOPS
    )
}


def parts(case: Case, peer: str, x: Any, t: Any) -> tuple[Any, Any]:
    """Return the network and its trainer: SGD for TwoLayerNet, Adam for SimpleConvNet."""
    import numpy as np

    from gyaku import dlfs

    np.random.seed(0)
    if case.network == "TwoLayerNet":
        network: Any = dlfs.TwoLayerNet(784, 50, 10, dtype=case.dtype)
    else:
        network = dlfs.SimpleConvNet(dtype=case.dtype)
    rule, rate = ("SGD", 0.1) if case.network == "TwoLayerNet" else ("Adam", 0.001)
    if peer == OWN:
        how: dict[str, Any] = {"optimizer": rule, "optimizer_param": {"lr": rate}}
        return network, dlfs.Trainer(network, x, t, x, t, verbose=False, **how)
    from bench import textbook

    network = textbook.Network(network.params)
    return network, textbook.Trainer(network, x, t, getattr(textbook, rule)(rate))


def steps(case: Case, peer: str, x: Any, t: Any) -> Callable[[int], list[float]]:
    """Return a function that takes a number of steps and returns their losses."""
    import numpy as np

    network, trainer = parts(case, peer, x, t)
    trainer.iter_per_epoch = 1 << 62  # accuracies are not measured

    def own_loop(count: int) -> list[float]:
        losses = []
        for _ in range(count):
            chosen = np.random.choice(len(x), BATCH)
            batch, labels = x[chosen], t[chosen]
            grad = network.gradient(batch, labels)
            for key in network.params:
                network.params[key] -= 0.1 * grad[key]
            losses.append(network.loss(batch, labels))
        return losses

    def by_trainer(count: int) -> list[float]:
        for _ in range(count):
            trainer.train_step()
        losses: list[float] = trainer.train_loss_list[-count:]
        return losses

    return own_loop if case.loop == LOOPS[0] else by_trainer


def measure(peer: str, data: Path, name: str) -> dict[str, Any]:
    """Return microseconds a step, and the losses of the first ones."""
    import numpy as np

    from bench.data import floats, mnist_part

    case = CASES[name]
    x, t = floats(mnist_part("x_train", data, SAMPLES)), mnist_part("y_train", data, SAMPLES)
    if case.network == "SimpleConvNet":
        x = x.reshape(-1, 1, 28, 28)
    run = steps(case, peer, x, t)
    np.random.seed(1)
    losses = run(COMPARED)

    def timed(count: int) -> float:
        start = perf_counter()
        run(count)
        return perf_counter() - start

    count = max(1, round(SECONDS * COMPARED / timed(COMPARED)))
    return {"us": 1e6 * median(timed(count) for _ in range(CALLS)) / count, "losses": losses}


def main(peer: str, data: str) -> None:
    """Answer requests."""
    serve(lambda arguments: measure(peer, Path(data), *arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
