"""Optimizers: updates of parameters by their gradients.

An optimizer works on the two flat buffers of a model, one of all parameters and one of all
gradients, and keeps its own state in buffers of the same length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import memory, ops
from gyaku.checks import no_class, number
from gyaku.components import Component, Table
from gyaku.names import choose, missing_from
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


__all__ = ["SGD", "AdaDelta", "AdaGrad", "Adam", "AdamW", "Momentum", "Nesterov", "Optimizer"]
__all__ += ["RMSProp"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)

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
    params: NDArray[Any] = np.zeros(0)
    grads: NDArray[Any] = np.zeros(0)
    clock: NDArray[np.float64]
    state: dict[str, NDArray[Any]]

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

    def begin(self, model: Parametric, total_steps: int | None = None) -> None:
        """Prepare for a model and a training of known length.

        Parameters
        ----------
        model : Sequential or anything with flat_params and flat_grads
            The model to train. The state is kept if it trained this model before, with the same
            layers frozen.
        total_steps : int, optional
            Number of steps, for schedules that depend on it.
        """
        model = _trained(model)
        if self.params is not model.flat_params:
            self.params, self.grads = model.flat_params, model.flat_grads
            self.clock = memory.zeros((4,), np.float64)
            self.clock[2:] = 1
            self.state = {
                name: memory.zeros(self.params.shape, self.params.dtype)
                for name in self.state_names
            }
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


class SGD(Optimizer):
    """Stochastic gradient descent.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Notes
    -----
    ``w ← w - η (∇E + λ w)``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> SGD(0.5).step(model)
    >>> model.flat_params
    array([0.5, 2.5])
    """

    native = True

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        ops.sgd(params, grads, self.clock, weight_decay=self.weight_decay)


class Momentum(Optimizer):
    """Stochastic gradient descent with momentum.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    momentum : float
        Fraction α of the velocity that a step keeps.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Notes
    -----
    ``v ← α v - η (∇E + λ w)``, ``w ← w + v``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> optimizer = Momentum(0.5)
    >>> optimizer.step(model)
    >>> optimizer.step(model)
    >>> model.flat_params
    array([-0.45,  3.45])
    """

    native = True
    state_names = ("velocity",)
    nesterov: ClassVar[bool] = False

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        momentum: float = 0.9,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.momentum = number(type(self).__name__, "momentum", momentum, least=0, below=1)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        ops.momentum(
            params,
            grads,
            self.state["velocity"],
            self.clock,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )


class Nesterov(Momentum):
    """Nesterov momentum: the gradient is that of the point ahead.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    momentum : float
        Fraction α of the velocity that a step keeps.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Notes
    -----
    ``v ← α v - η (∇E + λ w)``, ``w ← w + α v - η (∇E + λ w)``: Y. Bengio and others, Advances in
    optimizing recurrent networks (2013), equation 7.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> optimizer = Nesterov(0.5)
    >>> optimizer.step(model)
    >>> optimizer.step(model)
    >>> model.flat_params
    array([-1.305,  4.305])
    """

    nesterov = True


class Adam(Optimizer):
    """Adam: running mean of the gradient over the root of that of its square.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    beta1, beta2 : float
        Decay rates of the two running means.
    epsilon : float
        Small constant in the denominator.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Notes
    -----
    ``m ← β₁ m + (1-β₁) g``, ``v ← β₂ v + (1-β₂) g²``, and with the means freed of their start at
    zero, ``m̂ = m / (1-β₁ᵗ)`` and ``v̂ = v / (1-β₂ᵗ)``, ``w ← w - η m̂ / (√v̂ + ε)``: D. Kingma and
    J. Ba, Adam (2014), algorithm 1.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> optimizer = Adam(0.5)
    >>> optimizer.step(model)
    >>> optimizer.step(model)
    >>> model.flat_params
    array([0., 3.])
    """

    native = True
    state_names = ("m", "v")

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.001,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        owner = type(self).__name__
        self.beta1 = number(owner, "beta1", beta1, least=0, below=1)
        self.beta2 = number(owner, "beta2", beta2, least=0, below=1)
        self.epsilon = number(owner, "epsilon", epsilon, above=0)

    _moments = staticmethod(ops.adam)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        self._moments(
            params,
            grads,
            self.state["m"],
            self.state["v"],
            self.clock,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay: the decay is no part of the gradient.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    beta1, beta2 : float
        Decay rates of the two running means.
    epsilon : float
        Small constant in the denominator.
    weight_decay : float
        The decay λ: each step first scales the parameters by ``1 - η λ``.

    Notes
    -----
    ``w ← (1 - η λ) w - η m̂ / (√v̂ + ε)`` with the moments of `Adam`: I. Loshchilov and F. Hutter,
    Decoupled weight decay regularization (2019), algorithm 2. The defaults are PyTorch's.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> AdamW(0.5, weight_decay=0.2).step(model)
    >>> model.flat_params.round(6)
    array([0.4, 2.3])
    """

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.001,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(
            learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay
        )

    _moments = staticmethod(ops.adamw)


