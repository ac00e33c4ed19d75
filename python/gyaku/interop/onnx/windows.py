"""Layers of ONNX nodes that slide windows over images and sequences."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import layers
from gyaku.interop.onnx.arrays import operated, padded
from gyaku.interop.onnx.reader import Call, Unreadable, Value
from gyaku.windows.axis import Axis

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyaku.interop.onnx.reader import Reader

__all__ = ["OPERATORS", "PADDING"]


def _image(reader: Reader, call: Call) -> tuple[Value, int]:
    """Return the input, which must have channels first, and the number of its axes of windows."""
    value = reader.value(call.input(0))
    rank = len(value.axes) - 1
    if rank not in (2, 3, 4):
        raise Unreadable(f"has windows of {rank - 1} axes, and layers have one to three")
    return reader.channels_last(value), rank - 1


def _single(lengths: Any) -> Any:
    """Return one number for a window of one axis, as its layer takes it."""
    found = [int(n) for n in lengths]
    return found[0] if len(found) == 1 else tuple(found)


def _pads(call: Call, value: Value, kernel: list[int]) -> list[int]:
    """Return the padding before each axis, then behind each axis, as ONNX orders it."""
    attributes, axes = call.attributes, len(kernel)
    pads = list(attributes.get("pads", [0] * 2 * axes))
    mode = call.text("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        strides = attributes.get("strides", [1] * axes)
        dilations = attributes.get("dilations", [1] * axes)
        spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
        totals = [
            max((-(-size // stride) - 1) * stride + span - size, 0)
            for size, stride, span in zip(value.shape, strides, spans, strict=False)
        ]
        less, more = [n // 2 for n in totals], [n - n // 2 for n in totals]
        pads = less + more if mode == "SAME_UPPER" else more + less
    around = value.pads or [0] * 2 * axes
    return [a + b for a, b in zip(pads, around, strict=True)]


def _padding(pads: list[int]) -> Any:
    axes = len(pads) // 2
    pairs = tuple(zip(pads[:axes], pads[axes:], strict=True))
    return pairs[0] if axes == 1 else pairs


def _strides(call: Call, axes: int) -> Any:
    return _single(call.attributes.get("strides", [1] * axes))


def _dilations(call: Call, axes: int) -> Any:
    return _single(call.attributes.get("dilations", [1] * axes))


def _conv(reader: Reader, call: Call) -> list[Value]:
    """Read a convolution."""
    value, axes = _image(reader, call)
    weight = reader.constant(call.input(1), "weight")
    kernel, bias = list(weight.shape[2:]), _bias(reader, call)
    layer = _CONVOLUTIONS[axes - 1](
        weight.shape[0],
        _single(kernel),
        stride=_strides(call, axes),
        padding=_padding(_pads(call, value, kernel)),
        dilation=_dilations(call, axes),
        groups=call.attributes.get("group", 1),
        use_bias=bool(bias),
    )
    weights = {"weight": np.moveaxis(weight, (0, 1), (-1, -2)), **bias}
    return reader.apply(layer, replace(value, pads=None), weights=weights)


def _bias(reader: Reader, call: Call) -> dict[str, Any]:
    return {"bias": reader.constant(call.input(2), "bias")} if call.input(2) else {}


_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)


def _conv_transpose(reader: Reader, call: Call) -> list[Value]:
    """Read a transposed convolution; that of a sequence is one of an image of one row."""
    value, axes = _image(reader, call)
    weight, bias = reader.constant(call.input(1), "weight"), _bias(reader, call)
    group = call.attributes.get("group", 1)
    pads, extra = _cropped(call, value, list(weight.shape[2:]))
    rows: Any = {
        "stride": call.attributes.get("strides", [1] * axes),
        "padding": [*zip(pads[:axes], pads[axes:], strict=True)],
        "output_padding": extra,
        "dilation": call.attributes.get("dilations", [1] * axes),
    }
    kernel, kind = list(weight.shape[2:]), _TRANSPOSED[axes > 2]
    if axes < 3:
        fill = {"stride": 1, "padding": (0, 0), "output_padding": 0, "dilation": 1}
        rows = {name: [fill[name]] * (2 - axes) + [*given] for name, given in rows.items()}
        kernel = [1] * (2 - axes) + kernel
    layer = kind(
        weight.shape[1] * group,
        tuple(kernel),
        groups=group,
        use_bias=bool(bias),
        **{name: tuple(given) for name, given in rows.items()},
    )
    moved = np.moveaxis(weight, (0, 1), (-1, -2))
    weights = {"weight": moved if axes > 1 else moved[np.newaxis], **bias}
    if axes > 1:
        return reader.apply(layer, value, weights=weights)
    (row,) = reader.apply(layers.Reshape((1, *value.shape)), value)
    (row,) = reader.apply(layer, row, weights=weights)
    (made,) = reader.apply(layers.Reshape(row.shape[1:]), row)
    return [replace(made, axes=value.axes)]


_TRANSPOSED: tuple[Any, Any] = (layers.Conv2DTranspose, layers.Conv3DTranspose)


def _cropped(call: Call, value: Value, kernel: list[int]) -> tuple[list[int], list[int]]:
    """Return the padding of a transposed convolution, and its output padding."""
    axes, attributes = len(kernel), call.attributes
    strides, dilations = (attributes.get(name, [1] * axes) for name in ("strides", "dilations"))
    extra = list(attributes.get("output_padding", [0] * axes))
    mode = call.text("auto_pad", "NOTSET")
    sizes = attributes.get("output_shape")
    if sizes is None and mode.startswith("SAME"):
        sizes = [n * stride for n, stride in zip(value.shape, strides, strict=False)]
    if sizes is None:
        return _pads(call, value, kernel), extra
    totals = [
        stride * (n - 1) + more + dilation * (taps - 1) + 1 - size
        for n, stride, more, dilation, taps, size in zip(
            value.shape, strides, extra, dilations, kernel, sizes[-axes:], strict=False
        )
    ]
    extra = [more + max(-total, 0) for more, total in zip(extra, totals, strict=True)]
    less = [max(total, 0) // 2 for total in totals]
    more = [max(total, 0) - n for total, n in zip(totals, less, strict=True)]
    return (less + more if mode == "SAME_UPPER" else more + less), extra


def _window(call: Call, value: Value, axes: int) -> dict[str, Any]:
    kernel = list(call.attributes["kernel_shape"])
    pads, ceil_mode = _pads(call, value, kernel), bool(call.attributes.get("ceil_mode", 0))
    if any(n > k // 2 for n, k in zip(pads[axes:], kernel, strict=True)):
        pads, ceil_mode = _rounded_up(call, value, kernel, pads)
    return {
        "kernel_size": _single(kernel),
        "stride": _strides(call, axes),
        "padding": _padding(pads),
        "ceil_mode": ceil_mode,
    }


def _rounded_up(
    call: Call, value: Value, kernel: list[int], pads: list[int]
) -> tuple[list[int], bool]:
    """Return padding for windows that reach beyond the image, as layers express it."""
    axes = len(kernel)
    before = pads[:axes] * 2
    strides, dilations = (
        call.attributes.get(name, [1] * axes) for name in ("strides", "dilations")
    )
    settings = zip(value.shape, kernel, strides, pads[:axes], pads[axes:], dilations, strict=False)
    for size, taps, stride, first, last, dilation in settings:
        exact = Axis.sliding(size, taps, stride, (first, last), dilation)
        rounded = Axis.sliding(size, taps, stride, (first, first), dilation, ceil_mode=True)
        if exact.windows != rounded.windows:
            raise Unreadable(f"has padding {pads}, of more than half a window")
    return before, True


def _max_pool(reader: Reader, call: Call) -> list[Value]:
    """Read max pooling."""
    value, axes = _image(reader, call)
    options = _window(call, value, axes)
    return reader.apply(_MAXIMA[axes - 1](**options, dilation=_dilations(call, axes)), value)


_MAXIMA = (layers.MaxPool1D, layers.MaxPool2D, layers.MaxPool3D)


def _max_unpool(reader: Reader, call: Call) -> list[Value]:
    """Read the inverse of a max pooling, whose images have its maxima."""
    maker = reader.makers.get(call.input(1))
    if maker is None or maker.op_type != "MaxPool" or list(maker.output)[1:] != [call.input(1)]:
        return _unpooled(reader, call)
    pooling = Call(maker)
    images, axes = _image(reader, pooling)
    if axes != 2 or pooling.attributes.get("storage_order", 0):
        raise Unreadable("takes places that are not those of rows of images")
    if call.input(2):
        channels, *sizes = reader.constant(call.input(2), "output_shape").tolist()[1:]
        if (*sizes, channels) != images.shape:
            raise Unreadable("gives another shape than that of the images that were pooled")
    options = _window(pooling, images, axes)
    layer = layers.MaxUnpool2D(**options, dilation=_dilations(pooling, axes))
    return reader.apply(layer, reader.channels_last(reader.value(call.input(0))), images)


def _unpooled(reader: Reader, call: Call) -> list[Value]:
    """Read an unpooling by places in the batch, and zeros up to a larger size."""
    value, axes = _image(reader, call)
    places = reader.channels_last(reader.value(call.input(1)))
    kernel, pads = call.attributes["kernel_shape"], call.attributes.get("pads", [0] * 2 * axes)
    strides = call.attributes.get("strides", [1] * axes)
    sizes = [
        step * (n - 1) + taps - before - behind
        for n, step, taps, before, behind in zip(
            value.shape, strides, kernel, pads[:axes], pads[axes:], strict=False
        )
    ]
    wanted = sizes
    if call.input(2):
        wanted = reader.constant(call.input(2), "output_shape").tolist()[2:]
    if len(wanted) != axes or any(n < size for n, size in zip(wanted, sizes, strict=False)):
        raise Unreadable(f"gives the shape {wanted}, smaller than {sizes} of its windows")
    reader.check_room(*wanted, value.shape[-1])
    layer = layers.ArrayOperation("unpool", {"sizes": sizes, "wraps": True})
    (made,) = reader.apply(layer, value, places)
    if wanted == sizes:
        return [made]
    widths = [[0, n - size] for n, size in zip(wanted, sizes, strict=True)]
    return [operated(reader, "pad", made, widths=[*widths, [0, 0]], fill=0.0)]


def _avg_pool(reader: Reader, call: Call) -> list[Value]:
    """Read mean pooling; zeros of a Pad node in front of it count."""
    value, axes = _image(reader, call)
    options = _window(call, value, axes)
    counts = bool(call.attributes.get("count_include_pad", 0))
    if value.pads and any(value.pads):
        beyond = call.attributes.get("pads", [0] * 2 * axes)
        if any(beyond[:axes]) and not counts:
            raise Unreadable("counts some of its padding, and AvgPool2D all or none")
        if any(beyond) and not counts:  # the last window reaches beyond the image
            options |= {"padding": _padding(value.pads), "ceil_mode": True}
        counts = True
    layer = _MEANS[axes - 1](**options, dilation=_dilations(call, axes), count_include_pad=counts)
    return reader.apply(layer, replace(value, pads=None))


_MEANS = (layers.AvgPool1D, layers.AvgPool2D, layers.AvgPool3D)


def _lp_pool(reader: Reader, call: Call) -> list[Value]:
    """Read pooling by a norm."""
    value, axes = _image(reader, call)
    if axes != 2:
        raise Unreadable("has windows of another number of axes than two, and LPPool2D has two")
    if set(call.attributes.get("dilations", [1])) != {1}:
        raise Unreadable("has dilation, and LPPool2D has none")
    layer = layers.LPPool2D(call.attributes.get("p", 2), **_window(call, value, axes))
    return reader.apply(layer, value)


def _global_pool(reader: Reader, call: Call) -> list[Value]:
    """Read the mean or the maximum of whole images."""
    value, axes = _image(reader, call)
    mean = call.operator == "GlobalAveragePool"
    if axes != 2:
        return reader.apply((_ONE_MEAN if mean else _ONE_MAXIMUM)[axes](), value)
    (made,) = reader.apply(layers.GlobalAvgPool2D() if mean else layers.GlobalMaxPool2D(), value)
    return [replace(made, axes=(0, 1, None, None))]


_ONE_MEAN = {1: layers.AdaptiveAvgPool1D, 3: layers.AdaptiveAvgPool3D}
_ONE_MAXIMUM = {1: layers.AdaptiveMaxPool1D, 3: layers.AdaptiveMaxPool3D}


_TAKE_ZEROS = {"Conv", "AveragePool"}
"""Operators whose layers take padding of zeros."""


def _pad(reader: Reader, call: Call) -> list[Value]:
    """Record zeros around an image for the window that follows, or pad it."""
    value = reader.value(call.input(0))
    given: Any = call.attributes.get("pads")
    pads = [int(n) for n in (given or reader.constant(call.input(1), "pads"))]
    fill = reader.constant(call.input(2), "fill").item() if call.input(2) else 0.0
    mode, rank = call.text("mode", "constant"), len(value.axes)
    if call.input(3):
        axes = [axis % rank for axis in reader.constant(call.input(3), "axes").tolist()]
        pairs = {axis: (pads[n], pads[n + len(axes)]) for n, axis in enumerate(axes)}
        pads = [pairs.get(axis, (0, 0))[end] for end in (0, 1) for axis in range(rank)]
    if not any(pads):
        return [value]
    name = call.outputs[0]
    user = reader.users.get(name)
    waits = user is not None and reader.uses[name] == 1 and user.op_type in _TAKE_ZEROS
    if not waits or mode != "constant" or fill or min(pads) < 0 or value.axes[1:2] != (rank - 1,):
        return [padded(reader, value, pads, mode, float(fill))]
    around: dict[int | None, tuple[int, int]] = {
        axis: (pads[n], pads[n + rank]) for n, axis in enumerate(value.axes)
    }
    if any(around[axis] != (0, 0) for axis in (0, len(value.shape))):
        return [padded(reader, value, pads, mode, float(fill))]
    places = [around[axis] for axis in range(1, len(value.shape))]
    return [replace(value, pads=[n for n, _ in places] + [n for _, n in places])]


OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = {
    "AveragePool": _avg_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
    "MaxUnpool": _max_unpool,
}
"""The function that reads each operator; their images have channels first."""
PADDING = {"Pad": _pad}
"""The operator that adds padding to the next window."""
