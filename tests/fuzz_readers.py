"""Damage small files in every way, and read them: a clear error or a value, in bounded memory.

Every length, every byte, then mutations at random, of which those that reach new lines of the
reader are mutated again. ``python tests/fuzz_readers.py 100000`` makes that many for each reader.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import h5py
import numpy as np
import torch_weights

import gyaku as gk
from gyaku import safetensors
from gyaku.cli import _parser
from gyaku.cli.parser import UsageError
from gyaku.cli.samples import numpy_arrays, read_samples
from gyaku.cli.settings import with_settings
from gyaku.cli.table import read_table
from gyaku.data.conllu import read_conllu
from gyaku.data.idx import idx_header, read_idx
from gyaku.files import FileError
from gyaku.interop import from_keras, from_onnx, load_pickle, to_keras
from gyaku.interop.keras import file as keras_file
from gyaku.interop.torch.file import read_state

SECONDS = 10  # that a reader may take
ROOM = 1 << 30  # bytes that it may take, beyond those of the process
PACKAGE = str(Path(gk.__file__).parent)
RANDOM = np.random.default_rng(0)


def written(write: Callable[[Path], object], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file" + suffix)
        write(path)
        return path.read_bytes()


def model(path: Path) -> None:
    model = gk.Sequential(gk.Dense(2, "relu"), gk.BatchNorm(), gk.Dense(2))
    x = RANDOM.normal(size=(4, 3)).astype(np.float32)
    model.fit(x, [0, 1, 0, 1], loss="softmax_cross_entropy", verbose=0)
    model.save(path)


def without_checksum(path: Path) -> None:
    model(path)
    tensors, metadata = safetensors.read(path)
    del metadata["gyaku.checksum"]
    safetensors.write(path, tensors, metadata)


def archive(compress: bool) -> bytes:
    stream = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(stream, x=np.arange(12).reshape(3, 4), y=np.arange(3))
    return stream.getvalue()


def array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(12.0).reshape(3, 4))
    return stream.getvalue()


IDX = idx_header(np.uint8, (2, 3, 3)) + bytes(range(18))
ROWS = ["# text = Birds sing", "1-2\tBs\t_\t_\t_\t_\t_\t_\t_\t_"]
ROWS += [
    "1\tBirds\tbird\tNOUN\tNNS\t_\t2\tnsubj\t_\t_",
    "2\tsing\tsing\tVERB\tVBP\t_\t0\troot\t_\t_",
]
TABLE = 'a;b;kind\n1,5;2;"x;y"\n-3;4e2;z\n\n0;NaN;z\n'
SETTINGS = 'data = "x.csv"\ntarget = "kind"\nepochs = 3\nlearning_rate = 0.1\nignore = ["a", "b"]\n'


PICKLE = pickle.dumps({"W1": np.eye(2), "b": [np.float32(1), ("x", None)]}, protocol=2)
ONNX = Path(__file__).parent / "onnx_files"
TRAIN = _parser()[1]["train"]


def settings(path: Path) -> Any:
    return with_settings([str(path)], TRAIN)


def onnx_model(path: Path) -> Any:
    try:
        return from_onnx(path)
    except ValueError as error:  # also where a shape of the inputs must be given
        raise FileError(error) if str(error).startswith("from_onnx: ") else error from None


def keras_model(path: Path) -> None:
    model = gk.Sequential(gk.Dense(2, "relu"), name="chain")
    model.build((2,))
    to_keras(model, path)


def old_keras_model(path: Path) -> None:
    one = {"name": "one", "units": 2, "batch_input_shape": [None, 2]}
    layers = [{"class_name": "Dense", "config": one}]
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
        file.attrs["layer_names"] = [b"one"]
        group = file.create_group("one")
        group.attrs["weight_names"] = [b"kernel", b"bias"]
        group["kernel"], group["bias"] = np.eye(2, dtype="f4"), np.ones(2, "f4")


def from_keras_of_some_shape(path: Path) -> None:
    try:
        from_keras(path)
    except FileError:
        raise
    except ValueError as error:  # of a shape that is free after the damage
        if "give input_shape" not in str(error):
            raise
        raise FileError(str(error)) from None


READERS: dict[str, tuple[str, bytes, Callable[[Path], Any]]] = {
    "idx": ("-idx3-ubyte", IDX, read_idx),
    "idx.gz": ("-idx3-ubyte.gz", gzip.compress(IDX, mtime=0), read_idx),
    "safetensors": (".safetensors", written(model, ".safetensors"), safetensors.read),
    "model": (".safetensors", written(model, ".safetensors"), gk.load),
    "plain model": (".safetensors", written(without_checksum, ".safetensors"), gk.load),
    "conllu": (".conllu", "\n".join([*ROWS, "", *ROWS[2:], ""]).encode(), read_conllu),
    "conllu.gz": (".conllu.gz", gzip.compress("\n".join(ROWS).encode(), mtime=0), read_conllu),
    "csv": (".csv", TABLE.encode(), read_table),
    "samples": (".csv", b"a,b\n1,2\n3,4\n", lambda path: read_samples(path, (2,))),
    "npy": (".npy", array(), numpy_arrays),
    "npz": (".npz", archive(False), numpy_arrays),
    "compressed npz": (".npz", archive(True), numpy_arrays),
    "pickle": (".pkl", PICKLE, load_pickle),
    "pt": (".pt", bytes.fromhex(torch_weights.load()["transposed"]["file"]), read_state),
    "onnx": (".onnx", (ONNX / "residual_old.onnx").read_bytes(), onnx_model),
    "recurrent onnx": (".onnx", (ONNX / "last_old.onnx").read_bytes(), onnx_model),
    "keras": (".keras", written(keras_model, ".keras"), from_keras),
    "keras weights": (".weights.h5", written(keras_model, ".weights.h5"), keras_file.read),
    "old keras": (".h5", written(old_keras_model, ".h5"), from_keras_of_some_shape),
    "settings": (".toml", SETTINGS.encode(), settings),
}


class Reader:
    """A reader, its valid file, and the lines of the package that inputs have reached."""

    def __init__(self, name: str, folder: Path) -> None:
        suffix, self.example, self.read = READERS[name]
        self.path = folder / ("file" + suffix)
        self.reached: set[tuple[str, int, int]] = set()
        self.refused = 0

    def attempt(self, content: bytes) -> None:
        """Read a file of this content; any error but the expected ones is raised."""
        self.path.write_bytes(content)
        try:
            self.read(self.path)
        except (FileError, UsageError) as error:
            text = str(error)
            assert len(text.splitlines()) == 1, text
            self.refused += 1

    def is_new(self, content: bytes) -> bool:
        """Read it, and return whether it went from one line to another as no input before did."""
        found: set[tuple[str, int, int]] = set()

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            del event, argument
            if not frame.f_code.co_filename.startswith(PACKAGE):
                return None
            name, before = frame.f_code.co_filename, 0

            def each_line(frame: FrameType, event: str, argument: Any) -> Any:
                nonlocal before
                del event, argument
                found.add((name, before, frame.f_lineno))
                before = frame.f_lineno
                return each_line

            return each_line

        sys.settrace(trace)
        try:
            self.attempt(content)
        finally:
            sys.settrace(None)
        fresh = found - self.reached
        self.reached |= fresh
        return bool(fresh)


def every_cut(content: bytes) -> Iterator[bytes]:
    return (content[:length] for length in range(len(content)))


def every_byte(
    content: bytes, chance: random.Random, values: int, places: Sequence[int] | None = None
) -> Iterator[bytes]:
    """Yield the content with each byte, or those at some places, changed to so many others."""
    for place in range(len(content)) if places is None else places:
        old = content[place]
        for change in chance.sample(range(1, 256), values):
            yield content[:place] + bytes([old ^ change]) + content[place + 1 :]


def mutated(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return the content with a few changes: bytes, numbers, pieces removed, doubled, foreign."""
    data = bytearray(content)
    for _ in range(1 << chance.randrange(4)):
        place, length = chance.randrange(len(data) + 1), 1 << chance.randrange(6)
        kind = chance.randrange(6)
        if kind == 0:
            data[place : place + 1] = chance.randbytes(1)
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length] * chance.choice((1, 2, 50))
        elif kind == 3:
            start = chance.randrange(len(other) + 1)
            data[place : place + length] = other[start : start + length]
        elif kind == 4:
            size = chance.choice((1, 2, 4, 8))
            number = chance.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 255))
            data[place : place + size] = number.to_bytes(size, chance.choice(("little", "big")))
        else:
            digits = chance.choice((b"-1", b"0", b"9" * 20, b"1e999", b"NaN", b"[[[[", b'"', b"{}"))
            data[place : place + length // 8] = digits
    return bytes(data[: 4 * len(content) + 256])


def mutations(reader: Reader, runs: int, chance: random.Random) -> None:
    """Mutate the example, and what has reached new lines, so many times."""
    pool = [reader.example]
    for _ in range(runs):
        content = mutated(chance.choice(pool), chance.choice(pool), chance)
        try:
            if reader.is_new(content):
                pool.append(content)
        except Exception as error:
            raise AssertionError(f"{content!r}") from error


def too_long(number: int, frame: Any) -> None:
    del number, frame
    raise TimeoutError("a reader took too long")


def limit_memory() -> None:
    """Let an allocation fail that would make the process larger by more than `ROOM`."""
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + ROOM, own + ROOM))


