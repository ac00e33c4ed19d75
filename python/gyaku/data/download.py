"""Downloads, validated before they are kept."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from gyaku.files import FileError, is_web_page, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO, TypeVar

    Content = TypeVar("Content")

__all__ = ["DownloadError", "download"]

_IN_MEMORY = 64 * 2**20


class DownloadError(OSError):
    """Failed download, or a downloaded file with the wrong content."""


class _Bounded:
    """Stream for a download that raises beyond a limit of bytes."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self.stream = stream
        self.left = limit

    def write(self, chunk: bytes) -> int:
        self.left -= len(chunk)
        if self.left < 0:
            raise FileError("the server sent more bytes than the file has")
        return self.stream.write(chunk)

    def flush(self) -> None:
        self.stream.flush()


def download(
    url: str,
    target: Path,
    check: Callable[[IO[bytes]], Content],
    *,
    limit: int,
    timeout: float = 30.0,
) -> Content:
    """Download a file, validate it, and keep it if it is valid.

    Parameters
    ----------
    url : str
        Its address.
    target : Path
        Path of the validated file; if it cannot be written, the file is not kept.
    check : callable
        Function from the open file to its content; it raises `FileError` if it is invalid.
    limit : int
        Largest size in bytes.
    timeout : float, default 30.0
        Longest wait for an answer, in seconds.

    Returns
    -------
    object
        Result of `check`.

    Raises
    ------
    DownloadError
        If the download fails or the file is invalid; with the address and the reason.
    """
    import tempfile

    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as stream:
        try:
            _fetch(url, _Bounded(stream, limit), timeout)
            stream.seek(0)
            if is_web_page(stream.read(512)):
                raise FileError("the server sent a web page")
            stream.seek(0)
            content = check(stream)
        except FileError as error:
            raise DownloadError(f"{url} ({error})") from None
        stream.seek(0)
        _keep(stream, target)
    return content


def _fetch(url: str, stream: _Bounded, timeout: float) -> None:
    """Download into a stream; raise network errors as `FileError`."""
    from pooch import HTTPDownloader  # type: ignore[import-untyped]
    from requests import RequestException

    bar = sys.stderr is not None and sys.stderr.isatty()
    try:
        HTTPDownloader(timeout=timeout, progressbar=bar)(url, stream, None)
    except RequestException as error:
        raise FileError(_reason(error, timeout)) from None


def _reason(error: Exception, timeout: float) -> str:
    """Return the reason of a failed request, in a few words."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, exceptions.Timeout) or "timed out" in str(error).lower():
        return f"no answer within {timeout:g} s"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    return f"{type(error).__name__}: {error}"


def _keep(stream: IO[bytes], target: Path) -> None:
    import shutil

    with suppress(OSError):  # the content is in memory already
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, lambda kept: shutil.copyfileobj(stream, kept))
