"""Lamb: steps of Adam, in proportion to the size of each layer's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.optim.moments import Adam

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.optim.base import Parametric
    from gyaku.schedules import Schedule

__all__ = ["Lamb"]


class Lamb(Adam):
    """Lamb: the steps of Adam, each parameter array's scaled to its own norm; for large batches.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    beta1, beta2 : float
        Decay rates of the two running means.
    epsilon : float
        Small constant in the denominator.
    weight_decay : float
        The decay λ, a part of the step before it is scaled.

    Notes
    -----
    With ``m̂`` and ``v̂`` of `Adam`, ``r = m̂ / (√v̂ + ε) + λ w`` and ``w ← w - η (|w| / |r|) r``
    for each weight and bias of a layer by itself; the quotient is 1 where either norm is 0: Y. You
    and others, Large batch optimization for deep learning (2020), algorithm 2. It runs in NumPy.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([3.0, 4.0]), flat_grads=np.array([1.0, -1.0]))
    >>> Lamb(0.1, weight_decay=0.0).step(model)
    >>> model.flat_params.round(4)
    array([2.6464, 4.3536])
    """

    native = False
    _parts: tuple[slice, ...] = ()

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.001,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(
            learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay
        )

    def begin(
        self, model: Parametric, total_steps: int | None = None, *, steps_done: int = 0
    ) -> None:
        """Prepare for a model; see `Optimizer.begin`."""
        super().begin(model, total_steps, steps_done=steps_done)
        self._parts = tuple(_parts(self.params, getattr(model, "params", {}).values()))

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        _, rate, power1, power2 = self.clock.tolist()
        m, v = self.state["m"], self.state["v"]
        m += (1 - self.beta1) * (grads - m)
        v += (1 - self.beta2) * (grads * grads - v)
        change = m / (1 - power1) / (np.sqrt(v / (1 - power2)) + self.epsilon)
        change += self.weight_decay * params
        for part in self._parts:
            size, length = np.linalg.norm(params[part]), np.linalg.norm(change[part])
            trust = float(size / length) if size > 0 and length > 0 else 1.0
            params[part] -= rate * trust * change[part]


def _parts(flat: NDArray[Any], params: Any) -> list[slice]:
    """Return the ranges of parameters in the flat buffer, which is one range without any."""
    origin = flat.__array_interface__["data"][0]
    found = []
    for each in params:
        begin = (each.__array_interface__["data"][0] - origin) // flat.itemsize
        if begin >= 0 and begin + each.size <= flat.size:
            found.append(slice(begin, begin + each.size))
    return found or [slice(0, flat.size)]
