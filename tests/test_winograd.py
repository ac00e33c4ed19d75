"""Convolutions by Winograd's method: error, special numbers, the same bits, and where it is used.

`GYAKU_WINOGRAD=1` forces it on small problems.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import winograd_error as error
from conftest import guarded_copy, guarded_empty
from op_case import Array
from recorded import names, numbers, same_as_eager

from gyaku import _core, ops, reference
from gyaku.windows import conv_axes


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the method wherever it can be, and optimize programs."""
    monkeypatch.setenv("GYAKU_WINOGRAD", "1")
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


# Images, height and width, padding, channels, filters.
Problem = tuple[int, tuple[int, int], Any, int, int]
PROBLEMS: list[Problem] = [
    (1, (4, 4), 1, 1, 1),
    (1, (3, 3), 0, 5, 3),
    (2, (5, 7), 1, 16, 17),
    (3, (9, 6), 0, 7, 33),
    (1, (1, 13), "same", 17, 8),
    (2, (8, 8), ((2, 0), (0, 3)), 33, 40),
    (2, (3, 5), 4, 8, 8),
    (33, (6, 5), 1, 9, 67),
    (2, (16, 14), 1, 64, 64),
    (1, (7, 7), 1, 130, 72),
]
each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=str)


def arrays_of(problem: Problem) -> tuple[Array, Array, Array, dict[str, Any]]:
    """Return images, weights, a gradient of the outputs, and keywords."""
    n, size, padding, channels, filters = problem
    x, w = numbers(n, *size, channels), numbers(3, 3, channels, filters, seed=1)
    rows, columns = conv_axes("", x.shape, w.shape, padding=padding)
    dy = numbers(n, rows.windows, columns.windows, filters, seed=2)
    return x, w, dy, {"padding": padding}


def origin_of(problem: Problem) -> tuple[int, int]:
    """Return the first pixel of the first window."""
    x, w, _, where = arrays_of(problem)
    rows, columns = conv_axes("", x.shape, w.shape, **where)
    return -rows.before, -columns.before


def three(problem: Problem, x: Array, w: Array, dy: Array) -> tuple[Array, ...]:
    """Return outputs and gradients of all kinds."""
    where: dict[str, Any] = {"padding": problem[2]}
    y, dx = ops.conv2d(x, w, **where), ops.conv2d_backward_data(dy, w, problem[1], **where)
    return y, dx, *ops.conv2d_backward_weights(dy, x, 3, **where)


def same_bits(ours: tuple[Array, ...], theirs: tuple[Array, ...]) -> bool:
    return [each.tobytes() for each in ours] == [each.tobytes() for each in theirs]


# The error.

DATA: dict[str, Callable[[Array], Array]] = {
    "random": lambda x: x,
    "offset": lambda x: x + 1000,
    "alternating": lambda x: np.where(np.indices(x.shape).sum(axis=0) % 2, 1 + x, -1 - x),
    "one large pixel": lambda x: np.where(np.arange(x.size).reshape(x.shape) % 83, x, x * 1e6),
}


@pytest.mark.parametrize("data", DATA)
@each_problem
def test_errors_are_within_the_bound(problem: Problem, data: str, forced: None) -> None:
    x, w, dy, where = arrays_of(problem)
    x, dy = (DATA[data](each).astype(np.float32) for each in (x, dy))
    y, dx, dw, db = three(problem, x, w, dy)
    x, w, dy = (each.astype(np.float64) for each in (x, w, dy))
    top, left = origin_of(problem)
    off = np.abs(y - reference.conv2d(x, w, **where))
    assert (off <= error.of_outputs(x, w, y.shape, (top, left))).all()
    off = np.abs(dx - reference.conv2d_backward_data(dy, w, problem[1], **where))
    flipped = w[::-1, ::-1].swapaxes(2, 3)
    assert (off <= error.of_outputs(dy, flipped, dx.shape, (-2 - top, -2 - left))).all()
    wanted = reference.conv2d_backward_weights(dy, x, 3, **where)
    assert (np.abs(dw - wanted[0]) <= error.of_weights(dy, x, (top, left))).all()
    sums = np.abs(dy).sum(axis=(0, 1, 2))
    assert (np.abs(db - wanted[1]) <= dy[..., 0].size * error.UNIT * sums).all()


