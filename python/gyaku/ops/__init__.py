"""The operations: NumPy arrays in, NumPy arrays out, on compiled kernels or on NumPy equations.

Inputs that are C-contiguous float32 or float64 are used in place, everything else that holds real
numbers is converted once; inputs are never changed. A matrix product also takes columns cut out of
a wider matrix, and transposed views, where they lie. The result is float32 where float32 holds the
inputs' dtypes, else float64. Operations that update an array in place return nothing. `TABLE` has a
row for each operation, and `gyaku.use_backend` chooses what they run on.
"""

from gyaku.ops.activation import (
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
from gyaku.ops.activation_backward import (
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
from gyaku.ops.gather import advance, gather
from gyaku.ops.gemm import matmul, sum_rows
from gyaku.ops.loss import (
    accumulate,
    count_correct,
    cross_entropy,
    mean_squared_error,
    softmax_cross_entropy,
    sum_squared_error,
)
from gyaku.ops.op import Op
from gyaku.ops.optimizer import adam, momentum, optimizer_tick, sgd
from gyaku.ops.random import dropout, permutation
from gyaku.ops.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from gyaku.ops.table import TABLE

__all__ = [
    "TABLE",
    "Op",
    "accumulate",
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
    "optimizer_tick",
    "permutation",
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
