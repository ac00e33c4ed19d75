"""Large arrays that are given back are used again: fresh pages cost more than most operations."""

from __future__ import annotations

import gc
import os
import threading

import numpy as np
import pytest

from gyaku import memory, ops


@pytest.mark.parametrize("numbers", [70_000, 2_000_000])
def test_a_large_result_takes_the_place_of_one_that_is_gone(numbers: int) -> None:
    x = np.ones(numbers, np.float32)
    y = ops.relu(x)
    place = y.ctypes.data
    kept = ops.relu(x)
    assert kept.ctypes.data != place
    del y
    gc.collect()
    again = ops.tanh(x)
    assert again.ctypes.data == place
    np.testing.assert_array_equal(kept, x)
    del again
    assert not memory.zeros((numbers,), np.float32).any()


def test_threads_never_get_the_same_place() -> None:
    wrong: list[int] = []

    def work(value: int) -> None:
        for _ in range(50):
            x = np.full(80_000, value, np.float32)
            y = ops.add(x, x)
            if (y != 2 * value).any():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_may_take_and_give_back() -> None:
    x = np.ones(100_000, np.float32)
    ops.relu(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if (ops.relu(x) == 1).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
