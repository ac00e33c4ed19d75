"""Residual networks: what joins a normalisation or a convolution keeps every bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from recorded import Array, names, numbers, record, same_as_eager

import gyaku as gk
from gyaku import models, ops

THREADS = (1, 2, 3, 5)


@pytest.fixture(autouse=True)
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


def normalised(x: Array) -> Array:
    channels = x.shape[-1]
    y: Array = ops.batch_norm(x, numbers(channels, seed=2), numbers(channels, seed=3))[0]
    return y


SHAPES = [(40, 6, 7, 16), (40, 5, 5, 3), (9, 4, 8, 17), (33, 20)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_normalisation_adds_a_branch_and_rectifies_in_one_pass(shape: tuple[int, ...]) -> None:
    x, branch = numbers(*shape), numbers(*shape, seed=1)
    x[1, 0], branch[2, 0] = 5, np.nan
    program = same_as_eager(lambda: [ops.relu(ops.add(normalised(x), branch))], x)
    assert names(program)[-1] == "batch_norm + add + relu"
    program = same_as_eager(lambda: [ops.relu(normalised(x))], x)
    assert names(program)[-1] == "batch_norm + relu"


def test_two_normalised_branches_are_added_behind_the_second() -> None:
    x = numbers(40, 6, 7, 16)

    def step() -> list[Array]:
        first = normalised(x)
        return [ops.relu(ops.add(first, normalised(first)))]

    found = names(same_as_eager(step, x))
    assert "batch_norm" in found
    assert "batch_norm + add + relu" in found


def test_another_activation_of_a_normalisation_stays() -> None:
    x = numbers(40, 6, 7, 16)
    found = names(same_as_eager(lambda: [ops.tanh(normalised(x))], x))
    assert found[-2:] == ["batch_norm", "tanh"]


@pytest.mark.parametrize("elsewhere", [ops.tanh, lambda y: ops.add(y, y), ops.relu])
def test_a_normalisation_that_is_read_elsewhere_stays(elsewhere: Any) -> None:
    x = numbers(40, 6, 7, 16)

    def step() -> list[Array]:
        y = normalised(x)
        return [ops.add(y, x), elsewhere(y)]

    assert "batch_norm + add" not in names(same_as_eager(step, x))


def test_a_sum_with_itself_is_right() -> None:
    x, w = numbers(40, 6, 7, 4), numbers(3, 3, 4, 4, seed=1)

    def step() -> list[Array]:
        y = ops.conv2d(x, w, padding=1)
        return [ops.relu(ops.add(y, y))]

    same_as_eager(step, x)


def test_a_sum_that_replaces_the_branch_is_right() -> None:
    x, w, first = numbers(40, 6, 7, 4), numbers(3, 3, 4, 4, seed=1), numbers(40, 6, 7, 4, seed=2)
    branch = first.copy()

    def step() -> list[Array]:
        ops.add(first, first, out=branch)
        return [ops.add(ops.conv2d(x, w, padding=1), branch, out=branch)]

    same_as_eager(step, x)


@pytest.mark.parametrize("winograd", "01")
@pytest.mark.parametrize("images", [3, 40])
@pytest.mark.parametrize(
    "weights", [(3, 3, 16, 16), (3, 3, 4, 20), (1, 1, 8, 8), (5, 5, 2, 1)], ids=str
)
def test_a_convolution_adds_a_branch_before_its_epilogue(
    weights: tuple[int, ...], images: int, winograd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYAKU_WINOGRAD", winograd)
    *kernel, channels, filters = weights
    x, w = numbers(images, 9, 8, channels), numbers(*weights, seed=1)
    padding = (kernel[0] - 1) // 2
    ahead, behind = numbers(images, 9, 8, filters, seed=2), numbers(*x.shape, seed=3)

    def step() -> list[Array]:
        y = ops.relu(ops.add(ahead, ops.conv2d(x, w, numbers(filters), padding=padding)))
        dx = ops.conv2d_backward_data(y, w, (9, 8), padding=padding)
        return [y, ops.relu_backward(ops.add(behind, dx), behind)]

    found = names(same_as_eager(step, x))
    assert "conv2d + add + relu" in found
    if channels > 4:  # narrower images have kernels of their own
        assert "conv2d_backward_data + add + relu_backward" in found


def test_a_sum_is_pooled_behind_the_convolution() -> None:
    x, w = numbers(40, 8, 8, 4), numbers(3, 3, 4, 4, seed=1)

    def step() -> list[Array]:
        return [*ops.max_pool2d(ops.add(ops.conv2d(x, w, padding=1), x), 2)]

    assert "conv2d + add" in names(same_as_eager(step, x))


@pytest.mark.parametrize("shape", [(40, 7, 7, 16), (40, 37, 3), (33, 24, 24, 8)], ids=str)
def test_sums_over_a_batch_go_with_the_samples(
    shape: tuple[int, ...], set_threads: Callable[[int], None]
) -> None:
    set_threads(2)
    x = numbers(*shape)

    def step() -> list[Array]:
        z = ops.tanh(x)
        gamma = numbers(shape[-1], seed=2)
        y, mean, inverse, variance = ops.batch_norm(z, gamma, gamma)
        return [variance, *ops.batch_norm_backward(ops.tanh(y), z, gamma, mean, inverse)]

    program, _ = record(step)
    levels = {task["name"]: task["level"] for task in program.tasks()}
    assert levels["batch_statistics"] == 0  # no barrier between it and the task before
    assert levels["norm_sums"] == levels["batch_norm"]
    bits = set()
    for threads in THREADS:
        set_threads(threads)
        bits.add(b"".join(each.tobytes() for each in step()))
    assert len(bits) == 1
    same_as_eager(step, x)


def test_batches_of_different_sizes_between_two_barriers_are_computed_whole() -> None:
    few, many = numbers(20, 8, 8, 64), numbers(40, 8, 8, 64, seed=1)
    program = same_as_eager(lambda: [ops.max_pool2d(each, 2)[0] for each in (few, many)], many)
    tasks = [(task["extent"], task["level"], task["shared"]) for task in program.tasks()]
    assert tasks == [(20, 0, True), (40, 0, True)]


def trained() -> gk.Model:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (100, 12, 12, 3)).astype(np.uint8)
    y = random.integers(0, 4, 100)
    model = models.resnet(8, 8, classes=4)
    model.fit(x, y, loss="softmax_cross_entropy", batch_size=40, epochs=2, verbose=0)
    return model


def state(model: gk.Model) -> bytes:
    return model.flat_params.tobytes() + model.flat_buffers.tobytes()


def test_a_residual_network_learns_the_same_on_any_number_of_threads(
    set_threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bits = set()
    for threads in THREADS:
        set_threads(threads)
        bits.add(state(trained()))
    monkeypatch.setenv("GYAKU_OPTIMIZE", "0")
    bits.add(state(trained()))
    assert len(bits) == 1


def test_every_sum_and_rectifier_of_a_residual_network_joins_another_task() -> None:
    found = str(trained().program())
    assert "batch_norm + add + relu" in found
    assert "conv2d_backward_data + add + relu_backward" in found
