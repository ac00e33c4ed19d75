"""Layers in plain NumPy, which have a counterpart in the frameworks but no kernel."""

from __future__ import annotations

from layer_case import LayerCase

import gyaku as gk

PLAIN_LAYER_CASES: dict[str, LayerCase] = {
    "Pad": LayerCase(lambda: gk.Pad(1, value=0.5), (3, 2, 2)),
    "Pad reflected": LayerCase(lambda: gk.Pad(((2, 1), (0, 3)), "reflect"), (3, 4, 2)),
    "Pad by the edge": LayerCase(lambda: gk.Pad([1, 2], "edge"), (3, 2)),
    "Pad of rows": LayerCase(lambda: gk.Pad((2, 1), "circular"), (3,)),
    "Crop": LayerCase(lambda: gk.Crop((1, (0, 2))), (3, 4, 2)),
    "Slice": LayerCase(lambda: gk.Slice(1, -1), (5, 2)),
    "Slice backwards": LayerCase(lambda: gk.Slice(None, None, -2, axis=-1), (2, 3)),
    "Permute": LayerCase(lambda: gk.Permute((3, 1, 2)), (2, 3, 4)),
    "Upsample": LayerCase(gk.Upsample, (2, 3, 2)),
    "Upsample to a size": LayerCase(lambda: gk.Upsample(size=[5, 2], mode="bilinear"), (2, 3, 2)),
    "Upsample with corners": LayerCase(
        lambda: gk.Upsample((1.5, 0.7), mode="linear", align_corners=True), (3, 4, 2)
    ),
    "Upsample exactly": LayerCase(lambda: gk.Upsample(1.4, mode="nearest-exact"), (5, 2)),
    "Upsample by cubes": LayerCase(lambda: gk.Upsample(2, mode="cubic"), (3, 2, 1)),
}
