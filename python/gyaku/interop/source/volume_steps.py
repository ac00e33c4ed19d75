"""Elementary steps of convolutions of volumes: a convolution of images for each depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.source.axis_steps import taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.source.forward_pass import ForwardPass
    from gyaku.windows import Axis

__all__ = ["conv3d", "conv3d_transpose"]


def conv3d(made: ForwardPass, layer: Any, value: int) -> int:
    """Append the steps of a `Conv3D`, without its activation.

    Parameters
    ----------
    made : ForwardPass
        The forward pass.
    layer : Conv3D
        The layer.
    value : int
        Index of its input.

    Returns
    -------
    int
        Index of the sums.
    """
    depth, parts = layer.axes[0], []
    for tap, arrays in _each_depth(made, layer):
        if tap == 0 and layer.use_bias:
            arrays["bias"] = layer.params["bias"]
        at = np.arange(depth.windows) * depth.stride - depth.before + tap * depth.dilation
        x = taken(made, value, 0, np.where(at < depth.size, at, -1).clip(-1))
        parts.append(_of_images(made, layer, x, "conv", arrays, layer.output_shape))
    return _sum(made, parts, layer.output_shape)


def conv3d_transpose(made: ForwardPass, layer: Any, value: int) -> int:
    """Append the steps of a `Conv3DTranspose`, without its activation.

    Parameters
    ----------
    made : ForwardPass
        The forward pass.
    layer : Conv3DTranspose
        The layer.
    value : int
        Index of its input.

    Returns
    -------
    int
        Index of the sums.
    """
    depth, parts, shape = layer.axes[0], [], layer.output_shape
    for tap, arrays in _each_depth(made, layer):
        images = (layer.input_shape[0], *shape[1:])
        y = _of_images(made, layer, value, "conv_transpose", arrays, images)
        parts.append(taken(made, y, 0, _sources(depth, tap)))
    y = _sum(made, parts, shape)
    if not layer.use_bias:
        return y
    ones = np.ones(shape[-1])
    columns = {"centre": 0 * ones, "scale": ones, "shift": layer.params["bias"]}
    return made.step("affine", [y], shape, columns)


def _sources(depth: Axis, tap: int) -> NDArray[np.int64]:
    """Return the input whose tap reaches each output, -1 without."""
    at, rest = np.divmod(np.arange(depth.size) + depth.before - tap * depth.dilation, depth.stride)
    return np.where((rest == 0) & (at >= 0) & (at < depth.windows), at, -1)


def _each_depth(made: ForwardPass, layer: Any) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """Yield each depth of the kernel with its weight, under a name of its own."""
    outer = made.scope
    for tap, weight in enumerate(layer.params["weight"]):
        made.scope = f"{outer}.depth{tap}"
        yield tap, {"weight": weight}
    made.scope = outer


def _of_images(
    made: ForwardPass,
    layer: Any,
    value: int,
    kind: str,
    arrays: dict[str, NDArray[Any]],
    shape: tuple[int, ...],
) -> int:
    """Convolve the image of each depth."""
    repeat, channels = made.repeat, layer.input_shape[-1]
    settings = {"axes": layer.axes[1:], "channels": channels, "groups": layer.groups}
    made.repeat = repeat * shape[0]
    images = made.step("split_steps", [value], made.values[value].shape[1:])
    y = made.step(kind, [images], shape[1:], arrays, **settings)
    made.repeat = repeat
    return made.step("join_steps", [y, value], shape)


def _sum(made: ForwardPass, parts: list[int], shape: tuple[int, ...]) -> int:
    return made.step("add", parts, shape) if len(parts) > 1 else parts[0]
