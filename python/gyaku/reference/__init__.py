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
from gyaku.reference.conv import conv2d as conv2d
from gyaku.reference.conv import conv2d_backward as conv2d_backward
from gyaku.reference.conv import conv2d_backward_data as conv2d_backward_data
from gyaku.reference.conv import conv2d_backward_weights as conv2d_backward_weights
from gyaku.reference.conv import conv2d_transpose as conv2d_transpose
from gyaku.reference.conv import conv2d_transpose_backward as conv2d_transpose_backward
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
from gyaku.reference.norm import batch_norm as batch_norm
from gyaku.reference.norm import batch_norm_backward as batch_norm_backward
from gyaku.reference.norm import layer_norm as layer_norm
from gyaku.reference.norm import layer_norm_backward as layer_norm_backward
from gyaku.reference.normal import normal_cdf, normal_pdf
from gyaku.reference.optimizer import adam, momentum, optimizer_tick, sgd
from gyaku.reference.pool import avg_pool2d as avg_pool2d
from gyaku.reference.pool import avg_pool2d_backward as avg_pool2d_backward
from gyaku.reference.pool import global_avg_pool2d as global_avg_pool2d
from gyaku.reference.pool import global_avg_pool2d_backward as global_avg_pool2d_backward
from gyaku.reference.pool import global_max_pool2d as global_max_pool2d
from gyaku.reference.pool import global_max_pool2d_backward as global_max_pool2d_backward
from gyaku.reference.pool import max_pool2d as max_pool2d
from gyaku.reference.pool import max_pool2d_backward as max_pool2d_backward
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
