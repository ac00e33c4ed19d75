"""The tables of the textbook's networks, of optimizers and of L-BFGS, and their programs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import dlfs, lbfgs, lbfgs_worker, optimizers
from bench.data import initial_weights
from bench.dlfs_worker import CASES, steps
from bench.rows import ROWS


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


def test_lbfgs_minimises_the_function_of_scipy_and_of_scikit_learn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr(lbfgs_worker, "ITERATIONS", 5)
    row = replace(ROWS[lbfgs_worker.ROW], inputs=(8,))
    random = np.random.default_rng(0)
    x, y = random.integers(0, 256, (200, 8)).astype(np.uint8), np.arange(200) % 10
    weights = initial_weights(row)
    scipy = lbfgs_worker.by_scipy(row, x, y, weights, "", 0)
    floats = x.astype(np.float32) / 255
    sklearn = lbfgs_worker.by_sklearn(row, floats, y, weights, "float64", 0)
    assert scipy["iterations"] == sklearn["iterations"] == 5
    assert scipy["loss"] == pytest.approx(sklearn["loss"], rel=1e-4)
    own = lbfgs_worker.by_gyaku(row, x, y, weights, "", scipy["loss"])
    assert own["loss"] <= scipy["loss"]
    assert own["iterations"] < lbfgs_worker.MOST


@pytest.mark.parametrize(("loss", "word"), [(0.1, "met"), (0.3, "missed")])
def test_lbfgs_must_reach_the_loss(loss: float, word: str) -> None:
    seconds = {"gyaku": 1.0, "scipy": 1.5, "sklearn float32": 4.0, "sklearn float64": 3.0}
    answers = {
        peer: [{"seconds": each, "loss": loss if peer == "gyaku" else 0.2, "iterations": 30}]
        for peer, each in seconds.items()
    }
    text = lbfgs.show({"loss": 0.2, "answers": answers, "failures": {}})
    assert f"| {word} |" in " ".join(text.split())
    assert "3.00×" in text
