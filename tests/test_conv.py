"""Convolutions as people use them: where results go, what is recorded, refused and passed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from op_case import DTYPES, Array, DType
from recorded import names, numbers, record, same_as_eager

import gyaku as gk
from gyaku import ops, reference

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@pytest.fixture
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


def ones(*shape: int, dtype: Any = np.float32) -> Array:
    return np.ones(shape, dtype)


# Results.


@each_dtype
def test_results_land_in_the_arrays_that_were_given(dtype: DType) -> None:
    x, w, b = (numbers(*shape).astype(dtype) for shape in ((2, 5, 6, 3), (3, 3, 3, 7), (7,)))
    y = ops.conv2d(x, w, b, padding=1)
    for wanted, call in (
        (y, lambda out: ops.conv2d(x, w, b, padding=1, out=out)),
        (
            ops.conv2d_backward_data(y, w, (5, 6), padding=1),
            lambda out: ops.conv2d_backward_data(y, w, (5, 6), padding=1, out=out),
        ),
        (
            ops.conv2d_transpose(y, w, padding=1),
            lambda out: ops.conv2d_transpose(y, w, padding=1, out=out),
        ),
    ):
        out = np.empty_like(wanted)
        assert call(out) is out
        assert out.tobytes() == wanted.tobytes()


@each_dtype
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_gradients_land_in_the_arrays_that_were_given(backend: Any, dtype: DType) -> None:
    x, w = (numbers(*shape).astype(dtype) for shape in ((2, 5, 6, 3), (3, 3, 3, 7)))
    with gk.use_backend(backend):
        y = ops.conv2d(x, w)
        both = ops.conv2d_backward_weights(y, x, 3)
        every = ops.conv2d_backward(y, x, w)
        painted = ops.conv2d_transpose_backward(x, y, w)
        dw, db = np.empty_like(w), np.empty(7, dtype)
        found = ops.conv2d_backward_weights(y, x, (3, 3), out=(dw, db))
        assert found[0] is dw
        assert found[1] is db
        assert (dw.tobytes(), db.tobytes()) == (both[0].tobytes(), both[1].tobytes())
        dx = np.empty_like(x)
        assert ops.conv2d_backward(y, x, w, out=(dx, None, db))[0] is dx
        assert dx.tobytes() == every[0].tobytes()
        dx = np.empty_like(y)
        assert ops.conv2d_transpose_backward(x, y, w, out=(dx, None, None))[0] is dx
        assert dx.tobytes() == painted[0].tobytes()


def test_gradients_together_are_those_one_by_one() -> None:
    x, w = numbers(2, 5, 6, 3), numbers(3, 3, 3, 7)
    y = ops.conv2d(x, w, stride=2)
    dx, dw, db = ops.conv2d_backward(y, x, w, stride=2)
    assert dx.tobytes() == ops.conv2d_backward_data(y, w, (5, 6), stride=2).tobytes()
    alone = ops.conv2d_backward_weights(y, x, (3, 3), stride=2)
    assert (dw.tobytes(), db.tobytes()) == (alone[0].tobytes(), alone[1].tobytes())


def test_gradients_of_images_that_are_converted_are_recorded_once() -> None:
    # Several kernels: the first one may not run before it is known that all of them can.
    x, w, y = numbers(2, 5, 6, 6)[..., ::2], numbers(3, 3, 3, 7), numbers(2, 3, 4, 7)
    places = np.empty(x.shape, np.float32), np.empty_like(w), np.empty(7, np.float32)
    program, _ = record(lambda: ops.conv2d_backward(y, x, w, out=places))
    assert names(program).count("conv2d_backward_data") == 1
    size = ops.conv2d_transpose(y, w).shape
    dy = numbers(*size[:3], 2 * size[3])[..., ::2]
    places = np.empty_like(y), np.empty_like(w), np.empty(3, np.float32)
    program, _ = record(lambda: ops.conv2d_transpose_backward(dy, y, w, out=places))
    assert names(program).count("conv2d") == 1


def test_two_precisions_give_the_higher_one() -> None:
    x, w = ones(1, 3, 3, 1, dtype=np.float64), ones(2, 2, 1, 1)
    assert ops.conv2d(x, w).dtype == np.float64
    assert {each.dtype for each in ops.conv2d_backward(ones(1, 2, 2, 1), x, w)} == {x.dtype}


def test_lists_are_images_too() -> None:
    y = ops.conv2d([[[[1.0], [2.0]]]], [[[[3.0]]]], [1.0], activation="relu")
    np.testing.assert_array_equal(y, [[[[4.0], [7.0]]]])


# Special numbers: they go where a window sees them, and what lies in the padding is no number.


@each_dtype
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("window", [(3, 2), (3, 3), (2, 5)])
@pytest.mark.parametrize(
    "channels", [(1, 1, 1), (1, 20, 1), (3, 20, 1), (17, 5, 1), (20, 18, 1), (1, 1, 9), (2, 3, 2)]
)
def test_special_numbers_go_where_the_window_sees_them(
    channels: tuple[int, int, int], window: tuple[int, int], value: float, dtype: DType
) -> None:
    depth, filters, groups = channels
    x, w = (
        ones(2, 6, 7, depth * groups, dtype=dtype),
        ones(*window, depth, filters * groups).astype(dtype),
    )
    x[1, 2, 3, 0] = value
    where: dict[str, Any] = {"padding": (1, 0), "groups": groups}
    y = ops.conv2d(x, w, **where)
    np.testing.assert_array_equal(y, reference.conv2d(x, w, **where))
    dy = np.ones_like(y)
    dy[0, 3, 2, 0] = value
    dx = ops.conv2d_backward_data(dy, w, (6, 7), **where)
    np.testing.assert_array_equal(dx, reference.conv2d_backward_data(dy, w, (6, 7), **where))
    gradients = ops.conv2d_backward_weights(dy, x, window, **where)
    wanted = reference.conv2d_backward_weights(dy, x, window, **where)
    for ours, theirs in zip(gradients, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_padding_is_left_out_of_the_sum() -> None:
    w = np.array([np.inf, 1.0, np.nan], np.float32).reshape(1, 3, 1, 1)
    y = ops.conv2d(ones(1, 1, 1, 1), w, padding=(0, 1))
    np.testing.assert_array_equal(y, [[[[1.0]]]])


# Programs.


def backward(dy: Array, x: Array, w: Array, **where: Any) -> Sequence[Array]:
    return [
        ops.conv2d_backward_data(dy, w, (x.shape[1], x.shape[2]), **where),
        *ops.conv2d_backward_weights(dy, x, w.shape[:2], **where),
    ]


WEIGHTS = {
    "wide": ((5, 5, 3, 20), (3, 3, 20, 18)),
    "one pixel": ((1, 1, 3, 20), (1, 1, 20, 18)),
    "one channel": ((5, 5, 3, 1), (3, 3, 1, 18)),
}


@pytest.mark.parametrize("samples", [5, 40])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_replay_of_two_layers_equals_eager_on_any_number_of_threads(
    weights: str, samples: int, set_threads: Callable[[int], None], optimized: None
) -> None:
    x = numbers(samples, 12, 11, 3)
    first, second = (numbers(*shape, seed=1) for shape in WEIGHTS[weights])
    bias = numbers(first.shape[3], seed=2)

    def step() -> list[Array]:
        hidden = ops.relu(ops.conv2d(x, first, bias, padding=1))
        y = ops.tanh(ops.conv2d(hidden, second, stride=2))
        dy = ops.tanh_backward(y, y)
        dhidden, *above = backward(dy, hidden, second, stride=2)
        dz = ops.relu_backward(dhidden, hidden)
        return [y, *above, *backward(dz, x, first, padding=1)]

    bits = []
    for threads in (1, 2, 3):
        set_threads(threads)
        x[...] = numbers(*x.shape)
        same_as_eager(step, x)
        bits.append([each.tobytes() for each in step()])
    assert bits[0] == bits[1] == bits[2]


@pytest.mark.parametrize(("channels", "filters"), [(1, 20), (20, 9), (20, 18)])
def test_weight_gradients_are_the_same_on_any_number_of_threads(
    channels: int, filters: int, set_threads: Callable[[int], None]
) -> None:
    x, dy = numbers(3, 17, 28, channels), numbers(3, 17, 28, filters, seed=1)
    bits = []
    for threads in (1, 2, 3):
        set_threads(threads)
        gradients = ops.conv2d_backward_weights(dy, x, (5, 5), padding=2)
        bits.append([each.tobytes() for each in gradients])
    assert bits[0] == bits[1] == bits[2]


@pytest.mark.parametrize(
    ("shape", "options"),
    [((3, 3, 4, 6), {}), ((3, 3, 1, 4), {"groups": 4}), ((1, 1, 4, 6), {}), ((3, 3, 4, 1), {})],
)
@pytest.mark.parametrize("samples", [3, 40])
def test_an_activation_and_a_derivative_of_a_private_convolution_are_part_of_it(
    samples: int, shape: tuple[int, ...], options: dict[str, Any], optimized: None
) -> None:
    x, w = numbers(samples, 6, 5, 4), numbers(*shape, seed=1)
    saved = numbers(*x.shape, seed=2)

    def step() -> list[Array]:
        y = ops.tanh(ops.conv2d(x, w, **options))
        dx = ops.conv2d_backward_data(y, w, (6, 5), **options)
        return [y, ops.sigmoid_backward(dx, saved)]

    found = names(same_as_eager(step, x))
    assert "conv2d + tanh" in found
    assert "conv2d_backward_data + sigmoid_backward" in found


def test_a_convolution_that_is_read_elsewhere_stays(optimized: None) -> None:
    x, w = numbers(3, 6, 5, 4), numbers(3, 3, 4, 6, seed=1)

    def step() -> list[Array]:
        z = ops.conv2d(x, w)
        return [ops.tanh(z), ops.softmax(z)]

    assert "conv2d + tanh" not in names(same_as_eager(step, x))


def test_a_convolution_carries_its_images_on_without_a_barrier(
    set_threads: Callable[[int], None], optimized: None
) -> None:
    set_threads(2)
    x, w = numbers(64, 16, 16, 8), numbers(3, 3, 8, 8, seed=1)

    def step() -> list[Array]:
        y = ops.conv2d(ops.silu(x), w, padding=1)
        return [ops.gelu(y), ops.conv2d(y, w, padding=1)]

    program, _ = record(step)
    assert {(task["name"], task["level"]) for task in program.tasks()} == {
        *(("silu", 0), ("pack", 0), ("conv2d", 1), ("gelu", 1)),
    }


def test_packed_weights_and_partial_sums_share_the_arena(optimized: None) -> None:
    x, w = numbers(64, 16, 16, 8), numbers(3, 3, 8, 8, seed=1)

    def step() -> Sequence[Array]:
        dy = ops.conv2d(x, w, padding=1)
        return backward(dy, x, w, padding=1)

    program = same_as_eager(lambda: list(step()), x)
    partial = next(task for task in program.tasks() if task["name"] == "add_parts")["reads"][0][1]
    assert 0 < program.arena_bytes < program.temporary_bytes
    assert program.temporary_bytes > partial