def test_the_bounds_in_the_documentation_hold_for_equal_magnitudes() -> None:
    # Relative to the sum of the magnitudes of all terms, without the number of roundings.
    for count, size, largest in ((4, 3, 63), (3, 4, 51)):
        ones = error.both_axes(error.of_pixels(), np.ones((6, 6)))
        ones = ones * error.both_axes(error.of_kernel(size), np.ones((size, size)))
        found = error.both_axes(error.of_sums(count), ones).max() / size**2
        assert largest - 1 < found < largest


def test_the_error_on_random_numbers_is_a_few_times_that_of_the_direct_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem: Problem = (4, (16, 16), 1, 64, 64)
    x, w, dy, where = arrays_of(problem)
    wide = [each.astype(np.float64) for each in (x, w, dy)]
    wanted = (
        reference.conv2d(*wide[:2], **where),
        reference.conv2d_backward_data(wide[2], wide[1], problem[1], **where),
        reference.conv2d_backward_weights(wide[2], wide[0], 3, **where)[0],
    )
    errors = []
    for wish in "01":
        monkeypatch.setenv("GYAKU_WINOGRAD", wish)
        found = three(problem, x, w, dy)[:3]
        errors.append([np.std(a - b) for a, b in zip(found, wanted, strict=True)])
    for direct, ours in zip(*errors, strict=True):
        assert ours < 4 * direct


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "elu"])
@pytest.mark.parametrize("samples", [2, 33])
def test_bias_and_activation(samples: int, activation: str | None, forced: None) -> None:
    x, w, b = numbers(samples, 6, 7, 12), numbers(3, 3, 12, 20, seed=1), numbers(20, seed=2)
    options: dict[str, Any] = {"padding": 1, "activation": activation}
    wide = (each.astype(np.float64) for each in (x, w, b))
    np.testing.assert_allclose(
        *(ops.conv2d(x, w, b, **options), reference.conv2d(*wide, **options)), atol=1e-4
    )
    painted = numbers(12, seed=3)
    y = numbers(samples, 6, 7, 20, seed=4)
    wide = (each.astype(np.float64) for each in (y, w, painted))
    np.testing.assert_allclose(
        ops.conv2d_transpose(y, w, painted, **options),
        reference.conv2d_transpose(*wide, **options),
        atol=1e-4,
    )


@each_problem
def test_gradients_are_those_of_the_same_bilinear_form(problem: Problem, forced: None) -> None:
    # <conv(x, w), dy> = <x, dx> = <w, dw>
    x, w, dy, _ = arrays_of(problem)
    y, dx, dw, _ = three(problem, x, w, dy)
    products = [np.vdot(a.astype(np.float64), b) for a, b in ((y, dy), (x, dx), (w, dw))]
    assert np.ptp(products) <= 1e-5 * np.linalg.norm(y) * np.linalg.norm(dy)


# Special numbers go where the direct way sends them.


def agrees_in_special_numbers(ours: Array, theirs: Array) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [(3, 5), (17, 70), (40, 16)])
@pytest.mark.parametrize("padding", [0, 1])
def test_special_numbers_go_where_the_window_sees_them(
    padding: int, channels: tuple[int, int], value: float, forced: None
) -> None:
    depth, filters = channels
    x, w = np.ones((2, 9, 10, depth), np.float32), np.ones((3, 3, depth, filters), np.float32)
    x[1, 4, 3, 0] = x[0, 0, 0, depth - 1] = value
    y = ops.conv2d(x, w, padding=padding)
    agrees_in_special_numbers(y, reference.conv2d(x, w, padding=padding))
    dy = np.ones_like(y)
    dy[0, 3, 2, filters - 1] = value
    dx = ops.conv2d_backward_data(dy, w, (9, 10), padding=padding)
    agrees_in_special_numbers(dx, reference.conv2d_backward_data(dy, w, (9, 10), padding=padding))
    x[1, 4, 3, 0] = 1
    wanted = reference.conv2d_backward_weights(dy, x, 3, padding=padding)
    for ours, theirs in zip(
        ops.conv2d_backward_weights(dy, x, 3, padding=padding), wanted, strict=True
    ):
        agrees_in_special_numbers(ours, theirs)


