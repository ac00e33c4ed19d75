"""Layers that PyTorch has no module of, as functions of tensors whose channels are last."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.separable import matrices
from gyaku.interop.torch.array_functions import array_operation
from gyaku.layers.selection import Selection
from gyaku.windows import margins

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.layers import Layer

    Function = Callable[..., Any]

__all__ = ["block", "block_class", "is_block", "mode_of"]


def is_block(layer: Layer, shape: tuple[int, ...]) -> bool:
    """Return whether PyTorch has no module of a layer, but functions that compute it.

    Parameters
    ----------
    layer : Layer
        The layer.
    shape : tuple of int
        Shape of its input samples, channels last.

    Returns
    -------
    bool
        Whether `block` takes it.
    """
    fits = next((fits for kind, fits in _FITS.items() if isinstance(layer, kind)), None)
    return _function_of(layer) is not None and (fits is None or not fits(layer, shape))


def _function_of(layer: Layer) -> Function | None:
    is_own = not type(layer).__module__.startswith("gyaku.layers.")
    found = (_FUNCTIONS[kind] for kind in type(layer).__mro__ if kind in _FUNCTIONS and not is_own)
    return next(found, None)


def block(layer: Layer, tensors: dict[str, tuple[tuple[int, ...], bool]]) -> Any:
    """Return the module of a layer that PyTorch has none of.

    Parameters
    ----------
    layer : Layer
        The layer, built.
    tensors : dict of str to (tuple of int, bool)
        Its tensors by name: the shape, and whether it is trained.

    Returns
    -------
    torch.nn.Module
        A module that computes the function of the layer; `from_torch` makes the layer of it.
    """
    return block_class()(layer, _function_of(layer), tensors)


class _Kept:
    """Layer of a module, which copies of the module share: that of a layer is not built."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def __deepcopy__(self, memo: object) -> _Kept:
        return self


@functools.cache
def block_class() -> Any:
    """Return the class of such modules.

    Returns
    -------
    type
        The class, a subclass of ``torch.nn.Module``.
    """
    import torch

    class Block(torch.nn.Module):  # type: ignore[misc]
        def __init__(
            self,
            layer: Layer,
            function: Function,
            tensors: dict[str, tuple[tuple[int, ...], bool]],
        ) -> None:
            super().__init__()
            self.kept, self.function = _Kept(layer), function
            for name, (shape, is_trained) in tensors.items():
                if is_trained:
                    self.register_parameter(name, torch.nn.Parameter(torch.zeros(shape)))
                else:
                    self.register_buffer(name, torch.zeros(shape))

        @property
        def layer(self) -> Layer:
            return self.kept.layer

        def extra_repr(self) -> str:
            return repr(self.layer)

        def forward(self, *x: Any) -> Any:
            given = [each.movedim(1, -1) if each.ndim > 3 else each for each in x]
            options = {**self._parameters, **self._buffers}
            y = self.function(self.layer, *given, **options)
            return y.movedim(-1, 1) if y.ndim > 3 else y

    return Block


def _tensor(array: Any, like: Any) -> Any:
    import torch

    return torch.as_tensor(np.asarray(array), dtype=like.dtype, device=like.device)


def _aligned(x: Any, layer: Any) -> Any:
    missing = len(layer.output_shape) + 1 - x.ndim
    return x.reshape(len(x), *(1,) * missing, *x.shape[1:]) if missing > 0 else x


def _arithmetic(combine: Function) -> Function:
    def function(layer: Any, *x: Any) -> Any:
        return functools.reduce(combine, (_aligned(each, layer) for each in x))

    return function


def _matmul(layer: Any, a: Any, b: Any) -> Any:
    a, b = _aligned(a, layer), _aligned(b, layer)
    a = a.transpose(-1, -2) if layer.transpose_a else a
    b = b.transpose(-1, -2) if layer.transpose_b else b
    return a @ b * layer.scale


def _concatenate(layer: Any, *x: Any) -> Any:
    import torch

    return torch.cat(x, layer.axis)


def _selection(layer: Any, x: Any) -> Any:
    import torch

    for axis, places in enumerate(layer.positions(layer.input_shape), 1):
        index = torch.from_numpy(np.maximum(places, 0)).to(x.device)
        x = x.index_select(axis, index)
        if (places < 0).any():
            shape = (-1, *(1,) * (x.ndim - axis - 1))
            outside = torch.from_numpy(places < 0).to(x.device).reshape(shape)
            x = x.masked_fill(outside, layer.constant)
    return x


def _separable(layer: Any, x: Any) -> Any:
    for axis, matrix in enumerate(matrices(layer), 1):
        x = (x.movedim(axis, -1) @ _tensor(matrix, x)).movedim(-1, axis)
    return x


