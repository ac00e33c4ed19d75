"""Digits: 1,797 handwritten digits of 8 x 8 pixels, in a file of this package.

E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
Repository, 1998, CC BY 4.0; taken from scikit-learn's ``load_digits``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.files import FileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Set = tuple[NDArray[np.uint8], NDArray[np.int64]]

__all__ = ["digits"]

_FILE = f"{__file__.removesuffix('.py')}.npz"
_COUNT = 1797


def digits(test_size: float = 0.2) -> tuple[Set, Set]:
    """Load the 8 x 8 digits that come with the package.

    Parameters
    ----------
    test_size : float or int, default 0.2
        Fraction of the test images, or their number if it is an integer. They are the last ones
        of a fixed order, in which every range holds about as many images of each digit.

    Returns
    -------
    (x_train, y_train) : tuple of ndarray
        1,438 images as uint8 of shape (n, 8, 8, 1), from 0 (paper) to 255 (ink), and their
        digits as int64 of shape (n,).
    (x_test, y_test) : tuple of ndarray
        359 more of both.

    Raises
    ------
    ValueError
        If `test_size` is neither a fraction below 1 nor a number of images below 1,797.
    FileError
        If the installed file is damaged.

    Notes
    -----
    Each pixel counts the inked points of a 4 x 4 field of the scanned digit, from 0 to 16. The
    counts are scaled to 0..255, the range of the pixels of most images, so that
    ``Rescaling(1 / 255)`` scales them to 0..1.

    References
    ----------
    .. [1] E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine
       Learning Repository, 1998, https://doi.org/10.24432/C50P49, CC BY 4.0.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = digits()
    >>> x_train.shape, x_train.dtype, len(x_test)
    ((1438, 8, 8, 1), dtype('uint8'), 359)
    """
    import zlib
    from pathlib import Path
    from zipfile import BadZipFile

    count = _test_count(test_size)
    try:
        with Path(_FILE).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            counts, labels = stored["images"], stored["labels"]
    except (ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        raise FileError(f"{_FILE} is damaged; install gyaku again") from None
    images = ((counts.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)[..., np.newaxis]
    targets = labels.astype(np.int64)
    split = _COUNT - count
    return (images[:split], targets[:split]), (images[split:], targets[split:])


def _test_count(test_size: float) -> int:
    """Return the number of test images."""
    if isinstance(test_size, (int, np.integer)) and not isinstance(test_size, bool):
        if 0 <= test_size < _COUNT:
            return int(test_size)
    elif isinstance(test_size, (float, np.floating)) and 0 <= test_size < 1:
        return int(test_size * _COUNT)
    raise ValueError(
        f"digits: test_size must be a fraction from 0 to below 1 or a number of images"
        f" below {_COUNT}, got {test_size!r}"
    )
