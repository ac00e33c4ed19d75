"""Reader for IDX, the file format of MNIST and its relatives."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import numpy as np

from gyaku.files import DEFLATE_EXPANSION, FileError, check_expansion, is_web_page

if TYPE_CHECKING:
    from io import BufferedIOBase
    from typing import IO, Any

    from numpy.typing import NDArray

__all__ = ["idx_header", "read_idx"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_MOST_DIMENSIONS = 64  # NumPy's own limit
_BIGGEST = 2**63 - 1


def read_idx(
    source: str | os.PathLike[str] | IO[bytes], *, name: str | None = None
) -> NDArray[Any]:
    """Read an IDX file, gzipped or not.

    Parameters
    ----------
    source : str, path-like or binary file
        The file; gzip is detected from its content, not from its name.
    name : str, optional
        Name for error messages, by default the path.

    Returns
    -------
    ndarray
        Its content in the machine's byte order: uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    FileError
        If the file is truncated, has an inconsistent size, or is not IDX, or if a gzipped one
        declares more than 256 MiB and more than 100 times its size; no memory is allocated before.
    OSError
        If the file cannot be read.

    Notes
    -----
    Two zero bytes, a byte for the type, a byte for the number of dimensions, each dimension as a
    big-endian 32-bit integer, then the values, big-endian, last dimension fastest (Y. LeCun,
    C. Cortes, C. Burges, *The MNIST database*).

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "three.idx"
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    ...     print(read_idx(path))
    [7 8 9]
    """
    from pathlib import Path

    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as raw:
            return _read_file(raw, name or os.fspath(source))
    return _read_file(source, name or "the file")


def idx_header(dtype: Any, shape: tuple[int, ...]) -> bytes:
    """Return the header of an IDX file.

    Parameters
    ----------
    dtype : dtype-like
        One of the six types of the format.
    shape : tuple of int
        The dimensions.

    Returns
    -------
    bytes
        The bytes before the values.

    Examples
    --------
    >>> idx_header("uint8", (60000, 28, 28)).hex(" ", 4)
    '00000803 0000ea60 0000001c 0000001c'
    """
    code = _CODES[np.dtype(dtype).newbyteorder(">")]
    return bytes([0, 0, code, len(shape)]) + np.array(shape, ">u4").tobytes()


def _read_file(raw: IO[bytes], name: str) -> NDArray[Any]:
    """Read a seekable file, through gzip if it is gzipped."""
    import gzip
    import zlib

    size = raw.seek(0, os.SEEK_END)
    raw.seek(0)
    head = raw.read(512)
    raw.seek(0)
    if not head:
        raise FileError(f"{name} is empty, not an IDX file")
    if is_web_page(head):
        raise FileError(f"{name} is a web page, not an IDX file")
    if not head.startswith(b"\x1f\x8b"):
        return _read_values(cast("BufferedIOBase", raw), name, size, expansion=1)
    try:
        with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
            return _read_values(stream, name, size, expansion=DEFLATE_EXPANSION)
    except EOFError:
        raise FileError(f"{name} is cut off: its gzip stream ends after {size} bytes") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FileError(f"{name} is damaged: its gzip stream is invalid ({error})") from None


def _read_values(stream: BufferedIOBase, name: str, size: int, expansion: int) -> NDArray[Any]:
    """Read header and values from a stream whose file has `size` bytes."""
    head = stream.read(4)
    if len(head) < 4:
        raise FileError(f"{name} is cut off inside the IDX header")
    zeros, code, ndim = head[:2], head[2], head[3]
    if zeros != b"\0\0" or code not in _DTYPES or not 1 <= ndim <= _MOST_DIMENSIONS:
        raise FileError(f"{name} is not an IDX file: it begins with the bytes {head.hex(' ')}")
    dimensions = stream.read(4 * ndim)
    if len(dimensions) < 4 * ndim:
        raise FileError(f"{name} is cut off inside the IDX header")
    shape = tuple(int(n) for n in np.frombuffer(dimensions, ">u4"))
    dtype = np.dtype(_DTYPES[code])

    header = 4 + 4 * ndim
    claimed, extent = dtype.itemsize, dtype.itemsize
    for length in shape:
        claimed *= length
        extent *= max(length, 1)
    if extent > _BIGGEST or header + claimed > expansion * size:
        text = " x ".join(map(str, shape))
        raise FileError(
            f"{name} is cut off or damaged: its header promises {text} {dtype.name} values,"
            f" which a file of {size} bytes cannot hold"
        )
    if expansion > 1:
        check_expansion(name, claimed, size)
    values = np.empty(shape, dtype)
    view = values.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < claimed:
        count = stream.readinto(view[filled:])
        if not count:
            raise FileError(
                f"{name} is cut off: {header + claimed} bytes expected, {header + filled} found"
            )
        filled += count
    if stream.read(1):  # at the end of a gzip stream this also checks its CRC
        raise FileError(f"{name} has bytes behind the {header + claimed} that its header promises")
    return values if dtype.itemsize == 1 else values.astype(dtype.newbyteorder("="))
