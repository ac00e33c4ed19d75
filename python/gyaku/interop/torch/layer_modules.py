"""Modules of PyTorch for layers, which take images with channels first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.torch.blocks import block, is_block, mode_of
from gyaku.interop.torch.layout import entries
from gyaku.interop.torch.layout import to_torch as tensors_of
from gyaku.interop.torch.modules import ALPHAS, PLAIN
from gyaku.layers import (
    GELU,
    GRU,
    LSTM,
    Activation,
    AdaptiveAvgPool1D,
    AdaptiveAvgPool2D,
    AdaptiveAvgPool3D,
    AdaptiveMaxPool1D,
    AdaptiveMaxPool2D,
    AdaptiveMaxPool3D,
    Add,
    ArrayOperation,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    BatchNorm,
    Bidirectional,
    Concatenate,
    Conv1D,
    Conv2DTranspose,
    Conv3DTranspose,
    Dense,
    Dropout,
    Embedding,
    GELUTanh,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    LogSoftmax,
    LPPool2D,
    Masking,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Pad,
    PReLU,
    RMSNorm,
    SimpleRNN,
    Softmax,
    Softplus,
    Upsample,
)
from gyaku.layers.activation import Parametric
from gyaku.layers.conv import Convolution
from gyaku.layers.recurrence import Recurrent
from gyaku.layers.weighted import Weighted
from gyaku.reference.selections import SELECTIONS
from gyaku.windows import margins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from gyaku.layers import Layer

__all__ = ["is_turned", "modules_of"]

_KINDS = {cls: name for name, cls in PLAIN.items()}
_ALPHA_KINDS = {cls: (name, alpha) for name, (cls, alpha) in ALPHAS.items()}


_TURNED = (
    *(Conv1D, MaxPool1D, AvgPool1D, AdaptiveAvgPool1D, AdaptiveMaxPool1D, Upsample, Pad, PReLU),
    *(BatchNorm, GroupNorm, LocalResponseNorm),
)
"""Layers whose modules take the features of a sequence along the axis behind the samples."""


def is_turned(layer: Layer) -> bool:
    """Return whether the module of a layer takes sequences with the features before the steps.

    Parameters
    ----------
    layer : Layer
        The layer, built.

    Returns
    -------
    bool
        Whether it does.
    """
    is_sequence = isinstance(layer, _TURNED) and len(layer.input_shape) == 2
    return is_sequence and not is_block(layer, layer.input_shape)


def _refuse(layer: Layer, reason: str) -> NoReturn:
    raise ValueError(f"to_torch: {layer}: {reason}")


def modules_of(
    nn: Any, name: str, layer: Layer, shapes: tuple[tuple[int, ...], ...]
) -> dict[str, Any]:
    """Return the module of a layer, and those of padding and activation around it.

    Parameters
    ----------
    nn : module
        ``torch.nn``.
    name : str
        Name of the module.
    layer : Layer
        The layer, built.
    shapes : tuple of tuple of int
        The shapes of its input samples, channels last.

    Returns
    -------
    dict of str to torch.nn.Module
        The modules by name; none if a function does the same.

    Raises
    ------
    ValueError
        If PyTorch has no counterpart.
    """
    if isinstance(layer, ArrayOperation) and layer.operation in SELECTIONS:
        _refuse(layer, f"{layer.operation} has no counterpart in PyTorch here")
    if is_block(layer, shapes[0]):
        return {name: _block(layer)}
    if isinstance(layer, (Add, Concatenate)):
        return {}
    around = _zeros_around(nn, layer)
    found = {} if around is None else {f"{name}_padding": around}
    found[name] = _module(nn, layer, shapes[0])
    if isinstance(layer, Weighted) and layer.applied:
        found[f"{name}_activation"] = _module(nn, layer.applied, layer.output_shape)
    return found


def _block(layer: Layer) -> Any:
    arrays = {**layer.params, **layer.buffers}
    shapes = {
        name: (tensor.shape, entry.param in layer.params)
        for entry in entries(layer) or ()
        for name, tensor in tensors_of(entry, arrays[entry.param]).items()
    }
    return block(layer, shapes)


def _module(nn: Any, layer: Layer, shape: tuple[int, ...]) -> Any:
    cls = type(layer)
    if isinstance(layer, Parametric):
        kind, alpha = _ALPHA_KINDS[type(layer)]
        return getattr(nn, kind)(**{alpha: layer.alpha})
    if isinstance(layer, Activation) and is_block(layer, shape):
        return _block(layer)
    if isinstance(layer, (Softmax, LogSoftmax)):
        return getattr(nn, _KINDS[cls])(dim=1 if len(shape) > 2 else -1)
    if cls in _KINDS:
        return getattr(nn, _KINDS[cls])()
    made = next((made for kind, made in _MADE.items() if isinstance(layer, kind)), None)
    if made is None:
        _refuse(layer, f"PyTorch has no counterpart of {layer!r}")
    return made(nn, layer, shape)


def _linear(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    return nn.Linear(shape[-1], layer.units, bias=layer.use_bias)


def _sides(axes: Any) -> dict[str, Any]:
    """Return the window of a convolution or pooling, without its padding."""
    return {
        "kernel_size": tuple(axis.taps for axis in axes),
        "stride": tuple(axis.stride for axis in axes),
        "dilation": tuple(axis.dilation for axis in axes),
    }


def _padding(layer: Layer, axes: Any) -> tuple[int, ...]:
    """Return the padding, on both sides of each axis alike."""
    for axis in axes:
        if axis.before != axis.after:
            _refuse(layer, f"the padding {axis.before} before and {axis.after} after differ")
    return tuple(axis.before for axis in axes)


def _of(nn: Any, kind: str, axes: int) -> Any:
    """Return the class of a kind of modules for a number of axes."""
    return getattr(nn, f"{kind}{axes}d")


def _conv(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    groups = shape[-1] // layer.params["weight"].shape[-2]
    even = all(axis.before == axis.after for axis in layer.axes)
    padding = _padding(layer, layer.axes) if even else 0
    options = {"bias": layer.use_bias, "groups": groups, "padding": padding}
    channels = shape[-1], layer.output_shape[-1]
    return _of(nn, "Conv", len(layer.axes))(*channels, **_sides(layer.axes), **options)


def _conv_transpose(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    options = {"bias": layer.use_bias, "groups": layer.groups}
    extra = (axis.size - (axis.span - axis.before - axis.after) for axis in layer.axes)
    options |= {"output_padding": tuple(extra), "padding": _padding(layer, layer.axes)}
    channels = shape[-1], layer.output_shape[-1]
    return _of(nn, "ConvTranspose", len(layer.axes))(*channels, **_sides(layer.axes), **options)


def _zeros_around(nn: Any, layer: Layer) -> Any:
    """Return the module that pads images on two sides differently, None without."""
    if not isinstance(layer, Convolution) or isinstance(layer, (Conv2DTranspose, Conv3DTranspose)):
        return None
    if all(axis.before == axis.after for axis in layer.axes):
        return None
    return _of(nn, "ZeroPad", len(layer.axes))(
        _flat([(axis.before, axis.after) for axis in layer.axes])
    )


def _flat(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return padding as PyTorch orders it, from the last axis on."""
    return tuple(n for pair in reversed(pairs) for n in pair)


