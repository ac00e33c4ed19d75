"""Optimizers: updates of parameters by their gradients.

An optimizer works on the two flat buffers of a model, one of all parameters and one of all
gradients, and keeps its own state in buffers of the same length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.checks import no_class
from gyaku.names import choose, missing_from
from gyaku.optim.base import OPTIMIZERS as OPTIMIZERS
from gyaku.optim.base import Optimizer
from gyaku.optim.first_order import SGD, AdaDelta, AdaGrad, Momentum, Nesterov, RMSProp, Rprop
from gyaku.optim.lamb import Lamb
from gyaku.optim.lbfgs import LBFGS
from gyaku.optim.moments import Adam, Adamax, AdamW, NAdam, RAdam

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LBFGS", "SGD", "AdaDelta", "AdaGrad", "Adam", "AdamW", "Adamax", "Lamb", "Momentum"]
__all__ += ["NAdam", "Nesterov", "Optimizer", "RAdam", "RMSProp", "Rprop"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)


def optimizer(given: str | Optimizer | None) -> Optimizer:
    """Return an optimizer from its name or itself.

    Parameters
    ----------
    given : str or Optimizer or None
        A name of `OPTIMIZERS`, or an optimizer; None is `Adam`.

    Returns
    -------
    Optimizer
        The optimizer.

    Raises
    ------
    ValueError
        If there is no such name.
    TypeError
        If it is neither.
    """
    if given is None:
        return Adam()
    if isinstance(given, str):
        kind: Callable[[], Optimizer] = choose("optimizer", given, OPTIMIZERS)
        return kind()
    no_class("optimizer", given)
    if not isinstance(given, Optimizer):
        raise TypeError(f"optimizer must be a name or an Optimizer, got {given!r}")
    return given
