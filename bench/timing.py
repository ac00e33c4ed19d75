"""Timing of one operation in a worker: blocks of calls, from Python and replayed.

The time is the median over some blocks of calls. A single long call is a block of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.goals import PEAK_NEARBY, REPLAYED

if TYPE_CHECKING:
    from collections.abc import Mapping

Repeat = Callable[[int], None]
"""Function that calls an operation a number of times."""
BLOCK, BLOCKS = 0.005, 3
"""Smallest time of a block of calls in seconds, and the number of blocks."""
LONG = 0.05
"""Seconds of a call that is a block of its own."""


def repeated(call: Callable[[], object]) -> Repeat:
    """Return a function that repeats a call."""

    def repeat(times: int) -> None:
        for _ in range(times):
            call()

    return repeat


def replayed(call: Callable[[], Any]) -> Repeat:
    """Capture a call of gyaku, and return a function that replays it; its results are kept."""
    from gyaku import _core

    program = _core.Program()
    program.begin()
    outputs = call()
    program.end(outputs if isinstance(outputs, tuple) else (outputs,))
    return lambda times: _core.replay([(program, times)])


def seconds(repeat: Repeat) -> float:
    """Return the seconds of one call, by the median block."""

    def timed(times: int) -> float:
        start = perf_counter()
        repeat(times)
        return perf_counter() - start

    # The first call touches all memory and wakes the threads.
    repeat(1)
    took, times = timed(1), 1
    if took >= LONG:
        return took
    while took < BLOCK:
        times = max(2 * times, min(50 * times, int(1.2 * times * BLOCK / max(took, 1e-9))))
        took = timed(times)
    return median([took, *(timed(times) for _ in range(BLOCKS - 1))]) / times


def speeds(
    repeats: Mapping[str, Repeat], work: float, *, floating: bool = True
) -> dict[str, float]:
    """Return billions of operations or bytes per second by name.

    For floating-point operations the peak is measured next to the replay.
    """
    found = {}
    for who, repeat in repeats.items():
        if who == REPLAYED and floating:
            # Between the two results that are compared with it.
            found[PEAK_NEARBY] = peak()
        found[who] = work / seconds(repeat) / 1e9
    return found


def peak() -> float:
    """Return the peak of this machine in GFLOP/s."""
    from gyaku import _core

    return _core.measure_flops("float32", _core.num_threads()) / 1e9
