"""Windows of convolutions and poolings: the arguments checked, and where each window lies.

Both implementations of an operation take their windows from here, and layers check a shape with the
same functions when a model is built.
"""

from gyaku.windows.axis import *  # noqa: F403
from gyaku.windows.layout import *  # noqa: F403
