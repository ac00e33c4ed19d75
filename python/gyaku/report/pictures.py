"""Samples as small pictures of bytes, and PNG files of them."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["pictures", "png"]

_SMALLEST, _LARGEST = 8, 64  # pixels of a side


def pictures(x: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Return samples as pictures, None if they are no images.

    Parameters
    ----------
    x : ndarray
        Samples: (samples, height, width), with 1 or 3 channels behind it or none; or flat ones of a
        square.

    Returns
    -------
    ndarray of uint8 or None
        Pictures, (samples, height, width) or (samples, height, width, 3), of 64 pixels a side at
        most.

    Examples
    --------
    >>> pictures(np.arange(784.0)[np.newaxis]).shape
    (1, 28, 28)
    >>> pictures(np.zeros((1, 4))) is None
    True
    """
    if x.ndim == 2 and (side := round(x.shape[1] ** 0.5)) ** 2 == x.shape[1]:
        x = x.reshape(-1, side, side)
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    is_image = x.ndim == 3 or (x.ndim == 4 and x.shape[3] == 3)
    if not is_image or min(x.shape[1:3]) < _SMALLEST or not len(x):
        return None
    stride = -(-max(x.shape[1:3]) // _LARGEST)
    x = x[:, ::stride, ::stride]
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x)
    x = np.nan_to_num(np.asarray(x, np.float64), posinf=0.0, neginf=0.0)
    low, high = x.min(), x.max()
    return np.asarray(np.round((x - low) * (255 / max(high - low, 1e-30))), np.uint8)


def png(picture: NDArray[np.uint8]) -> bytes:
    r"""Return a PNG file of a picture.

    Parameters
    ----------
    picture : ndarray of uint8
        The picture, (height, width) or (height, width, 3).

    Returns
    -------
    bytes
        The file.

    Examples
    --------
    >>> png(np.zeros((8, 8), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    height, width = picture.shape[:2]
    colour = 0 if picture.ndim == 2 else 2
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check
