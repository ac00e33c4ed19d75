"""Sums whose error does not grow with the number of terms: blocks, added in a wider type."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__: list[str] = []

BLOCK = 256  # terms that are added in the type of the arrays


def _added(*arrays: NDArray[Any]) -> NDArray[Any]:
    """Return the sums over the last axis but one, of an array or of the products of two."""
    return np.asarray(np.einsum(",".join(["...pc"] * len(arrays)) + "->...c", *arrays))


def sum_positions(*arrays: NDArray[Any]) -> NDArray[Any]:
    """Return Σ_p x of an array of shape (n, p, c), or Σ_p x y of two.

    Parameters
    ----------
    *arrays : ndarray
        The array, or both.

    Returns
    -------
    ndarray
        Sums of shape (n, c).
    """
    n, positions, channels = arrays[0].shape
    whole = positions - positions % BLOCK
    if whole <= BLOCK or arrays[0].dtype.kind not in "fc":
        return np.asarray(arrays[0].sum(axis=1)) if len(arrays) == 1 else _added(*arrays)
    blocks = _added(*(x[:, :whole].reshape(n, -1, BLOCK, channels) for x in arrays))
    total = blocks.sum(axis=1, dtype=np.result_type(blocks, np.float64))
    return np.asarray(total + _added(*(x[:, whole:] for x in arrays)), blocks.dtype)


def sum_over(x: NDArray[Any], axis: int | Sequence[int], keepdims: bool = True) -> NDArray[Any]:
    """Return Σ x over axes, each run of neighbouring ones at once.

    Parameters
    ----------
    x : ndarray
        The terms.
    axis : int or sequence of int
        The axes.
    keepdims : bool, default True
        Whether they stay, with a length of 1.

    Returns
    -------
    ndarray
        The sums.
    """
    axes = sorted(each % x.ndim for each in ([axis] if isinstance(axis, int) else axis))
    total, kept, shape = x if axes else x.copy(), tuple(axes), x.shape
    while axes:
        start = stop = axes[0]
        while stop in axes:
            stop += 1
        axes = [each for each in axes if each > stop]
        parts = shape[:start], shape[start:stop], shape[stop:]
        shape = (*parts[0], *[1] * (stop - start), *parts[2])
        total = sum_positions(total.reshape([math.prod(part) for part in parts])).reshape(shape)
    return total if keepdims else total.squeeze(kept)