def test_a_weight_in_the_padding_is_left_out(forced: None) -> None:
    x, w = np.ones((1, 4, 1, 3), np.float32), np.ones((3, 3, 3, 9), np.float32)
    w[:, 0] = np.inf
    w[:, 2, :, 8] = np.nan
    np.testing.assert_array_equal(
        ops.conv2d(x, w, padding=1)[0, :, 0, 0], np.array([6, 9, 9, 6], np.float32)
    )


def test_sums_that_are_finite_do_not_overflow(forced: None) -> None:
    # Pixels at the points are up to twenty times as large as the largest.
    x, w, dy = numbers(2, 8, 8, 9), numbers(3, 3, 9, 12, seed=1), numbers(2, 8, 8, 12, seed=2)
    large, small = np.float32(2.0**124), np.float32(2.0**-6)
    for ours, theirs in (
        (ops.conv2d(x * large, w * small, padding=1), ops.conv2d(x, w, padding=1)),
        (
            ops.conv2d_backward_data(dy * large, w * small, (8, 8), padding=1),
            ops.conv2d_backward_data(dy, w, (8, 8), padding=1),
        ),
        (
            ops.conv2d_backward_weights(dy * small, x * large, 3, padding=1)[0],
            ops.conv2d_backward_weights(dy, x, 3, padding=1)[0],
        ),
    ):
        np.testing.assert_allclose(ours / large / small, theirs, atol=1e-3)


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
def test_a_tile_that_is_not_finite_has_bias_and_activation(
    activation: str | None, forced: None
) -> None:
    x, w, b = numbers(1, 6, 7, 12), numbers(3, 3, 12, 20, seed=1), numbers(20, seed=2)
    x[0, 1, 1, 5] = np.inf
    options: dict[str, Any] = {"padding": 1, "activation": activation}
    agrees_in_special_numbers(ops.conv2d(x, w, b, **options), reference.conv2d(x, w, b, **options))


def test_a_tile_that_is_not_finite_joins_a_branch(forced: None) -> None:
    x, w, branch = numbers(33, 6, 7, 12), numbers(3, 3, 12, 20, seed=1), numbers(33, 6, 7, 20)
    hidden, dz = numbers(33, 6, 7, 12, seed=2), numbers(33, 6, 7, 12, seed=3)
    x[32, 1, 1, 5], hidden[0, 3, 3, 1] = np.inf, np.nan

    def step() -> list[Array]:
        y = ops.relu(ops.add(ops.conv2d(x, w, padding=1), branch))
        dx = ops.add(ops.conv2d_backward_data(y, w, (6, 7), padding=1), dz)
        return [y, ops.relu_backward(dx, hidden)]

    program = same_as_eager(step, branch)
    assert names(program)[-1] == "conv2d_backward_data + add + relu_backward"
    assert not np.isfinite(step()[1]).all()


# The same bits.


@each_problem
def test_neither_threads_nor_repetition_change_a_bit(
    problem: Problem, set_threads: Callable[[int], None], forced: None
) -> None:
    x, w, dy, _ = arrays_of(problem)
    results = []
    for threads in (1, 2, 3, 1):
        set_threads(threads)
        results.append(three(problem, x, w, dy))
    assert all(same_bits(results[0], each) for each in results)


