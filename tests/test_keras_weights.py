"""Weights of Keras's files: matched and counted, where Keras does otherwise than one would guess.

Observations of Keras 3.15.1 and h5py 3.16.0, November 2026.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_writer import (
    BIAS,
    DENSE,
    KERNEL,
    archive,
    chain,
    dense,
    old,
    refusal,
    weights,
)

import gyaku as gk
from gyaku.files import FileError
from gyaku.interop import from_keras, load_weights


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.keras"


def model_of_two() -> gk.Sequential:
    model = gk.Sequential(gk.Dense(2, name="a"), gk.Dense(2, name="b"))
    model.build((3,))
    return model


def test_weights_are_loaded_all_or_none(tmp_path: Path) -> None:
    """Keras overwrites the layers that fit before one that does not raises."""
    path, model = tmp_path / "model.weights.h5", model_of_two()
    before = model.flat_params.copy()
    path.write_bytes(weights({**DENSE, "layers/dense_1": [KERNEL, BIAS]}))
    with pytest.raises(ValueError) as caught:
        load_weights(model, path)
    head, *table = str(caught.value).splitlines()
    assert head.startswith("load_weights: 1 of 2 layers do not fit, 0 in ")
    assert table == [
        "  a                    dense                fits",
        "  b                    dense_1              kernel (3, 2) is no weight of shape (2, 2)",
    ]
    np.testing.assert_array_equal(model.flat_params, before)


def test_layers_left_over_are_an_error(tmp_path: Path) -> None:
    """Keras loads a file of more layers than the model has, silently."""
    path = tmp_path / "model.weights.h5"
    square = [np.eye(2), BIAS]
    path.write_bytes(weights({**DENSE, "layers/dense_1": square, "layers/dense_2": square}))
    with pytest.raises(ValueError, match=r"-  +dense_2  +no layer"):
        load_weights(model_of_two(), path)
    path.write_bytes(weights(DENSE))
    with pytest.raises(ValueError, match=r"b  +-  +no layer in the file"):
        load_weights(model_of_two(), path)


def test_names_count_before_numbers(tmp_path: Path) -> None:
    """Names play no part in Keras, which numbers the layers of a class."""
    path, model = tmp_path / "model.weights.h5", gk.Sequential(gk.Dense(2), gk.Dense(2))
    model.build((2,))
    first, second = np.eye(2), 2 * np.eye(2)

    def named(*names: str) -> bytes:
        def fill(file: Any) -> None:
            for group, name in zip(("dense", "dense_1"), names, strict=True):
                file[f"layers/{group}/vars"].attrs["name"] = name

        return weights({"layers/dense": [first, BIAS], "layers/dense_1": [second, BIAS]}, fill)

    path.write_bytes(named("dense_2", "dense"))
    load_weights(model, path)
    np.testing.assert_array_equal(model.params["dense.weight"], second)
    path.write_bytes(named("one", "other"))
    load_weights(model, path)
    np.testing.assert_array_equal(model.params["dense.weight"], first)
    load_weights(model, path, names={"dense": "other", "dense_2": "one"})
    np.testing.assert_array_equal(model.params["dense.weight"], second)


@pytest.mark.parametrize("ending", [".weights.h5", ".h5"])
def test_bfloat16_is_the_upper_half_of_float32(ending: str, tmp_path: Path) -> None:
    """Old files hold it as two opaque bytes."""
    path = tmp_path / f"model{ending}"
    halves = (KERNEL.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    arrays = [halves.view("V2"), BIAS]
    if ending == ".h5":
        old(path, None, {"one": arrays})
    else:
        path.write_bytes(weights({"layers/dense": arrays}))
    model = gk.Sequential(gk.Dense(2))
    model.build((3,))
    load_weights(model, path)
    np.testing.assert_array_equal(model.params["dense.weight"], KERNEL)


def test_an_lstm_may_have_lost_its_arrays(tmp_path: Path) -> None:
    """One of dtype bfloat16 may have been saved with one array of three."""
    path, model = tmp_path / "model.weights.h5", gk.Sequential(gk.LSTM(2))
    model.build((4, 3))
    path.write_bytes(weights({"layers/lstm/cell": [np.zeros((3, 8))]}))
    with pytest.raises(ValueError, match="has 1 arrays in the file, it needs 3: kernel, recurrent"):
        load_weights(model, path)


def test_hard_sigmoid_is_another_function_in_keras_2(path: Path, tmp_path: Path) -> None:
    config = chain(dense(activation="hard_sigmoid"))
    model = from_keras(archive(path, config, weights(DENSE)))
    np.testing.assert_allclose(model.forward([[0.5, 0.0, 0.0]]), [[4 / 6, 0.5 - 0.5 / 6]])
    old(tmp_path / "old.h5", config, {"one": [KERNEL, BIAS], "x": []})
    with pytest.raises(FileError, match="has hard_sigmoid, which rises by 1/5 in Keras 2"):
        from_keras(tmp_path / "old.h5")


def test_the_later_layout_of_hdf5_is_named(tmp_path: Path) -> None:
    """h5py writes superblock 0 with symbol tables unless `libver` says otherwise."""
    path = tmp_path / "model.weights.h5"
    path.write_bytes(weights(DENSE, libver="latest"))
    assert re.fullmatch(r"has the layout [23] of HDF5, Keras writes 0", refusal(path))


def test_an_old_file_of_weights_alone_follows_the_layers(tmp_path: Path) -> None:
    path, model = tmp_path / "model.h5", model_of_two()
    old(path, None, {"z": [KERNEL, BIAS], "dropout": [], "y": [np.eye(2), BIAS]})
    load_weights(model, path)
    np.testing.assert_array_equal(model.params["b.weight"], np.eye(2))
