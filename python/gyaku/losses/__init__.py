"""Losses of outputs and targets, and their gradients with respect to the outputs.

A loss is called with outputs and targets of a batch and returns both; so can a function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.checks import no_class
from gyaku.components import is_kind_or_function
from gyaku.losses.alignment import *
from gyaku.losses.base import LOSSES as LOSSES
from gyaku.losses.base import Loss as Loss
from gyaku.losses.classes import *
from gyaku.losses.equation import Function
from gyaku.losses.margins import *
from gyaku.losses.regression import *
from gyaku.names import choose, missing_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __all__ = sorted({"Loss"} | {each.__name__ for each in LOSSES.values()})
    __getattr__ = missing_from(__name__)


def loss(given: str | Loss | Callable[..., Any]) -> Loss:
    """Return a loss from its name, itself or a function.

    Parameters
    ----------
    given : str or Loss or callable
        A name of `LOSSES`, a loss, or a function of outputs and targets that returns the mean
        loss and its gradient with respect to the outputs; and of `sample_weight`, if samples have
        weights.

    Returns
    -------
    Loss
        The loss.

    Raises
    ------
    ValueError
        If there is no such name.
    TypeError
        If it is none of these.
    """
    if isinstance(given, str):
        return choose("loss", given, LOSSES)()
    no_class("loss", given)
    if isinstance(given, Loss) and given.native:
        return given
    if not is_kind_or_function(Loss, given):
        raise TypeError(f"loss must be a name, a Loss or a function (y, t), got {given!r}")
    return Function(given)
