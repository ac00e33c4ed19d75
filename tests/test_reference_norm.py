"""Is the mathematics of normalisation right? Derivatives, statistics and known numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from op_case import Array
from test_reference import EPS, FLOATS, by_complex_step

from gyaku import reference

SHAPES = [(5, 1), (7, 3), (2, 3, 4), (2, 3, 2, 5)]

each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def random(*shape: int, seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape))


def parameters(channels: int) -> list[Array]:
    """Return scale, shift, running mean and running variance."""
    gamma, beta, mean, deviation = (random(channels, seed=seed) for seed in (1, 2, 3, 4))
    return [gamma, beta, mean, deviation**2]


def assert_close(actual: Array, expected: Array, terms: int) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 32 * EPS * terms * max(1, np.abs(expected).max())


@each_shape
def test_batch_norm_gives_mean_zero_and_variance_one(shape: tuple[int, ...]) -> None:
    x = 3 * random(*shape) + 2
    zero, one = np.zeros(shape[-1]), np.ones(shape[-1])
    y, mean, inverse, variance = reference.batch_norm(x, one, zero, epsilon=0)
    samples = tuple(range(x.ndim - 1))
    assert_close(y.mean(axis=samples), zero, x.size)
    assert_close((y * y).mean(axis=samples), one, x.size)
    assert_close(mean, x.mean(axis=samples), x.size)
    assert_close(inverse, 1 / x.std(axis=samples), x.size)
    assert_close(variance, x.var(axis=samples), x.size)


@each_shape
def test_running_statistics_take_the_unbiased_variance(shape: tuple[int, ...]) -> None:
    x = random(*shape)
    gamma, beta, mean, var = parameters(shape[-1])
    samples = tuple(range(x.ndim - 1))
    _, batch_mean, _, batch_var = reference.batch_norm(x, gamma, beta)
    new_mean, new_var = reference.update_running(
        *(mean, var, batch_mean, batch_var), samples=x.size // shape[-1], momentum=0.25
    )
    assert_close(new_mean, 0.75 * mean + 0.25 * x.mean(axis=samples), x.size)
    assert_close(new_var, 0.75 * var + 0.25 * x.var(axis=samples, ddof=1), x.size)


@each_shape
def test_inference_uses_the_statistics_that_are_given(shape: tuple[int, ...]) -> None:
    x = random(*shape)
    gamma, beta, mean, var = parameters(shape[-1])
    y, inverse = reference.batch_norm_inference(x, gamma, beta, mean, var, epsilon=0.1)
    assert_close(inverse, 1 / np.sqrt(var + 0.1), 1)
    assert_close(y, gamma * (x - mean) / np.sqrt(var + 0.1) + beta, 1)


@each_shape
@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_batch_norm(shape: tuple[int, ...], training: bool) -> None:
    x, dy = random(*shape), random(*shape, seed=5)
    gamma, beta, mean, var = parameters(shape[-1])

    def f(x: Array = x, gamma: Array = gamma, beta: Array = beta) -> Array:
        if training:
            return reference.batch_norm(x, gamma, beta, epsilon=0.01)[0]
        return reference.batch_norm_inference(x, gamma, beta, mean, var, epsilon=0.01)[0]

    if training:
        _, mean, inverse, _ = reference.batch_norm(x, gamma, beta, epsilon=0.01)
    else:
        _, inverse = reference.batch_norm_inference(x, gamma, beta, mean, var, epsilon=0.01)
    dx, dgamma, dbeta = reference.batch_norm_backward(
        dy, x, gamma, mean, inverse, training=training
    )
    assert_close(dx, by_complex_step(lambda x: f(x=x), x, dy), x.size)
    assert_close(dgamma, by_complex_step(lambda gamma: f(gamma=gamma), gamma, dy), x.size)
    assert_close(dbeta, by_complex_step(lambda beta: f(beta=beta), beta, dy), x.size)


@each_shape
def test_the_gradient_of_batch_norm_knows_no_shift_and_no_scale(shape: tuple[int, ...]) -> None:
    # Adding to all samples, or multiplying them, changes nothing: dx stands at a right angle.
    x, dy = random(*shape), random(*shape, seed=5)
    gamma, beta, *_ = parameters(shape[-1])
    _, mean, inverse, _ = reference.batch_norm(x, gamma, beta, epsilon=0)
    dx, *_ = reference.batch_norm_backward(dy, x, gamma, mean, inverse)
    samples = tuple(range(x.ndim - 1))
    zero = np.zeros(shape[-1])
    assert_close(dx.sum(axis=samples), zero, x.size)
    assert_close((dx * (x - mean) * inverse).sum(axis=samples), zero, x.size)


@pytest.mark.parametrize("features", [1, 2], ids=["last axis", "last two axes"])
@each_shape
def test_gradients_of_layer_norm(shape: tuple[int, ...], features: int) -> None:
    if features == len(shape):
        return
    x, dy = random(*shape), random(*shape, seed=5)
    gamma, beta = random(*shape[-features:], seed=1), random(*shape[-features:], seed=2)

    def f(x: Array = x, gamma: Array = gamma, beta: Array = beta) -> Array:
        return reference.layer_norm(x, gamma, beta, epsilon=0.01)[0]

    _, mean, inverse = reference.layer_norm(x, gamma, beta, epsilon=0.01)
    dx, dgamma, dbeta = reference.layer_norm_backward(dy, x, gamma, mean, inverse)
    assert mean.shape == inverse.shape == shape[:-features]
    assert_close(dx, by_complex_step(lambda x: f(x=x), x, dy), x.size)
    assert_close(dgamma, by_complex_step(lambda gamma: f(gamma=gamma), gamma, dy), x.size)
    assert_close(dbeta, by_complex_step(lambda beta: f(beta=beta), beta, dy), x.size)


def test_layer_norm_is_the_batch_norm_of_the_transpose() -> None:
    x = random(4, 7)
    y, mean, inverse = reference.layer_norm(x, np.ones(7), np.zeros(7))
    zero, one = np.zeros(4), np.ones(4)
    y2, mean2, inverse2, *_ = reference.batch_norm(x.T, one, zero)
    assert_close(y, y2.T, 7)
    assert_close(mean, mean2, 7)
    assert_close(inverse, inverse2, 7)


def test_known_batch_norm() -> None:
    # Deviations 3 and 0: a channel that does not vary is divided by the root of epsilon alone.
    x = np.array([[1.0, 5.0], [7.0, 5.0]])
    y, mean, inverse, variance = reference.batch_norm(
        x, np.array([2.0, 4.0]), np.array([1.0, 3.0]), epsilon=16.0
    )
    running_mean, running_var = reference.update_running(
        np.zeros(2), np.ones(2), mean, variance, samples=2, momentum=0.5
    )
    np.testing.assert_array_equal(mean, [4, 5])
    np.testing.assert_array_equal(inverse, [1 / 5, 1 / 4])
    assert_close(y, np.array([[1 - 6 / 5, 3], [1 + 6 / 5, 3]]), 1)
    np.testing.assert_array_equal(running_mean, [2, 2.5])
    np.testing.assert_array_equal(running_var, [0.5 + 0.5 * 18, 0.5])


def test_a_single_sample_has_no_variance() -> None:
    zero, one = np.zeros(1), np.ones(1)
    y, mean, _, variance = reference.batch_norm(np.array([[4.0]]), one, one)
    running_mean, running_var = reference.update_running(
        zero, one, mean, variance, samples=1, momentum=0.5
    )
    assert y == 1
    assert running_mean == 2
    assert running_var == 0.5


def test_large_means_do_not_drown_the_variance() -> None:
    # As the mean of squares less the square of the mean, this variance would be lost.
    x = 1e8 + np.array([[-1.0], [1.0]])
    zero, one = np.zeros(1), np.ones(1)
    y, *_ = reference.batch_norm(x, one, zero, epsilon=0)
    np.testing.assert_array_equal(y.ravel(), [-1, 1])


@pytest.mark.parametrize("dtype", FLOATS)
def test_dtypes_are_kept(dtype: type) -> None:
    x: Any = random(6, 3).astype(dtype)
    gamma, beta, mean, var = (each.astype(dtype) for each in parameters(3))
    outputs = reference.batch_norm(x, gamma, beta)
    inference = reference.batch_norm_inference(x, gamma, beta, mean, var)
    running = reference.update_running(mean, var, outputs[1], outputs[3], samples=6)
    gradients = reference.batch_norm_backward(x, x, gamma, outputs[1], outputs[2])
    rows = reference.layer_norm(x, gamma, beta)
    row_gradients = reference.layer_norm_backward(x, x, gamma, rows[1], rows[2])
    found = {
        each.dtype for each in (*outputs, *inference, *running, *gradients, *rows, *row_gradients)
    }
    assert found == {np.dtype(dtype)}


def test_nan_stays_in_its_channel() -> None:
    x = random(4, 2)
    x[1, 0] = math.nan
    gamma, beta, *_ = parameters(2)
    y, *_ = reference.batch_norm(x, gamma, beta)
    assert np.isnan(y[:, 0]).all()
    assert np.isfinite(y[:, 1]).all()