def _lp_pool(layer: Any, x: Any) -> Any:
    return _separable(layer, x.abs() ** layer.norm_type) ** (1 / layer.norm_type)


def _padded(layer: Any, x: Any) -> tuple[Any, list[int]]:
    """Return images with channels first and padding that is never a maximum."""
    import torch

    before = [axis.before for axis in layer.axes]
    ends = [max(axis.span - axis.before - axis.size, 0) for axis in layer.axes]
    pads = [n for pair in zip(reversed(before), reversed(ends), strict=True) for n in pair]
    return torch.nn.functional.pad(x.movedim(-1, 1), pads, value=-np.inf), before


def _pooled(layer: Any, images: Any, **options: Any) -> Any:
    import torch

    names = {"kernel_size": "taps", "stride": "stride", "dilation": "dilation"}
    places = {name: tuple(getattr(a, of) for a in layer.axes) for name, of in names.items()}
    pool = getattr(torch.nn.functional, f"max_pool{len(layer.axes)}d")
    return pool(images, **places, **options)


def _max_pool(layer: Any, x: Any) -> Any:
    windows = tuple(slice(axis.windows) for axis in layer.axes)
    return _pooled(layer, _padded(layer, x)[0])[(slice(None), slice(None), *windows)].movedim(1, -1)


def _max_unpool(layer: Any, x: Any, images: Any) -> Any:
    padded, before = _padded(layer, images)
    places = _pooled(layer, padded.detach(), return_indices=True)[1]
    rows, columns = padded.shape[2:]
    empty = x.new_zeros((*padded.shape[:2], rows * columns))
    filled = empty.scatter(2, places.flatten(2), x.movedim(-1, 1).flatten(2))
    whole = filled.reshape(padded.shape)
    (top, left), (height, width) = before, images.shape[1:3]
    return whole[:, :, top : top + height, left : left + width].movedim(1, -1)


def _prelu(layer: Any, x: Any, weight: Any) -> Any:
    import torch

    alpha = weight.reshape(layer.params["alpha"].shape)
    return torch.where(x > 0, x, alpha * x)


def _layer_norm(layer: Any, x: Any, weight: Any = None, bias: Any = None) -> Any:
    import torch

    shape = layer.input_shape[-layer.axes :]
    if bias is not None and len(shape) == len(layer.input_shape) > 2:  # stored channels first
        bias = bias.movedim(0, -1)
    return torch.nn.functional.layer_norm(x, shape, weight, bias, layer.epsilon)


def _rms_norm(layer: Any, x: Any, weight: Any = None) -> Any:
    import torch

    shape = layer.input_shape[-layer.axes :]
    return torch.nn.functional.rms_norm(x, shape, weight, layer.epsilon)


def _group_norm(layer: Any, x: Any, weight: Any = None, bias: Any = None) -> Any:
    import torch

    groups = layer._groups(x.shape[-1])
    y = torch.nn.functional.group_norm(x.movedim(-1, 1), groups, eps=layer.epsilon).movedim(1, -1)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _local_response_norm(layer: Any, x: Any) -> Any:
    import torch

    options = layer.size, layer.alpha, layer.beta, layer.k
    shape = (len(x), -1, x.shape[-1])  # PyTorch's takes no rows
    y = torch.nn.functional.local_response_norm(x.reshape(shape).transpose(1, 2), *options)
    return y.transpose(1, 2).reshape(x.shape)


def _normalization(layer: Any, x: Any) -> Any:
    std = np.array(layer.std)
    return (x - _tensor(layer.mean, x)) / _tensor(np.where(std == 0, 1.0, std), x)


def _over_classes(layer: Any, x: Any) -> Any:
    return getattr(x, layer.op)(dim=layer.axis)


def _selu(layer: Any, x: Any) -> Any:
    alpha = 1.6732632423543772 if layer.alpha is None else layer.alpha
    gamma = 1.0507009873554805 if layer.gamma is None else layer.gamma
    return gamma * (x.clamp(min=0) + alpha * x.clamp(max=0).expm1())


def _hard_sigmoid(layer: Any, x: Any) -> Any:
    alpha = 1 / 6 if layer.alpha is None else layer.alpha
    return (alpha * x + (0.5 if layer.beta is None else layer.beta)).clamp(0, 1)


