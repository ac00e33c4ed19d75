"""Counterparts of Keras's layers: the layers of a configuration, and where its arrays go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.keras.activations import LAYERS, activation_layers
from gyaku.interop.keras.given import Given, inner
from gyaku.interop.keras.recurrent import RECURRENT, bidirectional, recurrent
from gyaku.interop.keras.windows import conv, depthwise, global_pool, pool, separable, transposed
from gyaku.layers import (
    Add,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Concatenate,
    Conv1D,
    Conv2D,
    Crop,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    Identity,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
    Multiply,
    Normalization,
    Pad,
    Permute,
    PReLU,
    Rescaling,
    Reshape,
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


def counterparts(given: Given) -> list[Layer]:
    """Return the layers of a layer of Keras.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers; around one whose channels are the first axis, those that move this axis.

    Raises
    ------
    Unreadable
        If one of its options has no counterpart.
    """
    rank, make = len(given.shape), MAKERS[given.kind]
    first = given.get("data_format") == "channels_first"
    first |= given.kind in _NORMS and given.get("axis") in (1, [1])
    if not first or rank < 2:
        return make(given)
    moved = Given(given.kind, dict(given.config), given.arrays, given.shape, given.version)
    moved.config["data_format"], moved.shape = "channels_last", (*given.shape[1:], given.shape[0])
    moved.config |= {"axis": -1} if given.kind in _NORMS else {}
    made = make(moved)
    given.arrays, given.placed, given.dropped = moved.arrays, moved.placed, moved.dropped
    is_row = given.kind == "Flatten" or ("Global" in given.kind and not given.get("keepdims"))
    back = [] if is_row else [Permute((rank, *range(1, rank)))]
    return [Permute((*range(2, rank + 1), 1)), *made, *back]


def _dense(given: Given) -> list[Layer]:
    activation, behind = given.inline()
    layer = Dense(given["units"], activation, use_bias=given.get("use_bias", True), name=given.name)
    return [layer, *behind]


def _batch_norm(given: Given) -> list[Layer]:
    if not given.is_last(given.get("axis", -1)):
        given.refuse(f"has axis={given['axis']}, here it is the last one")
    given.only(renorm=False, synchronized=False)
    return [BatchNorm(1 - given["momentum"], **_scaled(given))]


def _layer_norm(given: Given) -> list[Layer]:
    if not given.is_last(given.get("axis", -1)):
        given.refuse(f"has axis={given['axis']}, here it is the last one")
    given.only(rms_scaling=False)
    return [LayerNorm(**_scaled(given))]


def _group_norm(given: Given) -> list[Layer]:
    if not given.is_last(given.get("axis", -1)):
        given.refuse(f"has axis={given['axis']}, here it is the last one")
    groups = given.shape[-1] if given["groups"] == -1 else given["groups"]
    return [GroupNorm(groups, **_scaled(given))]


def _scaled(given: Given) -> dict[str, Any]:
    """Return the arguments that normalisations have in common."""
    parts = {"scale": given.get("scale", True), "shift": given.get("center", True)}
    return {"epsilon": given["epsilon"], "name": given.name, **parts}


def _embedding(given: Given) -> list[Layer]:
    options = {"mask_zero": given.get("mask_zero", False), "name": given.name}
    return [Embedding(given["input_dim"], given["output_dim"], **options)]


def _time_distributed(given: Given) -> list[Layer]:
    part = inner(given, "layer")
    if part.kind not in MAKERS:
        given.refuse(f"holds a {part.kind}, which has no counterpart")
    part.shape, part.arrays = given.shape[1:], given.arrays
    made = MAKERS[part.kind](part)
    if len(made) != 1:
        given.refuse(f"holds a {part.kind} that takes several layers here")
    arrays = part.placed[0][1] if part.placed else part.arrays
    layer = TimeDistributed(made[0], name=given.name)
    given.placed.append((layer, arrays))
    given.dropped += part.dropped
    return [layer]


def _rescaling(given: Given) -> list[Layer]:
    scale, offset = given["scale"], given.get("offset", 0.0)
    if isinstance(scale, list) or isinstance(offset, list):
        deviation = 1 / np.asarray(scale, np.float64)
        mean = -np.asarray(offset, np.float64) * deviation
        return [_normalization_by(given, mean, np.broadcast_to(deviation, mean.shape))]
    return [Rescaling(scale, offset, name=given.name)]


def _normalization(given: Given) -> list[Layer]:
    axis = given.get("axis", -1)
    if axis not in (None, []) and not given.is_last(axis):
        given.refuse(f"has axis={axis}, here it is the last one")
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
    given.only(data_format="channels_last")
    return [Pad(given["padding"], name=given.name)]


def _crop(given: Given) -> list[Layer]:
    given.only(data_format="channels_last")
    return [Crop(given["cropping"], name=given.name)]


def _upsample(given: Given) -> list[Layer]:
    given.only(data_format="channels_last")
    mode = {"nearest": "nearest", "bilinear": "linear"}.get(given.get("interpolation", "nearest"))
    if mode is None:
        given.refuse(f"has interpolation={given['interpolation']!r}, which has no counterpart")
    return [Upsample(given["size"], mode=mode, name=given.name)]


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


MAKERS: dict[str, Callable[[Given], list[Layer]]] = {
    "Dense": _dense,
    "Conv1D": conv(Conv1D),
    "Conv2D": conv(Conv2D),
    "Conv2DTranspose": transposed,
    "DepthwiseConv1D": depthwise,
    "DepthwiseConv2D": depthwise,
    "SeparableConv1D": separable,
    "SeparableConv2D": separable,
    "MaxPooling1D": pool(MaxPool1D),
    "MaxPooling2D": pool(MaxPool2D),
    "AveragePooling1D": pool(AvgPool1D),
    "AveragePooling2D": pool(AvgPool2D),
    "GlobalAveragePooling1D": global_pool(GlobalAvgPool2D),
    "GlobalAveragePooling2D": global_pool(GlobalAvgPool2D),
    "GlobalMaxPooling1D": global_pool(GlobalMaxPool2D),
    "GlobalMaxPooling2D": global_pool(GlobalMaxPool2D),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "Embedding": _embedding,
    **dict.fromkeys(RECURRENT, recurrent),
    "Bidirectional": bidirectional,
    "TimeDistributed": _time_distributed,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Flatten": lambda given: [Flatten(name=given.name)],
    "Reshape": _reshape,
    "Dropout": _dropout,
    "Activation": _activation,
    **dict.fromkeys(LAYERS, _activation_layer),
    "Identity": lambda given: [Identity(name=given.name)],
    "Add": lambda given: [Add(name=given.name)],
    "Subtract": lambda given: [Subtract(name=given.name)],
    "Multiply": lambda given: [Multiply(name=given.name)],
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _pad),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), _crop),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), _upsample),
    "Permute": lambda given: [Permute(given["dims"], name=given.name)],
    "PReLU": _prelu,
    "Concatenate": lambda given: [Concatenate(given.get("axis", -1), name=given.name)],
    **dict.fromkeys(
        (
            *("SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout"),
            *("AlphaDropout", "ActivityRegularization", "RandomFlip", "RandomRotation"),
            *("RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness"),
        ),
        _in_training,
    ),
    "Lambda": _code,
}
"""Functions from a layer of Keras to layers, by its class."""
