"""Descriptions of Keras's models that contradict themselves, or ask for what no layer here does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_writer import (
    DENSE,
    Arrays,
    archive,
    called,
    chain,
    dense,
    described,
    graph,
    refusal,
    weights,
)

GRU: Arrays = {
    "layers/embedding": [np.zeros((5, 3))],
    "layers/gru/cell": [np.zeros((3, 6)), np.zeros((2, 6)), np.zeros((2, 6))],
}


def with_config(model: dict[str, Any], **options: Any) -> dict[str, Any]:
    return model | {"config": model["config"] | options}


def in_training(layer: dict[str, Any]) -> dict[str, Any]:
    return layer | {"inbound_nodes": [each | {"kwargs": {"training": True}} for each in CALL]}


CALL = called(dense(), ("x", 0))["inbound_nodes"]
MODELS: dict[str, tuple[dict[str, Any], Arrays, str]] = {
    "layer without configuration": (
        chain(described("Dense") | {"config": None}),
        DENSE,
        "(Dense) has no configuration",
    ),
    "no list of layers": (with_config(chain(dense()), layers=5), DENSE, "lists no layers"),
    "no layers": (chain(), {}, "'chain' (Sequential) has no layers"),
    "no inputs": (
        with_config(graph("net", [called(dense(), ("x", 0))], ("one", 0)), input_layers=[]),
        DENSE,
        "has no inputs or no outputs",
    ),
    "call in training": (
        graph("net", [in_training(called(dense(), ("x", 0)))], ("one", 0)),
        DENSE,
        "'one' (Dense) is called with training=True, in prediction as well",
    ),
    "second result of one": (
        with_config(
            graph("net", [called(dense(), ("x", 0))], ("one", 0)), output_layers=["one", 0, 1]
        ),
        DENSE,
        "'net' takes 'one', which gives no such result",
    ),
    "input shape of text": (
        with_config(
            chain(dense()), layers=[described("InputLayer", "x", batch_shape="abc"), dense()]
        ),
        DENSE,
        "'chain' has the input shape 'abc'",
    ),
    "one side of two": (
        chain(
            described(
                *("Conv2DTranspose", "one"),
                filters=2,
                kernel_size=[2, 2],
                strides=[1],
                padding="valid",
            ),
            shape=(4, 4, 1),
        ),
        {"layers/conv2d_transpose": [np.zeros((2, 2, 2, 1)), np.zeros(2)]},
        "'one' (Conv2DTranspose) has strides=[1], and Conv2DTranspose has an integer for each axis",
    ),
    "padded sequences backwards": (
        chain(
            described("Embedding", "ids", input_dim=5, output_dim=3, mask_zero=True),
            described("GRU", units=2, reset_after=True, go_backwards=True, return_sequences=True),
            shape=(4,),
        ),
        GRU,
        "'one' (GRU) goes backwards over padded sequences, and returns them reversed",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_description_that_fits_no_model_is_refused(name: str, tmp_path: Path) -> None:
    config, arrays, expected = MODELS[name]
    path = archive(tmp_path / "model.keras", config, weights(arrays))
    assert refusal(path) == expected
