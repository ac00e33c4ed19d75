"""First-order optimizers: each is one kernel over flat parameters and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from gyaku import ops
from gyaku.checks import number, truth
from gyaku.optim.base import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.schedules import Schedule

__all__ = ["SGD", "AdaDelta", "AdaGrad", "Momentum", "Nesterov", "RMSProp", "Rprop"]


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
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> SGD(0.5).step(model)
    >>> model.flat_params
    array([0.5, 2.5])
    """

    native = elementwise = True

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
    rate_in_velocity : bool
        Whether the velocity contains the learning rate, as in Keras; otherwise that of the present
        step multiplies the whole velocity, as in PyTorch. The two differ once the rate changes.
    dampening : float
        Fraction τ of the gradient that the velocity does not get, only without the learning rate.

    Notes
    -----
    ``v ← α v - η (∇E + λ w)``, ``w ← w + v``. Without the learning rate in the velocity,
    ``v ← α v + (1-τ) (∇E + λ w)``, from ``v = ∇E + λ w`` in the first step, and ``w ← w - η v``.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> optimizer = Momentum(0.5)
    >>> optimizer.step(model)
    >>> optimizer.step(model)
    >>> model.flat_params
    array([-0.45,  3.45])
    """

    native = elementwise = True
    state_names = ("velocity",)
    nesterov: ClassVar[bool] = False

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        momentum: float = 0.9,
        *,
        weight_decay: float = 0.0,
        rate_in_velocity: bool = True,
        dampening: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        owner = type(self).__name__
        self.momentum = number(owner, "momentum", momentum, least=0, below=1)
        self.rate_in_velocity = truth(owner, "rate_in_velocity", rate_in_velocity)
        self.dampening = number(owner, "dampening", dampening, least=0, below=1)
        if self.dampening and self.rate_in_velocity:
            raise ValueError(f"{owner}: dampening needs rate_in_velocity=False, got {dampening!r}")

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        ops.momentum(
            params,
            grads,
            self.state["velocity"],
            self.clock,
            momentum=self.momentum,
            nesterov=self.nesterov,
            rate_in_velocity=self.rate_in_velocity,
            dampening=self.dampening,
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
    rate_in_velocity : bool
        Whether the velocity contains the learning rate, see `Momentum`.

    Notes
    -----
    ``v ← α v - η (∇E + λ w)``, ``w ← w + α v - η (∇E + λ w)``: Y. Bengio and others, Advances in
    optimizing recurrent networks (2013), equation 7. Without the learning rate in the velocity,
    ``v ← α v + ∇E + λ w``, ``w ← w - η (α v + ∇E + λ w)``.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> optimizer = Nesterov(0.5)
    >>> optimizer.step(model)
    >>> optimizer.step(model)
    >>> model.flat_params
    array([-1.305,  4.305])
    """

    nesterov = True

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        momentum: float = 0.9,
        *,
        weight_decay: float = 0.0,
        rate_in_velocity: bool = True,
    ) -> None:
        super().__init__(
            learning_rate,
            momentum,
            weight_decay=weight_decay,
            rate_in_velocity=rate_in_velocity,
        )


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
    initial : float
        Sum of squares before the first step.

    Notes
    -----
    ``h ← h + g²`` from ``h = initial``, ``w ← w - η g / (√h + ε)``: J. Duchi, E. Hazan and Y.
    Singer, Adaptive subgradient methods for online learning and stochastic optimization (2011). The
    defaults are PyTorch's; Keras has an initial sum of 0.1. PyTorch's ``lr_decay`` is the schedule
    `gyaku.schedules.InverseTime`.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([3.0, -3.0]))
    >>> optimizer = AdaGrad(0.5)
    >>> optimizer.step(model)
    >>> model.flat_grads[:] = 4.0
    >>> optimizer.step(model)
    >>> model.flat_params
    array([0.1, 2.1])
    """

    native = elementwise = True
    state_names = ("h",)

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        *,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
        initial: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.epsilon = number("AdaGrad", "epsilon", epsilon, above=0)
        self.initial = number("AdaGrad", "initial", initial, least=0)

    def _initial_state(self) -> dict[str, NDArray[Any]]:
        state = super()._initial_state()
        state["h"].fill(self.initial)
        return state

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
    momentum : float
        Fraction α of the velocity that a step keeps.
    centered : bool
        Whether to divide by the root of the gradient's variance in place of its mean square.

    Notes
    -----
    ``h ← ρ h + (1-ρ) g²`` from ``h = 0``, ``w ← w - η g / (√h + ε)``: T. Tieleman and G. Hinton,
    Lecture 6.5: rmsprop (2012). With momentum, ``v ← α v + g / (√h + ε)``, ``w ← w - η v``;
    centred, ``m ← ρ m + (1-ρ) g`` and ``h - m²`` in place of ``h``: A. Graves, Generating sequences
    with recurrent neural networks (2013). The defaults are PyTorch's, where ρ is called alpha;
    Keras has ρ = 0.9 and η = 0.001.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([3.0, -3.0]))
    >>> RMSProp(0.5, rho=0.75).step(model)
    >>> model.flat_params.round(6)
    array([0., 3.])
    """

    native = elementwise = True
    state_names: tuple[str, ...] = ("h",)

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        *,
        rho: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.rho = number("RMSProp", "rho", rho, least=0, below=1)
        self.epsilon = number("RMSProp", "epsilon", epsilon, above=0)
        self.momentum = number("RMSProp", "momentum", momentum, least=0, below=1)
        self.centered = truth("RMSProp", "centered", centered)
        if self.momentum or self.centered:
            self.state_names = ("h", "mean", "velocity")

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        options: dict[str, Any] = {
            "rho": self.rho,
            "epsilon": self.epsilon,
            "weight_decay": self.weight_decay,
        }
        update: Callable[..., None] = ops.rmsprop
        if self.momentum or self.centered:
            update = ops.rmsprop_momentum
            options |= {"momentum": self.momentum, "centered": self.centered}
        update(params, grads, *self.state.values(), self.clock, **options)


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
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([3.0, -3.0]))
    >>> AdaDelta(rho=0.75, epsilon=1.0).step(model)
    >>> model.flat_params.round(4)
    array([-0.6641,  3.6641])
    """

    native = elementwise = True
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


class Rprop(Optimizer):
    """Resilient back-propagation: a step size of its own for each parameter, by signs alone.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        Size of the first step.
    shrink : float
        Factor η₋ of the size where the gradient changes its sign.
    grow : float
        Factor η₊ of the size where it keeps it.
    least, most : float
        Limits of the size.

    Notes
    -----
    ``w ← w - s sign(∇E)``, with ``s ← η₊ s`` where the gradient has the sign of the one before, and
    ``s ← η₋ s`` where it has another; the parameter stays there, and its next step is as large:
    M. Riedmiller and H. Braun, A direct adaptive method for faster backpropagation learning (1993).
    It is meant for the whole data as one batch (``batch_size=None``), since the signs of small
    batches are noise.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([3.0, -3.0]))
    >>> optimizer = Rprop(0.5)
    >>> optimizer.step(model)
    >>> optimizer.step(model)
    >>> model.flat_params
    array([-0.1,  3.1])
    """

    native = elementwise = True
    state_names = ("previous", "size")

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.01,
        *,
        shrink: float = 0.5,
        grow: float = 1.2,
        least: float = 1e-6,
        most: float = 50.0,
    ) -> None:
        super().__init__(learning_rate)
        self.shrink = number("Rprop", "shrink", shrink, above=0, below=1)
        self.grow = number("Rprop", "grow", grow, above=1)
        self.least = number("Rprop", "least", least, above=0)
        self.most = number("Rprop", "most", most, least=self.least)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        ops.rprop(
            *(params, grads, self.state["previous"], self.state["size"], self.clock),
            shrink=self.shrink,
            grow=self.grow,
            least=self.least,
            most=self.most,
        )
