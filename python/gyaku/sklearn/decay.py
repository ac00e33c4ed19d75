"""Optimizers whose decay acts on weights alone, as that of scikit-learn's networks does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.optim import LBFGS, Adam, Momentum, Nesterov, Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gyaku.model import Model

    Array = NDArray[Any]

__all__ = ["decayed"]


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


class _Adam(_Decayed, Adam):
    """Adam with decay of the weights alone."""

    native = True


class _Momentum(_Decayed, Momentum):
    """Momentum with decay of the weights alone."""

    native = True


class _Nesterov(_Decayed, Nesterov):
    """Nesterov with decay of the weights alone."""

    native = True


class _LBFGS(LBFGS):
    """L-BFGS with decay of the weights alone, and a limit of the evaluations."""

    native = True
    _parts: Sequence[tuple[slice, float]] = ()

    def __init__(self, max_fun: int, *, tolerance: float, weight_decay: float) -> None:
        super().__init__(tolerance=tolerance, weight_decay=weight_decay)
        self.max_fun = max_fun
        self._evaluations = 0

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
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


_KINDS: dict[type[Optimizer], Any] = {
    Adam: _Adam,
    LBFGS: _LBFGS,
    Momentum: _Momentum,
    Nesterov: _Nesterov,
}


def decayed(kind: type[Optimizer], model: Model, *arguments: Any, **options: Any) -> Optimizer:
    """Return an optimizer whose `weight_decay` is that of the weights alone.

    Parameters
    ----------
    kind : {Adam, LBFGS, Momentum, Nesterov}
        Class of the optimizer; `LBFGS` takes the largest number of evaluations, too.
    model : Model
        The model to train, built, with all layers trained.
    *arguments, **options : object
        Arguments of the optimizer.

    Returns
    -------
    Optimizer
        The optimizer.
    """
    found = _KINDS[kind](*arguments, **options)
    flat, parts = model.flat_params, []
    begin = flat.__array_interface__["data"][0]
    for name, each in model.params.items():
        first = (each.__array_interface__["data"][0] - begin) // flat.itemsize
        parts.append((slice(first, first + each.size), float(name.endswith(".weight"))))
    found._parts = parts if found.weight_decay else [(slice(None), 0.0)]
    return found  # type: ignore[no-any-return]
