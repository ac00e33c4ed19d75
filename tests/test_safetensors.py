"""Model files: what is written comes back, what is broken is refused in one sentence."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from child import run
from gyaku.files import FileError
from gyaku.safetensors import read, write

DTYPES = [
    *["bool", "uint8", "int8", "uint16", "int16", "float16"],
    *["uint32", "int32", "float32", "uint64", "int64", "float64"],
]


def some(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (5,), (3, 4), (2, 0, 3), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_was_written_is_read(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    values = some(shape, dtype)
    path = tmp_path / "model.safetensors"
    write(path, {"layer.w": values, "b": some((7,), "float32")}, {"名前": "三"})
    tensors, metadata = read(path)
    assert metadata == {"名前": "三"}
    assert set(tensors) == {"layer.w", "b"}
    assert tensors["layer.w"].dtype == values.dtype
    assert tensors["layer.w"].flags.writeable
    np.testing.assert_array_equal(tensors["layer.w"], values, strict=True)


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "broadcast": lambda x: np.broadcast_to(x[0], x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_an_array_does_not_matter(layout: str, tmp_path: Path) -> None:
    values = LAYOUTS[layout](some((4, 6), "float32"))
    before = values.tobytes()
    write(tmp_path / "model", {"w": values})
    np.testing.assert_array_equal(read(tmp_path / "model")[0]["w"], values)
    assert values.tobytes() == before


def test_a_model_may_have_no_tensors_and_no_metadata(tmp_path: Path) -> None:
    write(tmp_path / "model", {})
    assert read(tmp_path / "model") == ({}, {})


def test_other_programs_read_our_files_and_we_theirs(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    values = some((3, 2), "float64")
    write(tmp_path / "ours", {"w": values})
    np.testing.assert_array_equal(load_file(tmp_path / "ours")["w"], values)
    save_file({"w": values}, tmp_path / "theirs", metadata={"format": "np"})
    tensors, metadata = read(tmp_path / "theirs")
    np.testing.assert_array_equal(tensors["w"], values)
    assert metadata == {"format": "np"}


UNSTORABLE: dict[str, tuple[dict[Any, Any], dict[Any, Any], str]] = {
    "complex": ({"w": np.ones(2, complex)}, {}, "tensor 'w' has dtype complex128"),
    "object": ({"w": np.array([None])}, {}, "tensor 'w' has dtype object"),
    "text": ({"w": np.array(["a"])}, {}, "tensor 'w' has dtype <U1"),
    "reserved name": ({"__metadata__": np.ones(2)}, {}, "a tensor needs a str other than"),
    "name": ({1: np.ones(2)}, {}, "a tensor needs a str other than '__metadata__' as name, got 1"),
    "metadata": ({}, {"epochs": 3}, "metadata must map str to str, got 'epochs': 3"),
}


@pytest.mark.parametrize("kind", UNSTORABLE)
def test_what_cannot_be_stored_is_refused_before_anything_is_written(
    kind: str, tmp_path: Path
) -> None:
    tensors, metadata, reason = UNSTORABLE[kind]
    with pytest.raises(TypeError) as caught:
        write(tmp_path / "model", tensors, metadata)
    assert reason in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def file(header: object, buffer: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a safetensors file with any header, honest or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    return size.to_bytes(8, "little") + text + buffer


def tensor(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


EIGHT = bytes(8)
GOOD = file({"__metadata__": {"a": "b"}, "w": tensor(), "v": tensor("U8", [3], [8, 11])}, bytes(11))
TWICE = b'{"w": %b, "w": %b}' % (2 * (json.dumps(tensor()).encode(),))
BAD = {
    "empty": (b"", "is empty"),
    "web page": (b"<!doctype html><html>404 Not Found", "is a web page"),
    "short": (b"abc", "it has only 3 bytes"),
    "zeros": (bytes(64), "does not begin with a safetensors header"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(50), "does not begin with a safetensors header"),
    "zip": (
        b"PK\x03\x04" + bytes(50),
        "is a ZIP archive, as .keras and .pt files are: gyaku.interop",
    ),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "is an HDF5 file, as Keras writes: gyaku.interop"),
    "pickle": (b"\x80\x04\x95\x0b\x00" + bytes(50), "is a pickle: gyaku.interop.load_pickle reads"),
    "text": (b"0,1,2\n3,4,5\n", "does not begin with a safetensors header"),
    "header of 1 TB": (file({}, length=2**40), "does not begin with a safetensors header"),
    "header behind the end": (file({}, length=90_000_000), "is cut off: its header alone"),
    "cut in the header": (GOOD[:40], "is cut off: its header alone"),
    "cut in the tensors": (GOOD[:-1], "is cut off: its tensors need 11 bytes, 10 are there"),
    "bytes behind": (GOOD + b"x", "1 bytes follow behind the last tensor"),
    "leading space": (file(b" {}"), "does not begin with a safetensors header"),
    "no JSON": (file(b"{]"), "its header is damaged"),
    "text behind the JSON": (file(b"{}{}"), "its header is damaged"),
    "no UTF-8": (file(b'{"\xff":1}'), "its header is damaged"),
    "NaN": (file(b'{"w":NaN}'), "NaN is not JSON"),
    "nested too deep": (file(b'{"w":' + b"[" * 100_000), "its header is damaged"),
    "a huge number": (file(b'{"w":' + b"9" * 10_000 + b"}"), "its header is damaged"),
    "duplicate tensor": (file(TWICE, EIGHT), "the key 'w' occurs twice"),
    "duplicate metadata": (file(b'{"__metadata__":{"a":"1","a":"2"}}'), "the key 'a' occurs twice"),
    "metadata numbers": (file({"__metadata__": {"a": 1}}), "not a dictionary of strings"),
    "metadata list": (file({"__metadata__": []}), "not a dictionary of strings"),
    "not an entry": (file({"w": 3}), "tensor 'w' needs dtype, shape and data_offsets"),
    "missing key": (file({"w": {"dtype": "F32", "shape": []}}), "tensor 'w' needs dtype"),
    "extra key": (file({"w": {**tensor(), "x": 1}}, EIGHT), "tensor 'w' needs dtype"),
    "unknown dtype": (file({"w": tensor("Q7")}, EIGHT), "has the unknown dtype 'Q7'"),
    "dtype list": (file({"w": tensor([])}, EIGHT), "has the unknown dtype []"),
    "negative shape": (file({"w": tensor(shape=[-2])}, EIGHT), "has the impossible shape [-2]"),
    "fractional shape": (file({"w": tensor(shape=[2.0])}, EIGHT), "impossible shape [2.0]"),
    "boolean shape": (file({"w": tensor("F64", [True])}, EIGHT), "impossible shape [True]"),
    "shape of a word": (file({"w": tensor(shape="2")}, EIGHT), "impossible shape '2'"),
    "too many dimensions": (file({"w": tensor(shape=[1] * 65)}, EIGHT), "impossible shape"),
    "size": (file({"w": tensor(shape=[3])}, EIGHT), "has 8 bytes instead of 12"),
    "product wraps": (file({"w": tensor(shape=[2**32, 2**32, 2])}, EIGHT), "has 8 bytes instead"),
    "empty but too wide": (file({"w": tensor(shape=[0, 2**62], offsets=[0, 0])}), "has 0 bytes"),
    "backward offsets": (file({"w": tensor(offsets=[8, 0])}, EIGHT), "impossible offsets [8, 0]"),
    "one offset": (file({"w": tensor(offsets=[0])}, EIGHT), "impossible offsets [0]"),
    "hole in front": (file({"w": tensor(offsets=[8, 16])}, 2 * EIGHT), "begins at byte 8 instead"),
    "shared bytes": (file({"v": tensor(), "w": tensor()}, EIGHT), "'w' begins at byte 0 instead"),
    "overlap": (
        file({"v": tensor(), "w": tensor(offsets=[4, 12])}, bytes(12)),
        "'w' begins at byte 4 instead of 8",
    ),
    "hole between": (
        file({"v": tensor(), "w": tensor(offsets=[12, 20])}, bytes(20)),
        "'w' begins at byte 12 instead of 8",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_in_one_sentence_that_names_it(kind: str, tmp_path: Path) -> None:
    content, reason = BAD[kind]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} is ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) - len(str(path)) < 220  # whatever the folder


def test_the_examples_of_bad_files_differ_from_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(GOOD)
    assert {name: t.shape for name, t in read(tmp_path / "good")[0].items()} == {
        "w": (2,),
        "v": (3,),
    }


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        read(tmp_path / "nowhere.safetensors")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_damage_is_a_file_error_or_whole_tensors(data: st.DataObject, tmp_path_factory) -> None:
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(GOOD) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(damaged[: data.draw(st.integers(0, len(GOOD)))])
    with contextlib.suppress(FileError):
        read(path)


def test_a_lying_file_costs_no_memory(tmp_path: Path) -> None:
    for index, (content, _) in enumerate(BAD.values()):
        (tmp_path / f"{index}.safetensors").write_bytes(content)
    done = run(
        f"""
        import pathlib, resource, safetensors.numpy, json
        from gyaku.files import FileError
        from gyaku.safetensors import read
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in pathlib.Path({str(tmp_path)!r}).iterdir():
            try:
                read(path)
            except FileError:
                pass
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        raise SystemExit(f"{{grown}} kB" if grown > 10_000 else 0)
        """
    )
    assert done.returncode == 0, done.stderr


SAVE_FOREVER = """
import sys
import numpy as np
from gyaku.safetensors import write

for step in range(10**9):
    write(sys.argv[1], {"w": np.full(200_000, step, np.float32)}, {"step": str(step)})
    if step == 0:
        print("saving", flush=True)
"""


def test_a_process_killed_while_saving_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    rng = np.random.default_rng(0)
    for _ in range(12):
        command = [sys.executable, "-c", SAVE_FOREVER, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"saving\n"
            time.sleep(rng.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
        tensors, metadata = read(path)
        assert (tensors["w"] == int(metadata["step"])).all()
        assert len(list(tmp_path.iterdir())) <= 2
    write(path, tensors, metadata)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_header_that_lacks_its_last_byte_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    write(path, {}, {"a": "b"})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    path.write_bytes(content[: 8 + length - 1])
    with pytest.raises(FileError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path} is cut off: its header alone has {length} bytes, the file has {length + 7}"
    )
