"""Operations on arrays read from ONNX files, with the outputs of onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from test_onnx_import import graph_file, node

import gyaku as gk

ARRAY_NODES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "multiply and subtract values": (
        [
            node("Mul", ["x", "x"], ["a"]),
            node("Sub", ["a", "x"], ["y"]),
        ],
        {"shape": ("n", 3, 4)},
    ),
    "divide a constant": (
        [node("Exp", ["x"], ["e"]), node("Div", ["c", "e"], ["y"])],
        {"shape": ("n", 3, 4), "c": np.float32([[1], [-2], [3]])},
    ),
    "power of a constant that varies along two axes": (
        [node("Softplus", ["x"], ["a"]), node("Pow", ["a", "c"], ["y"])],
        {"shape": ("n", 2, 3), "c": np.float32([[1, 2, 3], [0.5, -1, 2]])},
    ),
    "slice, gather, tile": (
        [
            node("Slice", ["x", "starts", "ends", "axes", "steps"], ["a"]),
            node("Gather", ["a", "places"], ["b"], axis=2),
            node("Tile", ["b", "repeats"], ["y"]),
        ],
        {
            "shape": ("n", 5, 4),
            "starts": np.array([4, 0]),
            "ends": np.array([-100, 3]),
            "axes": np.array([1, 2]),
            "steps": np.array([-2, 1]),
            "places": np.array([2, 0, 0, -1]),
            "repeats": np.array([1, 2, 1]),
        },
    ),
    "split, clip, where": (
        [
            node("Split", ["x", "sizes"], ["a", "b"], axis=1),
            node("Clip", ["b", "least"], ["c"]),
            node("Greater", ["a", "zero"], ["positive"]),
            node("Where", ["positive", "c", "a"], ["y"]),
        ],
        {
            "shape": ("n", 6),
            "sizes": np.array([3, 3]),
            "least": np.float32(-0.2),
            "zero": np.float32(0.0),
        },
    ),
    "reductions": (
        [
            node("ReduceMax", ["x"], ["a"], axes=[1]),
            node("ReduceLogSumExp", ["x"], ["b"], axes=[2], keepdims=0),
            node("Unsqueeze", ["b", "last"], ["c"]),
            node("Add", ["a", "c"], ["y"]),
        ],
        {"shape": ("n", 3, 4), "last": np.array([2])},
    ),
    "transpose, reshape, batched product": (
        [
            node("Reshape", ["x", "heads"], ["a"]),
            node("Transpose", ["a"], ["q"], perm=[0, 2, 1, 3]),
            node("Transpose", ["a"], ["k"], perm=[0, 2, 3, 1]),
            node("MatMul", ["q", "k"], ["scores"]),
            node("Softmax", ["scores"], ["p"]),
            node("MatMul", ["p", "q"], ["mixed"]),
            node("Transpose", ["mixed"], ["back"], perm=[0, 2, 1, 3]),
            node("Reshape", ["back", "joined"], ["y"]),
        ],
        {"shape": ("n", 5, 6), "heads": np.array([0, 0, 2, 3]), "joined": np.array([0, 0, -1])},
    ),
    "queries, keys and values of one product": (
        [
            node("Reshape", ["x", "heads"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[2, 0, 3, 1, 4]),
            node("Split", ["b", "ones"], ["q1", "k1", "v1"], axis=0),
            node("Squeeze", ["q1", "zero"], ["q"]),
            node("Gather", ["b", "one"], ["k"], axis=0),
            node("Squeeze", ["v1", "zero"], ["v"]),
            node("Transpose", ["k"], ["t"], perm=[0, 1, 3, 2]),
            node("MatMul", ["q", "t"], ["scores"]),
            node("Softmax", ["scores"], ["p"]),
            node("MatMul", ["p", "v"], ["y"]),
        ],
        {
            "shape": ("n", 5, 12),
            "rank": 4,
            "heads": np.array([0, 5, 3, 2, 2]),
            "ones": np.array([1, 1, 1]),
            "zero": np.array([0]),
            "one": np.array(1),
        },
    ),
    "softmax over channels, expand, cumulative sum": (
        [
            node("Softmax", ["x"], ["a"], axis=1),
            node("ReduceMean", ["a"], ["m"], axes=[1]),
            node("Expand", ["m", "wide"], ["e"]),
            node("Sub", ["a", "e"], ["d"]),
            node("CumSum", ["d", "axis"], ["y"], reverse=1),
        ],
        {"shape": ("n", 3, 4), "wide": np.array([1, 3, 4]), "axis": np.array(2)},
    ),
    "padding by reflection": (
        [node("Pad", ["x", "pads"], ["y"], mode="reflect")],
        {"shape": ("n", 4, 5), "pads": np.array([0, 1, 2, 0, 0, 3])},
    ),
    "padding and cropping": (
        [node("Pad", ["x", "pads", "fill"], ["y"])],
        {"shape": ("n", 4, 5), "pads": np.array([0, 1, -2, 0, 0, 3]), "fill": np.float32(0.5)},
    ),
    "resize to twice the size and a half": (
        [node("Resize", ["x", "", "scales"], ["y"], mode="linear")],
        {"shape": ("n", 2, 4, 6), "scales": np.float32([1, 1, 2, 0.5])},
    ),
    "resize to the nearest": (
        [node("Resize", ["x", "", "", "sizes"], ["y"], mode="nearest")],
        {"shape": (1, 2, 3, 3), "sizes": np.array([1, 2, 7, 5])},
    ),
    "features behind a flatten of channels first": (
        [
            node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2]),
            node("Flatten", ["p"], ["f"]),
            node("Mul", ["f", "c"], ["y"]),
        ],
        {"shape": ("n", 2, 3, 4), "rank": 2, "c": np.arange(12, dtype=np.float32)},
    ),
    "products of an axis and a matrix": (
        [
            node("Einsum", ["x", "a"], ["h"], equation="bij,ik->bkj"),
            node("Einsum", ["h", "b"], ["y"], equation="bij, jk -> bik"),
        ],
        {
            "shape": ("n", 3, 4),
            "a": np.arange(6, dtype=np.float32).reshape(3, 2),
            "b": np.arange(12, dtype=np.float32).reshape(4, 3) / 9,
        },
    ),
    "transposed convolutions to a given size": (
        [
            node("ConvTranspose", ["x", "w"], ["a"], strides=[2, 2], output_shape=[8, 9]),
            node("ConvTranspose", ["a", "w"], ["b"], auto_pad="SAME_UPPER", strides=[2, 1]),
            node("PRelu", ["b", "slope"], ["y"]),
        ],
        {
            "shape": ("n", 2, 4, 5),
            "w": np.linspace(-1, 1, 36, dtype=np.float32).reshape(2, 2, 3, 3),
            "slope": np.float32([[[0.3]], [[-2.0]]]),
        },
    ),
    "maxima over zeros around an image": (
        [node("Pad", ["x", "pads"], ["p"]), node("MaxPool", ["p"], ["y"], kernel_shape=[2, 2])],
        {"shape": ("n", 2, 3, 4), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 0])},
    ),
    "depth to space and back, in both orders": (
        [
            node("DepthToSpace", ["x"], ["a"], blocksize=2, mode="CRD"),
            node("SpaceToDepth", ["a"], ["b"], blocksize=2),
            node("DepthToSpace", ["b"], ["y"], blocksize=2),
        ],
        {"shape": ("n", 8, 2, 3)},
    ),
    "casts to an integer and to a truth": (
        [
            node("Mul", ["x", "three"], ["a"]),
            node("Cast", ["a"], ["i"], to=onnx.TensorProto.INT32),
            node("Cast", ["i"], ["f"], to=onnx.TensorProto.FLOAT),
            node("Cast", ["f"], ["b"], to=onnx.TensorProto.BOOL),
            node("Cast", ["b"], ["t"], to=onnx.TensorProto.FLOAT),
            node("Add", ["f", "t"], ["y"]),
        ],
        {"shape": ("n", 3, 4), "three": np.float32(3)},
    ),
    "an input as an integer and as a truth": (
        [
            node("Cast", ["x"], ["i"], to=onnx.TensorProto.INT32),
            node("Cast", ["i"], ["f"], to=onnx.TensorProto.FLOAT),
            node("Cast", ["x"], ["b"], to=onnx.TensorProto.BOOL),
            node("Cast", ["b"], ["t"], to=onnx.TensorProto.FLOAT),
            node("Add", ["f", "t"], ["y"]),
        ],
        {"shape": ("n", 3, 40)},
    ),
    "integers are divided without a remainder": (
        [
            node("Mul", ["x", "nine"], ["a"]),
            node("Cast", ["a"], ["i"], to=onnx.TensorProto.INT64),
            node("Div", ["i", "two"], ["q"]),
            node("Cast", ["q"], ["y"], to=onnx.TensorProto.FLOAT),
        ],
        {"shape": ("n", 3, 4), "nine": np.float32(9), "two": np.array(2)},
    ),
    "a constant in the type of a value": (
        [
            node("Exp", ["x"], ["e"]),
            node("CastLike", ["c", "e"], ["d"]),
            node("CastLike", ["e", "d"], ["f"]),
            node("Mul", ["f", "d"], ["y"]),
        ],
        {"shape": ("n", 3), "c": np.array([1, -2, 3])},
    ),
    "mean of several and sum of one": (
        [
            node("Exp", ["x"], ["e"]),
            node("Sum", ["e"], ["s"]),
            node("Mean", ["x", "s", "e"], ["y"]),
        ],
        {"shape": ("n", 3)},
    ),
    "vectors of length one": (
        [
            node("LpNormalization", ["x"], ["a"], axis=1, p=1),
            node("LpNormalization", ["a"], ["y"], axis=-1, p=2),
        ],
        {"shape": ("n", 3, 4)},
    ),
    "halves without sizes": (
        [node("Split", ["x"], ["a", "b"], axis=1), node("Sub", ["a", "b"], ["y"])],
        {"shape": ("n", 6, 2)},
    ),
    "normalisations of channels first": (
        [
            node("InstanceNormalization", ["x", "scale", "shift"], ["a"], epsilon=1e-3),
            node("LRN", ["a"], ["b"], size=3, alpha=0.01, beta=0.5, bias=1.5),
            node("BatchNormalization", ["b", "scale", "shift", "mean", "variance"], ["y"]),
        ],
        {
            "shape": ("n", 4, 3, 2),
            "scale": np.float32([1, -2, 0.5, 3]),
            "shift": np.float32([0, 1, -1, 2]),
            "mean": np.float32([0.1, -0.2, 0.3, 0]),
            "variance": np.float32([1, 2, 0.5, 4]),
        },
    ),
    "layer normalisation with its statistics": (
        [
            node("LayerNormalization", ["x", "scale"], ["a", "m", "r"], axis=1),
            node("Mul", ["a", "r"], ["b"]),
            node("Add", ["b", "m"], ["y"]),
        ],
        {"shape": ("n", 3, 4), "scale": np.float32([[1, -2, 0.5, 3]] * 3)},
    ),
    "windows of the same size as the image": (
        [
            node("Conv", ["x", "w"], ["a"], auto_pad="SAME_UPPER", strides=[2, 1]),
            node(
                *("MaxPool", ["a"], ["y"]),
                kernel_shape=[2, 2],
                auto_pad="SAME_LOWER",
                strides=[1, 2],
            ),
        ],
        {
            "shape": ("n", 2, 5, 4),
            "w": np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 2, 2, 2),
        },
    ),
    "a transposed convolution and a mean along time": (
        [
            node("ConvTranspose", ["x", "w"], ["a"], strides=[2]),
            node("GlobalAveragePool", ["a"], ["y"]),
        ],
        {"shape": ("n", 2, 5), "w": np.linspace(-1, 1, 18, dtype=np.float32).reshape(2, 3, 3)},
    ),
    "resize by a factor and by cubes": (
        [
            node("Resize", ["x", "", "scales"], ["a"], mode="nearest", nearest_mode="floor"),
            node(
                *("Resize", ["a", "", "back"], ["y"]),
                mode="cubic",
                coordinate_transformation_mode="align_corners",
            ),
        ],
        {
            "shape": ("n", 2, 4, 6),
            "scales": np.float32([1, 1, 1.5, 2]),
            "back": np.float32([1, 1, 2, 0.5]),
        },
    ),
    "indices of two axes": (
        [node("Gather", ["x", "places"], ["y"], axis=1)],
        {"shape": ("n", 5, 2), "rank": 4, "places": np.array([[0, 4], [-1, 2]])},
    ),
    "a sum over no axes": (
        [node("ReduceSum", ["x", "none"], ["y"], noop_with_empty_axes=1)],
        {"shape": ("n", 5, 2), "none": np.array([], np.int64)},
    ),
    "a stack of one matrix": (
        [node("MatMul", ["x", "w"], ["y"])],
        {"shape": ("n", 5, 2), "w": np.float32([[[1, 2, 3], [-1, 0, 2]]])},
    ),
    "channels first between windows": (
        [
            node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2]),
            node("Transpose", ["p"], ["t"], perm=[0, 3, 1, 2]),
            node("AveragePool", ["t"], ["y"], kernel_shape=[2, 1]),
        ],
        {"shape": ("n", 3, 4, 5)},
    ),
}


@pytest.mark.parametrize("name", ARRAY_NODES)
def test_operations_on_arrays_have_outputs_and_gradients(name: str, tmp_path: Path) -> None:
    nodes, options = ARRAY_NODES[name]
    path = graph_file(tmp_path / "a.onnx", *nodes, **options)
    model, rng = gk.interop.from_onnx(path), np.random.default_rng(0)
    shape = [3 if axis == "n" else axis for axis in options["shape"]]
    x = rng.standard_normal(shape).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    here = np.moveaxis(x, 1, -1) if model.input_shape != x.shape[1:] else x
    found = model.forward(here)
    if found.shape != expected.shape:
        expected = np.moveaxis(expected, 1, -1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.isfinite(model.backward(np.ones_like(found), input_gradient=True)).all()
