"""Where a training begins and ends: epochs, batches of an epoch, a few batches, time."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any, Self

import numpy as np
import pytest

import gyaku as gk
from gyaku.checks import duration

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(30, 4)).astype("f4")
T = RANDOM.integers(0, 3, 30)
OPTIONS: dict[str, Any] = {"loss": "softmax_cross_entropy", "batch_size": 8, "verbose": 0}


class Rows(gk.Layer):
    """Keeps the batches that it gets."""

    def build(self, input_shape):
        self.seen: list[Any] = []
        return input_shape

    def forward(self, x, training=False):
        if training:
            self.seen.append(np.array(x[:, 0]))
        return x

    def backward(self, dy):
        return dy


def seen(epochs: int, **options: Any) -> list[Any]:
    """Return the first inputs of the batches of a training."""
    rows = Rows()
    model = gk.Sequential(rows, gk.Dense(3))
    model.fit(X, T, epochs=epochs, **OPTIONS | options)
    return rows.seen


def network() -> gk.Sequential:
    return gk.Sequential(gk.Dense(5, "tanh"), gk.Dropout(0.2), gk.Dense(3))


def test_epochs_of_a_few_batches_go_on_behind_each_other() -> None:
    whole = np.concatenate(seen(4))
    found = seen(10, steps_per_epoch=1)
    assert [len(batch) for batch in found] == [8] * 10
    np.testing.assert_array_equal(np.concatenate(found), whole[:80])
    three = seen(3, steps_per_epoch=3)
    np.testing.assert_array_equal(np.concatenate(three), whole[:72])
    long = seen(1, steps_per_epoch=9)
    np.testing.assert_array_equal(np.concatenate(long), whole[:72])
    straight = np.concatenate(seen(3, steps_per_epoch=2, shuffle=False))
    np.testing.assert_array_equal(straight, np.tile(X[:, 0], 2)[:48])


def test_an_epoch_of_a_few_batches_has_their_mean() -> None:
    model = gk.Sequential(gk.Dense(3))
    options = {"steps_per_epoch": 2, "metrics": ["accuracy"], "optimizer": gk.SGD(1e-9)}
    history = model.fit(X, T, epochs=15, **OPTIONS | options)
    assert history.samples == 16
    assert history.epochs == 15
    whole = model.evaluate(X, T)
    # Fifteen epochs of sixteen samples are eight passes over thirty.
    assert np.mean(history["accuracy"]) == pytest.approx(whole["accuracy"])


def test_all_batches_of_a_pass_are_the_pass() -> None:
    x, t = X[:24], T[:24]
    one, other = network(), network()
    history = one.fit(x, t, epochs=3, **OPTIONS)
    same = other.fit(x, t, epochs=3, steps_per_epoch=3, **OPTIONS)
    np.testing.assert_array_equal(one.flat_params, other.flat_params)
    assert dict(history) == dict(same)


def test_a_training_in_two_parts_counts_its_epochs() -> None:
    counted: list[int] = []
    whole, parts = network(), network()
    whole.fit(X, T, epochs=5, **OPTIONS)
    parts.fit(X, T, epochs=2, **OPTIONS)
    callback = lambda epoch, logs: counted.append(epoch)  # noqa: E731
    history = parts.fit(X, T, initial_epoch=2, epochs=5, callbacks=[callback], **OPTIONS)
    assert counted == [2, 3, 4]
    assert history.epochs == 3
    np.testing.assert_array_equal(whole.flat_params, parts.flat_params)


def test_a_new_model_may_begin_at_a_later_epoch() -> None:
    later = np.concatenate(seen(5, initial_epoch=2))
    np.testing.assert_array_equal(np.concatenate(seen(5)[8:]), later)


def test_validation_counts_from_the_first_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    options = {"validation_data": (X, T), "validation_freq": 2, "verbose": 2}
    history = network().fit(X, T, initial_epoch=3, epochs=6, **OPTIONS | options)
    assert [bool(np.isnan(value)) for value in history["val_loss"]] == [False, True, False]
    assert "epoch 4/6" in capsys.readouterr().out


@pytest.mark.parametrize("limit", [0.2, "0.2s"])
def test_a_training_ends_in_time(limit: Any) -> None:
    start = perf_counter()
    history = network().fit(X, T, epochs=10**7, max_time=limit, **OPTIONS)
    assert 0.2 <= perf_counter() - start < 2
    assert history.stopped == "max_time of 0.2 s is over"
    assert 0 < history.epochs < 10**7


def test_a_training_that_ends_before_has_no_reason() -> None:
    assert network().fit(X, T, epochs=2, max_time="1h30m", **OPTIONS).stopped is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("45s", 45), ("1d 2H", 93600), ("0.5m", 30), (2, 2), (1.5, 1.5)],
)
def test_a_time_is_seconds_or_text(text: Any, seconds: float) -> None:
    assert duration("fit", "max_time", text) == seconds


def test_a_model_overfits_a_few_batches() -> None:
    found = seen(4, overfit_batches=2)
    assert len(found) == 8
    rows = np.sort(np.concatenate(found[:2]))
    for epoch in (found[2:4], found[4:6], found[6:]):
        np.testing.assert_array_equal(np.sort(np.concatenate(epoch)), rows)
    straight = np.concatenate(seen(1, overfit_batches=2, shuffle=False))
    np.testing.assert_array_equal(straight, X[:16, 0])
    assert len(seen(1, overfit_batches=99)) == 4
    model = gk.Sequential(gk.Dense(32, "relu"), gk.Dense(3))
    options = {"metrics": ["accuracy"], "optimizer": gk.Adam(0.02), "epochs": 200}
    assert model.fit(X, T, overfit_batches=1, **OPTIONS | options)["accuracy"][-1] == 1


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"initial_epoch": -1}, ValueError, "fit: initial_epoch must be at least 0, got -1"),
    (
        {"initial_epoch": 2, "epochs": 2},
        ValueError,
        "fit: epochs must be more than initial_epoch (2), since it is the index at which the",
    ),
    ({"steps_per_epoch": 0}, ValueError, "fit: steps_per_epoch must be at least 1, got 0"),
    ({"overfit_batches": 0.5}, TypeError, "fit: overfit_batches must be an integer, got 0.5"),
    (
        {"max_time": "1 hour"},
        ValueError,
        'fit: max_time must be seconds, or text such as "1h30m" or "45s", got \'1 hour\'',
    ),
    ({"max_time": "0s"}, ValueError, "fit: max_time must be positive, got "),
    ({"max_time": -3}, ValueError, "fit: max_time must be positive, got -3"),
]


@pytest.mark.parametrize(("options", "kind", "message"), BAD, ids=[row[2][:40] for row in BAD])
def test_mistakes_are_one_sentence(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    model = network()
    with pytest.raises(kind) as caught:
        model.fit(X, T, **OPTIONS | options)
    assert str(caught.value).startswith(message)
    assert not model.built


class Calls:
    """Counts the calls of Python functions meanwhile."""

    def __enter__(self) -> Self:
        self.count = 0

        def called(frame: Any, event: str, argument: Any) -> None:
            self.count += event == "call"

        sys.setprofile(called)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)


def calls(samples: int) -> float:
    """Return the number of calls of an epoch of a training with all that people ask for."""
    x = RANDOM.normal(size=(samples, 4)).astype("f4")
    t = RANDOM.integers(0, 3, samples)
    found = []
    for epochs in (4, 14):
        model = gk.Sequential(gk.Dense(3))
        with Calls() as counted:
            model.fit(
                *(x, t),
                **OPTIONS | {"verbose": 1, "epochs": epochs},
                metrics=["accuracy"],
                sample_weight=np.ones(samples),
                validation_data=(x[:80], t[:80]),
                callbacks=[gk.callbacks.EarlyStopping("val_loss", patience=99)],
            )
        assert not any(task["name"].startswith("python") for task in model.captured["tasks"])
        found.append(counted.count)
    return (found[1] - found[0]) / 10


def test_an_epoch_costs_python_the_same_whatever_its_batches() -> None:
    calls(80)  # with imports
    assert calls(80) < 250
    assert calls(2000) < 250


def test_a_metric_that_keeps_outputs_is_computed_once_an_epoch() -> None:
    computed: list[int] = []

    def spread(y: Any, t: Any) -> float:
        computed.append(len(y))
        return float(np.ptp(y))

    seen_logs: list[Any] = []

    class Batches(gk.callbacks.Callback):
        def on_train_batch_end(self, batch, logs):
            seen_logs.append(dict(logs))

    metrics = ["accuracy", "recall", gk.metrics.Overall(spread)]
    history = network().fit(X, T, metrics=metrics, callbacks=[Batches()], epochs=2, **OPTIONS)
    assert computed == [30, 30]
    assert {"loss", "accuracy", "recall"} <= set(seen_logs[0])
    assert len(history["spread"]) == 2
