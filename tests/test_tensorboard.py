"""Event files, read back by TensorBoard's own reader."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gyaku as gk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = X[:, :1] * 2


def train(*callbacks: Any, **options: Any) -> gk.History:
    model = gk.Sequential(gk.Dense(5, "tanh"), gk.Dense(1))
    options = {"validation_split": 0.25, "validation_freq": 2, "epochs": 5, **options}
    options = {"loss": "mse", "verbose": 0, "metrics": "mae", **options}
    return model.fit(X, Y, callbacks=callbacks, optimizer=gk.SGD(0.1), **options)


def read(folder: Path) -> EventAccumulator:
    reader = EventAccumulator(str(folder), size_guidance={"histograms": 0})  # all of them
    reader.Reload()
    return reader


def scalars(folder: Path, name: str) -> tuple[list[int], list[float]]:
    events = read(folder).Scalars(name)
    return [event.step for event in events], [event.value for event in events]


def test_the_curves_are_those_of_the_history(tmp_path: Path) -> None:
    history = train(gk.TensorBoard(tmp_path))
    for name in ("loss", "mean_absolute_error"):
        epochs, values = scalars(tmp_path / "train", name)
        assert epochs == [1, 2, 3, 4, 5]
        np.testing.assert_allclose(values, history[name], rtol=1e-6)
        epochs, values = scalars(tmp_path / "validation", name)
        assert epochs == [2, 4, 5]
        known = [value for value in history[f"val_{name}"] if not math.isnan(value)]
        np.testing.assert_allclose(values, known, rtol=1e-6)
    assert scalars(tmp_path / "train", "learning_rate")[1] == pytest.approx([0.1] * 5)
    assert read(tmp_path / "train").Tags()["histograms"] == []


def test_histograms_of_the_parameters(tmp_path: Path) -> None:
    train(gk.TensorBoard(tmp_path, histograms=True), epochs=2)
    reader = read(tmp_path / "train")
    expected = {f"{layer}.{part}" for layer in ("dense", "dense_2") for part in ("weight", "bias")}
    assert set(reader.Tags()["histograms"]) == expected
    assert [each.histogram_value.num for each in reader.Histograms("dense.weight")] == [20, 20]


def test_a_resumed_training_replaces_what_it_does_again(tmp_path: Path) -> None:
    path, values = tmp_path / "last.safetensors", []

    def run(fail: bool) -> gk.History:
        def stop(epoch: int, logs: Any) -> None:
            if fail and epoch == 3:
                raise RuntimeError("power cut")

        keep = gk.ModelCheckpoint(path, every=2)
        return train(gk.TensorBoard(tmp_path / "logs"), keep, stop, resume=True)

    with pytest.raises(RuntimeError, match="power cut"):
        run(True)
    history = run(False)
    epochs, values = scalars(tmp_path / "logs" / "train", "loss")
    assert epochs == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(values, history["loss"], rtol=1e-6)


# tensorboardX 2.6.5 raises for a histogram beyond 1e20, and writes infinity for a scalar that
# float32 cannot hold: a recorder must not end a training.
def test_values_beyond_what_the_files_hold_are_clipped(tmp_path: Path) -> None:
    recorder = gk.TensorBoard(tmp_path, histograms=True)
    model = gk.Sequential(gk.Dense(2), dtype="float64")
    model.build((1,))
    model.optimizer = gk.SGD(0.1)
    model.optimizer.begin(model)
    recorder.model = model
    recorder.on_train_begin()
    model.params["dense.weight"][...] = 1e200
    recorder.on_epoch_end(0, {"loss": 1e300, "accuracy": math.nan})
    model.params["dense.weight"][...] = [[math.nan, -math.inf]]
    model.params["dense.bias"][...] = math.nan
    recorder.on_epoch_end(1, {"loss": -math.inf, "accuracy": 1.0})
    recorder.on_train_end()
    largest = float(np.finfo(np.float32).max)
    assert scalars(tmp_path / "train", "loss") == ([1, 2], [largest, -largest])
    assert scalars(tmp_path / "train", "accuracy") == ([2], [1.0])
    first, second = read(tmp_path / "train").Histograms("dense.weight")
    assert (first.histogram_value.num, second.histogram_value.num) == (2, 1)
    assert second.histogram_value.min == -9.9e19


def test_without_tensorboardx_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"TensorBoard needs tensorboardX: pip install 'gyaku\["):
        train(gk.TensorBoard(tmp_path))
