"""The operations: NumPy arrays in, NumPy arrays out, on compiled kernels or on NumPy equations.

Inputs that are C-contiguous float32 or float64 are used in place, everything else that holds real
numbers is converted once; inputs are never changed. A matrix product also takes columns cut out of
a wider matrix, and transposed views, where they lie. The result is float32 where float32 holds the
inputs' dtypes, else float64. Operations that update an array in place return nothing. `TABLE` has a
row for each operation, and `gyaku.use_backend` chooses what they run on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from gyaku.ops.conv import conv2d, conv2d_transpose
from gyaku.ops.conv_backward import (
    conv2d_backward,
    conv2d_backward_data,
    conv2d_backward_weights,
    conv2d_transpose_backward,
)
from gyaku.ops.gather import advance, gather, gather_images, rescale
from gyaku.ops.gemm import matmul, sum_rows
from gyaku.ops.loss import (
    accumulate,
    count_correct,
    cross_entropy,
    mean_squared_error,
    softmax_cross_entropy,
    sum_squared_error,
)
from gyaku.ops.merge import add, copy_columns, take_columns
from gyaku.ops.norm import (
    batch_norm,
    batch_norm_backward,
    batch_norm_inference,
    layer_norm,
    layer_norm_backward,
    update_running,
)
from gyaku.ops.op import Op
from gyaku.ops.optimizer import adam, momentum, optimizer_tick, sgd
from gyaku.ops.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from gyaku.ops.random import dropout, permutation
from gyaku.ops.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

if TYPE_CHECKING:
    from gyaku.ops.table import TABLE

__all__ = [
    "TABLE",
    "Op",
    "accumulate",
    "adam",
    "add",
    "advance",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_inference",
    "conv2d",
    "conv2d_backward",
    "conv2d_backward_data",
    "conv2d_backward_weights",
    "conv2d_transpose",
    "conv2d_transpose_backward",
    "copy_columns",
    "count_correct",
    "cross_entropy",
    "dropout",
    "elu",
    "elu_backward",
    "gather",
    "gather_images",
    "gelu",
    "gelu_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "identity",
    "identity_backward",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "log_softmax",
    "log_softmax_backward",
    "matmul",
    "max_pool2d",
    "max_pool2d_backward",
    "mean_squared_error",
    "momentum",
    "optimizer_tick",
    "permutation",
    "relu",
    "relu_backward",
    "rescale",
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
    "take_columns",
    "tanh",
    "tanh_backward",
    "update_running",
]


def __getattr__(name: str) -> dict[str, Op]:
    # The table brings the reference with it, which most never need.
    if name != "TABLE":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gyaku.ops.table import TABLE

    globals()[name] = TABLE
    return TABLE
