"""Counterparts of Keras's convolutions and poolings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.keras.activations import Unreadable
from gyaku.layers import (
    AdaptiveAvgPool1D,
    AdaptiveAvgPool2D,
    AdaptiveAvgPool3D,
    AdaptiveMaxPool1D,
    AdaptiveMaxPool2D,
    AdaptiveMaxPool3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    DepthwiseConv2D,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Reshape,
)

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.keras.given import Given
    from gyaku.layers import Layer

__all__ = ["adaptive_pool", "conv", "depthwise", "global_pool", "pool", "separable", "transposed"]

# By the number of axes of windows, which the class of Keras states.
_CONVOLUTIONS: tuple[Any, ...] = (Conv1D, Conv2D, Conv3D)
_POOLS: dict[str, tuple[Any, ...]] = {
    "Max": (MaxPool1D, MaxPool2D, MaxPool3D),
    "Average": (AvgPool1D, AvgPool2D, AvgPool3D),
    "AdaptiveMax": (AdaptiveMaxPool1D, AdaptiveMaxPool2D, AdaptiveMaxPool3D),
    "AdaptiveAverage": (AdaptiveAvgPool1D, AdaptiveAvgPool2D, AdaptiveAvgPool3D),
}
_GLOBAL: dict[str, Any] = {"GlobalMax": GlobalMaxPool2D, "GlobalAverage": GlobalAvgPool2D}


def _axes(given: Given) -> int:
    """Return the number of axes of windows."""
    return next(int(each) for each in given.kind if each.isdigit())


def _sides(given: Given, option: str, default: Any = None) -> Any:
    """Return an option of each axis; of one axis it is a number, not a list."""
    found = given.get(option, default)
    single = _axes(given) == 1 and isinstance(found, (list, tuple)) and len(found) == 1
    return found[0] if single else found


def _place(given: Given) -> dict[str, Any]:
    """Return stride, padding and dilation of a convolution."""
    found = {
        "stride": _sides(given, "strides", 1),
        "padding": given.get("padding", "valid"),
        "dilation": _sides(given, "dilation_rate", 1),
    }
    if found["padding"] == "causal" and _axes(given) == 1:
        found["padding"] = (found["dilation"] * (_sides(given, "kernel_size") - 1), 0)
    return found


def _kernel(given: Given) -> Any:
    given["kernel_size"]  # raises without
    return _sides(given, "kernel_size")


def _common(given: Given) -> tuple[dict[str, Any], list[Layer]]:
    """Return the arguments that convolutions have in common, and the layers behind them."""
    activation, behind = given.inline()
    use_bias = given.get("use_bias", True)
    return {"activation": activation, "use_bias": use_bias, "name": given.name}, behind


def conv(given: Given) -> list[Layer]:
    """Return the layers of a convolution.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    options, behind = _common(given)
    options |= {"groups": given.get("groups", 1), **_place(given)}
    layer = _CONVOLUTIONS[_axes(given) - 1](given["filters"], _kernel(given), **options)
    return [layer, *behind]


def depthwise(given: Given) -> list[Layer]:
    """Return the layers of a depthwise convolution.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    options, behind = _common(given)
    return [_by_channel(given, given.arrays, **options), *behind]


def _by_channel(given: Given, arrays: list[NDArray[Any]], **options: Any) -> Layer:
    """Return the convolution of each channel by itself, and place its arrays."""
    multiplier, place = given.get("depth_multiplier", 1), _place(given)
    if _axes(given) == 2:
        layer: Layer = DepthwiseConv2D(given["kernel_size"], multiplier, **place, **options)
        given.placed.append((layer, arrays))
        return layer
    channels = given.shape[-1]
    size = channels * multiplier
    layer = Conv1D(size, _kernel(given), **place, groups=channels, **options)
    kernels = [each.reshape(len(each), 1, -1) for each in arrays[:1] if each.ndim == 3]
    given.placed.append((layer, [*kernels, *arrays[1:]]))
    return layer


def separable(given: Given) -> list[Layer]:
    """Return the layers of a separable convolution, depthwise and 1 × 1.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    options, behind = _common(given)
    first = _by_channel(given, given.arrays[:1], use_bias=False, name=f"{given.name}_depthwise")
    second = _CONVOLUTIONS[_axes(given) - 1](given["filters"], 1, **options)
    given.placed.append((second, given.arrays[1:]))
    return [first, second, *behind]


