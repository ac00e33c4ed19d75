"""Checkpoints that belong to no training, and trainings to another checkpoint, are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resume_cases import RNG, Kill, Killed, X, Y, network, train

import gyaku as gk
from gyaku.files import FileError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 6}, "was written with batch_size=5, got 6; resume with the same data and"),
        ({"seed": 1}, "was written with seed=0, got 1"),
        ({"optimizer": "sgd"}, "was written with optimizer='Adam', got 'SGD'"),
        ({"metrics": "accuracy"}, "was written with metrics='loss', got 'accuracy, loss'"),
        ({"shuffle": False}, "was written with shuffle=True, got False"),
        ({"validation_split": 0.3}, "was written with samples=22, got 15"),
        ({"epochs": 1}, "was written after 1.6 epochs, more than epochs=1"),
        ({"model": network(dtype="float64")}, "is a checkpoint of a model of float32, not of"),
        ({"model": gk.Sequential(gk.Dense(3))}, "is a checkpoint of another model"),
        ({"resume": True}, "resume=True needs a callback that keeps the last state in one file"),
    ],
    ids=str.split("size seed optimizer metrics shuffle samples epochs dtype layers none"),
)
def test_another_training_is_refused_and_changes_nothing(
    options: Any, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        train(callbacks=Kill(path, 8))
    model, _ = train(options.pop("model", None), epochs=1)
    before = model.flat_params.tobytes()
    with pytest.raises(ValueError) as caught:
        train(model, **{"resume": path, **options})
    assert words in str(caught.value)
    assert model.flat_params.tobytes() == before


def test_other_data_metrics_or_batches_are_refused_within_the_first_epoch(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        train(callbacks=Kill(path, 2))
    for options, words in (
        ({"metrics": "accuracy"}, "metrics='loss', got 'accuracy, loss'"),
        ({"validation_data": (X, Y)}, "validation=False, got True"),
        ({"accumulate": 2}, "accumulate=1, got 2"),
        ({"steps_per_epoch": 3}, "steps_per_epoch=5, got 3"),
        ({"initial_epoch": 2}, "initial_epoch=0, got 2"),
    ):
        with pytest.raises(ValueError, match=re.escape(f"was written with {words}")):
            train(resume=path, **options)
    model = network()
    with pytest.raises(ValueError, match=re.escape("written with shapes=[[4]], got [[3]]")):
        model.fit(
            *(X[:, :3], Y), loss="softmax_cross_entropy", epochs=4, batch_size=5, resume=path
        )  # fmt: skip
    assert not model.built

    x, lengths = RNG.normal(size=(22, 3, 2)), np.arange(22) % 3 + 1

    def recurrent(**options: Any) -> None:
        given = {"lengths": lengths, "loss": "softmax_cross_entropy", "verbose": 0, **options}
        gk.Sequential(gk.LSTM(3), gk.Dense(3)).fit(x, Y, epochs=3, batch_size=5, **given)

    with pytest.raises(Killed):
        recurrent(callbacks=Kill(path, 2))
    with pytest.raises(ValueError, match="was written with by_length=False, got True"):
        recurrent(resume=path, by_length=True)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        train(callbacks=Kill(path, 7))
    content = path.read_bytes()
    for damaged in (content[:-1], content[:-9] + b"x" + content[-8:], b""):
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=re.escape(str(path))):
            train(resume=path)


def test_a_file_of_a_model_is_no_checkpoint(tmp_path: Path) -> None:
    model, _ = train()
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="is the file of a model, not of a training to resume"):
        train(resume=tmp_path / "model.safetensors")
    with pytest.raises(FileNotFoundError, match="missing.safetensors' is no file; give the"):
        train(resume=tmp_path / "missing.safetensors")
    with pytest.raises(FileNotFoundError, match="is a folder; give the file of a checkpoint, or"):
        train(resume=tmp_path)
    with pytest.raises(TypeError, match="resume must be a path, True or False, got 3"):
        train(resume=3)
