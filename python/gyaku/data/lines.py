"""Lines of a UTF-8 text file, gzipped or not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gyaku.files import (
    DEFLATE_EXPANSION,
    FileError,
    check_expansion,
    is_web_page,
    largest_content,
)

if TYPE_CHECKING:
    from typing import IO

__all__ = ["read_lines"]


def read_lines(
    source: str | os.PathLike[str] | IO[bytes], *, name: str | None = None
) -> tuple[list[str], str]:
    r"""Read the lines of a text file, gzipped or not.

    Parameters
    ----------
    source : str, path-like or binary file
        The file, in UTF-8; gzip is detected from its content, not from its name.
    name : str, optional
        Name for error messages, by default the path.

    Returns
    -------
    lines : list of str
        The lines, without a byte order mark and without their ends (LF or CRLF).
    name : str
        Name of the file for error messages.

    Raises
    ------
    FileError
        If the file is no UTF-8 text, with the line, or its gzip stream is invalid or holds more
        than 256 MiB and more than 100 times the file.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import io
    >>> read_lines(io.BytesIO(b"\xef\xbb\xbfone\r\ntwo"))
    (['one', 'two'], 'the file')
    """
    from pathlib import Path

    if isinstance(source, (str, os.PathLike)):
        content, name = Path(source).read_bytes(), name or os.fspath(source)
    else:
        content, name = source.read(), name or "the file"
    if content.startswith(b"\x1f\x8b"):
        content = _unzipped(content, name)
    if is_web_page(content[:512]):
        raise FileError(f"{name} is a web page, not a data file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileError(f"{name}, line {line} is not UTF-8 text: {error.reason}") from None
    # Not splitlines, which also splits at characters that may stand in a word, such as U+2028.
    lines = text.replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1], name


def _unzipped(content: bytes, name: str) -> bytes:
    import gzip
    import io
    import zlib

    most = min(largest_content(len(content)), DEFLATE_EXPANSION * len(content))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            found = stream.read(most + 1)  # which allocates that much
    except EOFError:
        raise FileError(f"{name} is truncated: its gzip stream has no end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FileError(f"{name} is damaged: its gzip stream is invalid ({error})") from None
    check_expansion(name, len(found), len(content))
    return found
