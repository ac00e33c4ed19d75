"""Is the mathematics of convolution right? Pixel loops, derivatives, adjoints, known numbers."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from op_case import Array
from test_reference import EPS, FLOATS, by_complex_step

from gyaku import reference
from gyaku.windows import conv_axes, transposed_conv_axes

Options = dict[str, Any]
Setting = tuple[tuple[int, ...], tuple[int, ...], Options]


def settings(number: int, *, transposed: bool = False) -> list[Setting]:
    """Return shapes of images and weights, and keywords, that fit together."""
    rng = np.random.default_rng(transposed)

    def pair(low: int, high: int) -> tuple[int, int]:
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))

    found: list[Setting] = []
    while len(found) < number:
        groups = int(rng.choice([1, 1, 2, 3]))
        depth, filters = int(rng.choice([1, 2, 5])), int(rng.choice([1, 2, 3]))
        options: Options = {
            "stride": pair(1, 3),
            "padding": [(pair(0, 3), pair(0, 3)), pair(0, 2), "same", "valid"][rng.integers(4)],
            "dilation": pair(1, 3),
            "groups": groups,
        }
        if transposed and options["padding"] != "same":
            options["output_padding"] = tuple(int(rng.integers(s)) for s in options["stride"])
        x_shape = (int(rng.integers(1, 3)), *pair(1, 9), groups * depth)
        last = (filters, groups * depth) if transposed else (depth, groups * filters)
        w_shape = (*pair(1, 4), *last)
        try:
            (transposed_conv_axes if transposed else conv_axes)("", x_shape, w_shape, **options)
        except ValueError:
            continue
        found.append((x_shape, w_shape, options))
    return found


each_setting = pytest.mark.parametrize(("x_shape", "w_shape", "options"), settings(60), ids=str)
each_small = pytest.mark.parametrize(("x_shape", "w_shape", "options"), settings(60)[::4], ids=str)
each_transposed = pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"), settings(30, transposed=True), ids=str
)


def random(*shape: int, seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape))


def integers(*shape: int) -> Array:
    """Return numbers whose sums are exact in any order."""
    return np.random.default_rng(shape).integers(-9, 10, shape).astype(np.float64)


def assert_close(actual: Array, expected: Array, scale: Array, terms: int) -> None:
    """Allow each of the two sums its rounding errors, where scale is the sum of the magnitudes."""
    assert actual.shape == expected.shape
    assert (np.abs(actual - expected) <= 2 * (terms + 2) * EPS * scale).all()


def by_pixels(x: Array, w: Array, options: Options) -> Array:
    """Return the convolution as the sum is written, an element at a time."""
    groups = options["groups"]
    rows, columns = conv_axes("", x.shape, w.shape, **options)
    depth, filters = w.shape[2], w.shape[3]
    y = np.zeros((len(x), rows.windows, columns.windows, filters), x.dtype)
    for n, o, p, k in np.ndindex(y.shape):
        first = k // (filters // groups) * depth
        for i, j, c in np.ndindex(w.shape[:3]):
            h = o * rows.stride + i * rows.dilation - rows.before
            q = p * columns.stride + j * columns.dilation - columns.before
            if 0 <= h < x.shape[1] and 0 <= q < x.shape[2]:
                y[n, o, p, k] += x[n, h, q, first + c] * w[i, j, c, k]
    return y


@each_setting
def test_convolution_is_the_sum_over_the_window(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: Options
) -> None:
    x, w = random(*x_shape), random(*w_shape)
    scale = reference.conv2d(np.abs(x), np.abs(w), **options)
    expected = by_pixels(x, w, options)
    assert_close(reference.conv2d(x, w, **options), expected, scale, math.prod(w_shape[:3]))


@each_small
def test_gradients_of_convolution(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: Options
) -> None:
    x, w, b = random(*x_shape), random(*w_shape), random(w_shape[3])
    y = reference.conv2d(x, w, b, **options)
    dy = random(*y.shape, seed=1)
    actual = reference.conv2d_backward(dy, x, w, **options)
    scales = reference.conv2d_backward(np.abs(dy), np.abs(x), np.abs(w), **options)
    expected = (
        by_complex_step(lambda x: reference.conv2d(x, w, b, **options), x, dy),
        by_complex_step(lambda w: reference.conv2d(x, w, b, **options), w, dy),
        by_complex_step(lambda b: reference.conv2d(x, w, b, **options), b, dy),
    )
    for gradient, wanted, scale in zip(actual, expected, scales, strict=True):
        assert_close(gradient, wanted, scale, y.size)


@each_setting
def test_gradients_are_adjoints(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: Options
) -> None:
    x, w = random(*x_shape), random(*w_shape)
    y = reference.conv2d(x, w, **options)
    dy = random(*y.shape, seed=1)
    dx, dw, db = reference.conv2d_backward(dy, x, w, **options)
    product = (dy * y).sum()
    scale = (np.abs(dy) * reference.conv2d(np.abs(x), np.abs(w), **options)).sum()
    terms = dy.size * math.prod(w_shape[:3])
    assert_close((dx * x).sum(), product, scale, terms)
    assert_close((dw * w).sum(), product, scale, terms)
    np.testing.assert_array_equal(db, dy.sum(axis=(0, 1, 2)))


@each_setting
def test_gradients_come_one_by_one(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: Options
) -> None:
    x, w = random(*x_shape), random(*w_shape)
    dy = random(*reference.conv2d(x, w, **options).shape, seed=1)
    dx, dw, db = reference.conv2d_backward(dy, x, w, **options)
    size, window = x_shape[1:3], w_shape[:2]
    alone = reference.conv2d_backward_data(dy, w, (size[0], size[1]), **options)
    np.testing.assert_array_equal(alone, dx)
    for gradient, wanted in zip(
        reference.conv2d_backward_weights(dy, x, window, **options), (dw, db), strict=True
    ):
        np.testing.assert_array_equal(gradient, wanted)


@each_transposed
def test_transposed_convolution_is_the_adjoint(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: Options
) -> None:
    x, w = random(*x_shape), random(*w_shape)
    y = reference.conv2d_transpose(x, w, **options)
    convolution = {key: value for key, value in options.items() if key != "output_padding"}
    z = random(*y.shape, seed=1)
    back = reference.conv2d(z, w, **convolution)
    # A padded output may have room for more windows than the input has pixels.
    back = back[:, : x_shape[1], : x_shape[2]]
    scale = (np.abs(z) * reference.conv2d_transpose(np.abs(x), np.abs(w), **options)).sum()
    assert_close((y * z).sum(), (x * back).sum(), scale, x.size * w.size)


@each_transposed
def test_gradients_of_transposed_convolution(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: Options
) -> None:
    x, w = random(*x_shape), random(*w_shape)
    b = random(w_shape[2] * options["groups"])
    y = reference.conv2d_transpose(x, w, b, **options)
    dy = random(*y.shape, seed=1)
    actual = reference.conv2d_transpose_backward(dy, x, w, **options)
    scales = reference.conv2d_transpose_backward(np.abs(dy), np.abs(x), np.abs(w), **options)
    expected = (
        by_complex_step(lambda x: reference.conv2d_transpose(x, w, b, **options), x, dy),
        by_complex_step(lambda w: reference.conv2d_transpose(x, w, b, **options), w, dy),
        by_complex_step(lambda b: reference.conv2d_transpose(x, w, b, **options), b, dy),
    )
    for gradient, wanted, scale in zip(actual, expected, scales, strict=True):
        assert_close(gradient, wanted, scale, y.size)


@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("size", [(7, 7), (8, 5)], ids=str)
def test_data_gradient_is_the_transposed_convolution(size: tuple[int, int], stride: Any) -> None:
    w = integers(3, 2, 2, 3)
    y = reference.conv2d(integers(1, *size, 2), w, stride=stride, padding=1)
    steps = (stride, stride) if isinstance(stride, int) else stride
    missing = [(s + 2 - k) % step for s, k, step in zip(size, (3, 2), steps, strict=True)]
    transposed = reference.conv2d_transpose(
        y, w, stride=stride, padding=1, output_padding=tuple(missing)
    )
    dx = reference.conv2d_backward_data(y, w, size, stride=stride, padding=1)
    np.testing.assert_array_equal(transposed, dx)


def test_groups_are_convolutions_side_by_side() -> None:
    x, w, b = integers(2, 5, 6, 6), integers(3, 3, 2, 9), integers(9)
    parts = [
        reference.conv2d(
            x[..., 2 * g : 2 * g + 2], w[..., 3 * g : 3 * g + 3], b[3 * g : 3 * g + 3], padding=1
        )
        for g in range(3)
    ]
    whole = reference.conv2d(x, w, b, padding=1, groups=3)
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=3))


def test_a_kernel_of_one_pixel_is_a_matrix_product() -> None:
    x, w, b = integers(2, 3, 4, 5), integers(5, 7), integers(7) / 8
    y = reference.conv2d(x, w.reshape(1, 1, 5, 7), b, activation="tanh")
    expected = reference.matmul(x.reshape(-1, 5), w, bias=b, activation="tanh")
    np.testing.assert_array_equal(y.reshape(-1, 7), expected)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_height_one_is_the_convolution_of_sequences(mode: Any) -> None:
    x, w = integers(8), integers(3)
    margin = {"full": (2, 2), "same": (1, 1), "valid": (0, 0)}[mode]
    y = reference.conv2d(x.reshape(1, 1, 8, 1), w[::-1].reshape(1, 3, 1, 1), padding=(0, margin))
    np.testing.assert_array_equal(y.ravel(), np.convolve(x, w, mode))


IMAGE = np.arange(1.0, 13.0).reshape(1, 3, 4, 1)
ONES = np.ones((2, 2, 1, 1))
BINARY = np.array([[1.0, 10.0], [100.0, 1000.0]]).reshape(2, 2, 1, 1)


@pytest.mark.parametrize(
    ("w", "options", "expected"),
    [
        (ONES, {}, [[14, 18, 22], [30, 34, 38]]),
        (BINARY, {}, [[6521, 7632, 8743], [10965, 12076, 13187]]),
        (BINARY, {"stride": 2}, [[6521, 8743]]),
        (BINARY, {"stride": (1, 3)}, [[6521], [10965]]),
        (BINARY, {"dilation": (1, 2)}, [[7531, 8642], [11975, 13086]]),
        (BINARY, {"dilation": (2, 3)}, [[12941]]),
        (
            BINARY,
            {"padding": ((1, 0), (0, 2)), "stride": 2},
            [[2100, 4300, 0], [10965, 13187, 0]],
        ),
        # An even window: the odd row and column of zeros come last.
        (
            BINARY,
            {"padding": "same"},
            [[6521, 7632, 8743, 804], [10965, 12076, 13187, 1208], [109, 120, 131, 12]],
        ),
        (BINARY, {"padding": "same", "stride": 2}, [[6521, 8743], [109, 131]]),
        # The windows do not reach the last row; nothing is padded.
        (np.ones((1, 1, 1, 1)), {"padding": "same", "stride": (2, 3)}, [[1, 4], [9, 12]]),
        (ONES, {"padding": "valid", "stride": 3}, [[14]]),
    ],
)
def test_known_convolutions(w: Array, options: Options, expected: Any) -> None:
    y = reference.conv2d(IMAGE, w, **options)
    np.testing.assert_array_equal(y[0, :, :, 0], expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]]),
        (
            {"stride": 2},
            [[1, 10, 2, 20], [100, 1000, 200, 2000], [3, 30, 4, 40], [300, 3000, 400, 4000]],
        ),
        ({"padding": ((1, 0), (0, 1))}, [[103, 1234], [300, 3400]]),
        (
            {"stride": (1, 3), "output_padding": (0, 1)},
            [[1, 10, 0, 2, 20, 0], [103, 1030, 0, 204, 2040, 0], [300, 3000, 0, 400, 4000, 0]],
        ),
        ({"dilation": (1, 2)}, [[1, 2, 10, 20], [103, 204, 1030, 2040], [300, 400, 3000, 4000]]),
        ({"padding": "same"}, [[1, 12], [103, 1234]]),
        # Wider steps than windows: pixels that no window covers are zero.
        (
            {"padding": "same", "stride": (1, 3)},
            [[1, 10, 0, 2, 20, 0], [103, 1030, 0, 204, 2040, 0]],
        ),
    ],
)
def test_known_transposed_convolutions(options: Options, expected: Any) -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    y = reference.conv2d_transpose(x, BINARY, **options)
    np.testing.assert_array_equal(y[0, :, :, 0], expected)


def test_depthwise_filters_follow_their_channel() -> None:
    x = np.array([1.0, 10.0]).reshape(1, 1, 1, 2)
    w = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4)
    np.testing.assert_array_equal(reference.conv2d(x, w, groups=2).ravel(), [1, 2, 30, 40])


@pytest.mark.parametrize("dtype", FLOATS)
def test_dtypes_are_kept(dtype: type) -> None:
    x, w, b = (random(*shape).astype(dtype) for shape in ((1, 4, 4, 2), (3, 3, 2, 2), (2,)))
    y = reference.conv2d(x, w, b, activation="tanh")
    image = reference.conv2d_transpose(y, w, b, activation="tanh")
    gradients = [
        *reference.conv2d_backward(y, x, w),
        *reference.conv2d_transpose_backward(image, y, w),
    ]
    assert {each.dtype for each in (y, image, *gradients)} == {np.dtype(dtype)}


def test_an_empty_batch_has_gradients_of_zero() -> None:
    x, w = np.zeros((0, 4, 4, 2)), random(3, 3, 2, 5)
    y = reference.conv2d(x, w)
    assert y.shape == (0, 2, 2, 5)
    dx, dw, db = reference.conv2d_backward(y, x, w)
    assert dx.shape == x.shape
    assert not dw.any()
    assert not db.any()


def test_infinities_and_nan_go_to_the_windows_that_cover_them() -> None:
    x = np.ones((1, 1, 6, 1))
    x[0, 0, 1], x[0, 0, 4] = np.inf, np.nan
    y = reference.conv2d(x, np.ones((1, 2, 1, 1))).ravel()
    np.testing.assert_array_equal(y, [np.inf, np.inf, 2, np.nan, np.nan])


def test_pixels_that_no_window_covers_have_no_gradient() -> None:
    dy = np.ones((1, 1, 2, 1))
    dx = reference.conv2d_backward_data(dy, np.ones((1, 2, 1, 1)), (1, 7), stride=(1, 3))
    np.testing.assert_array_equal(dx.ravel(), [1, 1, 0, 1, 1, 0, 0])


def test_forms_of_arguments_mean_the_same() -> None:
    x, w = random(1, 6, 6, 1), random(3, 3, 1, 1)
    expected = reference.conv2d(x, w, padding=((1, 1), (1, 1)), stride=(2, 2))
    for padding, stride in itertools.product((1, (1, 1), [1, 1], ((1, 1), 1)), (2, [2, 2])):
        y = reference.conv2d(x, w, padding=padding, stride=stride)
        np.testing.assert_array_equal(y, expected)
