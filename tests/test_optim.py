"""Optimizers: their equations, their state, and optimizers of one's own."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku.optim import OPTIMIZERS, Optimizer
from gyaku.schedules import InverseTime, OneCycle, schedule

STEPS = 30


def valley(dtype: Any = np.float64) -> SimpleNamespace:
    """Return a point on the slope of x²/20 + y²."""
    return SimpleNamespace(flat_params=np.array([-7.0, 2.0], dtype), flat_grads=np.empty(2, dtype))


def descend(optimizer: Optimizer, steps: int = STEPS, dtype: Any = np.float64) -> NDArray[Any]:
    point = valley(dtype)
    for _ in range(steps):
        point.flat_grads[:] = point.flat_params / [10, 0.5]
        optimizer.step(point)
    return np.asarray(point.flat_params)


def sgd(w, g, state, t, *, rate=0.9, decay=0.0):
    return w - rate * (g + decay * w)


def momentum(w, g, state, t, *, rate=0.1, alpha=0.9, decay=0.0):
    state["v"] = alpha * state.get("v", 0) - rate * (g + decay * w)
    return w + state["v"]


def nesterov(w, g, state, t, *, rate=0.1, alpha=0.9):
    state["v"] = alpha * state.get("v", 0) - rate * g
    return w + alpha * state["v"] - rate * g


def adam(w, g, state, t, *, rate=0.3, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
    g = g + decay * w
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
    m, v = state["m"] / (1 - beta1**t), state["v"] / (1 - beta2**t)
    return w - rate * m / (np.sqrt(v) + epsilon)


CASES: dict[str, tuple[Callable[[], Optimizer], Callable[..., Any], dict[str, float]]] = {
    "sgd": (lambda: gk.SGD(0.9), sgd, {}),
    "sgd, decay": (lambda: gk.SGD(0.9, weight_decay=0.1), sgd, {"decay": 0.1}),
    "momentum": (lambda: gk.Momentum(0.1), momentum, {}),
    "momentum, decay": (
        lambda: gk.Momentum(0.1, 0.8, weight_decay=0.1),
        momentum,
        {"alpha": 0.8, "decay": 0.1},
    ),
    "nesterov": (lambda: gk.Nesterov(0.1), nesterov, {}),
    "adam": (lambda: gk.Adam(0.3), adam, {}),
    "adam, all": (
        lambda: gk.Adam(0.3, beta1=0.7, beta2=0.9, epsilon=1e-3, weight_decay=0.1),
        adam,
        {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3, "decay": 0.1},
    ),
}


def test_every_optimizer_has_an_equation() -> None:
    assert {name.split(",")[0] for name in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_an_optimizer_is_its_equation(name: str, dtype: Any, backend: str) -> None:
    gk.use_backend(backend)
    make, equation, options = CASES[name]
    w, state = np.array([-7.0, 2.0]), {}
    for t in range(1, STEPS + 1):
        w = equation(w, w / [10, 0.5], state, t, **options)
    # Each step adds a few roundings of numbers up to 7, and a descent does not make them grow.
    tolerance = STEPS * 10 * 7 * np.finfo(dtype).eps
    np.testing.assert_allclose(descend(make(), dtype=dtype), w, atol=tolerance, rtol=0)


@pytest.mark.parametrize("optimizer", [gk.SGD, gk.Momentum, gk.Nesterov])
def test_a_schedule_is_followed(optimizer: type[Optimizer]) -> None:
    point, rates = valley(), []
    learner = optimizer(InverseTime(0.1, 4))
    for _ in range(STEPS):
        point.flat_grads[:] = point.flat_params / [10, 0.5]
        learner.step(point)
        rates.append(learner.rate)
    np.testing.assert_array_equal(rates, InverseTime(0.1, 4)(np.arange(STEPS)))


def test_a_schedule_goes_on_beyond_what_was_computed_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gk.optim, "RATES", 4)
    point, rates = valley(), []
    point.flat_grads[:] = 0
    learner = gk.SGD(InverseTime(0.1, 10))
    for _ in range(STEPS):
        learner.step(point)
        rates.append(learner.rate)
    np.testing.assert_array_equal(rates, InverseTime(0.1, 10)(np.arange(STEPS)))


@pytest.mark.parametrize("first", [0.1, InverseTime(0.1, 3)], ids=["number", "schedule"])
@pytest.mark.parametrize("second", [0.02, InverseTime(0.5, 3)], ids=["number", "schedule"])
def test_the_learning_rate_can_be_changed(first: Any, second: Any) -> None:
    point = valley()
    point.flat_grads[:] = 0
    learner = gk.SGD(first)
    learner.step(point)
    learner.learning_rate = second
    rates = []
    for _ in range(4):
        learner.step(point)
        rates.append(learner.rate)
    np.testing.assert_array_equal(rates, schedule(second)(np.arange(1, 5)))


@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf])
def test_a_schedule_that_gives_no_rate_is_refused_when_it_does(rate: float) -> None:
    optimizer = gk.SGD(lambda step: np.where(step < 2, 0.1, rate))
    model = SimpleNamespace(flat_params=np.ones(3), flat_grads=np.ones(3))
    optimizer.step(model)
    optimizer.step(model)
    with pytest.raises(ValueError, match=f"SGD: the schedule .* learning rate {rate:g} in step 2"):
        optimizer.step(model)
    with pytest.raises(TypeError, match="Adam: learning_rate is the class OneCycle, write OneCyc"):
        gk.Adam(OneCycle)


def test_the_state_belongs_to_a_model() -> None:
    learner = gk.Momentum(0.1)
    first = descend(learner)
    assert learner.clock[0] == STEPS
    np.testing.assert_array_equal(first, descend(learner))


def test_an_optimizer_goes_on_where_it_was() -> None:
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)

    def weights(*epochs: int) -> NDArray[Any]:
        model = gk.Sequential(gk.Dense(1))
        adam = gk.Adam(0.1)
        for count in epochs:
            model.fit(
                *(x, x[:, :1]),
                loss="sum_squared_error",
                optimizer=adam,
                epochs=count,
                shuffle=False,
                verbose=0,
            )
        return model.flat_params

    np.testing.assert_array_equal(weights(5), weights(2, 3))


def test_an_optimizer_of_ones_own_trains() -> None:
    class SignDescent(gk.Optimizer):
        def update(self, params, grads):
            params -= self.rate * np.sign(grads)

    np.testing.assert_allclose(descend(SignDescent(0.5)), [0, 0], atol=0.5)


def test_an_optimizer_without_update_says_so() -> None:
    class Empty(gk.Optimizer):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty needs an update\(self, params, grads\)"):
        Empty(0.1).step(valley())


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: gk.SGD(0), ValueError, "SGD: learning_rate must be positive, got 0"),
        (lambda: gk.SGD(float("inf")), ValueError, "SGD: learning_rate must be positive, got inf"),
        (lambda: gk.SGD("fast"), TypeError, "SGD: learning_rate must be a number, got 'fast'"),
        (lambda: gk.SGD(weight_decay=-1), ValueError, "weight_decay must be at least 0, got -1"),
        (lambda: gk.Momentum(momentum=1), ValueError, "Momentum: momentum must be at least 0 and"),
        (lambda: gk.Nesterov(momentum=1), ValueError, "Nesterov: momentum must be at least 0 and"),
        (lambda: gk.Adam(beta1=1.0), ValueError, "Adam: beta1 must be at least 0 and below 1, got"),
        (lambda: gk.Adam(epsilon=0), ValueError, "Adam: epsilon must be positive, got 0"),
        (lambda: gk.optim.optimizer("adan"), ValueError, "'adan', did you mean 'adam'"),
        (lambda: gk.optim.optimizer(0.1), TypeError, "must be a name or an Optimizer, got 0.1"),
    ],
)
def test_a_senseless_argument_is_refused(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
