"""Weights of PyTorch in models: layouts, files that cannot run code, and what does not match."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_weights

import gyaku as gk
from gyaku.files import FileError
from gyaku.interop import load_pickle, load_state_dict, state_dict
from gyaku.interop.torch.layout import feature_orders, to_gyaku
from gyaku.interop.torch.state import places
from gyaku.safetensors import write

RECORDED = torch_weights.load()


def recurrent(layer: Callable[..., Any], bidirectional: bool) -> gk.Sequential:
    around: Any = gk.Bidirectional if bidirectional else lambda each: each
    layers = [around(layer(2, return_sequences=True)) for _ in range(2)]
    return gk.Sequential(gk.Embedding(11, 3), *layers, gk.Dense(2), dtype="float64")


MODELS: dict[str, Callable[[], gk.Sequential]] = {
    "images": lambda: gk.Sequential(
        *(gk.Conv2D(4, 3, padding=1), gk.BatchNorm(), gk.ReLU(), gk.MaxPool2D(2)),
        *(gk.Conv2D(4, 2, groups=2, use_bias=False), gk.Flatten(), gk.BatchNorm()),
        *(gk.Dense(5), gk.LayerNorm(), gk.Tanh(), gk.Dense(3)),
        dtype="float64",
    ),
    "text": lambda: gk.Sequential(
        *(gk.Embedding(11, 3), gk.Conv1D(4, 3, padding=1, activation="relu")),
        *(gk.MaxPool1D(2), gk.Flatten(), gk.Dense(2)),
        dtype="float64",
    ),
    "lstm": lambda: recurrent(gk.LSTM, True),
    "gru": lambda: recurrent(gk.GRU, True),
    "rnn": lambda: recurrent(gk.SimpleRNN, False),
    "transposed": lambda: gk.Sequential(
        gk.Conv2DTranspose(6, 3, stride=2, padding=1, output_padding=1, groups=2), dtype="float64"
    ),
}


def channels_last(array: Any) -> np.ndarray:
    given = np.array(array)
    return np.ascontiguousarray(given.transpose(0, 2, 3, 1)) if given.ndim == 4 else given


def built(name: str) -> tuple[gk.Sequential, dict[str, Any], np.ndarray]:
    model, record = MODELS[name](), RECORDED[name]
    x = channels_last(record["x"])
    model.build(x.shape[1:])
    return model, record, x


def arrays(state: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.array(each) for name, each in state.items()}


def pt(name: str, tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(bytes.fromhex(RECORDED[name]["file"]))
    return path


@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_gradients_are_those_of_pytorch(name: str, tmp_path: Path) -> None:
    model, record, x = built(name)
    load_state_dict(model, pt(name, tmp_path))
    np.testing.assert_allclose(model.forward(x), channels_last(record["y"]), atol=1e-12)
    model.backward(channels_last(record["dy"]))
    grads = {key.replace("bias_hh", "ignored"): np.array(g) for key, g in record["grads"].items()}
    modules = [*dict.fromkeys(re.sub(r"\.\w+?(_l\d)?(_reverse)?$", r".\1", n) for n in grads)]
    checked = 0
    for place, module in zip(
        places(model), [m for m in modules if "ignored" not in m], strict=True
    ):
        stem, _, number = module.rpartition(".")
        for entry in place.entries:
            if entry.param not in place.layer.params:
                continue
            # Either of two biases that are added has the gradient of the sum.
            first = entry.tensors[0].replace("bias_hh", "ignored")
            key = re.sub(r"^(\w+_(?:ih|hh)|ignored)", rf"\1{number}", first)
            expected = to_gyaku(
                entry._replace(tensors=("one",)), {"one": grads[f"{stem}.{key}"]}, place.order
            )
            found = place.layer.grads[entry.param]
            np.testing.assert_allclose(found, expected, atol=1e-12)
            checked += 1
    assert checked == len(model.params)


@pytest.mark.parametrize("name", MODELS)
def test_a_state_dict_comes_back(name: str) -> None:
    model, record, _ = built(name)
    load_state_dict(model, arrays(record["state"]))
    twin, _, x = built(name)
    load_state_dict(twin, state_dict(model))
    np.testing.assert_array_equal(twin.forward(x), model.forward(x))


def test_layers_of_equal_names_need_no_order() -> None:
    model = gk.Sequential(gk.Dense(2, name="one"), gk.Dense(2, name="two"))
    model.build((2,))
    tensors = state_dict(model)
    load_state_dict(model, {name: tensors[name] for name in sorted(tensors, reverse=True)})
    np.testing.assert_array_equal(model.params["one.weight"].T, tensors["one.weight"])


def test_features_behind_flatten_keep_their_order_through_activations_and_branches() -> None:
    x = gk.Input((2, 3, 4))
    row = gk.ReLU()(gk.Flatten()(gk.Conv2D(5, 1)(x)))
    both = gk.Concatenate()(row, gk.GlobalAvgPool2D()(x))
    dense = gk.Dense(2)
    model = gk.Model(x, dense(both))
    model.build()
    order = feature_orders(model)[id(dense)]
    images = np.arange(30).reshape(5, 2, 3)  # channels first, as PyTorch flattens
    expected = [*images.transpose(1, 2, 0).ravel(), *range(30, 34)]
    np.testing.assert_array_equal(order, expected)


def test_safetensors_in_shards(tmp_path: Path) -> None:
    model, record, x = built("images")
    state = arrays(record["state"])
    names = sorted(state)
    for part, chosen in enumerate((names[::2], names[1::2])):
        write(tmp_path / f"{part}.safetensors", {name: state[name] for name in chosen})
    index = tmp_path / "model.safetensors.index.json"
    files = {name: f"{place % 2}.safetensors" for place, name in enumerate(names)}
    index.write_text(json.dumps({"weight_map": files}))
    load_state_dict(model, index)  # "10" follows "7", not "1"
    np.testing.assert_allclose(model.forward(x), np.array(record["y"]), atol=1e-12)
    files["more"] = "0.safetensors"
    index.write_text(json.dumps({"weight_map": files}))
    with pytest.raises(FileError, match="lists the tensor 'more', which is in none of its files"):
        load_state_dict(model, index)
    index.write_text(json.dumps({"weight_map": {"a": "../0.safetensors"}}))
    with pytest.raises(FileError, match=r"names the file '\.\./0\.safetensors', which is not bes"):
        load_state_dict(model, index)


def test_a_safetensors_file_keeps_no_order_so_that_equal_shapes_need_names(tmp_path: Path) -> None:
    # safetensors 0.8.0 sorts tensors by dtype and name.
    model = gk.Sequential(gk.Dense(2), gk.Dense(2), gk.Dense(3))
    model.build((2,))
    tensors = {
        f"{n}.{each}": t
        for n, layer in zip(("z", "a", "b"), model, strict=True)
        for each, t in (("weight", layer.params["weight"].T), ("bias", layer.params["bias"]))
    }
    write(tmp_path / "m.safetensors", tensors)
    with pytest.raises(ValueError, match=r"a and z fit the layer 'dense' alike.*names=\{'dense'"):
        load_state_dict(model, tmp_path / "m.safetensors")
    before = model.flat_params.copy()
    names = {"dense": "z", "dense_2": "a", "dense_3": "b"}
    load_state_dict(model, tmp_path / "m.safetensors", names=names)
    np.testing.assert_array_equal(model.flat_params, before)


def test_what_does_not_match_is_listed_and_nothing_changes() -> None:
    model, record, _ = built("text")
    before = model.flat_params.copy()
    state = arrays(record["state"])
    state["2.weight"] = np.zeros((4, 3, 5))
    del state["6.bias"]
    state["7.weight"] = np.zeros(1)
    with pytest.raises(ValueError) as caught:
        load_state_dict(model, state)
    lines = [line.split() for line in str(caught.value).splitlines()]
    assert str(caught.value).startswith("2 of 3 layers do not fit, 1 modules are left over")
    assert [line[:2] for line in lines[1:]] == [
        *(["embedding", "0"], ["conv1d", "2"], ["dense", "6"], ["-", "7"])
    ]
    assert "weight (4, 3, 5), which is weight (5, 3, 4), needs weight (3, 3, 4)" in str(
        caught.value
    )
    assert "bias is missing" in str(caught.value)
    np.testing.assert_array_equal(model.flat_params, before)


def rewritten(path: Path, change: Callable[[str, bytes], bytes], method: int) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))


def test_a_deflated_member_is_read(tmp_path: Path) -> None:
    path = pt("rnn", tmp_path)
    rewritten(path, lambda _, content: content, zipfile.ZIP_DEFLATED)
    model, record, x = built("rnn")
    load_state_dict(model, path)
    np.testing.assert_allclose(model.forward(x), np.array(record["y"]), atol=1e-12)


class Evil:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call = call, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "evil",
    [
        Evil(os.system, "touch ran"),
        Evil(eval, "1"),
        Evil(getattr, "a", "upper"),
        {"weight": Evil(io.open, "ran", "w")},
        collections.Counter("ab"),
    ],
    ids=["system", "eval", "getattr", "open", "a class"],
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_file_that_wants_to_run_code_is_refused(
    evil: Any, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = pt("rnn", tmp_path)
    content = pickle.dumps(evil, protocol)
    rewritten(path, lambda name, old: content if name.endswith("data.pkl") else old, 0)
    model, _, _ = built("rnn")
    with pytest.raises(FileError, match=r"refused: it wants to run code: it asks for \w+"):
        load_state_dict(model, path)
    (tmp_path / "params.pkl").write_bytes(content)
    with pytest.raises(FileError, match=r"is no pickle of arrays: it wants to run code"):
        load_pickle(tmp_path / "params.pkl")
    assert not (tmp_path / "ran").exists()


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    model, _, _ = built("rnn")
    path = pt("rnn", tmp_path)
    content = path.read_bytes()
    for length in range(4, len(content), 311):
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match="cut off or damaged"):
            load_state_dict(model, path)
    path.write_bytes(content)
    rewritten(path, lambda name, old: old[:-8] if name.endswith("/data/0") else old, 0)
    with pytest.raises(FileError, match="storage 0 has 256 bytes instead of 264"):
        load_state_dict(model, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x80\x02\x8a\nl\xfc", "the format before PyTorch 1.6"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras writes it"),
        (b"<!DOCTYPE html><html>", "is a web page"),
    ],
)
def test_files_of_another_kind_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(FileError, match=message):
        load_state_dict(built("rnn")[0], path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_arrays_are_read(protocol: int, tmp_path: Path) -> None:
    same = np.arange(6, dtype=">f4").reshape(2, 3).T
    empty = np.zeros((0, 3))
    given = {
        "W1": same,
        "again": same,
        "empty": empty,
        "b": [np.float64(2.5), np.int8(3), b"x", "三", None, True],
    }
    path = tmp_path / "params.pkl"
    path.write_bytes(pickle.dumps(given, protocol))
    found = load_pickle(path)
    np.testing.assert_array_equal(found["W1"], same)
    np.testing.assert_array_equal(found["again"], same)
    np.testing.assert_array_equal(found["empty"], empty)
    assert found["b"] == given["b"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps(np.array(["a"])), "it has elements of dtype 'U1'"),
        (b"\x80\x04.", "it is damaged (IndexError)"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "it refers to objects outside the pickle"),
    ],
)
def test_a_pickle_of_something_else_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "params.pkl"
    path.write_bytes(content)
    with pytest.raises(FileError) as raised:
        load_pickle(path)
    assert str(raised.value) == f"{path} is no pickle of arrays: {reason}"


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ([1.5], "has no dictionary of tensors by name"),
        ({1: 2}, "has no dictionary of tensors by name"),
        ({"epoch": 3, "a\nb": 4}, r"has no tensors by name, but epoch, 'a\nb'"),
    ],
)
def test_an_archive_without_tensors_is_refused(stored: Any, reason: str, tmp_path: Path) -> None:
    path, content = pt("rnn", tmp_path), pickle.dumps(stored, 2)
    rewritten(path, lambda name, old: content if name.endswith("data.pkl") else old, 0)
    with pytest.raises(FileError) as raised:
        load_state_dict(built("rnn")[0], path)
    assert str(raised.value) == f"{path} {reason}"


def test_a_model_without_weights_or_counterpart_is_named() -> None:
    with pytest.raises(ValueError, match=r"no weights yet, call model\.build\(input_shape\) first"):
        load_state_dict(gk.Sequential(gk.Dense(2)), {})
    model = gk.Sequential(gk.GRU(2, reset_after=False))
    model.build((3, 2))
    with pytest.raises(ValueError, match="PyTorch has no module with the weights of GRU"):
        state_dict(model)
    with pytest.raises(TypeError, match="source must be a path, a torch.nn.Module or its state"):
        load_state_dict(built("rnn")[0], 3)
