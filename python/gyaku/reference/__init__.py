"""The operations of `gyaku.ops` as equations in NumPy.

Each function takes arrays, changes none of them, and returns new ones of the dtype it was given,
from float16 to long double; the smooth ones take complex numbers too, so that a complex step
differentiates them. What the compiled kernels compute is tested against these functions, and
`gyaku.use_backend("reference")` runs whole models on them.
"""

from gyaku.reference.activation import *  # noqa: F403
from gyaku.reference.bookkeeping import *  # noqa: F403
from gyaku.reference.conv import *  # noqa: F403
from gyaku.reference.gather import *  # noqa: F403
from gyaku.reference.gaussian import *  # noqa: F403
from gyaku.reference.gemm import *  # noqa: F403
from gyaku.reference.loss import *  # noqa: F403
from gyaku.reference.merge import *  # noqa: F403
from gyaku.reference.norm import *  # noqa: F403
from gyaku.reference.optimizer import *  # noqa: F403
from gyaku.reference.pool import *  # noqa: F403
from gyaku.reference.random import *  # noqa: F403
from gyaku.reference.softmax import *  # noqa: F403
