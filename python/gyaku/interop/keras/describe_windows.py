"""Descriptions of convolutions and poolings as Keras keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.keras.kinds import kind_of, refused
from gyaku.layers import Conv1D, DepthwiseConv2D

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gyaku.windows import Axis

    Options = dict[str, Any]
    Description = tuple[str, Options]

__all__ = ["adaptive", "conv", "pool", "transposed"]


def conv(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    """Return the layers of Keras of a convolution.

    Parameters
    ----------
    layer : Layer
        The layer, built.
    shape : tuple of int
        Shape of a sample of its first input.

    Returns
    -------
    list of (str, dict)
        Class and arguments of each.
    """
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
        raise refused(layer, "Keras has no such convolution of one axis")
    if padding := _padding(axes):
        return [(kind, options | {"padding": padding})]
    if len(axes) == 1 and (axes[0].before, axes[0].after) == (_reach(axes[0]) - 1, 0):
        return [(kind, options | {"padding": "causal"})]
    around = [[axis.before, axis.after] for axis in axes]
    zeros = {"padding": around if len(axes) > 1 else around[0]}
    return [(f"ZeroPadding{len(axes)}D", zeros), (kind, options | {"padding": "valid"})]


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


def transposed(layer: Any, shape: tuple[int, ...]) -> list[Description]:
    """Return the layers of Keras of a transposed convolution.

    Parameters
    ----------
    layer : Layer
        The layer, built.
    shape : tuple of int
        Shape of a sample of its first input.

    Returns
    -------
    list of (str, dict)
        Class and arguments of each.
    """
    if layer.groups > 1:
        raise refused(layer, "Keras's has no groups")
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
        return [(kind_of(layer), options | {"padding": "same"})]
    extra = [
        axis.size + sum(cut) - (n - 1) * axis.stride - _reach(axis)
        for axis, cut, n in zip(layer.axes, cuts, shape, strict=False)
    ]
    options["output_padding"] = extra
    made: list[Description] = [(kind_of(layer), options)]
    crop = (f"Cropping{len(cuts)}D", {"cropping": cuts})
    return [*made, crop] if any(map(any, cuts)) else made


def pool(kind: str) -> Callable[[Any, tuple[int, ...]], list[Description]]:
    """Return the function that describes a pooling.

    Parameters
    ----------
    kind : str
        The class of Keras, without the number of axes.

    Returns
    -------
    callable
        A function from a layer and the shape of its samples to the descriptions.
    """

    def described(layer: Any, _: tuple[int, ...]) -> list[Description]:
        axes: Sequence[Axis] = layer.axes
        options = {
            "pool_size": [axis.taps for axis in axes],
            "strides": [axis.stride for axis in axes],
        }
        padding = _padding(axes)
        if any(axis.dilation > 1 for axis in axes):
            raise refused(layer, "Keras's poolings have no dilation")
        if getattr(layer, "divisor_override", None) is not None:
            raise refused(layer, "Keras's poolings have no divisor of their own")
        inside = all(
            (axis.windows - 1) * axis.stride + axis.taps <= axis.before + axis.size + axis.after
            for axis in axes
        )
        if (
            not padding
            or not inside
            or (padding == "same" and getattr(layer, "count_include_pad", False))
        ):
            raise refused(layer, "Keras's poolings are padded by 'same' or not at all")
        return [(f"{kind}{len(axes)}D", options | {"padding": padding})]

    return described


def adaptive(kind: str) -> Callable[[Any, tuple[int, ...]], list[Description]]:
    """Return the function that describes a pooling to a given size.

    Parameters
    ----------
    kind : str
        The class of Keras, without the number of axes.

    Returns
    -------
    callable
        A function from a layer and the shape of its samples to the descriptions.
    """

    def described(layer: Any, _: tuple[int, ...]) -> list[Description]:
        sizes = layer.output_shape[:-1]
        if set(sizes) == {1}:
            return [(f"Global{kind}Pooling{len(sizes)}D", {"keepdims": True})]
        return [(f"Adaptive{kind}Pooling{len(sizes)}D", {"output_size": list(sizes)})]

    return described
