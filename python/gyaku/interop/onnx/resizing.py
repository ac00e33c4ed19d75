"""Layers of ONNX nodes that resize images, or move elements between channels and pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import layers
from gyaku.interop.onnx import arrays
from gyaku.interop.onnx.reader import Unreadable, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gyaku.interop.onnx.reader import Call, Reader

__all__ = ["OPERATORS"]


def _resize(reader: Reader, call: Call) -> list[Value]:
    """Resize each axis by the matrix that onnx's own evaluator makes of unit vectors."""
    value, attributes = reader.value(call.input(0)), dict(call.attributes)
    if call.text("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        raise Unreadable("crops a region of its own")
    if call.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unreadable("keeps the aspect ratio of sizes that do not have it")
    scales = attributes.pop("scales", None)
    place = 1 if call.operator == "Upsample" or reader.opset < 11 else 2
    if call.input(place):
        scales = reader.constant(call.input(place), "scales").tolist()
    sizes = reader.constant(call.input(3), "sizes").tolist() if call.input(3) else None
    axes = attributes.pop("axes", range(len(value.axes)))
    layer = _upsampling(reader, call, value, axes, scales, sizes)
    if layer is not None:
        return reader.apply(layer, value)
    for n, axis in enumerate(axes):
        length = value.dimensions[axis]
        if value.axes[axis] == 0:
            if (scales or [1.0])[n if scales else 0] != 1:
                raise Unreadable("resizes the batch")
            continue
        new = sizes[n] if sizes else int(np.floor(length * scales[n]))
        if new == length and (not scales or scales[n] == 1):
            continue
        matrix = _resizing(reader, call, attributes, length, None if sizes else scales[n], new)
        value = arrays.mixed(reader, value, axis, matrix)
    return [value]


def _resizing(
    reader: Reader,
    call: Call,
    attributes: dict[str, Any],
    length: int,
    scale: float | None,
    new: int,
) -> NDArray[Any]:
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    value = helper.make_tensor_value_info
    inputs = [value("x", TensorProto.FLOAT, None)]
    given: dict[str, Any] = {"x": np.eye(length, dtype=np.float32)}
    if scale is None:
        inputs.append(value("sizes", TensorProto.INT64, None))
        given["sizes"] = np.array([length, new])
        names = ["x", "", "", "sizes"]
    else:
        inputs.append(value("scales", TensorProto.FLOAT, None))
        given["scales"] = np.array([1.0, scale], np.float32)
        names = ["x", "", "scales"]
    if call.operator == "Upsample" or reader.opset < 11:
        attributes = attributes | {"coordinate_transformation_mode": "asymmetric"}
        if attributes.get("mode", b"nearest") in (b"nearest", "nearest"):
            attributes["nearest_mode"] = "floor"
    node = helper.make_node("Resize", names, ["y"], **attributes)
    graph = helper.make_graph([node], "resize", inputs, [value("y", TensorProto.FLOAT, None)])
    opset = helper.make_opsetid("", max(reader.opset, 13))
    model = helper.make_model(graph, opset_imports=[opset])
    (found,) = ReferenceEvaluator(model).run(None, given)
    return np.asarray(found)


def _upsampling(
    reader: Reader,
    call: Call,
    value: Value,
    axes: Sequence[int],
    scales: list[float] | None,
    sizes: list[int] | None,
) -> layers.Upsample | None:
    """Return the layer that does the same to images, None if there is none."""
    rank = len(value.axes)
    if value.axes != (0, rank - 1, *range(1, rank - 1)) or [*axes] != [*range(rank)] or rank < 3:
        return None
    mode, where = call.text("mode", "nearest"), _coordinates(reader, call)
    known = {"nearest": ("asymmetric",), "linear": _AREAS, "cubic": _AREAS}
    if where not in known.get(mode, ()) or call.attributes.get("antialias", 0):
        return None
    rounds = mode == "nearest" and call.operator == "Resize" and reader.opset >= 11
    if rounds and call.text("nearest_mode", "round_prefer_floor") != "floor":
        return None
    outside = call.attributes.get("exclude_outside", 0)
    if outside or call.attributes.get("cubic_coeff_a", -0.75) != -0.75:
        return None
    channels = value.shape[-1]
    if (scales or [1, 1])[:2] != [1, 1] or (sizes or [0, channels])[1] != channels:
        return None
    options: dict[str, Any] = {"size": sizes[2:]} if sizes else {"scale": (scales or [])[2:]}
    return layers.Upsample(mode=mode, align_corners=where == "align_corners", **options)


_AREAS = ("half_pixel", "align_corners")


def _coordinates(reader: Reader, call: Call) -> str:
    """Return the name of the map of positions, as newer opsets call it."""
    if call.operator == "Upsample" or reader.opset < 11:
        return "asymmetric"
    return call.text("coordinate_transformation_mode", "half_pixel")


def _depth_to_space(reader: Reader, call: Call) -> list[Value]:
    value, size = reader.plain(reader.value(call.input(0))), int(call.attributes["blocksize"])
    channels, height, width = value.shape
    if call.operator == "SpaceToDepth":
        split, order = (channels, height // size, size, width // size, size), [0, 3, 5, 1, 2, 4]
        if call.text("mode", "DCR") == "CRD":
            order = [0, 1, 3, 5, 2, 4]
        joined = [channels * size * size, height // size, width // size]
    elif call.text("mode", "DCR") == "DCR":
        split, order = (size, size, channels // size**2, height, width), [0, 3, 4, 1, 5, 2]
        joined = [channels // size**2, height * size, width * size]
    else:
        split, order = (channels // size**2, size, size, height, width), [0, 1, 4, 2, 5, 3]
        joined = [channels // size**2, height * size, width * size]
    (value,) = reader.apply(layers.Reshape(split), value)
    value = arrays.operated(reader, "transpose", reader.as_plain(value), axes=order)
    return [reader.as_plain(reader.apply(layers.Reshape(joined), reader.as_plain(value))[0])]


OPERATORS: dict[str, Callable[[Reader, Call], list[Value]]] = {
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _depth_to_space),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
}
"""The function that reads each operator."""
