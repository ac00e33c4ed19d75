"""Folders of pictures, a folder a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.data.picture import PICTURES, open_picture
from gyaku.files import FileError

if TYPE_CHECKING:
    import os
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["image_folder", "read_image"]

_LARGEST = 64
"""Longest side of pictures that keep their size by default."""
_SIDE = 32
"""Side to which others are scaled."""


def image_folder(
    path: str | os.PathLike[str], shape: tuple[int, int, int] | None = None
) -> tuple[tuple[NDArray[np.uint8], NDArray[np.int64]], list[str], list[Path]]:
    """Read the pictures of a folder that holds a folder of them for each class.

    Parameters
    ----------
    path : str or path-like
        The folder. Other files and hidden ones are skipped, and folders in those of the classes
        are searched too.
    shape : tuple of int, optional
        Height, width and channels (1 is grey, 3 is colour) of the images. By default those of the
        pictures, if all have the same size of at most 64 pixels a side, and else 32 x 32.

    Returns
    -------
    (x, y) : tuple of ndarray
        The images as uint8 of shape ``(samples, *shape)``, and their classes as int64.
    classes : list of str
        Names of the classes: those of the folders, in alphabetical order.
    files : list of Path
        File of each image.

    Raises
    ------
    FileError
        If there are less than two folders with pictures, or a picture is damaged.

    Examples
    --------
    >>> (x, y), classes, files = image_folder("pets")  # doctest: +SKIP
    >>> x.shape, classes  # doctest: +SKIP
    ((200, 32, 32, 3), ['cat', 'dog'])
    """
    from pathlib import Path

    found = {
        folder.name: sorted(
            file for file in folder.rglob("[!.]*") if file.suffix.lower() in PICTURES
        )
        for folder in sorted(Path(path).iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }
    classes = [name for name, files in found.items() if files]
    if len(classes) < 2:
        raise FileError(
            f"{path} must hold a folder with pictures for each class, two at least; it has"
            f" {', '.join(classes) or 'none'}"
        )
    files = [file for name in classes for file in found[name]]
    y = np.repeat(np.arange(len(classes)), [len(found[name]) for name in classes])
    shape = shape or _common_shape(files)
    x = np.stack([read_image(file, shape) for file in files])
    return (x, y.astype(np.int64)), classes, files


def _common_shape(files: list[Path]) -> tuple[int, int, int]:
    found = {(picture.size, picture.mode) for picture in map(open_picture, files)}
    sizes = {size for size, _ in found}
    width, height = sizes.pop() if len(sizes) == 1 else (_SIDE, _SIDE)
    if max(width, height) > _LARGEST:
        width = height = _SIDE
    return height, width, 3 if any(mode == "RGB" for _, mode in found) else 1


def read_image(path: str | os.PathLike[str], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a picture as an array.

    Parameters
    ----------
    path : str or path-like
        A picture in a format that Pillow reads; white behind what is transparent.
    shape : tuple of int
        Height, width and channels: 1 for grey, 3 for colour. The picture is scaled to it.

    Returns
    -------
    ndarray
        The pixels as uint8 of this shape, from 0 (black) to 255.

    Raises
    ------
    FileError
        If it cannot be read, is damaged, or images have another number of channels.
    """
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise FileError(f"{path} is a picture, but the model takes samples of shape {shape}")
    picture = open_picture(path).convert("L" if shape[2] == 1 else "RGB")
    height, width = shape[:2]
    if picture.size != (width, height):
        picture = picture.resize((width, height))
    pixels: NDArray[Any] = np.asarray(picture, np.uint8).reshape(shape)
    return pixels
