"""The order of replay, held against a plain comparison of all pairs of tasks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from recorded import Array, numbers

import gyaku as gk
from gyaku import _core, ops

ROWS, COLUMNS, TASKS = 6000, 16, 40


@pytest.fixture(autouse=True)
def as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the tasks as the operations made them."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "0")


class Steps:
    """Random operations on overlapping rows of a few matrices, the same ones at each call."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.first = [numbers(ROWS, COLUMNS, seed=i) for i in range(3)]
        self.matrices = [matrix.copy() for matrix in self.first]
        self.sums = np.zeros((4, COLUMNS), np.float32)

    def restart(self) -> None:
        for matrix, first in zip(self.matrices, self.first, strict=True):
            matrix[...] = first
        self.sums[...] = 0

    def rows(self, random: np.random.Generator, matrix: Array, count: int) -> Array:
        begin = int(random.integers(0, ROWS - count + 1))
        return matrix[begin : begin + count]

    def run(self) -> None:
        random = np.random.default_rng(self.seed)
        for _ in range(TASKS):
            source, target = random.permutation(3)[:2]
            count = int(random.choice([64, 1500, ROWS]))
            x = self.rows(random, self.matrices[source], count)
            if random.random() < 0.3:
                ops.sum_rows(x, out=self.sums[int(random.integers(0, 4))])
            else:
                y = self.rows(random, self.matrices[target], count)
                _core.activation(str(random.choice(["tanh", "relu"])), x, out=y)

    def results(self) -> bytes:
        return b"".join(array.tobytes() for array in [*self.matrices, self.sums])


def recorded(steps: Steps) -> Any:
    program = _core.Program()
    program.begin()
    steps.run()
    program.end([*steps.matrices, steps.sums])
    return program


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[0] + other[1] and other[0] < one[0] + one[1]


def conflict(one: dict[str, Any], other: dict[str, Any]) -> bool:
    pairs = [(one["writes"], other["writes"] + other["reads"]), (one["reads"], other["writes"])]
    return any(overlap(a, b) for mine, theirs in pairs for a in mine for b in theirs)


@pytest.mark.parametrize("seed", range(12))
def test_a_task_comes_as_early_as_what_it_depends_on_allows(seed: int) -> None:
    tasks = recorded(Steps(seed)).tasks()
    assert [task["level"] for task in tasks] == sorted(task["level"] for task in tasks)
    for place, task in enumerate(tasks):
        before = [each for each in tasks[:place] if conflict(each, task)]
        # A wait is for something that a member cannot have done alone.
        least = max((each["level"] for each in before), default=0)
        assert least <= task["level"] <= least + bool(before)
        assert all(
            each["level"] < task["level"] for each in before if each["shared"] != task["shared"]
        )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_replay_gives_the_same_bits(seed: int, threads: int) -> None:
    steps, before = Steps(seed), gk.num_threads()
    gk.set_num_threads(threads, exact=True)
    try:
        program = recorded(steps)
        steps.restart()
        steps.run()
        expected = steps.results()
        steps.restart()
        _core.replay([(program, 1)])
    finally:
        gk.set_num_threads(before)
    assert steps.results() == expected


def test_a_long_step_is_captured_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")
    weights, times = numbers(16, 16), 400
    inputs = [numbers(64, 16, seed=i) for i in range(times)]
    gradients = [np.zeros((16, 16), np.float32) for _ in range(times)]
    program = _core.Program()
    program.begin()
    states = [inputs[0]]
    for x in inputs:
        sums = ops.add(ops.matmul(x, weights), ops.matmul(states[-1], weights))
        states.append(ops.tanh(sums))
    gradient = states[-1]
    for state, into in zip(states[:0:-1], gradients, strict=True):
        dz = ops.tanh_backward(gradient, state)
        ops.matmul(state, dz, transpose_a=True, out=into)
        gradient = ops.matmul(dz, weights, transpose_b=True)
    start = time.thread_time()
    program.end(gradients)
    assert time.thread_time() - start < 1
    assert len(program.tasks()) >= 2000
