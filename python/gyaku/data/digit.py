"""Digits in photographs and drawings: their ink, found, cut out, scaled and centred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.float64]

__all__ = ["as_bytes", "drawn_digit", "found_digit"]

_SIDE = 256  # pixels of the longer side while the digit is searched
_COARSE = 64  # of the estimate of the paper
_SPECK = 0.05  # area of a speck, relative to that of the largest shape
_LEAST_ON_SHEET = 0.25  # height of a digit, relative to that of its sheet
_FAINT = 64  # of 255: the edge of a stroke
_STROKE = 0.1  # least width of a stroke, relative to the height of the digit


def found_digit(grey: Image, height: int, width: int) -> tuple[Pixels, int]:
    """Find the digit in a photograph, and scale it into the middle of a small image.

    Parameters
    ----------
    grey : PIL.Image.Image
        The photograph, of mode L.
    height, width : int
        Size of the result.

    Returns
    -------
    ink : ndarray of float64
        The image, (height, width), from 0 (paper) up.
    beside : int
        Number of further shapes beside the digit.
    """
    factor = -(-max(grey.size) // _SIDE)
    pixels = np.asarray(grey.reduce(factor) if factor > 1 else grey, np.float64)
    ink, chosen, beside = _found(pixels)
    if _is_sheet(chosen):
        inside, sheet_height = _on_sheet(pixels, chosen)
        on_it = _found(inside)
        if np.ptp(np.flatnonzero(on_it[1].any(axis=1))) > _LEAST_ON_SHEET * sheet_height:
            ink, chosen, beside = on_it
    return _centred(*_strokes(ink, chosen), height, width), beside


def drawn_digit(ink: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8] | None:
    """Scale a drawing into the middle of a small image, as `found_digit` does a photograph.

    Parameters
    ----------
    ink : ndarray of uint8
        The drawing, (rows, columns), from 0 (paper) to 255 (ink).
    height, width : int
        Size of the result.

    Returns
    -------
    ndarray of uint8 or None
        The image, (height, width), from 0 to 255; None if nothing is drawn.

    Examples
    --------
    >>> ink = np.zeros((112, 112), np.uint8)
    >>> drawn_digit(ink, 28, 28)
    >>> ink[20:60, 80:90] = 255
    >>> image = drawn_digit(ink, 28, 28)
    >>> rows, columns = image.nonzero()
    >>> print(rows.min(), rows.max(), columns.min(), columns.max())
    4 23 12 16
    """
    chosen = ink > _FAINT
    if not chosen.any():
        return None
    return as_bytes(_centred(*_strokes(ink / 255, chosen), height, width))


def as_bytes(ink: Pixels) -> NDArray[np.uint8]:
    """Return ink as bytes, the darkest of which is 255.

    Parameters
    ----------
    ink : ndarray of float64
        The ink, 0 for paper.

    Returns
    -------
    ndarray of uint8
        The bytes.
    """
    scaled: NDArray[np.uint8] = np.round(ink / ink.max() * 255).astype(np.uint8)
    return scaled


def _found(pixels: Pixels) -> tuple[Pixels, NDArray[np.bool_], int]:
    """Return the ink, the pixels of the digit, and the number of shapes beside it."""
    ink = _ink(pixels)
    labels, areas = _shapes(ink > _threshold(ink))
    return ink, *_digit(labels, areas)


def _is_sheet(chosen: NDArray[np.bool_]) -> bool:
    """Return whether the shape that was found may be the paper itself, on a dark table."""
    rows, columns = np.flatnonzero(chosen.any(axis=1)), np.flatnonzero(chosen.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    is_wide = 0.4 < height / width < 2.5
    return bool(is_wide and chosen.sum() > max(0.6 * height * width, 0.1 * chosen.size))


def _on_sheet(pixels: Pixels, sheet: NDArray[np.bool_]) -> tuple[Pixels, int]:
    """Return the inside of a sheet, on a ground of its brightness, and the height of the sheet."""
    along = [np.maximum.accumulate(sheet, axis) for axis in (0, 1)]
    back = [np.flip(np.maximum.accumulate(np.flip(sheet, axis), axis), axis) for axis in (0, 1)]
    filled = np.logical_and.reduce([*along, *back])  # between its edges in all four directions
    rows = np.flatnonzero(sheet.any(axis=1))
    height = int(np.ptp(rows)) + 1
    inner = _filtered(255.0 * filled, ("MinFilter", max(3, height // 20 | 1))) > 0
    return np.where(inner, pixels, np.median(pixels[sheet])), height


def _filtered(pixels: NDArray[Any], *names_and_sizes: tuple[str, int]) -> Pixels:
    """Return an image behind filters of Pillow."""
    from PIL import Image, ImageFilter

    picture = Image.fromarray(np.round(np.clip(pixels, 0, 255)).astype(np.uint8))
    for name, size in names_and_sizes:
        picture = picture.filter(getattr(ImageFilter, name)(size))
    return np.asarray(picture, np.float64)


def _resized(pixels: Pixels, height: int, width: int, method: str = "BOX") -> Pixels:
    from PIL import Image

    picture = Image.fromarray(pixels.astype(np.float32))
    resampling = getattr(Image.Resampling, method)
    return np.asarray(picture.resize((width, height), resampling), np.float64)


def _ink(pixels: Pixels) -> Pixels:
    """Return how far each pixel is from the paper, from 0 to 1."""
    light = _surface(pixels)
    away = pixels - light
    strong = np.where(np.abs(away) > 0.5 * np.abs(away).max(), away, 0)
    if strong.sum() > 0:  # light on dark
        pixels, light = 255 - pixels, 255 - light
    even = 128 * pixels / np.maximum(light, 8)
    # Closing fills what is narrower than a third of the picture with the paper around it.
    scale = _COARSE / max(pixels.shape)
    coarse = [max(1, round(side * scale)) for side in pixels.shape]
    size = _COARSE // 3 | 1
    closing = ("MaxFilter", size), ("MinFilter", size), ("BoxBlur", 2)
    paper = _filtered(_resized(even, coarse[0], coarse[1]), *closing)
    height, width = even.shape
    share: Pixels = even / np.maximum(_resized(paper, height, width, "BILINEAR"), 8)
    return np.clip(1 - share, 0, 1)


def _surface(pixels: Pixels) -> Pixels:
    """Fit a quadratic surface to the brightness along the edges, whose outliers do not count."""
    height, width = pixels.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    used = np.maximum(np.abs(x), np.abs(y)) > 0.8
    surface: Pixels = pixels
    for _ in range(4):
        weights, *_ = np.linalg.lstsq(terms[used], pixels[used], rcond=None)
        surface = terms @ weights
        away = np.abs(pixels - surface)
        used &= away <= max(4.0, 2 * float(np.median(away[used])))
    return np.clip(surface, 0, 255)


def _threshold(ink: Pixels) -> float:
    """Return Otsu's threshold, which separates ink and paper into the most even groups.

    N. Otsu, A threshold selection method from gray-level histograms (1979).
    """
    counts, edges = np.histogram(ink, 256, (0.0, 1.0))
    middles = (edges[:-1] + edges[1:]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above, total = below[-1] - below, sums[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (total - sums) / above) ** 2
    best = np.flatnonzero(between == np.nanmax(between))
    return float(edges[1:][best].mean())


def _shapes(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Label connected shapes, diagonals included, from 1; return labels and areas."""
    labels = np.zeros(mask.shape, np.int64)
    parents = [0]

    def root(label: int) -> int:
        while parents[label] != label:
            label = parents[label]
        return label

    for y, row in enumerate(mask):
        steps = np.flatnonzero(np.diff(np.pad(row.astype(np.int8), 1)))
        for start, stop in steps.reshape(-1, 2):
            above = labels[y - 1, max(0, start - 1) : stop + 1] if y else labels[:0]
            met = {root(int(label)) for label in np.unique(above[above > 0])}
            label = min(met, default=len(parents))
            if not met:
                parents.append(label)
            for other in met:
                parents[other] = label
            labels[y, start:stop] = label
    _, labels = np.unique(
        np.array([root(i) for i in range(len(parents))])[labels], return_inverse=True
    )
    labels = labels.reshape(mask.shape) + int(mask.all())
    return labels, np.bincount(labels.reshape(-1))


