"""Pictures, one a file; each draws into given axes or makes a figure, with no global state."""

from __future__ import annotations

from gyaku.plots.learning_curve import learning_curve

__all__ = ["learning_curve"]
