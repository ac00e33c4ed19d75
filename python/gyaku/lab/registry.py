"""Registry of the labs that run: a file for each, in a folder of the user's own."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gyaku import _core
from gyaku.data.folders import cache_folder

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Entry", "Registration", "running"]

_LARGEST = 4096  # bytes of a file


class Entry(NamedTuple):
    """Where a lab listens, and its token.

    Parameters
    ----------
    address : str
        Its IP address.
    port : int
        Its port.
    token : str
        Its token.
    """

    address: str
    port: int
    token: str


class Registration:
    """Registration of a lab, until it leaves or its process ends.

    Parameters
    ----------
    entry : Entry
        The lab.

    Notes
    -----
    The file has the mode 0600 and is locked as long as the process lives, so that one that was
    killed is noticed. Without a folder to write to, or on Windows, the lab is not registered.
    """

    def __init__(self, entry: Entry) -> None:
        self._path = _folder() / f"lab-{socket.gethostname()}-{entry.port}.json"
        self._descriptor: int | None = None
        if sys.platform == "win32":  # no locks
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._enter(json.dumps({**entry._asdict(), "version": _core.__version__}).encode())

    def _enter(self, content: bytes) -> None:
        new = self._path.with_suffix(f".{os.getpid()}.tmp")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, content)
            new.replace(self._path)
        except OSError:
            os.close(descriptor)
            new.unlink(missing_ok=True)
            raise
        self._descriptor = descriptor

    def leave(self) -> None:
        """Remove the file; a second time, do nothing."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._descriptor), self._path.lstat()):
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = None


def running() -> list[Entry]:
    """Return the labs of this user, machine and version that run, and remove files of others.

    Returns
    -------
    list of Entry
        The labs, the last one started first.
    """
    found: list[tuple[float, Entry]] = []
    if sys.platform == "win32":
        return []
    for path in _folder().glob(f"lab-{socket.gethostname()}-*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError), _opened(path) as file:
            content = json.loads(os.read(file, _LARGEST))
            if content["version"] == _core.__version__:
                port = int(content["port"])
                entry = Entry(str(content["address"]), port, str(content["token"]))
                found.append((os.fstat(file).st_mtime, entry))
    return [entry for _, entry in sorted(found, reverse=True)]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open the file of a lab that runs; remove that of one that was killed, and raise OSError."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(file)
        is_own = about.st_uid == os.getuid() and not about.st_mode & 0o077
        if not (is_own and stat.S_ISREG(about.st_mode)):
            raise PermissionError("others can write or read it")
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # its process lives
            yield file
        else:
            path.unlink()
            raise FileNotFoundError("its process has ended")
    finally:
        os.close(file)


def _folder() -> Path:
    root = os.environ.get("XDG_RUNTIME_DIR")
    return Path(root) / "gyaku" if root else cache_folder("labs")
