"""Pooling as a whole: geometries by the hundred, derivatives, replay, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from errors import Mistake, refused_in_one_sentence
from op_case import DTYPES, Array, DType
from recorded import names, record
from test_reference import by_differences
from test_reference_pool import settings

from gyaku import _core, ops, reference

Options = dict[str, Any]
PRIMES = (1, 2, 3, 5, 7, 11, 13, 17, 19, 37)
SETTINGS = settings(200)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def images(number: int, dtype: Any) -> tuple[Array, tuple[int, int], Options]:
    """Return images of a prime number of channels, often equal numbers, some of them special."""
    (n, h, w, _), window, options = SETTINGS[number]
    shape = ((n, 9)[number % 3 == 0], h, w, PRIMES[number % len(PRIMES)])
    rng = np.random.default_rng(number)
    x = rng.integers(-3, 4, shape).astype(dtype)
    for special in (np.nan, np.inf, -np.inf, -0.0):
        x[rng.random(shape) < 0.02] = special
    return x, window, options


def same(actual: Array, expected: Array, what: str) -> None:
    assert actual.dtype == expected.dtype, what
    np.testing.assert_array_equal(actual, expected, err_msg=what)


@each_dtype
def test_native_maxima_are_those_of_the_reference(dtype: DType) -> None:
    for number in range(len(SETTINGS)):
        x, window, options = images(number, dtype)
        y, argmax = ops.max_pool2d(x, window, **options)
        expected, taps = reference.max_pool2d(x, window, **options)
        what = f"setting {number}: {x.shape}, window {window}, {options}"
        same(y, expected, what)
        same(np.signbit(y), np.signbit(expected), what)
        same(argmax, taps, what)
        # Whole numbers, whose sums are the same in any order.
        dy = np.random.default_rng(number).integers(-99, 99, y.shape).astype(dtype)
        same(
            ops.max_pool2d_backward(dy, argmax, x.shape[1:3], window, **options),
            reference.max_pool2d_backward(dy, argmax, x.shape[1:3], window, **options),
            what,
        )


@each_dtype
def test_native_means_are_those_of_the_reference(dtype: DType) -> None:
    eps, compared = np.finfo(dtype).eps, 0
    for number in range(len(SETTINGS)):
        x, window, options = images(number, dtype)
        options = {key: value for key, value in options.items() if key != "dilation"}
        options["count_include_pad"] = number % 2 == 0
        try:
            y = ops.avg_pool2d(x, window, **options)
        except ValueError:  # without its dilation, the window may have other padding
            continue
        what = f"setting {number}: {x.shape}, window {window}, {options}"
        expected = reference.avg_pool2d(x, window, **options)
        dy = np.random.default_rng(number).integers(-99, 99, y.shape).astype(dtype)
        dx = ops.avg_pool2d_backward(dy, x.shape[1:3], window, **options)
        expected_dx = reference.avg_pool2d_backward(dy, x.shape[1:3], window, **options)
        np.testing.assert_allclose(y, expected, rtol=8 * eps, atol=64 * eps, err_msg=what)
        np.testing.assert_allclose(dx, expected_dx, rtol=8 * eps, atol=99 * 32 * eps, err_msg=what)
        compared += 1
    assert compared > 0.9 * len(SETTINGS)


@pytest.mark.parametrize("number", range(0, len(SETTINGS), 10))
def test_native_gradients_are_derivatives(number: int) -> None:
    (n, h, w, c), window, options = SETTINGS[number]
    rng = np.random.default_rng(number)
    x = rng.permutation(n * h * w * c).reshape(n, h, w, c) / 8.0
    y, argmax = ops.max_pool2d(x, window, **options)
    dy = np.where(y == -np.inf, 0, rng.standard_normal(y.shape))
    dx = ops.max_pool2d_backward(dy, argmax, (h, w), window, **options)

    def finite(x: Array) -> Array:
        y = ops.max_pool2d(x, window, **options)[0]
        return np.where(y == -np.inf, 0, y)

    bound = 64 * np.finfo(float).eps ** (2 / 3) * max(np.abs(dy).max(), 1) * max(x.max(), 1)
    assert np.abs(dx - by_differences(finite, x, dy)).max() <= bound * max(dy.size, 1)


@pytest.mark.parametrize("size", [4, 5])
def test_what_no_window_sees_has_no_gradient(size: int) -> None:
    # Memory that was used before, so that what is not written shows.
    for _ in range(3):
        used = _core.empty((2, size, size, 3), np.float32)
        used[...] = np.nan
        del used
    dy = np.ones((2, 2, 2, 3), np.float32)
    _, argmax = ops.max_pool2d(np.zeros((2, size, size, 3), np.float32), 2)
    dx = ops.max_pool2d_backward(dy, argmax, (size, size), 2)
    assert dx.sum() == dy.size
    assert not dx[:, 4:].any()
    assert not dx[:, :, 4:].any()


def step(x: Array) -> list[Array]:
    """Pool twice and go back, sample by sample."""
    y, argmax = ops.max_pool2d(x, 2)
    z = ops.avg_pool2d(y, 3, stride=1, padding=1)
    top, pixels = ops.global_max_pool2d(z)
    mean = ops.global_avg_pool2d(z)
    dz = ops.add(
        ops.global_max_pool2d_backward(top, pixels, z.shape[1:3]),
        ops.global_avg_pool2d_backward(mean, z.shape[1:3]),
    )
    dy = ops.avg_pool2d_backward(dz, y.shape[1:3], 3, stride=1, padding=1)
    return [ops.max_pool2d_backward(dy, argmax, x.shape[1:3], 2), mean]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("samples", [1, 7, 33])
def test_replay_equals_eager_on_any_number_of_threads(
    samples: int, dtype: Any, set_threads: Callable[[int], None]
) -> None:
    x = np.random.default_rng(samples).standard_normal((samples, 25, 24, 13)).astype(dtype)
    program, results = record(lambda: step(x))
    assert not any(task["host"] for task in program.tasks())
    x[...] = x[:, ::-1]
    expected = [each.tobytes() for each in step(x)]
    for threads in (1, 2, 3):
        set_threads(threads)
        for each in results:
            each[...] = 0
        _core.replay([(program, 2)])
        assert [each.tobytes() for each in results] == expected
        assert [each.tobytes() for each in step(x)] == expected


def test_poolings_over_the_same_samples_need_no_barrier() -> None:
    x = np.zeros((33, 25, 24, 13), np.float32)
    program, _ = record(lambda: step(x))
    assert {task["level"] for task in program.tasks()} == {0}
    assert "max_pool2d_backward" in names(program)


IMAGE, DY = np.ones((2, 4, 4, 3), np.float32), np.ones((2, 2, 2, 3), np.float32)
TAPS = np.zeros((2, 2, 2, 3), np.uint8)
MISTAKES: list[Mistake] = [
    (
        ValueError,
        "max_pool2d: input must have shape (samples, h, w, channels), got (4, 4, 3)",
        lambda: ops.max_pool2d(IMAGE[0], 2),
    ),
    (
        ValueError,
        (
            "max_pool2d: a window of 5 x 5 is larger than the padded image of 4 x 4, with padding 0"
            " (input (2, 4, 4, 3), kernel_size 5)"
        ),
        lambda: ops.max_pool2d(IMAGE, 5),
    ),
    (
        TypeError,
        "avg_pool2d: x must be real numbers, got dtype <U1",
        lambda: ops.avg_pool2d("x", 2),
    ),
    (
        ValueError,
        (
            "avg_pool2d: padding must be less than the kernel of 2 x 2, got padding 2"
            " (input (2, 4, 4, 3), kernel_size 2)"
        ),
        lambda: ops.avg_pool2d(IMAGE, 2, padding=2),
    ),
    (
        ValueError,
        "avg_pool2d: divisor_override must not be 0",
        lambda: ops.avg_pool2d(IMAGE, 2, divisor_override=0),
    ),
    (
        ValueError,
        "max_pool2d_backward: dy must have shape (2, 2, 2, 3), got (2, 3, 2, 3)",
        lambda: ops.max_pool2d_backward(np.ones((2, 3, 2, 3)), TAPS, (4, 4), 2),
    ),
    (
        ValueError,
        "max_pool2d_backward: argmax must have shape (2, 2, 2, 3), got (2, 2, 2, 2)",
        lambda: ops.max_pool2d_backward(DY, TAPS[..., 1:], (4, 4), 2),
    ),
    (
        TypeError,
        "max_pool2d_backward: argmax must be integers, got dtype float32",
        lambda: ops.max_pool2d_backward(DY, DY, (4, 4), 2),
    ),
    (
        ValueError,
        "avg_pool2d_backward: size must be at least 1, got (0, 4)",
        lambda: ops.avg_pool2d_backward(DY, (0, 4), 2),
    ),
    (
        ValueError,
        "global_max_pool2d: an image of 0 x 4 has no pixels (input (2, 0, 4, 3))",
        lambda: ops.global_max_pool2d(np.ones((2, 0, 4, 3))),
    ),
    (
        ValueError,
        "global_avg_pool2d_backward: dy must have shape (samples, channels), got (2, 2, 2, 3)",
        lambda: ops.global_avg_pool2d_backward(DY, (4, 4)),
    ),
]
test_a_mistake_is_refused_in_one_sentence = refused_in_one_sentence(MISTAKES)
