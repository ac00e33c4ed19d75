"""Counterparts of Keras's convolutions and poolings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.keras.activations import Unreadable
from gyaku.layers import (
    AvgPool1D,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    DepthwiseConv2D,
    MaxPool1D,
    Reshape,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.keras.given import Given
    from gyaku.layers import Layer

__all__ = ["conv", "depthwise", "global_pool", "pool", "separable", "transposed"]


def _one(given: Any) -> Any:
    """Return the element of a list of one."""
    return given[0] if isinstance(given, (list, tuple)) and len(given) == 1 else given


def _place(given: Given, one: bool) -> dict[str, Any]:
    """Return stride, padding and dilation of a convolution."""
    given.only(data_format="channels_last")
    of: Callable[[Any], Any] = _one if one else lambda value: value
    found = {
        "stride": of(given.get("strides", 1)),
        "padding": given.get("padding", "valid"),
        "dilation": of(given.get("dilation_rate", 1)),
    }
    if found["padding"] == "causal" and one:
        found["padding"] = (found["dilation"] * (of(given["kernel_size"]) - 1), 0)
    return found


def conv(layer_type: Any) -> Callable[[Given], list[Layer]]:
    """Return the function for a convolution.

    Parameters
    ----------
    layer_type : type
        Its counterpart.

    Returns
    -------
    callable
        A function from the layer of Keras to the layers.
    """
    one = layer_type is Conv1D

    def made(given: Given) -> list[Layer]:
        activation, behind = given.inline()
        layer = layer_type(
            given["filters"],
            _one(given["kernel_size"]) if one else given["kernel_size"],
            **_place(given, one),
            groups=given.get("groups", 1),
            activation=activation,
            use_bias=given.get("use_bias", True),
            name=given.name,
        )
        return [layer, *behind]

    return made


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
    activation, behind = given.inline()
    options = {
        "activation": activation,
        "use_bias": given.get("use_bias", True),
        "name": given.name,
    }
    return [_by_channel(given, given.arrays, **options), *behind]


def _by_channel(given: Given, arrays: list[NDArray[Any]], **options: Any) -> Layer:
    """Return the convolution of each channel by itself, and place its arrays."""
    one, multiplier = "1D" in given.kind, given.get("depth_multiplier", 1)
    place = _place(given, one)
    if not one:
        layer: Layer = DepthwiseConv2D(given["kernel_size"], multiplier, **place, **options)
        given.placed.append((layer, arrays))
        return layer
    channels = given.shape[-1]
    size = _one(given["kernel_size"])
    layer = Conv1D(channels * multiplier, size, **place, groups=channels, **options)
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
    activation, behind = given.inline()
    first = _by_channel(given, given.arrays[:1], use_bias=False, name=f"{given.name}_depthwise")
    layer_type: Any = Conv1D if "1D" in given.kind else Conv2D
    second = layer_type(
        given["filters"],
        1,
        activation=activation,
        use_bias=given.get("use_bias", True),
        name=given.name,
    )
    given.placed.append((second, given.arrays[1:]))
    return [first, second, *behind]


def transposed(given: Given) -> list[Layer]:
    """Return the layers of a transposed convolution.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    activation, behind = given.inline()
    place = _place(given, False)
    extra: Any = 0
    cuts = [_cut(given, axis) for axis in range(2)]
    if any(map(any, cuts)):
        place["padding"] = [[cut // 2, cut - cut // 2] for cut, _ in cuts]
        extra = [more for _, more in cuts]
    else:
        place["padding"] = 0
    layer = Conv2DTranspose(
        given["filters"],
        given["kernel_size"],
        **place,
        output_padding=extra,
        activation=activation,
        use_bias=given.get("use_bias", True),
        name=given.name,
    )
    return [layer, *behind]


def _cut(given: Given, axis: int) -> tuple[int, int]:
    """Return how much is cut off the output of a transposed convolution, and added to its end."""
    size, stride, dilation = (
        _pair(given[option])[axis] for option in ("kernel_size", "strides", "dilation_rate")
    )
    reach = (size - 1) * dilation + 1
    more = given.get("output_padding")
    if more is None:
        cut = reach - stride if given["padding"] == "same" else min(0, reach - stride)
    else:
        half = 2 * (reach // 2) if given["padding"] == "same" else 0
        cut = half - _pair(more)[axis]
    return max(cut, 0), max(-cut, 0)


def _pair(given: Any) -> tuple[int, int]:
    sides = list(given) if isinstance(given, (list, tuple)) else [given, given]
    if len(sides) != 2 or not all(isinstance(each, int) for each in sides):
        raise Unreadable(f"has {given!r} where a pair of integers belongs")
    return sides[0], sides[1]


def pool(layer_type: Any) -> Callable[[Given], list[Layer]]:
    """Return the function for a pooling.

    Parameters
    ----------
    layer_type : type
        Its counterpart.

    Returns
    -------
    callable
        A function from the layer of Keras to the layers.
    """
    of: Callable[[Any], Any] = _one if layer_type in (MaxPool1D, AvgPool1D) else lambda value: value

    def made(given: Given) -> list[Layer]:
        given.only(data_format="channels_last")
        padding = given.get("padding", "valid")
        size, stride = of(given["pool_size"]), of(given.get("strides"))
        return [layer_type(size, stride, padding=padding, name=given.name)]

    return made


def global_pool(layer_type: Any) -> Callable[[Given], list[Layer]]:
    """Return the function for a pooling of whole images or sequences.

    Parameters
    ----------
    layer_type : type
        Its counterpart.

    Returns
    -------
    callable
        A function from the layer of Keras to the layers.
    """

    def made(given: Given) -> list[Layer]:
        given.only(data_format="channels_last")
        made: list[Layer] = []
        if given.kind.endswith("1D"):
            if len(given.shape) != 2:
                given.refuse(f"takes sequences, got samples of shape {given.shape}")
            steps, features = given.shape
            made.append(Reshape((steps, 1, features)))
        made.append(layer_type(name=given.name))
        if given.get("keepdims"):
            made.append(Reshape((1,) * (len(given.shape) - 1) + (-1,)))
        return made

    return made
