"""The operations: NumPy arrays in, NumPy arrays out, on compiled kernels or on NumPy equations.

Inputs that are C-contiguous float32 or float64 are used in place, others that hold real numbers are
converted once; inputs are never changed. A matrix product also takes columns cut out of a wider
matrix, and transposed views, in place. The result is float32 where float32 holds the inputs'
dtypes, else float64. Operations that update an array in place return nothing. `TABLE` has a row for
each operation, and `gyaku.use_backend` chooses the implementation.
"""

from gyaku.ops.activation import *  # noqa: F403
from gyaku.ops.bookkeeping import *  # noqa: F403
from gyaku.ops.conv import *  # noqa: F403
from gyaku.ops.conv_backward import *  # noqa: F403
from gyaku.ops.gather import *  # noqa: F403
from gyaku.ops.gemm import *  # noqa: F403
from gyaku.ops.loss import *  # noqa: F403
from gyaku.ops.merge import *  # noqa: F403
from gyaku.ops.norm import *  # noqa: F403
from gyaku.ops.op import TABLE as TABLE
from gyaku.ops.op import Op as Op
from gyaku.ops.optimizer import *  # noqa: F403
from gyaku.ops.pool import *  # noqa: F403
from gyaku.ops.random import *  # noqa: F403
from gyaku.ops.softmax import *  # noqa: F403
