"""All parameters in one buffer, all gradients in another: what optimizers and files see."""

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
"""Bytes between which parameters begin, so that kernels meet whole cache lines."""


class Trained(NamedTuple):
    """The part of the buffers that an optimizer sees.

    Parameters
    ----------
    flat_params, flat_grads : ndarray
        The parameters that are trained, and their gradients.
    part : slice
        Where they lie.
    """

    flat_params: NDArray[Any]
    flat_grads: NDArray[Any]
    part: slice = slice(0)


class Flat(dict[str, "NDArray[Any]"]):
    """The buffers "params", "grads" and "buffers", to which the arrays of layers were moved.

    Parameters
    ----------
    layers : sequence of Layer
        The layers, whose views show into the buffers from now on.
    dtype : numpy.dtype
        The dtype of all.
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
        """Return where the parameters of some layers lie.

        Parameters
        ----------
        layers : sequence of Layer
            Some of the layers.

        Returns
        -------
        slice
            Their part of the buffer; empty if there are others between them.
        """
        places = [self._places[id(layer)] for layer in layers if layer.params]
        if not places:
            return slice(0, 0)
        first, last = min(start for start, _ in places), max(stop for _, stop in places)
        together = sum(stop - start for start, stop in places) == last - first
        return slice(first, last if together else first)
