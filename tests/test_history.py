"""A history: rows for a file, a table, a picture."""

from __future__ import annotations

import json
import math
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.history import History


def history() -> History:
    made = History(samples=4)
    made.extend({"loss": [0.5, 0.25], "val_loss": [0.75, 0.5]}, seconds=0.5)
    return made


def test_a_file_has_one_row_an_epoch(tmp_path: Path) -> None:
    history().to_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text().splitlines() == [
        "epoch,loss,val_loss,seconds",
        "1,0.5,0.75,0.25",
        "2,0.25,0.5,0.25",
    ]


def test_a_table_has_one_row_an_epoch() -> None:
    table = history().to_pandas()
    assert table.to_dict("list") == {
        "loss": [0.5, 0.25],
        "val_loss": [0.75, 0.5],
        "seconds": [0.25, 0.25],
    }
    assert list(table.index) == [1, 2]
    assert table.index.name == "epoch"


def test_a_table_of_no_epochs_has_no_rows() -> None:
    assert History().to_pandas().empty


def test_a_table_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_pandas needs pandas: pip install pandas"):
        history().to_pandas()


@pytest.mark.parametrize(
    ("name", "begin"), [("a.png", b"\x89PNG"), ("plain", b"\x89PNG"), ("a.pdf", b"%PDF")]
)
def test_a_picture_is_kept_in_the_form_of_its_ending(
    name: str, begin: bytes, tmp_path: Path
) -> None:
    axes = history().plot(tmp_path / name)
    assert len(axes.lines) == 2
    assert (tmp_path / name).read_bytes().startswith(begin)
    assert history().plot()._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_a_picture_of_an_unknown_kind_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="xyz"):
        history().plot(tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []


def test_a_history_prints_as_a_table_of_its_first_and_last_epochs() -> None:
    assert repr(history()).splitlines() == [
        "2 epochs of 4 samples",
        "epoch  loss  val_loss  seconds  samples/s",
        "-----  ----  --------  -------  ---------",
        "1       0.5      0.75     0.25         16",
        "2      0.25       0.5     0.25         16",
    ]
    long = History(samples=1)
    long.extend({"loss": [1234.5] * 100}, seconds=1)
    long.stopped = "enough"
    rows = repr(long).splitlines()
    assert [row.split()[0] for row in rows[3:-1]] == [*"12345", "...", *map(str, range(96, 101))]
    assert rows[-1] == "stopped: enough"
    assert "1,23" in rows[3]
    assert repr(History()).startswith("0 epochs of 0 samples")
    assert history()._repr_html_().count("<tr>") == 3


def test_samples_a_second() -> None:
    assert history().samples_per_second == [16.0, 16.0]


@pytest.mark.parametrize("by_file", [True, False])
def test_a_history_travels_as_json(by_file: bool, tmp_path: Path) -> None:
    made = history()
    made.extend({"loss": [1 / 3, math.inf], "val_loss": [math.nan, -math.inf]}, seconds=0.1)
    made.stopped = "a \u300creason\u300d"
    text = made.to_json(tmp_path / "history.json")
    json.loads(text, parse_constant=pytest.fail)  # strictly
    back = History.from_json(tmp_path / "history.json" if by_file else text)
    assert repr(back.to_dict()) == repr(made.to_dict())


@pytest.mark.parametrize("text", ["{", "{}", '{"columns": 3}', '{"columns": {"loss": ["x"]}}'])
def test_what_is_no_history_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="from_json: this is no history"):
        History.from_json(text)


