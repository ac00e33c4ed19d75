"""Steps that are recorded as programs, for the tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyaku import _core

M, K, N = 48, 40, 36
Array = NDArray[Any]
Step = Callable[[], Sequence[Array]]


def fresh(*shape: int) -> Array:
    """Return memory that belongs to a program if it is recording."""
    return _core.empty(shape, np.float32)


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def record(step: Step, *, keep: bool = True) -> tuple[Any, Sequence[Array]]:
    """Record a step and return its program and what the step returned, which is kept if asked."""
    program = _core.Program()
    program.begin()
    try:
        results = step()
    except BaseException:
        program.abort()
        raise
    program.end(results if keep else ())
    return program, results


def names(program: Any) -> list[str]:
    return [task["name"] for task in program.tasks()]


def same_as_eager(step: Step, changing: Array) -> Any:
    """Hold a replay on other numbers against the calls themselves, and return the program."""
    program, results = record(step)
    changing[...] = numbers(*changing.shape, seed=9)
    _core.replay([(program, 1)])
    found = [array.copy() for array in results]
    for ours, theirs in zip(found, step(), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    return program
