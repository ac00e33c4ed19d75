"""Plots, one a file; each draws into given axes or a new figure, without global state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.names import missing_from
from gyaku.plots.activation_histograms import activation_histograms
from gyaku.plots.activations import activations
from gyaku.plots.anomalies import anomalies
from gyaku.plots.confusion_matrix import confusion_matrix
from gyaku.plots.curves import curves
from gyaku.plots.decision_boundary import decision_boundary
from gyaku.plots.error_surface import animate_paths, error_surface
from gyaku.plots.feature_maps import feature_maps
from gyaku.plots.filters import filters
from gyaku.plots.gates import gates
from gyaku.plots.gradient_sizes import gradient_sizes
from gyaku.plots.graph import graph
from gyaku.plots.hidden_codes import hidden_codes
from gyaku.plots.images import images
from gyaku.plots.learning_curve import learning_curve
from gyaku.plots.lr_finder import lr_finder
from gyaku.plots.misclassified import misclassified
from gyaku.plots.reconstructions import reconstructions
from gyaku.plots.sliding_filter import sliding_filter

__all__ = [
    "activation_histograms",
    "activations",
    "animate_paths",
    "anomalies",
    "confusion_matrix",
    "curves",
    "decision_boundary",
]
__all__ += ["error_surface", "feature_maps", "filters", "gates", "gradient_sizes", "graph"]
__all__ += [
    "hidden_codes",
    "images",
    "learning_curve",
    "lr_finder",
    "misclassified",
    "reconstructions",
    "sliding_filter",
]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)