def _digit(labels: NDArray[np.int64], areas: NDArray[np.int64]) -> tuple[NDArray[np.bool_], int]:
    """Choose the shapes of one digit; return their pixels, and the number of shapes beside it."""
    areas = areas.copy()
    areas[0] = 0
    edges = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    inside = areas.copy()
    inside[np.unique(edges)] = 0
    if inside.max() > 0.1 * areas.max():  # shadows and the ends of the paper touch the edge
        areas = inside
    main = int(areas.argmax())
    large = [label for label in np.flatnonzero(areas > _SPECK * areas[main]) if label != main]
    chosen, beside = labels == main, 0
    left, right = _extent(chosen)
    for label in large:
        start, stop = _extent(labels == label)
        if min(right, stop) - max(left, start) > 0.5 * (stop - start):  # a stroke above or below
            chosen |= labels == label
        else:
            beside += bool(areas[label] > 0.2 * areas[main])
    return chosen, beside


def _extent(mask: NDArray[np.bool_]) -> tuple[int, int]:
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(columns[-1]) + 1


def _strokes(ink: Pixels, chosen: NDArray[np.bool_]) -> tuple[Pixels, NDArray[np.bool_]]:
    """Return the ink of the digit alone, thickened if its strokes are thin."""
    around = _filtered(255.0 * chosen, ("MaxFilter", 3)) > 0
    level = max(float(np.median(ink[chosen])), 1e-6)
    ink = np.clip(np.where(around, ink, 0) / level, 0, 1)
    inner = _filtered(255.0 * chosen, ("MinFilter", 3)) > 0
    outline = max(1, int(chosen.sum() - inner.sum()))
    stroke = 2 * chosen.sum() / outline
    rows = np.flatnonzero(chosen.any(axis=1))
    grow = round((_STROKE * (rows[-1] - rows[0] + 1) - stroke) / 2)
    if grow > 0:
        ink = _filtered(255 * np.pad(ink, grow), ("MaxFilter", 2 * grow + 1)) / 255
        chosen = np.pad(chosen, grow)
        chosen = _filtered(255.0 * chosen, ("MaxFilter", 2 * grow + 1)) > 0
    return ink, chosen


def _centred(ink: Pixels, chosen: NDArray[np.bool_], height: int, width: int) -> Pixels:
    """Crop the digit, and scale it into the middle of a small image.

    As in MNIST: into a box of 20 x 20 of the 28 x 28 pixels, with the centre of mass in the
    middle. Images of 8 x 8 are filled.
    """
    rows, columns = np.flatnonzero(chosen.any(axis=1)), np.flatnonzero(chosen.any(axis=0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    margin = 4 if min(height, width) >= 20 else 0
    scale = min((height - 2 * margin) / cut.shape[0], (width - 2 * margin) / cut.shape[1])
    size = (max(1, round(cut.shape[0] * scale)), max(1, round(cut.shape[1] * scale)))
    small = _resized(cut, *size)
    weights = small / small.sum()
    top = height / 2 - (weights.sum(axis=1) * (np.arange(size[0]) + 0.5)).sum()
    left = width / 2 - (weights.sum(axis=0) * (np.arange(size[1]) + 0.5)).sum()
    y = min(max(0, round(top)), height - size[0])
    x = min(max(0, round(left)), width - size[1])
    centred = np.zeros((height, width))
    centred[y : y + size[0], x : x + size[1]] = small
    return centred
