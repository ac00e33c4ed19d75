"""The tables of the textbook's networks and of optimizers, and the twin in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from bench import dlfs, optimizers
from bench.dlfs_worker import CASES, steps


@pytest.mark.parametrize("name", CASES)
def test_the_twin_takes_the_same_steps(name: str) -> None:
    case = CASES[name]
    random = np.random.default_rng(0)
    shape = (784,) if case.network == "TwoLayerNet" else (1, 28, 28)
    x, t = random.random((120, *shape), np.float32), random.integers(0, 10, 120)
    losses = {}
    for peer in ("gyaku", "numpy"):
        run = steps(case, peer, x, t)
        np.random.seed(1)
        losses[peer] = run(2)
    np.testing.assert_allclose(losses["gyaku"], losses["numpy"], rtol=0, atol=dlfs.TOLERANCE)


@pytest.mark.parametrize(("twin", "difference", "word"), [(400, 1e-7, "met"), (400, 1, "missed")])
def test_a_network_must_be_fast_and_right(twin: float, difference: float, word: str) -> None:
    us = {"gyaku": [100.0], "numpy": [twin]}
    text = dlfs.show({"TwoLayerNet, float32, Trainer": {"us": us, "difference": difference}})
    assert f"| {word} |" in " ".join(text.split())
    assert "4.00×" in text


def test_an_update_is_compared_with_the_better_form() -> None:
    speeds = {"Adam": {"gyaku": [40.0], "memory": [44.0], "torch fused": [20.0]}}
    text = optimizers.show(speeds)
    assert "2.00×" in text
    assert "| – |" in " ".join(text.split())
