"""Trainings that the lab watches: the same bits, whatever the lab does; all of it is noted."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from importlib import import_module
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.lab import live, looks
from gyaku.lab.runs import MOST_POINTS, MOST_RUNS, Run, Runs, Series

ENTROPY = "softmax_cross_entropy"


class Stub:
    """A lab without a server."""

    def __init__(self) -> None:
        self.runs, self.url, self.is_open = Runs(), "http://stub/", True
        self.opened: list[str] = []

    def open(self, page: str) -> None:
        self.opened.append(page)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setattr(import_module("gyaku.lab.serve"), "opened", lambda: stub)
    return stub


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Note and look behind every native call."""
    monkeypatch.setattr(live, "_SECONDS", 0.0)
    for name in ("_FIRST", "_LEAST", "_SHARE"):
        monkeypatch.setattr(looks, name, 0.0)
    return


def lenet() -> gk.Sequential:
    return gk.Sequential(
        gk.Rescaling(1 / 255), gk.Conv2D(4, 3), gk.BatchNorm(), gk.ReLU(), gk.MaxPool2D(2),
        gk.Flatten(), gk.Dropout(0.3), gk.Dense(10), seed=0,
    )  # fmt: skip


def fitted(model: gk.Sequential, *callbacks: Any, **options: Any) -> gk.History:
    (x, y), test = gk.data.digits()
    given: dict[str, Any] = {
        "loss": ENTROPY, "optimizer": gk.Adam(1e-3), "epochs": 3, "metrics": ["accuracy", "f1"],
        "validation_data": test, "verbose": 0, **options,
    }  # fmt: skip
    return model.fit(x, y, callbacks=callbacks, **given)


def state_of(model: gk.Model, history: gk.History) -> list[bytes]:
    arrays = [model.flat_params, model.flat_buffers, *model.optimizer.state.values()]
    return [each.tobytes() for each in arrays] + [repr(dict(history)).encode()]


class Steps(gk.Callback):
    """Make each step a native call of its own."""

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        pass


@pytest.mark.parametrize("optimizer", [gk.Adam(1e-3), gk.LBFGS()], ids=repr)
def test_a_watched_training_has_the_same_bits(optimizer: Any, lab: Stub, eager: None) -> None:
    options: dict[str, Any] = {"optimizer": optimizer, "clip_norm": 1.0}
    if isinstance(optimizer, gk.LBFGS):
        options = {"optimizer": optimizer, "batch_size": None}
    alone, watched = lenet(), lenet()
    expected = state_of(alone, fitted(alone, Steps(), **options))
    optimizer = type(optimizer)(**optimizer.config())
    found = fitted(watched, gk.lab.Live(), Steps(), **{**options, "optimizer": optimizer})
    assert state_of(watched, found) == expected
    (run,) = lab.runs.all()
    news = run.news(0)
    assert news is not None
    assert news["layers"]
    assert news["wrong"]["count"] == 359


def test_a_run_has_all_there_is_to_show(lab: Stub, eager: None) -> None:
    model = lenet()
    names = [f"digit {number}" for number in range(10)]
    history = fitted(model, gk.lab.Live("mine", names=names), Steps(), seed=5)
    news = lab.runs.all()[0].news(0)
    assert news is not None
    assert news["facts"]["title"] == "mine"
    assert news["facts"]["settings"]["seed"] == 5
    assert news["facts"]["parameters"] == model.flat_params.size
    assert news["state"] == {"name": "ended", "reason": ""}
    for name, values in history.items():
        assert news["series"][name]["points"] == [(i + 1.0, v) for i, v in enumerate(values)]
    within = news["series"]["step/loss"]["points"]
    assert len(within) == 3 * 44  # all but the last of 45 steps of an epoch
    for epoch, mean in enumerate(history["loss"]):
        of_epoch = [y for x, y in within if epoch < x < epoch + 1]
        assert len(of_epoch) == 44
        assert abs(np.mean(of_epoch) - mean) < 0.05 * mean
    numbers = news["numbers"]
    assert (numbers["epoch"], numbers["epochs"], numbers["step"]) == (3.0, 3, 135)
    assert numbers["rate"] == pytest.approx(1e-3)
    assert numbers["speed"] > 0
    assert numbers["left"] == 0
    assert [each["layer"] for each in news["layers"]] == ["conv2d", "dense"]
    assert all(each["gradient"] > 0 and each["update"] > 0 for each in news["layers"])
    wrong = news["wrong"]
    assert wrong["of"] == "validation"
    assert 0 < len(wrong["items"]) == min(24, wrong["wrong"])
    _, y = gk.data.digits()[1]
    for item in wrong["items"]:
        assert item["true"] == f"digit {y[item['sample']]}" != item["found"]
        assert len(item["pixels"]) == 88  # 64 bytes
    assert wrong["shape"] == [8, 8]


