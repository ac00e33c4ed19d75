"""Advice on data that are valid but badly scaled."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.trainee import Passes, Trainee

__all__ = ["advise_on_bytes", "advise_on_targets"]

# Largest value of unscaled bytes that train well: booleans, counts, grey levels from 0 to 16.
_LARGEST = 16

_advised: WeakSet[Trainee] = WeakSet()


def advise_on_bytes(owner: str, model: Trainee, passes: Passes, x: Sequence[NDArray[Any]]) -> None:
    """Warn, once a model, of bytes that are multiplied by weights without scaling.

    Parameters
    ----------
    owner : str
        The function, for the warning.
    model : Trainee
        The model.
    passes : Passes
        The passes of the model.
    x : sequence of ndarray
        Validated inputs.
    """
    for place, each in enumerate(x):
        if each.dtype.char != "B" or model in _advised or not passes.meets_weights(place):
            continue
        if (largest := int(each.max())) > _LARGEST:
            _advised.add(model)
            warnings.warn(
                f"{owner}: x holds bytes up to {largest}, which are taken at their value; put"
                " gyaku.Rescaling(1 / 255) in front of the first layer, or give x / 255",
                stacklevel=4,
            )


def advise_on_targets(passes: Passes, x: Sequence[NDArray[Any]], y: Sequence[NDArray[Any]]) -> None:
    """Warn of bytes as targets of an autoencoder, which its outputs hardly reach.

    Parameters
    ----------
    passes : Passes
        The passes of the model.
    x, y : sequence of ndarray
        Validated inputs and targets.
    """
    sizes = {each[0].size for each in x}
    for value, each in zip(passes.outputs, y, strict=True):
        if each.dtype != np.uint8 or each[0].size not in sizes or passes.is_rescaled(value):
            continue
        if (largest := int(each.max())) > _LARGEST:
            warnings.warn(
                f"fit: y holds bytes up to {largest}, which are taken at their value; for outputs"
                " from 0 to 1 give y / 255",
                stacklevel=4,
            )
