"""What gyaku's operations have to reach, by the instruction set that they run on."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from bench.peers import LAYOUTS, OWN
from bench.ratios import median_ratio, together
from bench.shapes import BIG, Pooling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.shapes import Pass, Product

CALLED, REPLAYED, PEAK_NEARBY = OWN, "gyaku, replayed", "peak"
"""Whose GFLOP/s they are, beside the names of the peers."""
IN_LAYOUT = {f"torch {layout}": f"PyTorch {layout}" for layout in LAYOUTS}
"""The titles of PyTorch with images in each of its layouts."""


@dataclass(frozen=True)
class Goal:
    """The least ratios of gyaku to others, both called from Python.

    `share` of the peak is what the replayed product reaches, and `big` are the least ratios, for
    squares that are big enough.
    """

    least: Mapping[str, float]
    share: float | None = None
    big: Mapping[str, float] = field(default_factory=dict)

    def met(self, product: Product, found: Mapping[str, Sequence[float]]) -> bool | None:
        """Return whether the product reaches it; None where somebody is not there to compare."""
        least = dict(self.least) | (dict(self.big) if product.big else {})
        parts = [
            median_ratio(found[CALLED], found[name]) >= ratio if name in found else None
            for name, ratio in least.items()
        ]
        if self.share and product.big:
            parts.append(median_ratio(found[REPLAYED], found[PEAK_NEARBY]) >= self.share)
        return together(parts)

    def __str__(self) -> str:
        from bench.peers import PEERS

        def listed(least: Mapping[str, float]) -> str:
            return ", ".join(f"{ratio:g}× {PEERS[name].title}" for name, ratio in least.items())

        words = f"at least {listed(self.least)}"
        if self.share:
            words += f"; squares from {BIG} on {self.share:.0%} of the peak and {listed(self.big)}"
        return words


GOALS = {
    # NumPy's OpenBLAS and PyTorch's MKL leave half of such a machine unused.
    "avx512": Goal({"numpy": 1, "torch": 1}, share=0.88, big={"numpy": 1.8}),
    # They are written for such a machine by hand, for decades.
    "avx2": Goal({"numpy": 0.95}),
}


@dataclass(frozen=True)
class PassGoal:
    """The least ratio to PyTorch in its better layout, and the least share of the peak.

    The ratio is that of calls from Python, the share that of the replay.
    """

    ratio: float
    share: float | None = None

    def met(self, found: Mapping[str, Sequence[float]]) -> bool | None:
        """Return whether it is reached; None where PyTorch is missing in one of its layouts."""
        rival = better_layout(found)
        ahead = median_ratio(found[CALLED], found[rival]) >= self.ratio if rival else None
        if ahead and not all(name in found for name in IN_LAYOUT):
            ahead = None
        if PEAK_NEARBY not in found:
            return ahead
        share = median_ratio(found[REPLAYED], found[PEAK_NEARBY])
        return together([ahead, self.share is None or share >= self.share])


def better_layout(found: Mapping[str, Sequence[float]]) -> str | None:
    """Return in which of its layouts PyTorch is faster, or None if it was not measured."""
    here = [name for name in IN_LAYOUT if name in found]
    return max(here, key=lambda name: median(found[name]), default=None)


DEEP_CHANNELS = 32
"""From how many channels on a 3 × 3 convolution should come near the peak."""
DEEP = {"forward": PassGoal(0.9, 0.92), "data": PassGoal(0.9, 0.9), "weights": PassGoal(0.9, 0.85)}
FLAT = PassGoal(1.5)
USUAL = PassGoal(1)
POOLED = PassGoal(3)


def pass_goal(one: Pass) -> PassGoal:
    """Return what a pass of a convolution or of a pooling has to reach, with AVX-512."""
    layer = one.layer
    if isinstance(layer, Pooling):
        return POOLED
    if layer.kernel == 1 or layer.channels <= 3:
        return FLAT
    return DEEP[one.which] if layer.kernel == 3 and layer.channels >= DEEP_CHANNELS else USUAL
