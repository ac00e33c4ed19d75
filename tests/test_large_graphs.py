"""Graphs of many layers and nested models: linear time, the same names, and a limit for files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import safetensors
from gyaku.files import FileError
from gyaku.model import restore


def doubled(depth: int) -> gk.Model:
    """Return a model that calls a model twice, which calls a model twice, and so on."""
    inner: Any = gk.Dense(2)
    for _ in range(depth):
        x = gk.Input((2,))
        inner = gk.Model(x, inner(inner(x)))
    return inner


def seconds_to_build(layers: int) -> float:
    parts = [part for _ in range(layers // 4) for part in (gk.Dense(2), gk.ReLU(), gk.Dropout(0.1))]
    x = gk.Input((2,))
    start = time.process_time()
    y = x
    for part in parts:
        y = part(y)
    model = gk.Model(x, gk.Add()(y, y))
    model.build()
    return time.process_time() - start


def test_planning_is_linear_in_the_layers() -> None:
    few, many = (min(seconds_to_build(layers) for _ in range(2)) for layers in (500, 4000))
    assert many < 20 * few


def test_names_and_initial_weights_of_repeated_parts_are_numbered() -> None:
    taken = gk.Dense(2, name="dense_2")
    model = gk.Sequential(gk.Dense(2), taken, gk.Dense(2), gk.Dense(2), gk.ReLU(), gk.ReLU())
    names = [layer.name for layer in model]
    assert names == ["dense", "dense_2", "dense_3", "dense_4", "relu", "relu_2"]
    x = gk.Input((2,))
    y = gk.Dense(1)(x)
    outputs = gk.Model(x, [y, y, y]).output_names
    assert outputs == ("dense", "dense_2", "dense_3")


def test_a_model_in_a_model_is_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = []
    join = gk.Model._join
    monkeypatch.setattr(
        gk.Model, "_join", lambda self, *given: (joined.append(self), join(self, *given))
    )
    model = doubled(4)
    model.build()
    assert len(joined) == len(set(map(id, joined))) == 3
    one = model.params["model.model.model.dense.weight"]
    x = np.ones((1, 2), np.float32)
    expected = x
    for _ in range(2**4):
        expected = expected @ one
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5)


def test_a_file_of_models_that_call_models_twice_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = doubled(5)
    model.build()
    model.save(path)
    tensors, metadata = safetensors.read(path)
    assert gk.load(path).predict(np.ones((1, 2))).shape == (1, 2)
    architecture = json.loads(metadata["gyaku.architecture"])
    for _ in range(60):
        outer = {
            key: architecture[key] for key in ("class", "inputs", "shapes", "calls", "outputs")
        }
        architecture = {**outer, "layers": [architecture], "name": "outer"}
    del metadata["gyaku.checksum"]
    metadata["gyaku.architecture"] = json.dumps(architecture)
    safetensors.write(path, tensors, metadata)
    start = time.process_time()
    with pytest.raises(FileError, match=r"apply more than 65536 layers, each use counted"):
        gk.load(path)
    assert time.process_time() - start < 10


def test_a_file_of_too_many_layers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    model = gk.Sequential(*(gk.ReLU() for _ in range(10)))
    model.build((2,))
    model.save(path)
    monkeypatch.setattr(restore, "MOST_APPLICATIONS", 21)  # one model, ten layers, ten uses
    gk.load(path)
    monkeypatch.setattr(restore, "MOST_APPLICATIONS", 20)
    with pytest.raises(FileError, match="apply more than 20 layers"):
        gk.load(path)
