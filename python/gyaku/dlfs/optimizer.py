"""Optimizers of the textbook, on dictionaries (volume 1) or lists (volume 2) of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import memory, ops

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Arrays = dict[Any, Any] | list[Any]

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop"]


class Rule:
    """An update of parameters by their gradients.

    Parameters
    ----------
    lr : float
        Learning rate.
    """

    states = 0
    """Number of arrays that are kept from step to step, for each parameter."""

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.iter = 0
        self._state: dict[Any, list[Array]] = {}
        # What the operations read: step, learning rate, two corrections of moments.
        self._clock = memory.zeros((4,), np.float64)

    @property
    def settings(self) -> tuple[float, ...]:
        """Coefficients of the update, without the learning rate."""
        return ()

    def tick(self) -> None:
        """Begin a step."""
        self.iter += 1
        self._clock[:] = (self.iter, *self._rates())

    def _rates(self) -> tuple[float, float, float]:
        return self.lr, 0, 0

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
        self.tick()
        for key in keys:
            params[key] = self._updated(key, params[key], grads[key])

    def _updated(self, key: Any, param: Any, grad: Any) -> Any:
        w = np.ascontiguousarray(param)  # the array itself, if it is contiguous
        self.apply(key, w, np.ascontiguousarray(grad, w.dtype).reshape(w.shape))
        if not isinstance(param, np.ndarray):
            return float(w[0])
        if w is not param:
            param[...] = w.reshape(param.shape)
        return param

    def apply(self, key: Any, w: Array, g: Array) -> None:
        """Update a parameter in the present step, by operations that a program records.

        Parameters
        ----------
        key : object
            Key of the parameter, for what is kept from step to step.
        w : ndarray
            The parameter, float32 or float64, contiguous.
        g : ndarray
            Its gradient.
        """
        if key not in self._state:
            self._state[key] = [np.zeros_like(w) for _ in range(self.states)]
        self._apply(w, g, self._state[key])

    def _apply(self, w: Array, g: Array, state: list[Array]) -> None:
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

    def _apply(self, w: Array, g: Array, state: list[Array]) -> None:
        ops.sgd(w, g, self._clock)


class Momentum(Rule):
    """Gradient descent with momentum, v ← α v - η g, w ← w + v.

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    momentum : float, default 0.9
        Fraction α of the last step.
    """

    states = 1

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr)
        self.momentum = momentum

    @property
    def settings(self) -> tuple[float, ...]:
        """Coefficients of the update, without the learning rate."""
        return (self.momentum,)

    def _apply(self, w: Array, g: Array, state: list[Array]) -> None:
        ops.momentum(w, g, state[0], self._clock, momentum=self.momentum)


class Nesterov(Momentum):
    """Nesterov's accelerated gradient, v ← α v - η g, w ← w + α v - η g.

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    momentum : float, default 0.9
        Fraction α of the last step.
    """

    def _apply(self, w: Array, g: Array, state: list[Array]) -> None:
        ops.momentum(w, g, state[0], self._clock, momentum=self.momentum, nesterov=True)


class AdaGrad(Rule):
    """AdaGrad, h ← h + g², w ← w - η g / (√h + 1e-7).

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    """

    states = 1

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)

    def _apply(self, w: Array, g: Array, state: list[Array]) -> None:
        ops.adagrad(w, g, state[0], self._clock, epsilon=1e-7)


class RMSprop(Rule):
    """RMSprop, h ← ρ h + (1 - ρ) g², w ← w - η g / (√h + 1e-7).

    Parameters
    ----------
    lr : float, default 0.01
        Learning rate η.
    decay_rate : float, default 0.99
        Decay ρ of the mean of squares.
    """

    states = 1

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__(lr)
        self.decay_rate = decay_rate

    @property
    def settings(self) -> tuple[float, ...]:
        """Coefficients of the update, without the learning rate."""
        return (self.decay_rate,)

    def _apply(self, w: Array, g: Array, state: list[Array]) -> None:
        ops.rmsprop(w, g, state[0], self._clock, rho=self.decay_rate, epsilon=1e-7)


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

    states = 2

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__(lr)
        self.beta1, self.beta2 = beta1, beta2

    @property
    def settings(self) -> tuple[float, ...]:
        """Coefficients of the update, without the learning rate."""
        return self.beta1, self.beta2

    def _rates(self) -> tuple[float, float, float]:
        # The correction of the second moment is in the rate, so that it leaves 1e-7 alone.
        root = float(np.sqrt(1 - self.beta2**self.iter))
        return self.lr * root, self.beta1**self.iter, 0

    def _apply(self, w: Array, g: Array, state: list[Array]) -> None:
        (m, v), betas = state, {"beta1": self.beta1, "beta2": self.beta2}
        ops.adam(w, g, m, v, self._clock, **betas, epsilon=1e-7)


RULES = {SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam}
"""The updates that a program may record; a subclass may do anything."""
