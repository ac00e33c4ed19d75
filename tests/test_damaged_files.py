"""A model file that is damaged is refused: every byte changed, every place cut off, at any time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import safetensors
from gyaku.files import FileError

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    model = gk.Sequential(gk.Dense(2, "relu"), gk.Dense(2))
    model.fit(X, [0, 1, 0, 1], loss="softmax_cross_entropy", verbose=0)
    model.save(path)
    return path.read_bytes()


def facts(path: Path) -> Any:
    model = gk.load(path)
    state = {name: each.tobytes() for name, each in model.optimizer.state.items()}
    return model.predict(X).tobytes(), state, repr(model.optimizer), repr(model.loss)


def test_a_changed_byte_is_noticed_or_changes_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    expected = facts(path)
    random, refused = np.random.default_rng(1), 0
    for place in range(len(content)):
        byte = content[place] ^ int(random.integers(1, 256))
        path.write_bytes(content[:place] + bytes([byte]) + content[place + 1 :])
        try:
            assert facts(path) == expected, place
        except FileError:
            refused += 1
    assert refused > 0.99 * len(content)


def test_a_file_that_is_cut_off_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(FileError):
            gk.load(path)


def test_a_file_that_is_cut_off_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    model = gk.Sequential(gk.Dense(200))
    model.build((200,))
    model.save(path)
    read_header = safetensors._read_header

    def then_cut(*given: Any) -> Any:
        header = read_header(*given)
        with path.open("r+b") as stream:
            stream.truncate(path.stat().st_size // 2)
        return header

    monkeypatch.setattr(safetensors, "_read_header", then_cut)
    with pytest.raises(FileError):
        gk.load(path)


def test_a_file_without_a_checksum_is_read(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    expected = facts(path)
    tensors, metadata = safetensors.read(path)
    safetensors.write(path, tensors, {**metadata, "gyaku.checksum": "00000000"})
    with pytest.raises(FileError) as caught:
        gk.load(path)
    assert str(caught.value) == f"{path} is damaged: its checksum is not that of its content"
    del metadata["gyaku.checksum"]
    safetensors.write(path, tensors, metadata)
    assert facts(path) == expected
