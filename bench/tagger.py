"""The table of a tagger: words a second in the training of an LSTM in both directions.

`python -m bench tagger`.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from bench import contest
from bench.sentences import BATCH, SENTENCES, SHAPE
from bench.table import number
from bench.tagger_worker import WAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.settings import Settings


def words_a_second(us: Sequence[float]) -> str:
    """Return the median and the best speed, from microseconds a word."""
    return f"{number(1e6 / median(us))} ({number(1e6 / min(us))})"


CONTEST = contest.Contest(
    "tagger",
    title="Training of a tagger",
    worker="bench.tagger_worker",
    ways=WAYS,
    least={"torch": 3},
    unit="words a second",
    proof="loss",
    note=(
        f"Real words a second in training, median of the rounds (best): {SHAPE}, on"
        f" {SENTENCES:,} sentences of mixed lengths, batches of {BATCH}, Adam. Loss: mean over the"
        " words of the fourth epoch."
    ),
    shown=words_a_second,
)


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    return contest.run(CONTEST, settings)
