"""Files that are written whole or not at all, and refused in one sentence.

Everything that gyaku writes (models, tables, pictures, decoded data sets) goes through
`write_atomically`, so that a crash, a full disk or Ctrl-C leaves either the old file or the new
one. Everything that it reads raises `FileError` when it is not what it should be.
"""

from __future__ import annotations

import os
import stat
import sys
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

__all__ = ["FileError", "check_writable", "is_web_page", "write_atomically"]


class FileError(ValueError):
    """A file is not what it should be: torn, lying, or of another kind."""


def is_web_page(head: bytes) -> bool:
    """Tell whether a file begins like HTML, which servers and portals send for an error.

    Parameters
    ----------
    head : bytes
        The first bytes of the file, 64 or more.

    Returns
    -------
    bool
        True if they are the beginning of a web page.

    Examples
    --------
    >>> is_web_page(b"<!DOCTYPE html><html>...")
    True
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--"))


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a path that could not be written, before the work that leads to it.

    Parameters
    ----------
    path : str or path-like
        The file that is to be written later; it is left as it is.

    Raises
    ------
    OSError
        If the folder is missing or cannot be written, or the path is not a regular file.
    """
    try:
        descriptor, temporary = _open_temporary(_resolve(path))
        os.close(descriptor)
        temporary.unlink()
    except OSError as error:
        raise _in_one_sentence(error, path) from None


def write_atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that a reader finds the old content or the new one, never a part.

    Parameters
    ----------
    path : str or path-like
        The file to write or replace; a symbolic link keeps pointing at what it pointed at.
    write : callable
        Gets the open binary stream and writes the content to it.

    Raises
    ------
    OSError
        If it cannot be written; the old file, if any, is untouched.

    Notes
    -----
    The content goes to a temporary file in the same folder, which is flushed to the disk and
    renamed over the target; then the folder is flushed too. The temporary file is locked while
    its writer lives, so a later call recognises and removes what a killed process left behind.
    """
    try:
        target = _resolve(path)
        _sweep(target)
        descriptor, temporary = _open_temporary(target)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                write(stream)
                stream.flush()
                os.fsync(descriptor)
                if sys.platform != "win32":  # while it is locked, or a sweep could take it
                    temporary.replace(target)
            if sys.platform == "win32":
                temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(target.parent)
    except OSError as error:
        raise _in_one_sentence(error, path) from None


def _resolve(path: str | os.PathLike[str]) -> Path:
    """Return the file that `path` leads to, if it is, or could become, a regular one."""
    from pathlib import Path

    target = Path(path).resolve()
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise FileNotFoundError("its folder does not exist") from None
        return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError("it is a folder")
    if not stat.S_ISREG(mode):
        raise OSError("it is not a regular file")
    if not os.access(target, os.W_OK):
        raise PermissionError("it is read-only")
    return target


def _prefix(target: Path) -> str:
    """Return how the temporary files of a target begin; short, since names have a limit."""
    return f".gyaku-{zlib.crc32(os.fsencode(target.name)):08x}-"


def _open_temporary(target: Path) -> tuple[int, Path]:
    """Create and lock a temporary file beside the target, with the target's permissions."""
    while True:
        temporary = target.with_name(f"{_prefix(target)}{os.urandom(4).hex()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _lock(descriptor)
            if os.fstat(descriptor).st_nlink:  # else it was swept between creation and lock
                # not for a new file, somebody else's file, or on Windows
                with suppress(FileNotFoundError, PermissionError, AttributeError):
                    os.fchmod(descriptor, target.stat().st_mode & 0o777)
                return descriptor, temporary
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file and tell whether it was free."""
    if sys.platform == "win32":  # nothing to lock with: stale files are left alone
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody has it, or this file system has no locks
        return False
    return True


def _sweep(target: Path) -> None:
    """Remove the temporary files that killed writers of this target left behind."""
    for stale in target.parent.glob(f"{_prefix(target)}*.tmp"):
        with suppress(OSError):  # swept by somebody else, or not ours to remove
            descriptor = os.open(stale, os.O_WRONLY)
            try:
                if _lock(descriptor):
                    stale.unlink()
            finally:
                os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _in_one_sentence(error: OSError, path: str | os.PathLike[str]) -> OSError:
    """Return the same kind of error, saying which file cannot be written and why."""
    from pathlib import Path

    reason = error.strerror or str(error)
    if isinstance(error, PermissionError) and error.strerror:
        reason = f"no permission to write in the folder {Path(path).absolute().parent}"
    sentence = type(error)(f"cannot write {os.fspath(path)}: {reason[:1].lower()}{reason[1:]}")
    sentence.errno = error.errno
    return sentence
