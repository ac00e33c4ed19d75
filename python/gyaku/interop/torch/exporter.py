"""Modules of PyTorch from models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.torch.modules import ALPHAS, PLAIN
from gyaku.interop.torch.state import places, state_dict
from gyaku.layers import (
    GELU,
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
    MaxPool2D,
    Rescaling,
    RMSNorm,
    SimpleRNN,
    Softmax,
    Softplus,
)
from gyaku.layers.activation import Parametric, Shaped
from gyaku.layers.pool import AvgPool1D, MaxPool1D
from gyaku.layers.recurrence import Recurrent
from gyaku.layers.weighted import Weighted
from gyaku.windows import transposed_conv_axes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from gyaku.layers import Layer
    from gyaku.model import Model
    from gyaku.model.application import Application

__all__ = ["to_torch"]

_KINDS = {cls: name for name, cls in PLAIN.items()}
_ALPHA_KINDS = {cls: (name, alpha) for name, (cls, alpha) in ALPHAS.items()}


def to_torch(model: Model) -> Any:
    """Return a PyTorch module with the layers and weights of a model.

    Parameters
    ----------
    model : Model
        The model, built.

    Returns
    -------
    torch.nn.Module
        The module, on the CPU: a ``torch.nn.Sequential`` if the graph is a chain of modules of one
        output, otherwise a module that follows the graph. It takes images with channels first.

    Raises
    ------
    ValueError
        If the model is not built, or a layer or one of its options has no counterpart.
    ImportError
        If PyTorch is not installed.

    Notes
    -----
    Names of layers become those of modules, with "_" for "."; an activation within a layer is a
    module behind it. Outputs and gradients are those of the model up to rounding.
    """
    from collections import OrderedDict

    import torch

    known = places(model)
    modules: dict[str, Any] = {}
    chain = True
    for place, use in enumerate(model.plan.applications):
        chain &= use.inputs == (place,) and not isinstance(use.layer, (Recurrent, Bidirectional))
        name = _name(use.path)
        if name not in modules:
            modules |= _modules(torch.nn, name, use.layer, use.instance.input_shapes)
    module: Any = (
        torch.nn.Sequential(OrderedDict(modules)) if chain else _graph(torch, model, modules)
    )
    module.to(torch.float64 if model.dtype == "float64" else torch.float32)
    names = [_name(each.path) for each in known]
    tensors = {name: torch.from_numpy(each) for name, each in state_dict(model, names).items()}
    module.load_state_dict(tensors)
    for each in known:
        if not each.layer.trainable:
            modules[_name(each.path)].requires_grad_(False)
    return module


def _name(path: str) -> str:
    return path.replace(".", "_")


def _graph(torch: Any, model: Model, modules: dict[str, Any]) -> Any:
    """Return a module that follows the applications of a model."""
    plan = model.plan

    class Graph(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, each in modules.items():
                self.add_module(name, each)

        def forward(self, *inputs: Any) -> Any:
            values = {place: inputs[place] for place in range(plan.inputs)}
            for use in plan.applications:
                given = [values[each] for each in use.inputs]
                values[use.output] = _applied(torch, use, modules, given)
            outputs = tuple(values[each] for each in plan.outputs)
            return outputs[0] if len(outputs) == 1 else outputs

    class Chain(Graph):
        def forward(self, x: Any) -> Any:  # a name for the only input, which a trace needs
            return super().forward(x)

    return Chain() if plan.inputs == 1 else Graph()


def _applied(torch: Any, use: Application, modules: dict[str, Any], given: list[Any]) -> Any:
    """Return the output of a layer for tensors of PyTorch."""
    layer, name = use.layer, _name(use.path)
    if isinstance(layer, Add):
        return sum(given[1:], given[0])
    if isinstance(layer, Concatenate):
        return torch.cat(given, 1 if given[0].ndim == 4 else -1)
    around, behind = f"{name}_padding", f"{name}_activation"
    y = modules[name](modules[around](given[0]) if around in modules else given[0])
    if isinstance(layer, (Recurrent, Bidirectional)):
        part = layer if isinstance(layer, Recurrent) else layer.layer
        states = y[1][0] if isinstance(part, LSTM) else y[1]
        if part.return_sequences:
            return y[0]
        return states[-1] if part is layer else torch.cat([states[-2], states[-1]], -1)
    return modules[behind](y) if behind in modules else y


def _refuse(layer: Layer, reason: str) -> NoReturn:
    raise ValueError(f"to_torch: {layer}: {reason}")


def _modules(
    nn: Any, name: str, layer: Layer, shapes: tuple[tuple[int, ...], ...]
) -> dict[str, Any]:
    """Return the module of a layer, and that of the activation within it."""
    if isinstance(layer, (Add, Concatenate)):
        if isinstance(layer, Add) and len(set(shapes)) > 1:
            _refuse(layer, "its inputs have several shapes, and PyTorch's have the channels first")
        if isinstance(layer, Concatenate) and layer.axis not in (-1, len(shapes[0])):
            _refuse(layer, f"axis={layer.axis} is not that of the features")
        return {}
    if isinstance(layer, Recurrent) and len(shapes) > 1:
        _refuse(layer, "an initial state has no counterpart in a chain of PyTorch's modules")
    around = None if isinstance(layer, Conv1D) else _zeros_around(nn, layer)
    found = {} if around is None else {f"{name}_padding": around}
    found[name] = _module(nn, layer, shapes[0])
    if isinstance(layer, Weighted) and layer.applied:
        found[f"{name}_activation"] = _module(nn, layer.applied, layer.output_shape)
    return found


def _module(nn: Any, layer: Layer, shape: tuple[int, ...]) -> Any:
    cls = type(layer)
    if isinstance(layer, (Conv1D, MaxPool1D, AvgPool1D)):
        _refuse(layer, "PyTorch's takes its features along another axis than gyaku's")
    if isinstance(layer, Parametric):
        kind, alpha = _ALPHA_KINDS[type(layer)]
        return getattr(nn, kind)(**{alpha: layer.alpha})
    if isinstance(layer, Shaped) and layer.options and cls is not Softplus:
        _refuse(layer, f"PyTorch has no parameters of {layer!r}")
    if isinstance(layer, (Softmax, LogSoftmax)):
        if layer.axis not in (-1, len(shape)):
            _refuse(layer, f"axis={layer.axis} is not that of the features")
        return getattr(nn, _KINDS[cls])(dim=1 if len(shape) == 3 else -1)
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


def _conv(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    options = {"bias": layer.use_bias, "groups": layer._options["groups"]}
    channels = shape[-1], layer.output_shape[-1]
    if not isinstance(layer, Conv2DTranspose):
        even = all(axis.before == axis.after for axis in layer.axes)
        options["padding"] = _padding(layer, layer.axes) if even else 0
        return nn.Conv2d(*channels, **_sides(layer.axes), **options)
    axes = transposed_conv_axes(
        str(layer), (1, *shape), layer.params["weight"].shape, **layer._options
    )
    options["output_padding"] = tuple(
        axis.size - (axis.span - axis.before - axis.after) for axis in axes
    )
    options["padding"] = _padding(layer, axes)
    return nn.ConvTranspose2d(*channels, **_sides(axes), **options)


def _zeros_around(nn: Any, layer: Layer) -> Any:
    """Return the module that pads images on two sides differently, None without."""
    if not isinstance(layer, Conv2D) or isinstance(layer, Conv2DTranspose):
        return None
    if all(axis.before == axis.after for axis in layer.axes):
        return None
    rows, columns = layer.axes
    return nn.ZeroPad2d((columns.before, columns.after, rows.before, rows.after))


def _pool(kind: str, *names: str) -> Callable[[Any, Any, Any], Any]:
    def made(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
        sides = _sides(layer.axes) | {"padding": _padding(layer, layer.axes)}
        if kind != "MaxPool2d" and any(each != 1 for each in sides.pop("dilation")):
            _refuse(layer, "PyTorch's AvgPool2d has no dilation")
        if any(2 * axis.before > axis.taps for axis in layer.axes):
            _refuse(layer, "PyTorch's has a padding of at most half the kernel size")
        options = {name: getattr(layer, name) for name in ("ceil_mode", *names)}
        return getattr(nn, kind)(**sides, **options)

    return made


def _lp_pool(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    sides = _sides(layer.axes)
    if any(_padding(layer, layer.axes)):
        _refuse(layer, "PyTorch's LPPool2d has no padding")
    return nn.LPPool2d(layer.norm_type, sides["kernel_size"], sides["stride"], layer.ceil_mode)


def _global(kind: str) -> Callable[[Any, Any, Any], Any]:
    def made(nn: Any, _: Any, __: tuple[int, ...]) -> Any:
        return nn.Sequential(getattr(nn, kind)(1), nn.Flatten())

    return made


def _check_channels(layer: Any, shape: tuple[int, ...]) -> None:
    if len(shape) == 2:
        _refuse(layer, "PyTorch's takes its features along another axis than gyaku's")


def _affine(layer: Any) -> bool:
    if layer.scale != layer.shift:
        _refuse(layer, "PyTorch's has both a scale and a shift, or neither")
    return bool(layer.scale)


def _batch_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    _check_channels(layer, shape)
    cls = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    options = {"affine": _affine(layer), "track_running_stats": layer.track_running_stats}
    return cls(shape[-1], eps=layer.epsilon, momentum=layer.momentum, **options)


def _group_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    _check_channels(layer, shape)
    return nn.GroupNorm(layer.groups, shape[-1], eps=layer.epsilon, affine=_affine(layer))


def _check_images(layer: Any, shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        _refuse(layer, "PyTorch's takes its features along another axis than gyaku's")


def _instance_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    _check_images(layer, shape)
    return nn.InstanceNorm2d(shape[-1], eps=layer.epsilon, affine=_affine(layer))


def _check_rows(layer: Any, shape: tuple[int, ...]) -> None:
    if layer.axes != 1 or len(shape) == 3:
        _refuse(layer, "PyTorch's normalises the last axis of images, which is not the channels")


def _layer_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    _check_rows(layer, shape)
    if layer.shift and not layer.scale:
        _refuse(layer, "PyTorch's has no shift without a scale")
    options = {"elementwise_affine": layer.scale, "bias": layer.shift}
    return nn.LayerNorm(shape[-1], eps=layer.epsilon, **options)


def _rms_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    _check_rows(layer, shape)
    return nn.RMSNorm(shape[-1], eps=layer.epsilon, elementwise_affine=layer.scale)


def _local_response_norm(nn: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    _check_images(layer, shape)
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


def _dropout(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    if layer.scaled != "training":
        _refuse(layer, f"PyTorch's scales in training, not in {layer.scaled}")
    return nn.Dropout(layer.rate)


def _softplus(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    if not layer.options:
        return nn.Softplus()
    far = float("inf") if layer.threshold is None else layer.threshold
    return nn.Softplus(1 if layer.beta is None else layer.beta, far)


def _rescaling(nn: Any, layer: Any, _: tuple[int, ...]) -> Any:
    class Rescaling(nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x * layer.scale + layer.offset

    return Rescaling()


_MADE: dict[type[Layer], Callable[[Any, Any, Any], Any]] = {
    Dense: _linear,
    Conv2D: _conv,
    MaxPool2D: _pool("MaxPool2d"),
    AvgPool2D: _pool("AvgPool2d", "count_include_pad", "divisor_override"),
    LPPool2D: _lp_pool,
    GlobalAvgPool2D: _global("AdaptiveAvgPool2d"),
    GlobalMaxPool2D: _global("AdaptiveMaxPool2d"),
    BatchNorm: _batch_norm,
    LayerNorm: _layer_norm,
    InstanceNorm: _instance_norm,
    GroupNorm: _group_norm,
    RMSNorm: _rms_norm,
    LocalResponseNorm: _local_response_norm,
    Embedding: _embedding,
    Dropout: _dropout,
    Rescaling: _rescaling,
    Recurrent: _recurrent,
    Bidirectional: _recurrent,
    Identity: lambda nn, _, __: nn.Identity(),
    GELU: lambda nn, _, __: nn.GELU(),
    GELUTanh: lambda nn, _, __: nn.GELU(approximate="tanh"),
    Softplus: _softplus,
}
