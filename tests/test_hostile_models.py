"""Files of other programs that ask for far more memory or time than their size justifies."""

from __future__ import annotations

import itertools
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch_weights
from onnx import TensorProto, helper, numpy_helper

from gyaku import files
from gyaku.files import FileError
from gyaku.interop import from_onnx, load_pickle
from gyaku.interop.torch.file import read_state

HUGE = 10**11


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "UNSUSPICIOUS", 1 << 16)


def test_a_storage_that_swells_is_refused(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.pt", tmp_path / "packed.pt"
    plain.write_bytes(bytes.fromhex(torch_weights.load()["transposed"]["file"]))
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", 8) as target:
        for each in source.namelist():
            target.writestr(each, source.read(each) + bytes(10**6 * each.endswith("data/0")))
    with pytest.raises(FileError, match="would fill 10[0-9]* bytes of memory, more than 100 times"):
        read_state(packed)


class Repeated:
    content = bytes(10_000)

    def __reduce__(self) -> Any:
        rebuild = np.zeros(1).__reduce_ex__(5)[0]
        return rebuild, (self.content, np.dtype("u1"), (len(self.content),), "C")


@pytest.mark.parametrize(("count", "fits"), [(100, True), (1000, False)])
def test_arrays_of_the_same_bytes_count_one_by_one(count: int, fits: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps([Repeated() for _ in range(count)], protocol=5))
    if fits:
        assert len(load_pickle(path)) == count
        return
    with pytest.raises(FileError, match="its arrays would fill far more memory than its size"):
        load_pickle(path)


def test_many_marks_take_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x04" + 50_000 * b"(" + 50_000 * b"t" + b".")
    nested, depth = load_pickle(path), 0
    while nested:
        (nested,), depth = nested, depth + 1
    assert depth == 49_999


def test_an_encoding_is_no_way_to_run_code(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.")
    with pytest.raises(FileError, match="text in the encoding 'hex'"):
        load_pickle(path)


def saved(path: Path, nodes: list[Any], *constants: tuple[str, Any]) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", None])],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_a_constant_of_a_huge_shape_is_not_computed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    model = from_onnx(saved(tmp_path / "few.onnx", nodes, ("shape", [3, 2])))
    assert model.predict(np.ones((1, 3))).tolist() == [[0, 0]]
    with pytest.raises(FileError, match="ConstantOfShape"):
        from_onnx(saved(tmp_path / "many.onnx", nodes, ("shape", [3, HUGE])))


def test_an_outer_product_of_constants_is_not_computed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["column", "row"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    row = np.ones((1, 10**5), np.float32)
    column = np.ones((10**5, 1), np.float32)
    with pytest.raises(FileError, match="Mul"):
        from_onnx(saved(tmp_path / "x.onnx", nodes, ("row", row), ("column", column)))


def test_a_loop_of_constants_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever onnx finds out about the size of its result.
    monkeypatch.setattr("gyaku.interop.onnx.importer._bytes_of_outputs", lambda model: 0)
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["u"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [3, 2]),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("u", TensorProto.FLOAT, [3, 2]),
        ],
    )
    nodes = [
        helper.make_node("Loop", ["count", "true", "start"], ["w"], body=body),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    start = ("start", np.ones((3, 2), np.float32))
    with pytest.raises(FileError, match="Loop"):
        from_onnx(saved(tmp_path / "x.onnx", nodes, ("count", 10**5), ("true", True), start))


SWOLLEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "Tile": (helper.make_node("Tile", ["x", "c"], ["y"]), {"c": [1, HUGE]}),
    "Expand": (helper.make_node("Expand", ["u", "c"], ["y"]), {"c": [1, HUGE]}),
    "Pad": (helper.make_node("Pad", ["x", "c"], ["y"]), {"c": [0, 0, 0, HUGE]}),
    "Pad of the edge": (
        helper.make_node("Pad", ["x", "c"], ["y"], mode="edge"),
        {"c": [0, 0, 0, HUGE]},
    ),
    "OneHot": (
        helper.make_node("OneHot", ["x", "c", "ends"], ["y"]),
        {"c": HUGE, "ends": np.array([0, 1], np.float32)},
    ),
    "Einsum": (
        helper.make_node("Einsum", ["x", *"cccccc"], ["y"], equation="bi,j,k,l,m,n,o->bi"),
        {"c": np.ones(30, np.float32)},
    ),
    "Reshape": (helper.make_node("Reshape", ["x", "c"], ["y"]), {"c": [-1, HUGE]}),
}


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("name", SWOLLEN)
def test_a_sample_that_swells_is_refused(name: str, fixed: bool, tmp_path: Path) -> None:
    node, constants = SWOLLEN[name]
    first = helper.make_node("ReduceSum", ["x", "axis"], ["u"])
    path = saved(tmp_path / "x.onnx", [first, node], *constants.items(), ("axis", [1]))
    if fixed:  # a sample may be the whole input
        proto = onnx.load(path)
        proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
        onnx.save(proto, path)
    with pytest.raises(FileError, match=name.split()[0]):
        from_onnx(path)


def test_functions_of_functions_are_not_expanded(tmp_path: Path) -> None:
    opset, functions = [helper.make_opsetid("", 17)], []
    names = ["Bernoulli", "RandomNormalLike", "RandomUniformLike", "Relu"]  # of unary operators
    for name, inner in itertools.pairwise(names):
        ends = [f"v{n}" for n in range(1000)]
        nodes = [helper.make_node(inner, ["x"], [each]) for each in ends]
        sums = helper.make_node("Sum", ends, ["y"])
        functions.append(helper.make_function("", name, ["x"], ["y"], [*nodes, sums], opset))
    path = saved(tmp_path / "x.onnx", [helper.make_node("Bernoulli", ["x"], ["y"])])
    proto = onnx.load(path)
    proto.functions.extend(functions)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(FileError, match="Bernoulli"):
        from_onnx(path)


def test_weights_of_another_shape_are_refused_by_name(tmp_path: Path) -> None:
    name = "residual_old.onnx"
    proto = onnx.load(Path(__file__).parent / "onnx_files" / name)
    weight = next(each for each in proto.graph.initializer if len(each.dims) == 4)
    assert weight.dims[1] > 1
    weight.dims[:] = [weight.dims[0] * weight.dims[1], 1, *weight.dims[2:]]
    path = tmp_path / name
    onnx.save(proto, path)
    with pytest.raises(FileError) as caught:
        from_onnx(path)
    assert len(str(caught.value).splitlines()) == 1
