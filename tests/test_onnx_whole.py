"""ONNX graphs without a batch, and of operators that are functions, with onnxruntime's outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import gyaku as gk

node = helper.make_node
rng = np.random.default_rng(0)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def floats(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


# Nodes, inputs with the first axis fixed, and constants; the outputs are the last letters.
GRAPHS: dict[str, tuple[list[Any], dict[str, np.ndarray], dict[str, Any]]] = {
    "reductions over all and over the first axis": (
        [
            node("ReduceMax", ["x"], ["a"], axes=[0]),
            node("ReduceMean", ["x"], ["z"], keepdims=0),
            node("Sub", ["x", "a"], ["y"]),
        ],
        {"x": floats(3, 4)},
        {},
    ),
    "products of transposed matrices, and of vectors": (
        [
            node("Gemm", ["x", "v", "m"], ["a"], transA=1, transB=1, alpha=0.5, beta=2.0),
            node("MatMul", ["a", "u"], ["b"]),
            node("MatMul", ["u", "b"], ["z"]),
            node("Einsum", ["a", "x"], ["y"], equation="ij,ki->kj"),
        ],
        {"x": floats(2, 3), "v": floats(3, 2)},
        {"m": floats(3, 1), "u": floats(3)},
    ),
    "values of other ranks, and shapes": (
        [
            node("Mul", ["x", "v"], ["a"]),
            node("Flatten", ["a"], ["b"], axis=2),
            node("Shape", ["b"], ["s"]),
            node("Expand", ["one", "s"], ["c"]),
            node("Concat", ["b", "c"], ["d"], axis=0),
            node("Transpose", ["d"], ["y"]),
        ],
        {"x": floats(2, 3, 4), "v": floats(4)},
        {"one": np.ones((1, 1), np.float32)},
    ),
    "choices among the first axis": (
        [
            node("TopK", ["x", "two"], ["a", "at"], axis=0),
            node("Gather", ["x", "at"], ["g"], axis=1),
            node("ReduceSum", ["g", "last"], ["s"], keepdims=0),
            node("Cast", ["at"], ["f"], to=FLOAT),
            node("ArgMax", ["x"], ["m"], axis=0, keepdims=0),
            node("OneHot", ["m", "three", "ends"], ["h"], axis=0),
            node("Trilu", ["h"], ["y"], upper=0),
            node("Add", ["a", "f"], ["z"]),
        ],
        {"x": floats(3, 5)},
        {
            "two": np.array([2]),
            "last": np.array([2]),
            "three": np.array(3),
            "ends": np.array([-1, 2], np.float32),
        },
    ),
    "elements at places that are an input": (
        [
            node("GatherElements", ["x", "i"], ["a"], axis=0),
            node("ScatterElements", ["x", "i", "a"], ["b"], axis=1, reduction="add"),
            node("ScatterND", ["b", "j", "row"], ["y"]),
            node("GatherND", ["y", "k"], ["z"]),
        ],
        {"x": floats(3, 3), "i": np.array([[0, 2, 1], [1, -1, 0]])},
        {"j": np.array([[1]]), "row": floats(1, 3), "k": np.array([[0, 1], [2, 2]])},
    ),
    "a loss with classes to ignore": (
        [
            node(
                *("SoftmaxCrossEntropyLoss", ["x", "t", "w"], ["y", "z"]),
                ignore_index=1,
                reduction="mean",
            )
        ],
        {"x": floats(4, 3), "t": np.array([0, 2, 1, 2])},
        {"w": np.array([0.5, 1, 2], np.float32)},
    ),
}


def written(
    path: Path, nodes: list[Any], inputs: dict[str, Any], constants: dict[str, Any], opset: int = 17
) -> Path:
    """Write a graph; an input is an array, or a shape of floats."""
    value = helper.make_tensor_value_info
    outputs = [each for each in ("y", "z") if any(each in made.output for made in nodes)]
    given = [
        value(name, INT64 if each.dtype.kind == "i" else FLOAT, each.shape)
        if isinstance(each, np.ndarray)
        else value(name, FLOAT, each)
        for name, each in inputs.items()
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        given,
        [value(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 20 else 10)
    proto = onnx.shape_inference.infer_shapes(proto)
    onnx.save(proto, path)
    return path


def run(path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [np.asarray(each) for each in session.run(None, inputs)]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_sample_is_the_whole_input(name: str, tmp_path: Path) -> None:
    nodes, inputs, constants = GRAPHS[name]
    path = written(tmp_path / "a.onnx", nodes, inputs, constants)
    model = gk.interop.from_onnx(path)
    others = {key: np.roll(each, 1, -1) for key, each in inputs.items()}
    expected = [np.stack(pair) for pair in zip(run(path, inputs), run(path, others), strict=True)]
    x = [np.stack([each, others[key]]) for key, each in inputs.items()]
    assert [each.shape[1:] for each in x] == [tuple(each) for each in model.plan.input_shapes]
    found: Any = model.forward(tuple(x) if len(x) > 1 else x[0])
    found = found if isinstance(found, tuple) else (found,)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    dy = tuple(np.ones_like(each) for each in found)
    dx: Any = model.backward(dy if len(dy) > 1 else dy[0], input_gradient=True)
    for gradient in dx if isinstance(dx, tuple) else (dx,):
        assert np.isfinite(gradient).all()


def test_weights_of_a_graph_without_a_batch_train(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", ["x", "w", "b"], ["h"]),
        node("Tanh", ["h"], ["t"]),
        node("MatMul", ["t", "v"], ["s"]),
        node("ReduceMax", ["s"], ["y"], axes=[0], keepdims=0),
    ]
    constants = {"w": floats(3, 8), "b": np.zeros(8, np.float32), "v": floats(8, 2)}
    path = written(tmp_path / "a.onnx", nodes, {"x": floats(5, 3)}, constants)
    model = gk.interop.from_onnx(path)
    assert [type(each).__name__ for each in model.layers] == [
        *("Dense", "Tanh", "Dense", "ArrayOperation")
    ]
    x = floats(16, 5, 3)
    history = model.fit(
        x, x.sum(1)[:, :2], loss="mse", optimizer=gk.Adam(0.01), epochs=60, verbose=0, seed=0
    )
    assert history["loss"][-1] < 0.5 * history["loss"][0]


@pytest.mark.parametrize("batch", ["n", 2])
def test_a_function_is_read_as_the_nodes_that_define_it(batch: Any, tmp_path: Path) -> None:
    nodes = [node("Attention", ["q", "k", "v"], ["y"], is_causal=1, scale=0.3)]
    inputs = dict.fromkeys("qkv", (batch, 3, 5, 4))
    path = written(tmp_path / "a.onnx", nodes, inputs, {}, opset=23)
    x = {name: floats(2, 3, 5, 4) for name in "qkv"}
    (expected,) = run(path, x)
    model = gk.interop.from_onnx(path)
    last = [each.transpose(0, 2, 3, 1) for each in x.values()]
    is_last = model.plan.input_shapes[0] == (5, 4, 3)
    found = model.forward(tuple(last if is_last else x.values()))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("wanted", [None, [2, 3, 5, 6]])
def test_elements_go_to_given_places_of_a_batch(wanted: list[int] | None, tmp_path: Path) -> None:
    nodes = [node("MaxUnpool", ["x", "i", *["o"] * bool(wanted)], ["y"], kernel_shape=[2, 2])]
    nodes[0].attribute.append(helper.make_attribute("strides", [2, 2]))
    x = floats(2, 3, 2, 3)
    blocks = (
        np.arange(2 * 3 * 4 * 6).reshape(2, 3, 2, 2, 3, 2).swapaxes(3, 4).reshape(2, 3, 2, 3, 4)
    )
    chosen = rng.integers(0, 4, x.shape)[..., np.newaxis]
    places = np.take_along_axis(blocks, chosen, -1)[..., 0]
    shapes = {"x": ("n", 3, 2, 3), "i": places}
    path = written(tmp_path / "a.onnx", nodes, shapes, {"o": np.array(wanted)} if wanted else {})
    proto = onnx.load(path)
    output = helper.make_tensor_value_info("y", FLOAT, ["n", 3, *[None] * 2])
    proto.graph.output[0].CopyFrom(output)
    proto.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.save(proto, path)
    expected = np.zeros((2, 3, 4, 6), np.float32)
    expected.ravel()[places.ravel()] = x.ravel()
    if wanted:
        expected = np.pad(expected, ((0, 0), (0, 0), (0, 1), (0, 0)))
    model = gk.interop.from_onnx(path)
    found = model.forward((x.transpose(0, 2, 3, 1), places.transpose(0, 2, 3, 1)))
    np.testing.assert_array_equal(found, expected.transpose(0, 2, 3, 1))
    dx, _ = model.backward(2 * found, input_gradient=True)
    np.testing.assert_array_equal(dx, 2 * x.transpose(0, 2, 3, 1))