_FUNCTIONS: dict[type[Layer], Function] = {
    **dict.fromkeys((layers.AvgPool2D, layers.AvgPool3D, layers.Upsample), _separable),
    **dict.fromkeys((layers.MaxPool2D, layers.MaxPool3D), _max_pool),
    **dict.fromkeys((layers.Softmax, layers.LogSoftmax), _over_classes),
    Selection: _selection,
    layers.Add: _arithmetic(lambda a, b: a + b),
    layers.ArrayOperation: array_operation,
    layers.Concatenate: _concatenate,
    layers.Divide: _arithmetic(lambda a, b: a / b),
    layers.GroupNorm: _group_norm,
    layers.HardSigmoid: _hard_sigmoid,
    layers.LPPool2D: _lp_pool,
    layers.LayerNorm: _layer_norm,
    layers.LocalResponseNorm: _local_response_norm,
    layers.MatMul: _matmul,
    layers.MaxUnpool2D: _max_unpool,
    layers.Multiply: _arithmetic(lambda a, b: a * b),
    layers.Normalization: _normalization,
    layers.PReLU: _prelu,
    layers.Permute: lambda layer, x: x.permute(0, *layer.axes),
    layers.RMSNorm: _rms_norm,
    layers.Rescaling: lambda layer, x: x * layer.scale + layer.offset,
    layers.Reshape: lambda layer, x: x.reshape(len(x), *layer.output_shape),
    layers.SELU: _selu,
    layers.Step: lambda layer, x: x.sign().clamp(min=0),  # which has a gradient of zero
    layers.Subtract: _arithmetic(lambda a, b: a - b),
}


def _is_even(layer: Any) -> bool:
    """Return whether PyTorch's poolings have the padding of a layer."""
    return all(axis.before == axis.after and 2 * axis.before <= axis.taps for axis in layer.axes)


def _fits_mean(layer: Any, _: tuple[int, ...]) -> bool:
    is_dense = all(axis.dilation == 1 for axis in layer.axes)
    has_divisor = layer.divisor_override is not None and len(layer.axes) == 1
    return _is_even(layer) and is_dense and not has_divisor


def _fits_norm(layer: Any, _: tuple[int, ...]) -> bool:
    return bool(layer.scale or not layer.shift)


def _fits_features(layer: Any, shape: tuple[int, ...]) -> bool:
    return _fits_norm(layer, shape) and (len(shape) < 3 or layer.axes == len(shape))


def _fits_upsample(layer: Any, shape: tuple[int, ...]) -> bool:
    return mode_of(layer, shape) is not None


def mode_of(layer: Any, shape: tuple[int, ...]) -> str | None:
    """Return PyTorch's name of a mode of interpolation.

    Parameters
    ----------
    layer : Upsample
        The layer.
    shape : tuple of int
        Shape of its input samples.

    Returns
    -------
    str or None
        The name, None if it has none for so many axes.
    """
    if layer.mode.startswith("nearest"):
        return str(layer.mode) if len(shape) < 5 else None
    names = {2: {"linear": "linear"}, 3: {"linear": "bilinear", "cubic": "bicubic"}}
    kind = "cubic" if "cubic" in layer.mode else "linear"
    return (names | {4: {"linear": "trilinear"}}).get(len(shape), {}).get(kind)


def _fits_slopes(layer: Any, _: tuple[int, ...]) -> bool:
    alpha = layer.params["alpha"]
    return bool(alpha.size in (1, alpha.shape[-1]))


def _fits_pad(layer: Any, shape: tuple[int, ...]) -> bool:
    if layer.mode == "symmetric" or not 2 <= len(shape) <= 4:
        return False
    pads: Any = margins(str(layer), layer.padding, len(shape) - 1, words=False)
    sizes = zip(pads, shape, strict=False)
    return layer.mode in ("constant", "zeros") or all(max(pair) < size for pair, size in sizes)


_FITS: dict[Any, Callable[[Any, tuple[int, ...]], bool]] = {
    (layers.Softmax, layers.LogSoftmax): lambda layer, shape: layer.axis in (-1, len(shape)),
    (layers.MaxPool2D, layers.MaxPool3D): lambda layer, _: _is_even(layer),
    (layers.AvgPool2D, layers.AvgPool3D): _fits_mean,
    (layers.LayerNorm, layers.RMSNorm): _fits_features,
    (layers.SELU, layers.HardSigmoid): lambda layer, _: not layer.options,
    layers.Add: lambda layer, _: len({*layer.input_shapes}) == 1,
    layers.Concatenate: lambda layer, shape: layer.axis in (-1, len(shape)),
    layers.InstanceNorm: lambda layer, _: layer.scale == layer.shift,
    layers.GroupNorm: _fits_norm,
    layers.LPPool2D: lambda layer, _: all(axis.before == axis.after == 0 for axis in layer.axes),
    layers.LocalResponseNorm: lambda layer, shape: len(shape) > 1,
    layers.PReLU: _fits_slopes,
    layers.Pad: _fits_pad,
    layers.Rescaling: lambda layer, _: False,
    layers.Upsample: _fits_upsample,
}
"""Whether PyTorch has a module of a layer, where that depends on its options."""
