"""Optimizers of the textbook, on dictionaries (volume 1) or lists (volume 2) of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import ops

if TYPE_CHECKING:
    from collections.abc import Iterable

    Arrays = dict[Any, Any] | list[Any]

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop"]


class Rule:
    """An update of parameters by their gradients.

    Parameters
    ----------
    lr : float
        Learning rate.
    """

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self._state: dict[Any, list[Any]] = {}
        self.iter = 0

    def update(self, params: Arrays, grads: Arrays) -> None:
        """Update the parameters in place.

        Parameters
        ----------
        params : dict or list
            Parameters, ndarrays or floats.
        grads : dict or list
            Their gradients, under the same keys.

        Raises
        ------
        ValueError
            If a gradient is missing.
        """
        keys: Iterable[Any] = params.keys() if isinstance(params, dict) else range(len(params))
        there: Any = grads.keys() if isinstance(grads, dict) else range(len(grads))
        missing = [key for key in keys if key not in there]
        if missing:
            raise ValueError(f"{type(self).__name__}: grads has no gradient of {missing[0]!r}")
        self.iter += 1
        for key in keys:
            state = self._state.setdefault(key, [np.zeros_like(params[key]) for _ in "mv"])
            params[key] = self._updated(params[key], grads[key], state)

    def _updated(self, param: Any, grad: Any, state: list[Any]) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no update")


class SGD(Rule):
    """Gradient descent, w ← w - η g.

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    """

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)

    def _updated(self, param: Any, grad: Any, state: list[Any]) -> Any:
        param -= self.lr * grad
        return param


class Momentum(Rule):
    """Gradient descent with momentum, v ← α v - η g, w ← w + v.

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    momentum : float, default 0.9
        Fraction α of the last step.
    """

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr)
        self.momentum = momentum

    def _updated(self, param: Any, grad: Any, state: list[Any]) -> Any:
        state[0] = self.momentum * state[0] - self.lr * grad
        param += state[0]
        return param


class Nesterov(Momentum):
    """Nesterov's accelerated gradient, v ← α v - η g, w ← w + α v - η g.

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    momentum : float, default 0.9
        Fraction α of the last step.
    """

    def _updated(self, param: Any, grad: Any, state: list[Any]) -> Any:
        state[0] = self.momentum * state[0] - self.lr * grad
        param += self.momentum * state[0] - self.lr * grad
        return param


class AdaGrad(Rule):
    """AdaGrad, h ← h + g², w ← w - η g / (√h + 1e-7).

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    """

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)

    def _updated(self, param: Any, grad: Any, state: list[Any]) -> Any:
        state[0] = state[0] + grad * grad
        param -= self.lr * grad / (np.sqrt(state[0]) + 1e-7)
        return param


class RMSprop(Rule):
    """RMSprop, h ← ρ h + (1 - ρ) g², w ← w - η g / (√h + 1e-7).

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    decay_rate : float, default 0.99
        Decay ρ of the mean of squares.
    """

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__(lr)
        self.decay_rate = decay_rate

    def _updated(self, param: Any, grad: Any, state: list[Any]) -> Any:
        state[0] = self.decay_rate * state[0] + (1 - self.decay_rate) * grad * grad
        param -= self.lr * grad / (np.sqrt(state[0]) + 1e-7)
        return param


class Adam(Rule):
    """Adam, with 1e-7 beside the root of the mean of squares that is not yet corrected.

    Parameters
    ----------
    lr : float, default 0.001
        Learning rate.
    beta1 : float, default 0.9
        Decay of the mean of the gradients.
    beta2 : float, default 0.999
        Decay of the mean of their squares.
    """

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__(lr)
        self.beta1, self.beta2 = beta1, beta2

    def _updated(self, param: Any, grad: Any, state: list[Any]) -> Any:
        first, second = self.beta1**self.iter, self.beta2**self.iter
        clock = np.array([self.iter, self.lr, first, second], float)
        epsilon = 1e-7 / float(np.sqrt(1 - second))
        work = np.ascontiguousarray(param)  # the array itself, if it is contiguous
        moments = [np.ascontiguousarray(moment) for moment in state]
        gradient = np.ascontiguousarray(grad, work.dtype)
        m, v = moments
        betas = self.beta1, self.beta2
        ops.adam(work, gradient, m, v, clock, beta1=betas[0], beta2=betas[1], epsilon=epsilon)
        state[:] = moments
        if not isinstance(param, np.ndarray):
            return float(work[0])
        if work is not param:
            param[...] = work.reshape(param.shape)
        return param
