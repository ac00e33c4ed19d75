"""L-BFGS: a quasi-Newton method that keeps its last steps instead of a matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number, whole
from gyaku.optim.base import Optimizer
from gyaku.optim.line_search import strong_wolfe

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.optim.base import Parametric
    from gyaku.schedules import Schedule

    Array = NDArray[Any]

__all__ = ["LBFGS"]

# Elements of the state `progress`: number of pairs kept so far, whether loss and gradients at the
# present parameters are known, and this loss.
_PAIRS, _KNOWN, _LOSS = range(3)


class LBFGS(Optimizer):
    """L-BFGS, a quasi-Newton method with a strong-Wolfe line search; for the full batch.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        First step t that each line search tries; or a schedule of it.
    history_size : int
        Number of past steps that approximate the curvature.
    tolerance : float
        Largest gradient element at which the training ends.
    weight_decay : float
        The decay λ, which adds ``½ λ w·w`` to the loss to minimise.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    ``w ← w - t H g``. The direction ``H g`` follows from the last steps ``s = Δw`` and changes of
    the gradient ``y = Δg`` by the two-loop recursion, from ``H₀ = s·y / y·y``, or 1 / ‖g‖ before
    the first of them; the step t, first 1, fulfils the strong Wolfe conditions. D. Liu and J.
    Nocedal, On the limited memory BFGS method (1989); J. Nocedal and S. Wright, Numerical
    optimization (2006), algorithms 7.4 and 7.5.

    A step evaluates the loss several times, on the same samples and with the same dropout masks, so
    that it needs `fit`; the history has the loss behind each step. With ``batch_size=None`` a step
    is an epoch, and the training ends where the gradient vanishes or no step decreases the loss any
    further; mini-batches, whose minima differ, are better left to Adam. A training may begin with
    Adam and end with L-BFGS: call `fit` twice.

    Examples
    --------
    >>> import gyaku as gk
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> model = gk.Sequential(gk.Dense(4, "tanh"), gk.Dense(1, "sigmoid"), seed=1)
    >>> options = {"loss": "sum_squared_error", "batch_size": None, "verbose": 0}
    >>> history = model.fit(x, [0, 1, 1, 0], optimizer=gk.LBFGS(), epochs=50, **options)
    >>> model.predict(x).round().ravel()
    array([0., 1., 1., 0.], dtype=float32)
    """

    native = True
    _searching: bool = False

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 1.0,
        *,
        history_size: int = 10,
        tolerance: float = 1e-5,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.history_size = whole("LBFGS", "history_size", history_size)
        self.tolerance = number("LBFGS", "tolerance", tolerance, least=0)

    def begin(
        self, model: Parametric, total_steps: int | None = None, *, steps_done: int = 0
    ) -> None:
        """Prepare for a model; see `Optimizer.begin`."""
        super().begin(model, total_steps, steps_done=steps_done)
        if not steps_done:
            self.state["progress"][_KNOWN] = False

    def _initial_state(self) -> dict[str, Array]:
        size, dtype = self.params.size, self.params.dtype
        pairs = (self.history_size, size)
        return {
            "steps": memory.zeros(pairs, dtype),
            "changes": memory.zeros(pairs, dtype),
            "gradient": memory.zeros((size,), dtype),
            "progress": memory.zeros((3,), np.float64),
        }

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
        """Search along the quasi-Newton direction; see `Optimizer.run_step`."""
        self._searching = True
        try:
            update()  # of the step counter and the learning rate
        finally:
            self._searching = False
        progress, gradient = self.state["progress"], self.state["gradient"]
        if not (progress[_KNOWN] and self.same_batch):
            progress[_LOSS] = self._evaluated(gradients)
            gradient[...] = self.grads
        reason = ""
        if not np.abs(gradient).max() > self.tolerance:
            reason = f"no element of the gradient is larger than {self.tolerance:g}"
        else:
            restarted = not progress[_PAIRS]
            if not self._searched(gradients) and restarted:
                reason = "no step along the gradient decreases the loss any further"
        if self.same_batch:
            self.converged = reason

    def update(self, params: Array, grads: Array) -> None:
        """Leave the parameters, which `run_step` changes; see `Optimizer.update`."""
        if not self._searching:
            raise TypeError(
                "LBFGS: a step evaluates the loss several times, which step alone cannot; train"
                " with fit, or call run_step"
            )

    def _evaluated(self, gradients: Callable[[], float]) -> float:
        """Return the loss at the present parameters, with the decay, and write its gradient."""
        loss = gradients()
        if self.weight_decay:
            loss += self.weight_decay / 2 * _dot(self.params, self.params)
            self.grads += self.weight_decay * self.params
        return loss

    def _searched(self, gradients: Callable[[], float]) -> bool:
        """Move to a point on the line that is better, if there is one, and keep the step."""
        progress, gradient = self.state["progress"], self.state["gradient"]
        direction = self._direction(gradient)
        slope = _dot(gradient, direction)
        if not slope < 0:  # because of rounding errors
            progress[_PAIRS] = 0
            direction = -gradient
            slope = _dot(gradient, direction)
        start = self.params.copy()

        def along(step: float) -> tuple[float, float]:
            with np.errstate(over="ignore", invalid="ignore"):
                np.add(start, step * direction, out=self.params)
            return self._evaluated(gradients), _dot(self.grads, direction)

        # Without a curvature the length of the gradient says nothing: Δw has the length 1.
        first = self.rate if progress[_PAIRS] else self.rate / math.sqrt(-slope)
        found = strong_wolfe(along, float(progress[_LOSS]), slope, first)
        progress[_KNOWN] = True
        if found is None:
            self.params[...] = start
            self._evaluated(gradients)
            progress[_PAIRS] = 0
            return False
        self._keep(self.params - start, self.grads - gradient)
        gradient[...] = self.grads
        progress[_LOSS] = found.value
        return True

    def _keep(self, step: Array, change: Array) -> None:
        """Keep a step and the change of the gradient, unless the curvature is not positive."""
        if _dot(step, change) <= np.finfo(step.dtype).eps * _dot(change, change):
            return
        progress = self.state["progress"]
        row = int(progress[_PAIRS]) % self.history_size
        self.state["steps"][row], self.state["changes"][row] = step, change
        progress[_PAIRS] += 1

    def _direction(self, gradient: Array) -> Array:
        """Return ``-H g`` by the two-loop recursion."""
        pairs, size = int(self.state["progress"][_PAIRS]), self.history_size
        rows = [each % size for each in range(max(0, pairs - size), pairs)]
        steps, changes = self.state["steps"], self.state["changes"]
        direction, factors = -gradient, {}
        for row in reversed(rows):
            curvature = _dot(steps[row], changes[row])
            factors[row] = curvature, _dot(steps[row], direction) / curvature
            direction -= factors[row][1] * changes[row]
        if rows:
            last = rows[-1]
            direction *= factors[last][0] / _dot(changes[last], changes[last])
        for row in rows:
            curvature, factor = factors[row]
            direction += (factor - _dot(changes[row], direction) / curvature) * steps[row]
        return direction


def _dot(a: Array, b: Array) -> float:
    """Return the inner product, with the same bits for any number of threads."""
    return float(ops.matmul(a[np.newaxis], b[:, np.newaxis])[0, 0])
