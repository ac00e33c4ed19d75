"""Activation functions as layers: elementwise, except for softmax and log-softmax."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, ClassVar

from gyaku import ops
from gyaku.checks import no_class, number, whole
from gyaku.components import Table
from gyaku.layers.base import Layer
from gyaku.names import choose
from gyaku.ops.activation import ACTIVATIONS as ROWS

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["CELU", "ELU", "GELU", "SELU", "Activation", "GELUTanh", "HardSigmoid", "HardSwish"]
__all__ += ["Identity", "LeakyReLU", "LogSoftmax", "Mish", "ReLU", "SiLU", "Sigmoid", "Softmax"]
__all__ += ["Softplus", "Softsign", "Step", "Tanh"]

ACTIVATIONS: Table[Activation] = Table(lambda cls: cls.op)


class Activation(Layer, table=ACTIVATIONS):
    """Base of the activation functions: the operation of the same name, kept for its gradient.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Examples
    --------
    >>> from gyaku.layers import ReLU
    >>> isinstance(ReLU(), Activation)
    True
    """

    native = True
    any_steps = True
    op: ClassVar[str] = ""
    """The operation's name in `gyaku.ops`."""
    elementwise: ClassVar[bool] = True
    """Whether each output depends on one input, so that a matrix product can apply it."""
    has_slope: ClassVar[bool] = True
    """Whether the derivative is nonzero anywhere, so that layers in front of it can learn."""
    saved: NDArray[Any]
    """Tensor of the last forward pass for the gradient: outputs or inputs, see `saves_input`."""

    @property
    def options(self) -> dict[str, float]:
        """Keywords of the operation."""
        return {}

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return `input_shape`; see `Layer.build`."""
        return input_shape

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Apply the function; see `Layer.forward`."""
        y: NDArray[Any] = getattr(ops, self.op)(x, **self.options)
        # Without the check of attributes, whose time matters in small layers.
        vars(self)["saved"] = x if self.saves_input else y
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Multiply by the derivative; see `Layer.backward`."""
        return self.derived(dy, self.saved)

    def derived(self, dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
        """Return a gradient times the derivative.

        Parameters
        ----------
        dy : ndarray
            Gradient with respect to the outputs.
        saved : ndarray
            The outputs, or the inputs if `saves_input`.

        Returns
        -------
        ndarray
            Gradient with respect to the inputs.
        """
        dx: NDArray[Any] = getattr(ops, self.op + "_backward")(dy, saved, **self.options)
        return dx

    @property
    def saves_input(self) -> bool:
        """Whether the gradient is computed from the inputs instead of the outputs."""
        return ops.TABLE[self.op].saves == "input"

    @property
    def is_fused(self) -> bool:
        """Whether a matrix product applies it, and its gradient follows from the outputs."""
        return self.elementwise and not self.saves_input

    @property
    def element_flops(self) -> int:
        """Floating-point operations of one element; an elementary function counts as one."""
        return ops.TABLE[self.op].flops([(1,)], [(1,)])

    @property
    def flops(self) -> int:
        """Floating-point operations of all elements."""
        return math.prod(self.output_shape) * self.element_flops

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Complete the docstring of a class whose operation is a row of `gyaku.ops.activation`."""
        super().__init_subclass__(**keywords)
        row = ROWS.get(cls.__dict__.get("op", ""))
        if row is not None and cls.__module__ == __name__:
            cls.__doc__ = row.documentation_of_layer(cls.__name__, cls.__doc__ or "")


class Parametric(Activation):
    """Base of the activation functions that have a parameter.

    Parameters
    ----------
    alpha : float or None, optional
        The parameter; None is the default of the operation.
    name : str, optional
        The layer's name.
    """

    def __init__(self, alpha: float | None = None, *, name: str | None = "") -> None:
        super().__init__(name=name)
        row = ROWS[self.op]
        given = row.alpha if alpha is None else alpha
        above = 0.0 if row.positive else -math.inf
        least = -math.inf if row.negative else 0
        self.alpha = number(str(self), "alpha", given, least=least, above=above)

    @property
    def options(self) -> dict[str, float]:
        """Keywords of the operation."""
        return {"alpha": self.alpha}


class Shaped(Activation, abstract=True):
    """Base of the activation functions with parameters that only their equations have.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Notes
    -----
    With any of them given, the function is computed in NumPy.
    """

    @property
    def options(self) -> dict[str, float]:
        """Keywords of the operation: the parameters that are given."""
        given = {name: getattr(self, name) for name in ROWS[self.op].parameters}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def is_fused(self) -> bool:
        """Whether a matrix product applies it; see `Activation.is_fused`."""
        return super().is_fused and not self.options

    def _checked(self, name: str, value: float | None) -> float | None:
        limits = ROWS[self.op].parameters[name].limits
        return None if value is None else number(str(self), name, value, **limits)


