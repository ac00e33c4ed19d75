"""Optimizers: their equations, their state, and optimizers of one's own."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from optimizer_facts import CASES
from torch_optimizers import OPTIMIZERS as TORCH
from torch_optimizers import START, gradient
from torch_optimizers import STEPS as TORCH_STEPS

import gyaku as gk
from gyaku.optim import OPTIMIZERS, Optimizer
from gyaku.schedules import InverseTime, OneCycle, schedule
from gyaku.train.capture import Steps, repeat

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


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
@pytest.mark.parametrize("name", TORCH)
def test_pytorch_takes_the_same_steps(name: str, dtype: Any, tolerance: float) -> None:
    expected = json.loads(Path(__file__).with_name("torch_optimizers.json").read_text())[name]
    _, _, cls, keywords = TORCH[name]
    optimizer, start = getattr(gk, cls)(**keywords), np.array(START, dtype)
    model = SimpleNamespace(flat_params=start, flat_grads=np.empty_like(start))
    for _ in range(TORCH_STEPS):
        model.flat_grads[:] = gradient(model.flat_params)
        optimizer.step(model)
    np.testing.assert_allclose(model.flat_params, expected, rtol=tolerance, atol=tolerance)


def test_pytorchs_momentum_is_another_once_the_rate_changes() -> None:
    def last(**options: Any) -> NDArray[Any]:
        return descend(gk.Momentum(gk.schedules.Step(0.1, 5), **options))

    outside, (w, v) = last(rate_in_velocity=False), np.array([[-7.0, 2.0], [0.0, 0.0]])
    for t in range(STEPS):
        v = 0.9 * v + w / [10, 0.5]
        w = w - 0.1 * 0.1 ** (t // 5) * v
    np.testing.assert_allclose(outside, w, rtol=1e-12)
    assert np.abs(outside - last()).max() > 0.01


def test_lamb_scales_each_array_by_itself() -> None:
    model = gk.Sequential(gk.Dense(3), gk.Dense(2), dtype="float64")
    model.build((4,))
    before = {name: each.copy() for name, each in model.params.items()}
    for each in model.grads.values():
        each[...] = 1
    gk.Lamb(0.5, weight_decay=0.0).step(model)
    for name, each in model.params.items():
        length = np.linalg.norm(before[name])
        change = 0.5 * (length or np.sqrt(each.size))
        np.testing.assert_allclose(np.linalg.norm(each - before[name]), change, rtol=1e-5)


def test_every_optimizer_has_an_equation() -> None:
    assert {name.split(",")[0] for name in CASES} | {"lbfgs"} == set(OPTIMIZERS)


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
    monkeypatch.setattr("gyaku.optim.base.RATES", 4)
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
    np.testing.assert_array_equal(rates, schedule(second)(np.arange(4)))


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
        (lambda: gk.Adam(amsgrad=2), TypeError, "Adam: amsgrad must be True or False, got 2"),
        (lambda: gk.Momentum(dampening=0.1), ValueError, "dampening needs rate_in_velocity=False"),
        (lambda: gk.NAdam(momentum_decay=-1), ValueError, "NAdam: momentum_decay must be at least"),
        (lambda: gk.Rprop(most=1e-9), ValueError, "Rprop: most must be at least 1e-06, got 1e-09"),
        (lambda: gk.Rprop(grow=1), ValueError, "Rprop: grow must be above 1, got 1"),
        (lambda: gk.SGD(nesterov=True), TypeError, "'nesterov'; the optimizer gyaku.Nesterov has"),
        (lambda: gk.optim.optimizer("adan"), ValueError, "'adan', did you mean 'adam'"),
        (lambda: gk.optim.optimizer(0.1), TypeError, "must be a name or an Optimizer, got 0.1"),
    ],
)
def test_a_senseless_argument_is_refused(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] + X[:, 2:3]).astype(np.float32)


def trained(optimizer: Optimizer, *, backend: Any = "native", **options: Any) -> gk.Sequential:
    with gk.use_backend(backend):
        model = gk.Sequential(gk.Dense(5, "tanh"), gk.Dropout(0.2), gk.Dense(1))
        arguments = {"epochs": 3, "batch_size": 16, "verbose": 0, **options}
        model.fit(X, Y, loss="mean_squared_error", optimizer=optimizer, **arguments)
    return model


class Between(gk.Momentum):
    """An optimizer that looks at the gradients."""

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
        gradients()
        update()


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_step_in_parts_has_the_bits_of_a_whole_one(backend: Any) -> None:
    whole = trained(gk.Momentum(0.1), backend=backend)
    parts = trained(Between(0.1), backend=backend)
    assert parts.flat_params.tobytes() == whole.flat_params.tobytes()


def test_a_step_in_parts_counts_loss_and_epochs_like_a_whole_one() -> None:
    histories = []
    for optimizer in (gk.Momentum(0.1), Between(0.1)):
        model = gk.Sequential(gk.Dense(5, "tanh"), gk.Dense(1))
        histories.append(
            model.fit(X, Y, loss="mean_squared_error", optimizer=optimizer, epochs=4, verbose=0)
        )
    assert histories[0]["loss"] == histories[1]["loss"]


def test_the_parts_of_a_step_are_listed_and_profiled() -> None:
    model = trained(Between(0.1))
    assert "momentum" in str(model.program())
    profiled = str(model.profile(X, Y, optimizer=Between(0.1), batch_size=10, steps=3))
    assert "momentum" in profiled
    assert "backward" in profiled


def test_gradients_are_clipped_between() -> None:
    class Clipped(gk.SGD):
        def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
            gradients()
            self.grads /= np.float32(max(1.0, 20 * np.linalg.norm(self.grads)))
            update()

    class ClippedUpdate(Optimizer):
        def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
            scaled = grads / np.float32(max(1.0, 20 * np.linalg.norm(grads)))
            params -= np.float32(self.rate) * scaled

    one, other = trained(Clipped(0.1)).flat_params, trained(ClippedUpdate(0.1)).flat_params
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert np.abs(one - trained(gk.SGD(0.1)).flat_params).max() > 1e-3


def test_gradients_are_accumulated_between() -> None:
    class Accumulated(gk.SGD):
        """Add up the gradients of two batches."""

        def __init__(self, learning_rate: float) -> None:
            super().__init__(learning_rate)
            self.steps: list[float] = []

        def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
            self.steps.append(gradients())
            if len(self.steps) % 2:
                self.first = self.grads.copy()
            else:
                self.grads[...] = (self.grads + self.first) / 2
                update()

    optimizer = Accumulated(0.1)
    model = gk.Sequential(gk.Dense(3, "tanh"), gk.Dense(1))
    other = copy.deepcopy(model)
    options: dict[str, Any] = {"loss": "mean_squared_error", "epochs": 3, "verbose": 0}
    history = model.fit(X[:48], Y[:48], optimizer=optimizer, batch_size=8, **options)
    other.fit(X[:48], Y[:48], optimizer=gk.SGD(0.1), batch_size=16, **options)
    np.testing.assert_allclose(model.flat_params, other.flat_params, rtol=1e-5, atol=1e-6)
    assert len(optimizer.steps) == 18
    assert optimizer.clock[0] == 9
    np.testing.assert_allclose(history["loss"][-1], np.mean(optimizer.steps[-6:]), rtol=1e-6)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))])
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_a_training_goes_on_with_copies_of_model_and_optimizer(name: str, copied: Any) -> None:
    model = gk.Sequential(gk.Dense(3, "tanh"), gk.Dropout(0.3), gk.Dense(1), seed=0)
    optimizer = OPTIMIZERS[name](0.01)
    options: dict[str, Any] = {"loss": "mean_squared_error", "epochs": 3, "verbose": 0}
    if name == "lbfgs":
        options["batch_size"] = None
    model.fit(X, Y, optimizer=optimizer, seed=1, **options)
    pairs = [
        (model, optimizer),
        copied((model, optimizer)),
        (copied(model), OPTIMIZERS[name](0.01)),
    ]
    for each, its in pairs:
        each.fit(X, Y, optimizer=its, seed=2, **options)
    bits = [each.flat_params.tobytes() for each, _ in pairs]
    assert bits[0] == bits[1]
    has_state = bool(optimizer.state_names) or name == "lbfgs"
    assert (bits[0] != bits[2]) == has_state
    assert pairs[1][1].clock[0] == optimizer.clock[0]


def test_a_copied_optimizer_begins_anew_with_other_parameters() -> None:
    model = gk.Sequential(gk.Dense(3, "tanh"), gk.Dense(1), seed=0)
    options: dict[str, Any] = {"loss": "mean_squared_error", "epochs": 2, "verbose": 0}
    optimizer = gk.Adam()
    model.fit(X, Y, optimizer=optimizer, **options)
    again, unused = copy.deepcopy(optimizer), copy.deepcopy(gk.Adam())
    model.params["dense.bias"] += 1
    weights = []
    for each in (again, unused, gk.Adam()):
        other = copy.deepcopy(model)
        other.fit(X, Y, optimizer=each, **options)
        weights.append(other.flat_params.tobytes())
    assert weights[0] == weights[1] == weights[2]


def test_gradients_can_be_asked_for_again() -> None:
    class Searching(Optimizer):
        """Halve the step until the loss goes down, as a line search does."""

        def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
            before, start = gradients(), self.params.copy()
            direction, rate = self.grads.copy(), 8.0
            self.params[...] = start - rate * direction
            while gradients() > before:
                rate /= 2
                self.params[...] = start - np.float32(rate) * direction

        def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
            raise AssertionError("it was not asked for")

    model = gk.Sequential(gk.Dense(3, "tanh"), gk.Dense(1))
    options: dict[str, Any] = {"loss": "mean_squared_error", "epochs": 20, "verbose": 0}
    losses = model.fit(X, Y, optimizer=Searching(1.0), batch_size=None, **options)["loss"]
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < losses[0] / 2


def test_steps_of_many_shapes_keep_a_bounded_number_of_programs() -> None:
    model = gk.Sequential(gk.Dense(3, "tanh"), gk.Dense(1))
    model.build((4,), seed=0)
    again = copy.deepcopy(model)
    lengths_of = Lengths(model)
    steps = Steps(lengths_of.step, most=3)
    lengths = [5, 7, 5, 9, 11, 5, 7, 9, 5]
    for length in lengths:
        repeat([(steps.of(length), 2)])
    assert len(steps) == 3
    assert steps.of(5).program is not None
    assert steps.of(11).program is None  # it went, and is a new one
    alone = Lengths(again)
    for length in lengths:
        for _ in range(2):
            alone.step(length)
    assert model.flat_params.tobytes() == again.flat_params.tobytes()


class Lengths:
    """Training steps on the first samples of a data set."""

    def __init__(self, model: gk.Sequential) -> None:
        self.model, self.optimizer = model, gk.Momentum(0.1)

    def step(self, length: int) -> None:
        y = self.model.forward(X[:length], training=True)
        self.model.backward(y)
        self.optimizer.step(self.model)
