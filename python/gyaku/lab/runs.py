"""Trainings that the lab shows."""

from __future__ import annotations

__all__ = ["Runs"]


class Runs:
    """Trainings of this process."""
