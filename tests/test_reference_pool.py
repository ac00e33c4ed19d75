"""Is the mathematics of pooling right? Window loops, derivatives, the corner cases as numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from op_case import Array
from test_reference import EPS, FLOATS, by_complex_step, by_differences

from gyaku import reference
from gyaku.windows import pool_axes

Options = dict[str, Any]
INF, NAN = math.inf, math.nan


def settings(number: int) -> list[tuple[tuple[int, ...], tuple[int, int], Options]]:
    """Return shapes of images and windows, and keywords, that fit together."""
    rng = np.random.default_rng(0)

    def pair(low: int, high: int) -> tuple[int, int]:
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))

    found: list[tuple[tuple[int, ...], tuple[int, int], Options]] = []
    while len(found) < number:
        x_shape, window = (
            (int(rng.integers(1, 3)), *pair(1, 9), int(rng.integers(1, 4))),
            pair(1, 4),
        )
        half = [side // 2 for side in window]
        options: Options = {
            "stride": [None, pair(1, 4)][rng.integers(2)],
            "padding": [
                tuple((int(rng.integers(h + 1)), int(rng.integers(h + 1))) for h in half),
                "same",
                "valid",
            ][rng.integers(3)],
            "dilation": [1, pair(1, 3)][rng.integers(2)],
            "ceil_mode": bool(rng.integers(2)),
        }
        try:
            pool_axes("", x_shape, window, **options)
        except ValueError:
            continue
        found.append((x_shape, window, options))
    return found


each_setting = pytest.mark.parametrize(("x_shape", "window", "options"), settings(60), ids=str)
each_small = pytest.mark.parametrize(("x_shape", "window", "options"), settings(60)[::4], ids=str)
each_counting = pytest.mark.parametrize("count_include_pad", [False, True])


def different(*shape: int) -> Array:
    """Return elements of which no two are equal or near."""
    size = math.prod(shape)
    return np.random.default_rng(shape).permutation(size).reshape(shape) / 8.0


def without_dilation(options: Options) -> Options:
    return {key: value for key, value in options.items() if key != "dilation"}


def row(*numbers: float) -> Array:
    return np.array(numbers, np.float64).reshape(1, 1, -1, 1)


@each_setting
def test_a_maximum_is_the_first_largest_pixel_of_its_window(
    x_shape: tuple[int, ...], window: tuple[int, int], options: Options
) -> None:
    x = np.random.default_rng(x_shape).integers(-3, 4, x_shape).astype(float)
    x[np.random.default_rng(1).random(x_shape) < 0.05] = NAN
    rows, columns = pool_axes("", x_shape, window, **options)
    y, argmax = reference.max_pool2d(x, window, **options)
    assert y.shape == argmax.shape == (x_shape[0], rows.windows, columns.windows, x_shape[3])
    for n, o, p, c in np.ndindex(y.shape):
        best, place = -INF, -1
        for i, j in np.ndindex(window):
            h = o * rows.stride + i * rows.dilation - rows.before
            q = p * columns.stride + j * columns.dilation - columns.before
            if 0 <= h < x_shape[1] and 0 <= q < x_shape[2]:
                value = x[n, h, q, c]
                if place < 0 or value > best or (math.isnan(value) and not math.isnan(best)):
                    best, place = value, i * window[1] + j
        np.testing.assert_array_equal(y[n, o, p, c], best)
        assert argmax[n, o, p, c] == max(place, 0)


@each_setting
@each_counting
def test_a_mean_is_over_the_pixels_of_its_window(
    x_shape: tuple[int, ...], window: tuple[int, int], options: Options, count_include_pad: bool
) -> None:
    options = without_dilation(options)
    x = np.random.default_rng(x_shape).integers(-99, 100, x_shape).astype(float)
    rows, columns = pool_axes("", x_shape, window, **options)
    y = reference.avg_pool2d(x, window, count_include_pad=count_include_pad, **options)
    assert y.shape == (x_shape[0], rows.windows, columns.windows, x_shape[3])
    bottom, right = (rows.after, columns.after) if count_include_pad else (0, 0)
    top, left = (rows.before, columns.before) if count_include_pad else (0, 0)
    for n, o, p, c in np.ndindex(y.shape):
        seen = []
        for i, j in np.ndindex(window):
            h, q = o * rows.stride + i - rows.before, p * columns.stride + j - columns.before
            if -top <= h < x_shape[1] + bottom and -left <= q < x_shape[2] + right:
                inside = 0 <= h < x_shape[1] and 0 <= q < x_shape[2]
                seen.append(x[n, h, q, c] if inside else 0.0)
        assert y[n, o, p, c] == sum(seen) / len(seen)


@each_setting
@pytest.mark.parametrize("norm_type", [1, 2, 3, 2.5])
def test_a_norm_is_over_the_pixels_of_its_window(
    x_shape: tuple[int, ...], window: tuple[int, int], options: Options, norm_type: float
) -> None:
    options = without_dilation(options)
    x = np.random.default_rng(x_shape).integers(-9, 10, x_shape).astype(float)
    rows, columns = pool_axes("", x_shape, window, **options)
    y = reference.lp_pool2d(x, norm_type, window, **options)
    assert y.shape == (x_shape[0], rows.windows, columns.windows, x_shape[3])
    for n, o, p, c in np.ndindex(y.shape):
        total = 0.0
        for i, j in np.ndindex(window):
            h, q = o * rows.stride + i - rows.before, p * columns.stride + j - columns.before
            if 0 <= h < x_shape[1] and 0 <= q < x_shape[2]:
                total += abs(x[n, h, q, c]) ** norm_type
        assert y[n, o, p, c] == pytest.approx(total ** (1 / norm_type), rel=8 * EPS)


@each_small
@pytest.mark.parametrize("norm_type", [1, 2, 3, 2.5])
def test_gradient_of_a_norm(
    x_shape: tuple[int, ...], window: tuple[int, int], options: Options, norm_type: float
) -> None:
    options = without_dilation(options)
    x = different(*x_shape) + 1  # no element is zero, where the slope of |x| jumps
    x *= np.where(np.arange(x.size).reshape(x.shape) % 3, 1, -1)
    y = reference.lp_pool2d(x, norm_type, window, **options)
    dy = different(*y.shape)
    dx = reference.lp_pool2d_backward(dy, x, y, norm_type, window, **options)
    expected = by_differences(lambda x: reference.lp_pool2d(x, norm_type, window, **options), x, dy)
    scale = max(np.abs(dy).max(initial=0) * max(np.abs(x).max(initial=0), 1) * y.size, 1)
    assert np.abs(dx - expected).max(initial=0) <= 2 * EPS ** (2 / 3) * scale


@each_small
def test_gradient_of_a_maximum(
    x_shape: tuple[int, ...], window: tuple[int, int], options: Options
) -> None:
    x = different(*x_shape)
    y, argmax = reference.max_pool2d(x, window, **options)
    dy = different(*y.shape)
    empty = y == -INF
    dx = reference.max_pool2d_backward(dy, argmax, x_shape[1:3], window, **options)
    expected = by_differences(
        lambda x: np.where(empty, 0, reference.max_pool2d(x, window, **options)[0]), x, dy
    )
    bound = 16 * EPS ** (2 / 3) * np.abs(dy).max() * x.max(initial=1) * dy.size
    assert np.abs(dx - expected).max() <= bound


@each_small
@each_counting
def test_gradient_of_a_mean(
    x_shape: tuple[int, ...], window: tuple[int, int], options: Options, count_include_pad: bool
) -> None:
    options = without_dilation(options) | {"count_include_pad": count_include_pad}
    x = different(*x_shape)
    dy = different(*reference.avg_pool2d(x, window, **options).shape)
    dx = reference.avg_pool2d_backward(dy, x_shape[1:3], window, **options)
    expected = by_complex_step(lambda x: reference.avg_pool2d(x, window, **options), x, dy)
    assert np.abs(dx - expected).max() <= 8 * EPS * dy.sum()


@each_setting
def test_gradients_of_pooling_are_adjoints(
    x_shape: tuple[int, ...], window: tuple[int, int], options: Options
) -> None:
    # The products of maxima are multiples of 1/64, and so are their sums.
    x = different(*x_shape)
    y, argmax = reference.max_pool2d(x, window, **options)
    dy = np.where(y == -INF, 0, different(*y.shape))
    dx = reference.max_pool2d_backward(dy, argmax, x_shape[1:3], window, **options)
    assert (dx * x).sum() == (dy * np.where(y == -INF, 0, y)).sum()
    options = without_dilation(options)
    y = reference.avg_pool2d(x, window, **options)
    dy = different(*y.shape)
    dx = reference.avg_pool2d_backward(dy, x_shape[1:3], window, **options)
    assert math.isclose((dx * x).sum(), (dy * y).sum(), rel_tol=2 * dy.size * EPS)


@pytest.mark.parametrize(
    ("x", "options", "y", "argmax"),
    [
        # The first of equals wins, whatever the sign of a zero.
        (row(1, 3, 3, 2), {"kernel_size": (1, 4)}, [3], [1]),
        (row(-0.0, 0.0), {"kernel_size": (1, 2)}, [-0.0], [0]),
        # NaN wins over numbers, and the first NaN over the others.
        (row(INF, NAN, 5, NAN), {"kernel_size": (1, 4)}, [NAN], [1]),
        # Padding is minus infinity and never wins, not even over minus infinity.
        (row(-INF, -2), {"kernel_size": (1, 2), "padding": (0, 1)}, [-INF, -2], [1, 0]),
        # In ceil mode a last window may be cut ...
        (row(1, 2, 5, 4, 3), {"kernel_size": (1, 2), "ceil_mode": True}, [2, 5, 3], [1, 0, 0]),
        (row(1, 2, 5, 4, 3), {"kernel_size": (1, 2)}, [2, 5], [1, 0]),
        # ... by more than the image, if steps are long ...
        (row(7), {"kernel_size": (1, 3), "stride": 3, "ceil_mode": True}, [7], [0]),
        # ... but it may not start in the padding behind the image.
        (row(7), {"kernel_size": (1, 2), "padding": (0, 1), "ceil_mode": True}, [7], [1]),
        (
            row(1, 2, 3),
            {"kernel_size": (1, 2), "stride": 2, "padding": (0, 1), "ceil_mode": True},
            [1, 3],
            [1, 1],
        ),
        # A dilation leaves out the pixels between the kernel elements.
        (row(1, 9, 2, 8, 3), {"kernel_size": (1, 3), "dilation": 2}, [3], [2]),
        (row(1, 9, 2, 8, 3), {"kernel_size": (1, 2), "stride": 1, "dilation": 3}, [8, 9], [1, 0]),
        # These windows cover nothing but padding.
        (row(4), {"kernel_size": (1, 2), "dilation": (1, 2), "padding": (0, 1)}, [-INF], [0]),
        # "same" puts the odd one behind.
        (
            row(1, 2, 3, 4),
            {"kernel_size": (1, 2), "stride": 1, "padding": "same"},
            [2, 3, 4, 4],
            None,
        ),
    ],
)
def test_corner_cases_of_a_maximum(
    x: Array, options: Options, y: list[float], argmax: list[int] | None
) -> None:
    options = dict(options)
    maxima, places = reference.max_pool2d(x, options.pop("kernel_size"), **options)
    np.testing.assert_array_equal(maxima.ravel(), y)
    np.testing.assert_array_equal(np.signbit(maxima.ravel()), np.signbit(y))
    if argmax is not None:
        np.testing.assert_array_equal(places.ravel(), argmax)


@pytest.mark.parametrize(
    ("options", "y"),
    [
        ({"kernel_size": 2}, [1.5, 3.5]),
        ({"kernel_size": 2, "ceil_mode": True}, [1.5, 3.5, 5]),
        ({"kernel_size": 3, "stride": 1}, [2, 3, 4]),
        ({"kernel_size": 2, "padding": 1}, [1, 2.5, 4.5]),
        ({"kernel_size": 2, "padding": 1, "count_include_pad": True}, [0.5, 2.5, 4.5]),
        # Beyond the padding nothing counts: the last window shows two pixels and one zero.
        (
            {
                "kernel_size": 4,
                "stride": 2,
                "padding": 1,
                "ceil_mode": True,
                "count_include_pad": True,
            },
            [1.5, 3.5, 3],
        ),
        ({"kernel_size": 4, "stride": 2, "padding": 1, "ceil_mode": True}, [2, 3.5, 4.5]),
        ({"kernel_size": 3, "stride": 2, "padding": "same"}, [1.5, 3, 4.5]),
        (
            {"kernel_size": 3, "stride": 2, "padding": "same", "count_include_pad": True},
            [1, 3, 3],
        ),
    ],
)
def test_corner_cases_of_a_mean(options: Options, y: list[float]) -> None:
    options = dict(options)
    window, padding = (1, options.pop("kernel_size")), options.pop("padding", 0)
    padding = padding if isinstance(padding, str) else (0, padding)
    means = reference.avg_pool2d(row(1, 2, 3, 4, 5), window, padding=padding, **options)
    np.testing.assert_array_equal(means.ravel(), y)


def test_overlapping_windows_add_up_their_gradients() -> None:
    _, argmax = reference.max_pool2d(row(1, 5, 2, 4), (1, 3), stride=1)
    np.testing.assert_array_equal(argmax.ravel(), [1, 0])
    dx = reference.max_pool2d_backward(row(10, 1), argmax, (1, 4), (1, 3), stride=1)
    np.testing.assert_array_equal(dx.ravel(), [0, 11, 0, 0])
    dx = reference.avg_pool2d_backward(row(30, 3), (1, 4), (1, 3), stride=1)
    np.testing.assert_array_equal(dx.ravel(), [10, 11, 11, 1])


def test_a_window_of_padding_leads_its_gradient_nowhere() -> None:
    options: Options = {"dilation": (1, 2), "padding": (0, 1)}
    _, argmax = reference.max_pool2d(row(4), (1, 2), **options)
    dx = reference.max_pool2d_backward(row(1), argmax, (1, 1), (1, 2), **options)
    assert dx == 0


def test_the_number_of_a_kernel_element_gives_the_pixel() -> None:
    # The index of PyTorch and ONNX: rows * width + columns of the image.
    x = different(1, 6, 7, 2)
    y, argmax = reference.max_pool2d(x, (3, 2), stride=(1, 2), padding=(1, 0))
    i, j = np.divmod(argmax, 2)
    o, p = np.arange(6)[:, np.newaxis, np.newaxis], np.arange(3)[:, np.newaxis]
    index = (o * 1 - 1 + i) * 7 + p * 2 + j
    pixels = x.reshape(1, 42, 2)
    found = np.take_along_axis(pixels, index.reshape(1, -1, 2), axis=1)
    np.testing.assert_array_equal(found.reshape(y.shape), y)


@pytest.mark.parametrize(("window", "dtype"), [((16, 16), np.uint8), ((1, 257), np.int32)])
def test_a_kernel_element_is_numbered_in_a_byte_where_it_fits(
    window: tuple[int, int], dtype: type
) -> None:
    x = np.arange(256.0 * 257.0).reshape(1, 256, 257, 1)
    y, argmax = reference.max_pool2d(x, window)
    assert argmax.dtype == dtype
    assert (argmax == math.prod(window) - 1).all()
    np.testing.assert_array_equal(y, x[:, window[0] - 1 :: window[0], window[1] - 1 :: window[1]])


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 17)], ids=str)
def test_global_pooling_is_pooling_by_the_whole_image(size: tuple[int, int]) -> None:
    x = np.random.default_rng(size).integers(-3, 4, (2, *size, 3)).astype(float)
    x[0, -1, -1, 0] = NAN
    y, argmax = reference.global_max_pool2d(x)
    maxima, elements = reference.max_pool2d(x, size)
    np.testing.assert_array_equal(y, maxima[:, 0, 0])
    np.testing.assert_array_equal(argmax, elements[:, 0, 0])
    assert argmax.dtype == np.int32
    dy = different(2, 3)
    np.testing.assert_array_equal(
        reference.global_max_pool2d_backward(dy, argmax, size),
        reference.max_pool2d_backward(dy.reshape(2, 1, 1, 3), elements, size, size),
    )
    np.testing.assert_array_equal(
        reference.global_avg_pool2d(x), reference.avg_pool2d(x, size)[:, 0, 0]
    )
    np.testing.assert_array_equal(
        reference.global_avg_pool2d_backward(dy, size),
        reference.avg_pool2d_backward(dy.reshape(2, 1, 1, 3), size, size),
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_dtypes_are_kept(dtype: type) -> None:
    x = different(2, 5, 5, 3).astype(dtype)
    y, argmax = reference.max_pool2d(x, 2, padding=1, ceil_mode=True)
    mean = reference.avg_pool2d(x, 2, padding=1, ceil_mode=True)
    largest, place = reference.global_max_pool2d(x)
    gradients = [
        reference.max_pool2d_backward(y, argmax, (5, 5), 2, padding=1, ceil_mode=True),
        reference.avg_pool2d_backward(y, (5, 5), 2, padding=1, ceil_mode=True),
        reference.global_max_pool2d_backward(largest, place, (5, 5)),
        reference.global_avg_pool2d_backward(largest, (5, 5)),
    ]
    outputs = [y, mean, largest, reference.global_avg_pool2d(x), *gradients]
    assert {each.dtype for each in outputs} == {np.dtype(dtype)}


def test_an_empty_batch_stays_empty() -> None:
    x = np.zeros((0, 4, 4, 3))
    y, argmax = reference.max_pool2d(x, 2)
    assert y.shape == argmax.shape == reference.avg_pool2d(x, 2).shape == (0, 2, 2, 3)
    assert reference.max_pool2d_backward(y, argmax, (4, 4), 2).shape == x.shape
    assert reference.global_max_pool2d(x)[0].shape == reference.global_avg_pool2d(x).shape == (0, 3)
