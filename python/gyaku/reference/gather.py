"""Gather of a data set's rows in a given order, and rescaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.random import DATA_STREAM, random_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["gather", "gather_images", "keep_rows", "rescale"]


def gather(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    out: NDArray[Any],
    *,
    scale: float = 1.0,
) -> NDArray[Any]:
    """Return y_i = scale source[order[cursor + i]]."""
    first = int(cursor[0])
    rows = source[order[first : first + len(out)]]
    if out.ndim > 1:
        rows = rows[:, : out.shape[1]]
    rows = rows.astype(out.dtype)
    scaled: NDArray[Any] = rows if scale == 1 else rows * scale
    return scaled


def gather_images(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    epoch: NDArray[Any],
    out: NDArray[Any],
    *,
    numbers: NDArray[Any] | None = None,
    scale: float = 1.0,
    shift: int = 0,
    flip: bool = False,
    seed: int = 0,
) -> NDArray[Any]:
    """Gather the next images of a data set, each shifted and flipped at random."""
    # y[i, r + d, q + e] = scale source[m, r, q or width - 1 - q], m = order[cursor + i]. With
    # the random words w of block m, or numbers[m], at step 2⁶³ + epoch of the samples' stream,
    # d = ⌊w₀ (2 shift + 1) / 2³²⌋ - shift, e the same of w₁, and w₂ ≥ 2³¹ flips. So it
    # depends on seed, epoch and sample alone.
    images = gather(source, order, cursor, out, scale=scale)
    first, (height, width) = int(cursor[0]), images.shape[1:3]
    rows = order[first : first + len(out)]
    rows = rows if numbers is None else numbers[rows]
    words = random_words(rows, seed=seed, stream=DATA_STREAM, step=2**63 + int(epoch[0]))
    moves = (words[:, :2].astype(np.int64) * (2 * shift + 1) >> 32) - shift
    shifted = np.zeros_like(images)
    for i, ((down, right), word) in enumerate(zip(moves.tolist(), words[:, 2], strict=True)):
        image = images[i, :, ::-1] if flip and word >= 2**31 else images[i]
        shifted[i, max(down, 0) : height + down, max(right, 0) : width + right] = image[
            max(-down, 0) : height - down, max(-right, 0) : width - right
        ]
    return shifted


def keep_rows(rows: NDArray[Any], kept: NDArray[Any], cursor: NDArray[Any]) -> NDArray[Any]:
    """Return kept, with the rows from row cursor on."""
    new, first = kept.copy(), int(cursor[0])
    place = (slice(first, first + len(rows)), *(slice(size) for size in rows.shape[1:]))
    new[place] = rows
    return new


def rescale(x: NDArray[Any], *, scale: float, offset: float = 0.0) -> NDArray[Any]:
    """Return y = scale x + offset."""
    scaled: NDArray[Any] = x * scale
    return scaled + offset if offset else scaled
