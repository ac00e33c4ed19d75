"""Base of the optimizers: step state, learning rates and the halves of a step.

An optimizer works on the two flat buffers of a model, one of all parameters and one of all
gradients, and keeps its own state in buffers of the same length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import memory, ops
from gyaku.checks import no_class, number, whole
from gyaku.components import Component, Table
from gyaku.schedules import Constant, schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
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
    elementwise: ClassVar[bool] = False
    """Whether `update` changes each parameter by its own gradient and state alone."""
    state_names: tuple[str, ...] = ()
    """The buffers that `state` holds, zero before the first step."""
    # Used by Adam's family; here so that all optimizers have the same step state.
    beta1: float = 1.0
    beta2: float = 1.0
    warmup: float = 0.0
    converged: str = ""
    same_batch: bool = False
    params: NDArray[Any] = np.zeros(0)
    grads: NDArray[Any] = np.zeros(0)
    clock: NDArray[np.float64]
    state: dict[str, NDArray[Any]]
    _size: int = 0  # of the parameters that the state is for
    _begun: int = 0  # the step at which the schedule began
    _rates: NDArray[np.float64] = np.zeros(0)  # of the next steps, after `begin`
    _copied: bool = False  # the state belongs to a model with the parameters `params`

    def __init__(
        self, learning_rate: float | Schedule | Callable[..., Any], *, weight_decay: float = 0.0
    ) -> None:
        owner = type(self).__name__
        self._learning_rate = _checked_rate(owner, learning_rate)
        self.weight_decay = number(owner, "weight_decay", weight_decay, least=0)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the gradients and what `begin` derives."""
        derived = {"grads", "_rates", "_schedule", "_last"}
        return {name: value for name, value in vars(self).items() if name not in derived}

    def follow(self, model: Parametric) -> None:
        """Keep the state for a copy of the model that this optimizer, or its original, trained.

        Parameters
        ----------
        model : Sequential or anything with flat_params and flat_grads
            The copy. Nothing is kept if the state does not fit its trained parameters.
        """
        model = _trained(model)
        if self._size == model.flat_params.size:
            self.params, self.grads = model.flat_params, model.flat_grads
            self.clock = memory.copy(self.clock)
            self.state = {name: memory.copy(each) for name, each in self.state.items()}
            self._copied = False

    def follows(self, model: Parametric) -> bool:
        """Return whether the state is that of a model's training.

        Parameters
        ----------
        model : Sequential or anything with flat_params and flat_grads
            The model.

        Returns
        -------
        bool
            Whether it is.
        """
        return bool(self.params.size) and self.params is _trained(model).flat_params

    @property
    def schedule_state(self) -> tuple[object, ...]:
        """Learning rate, schedule and the step at which it began; may be set back."""
        return self._learning_rate, self._schedule, self._begun

    @schedule_state.setter
    def schedule_state(self, given: tuple[Any, ...]) -> None:
        if given != self.schedule_state:
            self._learning_rate, self._schedule, self._begun = given
            self._fill()

    @property
    def schedule_begun(self) -> int:
        """Step at which the schedule began."""
        return self._begun

    def resume(
        self,
        model: Parametric,
        state: Mapping[str, NDArray[Any]],
        clock: Sequence[float],
        schedule_begun: int,
    ) -> None:
        """Go on from the state of an earlier training.

        Parameters
        ----------
        model : Sequential or anything with flat_params and flat_grads
            The model that was trained.
        state : mapping of str to ndarray
            The buffers of `state`.
        clock : sequence of float
            The step state.
        schedule_begun : int
            Step at which the schedule began.

        Raises
        ------
        ValueError
            If a buffer is missing, or has another shape or kind of numbers.
        """
        owner = type(self).__name__
        self._attach(_trained(model))
        if state.keys() != self.state.keys():
            raise ValueError(f"{owner} has the buffers {', '.join(self.state)}, not {[*state]}")
        for name, buffer in self.state.items():
            if state[name].shape != buffer.shape:
                raise ValueError(
                    f"{owner}: {name} has shape {state[name].shape}, not {buffer.shape}"
                )
            if state[name].dtype.kind != buffer.dtype.kind:  # the bits of bfloat16, or numbers
                raise ValueError(f"{owner}: {name} is of {state[name].dtype}, not {buffer.dtype}")
            buffer[...] = state[name]
        if np.shape(clock) != self.clock.shape or not np.isfinite(clock).all():
            raise ValueError(f"{owner}: a step state is four numbers, not {clock!r}")
        self.clock[...] = clock
        self._begun = whole(owner, "schedule_begun", schedule_begun, least=0)

    @property
    def learning_rate(self) -> float | Schedule | Callable[..., Any]:
        """The learning rate or its schedule; a new one begins at the next step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, given: float | Schedule | Callable[..., Any]) -> None:
        self._learning_rate = _checked_rate(type(self).__name__, given)
        if self._rates.size:
            self._span(restart=True)
            self._fill()
        elif self.params.size:  # loaded or copied, and not yet trained further
            self._begun = int(self.clock[0])

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _copied=True)

    def begin(
        self, model: Parametric, total_steps: int | None = None, *, steps_done: int = 0
    ) -> None:
        """Prepare for a model and a training of known length.

        Parameters
        ----------
        model : Sequential or anything with flat_params and flat_grads
            The model to train. The state is kept if it trained this model before, with the same
            layers frozen, and its schedule goes on; that of a copied or unpickled optimizer is kept
            for the same parameters.
        total_steps : int, optional
            Number of steps; schedules that depend on it begin anew.
        steps_done : int
            Number of those that were done before `resume`, in which case schedules go on.
        """
        model = _trained(model)
        if self._copied and np.array_equal(self.params, model.flat_params):
            self.follow(model)
        is_new = self.params is not model.flat_params
        if is_new:
            self._attach(model)
        self.converged, self.same_batch = "", False
        first = int(self.clock[0]) - steps_done
        self._last = None if total_steps is None else first + total_steps
        self._span(restart=is_new, goes_on=steps_done > 0)
        constant = isinstance(self._schedule, Constant)
        self._rates = memory.zeros((2 if constant else 1 + RATES,), np.float64)
        self._fill()

    def _attach(self, model: Parametric) -> None:
        """Take the model's buffers, with a state of zeros."""
        self.params, self.grads = model.flat_params, model.flat_grads
        self._copied = False
        self._size = self.params.size
        self.clock = memory.zeros((4,), np.float64)
        self.clock[2:] = 1
        self.state = self._initial_state()

    def _initial_state(self) -> dict[str, NDArray[Any]]:
        shape, dtype = self.params.shape, self.params.dtype
        return {name: memory.zeros(shape, dtype) for name in self.state_names}

    def _span(self, restart: bool, goes_on: bool = False) -> None:
        """Fit the schedule to the length of the training, and begin it if it depends on that."""
        first = self._begun if goes_on else int(self.clock[0])
        given = schedule(self.learning_rate)
        self._schedule = given if self._last is None else given.spanning(self._last - first)
        if restart or self._schedule is not given:
            self._begun = first

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

    def step(self, model: Parametric, parts: Iterable[slice] | None = None) -> None:
        """Change the parameters by the gradients of the last backward pass.

        Parameters
        ----------
        model : Sequential or anything with flat_params and flat_grads
            The model; its frozen layers stay unchanged.
        parts : iterable of slice, optional
            Ranges of the parameters if it `takes_parts`, each of which is changed before the next
            one is asked for; by default all at once.
        """
        trained = _trained(model)
        params, grads = trained.flat_params, trained.flat_grads
        if not params.size:
            raise ValueError("step: the model has no parameters yet, call forward or build first")
        if self.params is not params:
            self.begin(model)
        self.prepare(1)
        betas = {"beta1": self.beta1, "beta2": self.beta2, "warmup": self.warmup}
        ops.optimizer_tick(self.clock, self._rates, **betas)
        if parts is not None:
            for part in parts:
                self._update_part(params, grads, part)
        elif self.native:
            self.update(params, grads)
        else:
            changed = [params, *self.state.values()]
            memory.host(lambda: self.update(params, grads), [grads, self.clock], changed)

    def _update_part(self, params: NDArray[Any], grads: NDArray[Any], part: slice) -> None:
        state = self.state
        self.state = {name: array[part] for name, array in state.items()}
        try:
            self.update(params[part], grads[part])
        finally:
            self.state = state

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
    def takes_parts(self) -> bool:
        """Whether a step may change ranges of the parameters one by one."""
        return self.native and self.elementwise and not self.acts_between

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
