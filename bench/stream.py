"""The table of a stream: microseconds of one step of an LSTM with one sample.

`python -m bench stream`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import contest
from bench.stream_worker import FEATURES, UNITS, WAYS

if TYPE_CHECKING:
    from bench.settings import Settings

CONTEST = contest.Contest(
    "stream",
    title="A step of a stream",
    worker="bench.stream_worker",
    ways=WAYS,
    least={"torch": 10},
    unit="µs a step",
    proof="output",
    note=(
        f"Microseconds a step, median of the rounds (best): one step of one sample of {FEATURES}"
        f" features through an LSTM of {UNITS} units, from NumPy to NumPy; the states stay in the"
        " framework. Output: mean of the tenth one."
    ),
)


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    return contest.run(CONTEST, settings)
