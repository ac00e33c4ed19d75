"""Optimizers whose decay acts on weights alone, as that of scikit-learn's networks does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from gyaku.optim import LBFGS, Adam, Momentum, Nesterov, Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.model import Model

    Array = NDArray[Any]
    T = TypeVar("T", bound="_Decayed | DecayedLBFGS")

__all__ = ["DecayedAdam", "DecayedLBFGS", "DecayedMomentum", "DecayedNesterov", "decayed"]


class _Decayed(Optimizer):
    """Decay of the weights, and not of the biases."""

    _parts: Sequence[tuple[slice, float]] = ()

    def update(self, params: Array, grads: Array) -> None:
        state, decay = self.state, self.weight_decay
        try:
            for part, factor in self._parts:
                self.weight_decay = decay * factor
                self.state = {name: each[part] for name, each in state.items()}
                super().update(params[part], grads[part])
        finally:
            self.state, self.weight_decay = state, decay


def decayed(optimizer: T, model: Model) -> T:
    """Tell an optimizer of this module where the weights of a model are.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer.
    model : Model
        The model, built, with all layers trained.

    Returns
    -------
    Optimizer
        The optimizer itself.
    """
    flat, found = model.flat_params, []
    begin = flat.__array_interface__["data"][0]
    for name, each in model.params.items():
        first = (each.__array_interface__["data"][0] - begin) // flat.itemsize
        found.append((slice(first, first + each.size), float(name.endswith(".weight"))))
    optimizer._parts = found if optimizer.weight_decay else [(slice(None), 0.0)]
    return optimizer


class DecayedAdam(_Decayed, Adam):
    """Adam with decay of the weights alone; the arguments are those of `Adam`."""

    native = True


class DecayedMomentum(_Decayed, Momentum):
    """Momentum with decay of the weights alone; the arguments are those of `Momentum`."""

    native = True


class DecayedNesterov(_Decayed, Nesterov):
    """Nesterov momentum with decay of the weights alone; the arguments are those of `Nesterov`."""

    native = True


class DecayedLBFGS(LBFGS):
    """L-BFGS with decay of the weights alone, and a limit of the evaluations.

    Parameters
    ----------
    max_fun : int
        Number of evaluations of the loss behind which the training ends.
    tolerance : float
        Largest gradient element at which the training ends.
    weight_decay : float
        The decay λ, which adds ``½ λ w·w`` of the weights to the loss to minimise.
    """

    native = True
    _parts: Sequence[tuple[slice, float]] = ()

    def __init__(self, max_fun: int, *, tolerance: float, weight_decay: float) -> None:
        super().__init__(tolerance=tolerance, weight_decay=weight_decay)
        self.max_fun = max_fun
        self._evaluations = 0

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
        """Search along the quasi-Newton direction; see `Optimizer.run_step`."""
        super().run_step(gradients, update)
        if self._evaluations >= self.max_fun:
            self.converged = f"max_fun ({self.max_fun}) evaluations are done"

    def _evaluated(self, gradients: Callable[[], float]) -> float:
        self._evaluations += 1
        loss = gradients()
        for part, factor in self._parts:
            if decay := self.weight_decay * factor:
                weights = self.params[part]
                loss += decay / 2 * float(np.square(weights).sum())
                self.grads[part] += decay * weights
        return loss
