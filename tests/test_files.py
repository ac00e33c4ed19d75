"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

import gyaku as gk
from gyaku.files import check_writable, is_web_page, sweep, write_atomically

FULL = OSError(errno.ENOSPC, "No space left on device")


def write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda stream: stream.write(content))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("old", [None, b"old content, longer than the new one"])
def test_the_new_content_replaces_the_old(old: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == {"file"}


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt(), ValueError("no")], ids=repr)
def test_a_failure_while_writing_leaves_the_old_file(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(stream) -> None:
        stream.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == {"file"}


@pytest.mark.parametrize("call", ["os.open", "os.fdopen", "os.fsync", "pathlib.Path.replace"])
def test_each_failing_system_call_leaves_the_old_file(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*args: object, **keywords: object) -> None:
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises(OSError, match=r"cannot write .*file: no space left on device"):
            write(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == {"file"}


def test_the_permissions_of_the_old_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o640)
    write(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_obeys_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "file", b"new")
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_symbolic_link_keeps_its_target(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to("folder/file")
    write(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "folder" / "file").read_bytes() == b"new"


REFUSED = {
    "missing folder": ("none/file", FileNotFoundError, "its folder does not exist"),
    "a folder": (".", IsADirectoryError, "it is a folder"),
    "a device": ("/dev/null", OSError, "it is not a regular file"),
    "a long name": ("x" * 300, OSError, "file name too long"),
    "no folder": ("file/below", OSError, "not a directory"),
    "unwritable": ("/proc/file", OSError, "cannot write /proc/file: "),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize(
    "attempt", [check_writable, lambda path: write(path, b"")], ids=["check", "write"]
)
def test_a_path_that_cannot_be_written_is_named(attempt, kind: str, tmp_path: Path) -> None:
    name, error, reason = REFUSED[kind]
    (tmp_path / "file").touch()
    with pytest.raises(error) as caught:
        attempt(tmp_path / name)
    assert str(caught.value).startswith(f"cannot write {tmp_path / name}: ")
    assert reason in str(caught.value)


def test_checking_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    check_writable(path)
    assert names(tmp_path) == set()
    path.write_bytes(b"old")
    check_writable(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == {"file"}


WRITER = """
import sys
from gyaku.files import write_atomically

def slowly(stream):
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    sys.stdin.read()

write_atomically(sys.argv[1], slowly)
"""


def writer(path: Path) -> subprocess.Popen[bytes]:
    """Start a process that is in the middle of writing `path` when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    return process


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with writer(path) as process:
        process.send_signal(signal.SIGKILL)
    assert len(names(tmp_path)) == 1
    assert not path.exists()
    write(path, b"new")
    assert names(tmp_path) == {"file"}


def test_a_folder_is_swept_of_what_killed_writers_of_any_file_left(tmp_path: Path) -> None:
    with writer(tmp_path / "one") as process:
        process.send_signal(signal.SIGKILL)
    with writer(tmp_path / "two") as process:
        sweep(tmp_path)
        assert len(names(tmp_path)) == 1
        process.communicate()
    assert names(tmp_path) == {"two"}
    sweep(tmp_path / "missing")


def test_a_writer_at_work_is_not_swept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with writer(path) as process:
        write(path, b"new")
        assert path.read_bytes() == b"new"
        assert len(names(tmp_path)) == 2
        process.communicate()
    assert process.returncode == 0
    assert path.read_bytes() == b"half"
    assert names(tmp_path) == {"file"}


LIMITED = """
import resource, sys
import gyaku as gk

model = gk.Sequential(gk.Dense(100))
model.build((100,))
model.save(sys.argv[1])
before = open(sys.argv[1], "rb").read()
resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2,) * 2)
try:
    model.save(sys.argv[1])
except OSError as error:
    print(error)
print(before == open(sys.argv[1], "rb").read())
"""


def test_a_model_whose_file_has_no_room_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    command = [sys.executable, "-c", LIMITED, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"cannot write {path}: file too large", "True"]
    assert names(tmp_path) == {"model.safetensors"}


SAVER = """
import sys
import gyaku as gk

model = gk.Sequential(gk.Dense(50, weight_init=sys.argv[2]))
model.build((50,))
for _ in range(100):
    model.save(sys.argv[1])
"""


def test_two_processes_that_save_to_one_path_leave_whole_models(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    savers = [
        subprocess.Popen([sys.executable, "-c", SAVER, path, init]) for init in ("ones", "zeros")
    ]
    read = 0
    while any(saver.poll() is None for saver in savers):
        if path.exists():
            weights = gk.load(path).layers[0].params["weight"]
            assert len(np.unique(weights)) == 1
            read += 1
    assert [saver.wait() for saver in savers] == [0, 0]
    assert read > 1
    assert names(tmp_path) == {"model.safetensors"}


def test_a_folder_that_vanishes_while_a_file_is_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    def remove(stream: BinaryIO) -> None:
        stream.write(b"half")
        shutil.rmtree(folder)

    with pytest.raises(OSError, match=f"^cannot write {folder}/file: no such file or directory"):
        write_atomically(folder / "file", remove)
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("head", "verdict"),
    [
        (b"<!DOCTYPE html>", True),
        (b"\xef\xbb\xbf\r\n <HTML lang=en>", True),
        (b"<?xml version='1.0'?><Error>", True),
        (b"\x1f\x8b\x08\x00", False),
        (b"", False),
        (b"<idx", False),
    ],
)
def test_a_web_page_is_recognised(head: bytes, verdict: bool) -> None:
    assert is_web_page(head) is verdict
