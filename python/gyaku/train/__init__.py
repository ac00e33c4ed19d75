"""Training: capture of a step, its replay, and the work between the steps."""

from gyaku.train.nonfinite import NonFiniteError

__all__ = ["NonFiniteError"]
