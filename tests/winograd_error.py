"""The largest error of convolutions by Winograd's method, computed in float64.

An error is bounded by the method itself on magnitudes, times a rounding for each term of a sum and
for each step of the transforms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)  # and infinity
UNIT = 2.0**-24  # of a rounding to float32
TRANSFORMS = 40  # roundings of a term, in the transforms of pixels, weights and sums


def of_pixels() -> Array:
    """Return the matrix from six pixels to the points."""
    rows = []
    for skipped in range(6):
        roots = [point for i, point in enumerate(POINTS) if i != skipped]
        polynomial = np.polynomial.Polynomial.fromroots(roots).coef
        rows.append(np.pad(polynomial, (0, 6 - len(polynomial))))
    return np.array(rows)


def of_kernel(count: int) -> Array:
    """Return the matrix from kernel elements, or gradients, to the points."""
    scales = np.array([np.prod([p - q for q in POINTS if q != p]) for p in POINTS])
    finite = np.vander(POINTS, count, increasing=True) / scales[:, np.newaxis]
    return np.vstack([finite, np.eye(count)[-1]])


def of_sums(count: int) -> Array:
    """Return the matrix from sums at the points to outputs, or to gradients of weights."""
    return np.hstack([np.vander(POINTS, count, increasing=True).T, np.eye(count)[:, -1:]])


def both_axes(matrix: Array, x: Array) -> Array:
    """Apply the magnitudes of a matrix to those of the last two axes."""
    return np.abs(matrix) @ np.abs(x) @ np.abs(matrix).T


def patches(x: Array, origin: tuple[int, int], count: tuple[int, int], size: int) -> Array:
    """Return images (n, c, down, across, size, size) from every fourth pixel on, zero outside."""
    room = 16
    padded = np.pad(x, ((0, 0), (room, room + size), (room, room + size), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
    top, left = (room + place for place in origin)
    down, across = (4 * number for number in count)
    some = views[:, top : top + down : 4, left : left + across : 4]
    return some.transpose(0, 3, 1, 2, 4, 5)


def tiles_of(images: tuple[int, ...]) -> tuple[int, int]:
    """Return the tiles along both axes."""
    return -(-images[1] // 4), -(-images[2] // 4)


def of_outputs(x: Array, w: Array, outputs: tuple[int, ...], origin: tuple[int, int]) -> Array:
    """Return the largest error of each output; `origin` is the first pixel of its first window."""
    count = tiles_of(outputs)
    pixels = both_axes(of_pixels(), patches(x, origin, count, 6))
    weights = both_axes(of_kernel(3), w.transpose(2, 3, 0, 1))
    sums = np.einsum("ncrsij,ckij->nrskij", pixels, weights, optimize=True)
    tiles = both_axes(of_sums(4), sums).transpose(0, 1, 4, 2, 5, 3)
    whole = tiles.reshape(len(x), 4 * count[0], 4 * count[1], w.shape[3])
    return (x.shape[3] + TRANSFORMS) * UNIT * whole[:, : outputs[1], : outputs[2]]


def of_weights(dy: Array, x: Array, origin: tuple[int, int]) -> Array:
    """Return the largest error of each gradient with respect to a weight."""
    count = tiles_of(dy.shape)
    pixels = both_axes(of_pixels(), patches(x, origin, count, 6))
    gradients = both_axes(of_kernel(4), patches(dy, (0, 0), count, 4))
    sums = np.einsum("ncrsij,nkrsij->ckij", pixels, gradients, optimize=True)
    terms = len(x) * count[0] * count[1] + TRANSFORMS
    return terms * UNIT * both_axes(of_sums(3), sums).transpose(2, 3, 0, 1)
