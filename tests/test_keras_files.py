"""Files of Keras: what has no counterpart is named, and so are files of other kinds."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_writer import (
    BIAS,
    DENSE,
    KERNEL,
    Arrays,
    archive,
    chain,
    dense,
    described,
    refusal,
    weights,
)

import gyaku as gk
from gyaku.files import FileError
from gyaku.interop import from_keras, load_weights, to_keras

LAYERS: dict[str, tuple[Any, Arrays, str]] = {
    "lambda": (
        described("Lambda", function={"class_name": "__lambda__", "config": {"value": "AAAA"}}),
        {},
        "'one' (Lambda) is code of Python, which is never run",
    ),
    "no counterpart": (described("ConvLSTM2D"), {}, "'one' (ConvLSTM2D) has no counterpart"),
    "of one's own": (
        described("Dense", units=2) | {"module": "mine", "registered_name": "mine>Dense"},
        {},
        "'one' (Dense of mine) is no layer of Keras's own",
    ),
    "activation of one's own": (
        dense(activation={"class_name": "function", "config": "f"}),
        DENSE,
        "'one' (Dense) has the activation f, which has no counterpart",
    ),
    "channels elsewhere": (
        described("Conv1D", filters=2, kernel_size=[1], data_format="channels_middle"),
        {},
        "'one' (Conv1D) has data_format='channels_middle', the counterpart has 'channels_last'",
    ),
    "shape that lies": (
        described("Dense", units=10**12),
        DENSE,
        "'one' (Dense) Dense 'one': 'weight' has shape (3, 2), expected (3, 1000000000000)",
    ),
    "too few arrays": (
        described("LSTM", units=2),
        {"layers/lstm/cell": [np.zeros((3, 8))]},
        "'one' (LSTM) has 1 arrays in the file, it needs 3: kernel, recurrent_kernel, bias",
    ),
    "arrays too many": (
        described("Flatten"),
        {"layers/flatten": [BIAS]},
        "'one' (Flatten) has 1 arrays in the file, it needs none",
    ),
    "quantised": (
        dense(),
        {"layers/dense": [KERNEL.astype(np.int8), BIAS]},
        "'one' (Dense) has kernel of dtype int8, as of a quantised model",
    ),
    "reversed steps": (
        described("GRU", units=2, go_backwards=True, return_sequences=True, return_state=True),
        {},
        "'one' (GRU) goes backwards and returns sequences and states, which has no counterpart",
    ),
    "no option": (described("Dense"), DENSE, "'one' (Dense) lacks units in its configuration"),
    "axis": (
        described("BatchNormalization", axis=0, momentum=0.9, epsilon=1e-3),
        {},
        "'one' (BatchNormalization) has axis=0, here it is the last one",
    ),
}

FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty, not a file of Keras"),
    "web page": (b"<!DOCTYPE html><html>" + bytes(64), "is a web page, not a file of Keras"),
    "pickle": (b"\x80\x04\x95" + bytes(64), "is a pickle, not a file of Keras"),
    "onnx": (
        b"\x08\x08\x12\x05gyaku",
        "is an ONNX file, which from_onnx reads, not a file of Keras",
    ),
    "shards": (
        b'{"metadata": {}}',
        "is JSON, which holds no weights, or the index of several files",
    ),
    "text": (b"a,b\n1,2\n", "is of another kind, or damaged, not a file of Keras"),
    "HDF5 alone": (b"\x89HDF\r\n\x1a\n", "is damaged: it needs 1 bytes at 8, it has 8"),
    "ZIP alone": (b"PK\x03\x04" + bytes(40), "is cut off or damaged (File is not a zip file)"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.keras"


def test_a_model_is_read_without_keras(path: Path) -> None:
    model = from_keras(archive(path, chain(dense(activation="relu")), weights(DENSE)))
    np.testing.assert_array_equal(model.forward([[1.0, 0.0, -1.0]]), [[0.0, 0.0]])
    assert model.layers[0].name == "one"
    assert model.dtype == np.float64


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_without_counterpart_is_named(name: str, path: Path) -> None:
    layer, arrays, expected = LAYERS[name]
    archive(path, chain(layer), weights(arrays))
    assert refusal(path) == expected


def test_the_place_within_models_is_named(path: Path) -> None:
    inner = chain(described("ConvLSTM2D", "look"))
    archive(path, chain(inner | {"config": inner["config"] | {"name": "base"}}), weights({}))
    assert refusal(path) == "'base/look' (ConvLSTM2D) has no counterpart"


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_kind_is_named(name: str, path: Path) -> None:
    content, expected = FILES[name]
    path.write_bytes(content)
    assert refusal(path).startswith(expected)


def test_other_archives_are_named(path: Path, tmp_path: Path) -> None:
    for member, expected in {
        "archive/data.pkl": "is a .pt archive of PyTorch, which load_state_dict reads",
        "word/document.xml": "is a zip archive, but not of Keras: it has no config.json",
        "config.json": "is an archive of Keras without model.weights.h5",
    }.items():
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(member, "{}")
        assert refusal(path) == expected
    assert "is a folder, as SavedModel is; save the model as .keras" in refusal(tmp_path)


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    path.write_bytes(weights(DENSE))
    assert refusal(path).startswith("holds weights alone, without the layers; make a model of")


def test_a_free_shape_needs_input_shape(path: Path) -> None:
    flat = chain(described("Flatten", "flat"), dense(), shape=(None, 3))
    archive(path, flat, weights({"layers/dense": [np.ones((12, 2)), BIAS]}))
    assert from_keras(path, input_shape=(4, 3)).output_shape == (2,)
    with pytest.raises(ValueError, match="give input_shape"):
        from_keras(path)
    archive(path, chain(dense(), shape=(None, None, 3)), weights(DENSE))
    with pytest.raises(ValueError, match=r"leaves the shape .* free, .* give input_shape"):
        from_keras(path)
    with pytest.raises(ValueError, match=r"takes samples of shape \(None, None, 3\), got \(8, 8\)"):
        from_keras(path, input_shape=(8, 8))


@pytest.mark.parametrize("config", ["[]", "{", "{}", '{"class_name": "Dense"}', "NaN", "[" * 10**5])
def test_a_description_of_no_model_is_one_sentence(config: str, path: Path) -> None:
    archive(path, config, weights(DENSE))
    assert "\n" not in refusal(path)


def test_exports_without_counterpart_are_named(tmp_path: Path) -> None:
    for layer, shape, reason in (
        (gk.LSTM(2, peepholes=True), (4, 3), "Keras's has no peepholes and no projection"),
        (gk.Step(), (3,), "Keras has no counterpart of Step("),
        (gk.CELU(0.5), (3,), "Keras has CELU with an alpha of 1 alone, got 0.5"),
        (gk.MaxPool2D(3, padding=1), (8, 8, 1), "Keras's poolings are padded by 'same' or not at"),
        (
            gk.Dropout(0.5, scaled="prediction"),
            (3,),
            "Keras's scales in training, not in prediction",
        ),
        (gk.GRU(2, stateful=True), (4, 3), "Keras's has no clip, and no states carried without"),
    ):
        model = gk.Sequential(layer)
        model.build(shape)
        with pytest.raises(ValueError, match=re.escape(reason)):
            to_keras(model, tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"path must end with \.keras or \.weights\.h5, got"):
        to_keras(model, tmp_path / "model.h5")
    with pytest.raises(ValueError, match="the model is not built"):
        to_keras(gk.Sequential(gk.Dense(2)), tmp_path / "model.keras")


def images(data_format: str, axis: int, shape: list[int]) -> dict[str, Any]:
    where = {"data_format": data_format}
    return chain(
        described("Conv2D", "a", filters=3, kernel_size=[2, 2], padding="same", **where),
        described("BatchNormalization", "b", axis=axis, momentum=0.9, epsilon=1e-3),
        described("DepthwiseConv2D", "c", kernel_size=[2, 1], padding="valid", **where),
        described("ZeroPadding2D", "d", padding=[[1, 0], [0, 2]], **where),
        described("MaxPooling2D", "e", pool_size=[2, 2], strides=[1, 1], **where),
        described("Flatten", "f", **where),
        shape=shape,
    )


def test_channels_first_are_those_of_channels_last_moved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stored = weights(
        {
            "layers/conv2d": [rng.normal(size=(2, 2, 2, 3)), rng.normal(size=3)],
            "layers/batch_normalization": [*rng.uniform(0.5, 1, (4, 3))],
            "layers/depthwise_conv2d": [rng.normal(size=(2, 1, 3, 1)), rng.normal(size=3)],
        }
    )
    last = archive(tmp_path / "last.keras", images("channels_last", -1, [4, 5, 2]), stored)
    first = archive(tmp_path / "first.keras", images("channels_first", 1, [2, 4, 5]), stored)
    x = rng.normal(size=(3, 4, 5, 2))
    expected = from_keras(last).forward(x)
    np.testing.assert_array_equal(from_keras(first).forward(x.transpose(0, 3, 1, 2)), expected)


def test_weights_of_several_files_are_those_of_one(tmp_path: Path) -> None:
    model = gk.Sequential(gk.Dense(3), gk.LSTM(2), dtype="float64")
    arrays = {
        "layers/dense": [np.arange(6.0).reshape(2, 3), np.ones(3)],
        "layers/lstm/cell": [np.ones((3, 8)), np.arange(16.0).reshape(2, 8), np.zeros(8)],
    }
    model.build((4, 2))
    listed = {}
    for number, (group, each) in enumerate(arrays.items()):
        name = f"model_{number:05d}.weights.h5"
        (tmp_path / name).write_bytes(weights({group: each}))
        listed[f"/{group}/vars"] = name
    index = tmp_path / "model.weights.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": listed}))
    load_weights(model, index)
    np.testing.assert_array_equal(model.params["dense.weight"], arrays["layers/dense"][0])
    np.testing.assert_array_equal(
        model.params["lstm.recurrent_weight"].shape, arrays["layers/lstm/cell"][1].shape
    )
    (tmp_path / "model_00001.weights.h5").unlink()
    with pytest.raises(FileError, match=r"lists model_00001\.weights\.h5, which is missing$"):
        load_weights(model, index)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "is no index of weights: it has no weight_map"),
        ({"weight_map": {"a": "../b.h5"}}, "'../b.h5', which is no HDF5 file beside it"),
    ],
)
def test_an_index_of_something_else_is_refused(content: Any, reason: str, tmp_path: Path) -> None:
    model, index = gk.Sequential(gk.Dense(2)), tmp_path / "a.weights.json"
    model.build((3,))
    index.write_text(json.dumps(content))
    with pytest.raises(FileError) as raised:
        load_weights(model, index)
    assert str(raised.value).endswith(reason)
