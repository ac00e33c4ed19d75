"""Schedules: the learning rate of each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.schedules import (
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    InverseTime,
    Joined,
    MultiStep,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
    Warmup,
    schedule,
)

STEPS = np.arange(1000)
CASES = [
    Constant(0.1),
    InverseTime(0.1, steps=30),
    OneCycle(0.1, total_steps=800),
    OneCycle(0.1, total_steps=800, warmup=0),
    OneCycle(0.1, total_steps=1),
    Step(0.1, 30),
    MultiStep(0.1, [3, 50, 51]),
    Exponential(0.1, 0.99, 3),
    Polynomial(0.1, 0.01, power=2, steps=400),
    Cosine(0.1, 0.01, steps=400),
    Cosine(0.1, 0.01, steps=30, restarts=1),
    Cosine(0.1, 0.01, steps=30, restarts=2),
    Warmup(Cosine(0.1, 0.01, steps=100), 30, start_factor=0.1),
    Warmup(0.1, 30, start_factor=1),
    Cyclic(0.01, 0.1, 30),
    Cyclic(0.01, 0.1, 30, steps_down=7, cycle_factor=0.5, step_factor=0.999),
    Joined([0.1, Cosine(0.1, 0.01, steps=30), 0.02], [5, 60]),
]


@pytest.mark.parametrize("rates", CASES, ids=repr)
def test_many_steps_are_one_step_many_times(rates: Schedule) -> None:
    one_by_one = [float(rates(np.array([step]))[0]) for step in STEPS]
    np.testing.assert_array_max_ulp(rates(STEPS), np.array(one_by_one), maxulp=4)


@pytest.mark.parametrize("rates", CASES, ids=repr)
def test_rates_are_positive(rates: Schedule) -> None:
    assert (rates(STEPS) > 0).all()
    assert rates(STEPS).dtype == np.float64


def test_a_constant_never_changes() -> None:
    assert set(Constant(0.3)(STEPS)) == {0.3}


def test_inverse_time_halves_after_its_steps() -> None:
    rates = InverseTime(0.8, steps=30)(STEPS)
    assert (rates[0], rates[30], rates[90]) == (0.8, 0.4, 0.2)


def test_one_cycle_rises_once_and_falls_once() -> None:
    cycle = OneCycle(0.8, total_steps=101, warmup=0.3, start_factor=10, end_factor=100)
    rates = cycle(np.arange(101))
    assert rates[0] == pytest.approx(0.08)
    assert rates.argmax() == 30
    assert rates[30] == 0.8
    assert rates[-1] == pytest.approx(0.008)
    assert (np.diff(rates[:31]) > 0).all()
    assert (np.diff(rates[30:]) < 0).all()


def test_one_cycle_stays_at_the_end() -> None:
    rates = OneCycle(0.8, total_steps=10)(np.array([9, 10, 10_000]))
    assert len(set(rates)) == 1


@pytest.mark.parametrize(
    ("name", "options", "ours"),
    [
        (
            "CyclicLR",
            {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "step_size_down": 3},
            Cyclic(0.01, 0.1, 4, steps_down=3),
        ),
        (
            "CyclicLR",
            {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "triangular2"},
            Cyclic(0.01, 0.1, 4, cycle_factor=0.5),
        ),
        (
            "CyclicLR",
            {
                "base_lr": 0.01,
                "max_lr": 0.1,
                "step_size_up": 4,
                "mode": "exp_range",
                "gamma": 0.9,
            },
            Cyclic(0.01, 0.1, 4, step_factor=0.9),
        ),
        ("StepLR", {"step_size": 5, "gamma": 0.5}, Step(0.1, 5, 0.5)),
        ("MultiStepLR", {"milestones": [3, 8]}, MultiStep(0.1, [3, 8])),
        ("ExponentialLR", {"gamma": 0.9}, Exponential(0.1, 0.9)),
        ("PolynomialLR", {"total_iters": 10, "power": 2}, Polynomial(0.1, power=2, steps=10)),
        (
            "LinearLR",
            {"start_factor": 0.25, "total_iters": 8},
            Polynomial(0.025, 0.1, steps=8),
        ),
        ("CosineAnnealingLR", {"T_max": 29}, Cosine(0.1, steps=29)),
        (
            "CosineAnnealingWarmRestarts",
            {"T_0": 4, "T_mult": 2, "eta_min": 0.01},
            Cosine(0.1, 0.01, steps=4, restarts=2),
        ),
        ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}, lambda step: 0.1 / (1 + step)),
    ],
)
def test_pytorch_has_the_same_rates(name: str, options: dict[str, Any], ours: Any) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    rates = []
    for _ in range(30):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(schedule(ours)(np.arange(30)), rates, rtol=1e-10, atol=1e-15)


def test_joined_schedules_fill_a_training_and_a_file(tmp_path: Any) -> None:
    joined = Joined([Cosine(0.1), 0.05, Polynomial(0.02)], [3, 5])
    rates = joined.spanning(9)(np.arange(9))
    expected = [Cosine(0.1, steps=3)(np.arange(3)), [0.05] * 2]
    expected += [Polynomial(0.02, steps=4)(np.arange(4))]
    np.testing.assert_allclose(rates, np.concatenate(expected), rtol=1e-15)
    model = gk.Sequential(gk.Dense(1))
    model.fit(*np.ones((2, 4, 1)), loss="mse", optimizer=gk.SGD(joined), epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = gk.load(tmp_path / "model.safetensors")
    assert repr(loaded.optimizer) == repr(model.optimizer)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Joined([0.1, 0.2], []), "2 schedules take one milestone less, got 0"),
        (lambda: Joined([0.1, 0.2, 0.3], [5, 5]), "milestones must ascend, got"),
        (lambda: Joined([0.1, -1], [5]), "a rate must be positive, got -1"),
        (lambda: Cyclic(0.1, 0), "top must be positive, got 0"),
        (lambda: Cyclic(0.1, 1, 0), "steps must be at least 1, got 0"),
    ],
)
def test_senseless_cycles_and_joints_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_one_cycle_gets_its_length_from_fit() -> None:
    seen = []

    class Watch(gk.Callback):
        def on_train_batch_end(self, batch, logs):
            seen.append(self.model.optimizer.rate)

    x = np.ones((10, 2), np.float32)
    model = gk.Sequential(gk.Dense(1))
    optimizer = gk.SGD(OneCycle(0.01))
    for _ in range(2):  # a second training has a cycle of its own
        seen.clear()
        model.fit(
            *(x, x[:, :1]),
            loss="sum_squared_error",
            optimizer=optimizer,
            epochs=4,
            batch_size=4,
            callbacks=[Watch()],
            verbose=0,
        )
        np.testing.assert_array_equal(seen, OneCycle(0.01, total_steps=12)(np.arange(12)))


def test_one_cycle_without_a_length_says_what_to_do() -> None:
    model = gk.Sequential(gk.Dense(1))
    model.build((2,))
    with pytest.raises(ValueError, match=r"OneCycle: total_steps is needed .*OneCycle\(0.1, total"):
        gk.SGD(OneCycle(0.1)).step(model)


def test_a_number_and_a_function_are_schedules() -> None:
    assert schedule(0.5)(STEPS).tolist() == [0.5] * 1000
    assert schedule(lambda steps: 1.0 / (steps + 1))(np.array([0, 1, 3])).tolist() == [1, 0.5, 0.25]
    assert schedule(lambda steps: 0.5)(STEPS).tolist() == [0.5] * 1000
    assert schedule(CASES[1]) is CASES[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(0), "Constant: rate must be positive, got 0"),
        (lambda: InverseTime(-1, 10), "InverseTime: rate must be positive, got -1"),
        (lambda: InverseTime(1, 0), "InverseTime: steps must be positive, got 0"),
        (lambda: OneCycle(float("nan")), "OneCycle: max_rate must be positive, got nan"),
        (lambda: OneCycle(1, total_steps=0), "OneCycle: total_steps must be at least 1, got 0"),
        (lambda: OneCycle(1, warmup=1), "OneCycle: warmup must be at least 0 and below 1, got 1"),
        (lambda: OneCycle(1, end_factor=0.5), "OneCycle: end_factor must be at least 1, got 0.5"),
    ],
)
def test_a_senseless_argument_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_schedules_are_those_of_pytorch() -> None:
    """Recorded from PyTorch 2.13 with a rate of 0.8, and those of SGDR for the growing restarts."""
    steps = np.arange(7)
    recorded = {
        Step(0.8, 3, 0.5): [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2],
        MultiStep(0.8, [1, 4], 0.5): [0.8, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2],
        Exponential(0.8, 0.5): [0.8, 0.4, 0.2, 0.1, 0.05, 0.025, 0.0125],
        Polynomial(0.8, power=2, steps=5): [0.8, 0.512, 0.288, 0.128, 0.032, 0.0, 0.0],
        Cosine(0.8, 0.2, steps=3, restarts=1): [0.8, 0.65, 0.35, 0.8, 0.65, 0.35, 0.8],
        Cosine(0.8, 0.2, steps=1, restarts=2): [0.8, 0.8, 0.5, 0.8, 0.712132, 0.5, 0.287868],
    }
    for rates, expected in recorded.items():
        np.testing.assert_allclose(rates(steps), expected, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("growth", [1.5, 2, 3])
def test_restarts_begin_where_a_fall_ends(growth: float) -> None:
    rates = Cosine(1.0, steps=8, restarts=growth)(np.arange(2000))
    begins = np.cumsum([8 * growth**n for n in range(4)])
    for begin in begins[begins % 1 == 0].astype(int):
        assert rates[begin] == pytest.approx(1, abs=1e-6)
        assert rates[begin - 1] < 0.1


def test_a_schedule_of_the_training_gets_its_length_from_fit() -> None:
    x = np.ones((6, 1), np.float32)
    for given, last in (
        (Polynomial(0.4), 0.1),
        (Cosine(0.4), 0.4 * (1 + np.cos(np.pi * 0.75)) / 2),
        (Warmup(Polynomial(0.4), 2), 0.2),
    ):
        learner = gk.SGD(given)
        model = gk.Sequential(gk.Dense(1))
        model.fit(x, x, loss="mse", optimizer=learner, epochs=2, batch_size=3, verbose=0)
        assert learner.rate == pytest.approx(last)
    with pytest.raises(ValueError, match=r"Cosine: steps is needed where .* Cosine\(0.4, steps"):
        Cosine(0.4)(np.arange(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Step(0.1, 0), "Step: steps must be at least 1, got 0"),
        (lambda: MultiStep(0.1, [4, 2]), r"MultiStep: milestones must ascend, got \(4, 2\)"),
        (lambda: Exponential(0.1, 1.5), "Exponential: factor must be"),
        (lambda: Cosine(0.1, restarts=0.5), "Cosine: restarts must be at least 1, got 0.5"),
        (lambda: Warmup(-1, 5), "Warmup: then must be"),
    ],
)
def test_a_senseless_schedule_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
