"""Atomic writes, and errors of files in one sentence.

All files of gyaku (models, tables, pictures, decoded data sets) are written by `write_atomically`,
so that a crash, a full disk or Ctrl-C leaves either the old file or the new one. Invalid files
raise `FileError`.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO
    from zipfile import ZipFile

if sys.platform != "win32":
    import fcntl

__all__ = ["FileError", "check_expansion", "check_writable", "is_web_page", "largest_content"]
__all__ += ["DEFLATE_EXPANSION", "open_archive", "sweep", "write_atomically"]

_PREFIX = ".gyaku-"  # of temporary files

LARGEST_EXPANSION = 100
"""Bytes of memory that a byte of a compressed file may become."""

DEFLATE_EXPANSION = 1032
"""Largest compression ratio of a deflate stream."""

UNSUSPICIOUS = 1 << 28
"""Bytes of memory that a compressed file of any size may become, 256 MiB."""


class FileError(ValueError):
    """Invalid file: truncated, inconsistent, or of another format."""


def largest_content(size: int) -> int:
    """Return how much memory the content of a compressed file may fill.

    Parameters
    ----------
    size : int
        Bytes of the file.

    Returns
    -------
    int
        Bytes of the content: 256 MiB, or 100 times the size if that is more.
    """
    return max(UNSUSPICIOUS, LARGEST_EXPANSION * size)


def check_expansion(name: str, needed: int, size: int, remedy: str = "unpack it") -> None:
    """Raise if a compressed file declares far more content than its size makes likely.

    Parameters
    ----------
    name : str
        The file, for the error.
    needed : int
        Bytes of memory for its content, as declared.
    size : int
        Bytes of the file.
    remedy : str
        A way to read it nevertheless, for the error.

    Raises
    ------
    FileError
        If it needs more than 256 MiB and more than 100 times its size.

    Examples
    --------
    >>> check_expansion("x.npz", 10**6, 1000)
    >>> check_expansion("x.npz", 10**9, 1000)
    Traceback (most recent call last):
    ...
    gyaku.files.FileError: x.npz of 1000 bytes would fill 1000000000 bytes of memory, more than 100
    times its size; if you trust it, unpack it first
    """
    if needed > largest_content(size):
        raise FileError(
            f"{name} of {size} bytes would fill {needed} bytes of memory, more than"
            f" {LARGEST_EXPANSION} times its size; if you trust it, {remedy} first"
        )


class _Bounded(io.BufferedReader):
    """File whose reads take no more memory than it has bytes, whatever a damaged one asks for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None else min(size, os.fstat(self.fileno()).st_size))


@contextmanager
def open_archive(path: Path, damage: str) -> Iterator[ZipFile]:
    """Open a ZIP archive whose content is no larger than its size makes likely.

    Parameters
    ----------
    path : Path
        The archive.
    damage : str
        Rest of the error if it is damaged, behind the path.

    Yields
    ------
    ZipFile
        The archive; what fails while it is read is an error of the file.

    Raises
    ------
    FileError
        If it is damaged, or declares too much content.
    OSError
        If it cannot be read.
    """
    import struct
    from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

    damaged = (BadZipFile, EOFError, struct.error, zlib.error)
    try:
        with _Bounded(io.FileIO(path)) as stream, ZipFile(stream) as archive:
            members = archive.infolist()
            if any(each.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for each in members):
                raise BadZipFile
            check_expansion(str(path), sum(each.file_size for each in members), path.stat().st_size)
            yield archive
    except FileError:
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:  # a negative position, of a damaged archive
            raise
        raise FileError(f"{path} {damage}") from None
    except (ValueError, LookupError, RuntimeError, OverflowError, *damaged):
        raise FileError(f"{path} {damage}") from None


def is_web_page(head: bytes) -> bool:
    """Return whether a file begins like HTML, which servers and portals send for an error.

    Parameters
    ----------
    head : bytes
        The first bytes of the file, 64 or more.

    Returns
    -------
    bool
        Whether they are the beginning of a web page.

    Examples
    --------
    >>> is_web_page(b"<!DOCTYPE html><html>...")
    True
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--"))


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise if a path cannot be written, before the work for its content.

    Parameters
    ----------
    path : str or path-like
        The file to write later; it stays unchanged.

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
    """Write a file atomically: readers find the old content or the new one.

    Parameters
    ----------
    path : str or path-like
        The file to write or replace; a symbolic link keeps its target.
    write : callable
        Function that writes the content to an open binary stream.

    Raises
    ------
    OSError
        If it cannot be written; an old file stays unchanged.

    Notes
    -----
    The content goes to a temporary file in the same folder, which is flushed to the disk and
    renamed over the target; then the folder is flushed too. The temporary file is locked while its
    writer lives, so that a later call can remove the files of killed processes.
    """
    try:
        target = _resolve(path)
        _remove_stale(target.parent, _prefix(target))
        descriptor, temporary = _open_temporary(target)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                write(stream)
                stream.flush()
                os.fsync(descriptor)
                if sys.platform != "win32":  # under the lock, out of reach of a sweep
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
    """Return the target of a path; raise unless it is, or can become, a regular file."""
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
    """Return the prefix of a target's temporary files; short, since names have a limit."""
    return f"{_PREFIX}{zlib.crc32(os.fsencode(target.name)):08x}-"


def _open_temporary(target: Path) -> tuple[int, Path]:
    """Create and lock a temporary file beside the target, with the target's permissions."""
    while True:
        temporary = target.with_name(f"{_prefix(target)}{os.urandom(4).hex()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _lock(descriptor)
            if os.fstat(descriptor).st_nlink:  # otherwise swept between creation and lock
                # fails for a new file, for another user's file, and on Windows
                with suppress(FileNotFoundError, PermissionError, AttributeError):
                    os.fchmod(descriptor, target.stat().st_mode & 0o777)
                return descriptor, temporary
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Try to lock an open file exclusively, and return whether it succeeded."""
    if sys.platform == "win32":  # no locks: stale files stay
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked already, or a file system without locks
        return False
    return True


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed processes left in a folder.

    Parameters
    ----------
    folder : str or path-like
        The folder; one that does not exist is left alone.

    See Also
    --------
    write_atomically : The writer, which removes those of its own target.
    """
    from pathlib import Path

    _remove_stale(Path(folder), _PREFIX)


def _remove_stale(folder: Path, prefix: str) -> None:
    for stale in folder.glob(f"{prefix}*.tmp"):
        with suppress(OSError):  # swept by another process, or not permitted
            descriptor = os.open(stale, os.O_WRONLY)
            try:
                if _lock(descriptor):
                    stale.unlink()
            finally:
                os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Flush a rename in `folder` to the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _in_one_sentence(error: OSError, path: str | os.PathLike[str]) -> OSError:
    """Return an error of the same class that names the file and the reason."""
    from pathlib import Path

    reason = error.strerror or str(error)
    if isinstance(error, PermissionError) and error.strerror:
        reason = f"no permission to write in the folder {Path(path).absolute().parent}"
    sentence = type(error)(f"cannot write {os.fspath(path)}: {reason[:1].lower()}{reason[1:]}")
    sentence.errno = error.errno
    return sentence
