"""What people see: lines, bars, the history, the program and its profile."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.model.report import summary
from gyaku.train.progress import Bar, Lines, progress

XOR_X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
XOR_Y = np.array([[0], [1], [1], [0]], np.float32)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
LABELS = X[:, :3].argmax(axis=1)
ENTROPY = "softmax_cross_entropy"


def net(**options: Any) -> gk.Sequential:
    return gk.Sequential(gk.Dense(8, "relu"), gk.Dense(3), **options)


def xor_net() -> gk.Sequential:
    return gk.Sequential(gk.Dense(2, "sigmoid"), gk.Dense(1, "sigmoid"))


def test_lines_tell_of_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    net().fit(
        X, LABELS, loss=ENTROPY, metrics="accuracy", epochs=3, validation_split=0.1,
        validation_freq=2,
    )  # fmt: skip
    printed = capsys.readouterr()
    *lines, threads = printed.out.splitlines()
    assert threads == "1 thread, since a step is too small for more"
    assert [line.split("  ")[0] for line in lines] == [f"epoch {n}/3" for n in (1, 2, 3)]
    assert all("loss" in line and line.endswith("samples/s") for line in lines)
    assert ["val_loss" in line for line in lines] == [False, True, True]
    assert printed.err == ""


def test_very_many_epochs_are_not_all_told(capsys: pytest.CaptureFixture[str]) -> None:
    xor_net().fit(XOR_X, XOR_Y, loss="sum_squared_error", epochs=1000, verbose=2)
    *lines, _ = capsys.readouterr().out.splitlines()
    assert len(lines) == 100
    assert lines[-1].startswith("epoch 1000/1000")


def test_the_bar_shows_what_people_want_to_know(capsys: pytest.CaptureFixture[str]) -> None:
    net().fit(X, LABELS, loss=ENTROPY, metrics="accuracy", epochs=2, verbose=1)
    printed = capsys.readouterr()
    assert printed.out == ""
    last = printed.err.strip().split("\r")[-1]
    assert last.startswith("epoch 2/2: 100%")
    assert "00:00 left" in last
    assert all(word in last for word in ("samples/s", "loss", "accuracy"))


FOUR = ["loss", "accuracy", "val_loss", "val_accuracy"]


@pytest.mark.parametrize("width", [200, 100, 80, 60, 40, 20])
def test_no_metric_is_cut_off_in_a_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gyaku.train.progress.columns", lambda _stream: width)
    history = net().fit(
        X, LABELS, loss=ENTROPY, metrics="accuracy", epochs=2, validation_split=0.1, verbose=1
    )
    shown = capsys.readouterr().err.split("\r")[-1]
    assert max(map(len, shown.splitlines())) <= width
    words, line = " ".join(shown.split()), shown.splitlines()[0]
    if width >= 80:  # one line, in which a validated metric stands behind its training value
        values = [f" {history[name][-1]:.4g}" for name in FOUR]
        assert all(value in line for value in values)
        assert (f"val_accuracy{values[-1]}" in line) == (width == 200)
        assert line.count("█") >= 8
    else:
        assert all(f"{name} {history[name][-1]:.4g}" in words for name in FOUR)
        assert "%|" in line
    assert ("left" in line) == (width >= 100)
    assert ("samples/s" in line) == (width == 200)


def test_tables_fit_the_terminal() -> None:
    model = gk.Sequential(gk.Residual(gk.Dense(4, "relu"), name="block"), gk.Dense(3))
    model.fit(X, LABELS, loss=ENTROPY, epochs=2, verbose=0)
    for table in (summary(model), model.program(), model.profile(X, LABELS, steps=3)):
        whole = table.text()
        assert str(table) == whole  # where there is no terminal
        for width in (200, 80, 60, 40):
            text = table.text(width)
            assert max(map(len, text.splitlines())) <= width
            if width < 200:
                cells = {cell for row in table.rows for cell in row}
                squeezed = "".join(text.split())
                assert all("".join(cell.split()) in squeezed for cell in cells if len(cell) < 8)
        html = table._repr_html_()
        assert html.startswith("<table>")
        assert html.count("<tr>") == len(table.rows) + 1


def test_the_tasks_of_a_program_name_their_layers() -> None:
    model = gk.Sequential(gk.Dense(8, "relu", name="first"), gk.Dense(3, name="last"))
    model.fit(X, LABELS, loss=ENTROPY, epochs=2, verbose=0)
    for table in (model.program(), model.profile(X, LABELS, steps=3)):
        assert table.header[1] == "layer"
        products = [row[1] for row in table.rows if "matmul" in row[0]]
        # forward in order, then the gradients, of which the first layer's inputs need none
        assert products[:2] == ["first", "last"]
        assert sorted(products[2:]) == ["first", "last", "last"]
        assert {row[1] for row in table.rows if "gather" in row[0]} == {""}


def test_nothing_is_shown_when_nothing_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    net().fit(X, LABELS, loss=ENTROPY, verbose=0)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("out", "err", "kind"), [(1, 1, Bar), (0, 1, Lines), (1, 0, Lines)])
def test_a_bar_is_for_whoever_watches(
    out: int, err: int, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, watched in (("stdout", out), ("stderr", err)):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda watched=watched: bool(watched))
        monkeypatch.setattr(f"sys.{name}", stream)
    assert progress("auto") is kind


def test_the_history_becomes_a_table(tmp_path: Path) -> None:
    history = net().fit(X, LABELS, loss=ENTROPY, epochs=2, validation_split=0.1, verbose=0)
    history.to_csv(tmp_path / "history.csv")
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert list(rows[0]) == ["epoch", "loss", "val_loss", "seconds"]
    assert [float(row["loss"]) for row in rows] == history["loss"]
    with pytest.raises(KeyError, match="the history has no 'acc', only loss, val_loss"):
        history["acc"]
    assert repr(history).startswith("2 epochs of 81 samples\nepoch ")


def test_the_program_lists_the_tasks_of_a_step() -> None:
    model = net()
    model.fit(X, LABELS, loss=ENTROPY, epochs=2, verbose=0)
    text = str(model.program())
    assert all(name in text for name in ("gather", "matmul", "softmax_cross_entropy", "adam"))
    assert "tasks" in text.splitlines()[-1]


def test_the_first_layer_computes_no_input_gradient() -> None:
    model = net()
    model.fit(X, LABELS, loss=ENTROPY, epochs=2, verbose=0)
    # Two products forward, one weight gradient each, and one input gradient.
    assert str(model.program()).count("matmul") == 5


def test_a_profile_leaves_the_model_as_it_was() -> None:
    model = net()
    model.fit(X, LABELS, loss=ENTROPY, epochs=2, verbose=0)
    weights, clock = model.flat_params.copy(), model.optimizer.clock.copy()
    text = str(model.profile(X, LABELS, batch_size=16, steps=20))
    assert "of the roofline" in text
    assert "matmul" in text
    assert "skip" not in text
    np.testing.assert_array_equal(model.flat_params, weights)
    np.testing.assert_array_equal(model.optimizer.clock, clock)
    with gk.use_backend("reference"), pytest.raises(RuntimeError, match="no programs"):
        model.profile(X, LABELS)
