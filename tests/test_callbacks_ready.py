"""The ready callbacks: rates, files, logs and averages."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = X[:, :1] * 2


def train(*callbacks: Any, epochs: int = 6, **options: Any) -> tuple[gk.Sequential, gk.History]:
    model = gk.Sequential(gk.Dense(5, "tanh"), gk.BatchNorm(), gk.Dense(1))
    options = {"optimizer": gk.SGD(0.05), "validation_data": (X, Y), "batch_size": 16, **options}
    options = {"loss": "mse", "epochs": epochs, "verbose": 0, **options}
    return model, model.fit(X, Y, callbacks=callbacks, **options)


class Follow(gk.Callback):
    """Keeps the weights and the rate after each step and epoch."""

    def __init__(self):
        self.steps, self.epochs, self.rates = [], [], []

    def on_train_batch_end(self, batch, logs):
        self.steps.append(self.model.flat_params.copy())

    def on_epoch_end(self, epoch, logs):
        self.epochs.append(self.model.flat_params.copy())
        self.rates.append(self.model.optimizer.learning_rate)


@pytest.mark.parametrize(
    ("cooldown", "expected"), [(0, [0, 0, 1, 1, 2, 2, 3]), (2, [0, 0, 1, 1, 1, 1, 2])]
)
def test_the_rate_falls_where_nothing_improves(cooldown: int, expected: list[int]) -> None:
    follow = Follow()
    plateau = gk.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=1e9, cooldown=cooldown)
    train(plateau, follow, epochs=7, optimizer=gk.SGD(0.04))
    np.testing.assert_allclose(follow.rates, [0.04 * 0.5**n for n in expected])


def test_a_rate_that_improves_stays_and_the_least_rate_is_kept() -> None:
    follow = Follow()
    train(gk.ReduceLROnPlateau("loss", patience=4, min_delta=0), follow, optimizer=gk.SGD(1e-3))
    assert set(follow.rates) == {1e-3}
    train(
        gk.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=1e9, min_rate=0.02),
        follow,
        optimizer=gk.SGD(0.1),
    )
    assert follow.rates[-1] == 0.02
    with pytest.raises(ValueError, match="ReduceLROnPlateau: the optimizer has the schedule"):
        train(gk.ReduceLROnPlateau("loss"), optimizer=gk.SGD(gk.schedules.InverseTime(0.1, 3)))


def test_the_last_model_and_all_models(tmp_path: Path) -> None:
    model, _ = train(
        gk.ModelCheckpoint(tmp_path / "last.safetensors", every=4),
        gk.ModelCheckpoint(tmp_path / "{epoch:02}.safetensors", every=2, optimizer=False),
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["02.safetensors", "04.safetensors", "06.safetensors", "last.safetensors"]
    loaded = gk.load(tmp_path / "last.safetensors")
    assert loaded.flat_params.tobytes() == model.flat_params.tobytes()
    assert loaded.epochs_begun == 6
    assert gk.load(tmp_path / "06.safetensors").optimizer is None


def test_the_best_models(tmp_path: Path) -> None:
    follow = Follow()
    one = gk.ModelCheckpoint(tmp_path / "best-{val_loss:.6f}.safetensors", keep="best")
    three = gk.ModelCheckpoint(tmp_path / "{epoch}.safetensors", keep=3)
    _, history = train(one, three, follow, epochs=12, optimizer=gk.SGD(0.2))
    order = np.argsort(history["val_loss"], kind="stable")
    names = {path.name for path in tmp_path.iterdir()}
    best = f"best-{min(history['val_loss']):.6f}.safetensors"
    assert names == {best, *(f"{epoch + 1}.safetensors" for epoch in order[:3])}
    loaded = gk.load(tmp_path / best)
    assert loaded.flat_params.tobytes() == follow.epochs[order[0]].tobytes()
    assert one.best_epoch == order[0]
    assert sorted(three.files) == sorted(str(tmp_path / f"{e + 1}.safetensors") for e in order[:3])


def test_a_model_is_saved_at_an_exception_and_a_training_goes_on_from_it(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"

    def fail(epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise RuntimeError("power cut")

    keep = gk.ModelCheckpoint(path, every=100, at_exception=True)
    with pytest.raises(RuntimeError, match="power cut"):
        train(keep, fail)
    model = gk.load(path)
    model.fit(*(X, Y), epochs=3, loss="mse", optimizer=model.optimizer, batch_size=16, verbose=0)
    assert model.flat_params.tobytes() == train()[0].flat_params.tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "a", "keep": 3}, "to keep 3 files the path must name the epoch"),
        ({"path": "a", "keep": "first"}, "keep must be 'last', 'best' or a number, got 'first'"),
        ({"path": "a", "every": 0}, "every must be at least 1, got 0"),
        ({"path": "{nothing}"}, "cannot be filled in (KeyError('nothing')); known are epoch, step"),
    ],
)  # fmt: skip
def test_a_senseless_checkpoint_is_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        train(gk.ModelCheckpoint(**options))
    assert f"ModelCheckpoint: {message}" in str(caught.value).replace("the path '{nothing}' ", "")


def test_logs_are_written_line_by_line(tmp_path: Path) -> None:
    table, lines = tmp_path / "log.csv", tmp_path / "log.jsonl"
    seen: list[int] = []

    def count(epoch: int, logs: Any) -> None:
        seen.append(len(table.read_text().splitlines()))

    callbacks = gk.CSVLogger(table), gk.JSONLogger(lines), count
    _, history = train(*callbacks, epochs=3, validation_freq=2)
    assert seen == [2, 3, 4]
    rows = list(csv.DictReader(table.read_text().splitlines()))
    objects = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [float(row["loss"]) for row in rows] == history["loss"] == [o["loss"] for o in objects]
    assert [o["epoch"] for o in objects] == [1, 2, 3]
    assert objects[0]["val_loss"] is None
    assert {float(row["learning_rate"]) for row in rows} == {0.05}
    train(gk.CSVLogger(table, append=True), epochs=1)
    assert len(table.read_text().splitlines()) == 5


def test_averages_of_the_weights() -> None:
    follow = Follow()
    model, _ = train(follow, gk.EMA(0.7))
    average = follow.steps[0].astype(np.float64)
    for weights in follow.steps[1:]:
        average = 0.7 * average + 0.3 * weights
    np.testing.assert_allclose(model.flat_params, average, rtol=1e-5, atol=1e-7)
    follow = Follow()
    model, _ = train(follow, gk.SWA(start=2))
    np.testing.assert_allclose(
        model.flat_params, np.mean(follow.epochs[2:], axis=0), rtol=1e-5, atol=1e-7
    )


def test_a_path_that_cannot_be_written_is_told_before_the_first_epoch(tmp_path: Path) -> None:
    epochs: list[int] = []
    for path, words in (("missing/a", "its folder does not exist"), ("", "it is a folder")):
        keep = gk.ModelCheckpoint(tmp_path / path, minutes=60)
        with pytest.raises(OSError, match=f"cannot write .*: {words}"):
            train(keep, lambda epoch, logs: epochs.append(epoch))
    assert not epochs
