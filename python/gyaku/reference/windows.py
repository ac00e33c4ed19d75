"""Padded images, and their pixels for each element of a sliding kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gyaku.windows import Axis

__all__ = ["each_tap", "pad", "unpad"]


def each_tap(rows: Axis, columns: Axis) -> Iterator[tuple[int, int, tuple[slice, ...]]]:
    """Iterate over the elements of a kernel, row by row.

    Parameters
    ----------
    rows : Axis
        Windows from top to bottom.
    columns : Axis
        Windows from left to right.

    Yields
    ------
    i : int
        Row of the element.
    j : int
        Column of the element.
    tap : tuple of slice
        Pixels of this element in all windows, in padded images.
    """
    for i in range(rows.taps):
        for j in range(columns.taps):
            yield i, j, (slice(None), rows.tap(i), columns.tap(j))


def pad(x: NDArray[Any], rows: Axis, columns: Axis, fill: float = 0) -> NDArray[Any]:
    """Pad or crop images to the span of their windows.

    Parameters
    ----------
    x : ndarray
        Images, of shape (n, height, width, channels).
    rows : Axis
        Windows from top to bottom.
    columns : Axis
        Windows from left to right.
    fill : float, default 0
        Value of the padding.

    Returns
    -------
    ndarray
        Padded images, of shape (n, rows.span, columns.span, channels).
    """
    (top, inner_top), (left, inner_left) = rows.image, columns.image
    padded = np.full((len(x), rows.span, columns.span, x.shape[3]), fill, x.dtype)
    padded[:, inner_top, inner_left] = x[:, top, left]
    return padded


def unpad(padded: NDArray[Any], rows: Axis, columns: Axis) -> NDArray[Any]:
    """Remove the padding of images, the adjoint of `pad`.

    Parameters
    ----------
    padded : ndarray
        Padded images, of shape (n, rows.span, columns.span, channels).
    rows : Axis
        Windows from top to bottom.
    columns : Axis
        Windows from left to right.

    Returns
    -------
    ndarray
        Images of shape (n, height, width, channels), zero outside all windows.
    """
    (top, inner_top), (left, inner_left) = rows.image, columns.image
    x = np.zeros((len(padded), rows.size, columns.size, padded.shape[3]), padded.dtype)
    x[:, top, left] = padded[:, inner_top, inner_left]
    return x