def test_findings_are_there_in_both_languages(lab: Stub, eager: None) -> None:
    x = np.random.default_rng(0).integers(0, 256, (200, 60)).astype(np.uint8)
    model = gk.Sequential(gk.Dense(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, np.arange(200) % 3, loss=ENTROPY, callbacks=gk.lab.Live(), verbose=0)
    news = lab.runs.all()[0].news(0)
    assert news is not None
    assert "byte_inputs" in [each["kind"] for each in news["findings"]]
    first = news["findings"][0]
    assert first["en"]["remedy"] != first["ja"]["remedy"]


def test_numbers_have_no_wrong_samples(lab: Stub, eager: None) -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    gk.Sequential(gk.Dense(2)).fit(
        x, x[:, :2], loss="mean_squared_error", callbacks=gk.lab.Live(), verbose=0
    )
    news = lab.runs.all()[0].news(0)
    assert news is not None
    assert news["wrong"] is None


def test_batches_of_an_iterable_are_watched_too(lab: Stub, eager: None) -> None:
    (x, y), _ = gk.data.digits()
    batches = [(x[i : i + 100], y[i : i + 100]) for i in range(0, 1000, 100)]
    model = gk.models.mlp([16])
    options: dict[str, Any] = {"loss": ENTROPY, "epochs": 2, "verbose": 0}
    model.fit(lambda: iter(batches), callbacks=gk.lab.Live(), **options)
    news = lab.runs.all()[0].news(0)
    assert news is not None
    assert len(news["series"]["loss"]["points"]) == 2
    assert news["layers"]


def act(lab: Stub, do: Any, then: Any) -> threading.Thread:
    """Do something to the first run as soon as it has noted a loss, then something else."""

    def work() -> None:
        end = monotonic() + 20
        while monotonic() < end:
            runs = lab.runs.all()
            news = runs[0].news(0) if runs else None
            if news is not None and "numbers" in news:
                do(runs[0])
                then(runs[0])
                return
            sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_the_page_stops_a_training_with_a_reason(lab: Stub) -> None:
    thread = act(lab, Run.stop, lambda run: None)
    model = gk.models.mlp([16])
    history = fitted(model, gk.lab.Live(), epochs=100_000)
    thread.join()
    assert history.stopped == "stopped in the lab"
    assert 0 < history.epochs < 100_000
    assert lab.runs.all()[0].state == "ended"


def test_a_pause_holds_the_training_and_is_not_counted(lab: Stub) -> None:
    seen = []

    def look(run: Run) -> None:
        sleep(0.3)
        for _ in range(2):
            news = run.news(0)
            assert news is not None
            seen.append((news["state"]["name"], news["numbers"]["step"]))
            sleep(0.6)
        run.go()
        sleep(0.3)
        run.stop()

    thread = act(lab, Run.pause, look)
    began = monotonic()
    history = fitted(gk.models.mlp([16]), gk.lab.Live(), epochs=100_000, max_time=60)
    thread.join()
    assert seen[0] == seen[1]
    assert seen[0][0] == "paused"
    assert sum(history.seconds) < monotonic() - began - 1.2
    assert history.stopped == "stopped in the lab"


def test_a_paused_training_goes_on_when_the_lab_is_closed(lab: Stub) -> None:
    thread = act(lab, Run.pause, lambda run: (sleep(0.3), setattr(lab, "is_open", False)))
    alone, watched = gk.models.mlp([16]), gk.models.mlp([16])
    expected = state_of(alone, fitted(alone, epochs=300))
    assert state_of(watched, fitted(watched, gk.lab.Live(), epochs=300)) == expected
    thread.join()


def test_ctrl_c_ends_a_training_that_is_paused(lab: Stub) -> None:
    thread = act(lab, Run.pause, lambda run: (sleep(0.3), os.kill(os.getpid(), signal.SIGINT)))
    with pytest.warns(UserWarning, match="fit: interrupted"):
        history = fitted(gk.models.mlp([16]), gk.lab.Live(), epochs=100_000)
    thread.join()
    assert history.stopped == "interrupted"
    news = lab.runs.all()[0].news(0)
    assert news is not None
    assert news["state"] == {"name": "ended", "reason": "interrupted"}


@pytest.mark.parametrize("fails", ["begin", "add", "put", "wait", "end", "look"])
def test_a_lab_that_fails_leaves_the_training_alone(
    fails: str, lab: Stub, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no lab")

    owner = {"begin": Runs, "look": looks.Looks}.get(fails, Run)
    alone, watched = gk.models.mlp([16]), gk.models.mlp([16])
    expected = state_of(alone, fitted(alone))
    monkeypatch.setattr(owner, fails, fail)
    if fails == "look":
        monkeypatch.setattr(looks.Looks, "look_if_due", fail)
    with pytest.warns(UserWarning, match="goes on without the lab, which failed: OSError"):
        found = fitted(watched, gk.lab.Live())
    assert state_of(watched, found) == expected


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Return the runs of a process in which no lab is open yet."""
    runs = Runs()
    monkeypatch.setattr(live, "OF_PROCESS", runs)
    monkeypatch.setattr(import_module("gyaku.lab.serve"), "opened", lambda: None)
    return runs


def test_the_training_does_not_wait_until_the_lab_has_started(
    starting: Runs, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    stub, end = Stub(), monotonic() + 20

    def slow() -> Stub:
        while not (starting.all() and "numbers" in (starting.all()[0].news(0) or {})):
            assert monotonic() < end
            sleep(0.01)
        return stub

    monkeypatch.setattr(import_module("gyaku.lab.serve"), "shared", slow)
    shown = gk.lab.Live()
    fitted(gk.models.mlp([16]), shown, epochs=60)
    assert shown.url == stub.url
    assert stub.opened == ["watch"]
    assert capsys.readouterr().err == f"lab: {stub.url}\n"


def test_a_lab_that_cannot_start_leaves_the_training_alone(
    starting: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("no port")

    monkeypatch.setattr(import_module("gyaku.lab.serve"), "shared", fail)
    alone, watched = gk.models.mlp([16]), gk.models.mlp([16])
    expected = state_of(alone, fitted(alone))
    with pytest.warns(UserWarning, match=r"without the lab, which failed: OSError\('no port"):
        found = fitted(watched, gk.lab.Live())
    assert state_of(watched, found) == expected
    assert starting.all()[0].state == "ended"


def test_without_the_packages_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("the lab needs Starlette: pip install 'gyaku[lab]'")

    monkeypatch.setattr(import_module("gyaku.lab.serve"), "opened", missing)
    with pytest.raises(ImportError, match=r"gyaku\[lab\]"):
        fitted(gk.models.mlp([16]), gk.lab.Live())


def test_an_error_is_the_reason_of_the_end(lab: Stub) -> None:
    class Fails(gk.Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fitted(gk.models.mlp([16]), gk.lab.Live(), Fails())
    news = lab.runs.all()[0].news(0)
    assert news is not None
    assert news["state"] == {"name": "ended", "reason": "RuntimeError: mine"}


def test_several_runs_share_the_page_that_opens_once(lab: Stub, capsys: Any) -> None:
    threads = [
        threading.Thread(target=lambda: fitted(gk.models.mlp([16]), gk.lab.Live()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fitted(gk.models.mlp([8]), gk.lab.Live(open_browser=False))
    assert [each.number for each in lab.runs.all()] == [1, 2, 3]
    assert lab.opened == ["watch"]
    assert capsys.readouterr().err.count(lab.url) == 1


def test_names_that_are_too_few_are_completed_by_numbers(lab: Stub, eager: None) -> None:
    fitted(gk.models.mlp([4]), gk.lab.Live(names=["zero"]), epochs=1)
    news = lab.runs.all()[0].news(0)
    assert news is not None
    assert {each["true"] for each in news["wrong"]["items"]} <= {"zero", *map(str, range(1, 10))}


def test_a_page_that_comes_back_gets_what_it_missed() -> None:
    runs = Runs()
    run = runs.begin({"title": "a"})
    run.add(1.0, {"loss": 3.0})
    first = runs.news(0)
    assert first["runs"][0]["series"]["loss"] == {"replace": True, "points": [(1.0, 3.0)]}
    run.add(2.0, {"loss": 2.0, "val_loss": float("nan")})
    run.put("findings", [])
    second = runs.news(first["change"])
    assert second["runs"] == [
        {
            "run": 1,
            "findings": [],
            "series": {"loss": {"replace": False, "points": [(2.0, 2.0)]}},
        }
    ]
    run.put("findings", [])
    assert runs.news(second["change"])["runs"] == []
    assert runs.news(0)["runs"][0]["series"]["loss"]["points"] == [(1.0, 3.0), (2.0, 2.0)]


def test_a_thinned_series_is_sent_as_a_whole() -> None:
    series = Series()
    for step in range(MOST_POINTS):
        series.add(step, step % 7, step + 1)
    series.add(MOST_POINTS, 100.0, MOST_POINTS + 1)
    news = series.news(MOST_POINTS)
    assert news is not None
    assert news["replace"]
    assert news["points"][0] == (0, 0)
    assert news["points"][-1] == (MOST_POINTS, 100.0)
    assert len(news["points"]) < 0.6 * MOST_POINTS
    assert {y for _, y in news["points"]} >= {0, 6, 100.0}
    assert news["points"] == sorted(news["points"])


def test_many_runs_are_forgotten_but_those_in_training() -> None:
    runs = Runs()
    busy = runs.begin({})
    for _ in range(2 * MOST_RUNS):
        runs.begin({}).end("")
    assert len(runs.all()) == MOST_RUNS
    assert runs.find(busy.number) is busy
    assert runs.find(2) is None


def test_values_that_json_lacks_are_null() -> None:
    run = Runs().begin({})
    run.put("numbers", {"left": float("inf"), "more": [float("nan"), 1.0]})
    news = run.news(0)
    assert news is not None
    assert news["numbers"] == {"left": None, "more": [None, 1.0]}


def test_arguments_are_checked() -> None:
    assert repr(gk.lab.Live(open_browser=False)) == "Live(open_browser=False)"
    with pytest.raises(TypeError, match="open_browser"):
        gk.lab.Live(open_browser="no")  # type: ignore[arg-type]