def transposed(given: Given) -> list[Layer]:
    """Return the layers of a transposed convolution; that of a sequence is one of an image.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    common, behind = _common(given)
    axes = _axes(given)
    options: dict[str, Any] = {"padding": [[0, 0]] * axes, "output_padding": [0] * axes}
    options |= {ours: _lengths(given, theirs) for ours, theirs in _OPTIONS.items()}
    cuts = [_cut(given, axis) for axis in range(axes)]
    if any(map(any, cuts)):
        options["padding"] = [[cut // 2, cut - cut // 2] for cut, _ in cuts]
        options["output_padding"] = [more for _, more in cuts]
    if axes == 1:
        fill = {"kernel_size": 1, "stride": 1, "dilation": 1, "padding": [0, 0]}
        options = {name: [fill.get(name, 0), *each] for name, each in options.items()}
    layer_type: Any = Conv3DTranspose if axes == 3 else Conv2DTranspose
    layer = layer_type(given["filters"], **options, **common)
    if axes > 1:
        return [layer, *behind]
    given.placed.append((layer, [*(each[None] for each in given.arrays[:1]), *given.arrays[1:]]))
    return [Reshape((1, *given.shape)), layer, Reshape((-1, layer.filters)), *behind]


_OPTIONS = {"kernel_size": "kernel_size", "stride": "strides", "dilation": "dilation_rate"}


def _cut(given: Given, axis: int) -> tuple[int, int]:
    """Return how much is cut off the output of a transposed convolution, and added to its end."""
    size, stride, dilation = (_lengths(given, option)[axis] for option in _OPTIONS.values())
    reach = (size - 1) * dilation + 1
    if given.get("output_padding") is None:
        cut = reach - stride if given["padding"] == "same" else min(0, reach - stride)
    else:
        half = 2 * (reach // 2) if given["padding"] == "same" else 0
        cut = half - _lengths(given, "output_padding")[axis]
    return max(cut, 0), max(-cut, 0)


def _lengths(given: Given, option: str) -> list[int]:
    """Return an option that is an integer, or one for each axis."""
    found, axes = given[option], _axes(given)
    sides = list(found) if isinstance(found, (list, tuple)) else [found] * axes
    if len(sides) != axes or not all(isinstance(each, int) for each in sides):
        raise Unreadable(f"has {option}={found!r}, and {given.kind} has an integer for each axis")
    return sides


def pool(given: Given) -> list[Layer]:
    """Return the layers of a pooling.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    given["pool_size"]  # raises without
    size, stride = _sides(given, "pool_size"), _sides(given, "strides")
    options = {"padding": given.get("padding", "valid"), "name": given.name}
    return [_pool_type(given)(size, stride, **options)]


def _pool_type(given: Given) -> Any:
    return _POOLS[given.kind.partition("Pooling")[0]][_axes(given) - 1]


def adaptive_pool(given: Given) -> list[Layer]:
    """Return the layers of a pooling to a given size.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    given["output_size"]  # raises without
    return [_pool_type(given)(_sides(given, "output_size"), name=given.name)]


def global_pool(given: Given) -> list[Layer]:
    """Return the layers of a pooling of whole images, sequences or volumes.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    axes, kind = _axes(given), given.kind.partition("Pooling")[0]
    if len(given.shape) != axes + 1:
        given.refuse(f"pools {axes} axes, got samples of shape {given.shape}")
    if axes == 3:
        pooled = _POOLS[kind.replace("Global", "Adaptive")][2](1, name=given.name)
        return [pooled] if given.get("keepdims") else [pooled, Flatten()]
    image = [Reshape((given.shape[0], 1, given.shape[1]))] if axes == 1 else []
    kept = [Reshape((*[1] * axes, -1))] if given.get("keepdims") else []
    return [*image, _GLOBAL[kind](name=given.name), *kept]