def _pad(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    axes = len(shape) - 1
    kinds = {"reflect": "ReflectionPad", "edge": "ReplicationPad", "replicate": "ReplicationPad"}
    kind = (kinds | dict.fromkeys(("wrap", "circular"), "CircularPad")).get(layer.mode)
    pairs: Any = margins(str(layer), layer.padding, axes, words=False)
    pads = _flat(pairs)
    if kind is None:
        return _of(nn, "ConstantPad", axes)(pads, layer.value)
    return _of(nn, kind, axes)(pads)


def _pool(kind: str, *names: str) -> Callable[[Any, Any, Any], Any]:
    def made(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
        sides = _sides(layer.axes) | {"padding": _padding(layer, layer.axes)}
        if kind == "AvgPool":
            del sides["dilation"]
        options = {name: getattr(layer, name) for name in ("ceil_mode", *names)}
        if kind == "AvgPool" and len(layer.axes) > 1:
            options["divisor_override"] = layer.divisor_override
        return _of(nn, kind, len(layer.axes))(**sides, **options)

    return made


def _lp_pool(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    sides = _sides(layer.axes)
    return nn.LPPool2d(layer.norm_type, sides["kernel_size"], sides["stride"], layer.ceil_mode)


def _global(kind: str) -> Callable[[Any, Any, Any], Any]:
    def made(nn: Any, _: Any, __: tuple[int, ...]) -> Any:
        return nn.Sequential(getattr(nn, kind)(1), nn.Flatten())

    return made


def _adaptive(kind: str) -> Callable[[Any, Any, Any], Any]:
    def made(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
        size = layer.output_shape[:-1]
        return _of(nn, kind, len(size))(size if len(size) > 1 else size[0])

    return made


def _upsample(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    mode = mode_of(layer, shape)
    scale = 2 if layer.scale is None and layer.size is None else layer.scale
    options: dict[str, Any] = {"size": layer.size, "scale_factor": scale, "mode": mode}
    if mode and not mode.startswith("nearest"):
        options["align_corners"] = layer.align_corners
    return nn.Upsample(**options)


def _affine(module: Any, layer: Any) -> Any:
    """Take away the scale or the shift that a layer has not."""
    if not layer.scale:
        module.register_parameter("weight", None)
    if not layer.shift:
        module.register_parameter("bias", None)
    return module


def _batch_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    options = {"momentum": layer.momentum, "track_running_stats": layer.track_running_stats}
    module = _of(nn, "BatchNorm", max(len(shape) - 1, 1))(shape[-1], layer.epsilon, **options)
    return _affine(module, layer)


def _instance_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    if len(shape) == 1:
        return _group_norm(nn, layer, shape)
    options = {"eps": layer.epsilon, "affine": layer.scale}
    return _of(nn, "InstanceNorm", len(shape) - 1)(shape[-1], **options)


def _group_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    return _affine(nn.GroupNorm(layer._groups(shape[-1]), shape[-1], layer.epsilon), layer)


def _layer_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    options = {"elementwise_affine": layer.scale, "bias": layer.shift}
    return nn.LayerNorm(_last_axes(layer, shape), eps=layer.epsilon, **options)


def _rms_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    options = {"eps": layer.epsilon, "elementwise_affine": layer.scale}
    return nn.RMSNorm(_last_axes(layer, shape), **options)


def _last_axes(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = (shape[-1], *shape[:-1]) if len(shape) > 2 else shape
    return shape[-layer.axes :]


def _local_response_norm(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    return nn.LocalResponseNorm(layer.size, layer.alpha, layer.beta, layer.k)


def _recurrent(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    part = layer.layer if isinstance(layer, Bidirectional) else layer
    if part.stateful or part.return_state:
        _refuse(layer, "PyTorch's carries no states, and returns no states to other layers here")
    options: dict[str, Any] = {"bidirectional": part is not layer, "bias": part.use_bias}
    if isinstance(part, SimpleRNN):
        options["nonlinearity"] = part.activation
    if isinstance(part, LSTM):
        options["proj_size"] = part.projection or 0
    kind = {SimpleRNN: "RNN", GRU: "GRU", LSTM: "LSTM"}[type(part)]
    return getattr(nn, kind)(shape[-1], part.units, batch_first=True, **options)


def _embedding(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    if layer.mask_zero:
        _refuse(layer, "PyTorch's layers hand on no lengths, which mask_zero finds")
    return nn.Embedding(layer.vocabulary_size, layer.units)


def _masking(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    _refuse(layer, "PyTorch's layers hand on no lengths, which Masking finds")


def _dropout(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    if layer.scaled != "training":
        _refuse(layer, f"PyTorch's scales in training, not in {layer.scaled}")
    return nn.Dropout(layer.rate)


def _softplus(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    if not layer.options:
        return nn.Softplus()
    far = float("inf") if layer.threshold is None else layer.threshold
    return nn.Softplus(1 if layer.beta is None else layer.beta, far)


_MADE: dict[type[Layer], Callable[[Any, Any, Any], Any]] = {
    Dense: _linear,
    Conv2DTranspose: _conv_transpose,
    Conv3DTranspose: _conv_transpose,
    Convolution: _conv,
    MaxPool2D: _pool("MaxPool"),
    MaxPool3D: _pool("MaxPool"),
    AvgPool2D: _pool("AvgPool", "count_include_pad"),
    AvgPool3D: _pool("AvgPool", "count_include_pad"),
    LPPool2D: _lp_pool,
    GlobalAvgPool2D: _global("AdaptiveAvgPool2d"),
    GlobalMaxPool2D: _global("AdaptiveMaxPool2d"),
    **dict.fromkeys(
        (AdaptiveAvgPool1D, AdaptiveAvgPool2D, AdaptiveAvgPool3D), _adaptive("AdaptiveAvgPool")
    ),
    **dict.fromkeys(
        (AdaptiveMaxPool1D, AdaptiveMaxPool2D, AdaptiveMaxPool3D), _adaptive("AdaptiveMaxPool")
    ),
    Upsample: _upsample,
    Pad: _pad,
    PReLU: lambda nn, layer, _: nn.PReLU(layer.params["alpha"].size),
    BatchNorm: _batch_norm,
    LayerNorm: _layer_norm,
    InstanceNorm: _instance_norm,
    GroupNorm: _group_norm,
    RMSNorm: _rms_norm,
    LocalResponseNorm: _local_response_norm,
    Embedding: _embedding,
    Masking: _masking,
    Dropout: _dropout,
    Recurrent: _recurrent,
    Bidirectional: _recurrent,
    Identity: lambda nn, _, __: nn.Identity(),
    GELU: lambda nn, _, __: nn.GELU(),
    GELUTanh: lambda nn, _, __: nn.GELU(approximate="tanh"),
    Softplus: _softplus,
}
