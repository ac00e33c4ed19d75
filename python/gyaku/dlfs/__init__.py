"""The classes of the textbook 「ゼロから作る Deep Learning」, on the kernels of gyaku.

Signatures, shapes and names are those of the book: rows are samples, images have the channels
first, and a program written for the book runs after a change of its imports.

Examples
--------
>>> import numpy as np
>>> from gyaku.dlfs import Affine
>>> layer = Affine(np.array([[1.0], [2.0]]), np.array([0.5]))
>>> layer.forward(np.array([[1.0, 1.0]]))
array([[3.5]])
>>> layer.backward(np.array([[1.0]]))
array([[1., 2.]])
"""

from gyaku.dlfs import (
    functions,
    gradient,
    layer_naive,
    layers,
    mnist,
    networks,
    optimizer,
    time_layers,
    trainer,
    util,
)
from gyaku.dlfs.functions import *
from gyaku.dlfs.gradient import *
from gyaku.dlfs.layer_naive import *
from gyaku.dlfs.layers import *
from gyaku.dlfs.mnist import *
from gyaku.dlfs.networks import *
from gyaku.dlfs.optimizer import *
from gyaku.dlfs.time_layers import *
from gyaku.dlfs.trainer import *
from gyaku.dlfs.util import *

__all__ = [
    *functions.__all__,
    *gradient.__all__,
    *layer_naive.__all__,
    *layers.__all__,
    *mnist.__all__,
]
__all__ += [*networks.__all__, *optimizer.__all__, *time_layers.__all__, *trainer.__all__]
__all__ += util.__all__
