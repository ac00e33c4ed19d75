"""Descriptions of layers as Keras keeps them: class and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.keras.activations import NAMES, SLOPES
from gyaku.interop.keras.describe_windows import adaptive, conv, pool, transposed
from gyaku.interop.keras.kinds import kind_of, refused
from gyaku.layers import (
    CELU,
    ELU,
    GRU,
    LSTM,
    AdaptiveAvgPool1D,
    AdaptiveAvgPool2D,
    AdaptiveAvgPool3D,
    AdaptiveMaxPool1D,
    AdaptiveMaxPool2D,
    AdaptiveMaxPool3D,
    Add,
    ArrayOperation,
    AvgPool2D,
    AvgPool3D,
    BatchNorm,
    Bidirectional,
    Concatenate,
    Conv2DTranspose,
    Conv3DTranspose,
    Crop,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    Masking,
    MatMul,
    MaxPool2D,
    MaxPool3D,
    Multiply,
    Normalization,
    Pad,
    Permute,
    PReLU,
    Rescaling,
    Reshape,
    RMSNorm,
    SimpleRNN,
    Softmax,
    Subtract,
    TimeDistributed,
    Upsample,
)
from gyaku.layers.activation import Activation
from gyaku.layers.conv import Convolution
from gyaku.layers.recurrence import Recurrent
from gyaku.layers.weighted import Weighted
from gyaku.windows import margins

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.layers import Layer

    Options = dict[str, Any]
    Description = tuple[str, Options]

__all__ = ["chain_of"]

_NAMES = {cls: name for name, cls in NAMES.items()} | {Identity: "linear"}
_RECURRENT = {"identity": "linear"}


def chain_of(layer: Layer, shape: tuple[int, ...]) -> list[Description]:
    """Return the layers of Keras that do what a layer does.

    Parameters
    ----------
    layer : Layer
        The layer, built.
    shape : tuple of int
        Shape of a sample of its first input.

    Returns
    -------
    list of (str, dict)
        Class and arguments of each, without the name; that with the weights is of `kind_of`.

    Raises
    ------
    ValueError
        If the layer, or one of its options, has no counterpart.
    """
    describe = next((_LAYERS[cls] for cls in type(layer).__mro__ if cls in _LAYERS), None)
    if describe is None:
        raise refused(layer, f"Keras has no counterpart of {layer!r}")
    found = describe(layer, shape)
    if isinstance(layer, Weighted) and layer.applied is not None:
        name = _function(layer.applied)
        if name:
            owner = next(options for kind, options in found if kind == kind_of(layer))
            owner["activation"] = name
        else:
            found += _activation(layer.applied, shape)
    return found


def _function(activation: Activation) -> str:
    """Return the name of an activation in Keras, "" if it is a layer alone."""
    for name, (cls, alpha) in SLOPES.items():
        if isinstance(activation, cls):
            return name if activation.alpha == alpha else ""
    plain = activation.options == type(activation)().options
    return _NAMES.get(type(activation), "") if plain else ""


def _activation(layer: Any, _: tuple[int, ...]) -> list[Description]:
    if name := _function(layer):
        return [("Activation", {"activation": name})]
    if isinstance(layer, LeakyReLU):
        return [("LeakyReLU", {"negative_slope": layer.alpha})]
    if isinstance(layer, ELU):
        return [("ELU", {"alpha": layer.alpha})]
    if isinstance(layer, Softmax):
        return [("Softmax", {"axis": layer.axis})]
    if isinstance(layer, CELU):
        raise refused(layer, f"Keras has CELU with an alpha of 1 alone, got {layer.alpha}")
    raise refused(layer, f"Keras has no counterpart of {layer!r}")


def _dense(layer: Any, _: tuple[int, ...]) -> list[Description]:
    return [("Dense", {"units": layer.units, "use_bias": layer.use_bias})]


def _batch_norm(layer: Any, _: tuple[int, ...]) -> list[Description]:
    if layer.momentum is None or not layer.track_running_stats:
        raise refused(layer, "Keras's keeps running statistics by a momentum")
    return [("BatchNormalization", {"momentum": 1 - layer.momentum, **_scaled(layer)})]


def _layer_norm(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    return [("LayerNormalization", _scaled(layer) | _last_axes(layer, shape))]


def _rms_norm(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    if not layer.scale:
        raise refused(layer, "Keras's has a scale")
    options = {"epsilon": layer.epsilon, **_last_axes(layer, shape)}
    return [("RMSNormalization", options)]


def _last_axes(layer: Any, shape: tuple[int, ...]) -> Options:
    rank = len(shape)
    return {"axis": -1 if layer.axes == 1 else [*range(rank + 1 - layer.axes, rank + 1)]}


def _group_norm(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    groups = shape[-1] if isinstance(layer, InstanceNorm) else layer.groups
    return [("GroupNormalization", {"groups": groups, **_scaled(layer)})]


def _scaled(layer: Any) -> Options:
    """Return the arguments that normalisations have in common."""
    return {"axis": -1, "epsilon": layer.epsilon, "scale": layer.scale, "center": layer.shift}


def _embedding(layer: Any, _: tuple[int, ...]) -> list[Description]:
    options = {"input_dim": layer.vocabulary_size, "output_dim": layer.units}
    return [("Embedding", options | {"mask_zero": layer.mask_zero})]


def _recurrent(layer: Any, _: tuple[int, ...]) -> list[Description]:
    if isinstance(layer, LSTM) and (layer.peepholes or layer.projection):
        raise refused(layer, "Keras's has no peepholes and no projection")
    if layer.clip is not None or layer.stateful:
        raise refused(layer, "Keras's has no clip, and no states carried without a size of batches")
    if layer.go_backwards and layer.return_sequences:
        raise refused(layer, "Keras leaves the steps of a layer that goes backwards reversed")
    names = ("units", "return_sequences", "return_state", "go_backwards", "use_bias")
    options: Options = {name: getattr(layer, name) for name in names}
    single = isinstance(layer, SimpleRNN)
    functions = (layer.activation,) if single else tuple(layer.activations)
    if "leaky_relu" in functions or len(set(functions[1:])) > 1:
        raise refused(layer, f"Keras's has no activations {', '.join(functions)}")
    options["activation"] = _RECURRENT.get(functions[-1], functions[-1])
    if len(functions) > 1:
        options["recurrent_activation"] = _RECURRENT.get(functions[0], functions[0])
    if isinstance(layer, GRU):
        options["reset_after"] = layer.reset_after
    # Keras repeats the output of the last real step otherwise.
    return [(kind_of(layer), options | {"zero_output_for_mask": layer.return_sequences})]


def _wrapped(layer: Any, part: Any, shape: tuple[int, ...]) -> Options:
    """Return the description of a layer within a layer."""
    found = chain_of(part, shape)
    if len(found) != 1:
        raise refused(layer, f"Keras needs {len(found)} layers for {part!r}")
    kind, options = found[0]
    name = part.name or "part"
    config = {"name": name, "trainable": layer.trainable, **options}
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


def _bidirectional(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    if len(layer.input_shapes) > 1:
        raise refused(layer, "initial states of both directions are not written")
    forward = _wrapped(layer, layer.layer, shape)
    return [("Bidirectional", {"layer": forward, "merge_mode": layer.merge})]


def _time_distributed(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    return [("TimeDistributed", {"layer": _wrapped(layer, layer._part, shape[1:])})]


def _normalization(layer: Any, _: tuple[int, ...]) -> list[Description]:
    deviation = np.asarray(layer.std, np.float64)
    variance = np.square(np.where(deviation == 0, 1, deviation)).tolist()
    mean = np.asarray(layer.mean, np.float64).tolist()
    return [("Normalization", {"axis": -1, "mean": mean, "variance": variance})]


def _dropout(layer: Any, _: tuple[int, ...]) -> list[Description]:
    if layer.scaled != "training":
        raise refused(layer, f"Keras's scales in training, not in {layer.scaled}")
    return [("Dropout", {"rate": layer.rate})]


def _pad(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    if layer.mode not in ("constant", "zeros") or layer.value:
        raise refused(layer, "Keras pads with zeros alone")
    return _edges("ZeroPadding", "padding", layer, layer.padding, shape)


def _crop(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    return _edges("Cropping", "cropping", layer, layer.cropping, shape)


def _edges(
    kind: str, option: str, layer: Layer, given: Any, shape: tuple[int, ...]
) -> list[Description]:
    axes = len(shape) - 1
    if axes not in (1, 2, 3):
        raise refused(layer, f"Keras has no counterpart for samples of shape {shape}")
    pairs = margins(str(layer), given, axes)
    return [(f"{kind}{axes}D", {option: pairs[0] if axes == 1 else pairs})]


def _prelu(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    slopes = layer.params["alpha"].shape
    shared = [axis for axis, n in enumerate(slopes, 1) if n == 1 != shape[axis - 1]]
    return [("PReLU", {"shared_axes": shared or None})]


def _upsample(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    axes, factor = len(shape) - 1, 2 if layer.scale is None else layer.scale
    factors = list(factor) if isinstance(factor, tuple) else [factor] * axes
    whole = layer.size is None and all(each == int(each) for each in factors)
    linear = layer.mode in ("linear", "bilinear") and axes == 2 and not layer.align_corners
    if axes in (1, 3) and whole and layer.mode == "nearest":
        sizes = [*map(int, factors)]
        return [(f"UpSampling{axes}D", {"size": sizes if axes > 1 else sizes[0]})]
    if axes == 2 and whole and (linear or layer.mode == "nearest"):
        mode = "bilinear" if linear else "nearest"
        return [("UpSampling2D", {"size": [*map(int, factors)], "interpolation": mode})]
    if axes == 2 and (linear or layer.mode == "nearest-exact"):
        height, width, _ = layer.output_shape
        mode = "bilinear" if linear else "nearest"
        return [("Resizing", {"height": height, "width": width, "interpolation": mode})]
    raise refused(layer, "Keras upsamples by whole factors, to the nearest element or bilinearly")


def _product(layer: Any, _: tuple[int, ...]) -> list[Description]:
    if [len(each) for each in layer.input_shapes] != [2, 2]:
        raise refused(layer, "Keras's Dot multiplies matrices alone")
    axes = [1 if layer.transpose_a else 2, 2 if layer.transpose_b else 1]
    scale = [("Rescaling", {"scale": layer.scale, "offset": 0.0})] if layer.scale != 1 else []
    return [("Dot", {"axes": axes}), *scale]


def _array_operation(layer: Any, _: tuple[int, ...]) -> list[Description]:
    if layer.operation not in ("maximum", "minimum") or layer.constants:
        raise refused(layer, f"Keras has no counterpart of {layer!r}")
    return [(layer.operation.capitalize(), {})]


def _simple(kind: str, **names: str) -> Callable[[Any, tuple[int, ...]], list[Description]]:
    def described(layer: Any, _: tuple[int, ...]) -> list[Description]:
        return [(kind, {theirs: getattr(layer, ours) for theirs, ours in names.items()})]

    return described


_LAYERS: dict[type[Layer], Callable[[Any, tuple[int, ...]], list[Description]]] = {
    Activation: _activation,
    Dense: _dense,
    Convolution: conv,
    **dict.fromkeys((Conv2DTranspose, Conv3DTranspose), transposed),
    **dict.fromkeys((MaxPool2D, MaxPool3D), pool("MaxPooling")),
    **dict.fromkeys((AvgPool2D, AvgPool3D), pool("AveragePooling")),
    **dict.fromkeys((AdaptiveAvgPool1D, AdaptiveAvgPool2D, AdaptiveAvgPool3D), adaptive("Average")),
    **dict.fromkeys((AdaptiveMaxPool1D, AdaptiveMaxPool2D, AdaptiveMaxPool3D), adaptive("Max")),
    GlobalAvgPool2D: _simple("GlobalAveragePooling2D"),
    GlobalMaxPool2D: _simple("GlobalMaxPooling2D"),
    BatchNorm: _batch_norm,
    LayerNorm: _layer_norm,
    GroupNorm: _group_norm,
    RMSNorm: _rms_norm,
    Embedding: _embedding,
    Masking: _simple("Masking", mask_value="value"),
    MatMul: _product,
    ArrayOperation: _array_operation,
    Recurrent: _recurrent,
    Bidirectional: _bidirectional,
    TimeDistributed: _time_distributed,
    Normalization: _normalization,
    Rescaling: _simple("Rescaling", scale="scale", offset="offset"),
    Flatten: _simple("Flatten"),
    Reshape: _simple("Reshape", target_shape="output_shape"),
    Dropout: _dropout,
    Add: _simple("Add"),
    Subtract: _simple("Subtract"),
    Multiply: _simple("Multiply"),
    Concatenate: _simple("Concatenate", axis="axis"),
    Pad: _pad,
    Crop: _crop,
    Permute: _simple("Permute", dims="axes"),
    PReLU: _prelu,
    Upsample: _upsample,
}
