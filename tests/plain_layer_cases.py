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
    "Softmax along an axis": LayerCase(lambda: gk.Softmax(1), (3, 2)),
    "LogSoftmax along an axis": LayerCase(lambda: gk.LogSoftmax(axis=-2), (2, 3, 2)),
    "LeakyReLU below zero": LayerCase(lambda: gk.LeakyReLU(-0.3), (7,)),
    "Dense with a slope below zero": LayerCase(lambda: gk.Dense(3, gk.LeakyReLU(-0.3)), (4,)),
    "SELU with parameters": LayerCase(lambda: gk.SELU(0.7, 1.3), (7,)),
    "SELU with a scale": LayerCase(lambda: gk.SELU(gamma=2.0), (7,)),
    "Softplus with parameters": LayerCase(lambda: gk.Softplus(2.0, 3.0), (7,)),
    "HardSigmoid with parameters": LayerCase(lambda: gk.HardSigmoid(0.2, 0.4), (7,)),
    "Dense with a line of its own": LayerCase(lambda: gk.Dense(3, gk.HardSigmoid(0.2)), (4,)),
    "AvgPool2D with dilation": LayerCase(
        lambda: gk.AvgPool2D(2, 1, padding=1, dilation=(1, 2)), (4, 4, 2)
    ),
    "AvgPool2D with a divisor": LayerCase(
        lambda: gk.AvgPool2D(3, 2, padding=1, ceil_mode=True, divisor_override=5), (4, 5, 2)
    ),
    "AvgPool1D with a divisor": LayerCase(lambda: gk.AvgPool1D(2, divisor_override=3), (5, 2)),
    "MaxPool2D far beyond the edge": LayerCase(lambda: gk.MaxPool2D(3, 2, padding=2), (4, 5, 2)),
    "Add of several shapes": LayerCase(gk.Add, ((2, 3), (3,), (2, 1))),
    "Subtract": LayerCase(gk.Subtract, ((3,), (3,)), flops=3),
    "Subtract of several shapes": LayerCase(gk.Subtract, ((3,), (2, 3))),
    "Multiply": LayerCase(gk.Multiply, ((3,), (3,), (3,)), flops=6),
    "Multiply by a gate": LayerCase(gk.Multiply, ((2, 3, 4), (4,))),
    "Divide": LayerCase(gk.Divide, ((2, 3), (2, 3)), flops=6, positive=True),
    "Divide by a row": LayerCase(gk.Divide, ((2, 3), (3,)), positive=True),
    "MatMul": LayerCase(gk.MatMul, ((2, 3), (3, 4)), flops=2 * 2 * 3 * 4),
    "MatMul transposed": LayerCase(
        lambda: gk.MatMul(transpose_a=True, transpose_b=True, scale=0.5), ((3, 2), (4, 3))
    ),
    "MatMul of scores": LayerCase(lambda: gk.MatMul(transpose_b=True), ((2, 3, 4), (5, 4))),
    "MatMul of a transposed": LayerCase(lambda: gk.MatMul(transpose_a=True), ((3, 2), (3, 4))),
    "PReLU": LayerCase(gk.PReLU, (2, 3), flops=12),
    "PReLU of one slope": LayerCase(lambda: gk.PReLU([1, -1], alpha_init="ones"), (2, 3)),
    "PReLU of each element": LayerCase(lambda: gk.PReLU(()), (2, 3)),
    "MaxPool3D": LayerCase(gk.MaxPool3D, (4, 2, 5, 2), flops=4 * 2 * 5 * 2),
    "MaxPool3D overlapping": LayerCase(
        lambda: gk.MaxPool3D(3, 2, padding=(1, 2, 1), dilation=(1, 1, 2), ceil_mode=True),
        (4, 3, 5, 1),
    ),
    "AvgPool3D": LayerCase(lambda: gk.AvgPool3D((2, 1, 2)), (4, 2, 5, 2)),
    "AvgPool3D overlapping": LayerCase(
        lambda: gk.AvgPool3D(3, 2, padding="same", count_include_pad=True, ceil_mode=True),
        (4, 3, 5, 1),
    ),
    "AvgPool3D with a divisor": LayerCase(
        lambda: gk.AvgPool3D(2, [1, 2, 1], dilation=[1, 2, 1], divisor_override=3), (4, 3, 2, 1)
    ),
    "AdaptiveAvgPool1D": LayerCase(lambda: gk.AdaptiveAvgPool1D(3), (7, 2), flops=14),
    "AdaptiveAvgPool2D": LayerCase(lambda: gk.AdaptiveAvgPool2D((3, None)), (5, 4, 2)),
    "AdaptiveAvgPool3D": LayerCase(lambda: gk.AdaptiveAvgPool3D(2), (3, 4, 2, 1)),
    "AdaptiveMaxPool1D": LayerCase(lambda: gk.AdaptiveMaxPool1D(9), (7, 2)),
    "AdaptiveMaxPool2D": LayerCase(lambda: gk.AdaptiveMaxPool2D([3, 2]), (5, 4, 2)),
    "AdaptiveMaxPool3D": LayerCase(lambda: gk.AdaptiveMaxPool3D(2), (3, 4, 2, 1)),
    "MaxUnpool2D": LayerCase(gk.MaxUnpool2D, ((2, 3, 2), (4, 6, 2))),
    "MaxUnpool2D with padding": LayerCase(
        lambda: gk.MaxUnpool2D(2, 2, padding=1, dilation=1), ((3, 3, 1), (4, 5, 1))
    ),
    "Conv3D": LayerCase(lambda: gk.Conv3D(3, 2), (3, 3, 4, 2), flops=2 * 2 * 3 * 3 * (2 * 16 + 1)),
    "Conv3D with all it takes": LayerCase(
        lambda: gk.Conv3D(
            *(4, (3, 2, 1)),
            stride=(2, 1, 2),
            padding=((1, 2), (1, 0), (0, 1)),
            dilation=(1, 2, 1),
            groups=2,
            activation="tanh",
        ),
        (4, 3, 3, 4),
    ),
    "Conv3D without bias": LayerCase(
        lambda: gk.Conv3D(2, [1, 2, 2], padding="same", use_bias=False, activation="gelu"),
        (2, 3, 2, 1),
    ),
    "Conv3DTranspose": LayerCase(lambda: gk.Conv3DTranspose(2, 2), (2, 2, 3, 2)),
    "Conv3DTranspose with all it takes": LayerCase(
        lambda: gk.Conv3DTranspose(
            *(4, (3, 2, 2)),
            stride=(2, 1, 2),
            padding=(1, 0, 1),
            output_padding=(1, 0, 1),
            dilation=(1, 2, 1),
            groups=2,
            activation="sigmoid",
        ),
        (2, 2, 2, 2),
    ),
}
