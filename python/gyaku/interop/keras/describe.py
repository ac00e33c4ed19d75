"""Descriptions of layers as Keras keeps them: class and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.keras.activations import NAMES, SLOPES
from gyaku.layers import (
    CELU,
    ELU,
    GRU,
    LSTM,
    Add,
    AvgPool2D,
    BatchNorm,
    Bidirectional,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Crop,
    Dense,
    DepthwiseConv2D,
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
    MaxPool2D,
    Multiply,
    Normalization,
    Pad,
    Permute,
    PReLU,
    Rescaling,
    Reshape,
    SimpleRNN,
    Subtract,
    TimeDistributed,
    Upsample,
)
from gyaku.layers.activation import Activation
from gyaku.layers.recurrence import Recurrent
from gyaku.layers.weighted import Weighted
from gyaku.windows import margins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from gyaku.layers import Layer
    from gyaku.windows import Axis

    Options = dict[str, Any]
    Description = tuple[str, Options]

__all__ = ["chain_of", "kind_of"]

_NAMES = {cls: name for name, cls in NAMES.items()} | {Identity: "linear"}
_RECURRENT = {"identity": "linear"}
_KINDS: dict[type[Layer], str] = {
    Dense: "Dense", Conv1D: "Conv1D", Conv2D: "Conv2D", Conv2DTranspose: "Conv2DTranspose",
    DepthwiseConv2D: "DepthwiseConv2D", BatchNorm: "BatchNormalization",
    LayerNorm: "LayerNormalization", GroupNorm: "GroupNormalization",
    InstanceNorm: "GroupNormalization", Embedding: "Embedding", SimpleRNN: "SimpleRNN",
    LSTM: "LSTM", GRU: "GRU", Bidirectional: "Bidirectional", TimeDistributed: "TimeDistributed",
    PReLU: "PReLU",
}  # fmt: skip
"""Layers with weights, by the class of Keras."""


def kind_of(layer: Layer) -> str:
    """Return the class in Keras of a layer that has weights.

    Parameters
    ----------
    layer : Layer
        The layer.

    Returns
    -------
    str
        The class, "" if there is none.
    """
    return _KINDS.get(type(layer), "")


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
        _refuse(layer, f"Keras has no counterpart of {layer!r}")
    found = describe(layer, shape)
    if isinstance(layer, Weighted) and layer.applied is not None:
        name = _function(layer.applied)
        if name:
            owner = next(options for kind, options in found if kind == kind_of(layer))
            owner["activation"] = name
        else:
            found += _activation(layer.applied, shape)
    return found


def _refuse(layer: Layer, reason: str) -> NoReturn:
    raise ValueError(f"to_keras: {layer}: {reason}")


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
    if isinstance(layer, CELU):
        _refuse(layer, f"Keras has CELU with an alpha of 1 alone, got {layer.alpha}")
    _refuse(layer, f"Keras has no counterpart of {layer!r}")


def _dense(layer: Any, _: tuple[int, ...]) -> list[Description]:
    return [("Dense", {"units": layer.units, "use_bias": layer.use_bias})]


def _conv(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    axes: Sequence[Axis] = layer.axes
    options: Options = {
        "kernel_size": [axis.taps for axis in axes],
        "strides": [axis.stride for axis in axes],
        "dilation_rate": [axis.dilation for axis in axes],
        "use_bias": layer.use_bias,
    }
    if isinstance(layer, DepthwiseConv2D):
        options["depth_multiplier"] = layer.multiplier
    else:
        options |= {"filters": layer.filters, "groups": layer.groups}
    kind = kind_of(layer)
    if len(axes) == 1 and not isinstance(layer, Conv1D):
        _refuse(layer, "Keras has no such convolution of one axis")
    if padding := _padding(axes):
        return [(kind, options | {"padding": padding})]
    if len(axes) == 1 and (axes[0].before, axes[0].after) == (_reach(axes[0]) - 1, 0):
        return [(kind, options | {"padding": "causal"})]
    around = [[axis.before, axis.after] for axis in axes]
    zeros = (
        ("ZeroPadding2D", {"padding": around})
        if len(axes) == 2
        else ("ZeroPadding1D", {"padding": around[0]})
    )
    return [zeros, (kind, options | {"padding": "valid"})]


def _reach(axis: Axis) -> int:
    return (axis.taps - 1) * axis.dilation + 1


def _padding(axes: Sequence[Axis]) -> str:
    """Return the name of a padding, "" if it has none."""
    if not any(axis.before or axis.after for axis in axes):
        return "valid"
    for axis in axes:
        outputs = -(-axis.size // axis.stride)
        total = max((outputs - 1) * axis.stride + _reach(axis) - axis.size, 0)
        if (axis.before, axis.after) != (total // 2, total - total // 2):
            return ""
    return "same"


def _transposed(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    if layer.groups > 1:
        _refuse(layer, "Keras's has no groups")
    options: Options = {
        "filters": layer.filters,
        "kernel_size": [axis.taps for axis in layer.axes],
        "strides": [axis.stride for axis in layer.axes],
        "dilation_rate": [axis.dilation for axis in layer.axes],
        "use_bias": layer.use_bias,
        "padding": "valid",
    }
    cuts = [[axis.before, axis.after] for axis in layer.axes]
    wanted = [max(_reach(axis) - axis.stride, 0) for axis in layer.axes]
    if cuts == [[total // 2, total - total // 2] for total in wanted] and all(
        axis.size == n * axis.stride for axis, n in zip(layer.axes, shape, strict=False)
    ):
        return [("Conv2DTranspose", options | {"padding": "same"})]
    extra = [
        axis.size + sum(cut) - (n - 1) * axis.stride - _reach(axis)
        for axis, cut, n in zip(layer.axes, cuts, shape, strict=False)
    ]
    options["output_padding"] = extra
    made: list[Description] = [("Conv2DTranspose", options)]
    return [*made, ("Cropping2D", {"cropping": cuts})] if any(map(any, cuts)) else made


def _pool(kind: str) -> Callable[[Any, tuple[int, ...]], list[Description]]:
    def described(layer: Any, _: tuple[int, ...]) -> list[Description]:
        axes: Sequence[Axis] = layer.axes
        options = {
            "pool_size": [axis.taps for axis in axes],
            "strides": [axis.stride for axis in axes],
        }
        padding = _padding(axes)
        if any(axis.dilation > 1 for axis in axes):
            _refuse(layer, "Keras's poolings have no dilation")
        inside = all(
            (axis.windows - 1) * axis.stride + axis.taps <= axis.before + axis.size + axis.after
            for axis in axes
        )
        if (
            not padding
            or not inside
            or (padding == "same" and getattr(layer, "count_include_pad", False))
        ):
            _refuse(layer, "Keras's poolings are padded by 'same' or not at all")
        return [(f"{kind}{len(axes)}D", options | {"padding": padding})]

    return described


def _batch_norm(layer: Any, _: tuple[int, ...]) -> list[Description]:
    if layer.momentum is None or not layer.track_running_stats:
        _refuse(layer, "Keras's keeps running statistics by a momentum")
    return [("BatchNormalization", {"momentum": 1 - layer.momentum, **_scaled(layer)})]


def _layer_norm(layer: Any, _: tuple[int, ...]) -> list[Description]:
    if layer.axes > 1:
        _refuse(layer, f"Keras's has a scale for each element of {layer.axes} axes")
    return [("LayerNormalization", _scaled(layer))]


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
        _refuse(layer, "Keras's has no peepholes and no projection")
    if layer.clip is not None or layer.stateful:
        _refuse(layer, "Keras's has no clip, and no states carried without a size of batches")
    if layer.go_backwards and layer.return_sequences:
        _refuse(layer, "Keras leaves the steps of a layer that goes backwards reversed")
    names = ("units", "return_sequences", "return_state", "go_backwards", "use_bias")
    options: Options = {name: getattr(layer, name) for name in names}
    single = isinstance(layer, SimpleRNN)
    functions = (layer.activation,) if single else tuple(layer.activations)
    if "leaky_relu" in functions or len(set(functions[1:])) > 1:
        _refuse(layer, f"Keras's has no activations {', '.join(functions)}")
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
        _refuse(layer, f"Keras needs {len(found)} layers for {part!r}")
    kind, options = found[0]
    name = part.name or "part"
    config = {"name": name, "trainable": layer.trainable, **options}
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


def _bidirectional(layer: Any, shape: tuple[int, ...]) -> list[Description]:
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
        _refuse(layer, f"Keras's scales in training, not in {layer.scaled}")
    return [("Dropout", {"rate": layer.rate})]


def _pad(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    if layer.mode not in ("constant", "zeros") or layer.value:
        _refuse(layer, "Keras pads with zeros alone")
    return _edges("ZeroPadding", "padding", layer, layer.padding, shape)


def _crop(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    return _edges("Cropping", "cropping", layer, layer.cropping, shape)


def _edges(
    kind: str, option: str, layer: Layer, given: Any, shape: tuple[int, ...]
) -> list[Description]:
    axes = len(shape) - 1
    if axes not in (1, 2):
        _refuse(layer, f"Keras has no counterpart for samples of shape {shape}")
    pairs = margins(str(layer), given, axes)
    return [(f"{kind}{axes}D", {option: pairs[0] if axes == 1 else pairs})]


def _prelu(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    slopes = layer.params["alpha"].shape
    shared = [axis for axis, n in enumerate(slopes, 1) if n == 1 != shape[axis - 1]]
    return [("PReLU", {"shared_axes": shared or None})]


def _upsample(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    axes, factor = len(shape) - 1, 2 if layer.scale is None else layer.scale
    factors = list(factor) if isinstance(factor, tuple) else [factor] * axes
    whole = axes in (1, 2) and layer.size is None and all(each == int(each) for each in factors)
    linear = layer.mode in ("linear", "bilinear") and axes == 2 and not layer.align_corners
    if not whole or not (layer.mode == "nearest" or linear):
        _refuse(layer, "Keras upsamples by whole factors, to the nearest element or bilinearly")
    if axes == 1:
        return [("UpSampling1D", {"size": int(factors[0])})]
    mode = "bilinear" if linear else "nearest"
    return [("UpSampling2D", {"size": list(map(int, factors)), "interpolation": mode})]


def _simple(kind: str, **names: str) -> Callable[[Any, tuple[int, ...]], list[Description]]:
    def described(layer: Any, _: tuple[int, ...]) -> list[Description]:
        return [(kind, {theirs: getattr(layer, ours) for theirs, ours in names.items()})]

    return described


_LAYERS: dict[type[Layer], Callable[[Any, tuple[int, ...]], list[Description]]] = {
    Activation: _activation,
    Dense: _dense,
    Conv2D: _conv,
    Conv2DTranspose: _transposed,
    MaxPool2D: _pool("MaxPooling"),
    AvgPool2D: _pool("AveragePooling"),
    GlobalAvgPool2D: _simple("GlobalAveragePooling2D"),
    GlobalMaxPool2D: _simple("GlobalMaxPooling2D"),
    BatchNorm: _batch_norm,
    LayerNorm: _layer_norm,
    GroupNorm: _group_norm,
    Embedding: _embedding,
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
