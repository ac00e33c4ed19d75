"""Training: capture of a step, its replay, and what happens between the steps."""

from gyaku.train.nonfinite import NonFiniteError
from gyaku.train.start import evaluate, fit, predict, training

__all__ = ["NonFiniteError", "evaluate", "fit", "predict", "training"]
