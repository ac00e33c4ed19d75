"""Layers of Keras beside the formulas of their documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_writer import Arrays, archive, chain, described, refusal, weights

from gyaku.interop import from_keras

RNG = np.random.default_rng(0)
Array = np.ndarray


def on_results(layer: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a layer that is called once, on the results of several others."""
    given = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
        for name in names
    ]
    return layer | {"name": layer["config"]["name"], "inbound_nodes": [{"args": [given]}]}


def merging(layer: dict[str, Any], *shapes: Sequence[int]) -> dict[str, Any]:
    """Return a graph of one layer and several inputs."""
    names = [f"x{number}" for number in range(len(shapes))]
    starts = [
        described("InputLayer", name, batch_shape=[None, *shape])
        | {"name": name, "inbound_nodes": []}
        for name, shape in zip(names, shapes, strict=True)
    ]
    ends = {"input_layers": [[name, 0, 0] for name in names], "output_layers": ["one", 0, 0]}
    layers = [*starts, on_results(layer, names)]
    return described("Functional", "net", layers=layers, **ends) | {"module": "keras"}


def softmax(x: Array) -> Array:
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def unit(x: Array) -> Array:
    return x / np.sqrt((x**2).sum(axis=-1, keepdims=True))


def normalised(x: Array, axes: tuple[int, ...]) -> Array:
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-3)


MEAN, VARIANCE = np.array([0.5, -1.0, 2.0]), np.array([4.0, 0.25, 1.0])
MATRIX, ROW = RNG.normal(size=(3, 2, 2)), RNG.normal(size=(2, 2))
ONE: dict[str, tuple[dict[str, Any], tuple[int, ...], Arrays, Callable[[Array], Array]]] = {
    "unit vectors": (described("UnitNormalization", axis=-1), (4, 3), {}, unit),
    "several axes": (
        described("LayerNormalization", axis=[1, 2], epsilon=1e-3, center=False, scale=False),
        (4, 3),
        {},
        lambda x: normalised(x, (1, 2)),
    ),
    "channels first": (
        described("LayerNormalization", axis=1, epsilon=1e-3, center=False, scale=False),
        (4, 3),
        {},
        lambda x: normalised(x, (1,)),
    ),
    "groups of channels first": (
        described("GroupNormalization", axis=1, groups=2, epsilon=1e-3, center=False, scale=False),
        (4, 3),
        {},
        lambda x: normalised(x.reshape(-1, 2, 2, 3), (2, 3)).reshape(x.shape),
    ),
    "rectified up to a limit": (
        described("ReLU", max_value=0.5, negative_slope=0.0, threshold=0.0),
        (3,),
        {},
        lambda x: np.clip(x, 0, 0.5),
    ),
    "rectified with a slope": (
        described("ReLU", max_value=None, negative_slope=0.25),
        (3,),
        {},
        lambda x: np.where(x > 0, x, 0.25 * x),
    ),
    "a slope as an array": (
        described(
            "LeakyReLU", negative_slope={"class_name": "__numpy__", "config": {"value": 0.5}}
        ),
        (3,),
        {},
        lambda x: np.where(x > 0, x, 0.5 * x),
    ),
    "rectified up to six": (
        described("Activation", activation="relu6"),
        (3,),
        {},
        lambda x: np.clip(x, 0, 6),
    ),
    "softmax over steps": (
        described("Softmax", axis=[1]),
        (4, 3),
        {},
        lambda x: softmax(x.swapaxes(1, 2)).swapaxes(1, 2),
    ),
    "stored statistics": (
        described("Normalization", axis=-1),
        (3,),
        {"layers/normalization": [MEAN, VARIANCE, np.array(5)]},
        lambda x: (x - MEAN) / np.sqrt(VARIANCE),
    ),
    "given statistics, inverted": (
        described(
            "Normalization", axis=-1, mean=MEAN.tolist(), variance=VARIANCE.tolist(), invert=True
        ),
        (3,),
        {},
        lambda x: x * np.sqrt(VARIANCE) + MEAN,
    ),
    "one statistic": (
        described("Normalization", axis=None, mean=0.5, variance=4.0),
        (3,),
        {},
        lambda x: (x - 0.5) / 2,
    ),
    "scale of each channel": (
        described("Rescaling", scale=[2.0, 4.0, 0.5], offset=[1.0, 0.0, -2.0]),
        (3,),
        {},
        lambda x: x * np.array([2.0, 4.0, 0.5]) + np.array([1.0, 0.0, -2.0]),
    ),
    "repeated": (
        described("RepeatVector", n=3),
        (2,),
        {},
        lambda x: np.repeat(x[:, np.newaxis], 3, axis=1),
    ),
    "centre": (
        described("CenterCrop", height=2, width=3, data_format="channels_last"),
        (5, 4, 2),
        {},
        lambda x: x[:, 1:3, 0:3],
    ),
    "larger by two": (
        described(
            "UpSampling2D", size=[2, 1], interpolation="nearest", data_format="channels_last"
        ),
        (2, 3, 1),
        {},
        lambda x: np.repeat(x, 2, axis=1),
    ),
    "resized to the nearest": (
        described(
            *("Resizing", "one"),
            height=2,
            width=2,
            interpolation="nearest",
            data_format="channels_last",
        ),
        (6, 6, 1),
        {},
        lambda x: x[:, 1::3, 1::3],
    ),
    "product of the last axis": (
        described(
            *("EinsumDense", "one"),
            equation="abc,cde->abde",
            output_shape=[None, 2, 2],
            bias_axes="de",
        ),
        (4, 3),
        {"layers/einsum_dense": [MATRIX, ROW]},
        lambda x: np.einsum("abc,cde->abde", x, MATRIX) + ROW,
    ),
}
HEADS = {
    f"layers/multi_head_attention/{role}_dense": [
        RNG.normal(size=shape),
        RNG.normal(size=shape[1:]),
    ]
    for role, shape in (("query", (3, 2, 4)), ("key", (3, 2, 4)), ("value", (3, 2, 5)))
}
OUTPUT = {"layers/multi_head_attention/output_dense": [RNG.normal(size=(2, 5, 3)), np.ones(3)]}


