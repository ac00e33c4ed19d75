"""Recurrent layers on several threads: slices of the batch, or of the units of few sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from recorded import Array, Step, names, record, same_as_eager
from recurrent_cases import GATES, RESULTS, SAVED, SHARED, drawn

import gyaku as gk
from gyaku import ops

THREADS = (1, 2, 3, 5)
STEPS = SHARED[1]
each_op = pytest.mark.parametrize("name", GATES)
each_layer = pytest.mark.parametrize("layer", [gk.SimpleRNN, gk.LSTM, gk.GRU])


def passes(name: str, size: tuple[int, int, int, int]) -> tuple[Step, Array]:
    """Return both passes through a layer as a step, and its sequences."""
    rng, dtype = np.random.default_rng(0), np.dtype(np.float32)
    arrays = drawn(name, rng, dtype, size, ("b", "h0", "lengths"))
    dy = rng.standard_normal((*size[:2], size[3])).astype(dtype)

    def step() -> Sequence[Array]:
        results = dict(zip(RESULTS[name], getattr(ops, name)(**arrays), strict=True))
        given = [dy, *(arrays[key] for key in "xwu"), *(results[key] for key in SAVED[name])]
        gradients = getattr(ops, f"{name}_backward")(*given, lengths=arrays["lengths"])
        return [*results.values(), *gradients]

    return step, arrays["x"]


@each_op
def test_few_sequences_share_each_step_among_the_threads(
    name: str, set_threads: Callable[[int], None]
) -> None:
    # The gradients begin with the first step's product behind the last one.
    for threads, forward, backward in ((1, 1, 1), (2, STEPS, STEPS + 1)):
        set_threads(threads)
        found = names(record(passes(name, SHARED)[0])[0])
        assert found.count("recurrent") == forward
        assert found.count("recurrent_backward") == backward


@pytest.mark.parametrize("size", [SHARED, (33, 3, 7, 20)], ids=["few", "many"])
@each_op
def test_threads_change_no_bit_of_a_replay(
    name: str, size: tuple[int, int, int, int], set_threads: Callable[[int], None]
) -> None:
    found = []
    for threads in THREADS:
        set_threads(threads)
        step, x = passes(name, size)
        same_as_eager(step, x)  # changes x, alike for all
        found.append([each.tobytes() for each in step()])
    assert found == found[:1] * len(THREADS)


@each_layer
def test_few_long_sequences_train_alike_on_any_number_of_threads(
    layer: Callable[..., gk.Layer], set_threads: Callable[[int], None]
) -> None:
    samples, steps, features, units = 8, 20, 3, 192
    x = np.random.default_rng(0).standard_normal((samples, steps, features)).astype(np.float32)
    found = []
    for threads in THREADS:
        set_threads(threads)
        model = gk.Sequential(layer(units), gk.Dense(1))
        model.fit(x, x[:, 0, :1], loss="mse", epochs=2, batch_size=4, seed=0, verbose=0)
        found.append(model.flat_params.tobytes())
    assert found == found[:1] * len(THREADS)
