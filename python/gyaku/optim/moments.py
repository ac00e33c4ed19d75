"""Adam and its relatives: running means of the gradient and of its square or magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number, truth
from gyaku.optim.base import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from numpy.typing import NDArray

    from gyaku.schedules import Schedule

__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]


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
    amsgrad : bool
        Whether to divide by the largest ``v`` so far.
    state_dtype : {None, "bfloat16"}
        The dtype of ``m`` and ``v``: that of the parameters, or bfloat16, half the memory, with
        stochastic rounding; for parameters in float32, without `amsgrad`.

    Notes
    -----
    ``m ← β₁ m + (1-β₁) g``, ``v ← β₂ v + (1-β₂) g²``, and with the means freed of their start at
    zero, ``m̂ = m / (1-β₁ᵗ)`` and ``v̂ = v / (1-β₂ᵗ)``, ``w ← w - η m̂ / (√v̂ + ε)``: D. Kingma and
    J. Ba, Adam (2014), algorithm 1. AMSGrad: S. Reddi, S. Kale and S. Kumar, On the convergence of
    Adam and beyond (2018).

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

    native = elementwise = True
    state_names: tuple[str, ...] = ("m", "v")
    amsgrad = False
    decoupled = False  # weight decay

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.001,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        state_dtype: Literal["bfloat16"] | None = None,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        owner = type(self).__name__
        self.beta1 = number(owner, "beta1", beta1, least=0, below=1)
        self.beta2 = number(owner, "beta2", beta2, least=0, below=1)
        self.epsilon = number(owner, "epsilon", epsilon, above=0)
        self.amsgrad = truth(owner, "amsgrad", amsgrad)
        if self.amsgrad:
            self.state_names = ("m", "v", "v_max")
        if state_dtype not in (None, "bfloat16"):
            raise ValueError(
                f'{owner}: state_dtype must be None or "bfloat16", got {state_dtype!r}'
            )
        if state_dtype and self.amsgrad:
            raise ValueError(f'{owner}: state_dtype="bfloat16" is for Adam without amsgrad')
        self.state_dtype = state_dtype

    def _initial_state(self) -> dict[str, NDArray[Any]]:
        if self.state_dtype is None:
            return super()._initial_state()
        owner, dtype = type(self).__name__, self.params.dtype
        if dtype != np.float32:
            raise ValueError(
                f'{owner}: state_dtype="bfloat16" is for parameters in float32, these are of'
                f" {dtype}"
            )
        # The bits, which are the upper halves of float32.
        return {name: memory.zeros(self.params.shape, np.uint16) for name in self.state_names}

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        given = params, grads, *self.state.values(), self.clock
        if self.amsgrad:
            ops.amsgrad(*given, decoupled=self.decoupled, **self._options())
        else:
            self._moments(*given, **self._options())

    _moments: Callable[..., None] = staticmethod(ops.adam)

    def _options(self) -> dict[str, Any]:
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
            "weight_decay": self.weight_decay,
        }


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
    amsgrad : bool
        Whether to divide by the largest ``v`` so far, see `Adam`.
    state_dtype : {None, "bfloat16"}
        The dtype of ``m`` and ``v``, see `Adam`.

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
        amsgrad: bool = False,
        state_dtype: Literal["bfloat16"] | None = None,
    ) -> None:
        super().__init__(
            learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            state_dtype=state_dtype,
        )

    decoupled = True
    _moments = staticmethod(ops.adamw)


class NAdam(Adam):
    """Adam with Nesterov momentum: the mean contains the gradient of the present step once more.

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
    momentum_decay : float
        Rate ψ at which β₁ rises from half of it.
    decoupled : bool
        Whether the decay scales the parameters instead, as in `AdamW`.

    Notes
    -----
    With ``m`` and ``v`` of `Adam` and ``μₜ = β₁ (1 - ½ 0.96^(ψt))``, ``m̂ = μₜ₊₁ m / (1 - μ₁ …
    μₜ₊₁) + (1-μₜ) g / (1 - μ₁ … μₜ)`` and ``w ← w - η m̂ / (√v̂ + ε)``: T. Dozat, Incorporating
    Nesterov momentum into Adam (2016). The defaults are PyTorch's; Keras has ψ = 1.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> optimizer = NAdam(0.5)
    >>> optimizer.step(model)
    >>> optimizer.step(model)
    >>> model.flat_params.round(4)
    array([0.0799, 2.9201])
    """

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.002,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 0.004,
        decoupled: bool = False,
    ) -> None:
        super().__init__(
            learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay
        )
        self.momentum_decay = number("NAdam", "momentum_decay", momentum_decay, least=0)
        self.warmup = 0.96**self.momentum_decay
        self.decoupled = truth("NAdam", "decoupled", decoupled)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        ops.nadam(
            *(params, grads, *self.state.values(), self.clock),
            warmup=self.warmup,
            decoupled=self.decoupled,
            **self._options(),
        )


class RAdam(Adam):
    """Rectified Adam: steps without the root as long as this has too large a variance.

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
    decoupled : bool
        Whether the decay scales the parameters instead, as in `AdamW`.

    Notes
    -----
    With ``m`` and ``v`` of `Adam`, ``ρ∞ = 2 / (1-β₂) - 1`` and ``ρ = ρ∞ - 2t β₂ᵗ / (1-β₂ᵗ)``:
    ``w ← w - η m̂`` while ``ρ ≤ 5``, the first five steps by default, and
    ``w ← w - η r m̂ √(1-β₂ᵗ) / (√v + ε)`` with
    ``r² = (ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ)`` behind them: L. Liu and others, On the variance of the
    adaptive learning rate and beyond (2020). The defaults are PyTorch's.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> optimizer = RAdam(0.5)
    >>> optimizer.step(model)
    >>> model.flat_params
    array([0.5, 2.5])
    """

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.001,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        super().__init__(
            learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay
        )
        self.decoupled = truth("RAdam", "decoupled", decoupled)

    def update(self, params: NDArray[Any], grads: NDArray[Any]) -> None:
        """Take one step; see `Optimizer.update`."""
        given = params, grads, *self.state.values(), self.clock
        ops.radam(*given, decoupled=self.decoupled, **self._options())


class Adamax(Adam):
    """Adamax: running mean of the gradient over its largest magnitude, which decays.

    Parameters
    ----------
    learning_rate : float or Schedule or callable
        The learning rate η, or a schedule of it.
    beta1, beta2 : float
        Decay rates of the mean and of the largest magnitude.
    epsilon : float
        Small constant added to the magnitude.
    weight_decay : float
        The decay λ, which adds λ times the parameters to their gradients.

    Notes
    -----
    ``m ← β₁ m + (1-β₁) g``, ``u ← max(β₂ u, |g| + ε)``, ``w ← w - η m̂ / u``: D. Kingma and J. Ba,
    Adam (2014), algorithm 2. The defaults are PyTorch's.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(flat_params=np.array([1.0, 2.0]), flat_grads=np.array([1.0, -1.0]))
    >>> Adamax(0.5).step(model)
    >>> model.flat_params.round(4)
    array([0.5, 2.5])
    """

    state_names = ("m", "u")

    def __init__(
        self,
        learning_rate: float | Schedule | Callable[..., Any] = 0.002,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay
        )

    _moments = staticmethod(ops.adamax)
