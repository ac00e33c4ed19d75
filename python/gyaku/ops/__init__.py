"""The operations: NumPy arrays in, NumPy arrays out, on compiled kernels or on NumPy equations.

Inputs that are C-contiguous float32 or float64 are used in place, other real numbers are converted
once; inputs are never changed. A matrix product also takes columns of a wider matrix, and
transposed views, in place. The result is float32 where float32 holds the inputs'
dtypes, else float64. Operations that update an array in place return nothing. `TABLE` has a row for
each operation, and `gyaku.use_backend` chooses the implementation.
"""

from gyaku.ops.activation import *
from gyaku.ops.bookkeeping import *
from gyaku.ops.broadcast import *
from gyaku.ops.channel_norm import *
from gyaku.ops.conv import *
from gyaku.ops.conv_backward import *
from gyaku.ops.embedding import *
from gyaku.ops.gather import *
from gyaku.ops.gemm import *
from gyaku.ops.global_pool import *
from gyaku.ops.gradient import *
from gyaku.ops.loss import *
from gyaku.ops.merge import *
from gyaku.ops.norm import *
from gyaku.ops.op import TABLE as TABLE
from gyaku.ops.op import Op as Op
from gyaku.ops.optimizer import *
from gyaku.ops.pool import *
from gyaku.ops.random import *
from gyaku.ops.recurrent import *
from gyaku.ops.recurrent_backward import *
from gyaku.ops.softmax import *
