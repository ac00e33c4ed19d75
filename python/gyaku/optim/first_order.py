"""First-order optimizers: each is one kernel over flat parameters and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from gyaku import ops
from gyaku.checks import number
from gyaku.optim.base import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.schedules import Schedule

__all__ = ["SGD", "AdaDelta", "AdaGrad", "Adam", "AdamW", "Momentum", "Nesterov", "RMSProp"]


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
    >>> import numpy as np
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
    >>> import numpy as np
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
    >>> import numpy as np
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
    >>> import numpy as np
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
    >>> import numpy as np
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
