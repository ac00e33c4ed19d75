"""The doctor: what is probably wrong with a training, and the remedies."""

from __future__ import annotations

from gyaku.diagnosis.diagnose import diagnose
from gyaku.diagnosis.diagnosis import Diagnosis
from gyaku.diagnosis.doctor import Doctor
from gyaku.findings import Finding as Finding

__all__ = ["Diagnosis", "Doctor", "Finding", "diagnose"]