class Identity(Activation):
    """Identity: no activation."""

    op = "identity"


class Step(Activation):
    """Threshold of the perceptron, whose gradient is zero everywhere."""

    op = "step"
    has_slope = False


class Sigmoid(Activation):
    """Logistic function."""

    op = "sigmoid"


class Tanh(Activation):
    """Hyperbolic tangent."""

    op = "tanh"


class ReLU(Activation):
    """Rectified linear unit."""

    op = "relu"


class LeakyReLU(Parametric):
    """Leaky rectified linear unit."""

    op = "leaky_relu"

    @property
    def saves_input(self) -> bool:
        """Whether the gradient is computed from the inputs: below zero, outputs change sign."""
        return self.alpha < 0


class ELU(Parametric):
    """Exponential linear unit."""

    op = "elu"


class SELU(Shaped):
    """Scaled exponential linear unit."""

    op = "selu"

    def __init__(
        self,
        alpha: float | None = None,
        gamma: float | None = None,
        *,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.alpha = self._checked("alpha", alpha)
        self.gamma = self._checked("gamma", gamma)


class GELU(Activation):
    """Gaussian error linear unit, by the error function itself."""

    op = "gelu"


class GELUTanh(Activation):
    """Gaussian error linear unit, approximated by a hyperbolic tangent."""

    op = "gelu_tanh"


class SiLU(Activation):
    """Sigmoid-weighted linear unit, also called swish."""

    op = "silu"


class Softplus(Shaped):
    """Smooth rectifier."""

    op = "softplus"

    def __init__(
        self,
        beta: float | None = None,
        threshold: float | None = None,
        *,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.beta = self._checked("beta", beta)
        self.threshold = self._checked("threshold", threshold)


class HardSigmoid(Shaped):
    """Sigmoid made of lines."""

    op = "hard_sigmoid"

    def __init__(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        *,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.alpha = self._checked("alpha", alpha)
        self.beta = self._checked("beta", beta)


class Mish(Activation):
    """Self-regularized rectifier without a corner."""

    op = "mish"


class HardSwish(Activation):
    """Swish made of a line and a parabola."""

    op = "hard_swish"


class Softsign(Activation):
    """Quotient that saturates slowly."""

    op = "softsign"


class CELU(Parametric):
    """Exponential linear unit whose derivative is continuous."""

    op = "celu"


class _OverClasses(Activation, abstract=True):
    """Base of the functions of all scores along an axis."""

    elementwise = False

    def __init__(self, axis: int = -1, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.axis = whole(str(self), "axis", axis, least=-(2**31))
        if axis == 0:
            raise ValueError(f"{self}: axis 0 is that of the samples, 1 the first of a sample")

    @property
    def options(self) -> dict[str, Any]:
        """Keywords of the operation."""
        return {} if self.axis == -1 else {"axis": self.axis}

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return `input_shape`; see `Layer.build`."""
        axes = len(input_shape)
        if not -axes <= self.axis <= axes:
            raise ValueError(f"{self}: samples of shape {input_shape} have no axis {self.axis}")
        self.any_steps = self.axis not in (1, -axes)
        return input_shape


class Softmax(_OverClasses):
    """``y_i = exp(x_i) / Σ_j exp(x_j)`` over one axis, by default the last.

    Parameters
    ----------
    axis : int
        Axis of the batch: -1 is the last one, 1 the first of a sample; 0, that of the samples, is
        not allowed.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If the axis is that of the samples.
    TypeError
        If it is no integer.

    Examples
    --------
    >>> Softmax().forward([[1.0, 1.0]])
    array([[0.5, 0.5]])
    """

    op = "softmax"


class LogSoftmax(_OverClasses):
    """``y_i = x_i - log Σ_j exp(x_j)`` over one axis, by default the last.

    Parameters
    ----------
    axis : int
        Axis of the batch: -1 is the last one, 1 the first of a sample; 0, that of the samples, is
        not allowed.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If the axis is that of the samples.
    TypeError
        If it is no integer.

    Examples
    --------
    >>> LogSoftmax().forward([[1.0, 1.0]]).round(4)
    array([[-0.6931, -0.6931]])
    """

    op = "log_softmax"


def activation(given: str | Activation) -> Activation:
    """Return an activation from a name or an instance.

    Parameters
    ----------
    given : str or Activation
        A name of `ACTIVATIONS`, or a layer of this file.

    Returns
    -------
    Activation
        The activation; of an instance a copy, since it keeps the values of its last pass.

    Raises
    ------
    ValueError
        If there is no such name.
    TypeError
        If it is neither a name nor an activation.
    """
    if isinstance(given, str):
        return choose("activation", given, ACTIVATIONS)()
    no_class("an activation", given)
    if not isinstance(given, Activation):
        raise TypeError(f"an activation must be a name or an activation layer, got {given!r}")
    return copy.copy(given)
