"""Reports of trainings: one file each that needs nothing else, to keep, to print and to send."""

from __future__ import annotations

from gyaku.report.report import write

__all__ = ["write"]
