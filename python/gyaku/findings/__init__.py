"""Findings on a training: the kind, the place, the measured value; a sentence and a remedy."""

from __future__ import annotations

from gyaku.findings.finding import Finding
from gyaku.findings.words import WORDS

__all__ = ["WORDS", "Finding"]
