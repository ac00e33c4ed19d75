"""Models read from ONNX files: round trips, foreign exports, damaged files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from layer_cases import LAYER_CASES
from test_onnx_export import CASES, drawn, randomised, tagger

import gyaku as gk
from gyaku.files import FileError


@pytest.mark.parametrize("name", CASES)
def test_a_round_trip_keeps_outputs_and_gradients(name: str, tmp_path: Path) -> None:
    case = LAYER_CASES[name]
    model, path = case.model(), tmp_path / "model.onnx"
    model.build(case.shape)
    randomised(model)
    gk.interop.to_onnx(model, path)
    again = gk.interop.from_onnx(path)
    inputs = drawn(case)
    x = tuple(inputs) if len(inputs) > 1 else inputs[0]
    y = model.forward(x)
    np.testing.assert_allclose(again.forward(x), y, rtol=1e-6, atol=1e-6)
    if case.vocabulary:
        return
    dy = np.random.default_rng(2).standard_normal(y.shape).astype(np.float32)
    of_model = model.backward(dy, input_gradient=True)
    of_again = again.backward(dy, input_gradient=True)
    if not isinstance(of_model, tuple):
        of_model, of_again = (of_model,), (of_again,)
    for a, b in zip(of_again, of_model, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_sample_may_be_a_number(tmp_path: Path) -> None:
    nodes = [
        node("Unsqueeze", ["x", "axis"], ["a"]),
        node("MatMul", ["a", "w"], ["b"]),
        node("Tanh", ["b"], ["y"]),
    ]
    w, path = np.float32([[1.0, -2.0, 0.5]]), tmp_path / "a.onnx"
    graph_file(path, *nodes, shape=("n",), rank=2, axis=np.array([1]), w=w)
    model, x = gk.interop.from_onnx(path), np.float32([0.3, -1.0])
    assert model.input_shape == (1,)
    np.testing.assert_allclose(model.predict(x[:, np.newaxis]), np.tanh(x[:, None] * w), rtol=1e-6)
    graph_file(path, node("Exp", ["x"], ["y"]), shape=("n",))
    found = gk.interop.from_onnx(path).predict(x[:, np.newaxis])
    np.testing.assert_allclose(found, np.exp(x)[:, np.newaxis], rtol=1e-6)


def test_an_output_that_is_no_array_is_refused(tmp_path: Path) -> None:
    path = graph_file(tmp_path / "a.onnx", node("SequenceConstruct", ["x"], ["y"]))
    proto = onnx.load(path)
    kind = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, None)
    sequence = onnx.helper.make_sequence_type_proto(kind)
    proto.graph.output[0].CopyFrom(onnx.helper.make_value_info("y", sequence))
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(FileError) as raised:
        gk.interop.from_onnx(path)
    wanted = "the output 'y' must be a tensor, got a sequence"
    assert str(raised.value) == f"from_onnx: {path}: {wanted}"


def test_a_file_without_outputs_is_refused(tmp_path: Path) -> None:
    model, path = gk.Sequential(gk.Dense(2)), tmp_path / "model.onnx"
    model.build((3,))
    gk.interop.to_onnx(model, path)
    proto = onnx.load(path)
    del proto.graph.output[:]
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(FileError, match="has no outputs"):
        gk.interop.from_onnx(path)


STAYING = (
    *("MaxPool3D", "AvgPool3D", "MaxPool3D overlapping", "AvgPool3D overlapping"),
    *("Conv3D", "Conv3D without bias", "Conv3DTranspose", "PReLU", "PReLU of one slope"),
    *("Subtract", "Multiply by a gate", "Divide by a row", "MatMul", "MaxUnpool2D", "Upsample"),
)


@pytest.mark.parametrize("name", STAYING)
def test_a_layer_is_read_as_itself(name: str, tmp_path: Path) -> None:
    case, path = LAYER_CASES[name], tmp_path / "model.onnx"
    model = case.model()
    model.build(case.shape)
    gk.interop.to_onnx(model, path)
    again = gk.interop.from_onnx(path)
    assert name.split()[0] in {type(each).__name__ for each in again.layers}
    shapes = [array.shape for array in model.params.values()]
    assert [array.shape for array in again.params.values()] == shapes


NORMS = {
    "BatchNorm": lambda: gk.BatchNorm(track_running_stats=False),
    "BatchNorm without shift": lambda: gk.BatchNorm(shift=False, track_running_stats=False),
    "LayerNorm": lambda: gk.LayerNorm(axes=2),
    "GroupNorm": lambda: gk.GroupNorm(2, 0.5),
    "GroupNorm without scale": lambda: gk.GroupNorm(4, scale=False),
    "GroupNorm without shift": lambda: gk.GroupNorm(1, shift=False),
    "RMSNorm": lambda: gk.RMSNorm(0.5),
    "RMSNorm over all axes": lambda: gk.RMSNorm(axes=3, scale=False),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_normalisation_stays_one_layer(name: str, tmp_path: Path) -> None:
    model, path = gk.Sequential(NORMS[name]()), tmp_path / "model.onnx"
    model.build((2, 3, 4))
    randomised(model)
    gk.interop.to_onnx(model, path)
    (layer,) = gk.interop.from_onnx(path).layers
    (given,) = model.layers
    assert type(layer) is type(given)
    assert layer.epsilon == pytest.approx(given.epsilon)
    assert layer.params.keys() == given.params.keys()
    for key, array in given.params.items():
        np.testing.assert_array_equal(layer.params[key], array)


FILES = sorted((Path(__file__).parent / "onnx_files").glob("*.onnx"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_export_of_pytorch_predicts_alike_and_trains(path: Path) -> None:
    # Written by onnx_files/with_torch.py. In the exports of torch.export the time axis is fixed.
    model, rng = gk.interop.from_onnx(path), np.random.default_rng(0)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    free = {"batch": 3, "time": 5}
    shape = [axis if isinstance(axis, int) else free.get(axis, 3) for axis in given.shape]
    if "int" in given.type:
        x = rng.integers(0, 9, shape)
    else:
        x = rng.standard_normal(shape).astype(np.float32)
    here = x.transpose(0, 2, 3, 1) if x.ndim == 4 else x
    (expected,) = session.run(None, {"x": x})
    np.testing.assert_allclose(model.predict(here), expected, rtol=1e-5, atol=1e-6)
    y = expected[::-1]
    before = model.evaluate(here, y, loss="mse")["loss"]
    model.fit(here, y, loss="mse", optimizer=gk.Adam(0.003), epochs=20, seed=0, verbose=0)
    assert model.evaluate(here, y, loss="mse")["loss"] < before


def test_files_of_this_folder_hold_what_their_names_say() -> None:
    assert len(FILES) == 8


def test_padding_of_ids_stays_in_a_round_trip(tmp_path: Path) -> None:
    model = randomised(tagger())
    gk.interop.to_onnx(model, tmp_path / "model.onnx")
    again = gk.interop.from_onnx(tmp_path / "model.onnx")
    ids = np.array([[1, 2, 3, 4, 5, 6], [7, 0, 8, 0, 0, 0]])
    np.testing.assert_allclose(again.predict(ids), model.predict(ids), rtol=1e-6, atol=1e-6)


def test_a_layer_used_twice_stays_one_layer(tmp_path: Path) -> None:
    a, b, shared = gk.Input((3,)), gk.Input((3,)), gk.Dense(2)
    model = gk.Model([a, b], gk.Add()(shared(a), shared(b)))
    model.build()
    gk.interop.to_onnx(model, tmp_path / "model.onnx")
    again = gk.interop.from_onnx(tmp_path / "model.onnx")
    assert {name: a.shape for name, a in again.params.items()} == {
        name: a.shape for name, a in model.params.items()
    }


def graph_file(
    path: Path, *nodes: Any, shape: Sequence[Any] = ("n", 4), rank: int = 0, **constants: Any
) -> Path:
    """Write a graph from x to y, of the same rank unless given."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        list(nodes),
        "graph",
        [value("x", onnx.TensorProto.FLOAT, shape)],
        [value("y", onnx.TensorProto.FLOAT, [None] * (rank or len(shape)))],
        [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    path.write_bytes(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )
    return path


node = onnx.helper.make_node


def lstm_weights(units: int) -> dict[str, Any]:
    return {
        "w": np.zeros((1, 4 * units, 2), np.float32),
        "r": np.zeros((1, 4 * units, units), np.float32),
    }


SEQUENCES = ("time", "batch", 2)
WITHOUT_COUNTERPART = {
    "node 1 'bend' (Bernoulli, from h to y) has no counterpart": (
        [node("Relu", ["x"], ["h"]), node("Bernoulli", ["h"], ["y"], "bend")],
        {"shape": ("n", 4, 4), "rank": 3},
    ),
    "node 0 (ReduceSum, from x, a to y) reduces over the samples of a batch": (
        [node("ReduceSum", ["x", "a"], ["y"])],
        {"a": np.array([0])},
    ),
    # An LSTM with a projection, as torch writes it: gates and projection are missing.
    "node 0 (LSTM, from x, w, r to y) has weights of shapes (1, 12, 2) and (1, 12, 3), which do not"
    " fit hidden_size=2; an LSTM with a projection is not complete in such a node": (
        [node("LSTM", ["x", "w", "r"], ["y"], hidden_size=2)],
        {"shape": SEQUENCES, "rank": 4, **lstm_weights(3)},
    ),
    "node 0 (LSTM, from x, w, r to y) has input_forget=1, which no layer has": (
        [node("LSTM", ["x", "w", "r"], ["y"], hidden_size=3, input_forget=1)],
        {"shape": SEQUENCES, "rank": 4, **lstm_weights(3)},
    ),
    # The default of ONNX is 0.2, and that of Keras and of layers here 1/6.
    "node 0 (LSTM, from x, w, r to y) has HardSigmoid with alpha=0.2, and layers have 0.166667": (
        [
            node(
                *("LSTM", ["x", "w", "r"], ["y"]),
                hidden_size=3,
                activations=["HardSigmoid", "Tanh", "Tanh"],
            )
        ],
        {"shape": SEQUENCES, "rank": 4, **lstm_weights(3)},
    ),
    "node 0 (Slice, from x, a, b to y) takes some of the samples of a batch; an RNN unrolled over"
    " its steps is not recognised": (
        [node("Slice", ["x", "a", "b"], ["y"])],
        {"a": np.array([0]), "b": np.array([1])},
    ),
}


@pytest.mark.parametrize("message", WITHOUT_COUNTERPART)
def test_a_node_without_counterpart_is_named_with_its_place(message: str, tmp_path: Path) -> None:
    nodes, options = WITHOUT_COUNTERPART[message]
    path = graph_file(tmp_path / "a.onnx", *nodes, **options)
    with pytest.raises(FileError) as raised:
        gk.interop.from_onnx(path)
    assert str(raised.value) == f"from_onnx: {path}: {message}"


def test_batch_first_recurrent_nodes_are_read(tmp_path: Path) -> None:
    # onnxruntime 1.32 refuses layout=1, which the standard has.
    weights = {name: np.full_like(a, 0.3) for name, a in lstm_weights(3).items()}
    lstm = node("LSTM", ["x", "w", "r"], ["s"], hidden_size=3, layout=1)
    found = [
        gk.interop.from_onnx(graph_file(tmp_path / "a.onnx", *nodes, shape=shape, **constants))
        for nodes, shape, constants in (
            (
                [lstm, node("Squeeze", ["s", "axes"], ["y"])],
                ("batch", "time", 2),
                {**weights, "axes": np.array([2])},
            ),
            (
                [
                    node("LSTM", ["x", "w", "r"], ["s"], hidden_size=3),
                    node("Squeeze", ["s", "axes"], ["y"]),
                ],
                SEQUENCES,
                {**weights, "axes": np.array([1])},
            ),
        )
    ]
    x = np.random.default_rng(0).standard_normal((2, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(found[0].predict(x), found[1].predict(x))


OTHER_FILES = {
    b"": " is empty, not an ONNX file",
    b"<!DOCTYPE html><html>": " is a web page, not an ONNX file",
    b"\x89HDF\r\n\x1a\n....": " is an HDF5 file, as Keras writes, not an ONNX file",
    b"PK\x03\x04....": " is a ZIP archive, as .pt and .keras files are, not an ONNX file",
    b"\x80\x04....": " is a pickle, not an ONNX file",
    b"\x10\0\0\0\0\0\0\0{}": " is a safetensors file, not an ONNX file; gyaku.load reads it",
    b"hello, world": " is no ONNX file, or it is cut off",
}


@pytest.mark.parametrize("content", OTHER_FILES)
def test_a_file_of_another_kind_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(FileError) as raised:
        gk.interop.from_onnx(path)
    assert str(raised.value) == f"{path}{OTHER_FILES[content]}"


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.6, 0.99])
def test_a_truncated_file_is_refused(fraction: float, tmp_path: Path) -> None:
    content, path = FILES[0].read_bytes(), tmp_path / "a.onnx"
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(FileError, match=r"no ONNX file|not a valid ONNX file"):
        gk.interop.from_onnx(path)


def test_shapes_that_lie_are_refused(tmp_path: Path) -> None:
    path = graph_file(tmp_path / "a.onnx", node("Gemm", ["x", "w"], ["y"]), w=np.zeros((4, 2), "f"))
    proto = onnx.load(path)
    proto.graph.initializer[0].dims[0] = 3
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(FileError, match=r"a\.onnx is not a valid ONNX file: "):
        gk.interop.from_onnx(path)


def test_free_axes_of_images_need_an_input_shape(tmp_path: Path) -> None:
    path = graph_file(
        tmp_path / "a.onnx",
        node("Conv", ["x", "w"], ["y"]),
        shape=("n", 1, "height", "width"),
        w=np.zeros((2, 1, 3, 3), np.float32),
    )
    with pytest.raises(ValueError, match=r"leaves the shape of 'x' free, .*: give input_shape$"):
        gk.interop.from_onnx(path)
    assert gk.interop.from_onnx(path, input_shape=(5, 6, 1)).output_shape == (3, 4, 2)


def test_a_classifier_of_scikit_learn_gives_its_probabilities(tmp_path: Path) -> None:
    # The graph that skl2onnx 1.20 writes of a pipeline of StandardScaler and MLPClassifier.
    rng = np.random.default_rng(0)
    offset, scale = [0.5, -1.0, 2.0, 0.0], [2.0, 0.5, 1.0, -3.0]
    constants = {"w": rng.standard_normal((4, 3)).astype(np.float32), "b": np.ones(3, np.float32)}
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            node("Scaler", ["X"], ["s"], domain="ai.onnx.ml", offset=offset, scale=scale),
            node("MatMul", ["s", "w"], ["m"]),
            node("Add", ["m", "b"], ["a"]),
            node("Softmax", ["a"], ["p"], axis=1),
            node("ArgMax", ["p"], ["label"], axis=1, keepdims=0),
        ],
        "graph",
        [value("X", onnx.TensorProto.FLOAT, ["n", 4])],
        [
            value("label", onnx.TensorProto.INT64, ["n"]),
            value("p", onnx.TensorProto.FLOAT, ["n", 3]),
        ],
        [onnx.numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 1)]
    path = tmp_path / "a.onnx"
    path.write_bytes(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    x = rng.standard_normal((5, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["p"], {"X": x})
    found = gk.interop.from_onnx(path).predict(x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_lengths_that_end_sequences_before_their_last_step_are_refused(tmp_path: Path) -> None:
    lstm = node("LSTM", ["x", "w", "r", "", "lengths"], ["y"], hidden_size=3)
    options = {"shape": (4, 2, 2), "rank": 4, **lstm_weights(3)}
    path = graph_file(tmp_path / "a.onnx", lstm, lengths=np.int32([4, 2]), **options)
    with pytest.raises(FileError, match="takes sequence_lens from elsewhere"):
        gk.interop.from_onnx(path)


@pytest.mark.parametrize("kind", ["UINT8", "INT16", "STRING"])
def test_inputs_of_other_types_are_refused(kind: str, tmp_path: Path) -> None:
    path = graph_file(tmp_path / "a.onnx", node("Identity", ["x"], ["y"]))
    proto = onnx.load(path)
    for each in (*proto.graph.input, *proto.graph.output):
        each.type.tensor_type.elem_type = onnx.TensorProto.DataType.Value(kind)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(FileError) as raised:
        gk.interop.from_onnx(path)
    wanted = f"the input 'x' must be float, bool, int32 or int64, got {kind}"
    assert str(raised.value) == f"from_onnx: {path}: {wanted}"


def test_padding_before_an_activation_is_not_lost(tmp_path: Path) -> None:
    path = graph_file(
        tmp_path / "a.onnx",
        node("Pad", ["x", "pads"], ["p"]),
        node("Sigmoid", ["p"], ["s"]),
        node("MaxPool", ["s"], ["y"], kernel_shape=[2, 2]),
        shape=("n", 1, 3, 3),
        pads=np.array([0, 0, 1, 1, 0, 0, 0, 0]),
    )
    x = np.zeros((1, 3, 3, 1), np.float32)
    np.testing.assert_array_equal(gk.interop.from_onnx(path).predict(x), np.full((1, 3, 3, 1), 0.5))
