"""Tables of one task: words a second of a tagger, microseconds of a step of a stream."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest

from bench import contest, stream, tagger
from bench.__main__ import TABLES
from bench.data import recurrent_weights
from bench.sentences import BATCH, LONGEST, SENTENCES, TAGS, batches, sentences, weights
from bench.stream_worker import FEATURES, UNITS, measure
from bench.tagger_worker import with_gyaku
from bench.workloads import Recurrent
from gyaku import ops


def answers(us: float) -> dict[str, list[dict[str, Any]]]:
    return {"task": [{"us": us, "proof": 1.5}, {"us": 2 * us, "proof": 1.5}]}


def test_the_fastest_way_of_each_framework_counts() -> None:
    given = {
        "torch packed": answers(8),
        "torch packed, one thread": answers(6),
        "jax scan": answers(20),
        "gyaku": answers(1),
    }
    found = contest.results(given, {})
    assert found["us"] == {"torch": [6, 12], "jax": [20, 40], "gyaku": [1, 2]}
    assert found["ways"]["torch"] == "packed, one thread"
    assert contest.met(tagger.CONTEST, found["us"]) is True
    assert contest.met(stream.CONTEST, found["us"]) is False
    assert contest.met(tagger.CONTEST, {"gyaku": [1.0]}) is None
    shown = contest.show(tagger.CONTEST, found)
    line = next(line for line in shown.splitlines() if line.startswith("| PyTorch"))
    cells = [cell.strip() for cell in line.split("|")[2:-1]]
    assert cells == ["111,111 (166,667)", "6.00×", "1.5000", "packed, one thread"]
    assert "Target: 3× PyTorch: met." in shown
    assert "10× PyTorch: missed" in contest.show(stream.CONTEST, found)


@pytest.mark.parametrize("one", [stream.CONTEST, tagger.CONTEST], ids=lambda one: one.name)
def test_each_contest_is_a_table_with_a_worker(one: contest.Contest) -> None:
    assert one.name in TABLES
    assert one.least.keys() <= one.ways.keys()


@pytest.mark.parametrize("sort", [True, False])
def test_a_sentence_is_once_in_an_epoch(sort: bool) -> None:
    ids, tags, lengths = sentences()
    assert ids.shape == tags.shape == (SENTENCES, lengths.max())
    assert lengths.min() >= 1
    assert lengths.max() <= LONGEST
    np.testing.assert_array_equal((ids > 0).sum(axis=1), lengths)
    found = list(batches(lengths, np.random.default_rng(0), sort=sort))
    rows = list(chain.from_iterable(rows for rows, _ in found))
    assert sorted(rows) == list(range(SENTENCES))
    assert all(len(rows) <= BATCH and lengths[rows].max() <= steps for rows, steps in found)
    padded = sum(len(rows) * steps for rows, steps in found) / lengths.sum()
    assert (padded < 1.5) == sort


def test_gyaku_trains_the_tagger() -> None:
    ids, tags, lengths = sentences()
    short = np.flatnonzero(lengths <= 10)[:64]
    train = with_gyaku((ids[short, :10], tags[short, :10], lengths[short]), "")
    first = train(1)
    assert first < np.log(TAGS) + 0.1
    assert train(10) < first - 0.2
    assert len(weights()) == 4


def test_a_step_of_the_stream_is_that_of_the_layer() -> None:
    found = measure("gyaku", "")
    assert found["us"] > 0
    random = np.random.default_rng(0)
    given = recurrent_weights(Recurrent("lstm", UNITS), FEATURES, random)
    x = random.standard_normal(FEATURES).astype(np.float32)
    w, u, b = given
    y, *_ = ops.lstm(np.tile(x, (1, 10, 1)), w, u, b)
    assert found["proof"] == float(y[0, -1].mean())
