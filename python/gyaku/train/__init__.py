"""Training: capture of a step, its replay, and what happens between the steps."""

from gyaku.train.nonfinite import NonFiniteError

__all__ = ["NonFiniteError"]