def test_histories_side_by_side() -> None:
    other = History(samples=8)
    other.extend({"loss": [0.1, 0.1, 0.1], "accuracy": [0.5, 0.6, 0.7]}, seconds=1.5)
    found = History.compare({"one": history(), "two": other, "none": History()})
    assert [row.split() for row in repr(found).splitlines()] == [
        [
            "training",
            "best",
            "epoch",
            "loss",
            "val_loss",
            "accuracy",
            "epochs",
            "seconds",
            "samples/s",
        ],
        ["-" * width for width in (8, 10, 4, 8, 8, 6, 7, 9)],
        ["one", "2", "0.25", "0.5", "2", "0.5", "16"],
        ["two", "*", "1", "0.1", "0.5", "3", "1.5", "16"],
        ["none", "0", "0", "0"],
    ]
    assert found._repr_html_().count("<tr>") == 4
    axes = History.compare({"one": history(), "two": other}).plot()
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2], [1, 2, 3]]
    assert axes.get_ylabel() == "loss"
    with pytest.raises(KeyError, match="no 'accuracy'"):
        found.plot("accuracy")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, ValueError, "compare: give one history or more, by name"),
        ([History()], TypeError, "must be a dict of names to histories, got list"),
        ({"a": {"loss": [1]}}, TypeError, "compare: 'a' is no History, but dict"),
    ],
)
def test_what_cannot_be_compared_is_refused(given: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        History.compare(given)


@pytest.mark.parametrize("optimizer", [gk.SGD(0.1), gk.Adam(), gk.LBFGS()], ids=repr)
def test_each_optimizer_has_a_history_with_times(optimizer: gk.Optimizer) -> None:
    x = np.arange(8.0)[:, None]
    made = gk.Sequential(gk.Dense(1)).fit(
        *(x, x), loss="mse", optimizer=optimizer, epochs=3, batch_size=None, verbose=0
    )
    assert len(made["loss"]) == len(made.seconds) == len(made.samples_per_second) == made.epochs
    assert min(made.seconds) > 0


def test_a_history_counts_from_its_first_epoch(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    x = np.random.default_rng(0).normal(size=(20, 3))
    options: dict[str, Any] = {"loss": "mse", "initial_epoch": 3, "epochs": 5, "verbose": 0}
    history = gk.Sequential(gk.Dense(1)).fit(x, x[:, :1], **options)
    history.to_csv(path)
    other = gk.History.from_json(history.to_json())
    for text in (str(history), str(other), path.read_text().replace(",", " ")):
        lines = [line.split()[0] for line in text.splitlines()]
        assert lines[-2:] == ["4", "5"]
    assert history.to_pandas().index.tolist() == [4, 5]
    runs = gk.History.compare({"one": history})
    assert str(runs).splitlines()[-1].split()[1] == "5"
    assert runs.plot().lines[0].get_xdata().tolist() == [4, 5]
    axes = history.plot()
    assert [*axes.lines[0].get_xdata()] == [4, 5]
    assert axes.get_xlim() == (4, 5)


def test_a_history_keeps_the_settings_of_its_training(tmp_path: Path) -> None:
    x, y = np.zeros((20, 3), np.float32), np.arange(20) % 2
    options: dict[str, Any] = {
        "loss": "softmax_cross_entropy", "optimizer": gk.SGD(0.5), "batch_size": 5, "seed": 3,
        "clip_norm": 2.0, "validation_split": 0.2, "verbose": 0,
        "callbacks": gk.ModelCheckpoint(tmp_path / "last.safetensors"),
    }  # fmt: skip
    made = gk.Sequential(gk.Dense(2)).fit(x, y, epochs=2, **options)
    assert datetime.fromisoformat(made.settings["begun"]).tzinfo is not None
    known = {
        "optimizer": "SGD(learning_rate=0.5)", "learning_rate": 0.5, "epochs": 2, "batch_size": 5,
        "loss": "SoftmaxCrossEntropy()", "seed": 3, "shuffle": True, "dtype": "float32",
        "clip_norm": 2.0, "validation_samples": 4,
    }  # fmt: skip
    assert made.settings.items() >= known.items()
    assert "accumulate" not in made.settings
    assert History.from_json(made.to_json()).settings == made.settings
    resumed = gk.Sequential(gk.Dense(2)).fit(x, y, epochs=3, resume=True, **options)
    assert resumed.settings == {**made.settings, "epochs": 3}


def test_a_history_of_an_older_file_has_no_settings() -> None:
    known = json.loads(history().to_json())
    del known["settings"]
    assert History.from_json(json.dumps(known)).settings == {}
    known["settings"] = 3
    with pytest.raises(ValueError, match="this is no history"):
        History.from_json(json.dumps(known))
