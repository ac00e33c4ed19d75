"""A first layer whose weights nobody else reads is multiplied by k-blocks, with the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk

SIZES = [  # samples, inputs, units
    (100, 784, 100),
    (7, 784, 700),
    (128, 784, 512),
    (100, 600, 131),
    (64, 1031, 96),
    (200, 2040, 33),
]
SMALL = (100, 784, 49)  # no instruction set copies these weights


@pytest.fixture(autouse=True)
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


def trained(
    size: tuple[int, int, int],
    *,
    threads: int = 2,
    dtype: Any = np.float32,
    zeros: bool = False,
    activation: str | None = "tanh",
    optimizer: str = "adam",
    **options: Any,
) -> tuple[bytes, int]:
    """Train for some steps; return the bits of all parameters and how many products were split."""
    samples, inputs, units = size
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3 * samples, inputs)).astype(dtype)
    if zeros:
        x[:, np.arange(inputs) % 28 > 8] = 0
    model = gk.Sequential(gk.Dense(units, activation), gk.Dense(10))
    model.build((inputs,), seed=3, dtype=dtype)
    gk.set_num_threads(threads, exact=True)
    model.fit(
        x,
        rng.integers(0, 10, len(x)),
        loss="softmax_cross_entropy",
        optimizer=optimizer,
        batch_size=samples,
        epochs=2,
        seed=0,
        verbose=0,
        **options,
    )
    return model.flat_params.tobytes(), str(model.program()).count("sum of k-blocks")


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_no_bit_changes(
    size: tuple[int, int, int], zeros: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits, _ = trained(size, zeros=zeros)
    assert trained(size, zeros=zeros, threads=1) == (bits, 0)
    assert trained(size, zeros=zeros, threads=3)[0] == bits
    monkeypatch.setenv("GYAKU_OPTIMIZE", "0")
    assert trained(size, zeros=zeros) == (bits, 0)


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "softplus"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adamw"])
def test_any_activation_and_optimizer(activation: str | None, optimizer: str) -> None:
    options = {"activation": activation, "optimizer": optimizer}
    bits, splits = trained(SMALL, **options)
    assert splits == 1
    assert trained(SMALL, threads=1, **options) == (bits, 0)


def test_in_float64() -> None:
    size = (180, 1000, 23)
    bits, splits = trained(size, dtype=np.float64)
    assert trained(size, dtype=np.float64, threads=1) == (bits, 0)
    assert splits == 1


@pytest.mark.parametrize("members", [1, 2, 3, 4, 8])
def test_the_members_of_the_team_get_whole_blocks_or_as_many_get_one(members: int) -> None:
    bits, splits = trained(SMALL, threads=members)
    assert splits == (members in (2, 4, 8))
    assert trained(SMALL, threads=1) == (bits, 0)


def test_weights_that_others_read_are_not_split() -> None:
    # The gradient with respect to the inputs of the third layer reads its weights.
    model = gk.Sequential(gk.Dense(49), gk.Dense(784), gk.Dense(49), gk.Dense(10))
    model.build((784,), seed=3)
    gk.set_num_threads(2, exact=True)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 784)).astype(np.float32)
    model.fit(
        x,
        rng.integers(0, 10, 200),
        loss="softmax_cross_entropy",
        optimizer="adam",
        batch_size=100,
        verbose=0,
    )
    assert str(model.program()).count("sum of k-blocks") == 1


def test_a_large_batch_is_not_split() -> None:
    _, splits = trained((400, 784, 49))
    assert splits == 0
