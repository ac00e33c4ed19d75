"""Goals of gyaku's operations, by instruction set."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.peers import LAYOUTS, OWN
from bench.ratios import median_ratio, together
from bench.shapes import BIG, Pooling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.shapes import Pass, Product

CALLED, REPLAYED, PEAK_NEARBY = OWN, "gyaku, replayed", "peak"
"""Names of results beside those of the peers."""
IN_LAYOUT = {f"torch {layout}": f"PyTorch {layout}" for layout in LAYOUTS}
"""Titles of PyTorch with each layout of images."""


@dataclass(frozen=True)
class Goal:
    """Smallest ratios of gyaku to others, both called from Python.

    For squares that are big enough, `share` is the fraction of the peak of the replayed product.
    """

    least: Mapping[str, float]
    share: float | None = None

    def met(self, product: Product, found: Mapping[str, Sequence[float]]) -> bool | None:
        """Return whether the product reaches the goal; None if a peer was not measured."""
        parts = [
            median_ratio(found[CALLED], found[name]) >= ratio if name in found else None
            for name, ratio in self.least.items()
        ]
        if self.share and product.big:
            parts.append(median_ratio(found[REPLAYED], found[PEAK_NEARBY]) >= self.share)
        return together(parts)

    def __str__(self) -> str:
        from bench.peers import PEERS

        listed = (f"{ratio:g}× {PEERS[name].title}" for name, ratio in self.least.items())
        words = f"at least {', '.join(listed)}"
        if self.share:
            words += f"; squares from {BIG} on {self.share:.0%} of the peak"
        return words


# Never slower than either, but for the noise of a measurement.
LEAST = {"numpy": 0.95, "torch": 0.95}
GOALS = {"avx512": Goal(LEAST, share=0.93), "avx2": Goal(LEAST)}


@dataclass(frozen=True)
class PassGoal:
    """Smallest ratio to PyTorch in its better layout, and smallest fraction of the peak.

    The ratio is that of calls from Python, the share that of the replay.
    """

    ratio: float
    share: float | None = None

    def met(self, found: Mapping[str, Sequence[float]]) -> bool | None:
        """Return whether the goal is reached; None if PyTorch was not measured in both layouts."""
        rival = better_layout(found)
        ahead = median_ratio(found[CALLED], found[rival]) >= self.ratio if rival else None
        if ahead and not all(name in found for name in IN_LAYOUT):
            ahead = None
        if PEAK_NEARBY not in found:
            return ahead
        share = median_ratio(found[REPLAYED], found[PEAK_NEARBY])
        return together([ahead, self.share is None or share >= self.share])


def better_layout(found: Mapping[str, Sequence[float]]) -> str | None:
    """Return PyTorch's faster layout, or None if it was not measured."""
    here = [name for name in IN_LAYOUT if name in found]
    return max(here, key=lambda name: median(found[name]), default=None)


DEEP_CHANNELS = 32
"""Smallest number of channels of a 3 × 3 convolution near the peak."""
DEEP = {"forward": PassGoal(0.9, 0.92), "data": PassGoal(0.9, 0.9), "weights": PassGoal(0.9, 0.85)}
FLAT = PassGoal(1.5)
USUAL = PassGoal(1)
POOLED = PassGoal(3)


def pass_goal(one: Pass) -> PassGoal:
    """Return the goal of a pass of a convolution or of a pooling, with AVX-512."""
    layer = one.layer
    if isinstance(layer, Pooling):
        return POOLED
    if layer.kernel == 1 or layer.channels <= 3:
        return FLAT
    return DEEP[one.which] if layer.kernel == 3 and layer.channels >= DEEP_CHANNELS else USUAL
