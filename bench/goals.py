"""What gyaku's matrix products have to reach, by the instruction set that they run on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.peers import OWN
from bench.ratios import median_ratio, together
from bench.shapes import BIG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.shapes import Product

CALLED, REPLAYED, PEAK_NEARBY = OWN, "gyaku, replayed", "peak"
"""Whose GFLOP/s they are, beside the names of the peers."""


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
