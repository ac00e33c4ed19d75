"""Pictures of digits, brought into the form of training images."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gyaku.files import FileError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["read_digit"]


def read_digit(
    path: str | os.PathLike[str], shape: tuple[int, ...] = (28, 28, 1)
) -> NDArray[np.uint8]:
    """Read a picture of one digit, such as a photograph, in the form of a model's training images.

    Parameters
    ----------
    path : str or path-like
        A picture in a format that Pillow reads.
    shape : tuple of int
        Shape of the image, (height, width) or (height, width, 1): (28, 28, 1) as in MNIST, or
        (8, 8, 1) as in `digits`.

    Returns
    -------
    ndarray
        The digit as uint8 of this shape, from 0 (paper) to 255 (ink).

    Raises
    ------
    FileError
        If the picture cannot be read, is damaged, or shows nothing.

    Notes
    -----
    The paper has the median brightness of the edges, and ink is the distance to it, so that both
    dark on light and light on dark will do. The digit is cut out, scaled by the mean of boxes into
    the 20 x 20 pixels of MNIST's digits (images below 20 pixels are filled), and moved so that its
    centre of mass is in the middle. A picture of the right size is taken as it is.

    Examples
    --------
    >>> read_digit("photograph.jpg").shape  # doctest: +SKIP
    (28, 28, 1)
    """
    from pathlib import Path

    path = Path(path)
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise FileError(f"{path} is a picture, which needs Pillow: pip install pillow") from None
    if not (len(shape) in (2, 3) and shape[2:] in ((), (1,))):
        raise FileError(f"{path} is a picture, but the model takes samples of shape {shape}")
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            paper = Image.new("RGBA", picture.size, "white")
            grey = Image.alpha_composite(paper, picture.convert("RGBA")).convert("L")
    except FileNotFoundError:
        raise
    except UnidentifiedImageError:
        raise FileError(f"{path} is not a picture that can be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FileError(f"{path} has too many pixels") from None
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's errors for truncated files
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FileError(f"{path} is a damaged picture") from None
    ink = np.asarray(grey, np.float64)
    edge = np.median(np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]))
    ink = np.abs(ink - edge)  # dark on light or light on dark
    if ink.max() < 16:
        raise FileError(f"{path} shows nothing but one colour")
    height, width = shape[:2]
    if ink.shape != (height, width):
        ink = _centred(ink, height, width)
    image: NDArray[np.uint8] = np.round(ink / ink.max() * 255).astype(np.uint8)
    return image.reshape(shape)


def _centred(ink: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Crop the digit, and scale it into the middle of a small image.

    As in MNIST: into a box of 20 x 20 of the 28 x 28 pixels, with the centre of mass in the
    middle. Images of 8 x 8 are filled.
    """
    from PIL import Image

    drawn = ink > 0.25 * ink.max()
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    margin = 4 if min(height, width) >= 20 else 0
    scale = min((height - 2 * margin) / cut.shape[0], (width - 2 * margin) / cut.shape[1])
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = np.asarray(
        Image.fromarray(cut.astype(np.float32)).resize(size, Image.Resampling.BOX), np.float64
    )
    weights = small / small.sum()
    top = height / 2 - (weights.sum(axis=1) * (np.arange(size[1]) + 0.5)).sum()
    left = width / 2 - (weights.sum(axis=0) * (np.arange(size[0]) + 0.5)).sum()
    y = min(max(0, round(top)), height - size[1])
    x = min(max(0, round(left)), width - size[0])
    centred = np.zeros((height, width))
    centred[y : y + size[1], x : x + size[0]] = small
    return centred
