"""Broadcasting of arrays, and its gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.sums import sum_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["broadcast_to", "sum_to"]


def broadcast_to(x: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Return copies of an array along axes that are missing or of length 1."""
    return np.broadcast_to(x, tuple(shape)).copy()


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def sum_to(x: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Return the sums over the axes along which an array of this shape is broadcast to x."""
    missing = x.ndim - len(shape)
    repeated = [
        missing + axis for axis, length in enumerate(shape) if length != x.shape[missing + axis]
    ]
    return sum_over(x, (*range(missing), *repeated)).reshape(shape)
