"""The table of convolutions: GFLOP/s of each pass, by gyaku and by PyTorch in both layouts.

`python -m bench convolutions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import images
from bench.goals import DEEP, DEEP_CHANNELS, FLAT, USUAL
from bench.shapes import CONVOLUTIONS

if TYPE_CHECKING:
    from bench.settings import Settings

NOTES = (
    "GFLOP/s, median of the rounds. Images: n, channels, height, filters, window.",
    (
        "All are called from Python; replayed: the same as a part of a captured program. Per cent"
        " are of the peak measured between these two; ratios are those of the call."
    ),
    f"Target: 3×3 from {DEEP_CHANNELS} channels on"
    + "".join(f" {goal.share:.0%} of the peak {which}," for which, goal in DEEP.items())
    + f" and {DEEP['forward'].ratio:g}× PyTorch's better layout; first layers and 1×1"
    f" {FLAT.ratio:g}×; others {USUAL.ratio:g}×.",
    (
        "Products with the padding count as work, as is usual; they are skipped, so that more than"
        " the peak is possible."
    ),
)


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return everything."""
    return images.run("convolutions", "Convolutions", CONVOLUTIONS, NOTES, settings)
