"""Base of the optimizers: step state, learning rates and the halves of a step.

An optimizer works on the two flat buffers of a model, one of all parameters and one of all
gradients, and keeps its own state in buffers of the same length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import memory, ops
from gyaku.checks import no_class, number
from gyaku.components import Component, Table
from gyaku.schedules import Constant, schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from numpy.typing import NDArray

    from gyaku.schedules import Schedule

    class Parametric(Protocol):
        """Protocol of a model for an optimizer: its two flat buffers."""

        @property
        def flat_params(self) -> NDArray[Any]:
            """All parameters, one after another."""

        @property
        def flat_grads(self) -> NDArray[Any]:
            """All gradients, one after another."""


__all__ = ["OPTIMIZERS", "Optimizer"]

OPTIMIZERS: Table[Optimizer] = Table(lambda cls: cls.__name__.lower())

RATES = 1 << 14
"""Number of learning rates of a schedule that are computed ahead."""


class Optimizer(Component, table=OPTIMIZERS):
    """Base of the optimizers; one of your own defines `update`.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate, or a schedule of it.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Attributes
    ----------
    clock : ndarray of float64, of shape (4,)
        Step state: step counter, learning rate, and the powers of `beta1` and `beta2`.
    converged : str
        Reason why further steps would change nothing, which ends `fit`; "" without.
    same_batch : bool
        Whether each step of `fit` minimises the same function: the full batch, without dropout.
    params, grads : ndarray
        Trained parameters and their gradients, after `begin`.
    state : dict of str to ndarray
        Flat buffers of the optimizer, by name.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> class SignDescent(Optimizer):
    ...     def update(self, params, grads):
    ...         params -= self.rate * np.sign(grads)
    >>> SignDescent(0.1)
    SignDescent(0.1)
    """

    passes = frozenset({"step", "update"})
    state_names: ClassVar[tuple[str, ...]] = ()
    """The buffers that `state` holds, zero before the first step."""
    # Used by Adam and AdamW; here so that all optimizers have the same step state.
    beta1: float = 1.0
    beta2: float = 1.0
    converged: str = ""
    same_batch: bool = False
    params: NDArray[Any] = np.zeros(0)
    grads: NDArray[Any] = np.zeros(0)
    clock: NDArray[np.float64]
    state: dict[str, NDArray[Any]]
    _copied = False  # the state belongs to a model with the parameters `params`

    def __init__(
        self, learning_rate: float | Schedule | Callable[..., Any], *, weight_decay: float = 0.0
    ) -> None:
        owner = type(self).__name__
        self._learning_rate = _checked_rate(owner, learning_rate)
        self.weight_decay = number(owner, "weight_decay", weight_decay, least=0)

    @property
    def learning_rate(self) -> float | Schedule | Callable[..., Any]:
        """The learning rate or its schedule; a new one takes effect at the next step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, given: float | Schedule | Callable[..., Any]) -> None:
        self._learning_rate = _checked_rate(type(self).__name__, given)
        if self.params.size:
            self._schedule = schedule(given)
            self._fill()

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _copied=True)

    def begin(self, model: Parametric, total_steps: int | None = None) -> None:
        """Prepare for a model and a training of known length.

        Parameters
        ----------
        model : Sequential or anything with flat_params and flat_grads
            The model to train. The state is kept if it trained this model before, with the same
            layers frozen; that of a copied or unpickled optimizer is kept for the same parameters.
        total_steps : int, optional
            Number of steps, for schedules that depend on it.
        """
        model = _trained(model)
        if self.params is not model.flat_params:
            kept = (
                self._copied and self.params.size and np.array_equal(self.params, model.flat_params)
            )
            self.params, self.grads = model.flat_params, model.flat_grads
            if kept:
                self.clock = memory.copy(self.clock)
                self.state = {name: memory.copy(each) for name, each in self.state.items()}
            else:
                self.clock = memory.zeros((4,), np.float64)
                self.clock[2:] = 1
                self.state = {
                    name: memory.zeros(self.params.shape, self.params.dtype)
                    for name in self.state_names
                }
        self._copied = False
        self.converged, self.same_batch = "", False
        self._schedule = schedule(self.learning_rate)
        if total_steps is not None:
            self._schedule = self._schedule.spanning(total_steps)
        self._begun = int(self.clock[0])
        constant = isinstance(self._schedule, Constant)
        self._rates = memory.zeros((2 if constant else 1 + RATES,), np.float64)
        self._fill()

    def _fill(self) -> None:
        """Compute the learning rates of the next steps, up to the size of the buffer."""
        now = int(self.clock[0])
        steps = np.arange(now, now + len(self._rates) - 1) - self._begun
        self._rates[1:] = self._schedule(steps)
        # The first step of the rates; a constant rate covers all steps.
        self._rates[0] = 0 if isinstance(self._schedule, Constant) else now

    def prepare(self, steps: int) -> int:
        """Compute the learning rates of the next steps.

        Parameters
        ----------
        steps : int
            Number of steps wanted.

        Returns
        -------
        int
            Number of steps with a learning rate, at least one.
        """
        if isinstance(self._schedule, Constant):
            return steps
        room = len(self._rates) - 1
        ahead = room - int(self.clock[0] - self._rates[0])
        if not min(steps, room) <= ahead <= room:
            self._fill()
            ahead = room
        first, steps = 1 + room - ahead, min(steps, ahead)
        rates = self._rates[first : first + steps]
        wrong = np.flatnonzero(~((rates >= 0) & (rates < np.inf)))
        if wrong.size:  # here, because beyond the last step a schedule may return anything
            step = int(self.clock[0]) - self._begun + int(wrong[0])
            raise ValueError(
                f"{type(self).__name__}: the schedule {self.learning_rate!r} gives the learning"
                f" rate {rates[wrong[0]]:g} in step {step}"
            )
        return steps

    def step(self, model: Parametric) -> None:
        """Change the parameters by the gradients of the last backward pass.

        Parameters
        ----------
        model : Sequential or anything with flat_params and flat_grads
            The model; its frozen layers stay unchanged.
        """
        model = _trained(model)
        params, grads = model.flat_params, model.flat_grads
        if not params.size:
            raise ValueError("step: the model has no parameters yet, call forward or build first")
        if self.params is not params:
            self.begin(model)
        self.prepare(1)
        ops.optimizer_tick(self.clock, self._rates, beta1=self.beta1, beta2=self.beta2)
        if self.native:
            self.update(params, grads)
        else:
            changed = [params, *self.state.values()]
            memory.host(lambda: self.update(params, grads), [grads, self.clock], changed)

    def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
        """Run the two halves of a step of `fit`; override it to act between them.

        Parameters
        ----------
        gradients : callable
            Function that writes the gradients of the batch into `grads` and returns its loss; each
            call evaluates them at the present parameters.
        update : callable
            Function that updates the parameters from `grads`; call it at most once.

        Notes
        -----
        This default is recorded with the whole step as one program. An override, for example for
        gradient clipping or all-reduce, costs each step a few calls from Python.

        Examples
        --------
        >>> from gyaku.optim import Adam
        >>> class Clipped(Adam):
        ...     def run_step(self, gradients, update):
        ...         gradients()
        ...         self.grads /= max(1.0, np.linalg.norm(self.grads))
        ...         update()
        >>> Clipped(0.01).acts_between
        True
        """
        gradients()
        update()

    @property
    def acts_between(self) -> bool:
        """Whether `run_step` is overridden."""
        return type(self).run_step is not Optimizer.run_step

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Change `params` in place; `self.rate` is this step's learning rate.

        Parameters
        ----------
        params : ndarray of shape (n,)
            All parameters.
        grads : ndarray of shape (n,)
            All gradients; not to be changed.
        """
        raise NotImplementedError(f"{type(self).__name__} needs an update(self, params, grads)")

    @property
    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self.clock[1])


def _trained(model: Parametric) -> Parametric:
    """Return the trained parameters of a model with frozen layers, otherwise all."""
    trained: Parametric = getattr(model, "trained", model)
    return trained


def _checked_rate(
    owner: str, given: float | Schedule | Callable[..., Any]
) -> float | Schedule | Callable[..., Any]:
    no_class(f"{owner}: learning_rate", given)
    if not callable(given):
        number(owner, "learning_rate", given, above=0)
    return given