def of_heads(x: Array, y: Array) -> Array:
    query, key, value = (
        np.einsum("btc,chd->bhtd", each, kernel) + bias[:, np.newaxis]
        for each, (kernel, bias) in zip((x, y, y), HEADS.values(), strict=True)
    )
    found = softmax(query @ key.swapaxes(2, 3) / 2) @ value
    (kernel, bias) = OUTPUT["layers/multi_head_attention/output_dense"]
    return np.einsum("bhtd,hdc->btc", found, kernel) + bias


SEVERAL: dict[str, tuple[dict[str, Any], list[tuple[int, ...]], Arrays, Callable[..., Array]]] = {
    "mean": (
        described("Average"),
        [(3,), (3,), (3,)],
        {},
        lambda *x: np.mean(x, axis=0),
    ),
    "maximum": (described("Maximum"), [(3,), (3,)], {}, np.maximum),
    "minimum": (described("Minimum"), [(3,), (3,)], {}, np.minimum),
    "product of vectors": (
        described("Dot", axes=1, normalize=False),
        [(3,), (3,)],
        {},
        lambda a, b: (a * b).sum(axis=1, keepdims=True),
    ),
    "product of matrices": (
        described("Dot", axes=[2, 1], normalize=False),
        [(4, 3), (3, 2)],
        {},
        lambda a, b: a @ b,
    ),
    "attention": (
        described("Attention", use_scale=False, score_mode="dot"),
        [(4, 3), (5, 3)],
        {},
        lambda q, v: softmax(q @ v.swapaxes(1, 2)) @ v,
    ),
    "attention with keys": (
        described("Attention", use_scale=False, score_mode="dot"),
        [(4, 3), (5, 2), (5, 3)],
        {},
        lambda q, v, k: softmax(q @ k.swapaxes(1, 2)) @ v,
    ),
    "heads": (
        described("MultiHeadAttention", num_heads=2, key_dim=4, value_dim=5),
        [(4, 3), (6, 3)],
        HEADS | OUTPUT,
        of_heads,
    ),
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "norm of samples": (
        chain(described("UnitNormalization", axis=0)),
        "'one' (UnitNormalization) has the axis of the samples",
    ),
    "axis of layer norm": (
        chain(
            described("LayerNormalization", axis=[1, 3], epsilon=1e-3, center=False, scale=False),
            shape=(4, 3, 2),
        ),
        "'one' (LayerNormalization) has axis=[1, 3], here it is the last one, or several last ones",
    ),
    "axis of group norm": (
        chain(
            described(
                "GroupNormalization", axis=2, groups=1, epsilon=1e-3, center=False, scale=False
            ),
            shape=(4, 3, 2),
        ),
        "'one' (GroupNormalization) has axis=2, here it is the last one",
    ),
    "axis of statistics": (
        chain(described("Normalization", axis=1), shape=(4, 3)),
        "'one' (Normalization) has axis=1, here it is the last one",
    ),
    "no statistics": (
        chain(described("Normalization", axis=-1)),
        "'one' (Normalization) lacks its mean or variance",
    ),
    "interpolation": (
        chain(described("UpSampling2D", size=[2, 2], interpolation="bicubic"), shape=(2, 2, 1)),
        "'one' (UpSampling2D) has interpolation='bicubic', which has no counterpart",
    ),
    "resizing": (
        chain(described("Resizing", height=2, width=2, interpolation="lanczos5"), shape=(4, 4, 1)),
        "'one' (Resizing) has interpolation='lanczos5', which has no counterpart",
    ),
    "a centre that is larger": (
        chain(described("CenterCrop", height=9, width=2), shape=(4, 4, 1)),
        "'one' (CenterCrop) enlarges images smaller than its output, which has no counterpart",
    ),
    "an equation": (
        chain(described("EinsumDense", equation="ab,bc->ca"), shape=(3,)),
        "'one' (EinsumDense) computes ab,bc->ca, and not the product of the last axis and a matrix",
    ),
    "an equation without a kernel": (
        chain(described("EinsumDense", equation="ab,bc->ac"), shape=(3,)),
        "'one' (EinsumDense) lacks a kernel of 2 axes",
    ),
    "a layer for each step": (
        chain(described("TimeDistributed", layer=described("ConvLSTM2D", "part")), shape=(4, 3)),
        "'one' (TimeDistributed) holds a ConvLSTM2D, which has no counterpart",
    ),
    "a mask of features": (
        chain(described("Masking", mask_value=0.0), shape=(3,)),
        "'one' (Masking) takes steps of features, got samples of shape (3,)",
    ),
    "a threshold": (
        chain(described("ReLU", threshold=1.0)),
        "'one' (ReLU) has a threshold, which has no counterpart",
    ),
    "a limit and a slope": (
        chain(described("ReLU", max_value=6.0, negative_slope=0.1)),
        "'one' (ReLU) has both a max_value and a slope, which have no counterpart",
    ),
    "a slope of text": (
        chain(described("LeakyReLU", negative_slope="steep")),
        "'one' (LeakyReLU) has 'steep' where a number belongs",
    ),
    "a softmax over two axes": (
        chain(described("Softmax", axis=[1, 2]), shape=(4, 3)),
        "'one' (Softmax) has axis=[1, 2], and a softmax is along one axis",
    ),
    "a cell of one's own": (
        chain(described("RNN", cell=described("ConvLSTMCell", "cell", units=2)), shape=(4, 3)),
        "'one' (RNN) has the cell ConvLSTMCell, which has no counterpart",
    ),
    "both directions of something else": (
        chain(described("Bidirectional", layer=described("Dense", "part", units=2)), shape=(4, 3)),
        "'one' (Bidirectional) goes forward by Dense, which has no counterpart",
    ),
    "axes of attention": (
        merging(
            described("MultiHeadAttention", num_heads=2, key_dim=4, attention_axes=[2]),
            *((4, 3), (4, 3)),
        ),
        "'one' (MultiHeadAttention) has attention_axes=[2], and sequences have the axis 1",
    ),
    "attention of vectors": (
        merging(described("Attention", use_scale=False, score_mode="dot"), (3,), (3,)),
        "'one' (Attention) takes samples of shapes (3,), (3,)",
    ),
    "heads without arrays": (
        merging(described("MultiHeadAttention", num_heads=2, key_dim=4), (4, 3), (4, 3)),
        "'one' (MultiHeadAttention) has 0 arrays in the file, it needs 8",
    ),
    "a product of images": (
        merging(described("Dot", axes=1, normalize=False), (2, 2, 3), (2, 2, 3)),
        "'one' (Dot) multiplies samples of shapes (2, 2, 3) and (2, 2, 3)",
    ),
}


def close(model: Any, x: Any, expected: Array) -> None:
    error = 64 * np.finfo(model.dtype).eps
    np.testing.assert_allclose(model.forward(x), expected, rtol=error, atol=error)


@pytest.mark.parametrize("name", ONE)
def test_a_layer_is_its_formula(name: str, tmp_path: Path) -> None:
    layer, shape, arrays, formula = ONE[name]
    model = from_keras(
        archive(tmp_path / "model.keras", chain(layer, shape=shape), weights(arrays)),
    )
    x = RNG.normal(size=(3, *shape))
    close(model, x, formula(x))


@pytest.mark.parametrize("name", SEVERAL)
def test_a_layer_of_several_inputs_is_its_formula(name: str, tmp_path: Path) -> None:
    layer, shapes, arrays, formula = SEVERAL[name]
    path = archive(tmp_path / "model.keras", merging(layer, *shapes), weights(arrays))
    x = tuple(RNG.normal(size=(3, *shape)) for shape in shapes)
    close(from_keras(path), x, formula(*x))


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_without_counterpart_is_named(name: str, tmp_path: Path) -> None:
    config, reason = REFUSED[name]
    assert refusal(archive(tmp_path / "model.keras", config, weights({}))) == reason
