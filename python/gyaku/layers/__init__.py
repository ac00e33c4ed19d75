"""Layers: each a forward pass, a backward pass and the parameters between them."""

from typing import TYPE_CHECKING

from gyaku import names
from gyaku.layers.activation import *
from gyaku.layers.array_operation import *
from gyaku.layers.base import *
from gyaku.layers.channel_norm import *
from gyaku.layers.conv import *
from gyaku.layers.conv3d import *
from gyaku.layers.conv_transpose import *
from gyaku.layers.dense import *
from gyaku.layers.dropout import *
from gyaku.layers.embedding import *
from gyaku.layers.masking import *
from gyaku.layers.merge import *
from gyaku.layers.norm import *
from gyaku.layers.pool import *
from gyaku.layers.prelu import *
from gyaku.layers.recurrent import *
from gyaku.layers.rescaling import *
from gyaku.layers.resize import *
from gyaku.layers.selection import *
from gyaku.layers.separable_pool import *
from gyaku.layers.shape import *
from gyaku.layers.wrapper import *
from gyaku.symbolic import Input as Input

if not TYPE_CHECKING:  # type checkers follow the stars, to what each module exports
    __all__ = sorted(name for name, value in globals().items() if callable(value))
    __getattr__ = names.missing_from(__name__)
