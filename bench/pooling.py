"""The table of maximum pooling: GB/s of each pass, by gyaku and by PyTorch in both layouts.

`python -m bench pooling`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import images
from bench.goals import POOLED
from bench.shapes import POOLINGS

if TYPE_CHECKING:
    from bench.settings import Settings

NOTES = (
    (
        "GB/s of images read and written, median of the rounds; windows of 2×2. Images: n,"
        " channels, height."
    ),
    (
        "All are called from Python; replayed: the same as a part of a captured program. Ratios are"
        " those of the call."
    ),
    f"Target: {POOLED.ratio:g}× PyTorch's better layout.",
)


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return everything."""
    return images.run("pooling", "Maximum pooling", POOLINGS, NOTES, settings)
