"""An update that is cut by the parameters changes the same numbers by the same amounts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optimizer_facts import UPDATES
from recorded import Array, names, numbers

import gyaku as gk
from gyaku import _core, ops

BATCH, INPUTS, OUTPUTS = 70, 131, 67
GAP = 16  # numbers before, between and after the two matrices
WEIGHTS = INPUTS * OUTPUTS
SIZE = GAP + WEIGHTS + GAP + WEIGHTS + GAP


@pytest.fixture(autouse=True)
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


class Network:
    """Two matrices in one flat buffer, the second one used after its gradient is known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.params, self.grads = numbers(SIZE), numbers(SIZE, seed=1)
        self.state = [np.zeros(SIZE, np.float32) for _ in UPDATES[name].states]
        self.clock, self.rates = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.1])
        self.x, self.dy = numbers(BATCH, INPUTS, seed=2), numbers(BATCH, OUTPUTS, seed=3)

    def matrix(self, flat: Array, number: int) -> Any:
        begin = GAP + number * (WEIGHTS + GAP)
        return flat[begin : begin + WEIGHTS].reshape(INPUTS, OUTPUTS)

    def step(self) -> Array:
        for number in (0, 1):
            ops.matmul(self.x, self.dy, transpose_a=True, out=self.matrix(self.grads, number))
        dx = ops.matmul(self.dy, self.matrix(self.params, 1), transpose_b=True)
        ops.optimizer_tick(self.clock, self.rates, beta1=0.9, beta2=0.999)
        options = UPDATES[self.name].options[-1]
        update = getattr(ops, self.name)
        update(self.params, self.grads, *self.state, self.clock, weight_decay=0.01, **options)
        return dx


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", UPDATES)
def test_a_cut_update_gives_the_same_bits(name: str, threads: int) -> None:
    eager, replayed = Network(name), Network(name)
    before = gk.num_threads()
    gk.set_num_threads(threads, exact=True)
    try:
        for _ in range(3):
            expected = eager.step()
        program = _core.Program()
        program.begin()
        found = replayed.step()
        program.end([found])
        _core.replay([(program, 2)])
    finally:
        gk.set_num_threads(before)
    # Two matrices, and the numbers before, between and behind them.
    assert names(program).count(name) == 5
    assert found.tobytes() == expected.tobytes()
    for ours, theirs in [
        (replayed.params, eager.params),
        (replayed.grads, eager.grads),
        *zip(replayed.state, eager.state, strict=True),
    ]:
        assert ours.tobytes() == theirs.tobytes()


def test_an_update_follows_the_last_of_two_products_that_write_its_gradient() -> None:
    eager, replayed = Network("sgd"), Network("sgd")

    def step(network: Network) -> None:
        for x in (network.x, 2 * network.x):
            gradient = network.matrix(network.grads, 0)
            ops.matmul(x, network.dy, transpose_a=True, out=gradient)
        ops.optimizer_tick(network.clock, network.rates)
        ops.sgd(network.params, network.grads, network.clock, weight_decay=0.01)

    step(eager)
    program = _core.Program()
    program.begin()
    step(replayed)
    program.end(())
    assert names(program).count("sgd") == 3
    assert replayed.params.tobytes() == eager.params.tobytes()
    step(eager)
    _core.replay([(program, 1)])
    assert replayed.params.tobytes() == eager.params.tobytes()
