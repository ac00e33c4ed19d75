"""Activation functions as layers: one number in, one number out, except for the two softmaxes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from gyaku import ops
from gyaku.arguments import choose, no_class, number
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["ACTIVATIONS", "ELU", "GELU", "SELU", "Activation", "HardSigmoid", "Identity"]
__all__ += ["LeakyReLU", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Step"]
__all__ += ["Tanh", "activation"]


class Activation(Layer):
    """Base of the activation functions: the operation of the same name, kept for its gradient.

    Parameters
    ----------
    name : str
        The layer's name.
    """

    native = True
    op: ClassVar[str] = ""
    """The operation's name in `gyaku.ops`."""
    elementwise: ClassVar[bool] = True
    """Whether each output depends on one input, so that a matrix product can apply it."""
    saved: NDArray[Any]
    """What the last forward pass kept: outputs or inputs, as the operation asks."""

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
        self.saved = x if self.saves_input else y
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Multiply by the derivative; see `Layer.backward`."""
        return self.derived(dy, self.saved)

    def derived(self, dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
        """Return a gradient times the derivative.

        Parameters
        ----------
        dy : ndarray
            The gradient by the outputs.
        saved : ndarray
            The outputs, or the inputs if `saves_input`.

        Returns
        -------
        ndarray
            The gradient by the inputs.
        """
        dx: NDArray[Any] = getattr(ops, self.op + "_backward")(dy, saved, **self.options)
        return dx

    @property
    def saves_input(self) -> bool:
        """Whether the gradient is computed from the inputs instead of the outputs."""
        return ops.TABLE[self.op].saves == "input"

    @property
    def element_flops(self) -> int:
        """Floating-point operations of one element, an elementary function being one."""
        return ops.TABLE[self.op].flops([(1,)], [(1,)])

    @property
    def flops(self) -> int:
        """Those of each element."""
        return math.prod(self.output_shape) * self.element_flops


class Identity(Activation):
    """``y = x``: no activation.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> Identity().forward([-1.0, 2.0])
    array([-1.,  2.])
    """

    op = "identity"


class Step(Activation):
    """``y = 1 if x > 0 else 0``: the perceptron's threshold, whose gradient is zero everywhere.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> Step().forward([-1.0, 0.0, 2.0])
    array([0., 0., 1.])
    """

    op = "step"


class Sigmoid(Activation):
    """``y = 1 / (1 + exp(-x))``.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> Sigmoid().forward([0.0, 100.0])
    array([0.5, 1. ])
    """

    op = "sigmoid"


class Tanh(Activation):
    """``y = tanh(x)``.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> Tanh().forward([0.0, 100.0])
    array([0., 1.])
    """

    op = "tanh"


class ReLU(Activation):
    """``y = max(x, 0)``.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> ReLU().forward([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    """

    op = "relu"


class LeakyReLU(Activation):
    """``y = x if x > 0 else alpha * x``.

    Parameters
    ----------
    alpha : float
        The slope on the negative side.
    name : str
        The layer's name.

    Examples
    --------
    >>> LeakyReLU(0.1).forward([-1.0, 2.0])
    array([-0.1,  2. ])
    """

    op = "leaky_relu"

    def __init__(self, alpha: float = 0.01, *, name: str = "") -> None:
        super().__init__(name=name)
        self.alpha = number(str(self), "alpha", alpha, least=0)

    @property
    def options(self) -> dict[str, float]:
        """The slope."""
        return {"alpha": self.alpha}


class ELU(Activation):
    """``y = x if x > 0 else alpha * (exp(x) - 1)``.

    Parameters
    ----------
    alpha : float
        Minus the limit on the negative side.
    name : str
        The layer's name.

    Notes
    -----
    D. Clevert and others, Fast and accurate deep network learning by exponential linear units
    (2015).

    Examples
    --------
    >>> ELU().forward([-100.0, 2.0])
    array([-1.,  2.])
    """

    op = "elu"

    def __init__(self, alpha: float = 1.0, *, name: str = "") -> None:
        super().__init__(name=name)
        self.alpha = number(str(self), "alpha", alpha, least=0)

    @property
    def options(self) -> dict[str, float]:
        """Minus the limit."""
        return {"alpha": self.alpha}


class SELU(Activation):
    """``y = s * (x if x > 0 else a * (exp(x) - 1))``, s ≈ 1.0507, a ≈ 1.6733.

    Parameters
    ----------
    name : str
        The layer's name.

    Notes
    -----
    G. Klambauer and others, Self-normalizing neural networks (2017).

    Examples
    --------
    >>> SELU().forward([0.0, 1.0]).round(4)
    array([0.    , 1.0507])
    """

    op = "selu"


class GELU(Activation):
    """``y = x * Φ(x)``, with the normal distribution's Φ.

    Parameters
    ----------
    name : str
        The layer's name.

    Notes
    -----
    D. Hendrycks and K. Gimpel, Gaussian error linear units (2016); by the error function, not by
    its approximation.

    Examples
    --------
    >>> GELU().forward([0.0, 1.0]).round(4)
    array([0.    , 0.8413])
    """

    op = "gelu"


class SiLU(Activation):
    """``y = x / (1 + exp(-x))``, also called swish.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> SiLU().forward([0.0, 1.0]).round(4)
    array([0.    , 0.7311])
    """

    op = "silu"


class Softplus(Activation):
    """``y = log(1 + exp(x))``.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> Softplus().forward([-100.0, 0.0]).round(4)
    array([0.    , 0.6931])
    """

    op = "softplus"


class HardSigmoid(Activation):
    """``y = min(max(x / 6 + 1/2, 0), 1)``.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> HardSigmoid().forward([-4.0, 0.0, 4.0])
    array([0. , 0.5, 1. ])
    """

    op = "hard_sigmoid"


class Softmax(Activation):
    """``y_i = exp(x_i) / Σ_j exp(x_j)`` over the last axis.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> Softmax().forward([[1.0, 1.0]])
    array([[0.5, 0.5]])
    """

    op = "softmax"
    elementwise = False


class LogSoftmax(Activation):
    """``y_i = x_i - log Σ_j exp(x_j)`` over the last axis.

    Parameters
    ----------
    name : str
        The layer's name.

    Examples
    --------
    >>> LogSoftmax().forward([[1.0, 1.0]]).round(4)
    array([[-0.6931, -0.6931]])
    """

    op = "log_softmax"
    elementwise = False


ACTIVATIONS: dict[str, type[Activation]] = {
    cls.op: cls
    for cls in (
        *(Identity, Step, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Softplus),
        *(HardSigmoid, Softmax, LogSoftmax),
    )
}


def activation(given: str | Activation) -> Activation:
    """Return an activation from its name or itself.

    Parameters
    ----------
    given : str or Activation
        A name of `ACTIVATIONS`, or a layer of this file.

    Returns
    -------
    Activation
        The activation.

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
    return given
