"""Plots, one a file; each draws into given axes or a new figure, without global state."""

from __future__ import annotations

from gyaku.plots.anomalies import anomalies
from gyaku.plots.learning_curve import learning_curve

__all__ = ["anomalies", "learning_curve"]
