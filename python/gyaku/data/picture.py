"""Pictures as arrays, and photographs of digits in the form of training images."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gyaku.data.digit import as_bytes, found_digit
from gyaku.files import FileError, check_expansion

if TYPE_CHECKING:
    import os
    from typing import Any

    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["PICTURES", "open_picture", "read_digit"]

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
"""Suffixes of pictures."""

_PIXEL_BYTES = 32  # in memory, all intermediate pictures together
_WIDE = {"I", "F", "I;16", "I;16B", "I;16L"}  # modes beyond 8 bits, of which Pillow keeps the low


def open_picture(path: str | os.PathLike[str]) -> Image:
    """Open a picture: upright, on white where it is transparent, with eight bits a channel.

    Parameters
    ----------
    path : str or path-like
        A picture in a format that Pillow reads.

    Returns
    -------
    PIL.Image.Image
        Of mode L if the file is grey, else RGB.

    Raises
    ------
    FileError
        If it cannot be read, is damaged, or has too many pixels for its size.
    """
    from pathlib import Path

    path = Path(path)
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise FileError(f"{path} is a picture, which needs Pillow: pip install pillow") from None
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            needed = _PIXEL_BYTES * picture.width * picture.height
            check_expansion(str(path), needed, path.stat().st_size, remedy="make it smaller")
            upright = ImageOps.exif_transpose(picture)
            kind = "L" if upright.mode in {"1", "L", "LA", *_WIDE} else "RGB"
            if upright.mode in _WIDE:
                upright = Image.fromarray(_in_bytes(np.asarray(upright)))
            paper = Image.new("RGBA", upright.size, "white")
            return Image.alpha_composite(paper, upright.convert("RGBA")).convert(kind)
    except (FileNotFoundError, FileError):
        raise
    except UnidentifiedImageError:
        raise FileError(f"{path} is not a picture that can be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FileError(f"{path} has too many pixels") from None
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's errors for truncated files
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FileError(f"{path} is a damaged picture") from None


def _in_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels of 16 bits, or floats, as bytes."""
    largest = float(pixels.max())
    steps = [255.0, 65535.0] if pixels.dtype.kind in "iu" else [1.0, 255.0, 65535.0]
    full = next((each for each in steps if largest <= each), largest)
    if pixels.dtype.itemsize == 2:
        full = 65535.0
    scaled: NDArray[np.uint8] = np.round(np.clip(pixels, 0, None) * (255 / full)).astype(np.uint8)
    return scaled


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

    Warns
    -----
    UserWarning
        If the picture shows several shapes side by side; the largest is taken.

    Notes
    -----
    Dark on light and light on dark will do, and the light may be uneven: the paper's brightness is
    a smooth surface, and ink is the relative distance to it. Otsu's threshold separates both; what
    touches the edge of the picture and specks are left out. The digit is cut out, thin strokes are
    thickened, and it is scaled by the mean of boxes into the 20 x 20 pixels of MNIST's digits
    (images below 20 pixels are filled), and moved so that its centre of mass is in the middle. A
    picture of the right size is taken as it is.

    Examples
    --------
    >>> read_digit("photograph.jpg").shape  # doctest: +SKIP
    (28, 28, 1)
    """
    if not (len(shape) in (2, 3) and shape[2:] in ((), (1,))):
        raise FileError(f"{path} is a picture, but the model takes samples of shape {shape}")
    grey = open_picture(path).convert("L")
    height, width = shape[:2]
    pixels = np.asarray(grey, np.float64)
    edge = np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]))
    if np.abs(pixels - edge).max() < 16:
        raise FileError(f"{path} shows nothing but one colour")
    if pixels.shape == (height, width):
        ink, beside = np.abs(pixels - edge), 0
    else:
        ink, beside = found_digit(grey, height, width)
    if beside:
        warnings.warn(
            f"{path} shows {beside + 1} shapes side by side, of which the largest is read; a"
            " picture must show one digit",
            stacklevel=2,
        )
    return as_bytes(ink).reshape(shape)
