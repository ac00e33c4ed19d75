"""MNIST: 70,000 handwritten digits of 28 x 28 pixels.

Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten digits*, CC BY-SA 3.0. It is
not part of this package, but read from this machine or downloaded once.
"""

from __future__ import annotations

import math
import os
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gyaku.data.download import DownloadError, download
from gyaku.data.folders import cache_folder, data_folders
from gyaku.data.idx import idx_header, read_idx
from gyaku.files import FileError, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO, Any

    from numpy.typing import NDArray

    Set = tuple[NDArray[np.uint8], NDArray[np.int64]]

__all__ = ["mnist"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# Shape and SHA-256 of the unzipped files: gzip's own bytes differ from mirror to mirror.
FILES: dict[str, tuple[str, tuple[int, ...], str]] = {
    "x_train": (
        "train-images-idx3-ubyte",
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "y_train": (
        "train-labels-idx1-ubyte",
        (60000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "x_test": (
        "t10k-images-idx3-ubyte",
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "y_test": (
        "t10k-labels-idx1-ubyte",
        (10000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}


def mnist(
    folder: str | os.PathLike[str] | None = None,
    *,
    mirrors: Sequence[str] | None = None,
    timeout: float = 30.0,
) -> tuple[Set, Set]:
    """Load MNIST: from a folder, the user's cache, or the network, in this order.

    Parameters
    ----------
    folder : str or path-like, optional
        Folder with the four IDX files, gzipped or not. By default ``$GYAKU_DATA`` and its folder
        ``mnist``; files missing there come from the cache (``$GYAKU_CACHE`` or
        ``~/.cache/gyaku``) or are downloaded into it.
    mirrors : sequence of str, optional
        Addresses to download from, tried in order; by default those in
        ``$GYAKU_MNIST_MIRRORS``, separated by spaces, or else two public mirrors.
    timeout : float, default 30.0
        Longest wait for an answer of a mirror, in seconds.

    Returns
    -------
    (x_train, y_train) : tuple of ndarray
        60,000 images as uint8 of shape (60000, 28, 28, 1), from 0 (paper) to 255 (ink), and
        their digits as int64 of shape (60000,).
    (x_test, y_test) : tuple of ndarray
        10,000 more of both.

    Raises
    ------
    FileError
        If a file in the folder is truncated or is not MNIST.
    DownloadError
        If it is neither on this machine nor available from a mirror, with the reasons.

    Notes
    -----
    A model for these images begins with ``Rescaling(1 / 255)``.

    The first call unpacks the files, checks their SHA-256 and keeps the arrays in the cache; later
    calls take some 20 ms. The copy in the cache is checked by size and CRC, and renewed when the
    files in ``$GYAKU_DATA`` have changed. Without a writable cache every call is like the first.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = mnist()  # doctest: +SKIP
    >>> x_train.shape, y_train[:5]  # doctest: +SKIP
    ((60000, 28, 28, 1), array([5, 0, 4, 1, 9]))
    """
    from pathlib import Path

    folders = data_folders("mnist") if folder is None else [Path(folder)]
    found = _find(folders)
    if folder is not None and len(found) < len(FILES):
        missing = ", ".join(f[0] + ".gz" for key, f in FILES.items() if key not in found)
        raise FileNotFoundError(f"MNIST is not complete in {folder}: {missing} not found")

    cache = cache_folder("mnist")
    arrays = _load_decoded(cache, found)
    if arrays is None:
        if mirrors is None:
            mirrors = os.environ.get("GYAKU_MNIST_MIRRORS", "").split() or MIRRORS
        arrays = {key: _read_checked(path, key, str(path)) for key, path in found.items()}
        if len(arrays) < len(FILES):
            absent = [key for key in FILES if key not in arrays]
            arrays |= _fetch(cache, absent, mirrors, timeout)
        _keep_decoded(cache, arrays, found)
    x_train, y_train, x_test, y_test = (arrays[key] for key in FILES)
    return (
        (x_train.reshape(-1, 28, 28, 1), y_train.astype(np.int64)),
        (x_test.reshape(-1, 28, 28, 1), y_test.astype(np.int64)),
    )


def _find(folders: list[Path]) -> dict[str, Path]:
    """Return the paths of the four files in the folders, unzipped or gzipped, as far as found."""
    found = {}
    for key, (name, _, _) in FILES.items():
        for folder in folders:
            for candidate in _names(name):
                if key not in found and (folder / candidate).is_file():
                    found[key] = folder / candidate
    return found


def _names(name: str) -> list[str]:
    """Return the usual names of a file: as published, and with the dot that some unzip it with."""
    return [each + end for each in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]


def _read_checked(source: Path | IO[bytes], key: str, name: str) -> NDArray[np.uint8]:
    """Read one of the four files; raise if it is not the original, bit for bit."""
    import hashlib

    _, shape, expected = FILES[key]
    values = read_idx(source, name=name)
    digest = hashlib.sha256(idx_header(values.dtype, values.shape))
    digest.update(values.astype(values.dtype.newbyteorder(">"), copy=False).data)
    if values.shape != shape or digest.hexdigest() != expected:
        raise FileError(
            f"{name} is a whole IDX file but not MNIST's: its content has another SHA-256"
        )
    return values


def _fetch(
    cache: Path, missing: list[str], mirrors: Sequence[str], timeout: float
) -> dict[str, NDArray[np.uint8]]:
    """Get files from the cache, or download them into it, one process at a time."""
    arrays = {}
    with _locked(cache):
        for key in missing:
            path = cache / f"{FILES[key][0]}.gz"
            with suppress(FileError, OSError):  # a damaged file in the cache is downloaded again
                arrays[key] = _read_checked(path, key, str(path))
        failures = []
        for mirror in mirrors:
            try:
                for key in [key for key in missing if key not in arrays]:
                    arrays[key] = _download(mirror, cache, key, timeout)
            except DownloadError as error:
                failures.append(str(error))
            if len(arrays) == len(missing):
                return arrays
    names = ", ".join(f"{name}.gz" for name, _, _ in FILES.values())
    raise DownloadError(
        f"MNIST is not on this machine and could not be downloaded from {' or '.join(failures)};"
        f" put {names} into {cache}, or set GYAKU_DATA to a folder that has them"
    )


def _download(mirror: str, cache: Path, key: str, timeout: float) -> NDArray[np.uint8]:
    name, shape, _ = FILES[key]
    return download(
        f"{mirror.rstrip('/')}/{name}.gz",
        cache / f"{name}.gz",
        partial(_read_checked, key=key, name="the file"),
        limit=2 * math.prod(shape) + 4096,
        timeout=timeout,
    )


def _stamps(found: dict[str, Path]) -> list[str]:
    """Return size and time of the user's files, to detect changes."""
    stamps = []
    for key, path in sorted(found.items()):
        status = path.stat()
        stamps.append(f"{key} {status.st_size} {status.st_mtime_ns}")
    return stamps


def _load_decoded(cache: Path, found: dict[str, Path]) -> dict[str, NDArray[np.uint8]] | None:
    """Return the arrays in the cache, or None if they are missing, outdated or damaged."""
    import zipfile
    import zlib

    path = cache / "mnist.npz"
    try:
        # numpy.load reads each member through zipfile, which checks its size and CRC
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            if found and kept["stamps"].tolist() != _stamps(found):
                return None
            sizes = {name: kept.zip.getinfo(f"{name}.npy").file_size for name in FILES}
            if any(sizes[key] > math.prod(FILES[key][1]) + 4096 for key in FILES):
                return None
            arrays = {key: kept[key] for key in FILES}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    right = all(a.shape == FILES[k][1] and a.dtype == np.uint8 for k, a in arrays.items())
    return arrays if right else None


def _keep_decoded(
    cache: Path, arrays: dict[str, NDArray[np.uint8]], found: dict[str, Path]
) -> None:
    """Store the arrays, uncompressed, in the cache, if it can be written."""
    content: dict[str, Any] = {**arrays, "stamps": np.array(_stamps(found), dtype=str)}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_atomically(cache / "mnist.npz", lambda stream: np.savez(stream, **content))
    except OSError as error:
        if len(found) < len(FILES):
            warnings.warn(
                f"MNIST was downloaded but cannot be kept ({error});"
                " set GYAKU_CACHE to a folder that can be written",
                stacklevel=3,
            )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a cache folder against other processes, if it can be created."""
    descriptor = -1
    try:
        import fcntl

        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except (ImportError, OSError):  # safe without a lock, since files are renamed into place
        pass
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
