"""Activation functions, element by element, with their gradients: NaN in, NaN out.

The gradient is computed from the output if that is sufficient, else from the input. Where the
slope is zero by definition (a dead `relu`, `step`, a saturated `hard_sigmoid`), it is zero even for
NaN and infinity in dy. A saved NaN is not dead: the gradient behind it is dy, or NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.ops.activation_row import Activation
from gyaku.ops.arrays import check_same_shape, floating
from gyaku.ops.op import like_first, operation, per_element, prepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Operation = Callable[..., NDArray[Any]]

__all__ = [
    "celu",
    "celu_backward",
    "elu",
    "elu_backward",
    "gelu",
    "gelu_backward",
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "hard_swish",
    "hard_swish_backward",
    "identity",
    "identity_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "mish",
    "mish_backward",
    "relu",
    "relu_backward",
    "selu",
    "selu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softplus",
    "softplus_backward",
    "softsign",
    "softsign_backward",
    "step",
    "step_backward",
    "tanh",
    "tanh_backward",
]

ACTIVATIONS: dict[str, Activation] = {}
"""The activation functions by name; the operations, the layers and the tests follow from it."""


def check_activation(op: str, name: str | None, alpha: float | None) -> float | None:
    """Return the parameter of an operation's fused activation.

    Parameters
    ----------
    op : str
        Operation, for errors.
    name : str or None
        Name of the activation; None is the identity.
    alpha : float or None
        Its parameter; None is the default.

    Returns
    -------
    float or None
        The parameter; None if there is none.

    Raises
    ------
    ValueError
        If there is no such activation, or its parameter is out of range.
    """
    row = ACTIVATIONS.get(name or "identity")
    if row is None:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(f"{op}: unknown activation {name!r}, known are {known}")
    if alpha is not None:
        row.check_alpha(op, alpha)
    return row.alpha if alpha is None or row.alpha is None else alpha


def _forward(row: Activation) -> Operation:
    name = row.name

    def without_alpha(x: ArrayLike) -> NDArray[Any]:
        return prepared(x=floating(name, "x", x))

    def with_alpha(x: ArrayLike, *, alpha: float = row.alpha or 0.0) -> NDArray[Any]:
        row.check_alpha(name, alpha)
        return prepared(x=floating(name, "x", x))

    return without_alpha if row.alpha is None else with_alpha


def _backward(row: Activation) -> Operation:
    op = row.name + "_backward"

    def without_alpha(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
        saved = floating(op, "saved", saved)
        dy = floating(op, "dy", dy, saved.dtype)
        check_same_shape(op, "dy and saved", dy, saved)
        return prepared(dy=dy, saved=saved)

    def with_alpha(
        dy: ArrayLike, saved: ArrayLike, *, alpha: float = row.alpha or 0.0
    ) -> NDArray[Any]:
        row.check_alpha(op, alpha)
        return without_alpha(dy, saved)

    return without_alpha if row.alpha is None else with_alpha


def _operations(name: str, summary: str, **columns: Any) -> tuple[Operation, Operation]:
    """Enter an activation into the list; return its operation and that of its gradient."""
    row = ACTIVATIONS[name] = Activation(name, summary, **columns)
    forward, backward = (
        _operation(row, op, careful, doc, **more)
        for op, careful, doc, more in zip(
            (name, name + "_backward"),
            (_forward(row), _backward(row)),
            (row.documentation(), row.documentation_backward()),
            (
                {"inputs": "x", "outputs": "y", "gradient": name + "_backward", "saves": row.saves},
                {"inputs": "dy saved", "outputs": "dx", "no_gradient": "it is a gradient"},
            ),
            strict=True,
        )
    )
    return forward, backward


def _operation(
    row: Activation,
    op: str,
    careful: Operation,
    documentation: str,
    **columns: Any,
) -> Operation:
    careful.__name__ = careful.__qualname__ = op
    careful.__doc__ = documentation
    direction = int(op != row.name)
    roundings = row.roundings[direction]
    return operation(
        _core.activation_backward if direction else _core.activation,
        before=(row.name,),
        kernel="activation_backward" if direction else "activation",
        shapes=like_first,
        flops=per_element(row.flops[direction]),
        roundings=roundings,
        exact="" if roundings else "elements are selected, not computed",
        **columns,
    )(careful)


identity, identity_backward = _operations(
    "identity",
    "Return a copy: no activation.",
    equation="y = x",
    derivative="dx = dy",
    flops=(0, 0),
    roundings=(0, 0),
    example=("[-1.0, 2.0]", "array([-1.,  2.])"),
    example_backward=("[1.0, 2.0], [3.0, 4.0]", "array([1., 2.])"),
)
step, step_backward = _operations(
    "step",
    "Return one for positive values and zero for the others.",
    equation="y = 1 if x > 0, else 0",
    source="Rosenblatt's threshold, Psychological Review 65 (1958)",
    derivative="dx = 0",
    flops=(1, 0),
    roundings=(0, 0),
    example=("[-1.0, 0.0, 2.0]", "array([0., 0., 1.])"),
    example_backward=("[1.0, 2.0], [0.0, 1.0]", "array([0., 0.])"),
)
sigmoid, sigmoid_backward = _operations(
    "sigmoid",
    "Squash to (0, 1) by the logistic function.",
    equation="y = 1 / (1 + exp(-x))",
    derivative="dx = dy y (1 - y)",
    flops=(3, 3),
    roundings=(4, 3),
    example=("[0.0, 1000.0]", "array([0.5, 1. ])"),
    example_backward=("[1.0, 2.0], [0.5, 0.75]", "array([0.25 , 0.375])"),
)
tanh, tanh_backward = _operations(
    "tanh",
    "Squash to (-1, 1) by the hyperbolic tangent.",
    equation="y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    derivative="dx = dy (1 - y²)",
    flops=(1, 3),
    roundings=(2, 3),
    example=("[0.0, 1000.0]", "array([0., 1.])"),
    example_backward=("[1.0, 2.0], [0.0, 0.5]", "array([1. , 1.5])"),
)
relu, relu_backward = _operations(
    "relu",
    "Rectify: negative values become zero.",
    equation="y = max(x, 0)",
    source=(
        'Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010'
    ),
    derivative="dx = 0 if y ≤ 0, else dy",
    flops=(1, 1),
    roundings=(0, 0),
    rectifies=True,
    example=("[-1.0, 2.0]", "array([0., 2.])"),
    example_backward=("[1.0, 2.0], [0.0, 5.0]", "array([0., 2.])"),
)
leaky_relu, leaky_relu_backward = _operations(
    "leaky_relu",
    "Rectify, but let negative values leak through with a small slope alpha.",
    equation="y = x if x > 0, else alpha x",
    source=(
        'Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models",'
        " ICML 2013"
    ),
    derivative="dx = alpha dy if y ≤ 0, else dy; y and x have the same sign, as alpha ≥ 0",
    flops=(2, 2),
    roundings=(2, 2),
    alpha=0.01,
    rectifies=True,
    example=("[-1.0, 2.0]", "array([-0.01,  2.  ])"),
    example_backward=(
        "[1.0, 2.0], [-0.03, 5.0]",
        "array([0.01, 2.  ])",
    ),
)
elu, elu_backward = _operations(
    "elu",
    "Bend negative values exponentially towards -alpha.",
    equation="y = x if x > 0, else alpha (exp(x) - 1)",
    source=(
        'Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by'
        ' exponential linear units", ICLR 2016'
    ),
    derivative="dx = dy if x > 0, else dy alpha exp(x)",
    flops=(4, 4),
    roundings=(4, 5),
    saves="input",
    alpha=1.0,
    rectifies=True,
    example=("[-1000.0, 2.0]", "array([-1.,  2.])"),
    example_backward=("[1.0, 2.0], [-1.0, 5.0]", "array([0.3679, 2.    ])"),
)
selu, selu_backward = _operations(
    "selu",
    "Apply the exponential linear unit that keeps mean zero and variance one.",
    equation="y = 1.0507... elu(x, alpha=1.6733...)",
    source=(
        'Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks",'
        " NeurIPS 2017"
    ),
    derivative="dx = scale dy if x > 0, else dy scale alpha exp(x), with the constants of `selu`",
    flops=(5, 4),
    roundings=(6, 5),
    saves="input",
    example=("[-1000.0, 1.0]", "array([-1.7581,  1.0507])"),
    example_backward=(
        "[1.0, 1.0], [-1.0, 5.0]",
        "array([0.6468, 1.0507])",
    ),
)
gelu, gelu_backward = _operations(
    "gelu",
    "Weight the input by the normal distribution function at it.",
    equation="y = x Φ(x) = x (1 + erf(x / √2)) / 2",
    source='Hendrycks and Gimpel, "Gaussian error linear units", arXiv:1606.08415',
    derivative="dx = dy (Φ(x) + x φ(x)), with the normal distribution and its density",
    flops=(5, 11),
    roundings=(5, 13),
    saves="input",
    rectifies=True,
    example=("[-1.0, 0.0, 1.0]", "array([-0.1587,  0.    ,  0.8413])"),
    example_backward=(
        "[1.0, 1.0], [-1.0, 0.0]",
        "array([-0.0833,  0.5   ])",
    ),
)
silu, silu_backward = _operations(
    "silu",
    "Weight the input by its own sigmoid; also known as swish.",
    equation="y = x sigmoid(x)",
    source='Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", Neural Networks 107 (2018)',
    derivative="dx = dy s (1 + x (1 - s)) with s = sigmoid(x)",
    flops=(4, 8),
    roundings=(5, 9),
    saves="input",
    rectifies=True,
    example=("[-1.0, 0.0, 1.0]", "array([-0.2689,  0.    ,  0.7311])"),
    example_backward=(
        "[1.0, 1.0], [-1.0, 0.0]",
        "array([0.0723, 0.5   ])",
    ),
)
softplus, softplus_backward = _operations(
    "softplus",
    "Rectify smoothly: the integral of the sigmoid.",
    equation="y = log(1 + exp(x))",
    source='Dugas et al., "Incorporating second-order functional knowledge", NeurIPS 2000',
    derivative="dx = dy sigmoid(x)",
    flops=(3, 4),
    roundings=(5, 5),
    saves="input",
    rectifies=True,
    example=("[-1.0, 0.0, 1.0]", "array([0.3133, 0.6931, 1.3133])"),
    example_backward=("[1.0, 2.0], [0.0, 0.0]", "array([0.5, 1. ])"),
)
hard_sigmoid, hard_sigmoid_backward = _operations(
    "hard_sigmoid",
    "Approximate the sigmoid by a line cut off at zero and one.",
    equation="y = min(max(x / 6 + 1/2, 0), 1)",
    source='Howard et al., "Searching for MobileNetV3", ICCV 2019',
    derivative="dx = 0 if y ≤ 0 or y ≥ 1, else dy / 6",
    flops=(4, 3),
    roundings=(3, 2),
    example=("[-4.0, 0.0, 1.5]", "array([0.  , 0.5 , 0.75])"),
    example_backward=("[6.0, 6.0], [0.5, 1.0]", "array([1., 0.])"),
)
mish, mish_backward = _operations(
    "mish",
    "Weight the input by the hyperbolic tangent of its softplus.",
    equation="y = x tanh(log(1 + exp(x)))",
    source='Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020',
    derivative="dx = dy (t + x sigmoid(x) (1 - t²)) with t = tanh(log(1 + exp(x)))",
    flops=(6, 15),
    roundings=(8, 14),
    saves="input",
    rectifies=True,
    example=("[-1.0, 0.0, 1.0]", "array([-0.3034,  0.    ,  0.8651])"),
    example_backward=("[1.0, 1.0], [-1.0, 0.0]", "array([0.0592, 0.6   ])"),
)
hard_swish, hard_swish_backward = _operations(
    "hard_swish",
    "Weight the input by its hard sigmoid: `silu` made of a line and a parabola.",
    equation="y = x min(max(x / 6 + 1/2, 0), 1)",
    source='Howard et al., "Searching for MobileNetV3", ICCV 2019',
    derivative="dx = 0 if x ≤ -3, dy if x ≥ 3, else dy (x / 3 + 1/2)",
    flops=(5, 5),
    roundings=(3, 4),
    saves="input",
    rectifies=True,
    example=("[-4.0, -1.5, 1.5, 4.0]", "array([-0.   , -0.375,  1.125,  4.   ])"),
    example_backward=("[1.0, 1.0, 1.0], [-4.0, 0.0, 1.5]", "array([0. , 0.5, 1. ])"),
)
softsign, softsign_backward = _operations(
    "softsign",
    "Squash to (-1, 1) by a quotient, which saturates more slowly than `tanh`.",
    equation="``y = x / (1 + |x|)``",
    source=(
        'Turian, Bergstra and Bengio, "Quadratic features and deep architectures for chunking",'
        " NAACL 2009"
    ),
    derivative="``dx = dy (1 - |y|)²``, since ``1 - |y| = 1 / (1 + |x|)``",
    flops=(3, 4),
    roundings=(2, 4),
    example=("[-1.0, 0.0, 3.0]", "array([-0.5 ,  0.  ,  0.75])"),
    example_backward=("[1.0, 2.0], [0.0, 0.5]", "array([1. , 0.5])"),
)
celu, celu_backward = _operations(
    "celu",
    "Bend negative values exponentially towards -alpha, with slope one at zero for every alpha.",
    equation="y = max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)",
    source='Barron, "Continuously differentiable exponential linear units", arXiv:1704.07483',
    derivative="dx = dy if x > 0, else dy exp(x / alpha)",
    flops=(5, 4),
    roundings=(5, 5),
    saves="input",
    alpha=1.0,
    positive=True,
    rectifies=True,
    example=("[-1000.0, 2.0]", "array([-1.,  2.])"),
    example_backward=("[1.0, 2.0], [-1.0, 5.0]", "array([0.3679, 2.    ])"),
)