def main(runs: int, seed: int, names: list[str]) -> int:
    signal.signal(signal.SIGALRM, too_long)
    limit_memory()
    wrong = 0
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for name in names or READERS:
            reader, chance = Reader(name, Path(folder)), random.Random(seed)
            start, done = time.monotonic(), 0
            reader.attempt(reader.example)
            assert not reader.refused, name
            for content in [*every_cut(reader.example), *every_byte(reader.example, chance, 8)]:
                signal.alarm(SECONDS)
                done += 1
                try:
                    reader.attempt(content)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                    wrong += 1
                    print(name, type(error).__name__, str(error)[:200], content)
            pool = [reader.example]
            for _ in range(runs):
                content = mutated(chance.choice(pool), chance.choice(pool), chance)
                signal.alarm(SECONDS)
                done += 1
                try:
                    if reader.is_new(content):
                        pool.append(content)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                    wrong += 1
                    print(name, type(error).__name__, str(error)[:200], content[:400])
            signal.alarm(0)
            facts = {"files": done, "refused": reader.refused, "pool": len(pool)}
            print(json.dumps({"reader": name, **facts, "seconds": time.monotonic() - start}))
    return wrong


if __name__ == "__main__":
    seed = int(sys.argv[2]) if sys.argv[2:] else 0
    sys.exit(bool(main(int(sys.argv[1]), seed, sys.argv[3:])))
