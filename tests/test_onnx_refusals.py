"""Nodes of ONNX whose settings no layer has: each is refused with its place and the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from test_onnx_import import SEQUENCES, graph_file, node

import gyaku as gk
from gyaku.files import FileError

IMAGES = ("n", 1, 4, 4)
WEIGHTS = np.zeros((4, 2), np.float32)
REFUSED: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "node 0 (Add, from x, c to y) takes a constant of shape (2, 1, 4), which has too many axes": (
        [node("Add", ["x", "c"], ["y"])],
        {"rank": 3, "c": np.zeros((2, 1, 4), np.float32)},
    ),
    "node 0 (Add, from x, c to y) takes a constant of shape (3, 4), which varies with the sample": (
        [node("Add", ["x", "c"], ["y"])],
        {"c": np.zeros((3, 4), np.float32)},
    ),
    "node 0 (Expand, from x, c to y) expands to [5, 4], along the batch": (
        [node("Expand", ["x", "c"], ["y"])],
        {"c": np.array([5, 4])},
    ),
    "node 0 (Pad, from x, c to y) pads the batch": (
        [node("Pad", ["x", "c"], ["y"])],
        {"c": np.array([1, 0, 0, 0])},
    ),
    "node 1 (Cast, from h to s) casts to a type that is neither a float nor an integer": (
        [
            node("Relu", ["x"], ["h"]),
            node("Cast", ["h"], ["s"], to=onnx.TensorProto.STRING),
            node("Cast", ["s"], ["y"], to=onnx.TensorProto.FLOAT),
        ],
        {},
    ),
    "node 0 (Dropout, from x, c, m to y) drops elements in prediction as well": (
        [node("Dropout", ["x", "c", "m"], ["y"])],
        {"c": np.float32(0.5), "m": np.array(True)},
    ),
    "node 0 (Gemm, from x, c to y) transposes its input": (
        [node("Gemm", ["x", "c"], ["y"], transA=1)],
        {"shape": ("n", 4), "c": WEIGHTS},
    ),
    "node 0 (Gemm, from c, x to y) takes the constant 'c', and a layer takes none as its input": (
        [node("Gemm", ["c", "x"], ["y"])],
        {"shape": ("n", 3), "c": WEIGHTS},
    ),
    "node 1 (Gemm, from x, h to y) computes its weight ('h'), and a layer has constant ones": (
        [node("Relu", ["x"], ["h"]), node("Gemm", ["x", "h"], ["y"])],
        {"shape": ("n", 4)},
    ),
    "node 1 (LSTM, from s, w, r to y) takes sequences whose axes are not (time, batch, features)": (
        [
            node("CumSum", ["x", "axis"], ["s"]),
            node("LSTM", ["s", "w", "r"], ["y"], hidden_size=3),
        ],
        {
            "shape": SEQUENCES,
            "rank": 4,
            "axis": np.array(1),
            "w": np.zeros((1, 12, 2), np.float32),
            "r": np.zeros((1, 12, 3), np.float32),
        },
    ),
    "node 0 (RNN, from x, w, r to y) has the activations Tanh, Relu, which differ by direction": (
        [
            node(
                *("RNN", ["x", "w", "r"], ["y"]),
                hidden_size=3,
                direction="bidirectional",
                activations=["Tanh", "Relu"],
            )
        ],
        {
            "shape": SEQUENCES,
            "rank": 4,
            "w": np.zeros((2, 3, 2), np.float32),
            "r": np.zeros((2, 3, 3), np.float32),
        },
    ),
    "node 0 (Resize, from x, c to y) resizes the batch": (
        [node("Resize", ["x", "", "c"], ["y"])],
        {"shape": IMAGES, "c": np.float32([2, 1, 1, 1])},
    ),
    "node 0 (Flatten, from x to y) joins the batch with other axes": (
        [node("Flatten", ["x"], ["y"], axis=2)],
        {"shape": ("n", 3, 4), "rank": 2},
    ),
    "node 0 (Concat, from x, x to y) joins values along the batch": (
        [node("Concat", ["x", "x"], ["y"], axis=0)],
        {},
    ),
    "node 1 (Gather, from c, i to y) reads a table along axis 1, and Embedding has axis 0": (
        [
            node("Cast", ["x"], ["i"], to=onnx.TensorProto.INT64),
            node("Gather", ["c", "i"], ["y"], axis=1),
        ],
        {"rank": 3, "c": WEIGHTS},
    ),
    "node 1 (Add, from x, m to y) broadcasts values of different ranks, one along the batch of"
    " the other": (
        [
            node("ReduceMax", ["x"], ["m"], axes=[1], keepdims=0),
            node("Add", ["x", "m"], ["y"]),
        ],
        {"shape": ("n", 4, 4)},
    ),
    "node 0 (LpNormalization, from x to y) normalises over the samples of a batch, or by another"
    " norm": ([node("LpNormalization", ["x"], ["y"], axis=0)], {}),
    "node 0 (Softmax, from x to y) normalises over the samples of a batch": (
        [node("Softmax", ["x"], ["y"], axis=0)],
        {},
    ),
    "node 0 (LRN, from x to y) has an even size, whose middle is another one in"
    " LocalResponseNorm": ([node("LRN", ["x"], ["y"], size=2)], {"shape": IMAGES}),
    "node 0 (Einsum, from x, c to y) computes ij,jk->ki, whose first axis is not that of samples"
    " alone": ([node("Einsum", ["x", "c"], ["y"], equation="ij,jk->ki")], {"c": WEIGHTS}),
    "node 0 (MaxPool, from x to y) has windows of 4 axes, and layers have one to three": (
        [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2, 2, 2])],
        {"shape": ("n", 1, 4, 4, 4, 4)},
    ),
    "node 0 (LpPool, from x to y) has windows of another number of axes than two, and LPPool2D"
    " has two": (
        [node("LpPool", ["x"], ["y"], kernel_shape=[2])],
        {"shape": ("n", 1, 4)},
    ),
    "node 1 (AveragePool, from p to y) counts some of its padding, and AvgPool2D all or none": (
        [
            node("Pad", ["x", "c"], ["p"]),
            node("AveragePool", ["p"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        ],
        {"shape": IMAGES, "c": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
    ),
    "node 1 (MaxUnpool, from m, i, c to y) gives another shape than that of the images that were"
    " pooled": (
        [
            node("MaxPool", ["x"], ["m", "i"], kernel_shape=[2, 2], strides=[2, 2]),
            node("MaxUnpool", ["m", "i", "c"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
        ],
        {"shape": (1, 1, 4, 4), "c": np.array([1, 1, 5, 5])},
    ),
    "node 1 (MaxUnpool, from m, i to y) takes places that are not those of rows of images": (
        [
            node("MaxPool", ["x"], ["m", "i"], kernel_shape=[2, 2], storage_order=1),
            node("MaxUnpool", ["m", "i"], ["y"], kernel_shape=[2, 2]),
        ],
        {"shape": (1, 1, 4, 4)},
    ),
    "node 0 (Gather, from x, c to y) takes some of the samples of a batch by index": (
        [node("Gather", ["x", "c"], ["y"], axis=0)],
        {"c": np.array([0, 1])},
    ),
    "node 0 (Reshape, from x, c to y) makes [0, 4] (0 is the batch) into [-1, 2], which no layer"
    " does": (
        [node("Reshape", ["x", "c"], ["y"])],
        {"c": np.array([-1, 2])},
    ),
    "node 0 (MaxUnpool, from x, c to y) takes the constant 'c', and a layer takes none as its"
    " input": (
        [node("MaxUnpool", ["x", "c"], ["y"], kernel_shape=[2, 2], strides=[2, 2])],
        {"shape": (1, 1, 2, 2), "c": np.array([[[[0, 2], [8, 10]]]])},
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_setting_that_no_layer_has_is_refused(message: str, tmp_path: Path) -> None:
    nodes, options = REFUSED[message]
    path = graph_file(tmp_path / "a.onnx", *nodes, **options)
    with pytest.raises(FileError) as raised:
        gk.interop.from_onnx(path)
    # The hint that a slice may be of an unrolled network is the subject of another test.
    assert str(raised.value).partition(";")[0] == f"from_onnx: {path}: {message}"


def test_pooling_by_a_norm_has_no_dilation(tmp_path: Path) -> None:
    pooling = node("LpPool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 1])
    path = graph_file(tmp_path / "a.onnx", pooling, shape=IMAGES)
    proto = onnx.load(path)
    proto.opset_import[0].version = 18  # which has dilations
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(FileError, match=r"to y\) has dilation, and LPPool2D has none$"):
        gk.interop.from_onnx(path)


def test_groups_of_other_elements_than_channels_are_refused(tmp_path: Path) -> None:
    model, path = gk.Sequential(gk.GroupNorm(2)), tmp_path / "a.onnx"
    model.build((2, 3, 4))
    gk.interop.to_onnx(model, path)
    proto = onnx.load(path)
    for each in proto.graph.initializer:
        array = onnx.numpy_helper.to_array(each)
        if array.tolist() == [0, -1, 2, 2]:
            changed = np.array([-1, 6, 2, 2])  # the same groups of a model that states its images
            each.CopyFrom(onnx.numpy_helper.from_array(changed, each.name))
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(FileError, match="normalises groups of other elements than channels"):
        gk.interop.from_onnx(path)


def test_an_input_shape_must_fit_the_file(tmp_path: Path) -> None:
    path = graph_file(tmp_path / "a.onnx", node("Relu", ["x"], ["y"]))
    with pytest.raises(ValueError) as raised:
        gk.interop.from_onnx(path, input_shape=(5,))
    wanted = f"input_shape must fit (4,) of {path}, where 0 is free, got (5,)"
    assert str(raised.value) == f"from_onnx: {wanted}"
    assert gk.interop.from_onnx(path, input_shape=(4,)).input_shape == (4,)


def test_several_inputs_need_several_shapes(tmp_path: Path) -> None:
    a, b = gk.Input((3,)), gk.Input((3,))
    model, path = gk.Model([a, b], gk.Add()(a, b)), tmp_path / "a.onnx"
    model.build()
    gk.interop.to_onnx(model, path)
    with pytest.raises(ValueError) as raised:
        gk.interop.from_onnx(path, input_shape=(3,))
    wanted = f"input_shape must have a shape for each of the 2 inputs of {path}, got (3,)"
    assert str(raised.value) == f"from_onnx: {wanted}"
