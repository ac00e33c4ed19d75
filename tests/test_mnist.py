"""MNIST is found, downloaded and kept; a file that is not whole is never taken for one."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mirror import Mirror, reply

from gyaku.data import DownloadError, mnist
from gyaku.data.idx import idx_header
from gyaku.files import FileError

MODULE = importlib.import_module("gyaku.data.mnist")  # the function has the same name

# A stand-in of 12 + 5 images: everything but the size and the digests is as for the real one.
RNG = np.random.default_rng(0)
ARRAYS = {
    "x_train": RNG.integers(0, 256, (12, 28, 28), np.uint8),
    "y_train": RNG.integers(0, 10, 12, np.uint8),
    "x_test": RNG.integers(0, 256, (5, 28, 28), np.uint8),
    "y_test": RNG.integers(0, 10, 5, np.uint8),
}
PLAIN = {key: idx_header(a.dtype, a.shape) + a.tobytes() for key, a in ARRAYS.items()}
NAMES = {key: row[0] for key, row in MODULE.FILES.items()}
CONTENT = {f"{NAMES[key]}.gz": gzip.compress(plain, mtime=0) for key, plain in PLAIN.items()}
IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture(autouse=True)
def small_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the stand-in be MNIST, and give the test a cache of its own."""
    files = {
        key: (NAMES[key], array.shape, hashlib.sha256(PLAIN[key]).hexdigest())
        for key, array in ARRAYS.items()
    }
    monkeypatch.setattr(MODULE, "FILES", files)
    monkeypatch.setenv("GYAKU_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GYAKU_DATA", raising=False)
    monkeypatch.delenv("GYAKU_MNIST_MIRRORS", raising=False)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "mnist"


def lay(folder: Path, content: dict[str, bytes] = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


def assert_is_the_stand_in(loaded: object) -> None:
    (x_train, y_train), (x_test, y_test) = loaded  # type: ignore[misc]
    for key, array in {"x_train": x_train, "x_test": x_test}.items():
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, ARRAYS[key][..., np.newaxis])
    for key, array in {"y_train": y_train, "y_test": y_test}.items():
        assert array.dtype == np.int64
        np.testing.assert_array_equal(array, ARRAYS[key])


def whole(handler, name: str) -> None:
    reply(handler, CONTENT[name])


