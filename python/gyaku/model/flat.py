"""Flat buffers: all parameters in one, all gradients in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku import memory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers.base import Layer

__all__ = ["Flat", "Trained"]

_ALIGNMENT = 64
"""Alignment of each parameter in bytes, a cache line."""


class Trained(NamedTuple):
    """The trained range of the flat buffers.

    Parameters
    ----------
    flat_params, flat_grads : ndarray
        Trained parameters and their gradients.
    part : slice
        Their range in the buffers.
    """

    flat_params: NDArray[Any]
    flat_grads: NDArray[Any]
    part: slice = slice(0)


class Flat(dict[str, "NDArray[Any]"]):
    """The flat buffers "params", "grads" and "buffers"; the arrays of layers become views of them.

    Parameters
    ----------
    layers : sequence of Layer
        The layers.
    dtype : numpy.dtype
        Dtype of all buffers.
    """

    def __init__(self, layers: Sequence[Layer], dtype: np.dtype[Any]) -> None:
        super().__init__()
        self._places: dict[int, tuple[int, int]] = {}
        step = _ALIGNMENT // dtype.itemsize
        for name in ("params", "grads", "buffers"):
            arrays, total = [], 0
            for layer in layers:
                begin, views = total, getattr(layer, name)
                for key, array in views.items():
                    arrays.append((views, key, total, array))
                    total += -(-array.size // step) * step
                if name == "params":
                    self._places[id(layer)] = begin, total
            self[name] = memory.zeros((total,), dtype)
            for views, key, start, array in arrays:
                view = self[name][start : start + array.size].reshape(array.shape)
                np.copyto(view, array)
                views.place(key, view)

    def slice_of(self, layers: Sequence[Layer]) -> slice:
        """Return the range of the parameters of some layers.

        Parameters
        ----------
        layers : sequence of Layer
            Some of the layers.

        Returns
        -------
        slice
            Their range in the buffer; empty if it is not contiguous.
        """
        places = [self._places[id(layer)] for layer in layers if layer.params]
        if not places:
            return slice(0, 0)
        first, last = min(start for start, _ in places), max(stop for _, stop in places)
        together = sum(stop - start for start, stop in places) == last - first
        return slice(first, last if together else first)
