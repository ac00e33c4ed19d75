"""Activation functions, element by element, with their gradients: NaN in, NaN out.

The gradient is computed from the output if that is sufficient, else from the input. Where the
slope is zero by definition (a dead `relu`, `step`, a saturated `hard_sigmoid`), it is zero even for
NaN and infinity in dy. A saved NaN is not dead: the gradient behind it is dy, or NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku.ops.activation_operations import ACTIVATIONS as ACTIVATIONS
from gyaku.ops.activation_operations import check_activation as check_activation
from gyaku.ops.activation_operations import operations, with_parameters
from gyaku.ops.activation_row import Parameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "celu",
    "celu_backward",
    "elu",
    "elu_backward",
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
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


def _selu(x: ArrayLike, *, alpha: float | None = None, gamma: float | None = None) -> NDArray[Any]:
    return with_parameters("selu", {"alpha": alpha, "gamma": gamma}, x)


def _selu_backward(
    dy: ArrayLike, saved: ArrayLike, *, alpha: float | None = None, gamma: float | None = None
) -> NDArray[Any]:
    return with_parameters("selu", {"alpha": alpha, "gamma": gamma}, dy, saved)


def _softplus(
    x: ArrayLike, *, beta: float | None = None, threshold: float | None = None
) -> NDArray[Any]:
    return with_parameters("softplus", {"beta": beta, "threshold": threshold}, x)


def _softplus_backward(
    dy: ArrayLike, saved: ArrayLike, *, beta: float | None = None, threshold: float | None = None
) -> NDArray[Any]:
    return with_parameters("softplus", {"beta": beta, "threshold": threshold}, dy, saved)


def _hard_sigmoid(
    x: ArrayLike, *, alpha: float | None = None, beta: float | None = None
) -> NDArray[Any]:
    return with_parameters("hard_sigmoid", {"alpha": alpha, "beta": beta}, x)


def _hard_sigmoid_backward(
    dy: ArrayLike, saved: ArrayLike, *, alpha: float | None = None, beta: float | None = None
) -> NDArray[Any]:
    return with_parameters("hard_sigmoid", {"alpha": alpha, "beta": beta}, dy, saved)


identity, identity_backward = operations(
    "identity",
    "Return a copy: no activation.",
    equation="y = x",
    derivative="dx = dy",
    flops=(0, 0),
    roundings=(0, 0),
    example=("[-1.0, 2.0]", "array([-1.,  2.])"),
    example_backward=("[1.0, 2.0], [3.0, 4.0]", "array([1., 2.])"),
)
step, step_backward = operations(
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
sigmoid, sigmoid_backward = operations(
    "sigmoid",
    "Squash to (0, 1) by the logistic function.",
    equation="y = 1 / (1 + exp(-x))",
    derivative="dx = dy y (1 - y)",
    flops=(3, 3),
    roundings=(4, 3),
    example=("[0.0, 1000.0]", "array([0.5, 1. ])"),
    example_backward=("[1.0, 2.0], [0.5, 0.75]", "array([0.25 , 0.375])"),
)
tanh, tanh_backward = operations(
    "tanh",
    "Squash to (-1, 1) by the hyperbolic tangent.",
    equation="y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    derivative="dx = dy (1 - y²)",
    flops=(1, 3),
    roundings=(2, 3),
    example=("[0.0, 1000.0]", "array([0., 1.])"),
    example_backward=("[1.0, 2.0], [0.0, 0.5]", "array([1. , 1.5])"),
)
relu, relu_backward = operations(
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
leaky_relu, leaky_relu_backward = operations(
    "leaky_relu",
    "Rectify, but let negative values leak through with a small slope alpha.",
    equation="y = x if x > 0, else alpha x",
    source=(
        'Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models",'
        " ICML 2013"
    ),
    derivative=(
        "dx = alpha dy if y ≤ 0, else dy; y and x have the same sign if alpha ≥ 0, otherwise the"
        " input x is to be saved"
    ),
    flops=(2, 2),
    roundings=(2, 2),
    alpha=0.01,
    negative=True,
    rectifies=True,
    example=("[-1.0, 2.0]", "array([-0.01,  2.  ])"),
    example_backward=(
        "[1.0, 2.0], [-0.03, 5.0]",
        "array([0.01, 2.  ])",
    ),
)
elu, elu_backward = operations(
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
selu, selu_backward = operations(
    "selu",
    "Apply the exponential linear unit that keeps mean zero and variance one.",
    equation="y = gamma elu(x, alpha)",
    source=(
        'Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks",'
        " NeurIPS 2017"
    ),
    derivative="dx = gamma dy if x > 0, else dy gamma alpha exp(x), with the constants of `selu`",
    careful=(_selu, _selu_backward),
    parameters={
        "alpha": Parameter("Depth of the negative part, at least 0; None is 1.6733...", least=0),
        "gamma": Parameter("Scale of the whole, positive; None is 1.0507...", above=0),
    },
    flops=(5, 4),
    roundings=(6, 5),
    saves="input",
    example=("[-1000.0, 1.0]", "array([-1.7581,  1.0507])"),
    example_backward=(
        "[1.0, 1.0], [-1.0, 5.0]",
        "array([0.6468, 1.0507])",
    ),
)
gelu, gelu_backward = operations(
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
gelu_tanh, gelu_tanh_backward = operations(
    "gelu_tanh",
    "Weight the input by the normal distribution function, approximated by a hyperbolic tangent.",
    equation="y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2",
    source='Hendrycks and Gimpel, "Gaussian error linear units", arXiv:1606.08415',
    derivative="dx = dy (s + x s (1 - s) u'), with s = sigmoid(u), u = √(8/π) (x + 0.044715 x³)",
    flops=(10, 17),
    roundings=(9, 14),
    saves="input",
    rectifies=True,
    example=("[-1.0, 0.0, 1.0]", "array([-0.1588,  0.    ,  0.8412])"),
    example_backward=(
        "[1.0, 1.0], [-1.0, 0.0]",
        "array([-0.083,  0.5  ])",
    ),
)
silu, silu_backward = operations(
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
softplus, softplus_backward = operations(
    "softplus",
    "Rectify smoothly: the integral of the sigmoid.",
    equation="y = log(1 + exp(beta x)) / beta, and x where beta x is above the threshold",
    source='Dugas et al., "Incorporating second-order functional knowledge", NeurIPS 2000',
    derivative="dx = dy sigmoid(beta x), and dy above the threshold",
    careful=(_softplus, _softplus_backward),
    parameters={
        "beta": Parameter("Steepness, positive; None is 1.", above=0),
        "threshold": Parameter("Largest beta x of the curve; None is infinity."),
    },
    flops=(3, 4),
    roundings=(5, 5),
    saves="input",
    rectifies=True,
    example=("[-1.0, 0.0, 1.0]", "array([0.3133, 0.6931, 1.3133])"),
    example_backward=("[1.0, 2.0], [0.0, 0.0]", "array([0.5, 1. ])"),
)
hard_sigmoid, hard_sigmoid_backward = operations(
    "hard_sigmoid",
    "Approximate the sigmoid by a line cut off at zero and one.",
    equation="y = min(max(alpha x + beta, 0), 1)",
    source='Howard et al., "Searching for MobileNetV3", ICCV 2019',
    derivative="dx = 0 if y ≤ 0 or y ≥ 1, else alpha dy",
    careful=(_hard_sigmoid, _hard_sigmoid_backward),
    parameters={
        "alpha": Parameter("Slope of the line; None is 1/6, in ONNX the default is 1/5."),
        "beta": Parameter("Value of the line at zero; None is 1/2."),
    },
    flops=(4, 3),
    roundings=(3, 2),
    example=("[-4.0, 0.0, 1.5]", "array([0.  , 0.5 , 0.75])"),
    example_backward=("[6.0, 6.0], [0.5, 1.0]", "array([1., 0.])"),
)
mish, mish_backward = operations(
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
hard_swish, hard_swish_backward = operations(
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
softsign, softsign_backward = operations(
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
celu, celu_backward = operations(
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
