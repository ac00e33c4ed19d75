"""A file becomes no more memory than its size makes likely: bombs are refused before they burst."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from gyaku import files, safetensors
from gyaku.cli.samples import read_samples
from gyaku.data.idx import idx_header, read_idx
from gyaku.data.lines import read_lines
from gyaku.data.picture import read_digit
from gyaku.files import FileError

ZEROS = np.zeros((1000, 784), np.uint8)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "UNSUSPICIOUS", 1 << 16)


def picture(side: int) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("L", (side, side), 255)
    ImageDraw.Draw(image).line((side / 3, side / 4, side / 2, side / 2), 0, max(1, side // 10))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def archive(values: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=values)
    return stream.getvalue()


def lines(path: Path) -> Any:
    return read_lines(path)


BOMBS: dict[str, tuple[bytes, Callable[[Path], Any]]] = {
    "x.npz": (archive(ZEROS), lambda path: read_samples(path, (784,))),
    "x.gz": (gzip.compress(idx_header("uint8", ZEROS.shape) + ZEROS.tobytes()), read_idx),
    "x.conllu.gz": (gzip.compress(b"\n" * 784_000), lines),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_compressed_file_that_swells_is_refused(name: str, tmp_path: Path) -> None:
    content, read = BOMBS[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read(path)
    assert f"{path} of {len(content)} bytes would fill" in str(caught.value)
    assert "more than 100 times its size; if you trust it, unpack it first" in str(caught.value)


@pytest.mark.parametrize("name", BOMBS)
def test_up_to_a_size_any_factor_is_taken(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, read = BOMBS[name]
    path = tmp_path / name
    path.write_bytes(content)
    monkeypatch.setattr(files, "UNSUSPICIOUS", 1 << 20)
    assert len(read(path)) in (1000, 2)


@pytest.mark.parametrize("name", ["x.npz", "x.gz"])
def test_real_images_are_taken_at_any_size(name: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, ZEROS.shape).astype(np.uint8)
    images[np.random.default_rng(1).random(ZEROS.shape) < 0.8] = 0
    path = tmp_path / name
    packed = gzip.compress(idx_header("uint8", images.shape) + images.tobytes())
    path.write_bytes(archive(images) if name == "x.npz" else packed)
    np.testing.assert_array_equal(BOMBS[name][1](path), images)


def test_a_picture_of_more_pixels_than_its_size_makes_likely_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    path.write_bytes(picture(40))
    assert read_digit(path).shape == (28, 28, 1)
    path.write_bytes(picture(2000))
    with pytest.raises(FileError, match="if you trust it, make it smaller first"):
        read_digit(path)


LIES = {
    "a larger shape": (2**40,),
    "a product beyond 64 bits": (2**40, 2**40),
    "a smaller shape": (3,),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_header_that_lies_costs_no_memory(lie: str, suffix: str, tmp_path: Path) -> None:
    stream = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": LIES[lie]}
    npy.write_array_header_1_0(stream, fields)
    content = stream.getvalue() + bytes(16)
    path = tmp_path / f"x{suffix}"
    if suffix == ".npz":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("x.npy", content)
    else:
        path.write_bytes(content)
    with pytest.raises(FileError, match="is not a NumPy file, or a damaged one"):
        read_samples(path, (4,))


def test_a_long_safetensors_header_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    header = json.dumps({"__metadata__": {"note": " " * 10_000_000}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(FileError, match="has a header of .* bytes, at most 10000000"):
        safetensors.read(path)
