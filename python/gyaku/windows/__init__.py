"""Windows of convolutions and poolings: the arguments checked, and where each window lies.

Both implementations of an operation take their windows from here, and layers check a shape with the
same functions when a model is built.
"""

from gyaku.windows.axis import *
from gyaku.windows.layout import *