class AdaGrad(Optimizer):
    """AdaGrad: each parameter's learning rate falls with the sum of its squared gradients.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    epsilon : float
        Small constant in the denominator.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Notes
    -----
    ``h ← h + g²`` from ``h = 0``, ``w ← w - η g / (√h + ε)``: J. Duchi, E. Hazan and Y. Singer,
    Adaptive subgradient methods for online learning and stochastic optimization (2011). The
    defaults are PyTorch's.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([3.0, -3.0]))
    >>> optimizer = AdaGrad(0.5)
    >>> optimizer.step(model)
    >>> model.flat_grads[:] = 4.0
    >>> optimizer.step(model)
    >>> model.flat_params
    array([0.1, 2.1])
    """

    native = True
    state_names = ("h",)

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        *,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.epsilon = number("AdaGrad", "epsilon", epsilon, above=0)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        ops.adagrad(
            params,
            grads,
            self.state["h"],
            self.clock,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
        )


class RMSProp(Optimizer):
    """RMSProp: the gradient over the root of the running mean of its square.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    rho : float
        Decay rate ρ of the mean.
    epsilon : float
        Small constant in the denominator.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Notes
    -----
    ``h ← ρ h + (1-ρ) g²`` from ``h = 0``, ``w ← w - η g / (√h + ε)``: T. Tieleman and G. Hinton,
    Lecture 6.5: rmsprop (2012). The defaults are PyTorch's, where ρ is called alpha; Keras has
    ρ = 0.9 and η = 0.001.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([3.0, -3.0]))
    >>> RMSProp(0.5, rho=0.75).step(model)
    >>> model.flat_params.round(6)
    array([0., 3.])
    """

    native = True
    state_names = ("h",)

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        *,
        rho: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.rho = number("RMSProp", "rho", rho, least=0, below=1)
        self.epsilon = number("RMSProp", "epsilon", epsilon, above=0)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        ops.rmsprop(
            params,
            grads,
            self.state["h"],
            self.clock,
            rho=self.rho,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
        )


class AdaDelta(Optimizer):
    """AdaDelta: steps as large as the steps before, whatever the scale of the gradient.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        Factor η of the steps, or a schedule of it.
    rho : float
        Decay rate ρ of the two running means.
    epsilon : float
        Small constant under both roots; the first steps are about its root.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Notes
    -----
    ``h ← ρ h + (1-ρ) g²``, ``d = √(e + ε) / √(h + ε) g``, ``e ← ρ e + (1-ρ) d²``, ``w ← w - η d``:
    M. Zeiler, ADADELTA (2012), where η = 1. The defaults are PyTorch's; Keras has ρ = 0.95,
    ε = 1e-7 and η = 0.001, which hardly moves.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([3.0, -3.0]))
    >>> AdaDelta(rho=0.75, epsilon=1.0).step(model)
    >>> model.flat_params.round(4)
    array([-0.6641,  3.6641])
    """

    native = True
    state_names = ("h", "e")

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 1.0,
        *,
        rho: float = 0.9,
        epsilon: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.rho = number("AdaDelta", "rho", rho, least=0, below=1)
        self.epsilon = number("AdaDelta", "epsilon", epsilon, above=0)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        ops.adadelta(
            params,
            grads,
            self.state["h"],
            self.state["e"],
            self.clock,
            rho=self.rho,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
        )


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
