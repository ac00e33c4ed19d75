"""Every layer and option of Keras that has a counterpart, to gyaku and back, with Keras itself.

For each model: outputs and gradients from ``.keras``, the same model from an old ``.h5``, outputs
of the exported model in Keras, and of its weights alone; agreement to 1e-6 in float32.
``nox -s keras`` runs it; part of a name chooses models::

    python tests/keras_battery.py [NAME ...]
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as of
from keras_models import MODELS, drawn, inputs_of

import gyaku as gk
from gyaku.interop.keras.layers import MAKERS

TOLERANCE = 1e-6  # of the largest element; ten times as much for gradients, which are longer sums
IMAGE, SEQUENCE, IDS = (9, 8, 3), (7, 4), (6,)
RANDOM = np.random.default_rng(0)
CASES: dict[str, Callable[[], Any]] = dict(MODELS)


def chain(shape: tuple[int, ...], *layers: Any, dtype: str | None = None) -> Callable[[], Any]:
    """Return a function that makes a chain of copies of layers."""
    configs = [keras.saving.serialize_keras_object(each) for each in layers]

    def made() -> Any:
        copies = map(keras.saving.deserialize_keras_object, configs)
        return keras.Sequential([keras.Input(shape, dtype=dtype), *copies])

    return made


def small_images() -> Any:
    return keras.Sequential(
        [
            *(keras.Input((6, 6, 2)), of.Conv2D(3, 3, activation="relu"), of.BatchNormalization()),
            *(of.MaxPooling2D(2), of.Flatten(), of.Dense(4)),
        ]
    )


def both_ways(**options: Any) -> Callable[[], Any]:
    """Return a function that makes a recurrent layer whose two directions differ."""

    def made() -> Any:
        x = keras.Input(SEQUENCE)
        back = of.LSTM(3, return_sequences=True, go_backwards=True, activation="relu")
        forward = of.LSTM(3, return_sequences=True)
        given = {"merge_mode": None, "backward_layer": back} | options
        return keras.Model(x, of.Bidirectional(forward, **given)(x))

    return made


def merged(layer: Any, *shapes: tuple[int, ...]) -> Callable[[], Any]:
    """Return a function that makes a layer of several inputs, behind dense ones."""

    def made() -> Any:
        inputs = [keras.Input(shape) for shape in shapes]
        copy = layer.__class__.from_config(layer.get_config())
        return keras.Model(inputs, copy([of.Dense(4)(each) for each in inputs]))

    return made


for merge in (None, "concat", "sum", "mul", "ave"):
    CASES[f"unlike directions, {merge}, not back"] = both_ways(merge_mode=merge)
CASES["both directions apart, not back"] = both_ways(backward_layer=None)
for layer in (of.Average(), of.Maximum(), of.Minimum()):
    CASES[type(layer).__name__] = merged(layer, *[(3, 2)] * 3)
for axes in ((1, 1), (1, 2), (2, 1), (2, 2)):
    CASES[f"Dot {axes}"] = merged(of.Dot(axes), (4, 2), (4, 2))
for count in (2, 3):
    CASES[f"Attention of {count}"] = merged(of.Attention(), *[(5, 3)] * count)
CASES["unit vectors, not back"] = chain(
    IMAGE, of.UnitNormalization(), of.UnitNormalization(axis=[1, 2])
)


def heads() -> Any:
    x, y = keras.Input((5, 6)), keras.Input((3, 4))
    own = of.MultiHeadAttention(2, 3, value_dim=4, name="own heads")(x, x)
    return keras.Model([x, y], of.MultiHeadAttention(3, 2, use_bias=False)(own, y))


CASES["heads of attention, not back"] = heads
CASES["Dot of rows, not back"] = merged(of.Dot(1), (3,), (3,))

for name in (
    *("relu", "sigmoid", "tanh", "softmax", "selu", "softplus", "softsign", "silu", "gelu", "mish"),
    *("hard_sigmoid", "hard_silu", "log_softmax", "leaky_relu", "elu", "celu", "relu6", "linear"),
):
    inside = (of.Dense(4, activation=name), of.Dense(3), of.Activation(name))
    CASES[f"activation {name}"] = chain((5,), *inside)
for padding in ("valid", "same"):
    for stride in (1, 2, 3):
        where: Any = {"strides": stride, "padding": padding}
        label = f"{padding}, stride {stride}"
        CASES[f"Conv2D {label}"] = chain(IMAGE, of.Conv2D(4, (3, 2), **where))
        CASES[f"Conv1D {label}"] = chain(SEQUENCE, of.Conv1D(5, 3, **where))
        CASES[f"DepthwiseConv2D {label}"] = chain(
            IMAGE, of.DepthwiseConv2D(3, depth_multiplier=2, activation="tanh", **where)
        )
        CASES[f"pooling {label}"] = chain(
            IMAGE,
            of.Conv2D(4, 1),
            of.MaxPooling2D((3, 2), **where),
            of.AveragePooling2D(2, **where),
        )
        CASES[f"pooling of sequences {label}"] = chain(
            SEQUENCE, of.Conv1D(4, 1), of.AveragePooling1D(3, **where), of.MaxPooling1D(2, **where)
        )
        CASES[f"Conv1DTranspose {label}"] = chain(SEQUENCE, of.Conv1DTranspose(3, 2, **where))
        for size in (2, 3, 4):
            CASES[f"Conv2DTranspose {size}, {label}"] = chain(
                (4, 5, 3), of.Conv2DTranspose(4, size, activation="relu", **where)
            )
CASES |= {
    "dilation": chain(IMAGE, of.Conv2D(4, 3, dilation_rate=2, padding="same")),
    "groups": chain(SEQUENCE, of.DepthwiseConv1D(3, depth_multiplier=2, padding="same")),
    "output_padding": chain(
        (4, 5, 3), of.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=1)
    ),
    "output_padding, valid": chain(
        (4, 5, 3), of.Conv2DTranspose(4, 3, strides=3, output_padding=(2, 1))
    ),
    "no bias": chain(
        *(IMAGE, of.Conv2D(4, 3, use_bias=False), of.DepthwiseConv2D(3, use_bias=False)),
        *(of.Flatten(), of.Dense(3, use_bias=False)),
    ),
    "BatchNormalization": chain(
        IMAGE, of.Conv2D(4, 3), of.BatchNormalization(axis=3, epsilon=0.01)
    ),
    "GroupNormalization": chain(IMAGE, of.Conv2D(4, 3), of.GroupNormalization(2, scale=False)),
    "LayerNormalization": chain(SEQUENCE, of.Dense(5), of.LayerNormalization(axis=2, epsilon=0.01)),
    "global pooling": chain(IMAGE, of.GlobalMaxPooling2D(keepdims=True), of.Flatten(), of.Dense(2)),
    "global pooling of sequences": chain(SEQUENCE, of.GlobalAveragePooling1D(), of.Dense(2)),
    "rescaling by channel": chain(IMAGE, of.Rescaling([0.5, 0.2, 0.1], [1.0, 2.0, 3.0])),
    "LSTM of other functions": chain(
        SEQUENCE, of.LSTM(3, activation="softsign", recurrent_activation="hard_sigmoid")
    ),
    "GRU of Keras 1": chain(SEQUENCE, of.Bidirectional(of.GRU(3, reset_after=False))),
    "padding and cropping": chain(
        *(IMAGE, of.ZeroPadding2D(((1, 2), (0, 3))), of.Conv2D(4, 3), of.Cropping2D((1, 2))),
        *(of.UpSampling2D((2, 3)), of.UpSampling2D(2, interpolation="bilinear")),
    ),
    "padding and cropping of sequences": chain(
        *(
            SEQUENCE,
            of.ZeroPadding1D(2),
            of.Conv1D(4, 3),
            of.Cropping1D((1, 2)),
            of.UpSampling1D(2),
        ),
    ),
    "volumes": chain(
        *((5, 6, 4, 2), of.ZeroPadding3D(((1, 2), (0, 1), (1, 0))), of.Conv3D(4, 3, strides=2)),
        *(of.Cropping3D(((0, 1), (0, 0), (0, 0))), of.UpSampling3D((2, 1, 3))),
        *(of.GlobalMaxPooling3D(keepdims=True), of.Flatten(), of.Dense(2)),
    ),
    "pooled volumes": chain(
        *((7, 6, 5, 2), of.Conv3D(4, 2, groups=2, padding="same", dilation_rate=2)),
        *(of.MaxPooling3D(2, strides=1), of.AveragePooling3D((2, 3, 2), padding="same")),
        *(of.Conv3DTranspose(3, 3, strides=2, padding="same"), of.GlobalAveragePooling3D()),
    ),
    "adaptive pooling": chain(
        *(IMAGE, of.AdaptiveAveragePooling2D((4, 3)), of.AdaptiveMaxPooling2D((2, 2))),
        *(of.Reshape((4, 3)), of.AdaptiveAveragePooling1D(3), of.AdaptiveMaxPooling1D(2)),
    ),
    "last axes": chain(IMAGE, of.LayerNormalization(axis=[1, 2, 3]), of.RMSNormalization([2, 3])),
    "softmax along an axis": chain(SEQUENCE, of.Dense(3), of.Softmax(axis=1)),
    "repeated": chain((4,), of.Dense(3), of.RepeatVector(5), of.SimpleRNN(2)),
    "resized": chain(IMAGE, of.Conv2D(2, 2), of.Resizing(5, 11), of.CenterCrop(4, 5)),
    "resized to the nearest": chain(IMAGE, of.Resizing(13, 5, interpolation="nearest")),
    "heads": chain(
        *(SEQUENCE, of.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")),
        *(of.Reshape((7, 6)), of.EinsumDense("...x,xy->...y", 5, activation="relu")),
    ),
    "steps of several layers": chain(
        *(SEQUENCE, of.TimeDistributed(of.Dense(3, activation="relu6")), of.LSTM(2)),
    ),
    "films of a model": lambda: keras.Sequential(
        [
            *(keras.Input((4, 6, 6, 2)), of.TimeDistributed(small_images())),
            *(of.Dense(3), of.LSTM(3)),
        ]
    ),
    "masked": chain((6, 3), of.Masking(0.5), of.Dense(3), of.LSTM(4), of.Dense(2)),
    "permuted": chain(
        SEQUENCE, of.Permute((2, 1)), of.PReLU(), of.Dense(3), of.PReLU(shared_axes=[1])
    ),
    "films": chain(
        *((4, 6, 6, 2), of.TimeDistributed(of.Conv2D(3, 3, activation="relu"))),
        *(of.TimeDistributed(of.Flatten()), of.LSTM(3)),
    ),
}
for kind in (of.SimpleRNN, of.LSTM, of.GRU):
    name = kind.__name__
    CASES[name] = chain(SEQUENCE, kind(3, return_sequences=True), kind(4, use_bias=False))
    CASES[f"{name} backwards"] = chain(SEQUENCE, kind(3, go_backwards=True, activation="relu"))
    for merge in ("concat", "sum", "mul", "ave"):
        both = of.Bidirectional(kind(3, return_sequences=True), merge_mode=merge)
        CASES[f"{name} both ways, {merge}"] = chain(SEQUENCE, both, of.Dense(2))
    reverse = kind(3, go_backwards=True, return_sequences=True)
    CASES[f"{name} reversed"] = chain(SEQUENCE, reverse, of.Dense(2))
    steps = (kind(3, return_sequences=True), kind(4), of.Dense(2))
    CASES[f"{name} padded"] = chain(IDS, of.Embedding(7, 3, mask_zero=True), *steps, dtype="int32")


WITHOUT = {
    *("AdditiveAttention", "GroupedQueryAttention", "SpectralNormalization"),
    *("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
    *("StackedRNNCells", "GRUCell", "LSTMCell", "SimpleRNNCell", "ReversibleEmbedding"),
    *("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup"),
    *("StringLookup", "TextVectorization", "MelSpectrogram", "STFTSpectrogram"),
    *("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization"),
    *("MaxNumBoundingBoxes", "Pipeline", "RandomCrop", "Solarization"),
    *("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper", "Layer", "Wrapper"),
}
"""Layers of Keras without a counterpart, as the page on Keras lists them; cells stand in an RNN."""


def without() -> set[str]:
    """Return the layers of Keras that are not read."""
    classes = {each.__name__ for each in vars(of).values() if isinstance(each, type)}
    return classes - MAKERS.keys() - {"InputLayer", "InputSpec"}


def listed(outputs: Any) -> list[Any]:
    return [np.asarray(each) for each in tf.nest.flatten(outputs)]


def apart(ours: Any, theirs: Any) -> float:
    """Return the largest difference, as a fraction of the largest element or of 1."""
    found = 0.0
    for a, b in zip(listed(ours), listed(theirs), strict=True):
        if a.shape != b.shape:
            raise AssertionError(f"shapes {a.shape} and {b.shape}")
        found = max(found, float(np.abs(a - b).max(initial=0) / max(1, np.abs(b).max(initial=0))))
    return found


def check(name: str, folder: Path) -> dict[str, float]:
    """Return the differences of a model."""
    theirs = CASES[name]()
    drawn(theirs)
    x = [
        each.astype("int32" if each.dtype.kind == "i" else "float32") for each in inputs_of(theirs)
    ]
    given, called = (x[0], x[0]) if len(x) == 1 else (tuple(x), x)
    with tf.GradientTape() as tape:
        y = tf.nest.flatten(theirs(called, training=False))
        dy = [RANDOM.normal(size=each.shape).astype("float32") for each in y]
        total = sum(tf.reduce_sum(a * b) for a, b in zip(y, dy, strict=True))
    theirs.save(folder / "model.keras")
    theirs.save(folder / "model.h5")
    ours = gk.interop.from_keras(folder / "model.keras")
    found = {"outputs": apart(ours.forward(given), y)}
    ours.backward(dy[0] if len(dy) == 1 else tuple(dy))
    old = gk.interop.from_keras(folder / "model.h5")
    found["old file"] = apart(old.forward(given), ours.forward(given))
    if "reversed" in name or "not back" in name:  # Keras lacks what it becomes here
        return found
    gk.interop.to_keras(ours, folder / "again.keras")
    gk.interop.to_keras(ours, folder / "again.weights.h5")
    again = keras.saving.load_model(folder / "again.keras")
    found["back in Keras"] = apart(again(called, training=False), y)
    for weight in again.weights:
        if "seed" not in weight.path:
            weight.assign(tf.zeros_like(weight.value))
    again.load_weights(folder / "again.weights.h5")
    found["weights alone"] = apart(again(called, training=False), y)
    trained = theirs.trainable_variables
    for weight, gradient in zip(trained, tape.gradient(total, trained), strict=True):
        weight.assign(tf.convert_to_tensor(gradient))
    theirs.save(folder / "gradients.keras")
    gradients = gk.interop.from_keras(folder / "gradients.keras")
    for layer in ours.plan.layers:
        path = ours.plan.paths[id(layer)]
        for param in layer.params if layer.trainable else ():
            key = f"{path}.{param}"
            difference = apart(ours.grads[key], gradients.params[key]) / 10
            found["gradients"] = max(found.get("gradients", 0), difference)
    return found


def main(chosen: list[str]) -> int:
    warnings.filterwarnings("ignore", "from_keras: .*: left out", UserWarning)
    keras.utils.set_random_seed(0)
    names = [name for name in CASES if not chosen or any(each in name for each in chosen)]
    worst, failed = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            try:
                found = check(name, Path(folder))
            except Exception as error:  # noqa: BLE001
                failed += 1
                print(name, repr(error)[:300])
                continue
            worst = max(worst, *found.values())
            if max(found.values()) > TOLERANCE:
                failed += 1
                print(name, {what: f"{value:.2g}" for what, value in found.items()})
    if differs := without() ^ WITHOUT:
        failed += 1
        print("with or without a counterpart, other than stated:", *sorted(differs))
    print(f"{len(names)} models, {failed} failed, largest difference {worst:.2g}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
