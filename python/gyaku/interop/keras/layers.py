"""Counterparts of Keras's layers: the layers of a configuration, and where its arrays go."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.keras.activations import LAYERS, activation_layers
from gyaku.interop.keras.composed import attention, multi_head_attention, unit_normalization
from gyaku.interop.keras.given import Given, inner
from gyaku.interop.keras.recurrent import RECURRENT, bidirectional, recurrent, rnn
from gyaku.interop.keras.windows import (
    adaptive_pool,
    conv,
    depthwise,
    global_pool,
    pool,
    separable,
    transposed,
)
from gyaku.layers import (
    Add,
    ArrayOperation,
    BatchNorm,
    Concatenate,
    Crop,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GroupNorm,
    Identity,
    LayerNorm,
    Masking,
    MatMul,
    Multiply,
    Normalization,
    Pad,
    Permute,
    PReLU,
    Rescaling,
    Reshape,
    RMSNorm,
    Subtract,
    TimeDistributed,
    Upsample,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.layers import Layer

__all__ = ["MAKERS", "counterparts"]

_NORMS = ("BatchNormalization", "GroupNormalization", "LayerNormalization")


def counterparts(given: Given) -> list[Any]:
    """Return the layers of a layer of Keras.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer or Model
        The layers; around one whose channels are the first axis, those that move this axis.

    Raises
    ------
    Unreadable
        If one of its options has no counterpart.
    """
    rank, make = len(given.shape), MAKERS[given.kind]
    first = given.get("data_format") == "channels_first"
    first |= given.kind in _NORMS and given.get("axis") in (1, [1])
    if not first and given.get("data_format") is not None:
        given.only(data_format="channels_last")
    if not first or rank < 2:
        return make(given)
    shape = (*given.shape[1:], given.shape[0])
    config: dict[str, Any] = {"data_format": "channels_last"}
    config |= {"axis": -1} if given.kind in _NORMS else {}
    moved = Given(given.kind, given.config | config, given.arrays, [shape], given.version)
    made = make(moved)
    given.arrays, given.placed, given.dropped = moved.arrays, moved.placed, moved.dropped
    is_row = given.kind == "Flatten" or ("Global" in given.kind and not given.get("keepdims"))
    back = [] if is_row else [Permute((rank, *range(1, rank)))]
    return [Permute((*range(2, rank + 1), 1)), *made, *back]


def _dense(given: Given) -> list[Layer]:
    activation, behind = given.inline()
    layer = Dense(given["units"], activation, use_bias=given.get("use_bias", True), name=given.name)
    return [layer, *behind]


def _check_axis(given: Given) -> None:
    axis = given.get("axis", -1)
    if not given.is_last(axis):
        given.refuse(f"has axis={axis}, here it is the last one")


def _batch_norm(given: Given) -> list[Layer]:
    _check_axis(given)
    given.only(renorm=False, synchronized=False)
    return [BatchNorm(1 - given["momentum"], **_scaled(given))]


def _layer_norm(given: Given) -> list[Layer]:
    given.only(rms_scaling=False)
    return [LayerNorm(axes=_last_axes(given), **_scaled(given))]


def _rms_norm(given: Given) -> list[Layer]:
    return [RMSNorm(given["epsilon"], axes=_last_axes(given), name=given.name)]


def _last_axes(given: Given) -> int:
    """Return the number of axes of a normalisation, which are the last ones."""
    axis, rank = given.get("axis", -1), len(given.shape)
    axes = sorted(n % (rank + 1) for n in (axis if isinstance(axis, list) else [axis]))
    if axes != [*range(rank + 1 - len(axes), rank + 1)] or len(axes) > rank:
        given.refuse(f"has axis={axis}, here it is the last one, or several last ones")
    return len(axes)


def _group_norm(given: Given) -> list[Layer]:
    _check_axis(given)
    groups = given.shape[-1] if given["groups"] == -1 else given["groups"]
    return [GroupNorm(groups, **_scaled(given))]


def _scaled(given: Given) -> dict[str, Any]:
    """Return the arguments that normalisations have in common."""
    parts = {"scale": given.get("scale", True), "shift": given.get("center", True)}
    return {"epsilon": given["epsilon"], "name": given.name, **parts}


def _embedding(given: Given) -> list[Layer]:
    options = {"mask_zero": given.get("mask_zero", False), "name": given.name}
    return [Embedding(given["input_dim"], given["output_dim"], **options)]


def _masking(given: Given) -> list[Layer]:
    if len(given.shape) != 2:
        given.refuse(f"takes steps of features, got samples of shape {given.shape}")
    return [Masking(given["mask_value"], name=given.name)]


def _time_distributed(given: Given) -> list[Layer]:
    part = inner(given, "layer", given.shape[1:])
    if part.kind not in MAKERS:
        given.refuse(f"holds a {part.kind}, which has no counterpart")
    part.arrays = given.arrays
    made = counterparts(part)
    arrays = part.arrays_of(made)
    layers: list[Layer] = []
    for each in made:
        layers.append(TimeDistributed(each))
        if id(each) in arrays:
            given.placed.append((layers[-1], arrays[id(each)]))
    layers[-1].name = given.name
    given.dropped += part.dropped
    return layers


def _rescaling(given: Given) -> list[Layer]:
    scale, offset = given["scale"], given.get("offset", 0.0)
    if isinstance(scale, list) or isinstance(offset, list):
        deviation = 1 / np.asarray(scale, np.float64)
        mean = -np.asarray(offset, np.float64) * deviation
        return [_normalization_by(given, mean, np.broadcast_to(deviation, mean.shape))]
    return [Rescaling(scale, offset, name=given.name)]


def _normalization(given: Given) -> list[Layer]:
    if given.get("axis", -1) not in (None, []):
        _check_axis(given)
    arrays = [given.get("mean"), given.get("variance")]
    if arrays[0] is None:
        arrays, given.arrays = list(given.arrays[:2]), []
    if len(arrays) != 2 or any(each is None for each in arrays):
        given.refuse("lacks its mean or variance")
    mean, variance = (np.asarray(each, np.float64).reshape(-1) for each in arrays)
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    if given.get("invert", False):
        mean, deviation = -mean / deviation, 1 / deviation
    return [_normalization_by(given, mean, deviation)]


def _normalization_by(given: Given, mean: Any, deviation: Any) -> Layer:
    if mean.size == 1:
        return Normalization(float(mean.ravel()[0]), float(deviation.ravel()[0]), name=given.name)
    return Normalization(mean.tolist(), deviation.tolist(), name=given.name)


def _pad(given: Given) -> list[Layer]:
    return [Pad(given["padding"], name=given.name)]


def _crop(given: Given) -> list[Layer]:
    return [Crop(given["cropping"], name=given.name)]


def _mode(given: Given, kind: str, nearest: str) -> str:
    """Return the name of an interpolation."""
    mode = {"bilinear": "linear", "nearest": nearest}.get(kind)
    if mode is None:
        given.refuse(f"has interpolation={kind!r}, which has no counterpart")
    return mode


def _upsample(given: Given) -> list[Layer]:
    mode = _mode(given, given.get("interpolation", "nearest"), "nearest")
    return [Upsample(given["size"], mode=mode, name=given.name)]


def _repeated(given: Given) -> list[Layer]:
    return [Reshape((1, -1)), Upsample(given["n"], name=given.name)]


def _resizing(given: Given) -> list[Layer]:
    given.only(crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, antialias=False)
    mode = _mode(given, given["interpolation"], "nearest-exact")
    return [Upsample(size=[given["height"], given["width"]], mode=mode, name=given.name)]


def _centre(given: Given) -> list[Layer]:
    more = [n - given[side] for n, side in zip(given.shape, ("height", "width"), strict=False)]
    if min(more) < 0:
        given.refuse("enlarges images smaller than its output, which has no counterpart")
    return [Crop([(n // 2, n - n // 2) for n in more], name=given.name)]


def _plain(kind: type[Layer]) -> Callable[[Given], list[Layer]]:
    return lambda given: [kind(name=given.name)]


def _average(given: Given) -> list[Layer]:
    return [Add(), Rescaling(1 / len(given.shapes), name=given.name)]


def _extreme(given: Given) -> list[Layer]:
    return [ArrayOperation(given.kind.lower(), name=given.name)]


def _dot(given: Given) -> list[Layer]:
    given.only(normalize=False)
    ranks = [len(each) for each in given.shapes]
    axes = given["axes"] if isinstance(given["axes"], list) else [given["axes"]] * 2
    a, b = (axis % (rank + 1) for axis, rank in zip(axes, ranks, strict=True))
    if ranks == [1, 1]:
        return [Multiply(), ArrayOperation("sum", {"axes": [1], "keepdims": True}, name=given.name)]
    if ranks != [2, 2]:
        given.refuse(f"multiplies samples of shapes {given.shapes[0]} and {given.shapes[1]}")
    return [MatMul(transpose_a=a == 1, transpose_b=b == 2, name=given.name)]


def _einsum_dense(given: Given) -> list[Layer]:
    """Return a dense layer on the last axis, and the axes of its units."""
    equation = given["equation"].replace(" ", "")
    left, _, result = equation.partition("->")
    x, _, kernel = left.partition(",")
    units, before = kernel[1:], x[:-1]
    bias = given.get("bias_axes")
    plain = kernel[:1] == x[-1:] and result == before + units and bias in (None, units)
    if not (plain and before and units):
        given.refuse(f"computes {equation}, and not the product of the last axis and a matrix")
    if not given.arrays or given.arrays[0].ndim != len(kernel):
        given.refuse(f"lacks a kernel of {len(kernel)} axes")
    matrix, *rows = given.arrays
    activation, behind = given.inline()
    size = math.prod(matrix.shape[1:])
    layer = Dense(size, activation, use_bias=bias is not None, name=given.name)
    given.placed.append((layer, [matrix.reshape(-1, size), *(each.reshape(-1) for each in rows)]))
    split = [Reshape((*given.shape[:-1], *matrix.shape[1:]))] if len(units) > 1 else []
    return [layer, *split, *behind]


def _prelu(given: Given) -> list[Layer]:
    shared = given.get("shared_axes") or ()
    return [PReLU(shared, name=given.name)]


def _reshape(given: Given) -> list[Layer]:
    return [Reshape(given["target_shape"], name=given.name)]


def _dropout(given: Given) -> list[Layer]:
    given.leave_out("noise_shape")
    return [Dropout(given["rate"], name=given.name)]


def _in_training(given: Given) -> list[Layer]:
    given.dropped.append(given.kind)
    return [Identity(name=given.name)]


def _activation(given: Given) -> list[Layer]:
    made = activation_layers(given.get("activation"), given.version) or [Identity()]
    made[-1].name = given.name
    return made


def _activation_layer(given: Given) -> list[Layer]:
    config = given.config
    if given.kind == "Softmax" and given.is_last(given.get("axis", -1)):
        config = {}
    made = LAYERS[given.kind](config)
    made[-1].name = given.name
    return made


def _code(given: Given) -> list[Layer]:
    given.refuse("is code of Python, which is never run")


def _of_each_rank(
    kind: str, make: Callable[[Given], list[Layer]]
) -> dict[str, Callable[[Given], list[Layer]]]:
    return {f"{kind}{axes}D": make for axes in (1, 2, 3)}


_IN_TRAINING = (
    *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise", "AlphaDropout"),
    *("GaussianDropout", "ActivityRegularization", "AugMix", "CutMix", "MixUp", "RandAugment"),
    *("RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast"),
    *("RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur"),
    *("RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization"),
    *("RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation"),
    "RandomZoom",
)
MAKERS: dict[str, Callable[[Given], list[Any]]] = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), conv),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), transposed),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), separable),
    **_of_each_rank("MaxPooling", pool),
    **_of_each_rank("AveragePooling", pool),
    **_of_each_rank("AdaptiveMaxPooling", adaptive_pool),
    **_of_each_rank("AdaptiveAveragePooling", adaptive_pool),
    **_of_each_rank("GlobalMaxPooling", global_pool),
    **_of_each_rank("GlobalAveragePooling", global_pool),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "RMSNormalization": _rms_norm,
    "Embedding": _embedding,
    "Masking": _masking,
    **dict.fromkeys(RECURRENT, recurrent),
    "Attention": attention,
    "MultiHeadAttention": multi_head_attention,
    "UnitNormalization": unit_normalization,
    "RNN": rnn,
    "Bidirectional": bidirectional,
    "TimeDistributed": _time_distributed,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Flatten": _plain(Flatten),
    "Reshape": _reshape,
    "Dropout": _dropout,
    "Activation": _activation,
    **dict.fromkeys(LAYERS, _activation_layer),
    "Identity": _plain(Identity),
    "Add": _plain(Add),
    "Subtract": _plain(Subtract),
    "Multiply": _plain(Multiply),
    "Average": _average,
    **dict.fromkeys(("Maximum", "Minimum"), _extreme),
    "Dot": _dot,
    **_of_each_rank("ZeroPadding", _pad),
    **_of_each_rank("Cropping", _crop),
    **_of_each_rank("UpSampling", _upsample),
    "RepeatVector": _repeated,
    "Resizing": _resizing,
    "CenterCrop": _centre,
    "Permute": lambda given: [Permute(given["dims"], name=given.name)],
    "PReLU": _prelu,
    "Concatenate": lambda given: [Concatenate(given.get("axis", -1), name=given.name)],
    **dict.fromkeys(_IN_TRAINING, _in_training),
    "Lambda": _code,
}
"""Functions from a layer of Keras to layers, or a model of several, by its class."""
