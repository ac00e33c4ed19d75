"""The operations of `gyaku.ops` as equations in NumPy.

Each function takes arrays, changes none of them, and returns new ones of the same dtype, from
float16 to long double; smooth functions take complex arrays too, for derivatives by a complex step.
The compiled kernels are tested against these functions, and `gyaku.use_backend("reference")` runs
whole models on them.
"""

from gyaku.reference.activation import *
from gyaku.reference.bookkeeping import *
from gyaku.reference.broadcast import *
from gyaku.reference.channel_norm import *
from gyaku.reference.conv import *
from gyaku.reference.embedding import *
from gyaku.reference.gather import *
from gyaku.reference.gaussian import *
from gyaku.reference.gemm import *
from gyaku.reference.gradient import *
from gyaku.reference.loss import *
from gyaku.reference.merge import *
from gyaku.reference.norm import *
from gyaku.reference.optimizer import *
from gyaku.reference.pool import *
from gyaku.reference.random import *
from gyaku.reference.recurrent import *
from gyaku.reference.softmax import *
