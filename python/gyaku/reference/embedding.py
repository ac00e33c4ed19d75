"""Embeddings: rows of a table by their ids, with the gradient of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["embedding", "embedding_backward", "sequence_lengths"]


def embedding(ids: NDArray[Any], table: NDArray[Any]) -> NDArray[Any]:
    """Return y_i = table[ids_i]."""
    return np.asarray(table[ids])


def embedding_backward(
    dy: NDArray[Any], ids: NDArray[Any], *, vocabulary_size: int, padding: int | None = None
) -> NDArray[Any]:
    """Return dtable_k = Σ dy_i over the positions i with ids_i = k, in their order."""
    dtable = np.zeros((vocabulary_size, dy.shape[-1]), dy.dtype)
    np.add.at(dtable, ids, dy)
    if padding is not None:
        dtable[padding] = 0
    return dtable


def sequence_lengths(ids: NDArray[Any]) -> NDArray[np.int64]:
    """Return 1 + the last step of each sample with an id other than 0, or 0 if there is none."""
    real = (ids != 0).any(axis=tuple(range(2, ids.ndim)))
    steps = np.arange(1, ids.shape[1] + 1)
    return np.asarray((real * steps).max(axis=1, initial=0).astype(np.int64))
