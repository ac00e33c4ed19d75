"""The operations of `gyaku.ops` as equations in NumPy.

Each function takes arrays, changes none of them, and returns new ones of the dtype it was given,
from float16 to long double; the smooth ones take complex numbers too, so that a complex step
differentiates them. What the compiled kernels compute is tested against these functions, and
`gyaku.use_backend("reference")` runs whole models on them.
"""

from gyaku.reference.activation import (
    FORWARD,
    activate,
    elu,
    gelu,
    hard_sigmoid,
    identity,
    leaky_relu,
    relu,
    selu,
    sigmoid,
    silu,
    softplus,
    step,
    tanh,
)
from gyaku.reference.activation_backward import (
    BACKWARD,
    elu_backward,
    gelu_backward,
    hard_sigmoid_backward,
    identity_backward,
    leaky_relu_backward,
    relu_backward,
    selu_backward,
    sigmoid_backward,
    silu_backward,
    softplus_backward,
    step_backward,
    tanh_backward,
)
from gyaku.reference.gather import advance, gather
from gyaku.reference.gemm import matmul, sum_rows
from gyaku.reference.loss import (
    accumulate,
    count_correct,
    cross_entropy,
    mean_squared_error,
    softmax_cross_entropy,
    sum_squared_error,
)
from gyaku.reference.normal import normal_cdf, normal_pdf
from gyaku.reference.optimizer import adam, momentum, optimizer_tick, sgd
from gyaku.reference.random import dropout, permutation, philox4x32, random_words
from gyaku.reference.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

__all__ = [
    "BACKWARD",
    "FORWARD",
    "accumulate",
    "activate",
    "adam",
    "advance",
    "count_correct",
    "cross_entropy",
    "dropout",
    "elu",
    "elu_backward",
    "gather",
    "gelu",
    "gelu_backward",
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "identity",
    "identity_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "log_softmax",
    "log_softmax_backward",
    "matmul",
    "mean_squared_error",
    "momentum",
    "normal_cdf",
    "normal_pdf",
    "optimizer_tick",
    "permutation",
    "philox4x32",
    "random_words",
    "relu",
    "relu_backward",
    "selu",
    "selu_backward",
    "sgd",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softplus",
    "softplus_backward",
    "step",
    "step_backward",
    "sum_rows",
    "sum_squared_error",
    "tanh",
    "tanh_backward",
]
