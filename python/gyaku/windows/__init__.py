"""Windows of convolutions and poolings: validation of the arguments, positions of the windows.

Both implementations of an operation take their windows from here, and layers validate a shape by
the same functions when a model is built.
"""

from gyaku.windows.axis import *
from gyaku.windows.layout import *
