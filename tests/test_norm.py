"""Normalisation as a whole: derivatives, specials, replay with running statistics, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from errors import Mistake, refused_in_one_sentence
from op_case import Array
from recorded import record
from test_reference import by_differences

from gyaku import _core, ops, reference

SHAPES = [(5, 1), (7, 3), (2, 3, 4), (2, 3, 2, 17)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def random(*shape: int, seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape))


def assert_slopes(dx: Array, f: Callable[[Array], Array], x: Array, dy: Array) -> None:
    bound = 256 * np.finfo(float).eps ** (2 / 3) * max(np.abs(dx).max(), 1) * dy.size
    assert np.abs(dx - by_differences(f, x, dy)).max() <= bound


@each_shape
@pytest.mark.parametrize("training", [True, False])
def test_native_gradients_of_batch_norm(shape: tuple[int, ...], training: bool) -> None:
    x, dy = random(*shape), random(*shape, seed=1)
    gamma, beta, mean = (random(shape[-1], seed=seed) for seed in (2, 3, 4))
    variance = random(shape[-1], seed=5) ** 2

    def forward(x: Array = x, gamma: Array = gamma, beta: Array = beta) -> tuple[Array, ...]:
        if training:
            return ops.batch_norm(x, gamma, beta, epsilon=0.1)
        y, inverse = ops.batch_norm_inference(x, gamma, beta, mean, variance, epsilon=0.1)
        return y, mean, inverse

    _, used, inverse, *_ = forward()
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, x, gamma, used, inverse, training=training)
    assert_slopes(dx, lambda x: forward(x=x)[0], x, dy)
    assert_slopes(dgamma, lambda gamma: forward(gamma=gamma)[0], gamma, dy)
    assert_slopes(dbeta, lambda beta: forward(beta=beta)[0], beta, dy)


@each_shape
def test_native_gradients_of_layer_norm(shape: tuple[int, ...]) -> None:
    features = shape[1:]
    x, dy = random(*shape), random(*shape, seed=1)
    gamma, beta = random(*features, seed=2), random(*features, seed=3)

    def forward(x: Array = x, gamma: Array = gamma, beta: Array = beta) -> Array:
        return ops.layer_norm(x, gamma, beta, epsilon=0.1)[0]

    _, mean, inverse = ops.layer_norm(x, gamma, beta, epsilon=0.1)
    dx, dgamma, dbeta = ops.layer_norm_backward(dy, x, gamma, mean, inverse)
    assert_slopes(dx, lambda x: forward(x=x), x, dy)
    assert_slopes(dgamma, lambda gamma: forward(gamma=gamma), gamma, dy)
    assert_slopes(dbeta, lambda beta: forward(beta=beta), beta, dy)


@pytest.mark.parametrize("channels", [1, 3, 16, 17])
def test_large_means_do_not_drown_the_variance(channels: int) -> None:
    # As the mean of squares less the square of the mean, this variance would be lost.
    one, zero = np.ones(channels), np.zeros(channels)
    x = 1e8 + np.tile([[-1.0], [1.0]], (5000, channels))
    y, mean, _, variance = ops.batch_norm(x, one, zero, epsilon=0)
    np.testing.assert_array_equal(mean, 1e8 * one)
    # Chunks differ in their means, which are known to eps * 1e8.
    eps = np.finfo(float).eps
    np.testing.assert_allclose(variance, one, rtol=eps * 1e8)
    np.testing.assert_allclose(y, x - 1e8, rtol=eps * 1e8)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [4, 5000])
def test_what_is_not_finite_stays_in_its_channel(special: float, rows: int) -> None:
    x = random(rows, 21)
    x[1, 4] = special
    one, zero = np.ones(21), np.zeros(21)
    found = ops.batch_norm(x, one, zero)
    expected = reference.batch_norm(x, one, zero)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        np.testing.assert_array_equal(np.isinf(ours), np.isinf(theirs))
    assert np.isfinite(np.delete(found[0], 4, axis=1)).all()


def test_a_single_sample_has_no_variance() -> None:
    y, mean, inverse, variance = ops.batch_norm([[4.0]], [1.0], [1.0], epsilon=0.25)
    assert (y, mean, inverse, variance) == (1, 4, 2, 0)


def test_gradients_land_in_the_arrays_that_were_given() -> None:
    x, gamma = random(6, 3), random(3)
    _, mean, inverse, _ = ops.batch_norm(x, gamma, gamma)
    flat = np.zeros(6)
    out = (None, flat[:3], flat[3:])
    dx, dgamma, dbeta = ops.batch_norm_backward(x, x, gamma, mean, inverse, out=out)
    assert dgamma is out[1]
    assert dbeta is out[2]
    plain = ops.batch_norm_backward(x, x, gamma, mean, inverse)
    for ours, theirs in zip((dx, flat[:3], flat[3:]), plain, strict=True):
        assert ours.tobytes() == theirs.tobytes()


class Training:
    """A normalisation with running statistics, as a layer does it."""

    def __init__(self, x: Array) -> None:
        self.x = x
        self.gamma, self.beta = (random(x.shape[-1], seed=i).astype(x.dtype) for i in (1, 2))
        self.running = np.zeros((2, x.shape[-1]), x.dtype)

    def step(self) -> list[Array]:
        y, mean, inverse, variance = ops.batch_norm(self.x, self.gamma, self.beta)
        samples = self.x.size // self.gamma.size
        ops.update_running(*self.running, mean, variance, samples=samples)
        z, row_mean, row_inverse = ops.layer_norm(y, self.gamma, self.beta)
        dy, _, dbeta = ops.layer_norm_backward(z, y, self.gamma, row_mean, row_inverse)
        return [*ops.batch_norm_backward(dy, self.x, self.gamma, mean, inverse), dbeta]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 5), (300, 130), (9, 21, 20, 6)], ids=str)
def test_replay_equals_eager_and_moves_the_running_statistics(
    shape: tuple[int, ...], dtype: Any, set_threads: Callable[[int], None]
) -> None:
    found = set()
    for threads in (1, 2, 3):
        set_threads(threads)
        eager, replayed = (
            Training(random(*shape).astype(dtype)),
            Training(random(*shape).astype(dtype)),
        )
        program, results = record(replayed.step)
        eager.step()
        for training in (eager, replayed):
            training.x[...] = random(*shape, seed=7)
        for _ in range(3):
            expected = eager.step()
        _core.replay([(program, 3)])
        assert not any(task["host"] for task in program.tasks())
        for ours, theirs in zip(
            (*results, replayed.running), (*expected, eager.running), strict=True
        ):
            assert ours.tobytes() == theirs.tobytes()
        found.add(b"".join(each.tobytes() for each in (*results, replayed.running)))
    assert len(found) == 1


X, ONE = np.ones((4, 3), np.float32), np.ones(3, np.float32)
MISTAKES: list[Mistake] = [
    (
        ValueError,
        "batch_norm: gamma must have shape (3,), got (2,)",
        lambda: ops.batch_norm(X, ONE[:2], ONE),
    ),
    (
        ValueError,
        "batch_norm: the batch is empty, statistics need at least one sample",
        lambda: ops.batch_norm(X[:0], ONE, ONE),
    ),
    (
        ValueError,
        "batch_norm: x must have at least one dimension, got a single number",
        lambda: ops.batch_norm(1.0, ONE, ONE),
    ),
    (
        TypeError,
        "batch_norm_inference: mean must be real numbers, got dtype complex128",
        lambda: ops.batch_norm_inference(X, ONE, ONE, [1j], ONE),
    ),
    (
        ValueError,
        "batch_norm_backward: dy must have shape (4, 3), got (3, 3)",
        lambda: ops.batch_norm_backward(X[:3], X, ONE, ONE, ONE),
    ),
    (
        ValueError,
        "batch_norm_backward: out must not overlap x, which is read while out is written",
        lambda: ops.batch_norm_backward(X.copy(), X, ONE, ONE, ONE, out=(X, None, None)),
    ),
    (
        ValueError,
        "layer_norm: the last axes of x must be those of gamma, got shapes (4, 3) and (4,)",
        lambda: ops.layer_norm(X, np.ones(4), np.ones(4)),
    ),
    (
        ValueError,
        "layer_norm: a sample needs at least one feature, got shape (0,)",
        lambda: ops.layer_norm(X[:, :0], ONE[:0], ONE[:0]),
    ),
    (
        ValueError,
        "layer_norm_backward: mean must have shape (4,), got (3,)",
        lambda: ops.layer_norm_backward(X, X, ONE, ONE, ONE),
    ),
    (
        ValueError,
        "update_running: samples must be at least 1, got 0",
        lambda: ops.update_running(ONE.copy(), ONE.copy(), ONE, ONE, samples=0),
    ),
    (
        ValueError,
        "update_running: momentum must be 0 to 1, got 1.5",
        lambda: ops.update_running(ONE.copy(), ONE.copy(), ONE, ONE, samples=2, momentum=1.5),
    ),
    (
        TypeError,
        "update_running: variance must be an array of float32, got float64",
        lambda: ops.update_running(ONE.copy(), ONE.copy(), ONE, np.ones(3), samples=2),
    ),
]
test_a_mistake_is_refused_in_one_sentence = refused_in_one_sentence(MISTAKES)
