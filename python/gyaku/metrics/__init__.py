"""Metrics: measures of a model besides its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.metrics.base import METRICS as METRICS
from gyaku.metrics.base import Metric, Overall
from gyaku.metrics.choice import metric as metric
from gyaku.metrics.classes import (
    F1,
    BalancedAccuracy,
    Precision,
    Recall,
    confusion_matrix,
)
from gyaku.metrics.numbers import R2, RootMeanSquaredError
from gyaku.metrics.samples import (
    Accuracy,
    BinaryAccuracy,
    MeanAbsoluteError,
    MeanSquaredError,
    TopAccuracy,
)
from gyaku.metrics.scores import AUC
from gyaku.names import missing_from

__all__ = ["AUC", "F1", "R2", "Accuracy", "BalancedAccuracy", "BinaryAccuracy", "MeanAbsoluteError"]
__all__ += ["MeanSquaredError", "Metric", "Overall", "Precision", "Recall"]
__all__ += ["RootMeanSquaredError", "TopAccuracy", "confusion_matrix"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)
