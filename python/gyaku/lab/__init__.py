"""The lab: pages on this machine to draw digits, turn settings and watch a network learn."""

from __future__ import annotations

from gyaku.lab.live import Live
from gyaku.lab.serve import serve

__all__ = ["Live", "serve"]
