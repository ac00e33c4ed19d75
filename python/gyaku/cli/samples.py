"""Samples from users' files: pictures, tables of numbers, NumPy and IDX files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.cli.table import TABLES
from gyaku.data import read_digit, read_idx, read_image
from gyaku.data.picture import PICTURES
from gyaku.files import FileError, open_archive

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO, Any
    from zipfile import ZipFile, ZipInfo

    from numpy.typing import NDArray

__all__ = ["ascii_picture", "numpy_arrays", "read_samples"]

_SHADES = " .:-=+*#%@"


def ascii_picture(image: NDArray[Any]) -> str:
    """Draw an image in characters, two for each pixel.

    Parameters
    ----------
    image : ndarray
        Brightness of shape (height, width), from 0 (paper) to its largest value (ink).

    Returns
    -------
    str
        One line a row of pixels.

    Examples
    --------
    >>> print(ascii_picture(np.array([[0, 5], [9, 1]])))
      ++
    @@..
    """
    top = max(float(image.max()), 1e-30)
    levels = np.clip(np.round(image / top * (len(_SHADES) - 1)), 0, len(_SHADES) - 1)
    rows = ("".join(2 * _SHADES[int(level)] for level in row).rstrip() for row in levels)
    return "\n".join(rows)


def read_samples(path: Path, shape: tuple[int, ...], *, digits: bool = True) -> NDArray[Any]:
    """Read samples for a model from a file.

    Parameters
    ----------
    path : Path
        A picture, ``.npy``, ``.npz``, a table with one sample a row, or an IDX file.
    shape : tuple of int
        The shape of the model's input sample.
    digits : bool
        Whether pictures show digits, which are found and centred; others are scaled.

    Returns
    -------
    ndarray
        The samples, (n, *shape), at their value: whole numbers from 0 to 255 as uint8, others as
        float32.

    Raises
    ------
    FileError
        If the file is damaged or does not hold such samples.
    """
    kind = path.suffix.lower()
    path.stat()  # raise for a missing file before its suffix is judged
    if kind in PICTURES:
        return (read_digit if digits else read_image)(path, shape)[np.newaxis]
    if kind in TABLES:
        values = _table(path)
    elif kind in (".npy", ".npz"):
        values = _numpy_file(path)
    elif "ubyte" in path.name or "idx" in path.name:
        values = read_idx(path)
    elif path.is_dir():
        raise FileError(f"{path} is a folder; name the files in it, as in {path / '*.png'}")
    else:
        raise FileError(
            f"{path} has an unknown suffix: it must be a picture (.png, .jpg, ...), .npy, .npz,"
            " .csv, .txt or IDX file"
        )
    return _shaped(values, path, shape)


def _shaped(values: NDArray[Any], path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the values as samples of a shape; raise if they do not fit."""
    size = math.prod(shape)
    if values.dtype.kind not in "biuf":
        raise FileError(f"{path} holds {values.dtype} values, a model takes numbers")
    if not values.size:
        raise FileError(f"{path} holds no images, its shape is {values.shape}")
    single = values.size == size
    several = values.ndim > 1 and values[0].size == size
    if not (single or several):
        wanted = " x ".join(map(str, shape))
        found = " x ".join(map(str, values.shape)) or "1"
        labels = values.ndim == 2 and values.shape[1] == size + 1
        raise FileError(
            f"{path} holds {found} values, the model takes samples of {wanted} (or rows of {size})"
            f"{'; leave out the column of labels' if labels else ''}"
        )
    samples = values.reshape(-1, *shape)
    if not np.isfinite(samples).all():
        raise FileError(f"{path} holds values that are not finite")
    whole = samples.dtype.kind in "iu" or (samples == np.round(samples)).all()
    if whole and samples.min() >= 0 and 1 < samples.max() <= 255:
        return samples.astype(np.uint8)
    return samples.astype(np.float32)


def numpy_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read a NumPy file.

    Parameters
    ----------
    path : Path
        An ``.npz`` or ``.npy`` file.

    Returns
    -------
    dict of str to ndarray
        The arrays by name; that of an ``.npy`` file is called x.

    Raises
    ------
    FileError
        If it is damaged, or holds objects.
    """
    from tokenize import TokenError

    damage = "is not a NumPy file, or a damaged one"
    try:
        with path.open("rb") as stream:
            if stream.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):  # full or empty archives
                return {"x": _array(stream, path.stat().st_size)}
        with open_archive(path, damage) as archive:
            return {
                each.filename.removesuffix(".npy"): _read(archive, each)
                for each in archive.infolist()
            }
    except FileError:
        raise
    except (ValueError, EOFError, TokenError):
        raise FileError(f"{path} {damage}") from None


def _read(archive: ZipFile, member: ZipInfo) -> NDArray[Any]:
    with archive.open(member) as content:
        return _array(content, member.file_size)


def _array(stream: IO[bytes], size: int) -> NDArray[Any]:
    """Read an array whose header agrees with the size of the stream, before memory is allocated."""
    from numpy.lib import format as npy

    stream.seek(0)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError("the version of structured arrays alone")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    if stream.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError("the header promises another size")
    stream.seek(0)
    values: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return values


def _numpy_file(path: Path) -> NDArray[Any]:
    arrays = numpy_arrays(path)
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    for name in ("x_test", "x", "images"):
        if name in arrays:
            return arrays[name]
    raise FileError(f"{path} holds {', '.join(arrays) or 'nothing'}; the samples must be called x")


def _table(path: Path) -> NDArray[Any]:
    """Read numbers between commas, semicolons, tabs or spaces; a header line is skipped."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise FileError(f"{path} is not a text file") from None
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        fields = line.replace(",", " ").replace(";", " ").split()
        if not fields:
            continue
        try:
            rows.append([float(field) for field in fields])
        except ValueError:
            if rows or number > 1:
                raise FileError(
                    f"{path} has something else than numbers in line {number}"
                ) from None
            continue
        if len(rows[-1]) != len(rows[0]):
            raise FileError(
                f"{path} has {len(rows[-1])} numbers in line {number} but {len(rows[0])} before"
            )
    if not rows:
        raise FileError(f"{path} holds no numbers")
    return np.array(rows)
