"""IDX files are read exactly, and lies are refused before they cost memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from child import run
from gyaku.data.idx import idx_header, read_idx
from gyaku.files import FileError

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]
SHAPES = [(0,), (1,), (7,), (3, 5), (2, 3, 4), (4, 0, 2), (1, 1, 1, 1, 1)]


def idx_bytes(values: np.ndarray) -> bytes:
    big_endian = values.astype(values.dtype.newbyteorder(">"))
    return idx_header(values.dtype, values.shape) + big_endian.tobytes()


def some(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(0).integers(-100, 100, shape).astype(dtype)


GOOD = idx_bytes(some((6, 5), "int16"))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_what_was_written_is_read(pack, dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    values = some(shape, dtype)
    path = tmp_path / "values.idx"
    path.write_bytes(pack(idx_bytes(values)))
    read = read_idx(path)
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    assert read.flags.writeable
    np.testing.assert_array_equal(read, values)


def test_a_gzip_stream_may_have_several_members(tmp_path: Path) -> None:
    path = tmp_path / "two.gz"
    path.write_bytes(gzip.compress(GOOD[:9]) + gzip.compress(GOOD[9:]))
    np.testing.assert_array_equal(read_idx(path), some((6, 5), "int16"))


def test_an_open_file_is_read_too() -> None:
    np.testing.assert_array_equal(read_idx(io.BytesIO(GOOD)), some((6, 5), "int16"))


def header(*dimensions: int, code: int = 8) -> bytes:
    return bytes([0, 0, code, len(dimensions)]) + struct.pack(f">{len(dimensions)}I", *dimensions)


packed = gzip.compress(GOOD)
BAD = {
    "empty": (b"", "is empty"),
    "web page": (b"\n<!DOCTYPE html><html>403", "is a web page"),
    "text": (b"5,0,4,1\n", "is not an IDX file: it begins with the bytes 35 2c 30 2c"),
    "unknown type": (header(3, code=10) + b"abc", "is not an IDX file"),
    "no dimensions": (header() + b"a", "is not an IDX file"),
    "too many dimensions": (header(*[1] * 65) + b"a", "is not an IDX file"),
    "magic cut": (GOOD[:3], "is cut off inside the IDX header"),
    "header cut": (GOOD[:7], "is cut off inside the IDX header"),
    "values cut": (GOOD[:-1], "promises 6 x 5 int16 values, which a file of 71 bytes cannot hold"),
    "bytes behind": (GOOD + b"x", "bytes behind the 72"),
    "huge": (header(2**32 - 1, 2**32 - 1), "promises 4294967295 x 4294967295 uint8 values"),
    "product wraps to zero": (header(2**31, 2**31, 4), "promises"),
    "empty but too wide": (header(0, *[2**32 - 1] * 3), "promises"),
    "gzip cut": (packed[: len(packed) // 2], "is cut off: its gzip stream ends"),
    "gzip without its CRC": (packed[:-8], "is cut off"),
    "gzip with a wrong CRC": (packed[:-8] + b"abcd" + packed[-4:], "is damaged"),
    "gzip with a wrong length": (packed[:-4] + b"\0\0\0\0", "is damaged"),
    "gzip damaged": (packed[:12] + b"\xff\xff" + packed[14:], "is damaged"),
    "gzip with bytes behind": (packed + b"x" * 20, "is damaged"),
    "gzip values cut": (gzip.compress(GOOD[:-2]), "is cut off: 72 bytes expected, 70 found"),
    "gzip more values": (gzip.compress(GOOD + b"x"), "bytes behind the 72"),
    "gzip bomb": (gzip.compress(header(2**31) + b"x"), "promises 2147483648 uint8 values"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_in_one_sentence_that_names_it(kind: str, tmp_path: Path) -> None:
    content, reason = BAD[kind]
    path = tmp_path / "bad-ubyte"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path} ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere-ubyte"):
        read_idx(tmp_path / "nowhere-ubyte")


def test_a_lying_header_costs_no_memory(tmp_path: Path) -> None:
    lies = tmp_path / "lies.gz"
    lies.write_bytes(gzip.compress(header(2**32 - 1) + bytes(100)))
    bomb = tmp_path / "bomb.gz"  # 64 MB of zeros in 65 kB, under a header of 8 bytes
    bomb.write_bytes(gzip.compress(header(8) + bytes(2**26)))
    done = run(
        f"""
        import resource
        from gyaku.data.idx import read_idx
        from gyaku.files import FileError
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in ({str(lies)!r}, {str(bomb)!r}):
            try:
                read_idx(path)
            except FileError:
                continue
            raise SystemExit("accepted")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        raise SystemExit(f"{{grown}} kB" if grown > 8_000 else 0)
        """
    )
    assert done.returncode == 0, done.stderr


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_is_a_file_error_or_a_whole_array(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([GOOD, packed]))
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(good)))])
    with contextlib.suppress(FileError):
        read_idx(io.BytesIO(cut))