@pytest.mark.parametrize("value", [0.0, np.nan])
@pytest.mark.parametrize("samples", [5, 35])
def test_an_image_does_not_depend_on_its_neighbours(
    samples: int, value: float, forced: None
) -> None:
    x, w = numbers(samples, 6, 9, 8), numbers(3, 3, 8, 24, seed=1)
    y, dx = ops.conv2d(x, w, padding=1), ops.conv2d_backward_data(x, w.swapaxes(2, 3), (8, 11))
    x[:3] = value
    x[4:] = value
    one = ops.conv2d(x, w, padding=1), ops.conv2d_backward_data(x, w.swapaxes(2, 3), (8, 11))
    assert same_bits((y[3], dx[3]), (one[0][3], one[1][3]))


@pytest.mark.parametrize("samples", [5, 40])
def test_replay_equals_eager_on_any_number_of_threads(
    samples: int, set_threads: Callable[[int], None], forced: None
) -> None:
    x, w, b = numbers(samples, 9, 6, 20), numbers(3, 3, 20, 20, seed=1), numbers(20, seed=2)

    def step() -> list[Array]:
        hidden = ops.relu(ops.conv2d(x, w, b, padding=1))
        y = ops.tanh(ops.conv2d(hidden, w, padding=1))
        pooled, argmax = ops.max_pool2d(y, 2)
        dy = ops.tanh_backward(ops.max_pool2d_backward(pooled, argmax, (9, 6), 2), y)
        dz = ops.relu_backward(ops.conv2d_backward_data(dy, w, (9, 6), padding=1), hidden)
        above = ops.conv2d_backward_weights(dy, hidden, 3, padding=1)
        return [pooled, *above, *ops.conv2d_backward_weights(dz, x, 3, padding=1)]

    bits = []
    for threads in (1, 2, 3):
        set_threads(threads)
        x[...] = numbers(*x.shape)
        same_as_eager(step, x)
        bits.append([each.tobytes() for each in step()])
    assert bits[0] == bits[1] == bits[2]


@each_problem
def test_nothing_is_read_or_written_beyond_the_end(
    problem: Problem, forced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w, dy, _ = arrays_of(problem)
    expected = three(problem, x, w, dy)
    monkeypatch.setattr(_core, "empty", guarded_empty)
    assert same_bits(three(problem, *map(guarded_copy, (x, w, dy))), expected)


# The rule.


def differs(
    monkeypatch: pytest.MonkeyPatch, problem: Problem, dtype: Any = np.float32
) -> list[bool]:
    """Return whether outputs and gradients are computed by the method, if nothing forces it."""
    x, w, dy = (each.astype(dtype) for each in arrays_of(problem)[:3])
    monkeypatch.delenv("GYAKU_WINOGRAD", raising=False)
    chosen = three(problem, x, w, dy)[:3]
    monkeypatch.setenv("GYAKU_WINOGRAD", "0")
    direct = three(problem, x, w, dy)[:3]
    return [a.tobytes() != b.tobytes() for a, b in zip(chosen, direct, strict=True)]


def test_enough_channels_and_pixels_are_computed_by_the_method(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert differs(monkeypatch, (4, (16, 16), 1, 16, 16)) == [True] * 3
    assert differs(monkeypatch, (32, (7, 7), 1, 96, 64)) == [True] * 3
    for problem in ((4, (16, 16), 1, 8, 8), (32, (5, 5), 1, 64, 64), (1, (8, 8), 1, 64, 64)):
        assert differs(monkeypatch, problem) == [False] * 3
    assert differs(monkeypatch, (4, (16, 16), 1, 64, 64), np.float64) == [False] * 3


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((3, 3, 8, 8), {"stride": 2}),
        ((3, 3, 8, 8), {"dilation": 2}),
        ((3, 3, 4, 8), {"groups": 2}),
        ((3, 5, 8, 8), {}),
        ((1, 1, 8, 8), {}),
    ],
)
def test_others_are_direct_even_if_it_is_forced(
    shape: tuple[int, ...], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w = numbers(2, 9, 9, 8), numbers(*shape, seed=1)
    results = []
    for wish in "01":
        monkeypatch.setenv("GYAKU_WINOGRAD", wish)
        results.append(ops.conv2d(x, w, **options).tobytes())
    assert results[0] == results[1]
