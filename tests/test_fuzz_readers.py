"""Files from strangers: damaged in every way, each is refused in one sentence or read."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from fuzz_readers import READERS, Reader, every_byte, every_cut, mutations

from gyaku.cli.samples import numpy_arrays
from gyaku.files import FileError

SMALL = [name for name, (_, example, _) in READERS.items() if len(example) < 800]
LARGE = [name for name in READERS if name not in SMALL]
BYTES = 1 << 20  # that a file of less than 4 kB may need


@pytest.fixture
def chance() -> random.Random:
    return random.Random(0)


@pytest.mark.parametrize("name", SMALL)
def test_every_length_and_every_byte(name: str, tmp_path: Path, chance: random.Random) -> None:
    reader = Reader(name, tmp_path)
    reader.attempt(reader.example)
    assert reader.refused == 0
    for content in [*every_cut(reader.example), *every_byte(reader.example, chance, 1)]:
        reader.attempt(content)
    assert reader.refused > 0.1 * len(reader.example)


@pytest.mark.parametrize("name", LARGE)
def test_some_lengths_and_some_bytes(name: str, tmp_path: Path, chance: random.Random) -> None:
    reader = Reader(name, tmp_path)
    reader.attempt(reader.example)
    assert reader.refused == 0
    count = min(len(reader.example) // 10, 150)
    for length in chance.sample(range(len(reader.example)), count):
        reader.attempt(reader.example[:length])
    places = chance.sample(range(len(reader.example)), count)
    for content in every_byte(reader.example, chance, 1, places):
        reader.attempt(content)
    assert reader.refused > 0.01 * len(reader.example)


@pytest.mark.parametrize("name", READERS)
def test_mutations_at_random(name: str, tmp_path: Path, chance: random.Random) -> None:
    mutations(Reader(name, tmp_path), 60, chance)


@pytest.mark.parametrize("name", READERS)
def test_a_small_file_needs_little_memory(name: str, tmp_path: Path, chance: random.Random) -> None:
    reader = Reader(name, tmp_path)
    reader.attempt(reader.example)  # which imports what is imported late
    tracemalloc.start()
    try:
        places = chance.sample(range(len(reader.example)), min(60, len(reader.example)))
        for content in every_byte(reader.example, chance, 1, places):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            reader.attempt(content)
            assert tracemalloc.get_traced_memory()[1] - before < BYTES, content
    finally:
        tracemalloc.stop()


def test_an_unexpected_error_is_found(tmp_path: Path) -> None:
    reader = Reader("csv", tmp_path)

    def fail(path: Path) -> None:
        raise KeyError(path)

    reader.read = fail
    with pytest.raises(KeyError):
        reader.attempt(b"a")


def test_an_archive_with_a_negative_position_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    np.savez(path, x=np.arange(3))
    content = path.read_bytes()
    path.write_bytes(content[:30] + content[60:])
    with pytest.raises(FileError) as caught:
        numpy_arrays(path)
    assert str(caught.value) == f"{path} is not a NumPy file, or a damaged one"


def test_an_array_with_an_open_bracket_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file.npy"
    np.save(path, np.arange(3))
    path.write_bytes(path.read_bytes().replace(b"(3,), }", b"(3,((( "))
    with pytest.raises(FileError) as caught:
        numpy_arrays(path)
    assert str(caught.value) == f"{path} is not a NumPy file, or a damaged one"