def half(handler, name: str) -> None:
    reply(handler, CONTENT[name][: len(CONTENT[name]) // 2])


def broken_off(handler, name: str) -> None:
    reply(handler, CONTENT[name][:20], length=len(CONTENT[name]))


def web_page(handler, name: str) -> None:
    reply(handler, b"<!DOCTYPE html><html><body>Please log in to the campus network</body></html>")


def other_content(handler, name: str) -> None:
    reply(handler, gzip.compress(PLAIN["x_train"][:-1] + b"\0"))


def unavailable(handler, name: str) -> None:
    reply(handler, b"busy", status=503)


def missing(handler, name: str) -> None:
    reply(handler, b"<html>no such file</html>", status=404)


def endless(handler, name: str) -> None:
    reply(handler, bytes(300_000))


def silent(handler, name: str) -> None:
    time.sleep(0.6)


def plain_text_of(handler, name: str) -> None:
    """Unpack on the way, as servers that declare a Content-Encoding make clients do."""
    key = next(key for key, n in NAMES.items() if name == f"{n}.gz")
    reply(handler, PLAIN[key])


def slow(handler, name: str) -> None:
    time.sleep(0.05)
    whole(handler, name)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror(whole) as mirror:
        yield mirror


@pytest.fixture
def second() -> Iterator[Mirror]:
    with Mirror(whole) as mirror:
        yield mirror


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYAKU_MNIST_MIRRORS", "http://127.0.0.1:9/mnist/")


UNPACKED = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in CONTENT.items()}
REPACKED = {name: gzip.compress(UNPACKED[name.removesuffix(".gz")], 1) for name in CONTENT}


@pytest.mark.parametrize("content", [CONTENT, UNPACKED, REPACKED], ids=["gz", "plain", "other gz"])
@pytest.mark.parametrize("below", ["", "mnist"])
def test_it_is_found_in_the_data_folder(
    content: dict[str, bytes], below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline
) -> None:
    monkeypatch.setenv("GYAKU_DATA", str(tmp_path / "data"))
    lay(tmp_path / "data" / below, content)
    assert_is_the_stand_in(mnist())
    assert_is_the_stand_in(mnist())  # from what the first call kept


def test_it_is_read_from_a_given_folder(tmp_path: Path, offline) -> None:
    assert_is_the_stand_in(mnist(lay(tmp_path / "here")))


def test_a_given_folder_must_be_complete(tmp_path: Path, mirror: Mirror) -> None:
    folder = lay(tmp_path / "here")
    (folder / IMAGES).unlink()
    with pytest.raises(FileNotFoundError, match=f"MNIST is not complete in .*here: {IMAGES}"):
        mnist(folder, mirrors=[mirror.url])
    assert mirror.asked == []


def test_it_is_downloaded_once_and_kept(mirror: Mirror, cache: Path) -> None:
    assert_is_the_stand_in(mnist(mirrors=[mirror.url]))
    assert_is_the_stand_in(mnist(mirrors=[mirror.url]))
    assert sorted(mirror.asked) == sorted(CONTENT)
    assert {path.name for path in cache.iterdir()} == {*CONTENT, "mnist.npz", ".lock"}


def test_the_mirrors_may_stand_in_the_environment(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYAKU_MNIST_MIRRORS", f"http://127.0.0.1:9/ {mirror.url}")
    assert_is_the_stand_in(mnist())
    assert len(mirror.asked) == 4


def test_only_what_is_missing_is_downloaded(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lay(tmp_path / "data")
    (folder / IMAGES).unlink()
    monkeypatch.setenv("GYAKU_DATA", str(folder))
    assert_is_the_stand_in(mnist(mirrors=[mirror.url]))
    assert mirror.asked == [IMAGES]


FAILURES = {
    half: "the file is cut off",
    broken_off: "the connection broke off",
    web_page: "the server sent a web page",
    other_content: "its content has another SHA-256",
    unavailable: "HTTP 503",
    missing: "HTTP 404",
    endless: "the server sent more bytes than the file has",
    silent: "no answer within 0.2 s",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_when_a_mirror_fails_the_next_one_is_tried(
    failure, mirror: Mirror, second: Mirror, cache: Path
) -> None:
    mirror.answer = failure
    assert_is_the_stand_in(mnist(mirrors=[mirror.url, second.url], timeout=0.2))
    assert len(mirror.asked) == 1  # once it has failed it is not asked again
    assert set(second.asked) == set(CONTENT)
    assert {name: (cache / name).read_bytes() for name in CONTENT} == CONTENT


@pytest.mark.parametrize("failure", FAILURES)
def test_when_all_mirrors_fail_the_error_says_why_and_what_to_do(
    failure, mirror: Mirror, cache: Path
) -> None:
    mirror.answer = failure
    with pytest.raises(DownloadError) as caught:
        mnist(mirrors=[mirror.url], timeout=0.2)
    message = str(caught.value)
    assert message.startswith("MNIST is not on this machine and ")
    assert f"{mirror.url}{IMAGES} (" in message
    assert FAILURES[failure] in message
    assert f"put {', '.join(CONTENT)} into {cache}, or set GYAKU_DATA to a folder" in message
    assert "\n" not in message
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_without_a_network_the_error_says_what_to_do(offline) -> None:
    with pytest.raises(DownloadError, match=r"\(no connection\); put .* or set GYAKU_DATA"):
        mnist()


def test_a_mirror_that_unpacks_on_the_way_is_fine(mirror: Mirror) -> None:
    mirror.answer = plain_text_of
    assert_is_the_stand_in(mnist(mirrors=[mirror.url]))
    assert_is_the_stand_in(mnist(mirrors=[mirror.url]))


BROKEN = {"empty": b"", "web page": b"<html>", "cut": CONTENT[IMAGES][:50], "zeros": bytes(99)}


@pytest.mark.parametrize("bad", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_in_the_cache_is_fetched_again(
    bad: bytes, mirror: Mirror, cache: Path
) -> None:
    lay(cache, {**CONTENT, IMAGES: bad})
    assert_is_the_stand_in(mnist(mirrors=[mirror.url]))
    assert mirror.asked == [IMAGES]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "is empty"),
        (b"<html>", "is a web page"),
        (CONTENT[IMAGES][:-30], "is cut off"),
        (CONTENT["t10k-images-idx3-ubyte.gz"], "is a whole IDX file but not MNIST's"),
    ],
    ids=["empty", "web page", "cut", "other"],
)
def test_a_broken_file_in_the_data_folder_is_named_and_left_alone(
    bad: bytes, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror
) -> None:
    folder = lay(tmp_path / "data")
    monkeypatch.setenv("GYAKU_DATA", str(folder))
    assert_is_the_stand_in(mnist())  # so that a decoded copy is there already
    (folder / IMAGES).write_bytes(bad)
    with pytest.raises(FileError) as caught:
        mnist(mirrors=[mirror.url])
    assert str(caught.value).startswith(f"{folder / IMAGES} {reason}")
    assert (folder / IMAGES).read_bytes() == bad
    assert mirror.asked == []


def damaged(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    return bytes(content)


DAMAGE = {
    "cut": lambda path: path.read_bytes()[:-100],
    "one bit": damaged,
    "empty": lambda path: b"",
    "a web page": lambda path: b"<html>",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_decoded_copy_is_made_again(damage: str, mirror: Mirror, cache: Path) -> None:
    mnist(mirrors=[mirror.url])
    copy = cache / "mnist.npz"
    good = copy.read_bytes()
    copy.write_bytes(DAMAGE[damage](copy))
    assert_is_the_stand_in(mnist(mirrors=[mirror.url]))
    assert len(copy.read_bytes()) == len(good)
    assert len(mirror.asked) == 4


def test_a_decoded_copy_of_something_else_is_made_again(mirror: Mirror, cache: Path) -> None:
    cache.mkdir(parents=True)
    np.savez(cache / "mnist.npz", **{key: a[:3] for key, a in ARRAYS.items()}, stamps=np.array([]))
    assert_is_the_stand_in(mnist(mirrors=[mirror.url]))


@pytest.fixture(params=["a file stands there", "not a folder", "no such place"])
def unwritable_cache(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "mnist").touch()
    place = {
        "a file stands there": tmp_path / "occupied",
        "not a folder": tmp_path / "file" / "below",
        "no such place": Path("/proc/gyaku"),
    }[request.param]
    monkeypatch.setenv("GYAKU_CACHE", str(place))


@pytest.mark.usefixtures("unwritable_cache")
def test_an_unwritable_cache_is_said_after_a_download(mirror: Mirror) -> None:
    with pytest.warns(UserWarning, match="cannot be kept .* set GYAKU_CACHE to a folder"):
        loaded = mnist(mirrors=[mirror.url])
    assert_is_the_stand_in(loaded)


@pytest.mark.usefixtures("unwritable_cache", "offline")
def test_an_unwritable_cache_does_not_matter_to_who_has_the_files(tmp_path: Path) -> None:
    assert_is_the_stand_in(mnist(lay(tmp_path / "data")))


LOAD = """
import gyaku.data, importlib, sys
module = importlib.import_module("gyaku.data.mnist")
module.FILES = {files}
(x, y), _ = gyaku.data.mnist()
print(int(x.sum()), int(y.sum()))
"""


def test_two_processes_at_once_download_once(mirror: Mirror, cache: Path) -> None:
    mirror.answer = slow
    environment = {**os.environ, "GYAKU_MNIST_MIRRORS": mirror.url}
    code = LOAD.format(files=MODULE.FILES)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    expected = f"{ARRAYS['x_train'].sum()} {ARRAYS['y_train'].sum()}\n"
    assert [p.communicate(timeout=30)[0] for p in processes] == [expected] * 3
    assert sorted(mirror.asked) == sorted(CONTENT)
    assert {path.name for path in cache.iterdir()} == {*CONTENT, "mnist.npz", ".lock"}


REAL = Path(os.environ.get("GYAKU_DATA") or Path(__file__).parents[2] / "shared" / "data")
needs_mnist = pytest.mark.skipif(
    not (REAL / "mnist" / IMAGES).is_file() and not (REAL / IMAGES).is_file(),
    reason="MNIST itself is not on this machine: set GYAKU_DATA",
)


@needs_mnist
class TestRealMNIST:
    @pytest.fixture(autouse=True)
    def real(self, small_mnist: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.undo()
        monkeypatch.setenv("GYAKU_CACHE", str(tmp_path))
        monkeypatch.setenv("GYAKU_DATA", str(REAL))

    def test_it_is_the_original(self) -> None:
        (x_train, y_train), (x_test, y_test) = mnist()
        assert x_train.shape == (60000, 28, 28, 1)
        assert x_test.shape == (10000, 28, 28, 1)
        assert np.bincount(y_train).tolist()[:3] == [5923, 6742, 5958]
        assert y_test[:5].tolist() == [7, 2, 1, 0, 4]
        assert x_train.mean() == pytest.approx(33.318, abs=1e-3)

    def test_the_decoded_copy_loads_in_a_tenth_of_a_second(self, tmp_path: Path) -> None:
        mnist()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            mnist()
            times.append(time.perf_counter() - start)
        assert min(times) < 0.1
        shutil.rmtree(tmp_path / "mnist")


@pytest.mark.parametrize("end", ["", ".gz"])
def test_files_whose_names_were_unzipped_with_a_dot(end: str, tmp_path: Path) -> None:
    plain = {NAMES[key].replace("-idx", ".idx"): data for key, data in PLAIN.items()}
    content = {f"{name}{end}": gzip.compress(data) if end else data for name, data in plain.items()}
    assert_is_the_stand_in(mnist(lay(tmp_path / "own", content)))
