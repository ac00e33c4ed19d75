"""Steps of one sample: the gradient is an outer product, which its update forms itself."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk

OPTIMIZERS = {
    "sgd": gk.SGD(0.1),
    "decayed": gk.SGD(0.1, weight_decay=0.01),
    "momentum": gk.Momentum(0.01),
    "adam": gk.Adam(),
    "adagrad": gk.AdaGrad(),
}


def trained(optimizer: gk.Optimizer, dtype: str) -> tuple[NDArray[np.float64], ...]:
    """Return the parameters and gradients of a network after steps of one sample."""
    rng = np.random.default_rng(0)
    x = rng.random((30, 70)) * (rng.random((30, 70)) < 0.3)
    t = rng.integers(0, 3, 30)
    model = gk.Sequential(gk.Dense(96, activation="tanh"), gk.Dense(64), gk.Dense(3), dtype=dtype)
    model.build((70,), seed=0)
    loss = "softmax_cross_entropy"
    model.fit(x, t, loss=loss, optimizer=optimizer, batch_size=1, epochs=2, verbose=0, seed=0)
    return model.flat_params.copy(), model.flat_grads.copy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_trains_as_the_tasks_one_by_one(
    name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = trained(OPTIMIZERS[name], dtype)
    monkeypatch.setenv("GYAKU_OPTIMIZE", "0")
    recorded = trained(OPTIMIZERS[name], dtype)
    for mine, theirs in zip(merged, recorded, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_update_is_one_task_with_the_gradient() -> None:
    model = gk.Sequential(gk.Dense(96), gk.Dense(3))
    x, t = np.zeros((8, 200), np.float32), np.zeros(8, np.int64)
    loss = "softmax_cross_entropy"
    tasks = str(model.profile(x, t, loss=loss, optimizer=gk.SGD(0.1), batch_size=1, steps=2))
    assert "matmul + sum_rows + sgd" in tasks
