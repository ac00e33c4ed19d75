"""L-BFGS: its line search, its direction, and the minima that it finds in fit."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku.optim.line_search import CURVATURE, DECREASE, Point, strong_wolfe

ENTROPY = "softmax_cross_entropy"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
Y = np.tanh(X @ RNG.normal(size=(5, 2)))


LINES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "far": (lambda t: (t / 1000 - 3) ** 2, lambda t: 2 * (t / 1000 - 3) / 1000),
    "near": (lambda t: (1000 * t - 3) ** 2, lambda t: 2000 * (1000 * t - 3)),
    "valleys": (lambda t: math.cos(9 * t) - t, lambda t: -9 * math.sin(9 * t) - 1),
    "edge": (lambda t: -t if t < 0.7 else math.inf, lambda t: -1.0 if t < 0.7 else math.nan),
    "flat end": (lambda t: 1 / (1 + t), lambda t: -1 / (1 + t) ** 2),
    "kink": (lambda t: abs(t - 0.3), lambda t: math.copysign(1, t - 0.3)),
}


@pytest.mark.parametrize("first", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("name", ["parabola", "far", "near", "valleys", "flat end"])
def test_a_line_search_ends_where_the_strong_wolfe_conditions_hold(name: str, first: float) -> None:
    value, slope = LINES[name]
    seen = []

    def along(t: float) -> tuple[float, float]:
        seen.append(t)
        return value(t), slope(t)

    found = strong_wolfe(along, value(0), slope(0), first)
    assert found is not None
    assert found == Point(seen[-1], value(seen[-1]), slope(seen[-1]))
    assert found.value <= value(0) + DECREASE * found.step * slope(0)
    assert abs(found.slope) <= CURVATURE * abs(slope(0))
    assert len(seen) <= 25


@pytest.mark.parametrize("first", [0.1, 1.0])
@pytest.mark.parametrize("name", ["edge", "kink"])
def test_without_such_a_point_a_line_search_ends_at_one_that_is_lower(
    name: str, first: float
) -> None:
    value, slope = LINES[name]
    seen = []

    def along(t: float) -> tuple[float, float]:
        seen.append(t)
        return value(t), slope(t)

    found = strong_wolfe(along, value(0), slope(0), first)
    assert found is not None
    assert found.step == seen[-1]
    assert found.value <= value(0) + DECREASE * found.step * slope(0)


def test_a_slope_that_is_wrong_leads_nowhere() -> None:
    assert strong_wolfe(lambda t: (t, 1.0), 0.0, -1.0, 1.0) is None


def dense_direction(
    pairs: list[tuple[NDArray[Any], NDArray[Any]]], gradient: NDArray[Any]
) -> NDArray[Any]:
    """Return -H g for the matrix of BFGS, Nocedal and Wright, equation 6.17."""
    s, y = pairs[-1]
    identity = np.eye(len(s))
    h = (s @ y) / (y @ y) * identity
    for s, y in pairs:
        v = identity - np.outer(y, s) / (s @ y)
        h = v.T @ h @ v + np.outer(s, s) / (s @ y)
    return -h @ gradient


def test_the_two_loops_are_the_product_with_the_matrix() -> None:
    model = gk.Sequential(gk.Dense(2), dtype="float64")
    model.build((3,))
    optimizer = gk.LBFGS(history_size=3)
    optimizer.begin(model)
    curvature = np.diag(RNG.uniform(0.5, 5, optimizer.params.size))
    gradient, pairs = RNG.normal(size=len(curvature)), []
    np.testing.assert_array_equal(optimizer._direction(gradient), -gradient)
    for _ in range(5):
        step = RNG.normal(size=len(curvature))
        pairs.append((step, curvature @ step))
        optimizer._keep(*pairs[-1])
        found = optimizer._direction(gradient)
        np.testing.assert_allclose(found, dense_direction(pairs[-3:], gradient), rtol=1e-9)
    kept = optimizer._direction(gradient)
    optimizer._keep(step, -step)  # no positive curvature
    np.testing.assert_array_equal(optimizer._direction(gradient), kept)


def fitted(optimizer: gk.Optimizer, epochs: int = 100, **options: Any) -> tuple[gk.Model, Any]:
    dtype = options.pop("dtype", "float64")
    model = gk.Sequential(gk.Dense(6, "tanh"), gk.Dense(2), dtype=dtype, seed=1)
    arguments = {"loss": "mean_squared_error", "batch_size": None, "verbose": 0, **options}
    return model, model.fit(X, Y, optimizer=optimizer, epochs=epochs, **arguments)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_it_finds_the_minimum_that_scipy_finds(backend: Any) -> None:
    (x, labels), _ = gk.data.digits()
    x, labels = x[:300].reshape(300, -1) / 255, labels[:300]
    with gk.use_backend(backend):
        model = gk.Sequential(gk.Dense(10), dtype="float64", seed=0)
        optimizer = gk.LBFGS(weight_decay=0.01, tolerance=1e-9)
        history = model.fit(
            x, labels, loss=ENTROPY, optimizer=optimizer, epochs=300, batch_size=None, verbose=0
        )
    squares = model.flat_params @ model.flat_params
    # scipy.optimize.minimize(method="L-BFGS-B") with gtol=1e-9, SciPy 1.17: 83 iterations. The
    # loss is strictly convex, so that there is one minimum.
    assert history["loss"][-1] + 0.005 * squares == pytest.approx(0.6899772286517165, rel=1e-12)
    assert squares == pytest.approx(65.96151188035601, rel=1e-6)
    assert history.epochs < 1.3 * 83
    assert history.stopped == "no element of the gradient is larger than 1e-09"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loss_decreases_with_each_step_and_far_below_that_of_adam(dtype: str) -> None:
    losses = fitted(gk.LBFGS(), dtype=dtype)[1]["loss"]
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < fitted(gk.Adam(0.01), dtype=dtype)[1]["loss"][-1] / 10


def test_the_training_ends_where_nothing_decreases_the_loss_any_more() -> None:
    _, history = fitted(gk.LBFGS(tolerance=0), epochs=5000, dtype="float32")
    assert history.stopped == "no step along the gradient decreases the loss any further"
    assert history.epochs < 5000
    assert math.isfinite(history["loss"][-1])


def test_callbacks_and_validation_work_as_with_other_optimizers() -> None:
    seen = []
    _, history = fitted(
        gk.LBFGS(), 8, validation_split=0.25, callbacks=lambda epoch, logs: seen.append(logs)
    )
    assert [logs["loss"] for logs in seen] == history["loss"]
    assert len(history["val_loss"]) == history.epochs == 8
    _, history = fitted(gk.LBFGS(), 8, callbacks=lambda epoch, logs: epoch == 2 and "enough")
    assert (history.epochs, history.stopped) == (3, "enough")


def test_a_training_goes_on_from_adam() -> None:
    model, history = fitted(gk.Adam(0.01), 30)
    options: dict[str, Any] = {"loss": "mean_squared_error", "batch_size": None, "verbose": 0}
    after = model.fit(X, Y, optimizer=gk.LBFGS(), epochs=30, **options)
    assert after["loss"][0] <= history["loss"][-1]
    assert after["loss"][-1] < history["loss"][-1] / 5
    optimizer = gk.LBFGS()
    model.fit(X, Y, optimizer=optimizer, epochs=3, **options)
    model.fit(X, Y, optimizer=gk.SGD(0.1), epochs=1, **options)
    before = model.evaluate(X, Y)["loss"]
    again = model.fit(X, Y, optimizer=optimizer, epochs=1, **options)  # at other weights
    assert again["loss"][0] <= before


class Counting(gk.LBFGS):
    """An L-BFGS that keeps the losses that it asks for."""

    native = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.losses: list[float] = []

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
        def kept() -> float:
            self.losses.append(gradients())
            return self.losses[-1]

        super().run_step(kept, update)


def test_a_step_on_the_full_batch_evaluates_the_loss_about_once() -> None:
    optimizer = Counting(tolerance=0.0)
    _, history = fitted(optimizer, 60)
    assert history.epochs == 60
    assert len(optimizer.losses) < 1.25 * 60
    assert optimizer.clock[0] == 60
    batches = Counting(tolerance=0.0)
    fitted(batches, 5, batch_size=20)
    assert len(batches.losses) >= 2 * 15


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_first_step_tries_weights_at_the_distance_one(scale: float) -> None:
    model = gk.Sequential(gk.Dense(2), dtype="float64", seed=1)
    model.build((5,))
    start = model.flat_params.copy()
    optimizer = gk.LBFGS(0.5, tolerance=0)
    optimizer.begin(model)
    optimizer.prepare(1)
    seen: list[float] = []

    def gradients() -> float:
        seen.append(float(np.linalg.norm(model.flat_params - start)))
        model.flat_grads[...] = scale * model.flat_params
        return scale / 2 * float(model.flat_params @ model.flat_params)

    optimizer.run_step(gradients, lambda: optimizer.step(model))
    assert seen[:2] == pytest.approx([0, 0.5])


class Twice(gk.SGD):
    """An optimizer that evaluates the gradients twice."""

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
        first, grads = gradients(), self.grads.copy()
        assert gradients() == first
        np.testing.assert_array_equal(self.grads, grads)
        update()


def test_evaluations_of_one_step_share_dropout_masks_and_count_once() -> None:
    def weights(optimizer: gk.Optimizer) -> list[bytes]:
        layers = gk.Dense(6), gk.BatchNorm(), gk.ReLU(), gk.Dropout(0.5), gk.Dense(2)
        model = gk.Sequential(*layers, seed=1)
        options: dict[str, Any] = {"loss": "mean_squared_error", "epochs": 3, "verbose": 0}
        model.fit(X, Y, optimizer=optimizer, **options)
        return [a.tobytes() for a in (model.flat_params, model.flat_buffers, model.clock)]

    assert weights(Twice(0.1)) == weights(gk.SGD(0.1))


@pytest.mark.parametrize(
    "varying",
    [
        [gk.Dropout(0.3)],
        [gk.Reshape((4, 5)), gk.TimeDistributed(gk.Dropout(0.3))],
        [gk.Reshape((4, 5)), gk.SimpleRNN(3, stateful=True)],
    ],
)
def test_where_steps_vary_each_begins_with_its_own_loss(varying: list[gk.Layer]) -> None:
    model = gk.Sequential(gk.Dense(20, "tanh"), *varying, gk.Flatten(), gk.Dense(2), seed=1)
    optimizer = Counting()
    options: dict[str, Any] = {"loss": "mean_squared_error", "epochs": 20, "batch_size": None}
    history = model.fit(X, Y, optimizer=optimizer, shuffle=False, verbose=0, **options)
    assert len(optimizer.losses) >= 2 * history.epochs
    assert model.evaluate(X, Y)["loss"] < optimizer.losses[0]


def test_mini_batches_a_schedule_and_large_steps_are_allowed() -> None:
    for options in ({"batch_size": 20}, {}):
        for rate in (1e6, gk.schedules.InverseTime(1.0, 10)):
            model, history = fitted(gk.LBFGS(rate), 10, **options)
            assert history["loss"][-1] < history["loss"][0]
            assert np.isfinite(model.flat_params).all()


def test_the_number_of_threads_changes_no_bit() -> None:
    found = []
    for threads in (1, 2):
        gk.set_num_threads(threads, exact=True)
        found.append(fitted(gk.LBFGS(), 20, dtype="float32")[0].flat_params.tobytes())
    assert found[0] == found[1]


def test_frozen_layers_stay_and_the_optimizer_can_be_copied() -> None:
    model = gk.Sequential(gk.Dense(6, "tanh"), gk.Dense(4, "tanh"), gk.Dense(2), seed=1)
    model.build((5,))
    model[1].trainable = False
    kept = model.params["dense_2.weight"].copy()
    optimizer = gk.LBFGS(0.5, history_size=4, tolerance=1e-3, weight_decay=0.1)
    history = model.fit(
        X, Y, loss="mean_squared_error", optimizer=optimizer, epochs=9, batch_size=None, verbose=0
    )
    assert history["loss"][-1] < history["loss"][0]
    np.testing.assert_array_equal(model.params["dense_2.weight"], kept)
    wanted = "LBFGS(learning_rate=0.5, history_size=4, tolerance=0.001, weight_decay=0.1)"
    for each in (optimizer, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert repr(each) == wanted


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gk.LBFGS(history_size=0), ValueError, "history_size must be at least 1, got 0"),
        (lambda: gk.LBFGS(tolerance=-1), ValueError, "tolerance must be at least 0, got -1"),
        (
            lambda: gk.LBFGS().step(fitted(gk.SGD(), 1)[0]),
            TypeError,
            "^LBFGS: a step evaluates the loss several times, which step alone cannot; train with",
        ),
    ],
)
def test_it_refuses(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
