"""Updates: the equations against the papers' algorithms, written out for one number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from op_case import Array

from gyaku import reference

EPS = float(np.finfo(np.float64).eps)
STEPS = 50
RATE = 0.01
RATES = np.array([0.0, RATE])
ROUNDINGS_A_STEP = 30


def slope(p: Any) -> Any:
    """Return the gradient of (p^4 / 4 - p) at p, a number or an array."""
    return p**3 - 1


def ticks(beta1: float = 1.0, beta2: float = 1.0) -> list[Array]:
    clock, seen = np.array([0.0, 0.0, 1.0, 1.0]), []
    for _ in range(STEPS):
        clock = reference.optimizer_tick(clock, RATES, beta1=beta1, beta2=beta2)
        seen.append(clock)
    return seen


def assert_close(p: Array, expected: float) -> None:
    assert abs(p[0] - expected) <= STEPS * ROUNDINGS_A_STEP * EPS * max(abs(expected), 1)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd_is_steepest_descent(decay: float) -> None:
    p, expected = np.array([2.0]), 2.0
    for clock in ticks():
        p = reference.sgd(p, slope(p), clock, weight_decay=decay)
        expected -= RATE * (slope(expected) + decay * expected)
    assert_close(p, expected)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_that_of_sutskever(nesterov: bool, decay: float) -> None:
    p, velocity = np.array([2.0]), np.zeros(1)
    expected, v = 2.0, 0.0
    for clock in ticks():
        p, velocity = reference.momentum(
            p, slope(p), velocity, clock, momentum=0.9, nesterov=nesterov, weight_decay=decay
        )
        gradient = slope(expected) + decay * expected
        v = 0.9 * v - RATE * gradient
        expected += 0.9 * v - RATE * gradient if nesterov else v
    assert_close(p, expected)
    assert_close(velocity, v)


def test_nesterov_looks_ahead() -> None:
    # In Nesterov's own variables the gradient is taken where the velocity leads to.
    p, velocity = np.array([2.0]), np.zeros(1)
    theta, v = 2.0, 0.0
    for clock in ticks():
        p, velocity = reference.momentum(p, slope(p), velocity, clock, nesterov=True)
        v = 0.9 * v - RATE * slope(theta + 0.9 * v)
        theta += v
    assert_close(p, theta + 0.9 * v)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_is_algorithm_1(decay: float) -> None:
    beta1, beta2, epsilon = 0.8, 0.95, 1e-3
    p, m, v = np.array([2.0]), np.zeros(1), np.zeros(1)
    theta, m_t, v_t = 2.0, 0.0, 0.0
    for t, clock in enumerate(ticks(beta1, beta2), start=1):
        p, m, v = reference.adam(
            p, slope(p), m, v, clock,
            beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=decay,
        )  # fmt: skip
        g = slope(theta) + decay * theta
        m_t = beta1 * m_t + (1 - beta1) * g
        v_t = beta2 * v_t + (1 - beta2) * g * g
        m_hat, v_hat = m_t / (1 - beta1**t), v_t / (1 - beta2**t)
        theta -= RATE * m_hat / (math.sqrt(v_hat) + epsilon)
    assert_close(p, theta)


def test_the_first_step_of_adam_is_the_learning_rate() -> None:
    grads = np.array([-1e3, -1e-3, 1e-2, 5.0])
    zeros = np.zeros(4)
    clock = reference.optimizer_tick(np.array([0.0, 0, 1, 1]), RATES, beta1=0.9, beta2=0.999)
    p, _, _ = reference.adam(zeros, grads, zeros, zeros, clock, epsilon=0.0)
    assert np.abs(p + RATE * np.sign(grads)).max() <= ROUNDINGS_A_STEP * EPS * RATE * 1e3


def test_the_clock_walks_through_the_rates_and_stays_at_the_last() -> None:
    clock = np.array([10.0, 0.0, 1.0, 1.0])
    rates = np.array([10.0, 0.5, 0.25, 0.125])
    seen = []
    for _ in range(5):
        clock = reference.optimizer_tick(clock, rates, beta1=0.5, beta2=0.25)
        seen.append(clock.tolist())
    assert [step for step, *_ in seen] == [11, 12, 13, 14, 15]
    assert [rate for _, rate, *_ in seen] == [0.5, 0.25, 0.125, 0.125, 0.125]
    assert seen[-1][2:] == [0.5**5, 0.25**5]
