"""Record models of Keras, their files, outputs and gradients, as JSON on the standard output.

The file beside this one, keras_models.json, was made by Keras 3.15.1 on TensorFlow 2.21.0 in
float64::

    python tests/keras_models.py > tests/keras_models.json

``nox -s keras`` runs the battery: every layer and option, both ways, with Keras itself.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RANDOM = np.random.default_rng(0)
SAMPLES = 3


def images() -> Any:
    from keras import Input, Sequential
    from keras import layers as of

    return Sequential(
        [
            *(Input((9, 8, 3)), of.Rescaling(0.5, offset=-1.0)),
            *(of.Conv2D(4, (3, 2), strides=2, padding="same"), of.BatchNormalization()),
            *(of.ReLU(max_value=2.0), of.SeparableConv2D(5, 3, padding="same", depth_multiplier=2)),
            *(of.LeakyReLU(0.25), of.MaxPooling2D((3, 2), strides=1, padding="same")),
            *(of.DepthwiseConv2D(2, padding="same", activation="tanh"), of.AveragePooling2D(2)),
            *(of.Conv2DTranspose(3, 3, strides=2, padding="same"), of.SpatialDropout2D(0.5)),
            *(of.Flatten(), of.Dense(4, activation="softmax")),
        ],
        name="images",
    )


def sequences() -> Any:
    from keras import Input, Sequential
    from keras import layers as of

    return Sequential(
        [
            *(Input((7, 4)), of.Conv1D(5, 3, padding="causal", dilation_rate=2)),
            *(of.SeparableConv1D(4, 2, activation="sigmoid"), of.LSTM(3, return_sequences=True)),
            of.Bidirectional(of.SimpleRNN(3, return_sequences=True), merge_mode="sum"),
            *(of.GRU(4, reset_after=False, return_sequences=True), of.LSTM(3, go_backwards=True)),
            *(of.Dense(6), of.Reshape((2, 3)), of.TimeDistributed(of.Dense(2)), of.Flatten()),
        ],
        name="sequences",
    )


def words() -> Any:
    from keras import Input, Sequential
    from keras import layers as of

    return Sequential(
        [
            *(Input((6,), dtype="int32"), of.Embedding(7, 3, mask_zero=True)),
            *(of.Bidirectional(of.LSTM(2, return_sequences=True)), of.LayerNormalization()),
            *(of.TimeDistributed(of.Dense(3)), of.GRU(4, return_sequences=True)),
            *(of.SimpleRNN(3, activation="relu"), of.Dropout(0.5), of.Dense(2)),
        ],
        name="words",
    )


def graph() -> Any:
    from keras import Input, Model, Sequential
    from keras import layers as of

    shared = of.Dense(4, activation="softsign", name="shared")
    frozen = of.Dense(3, name="frozen", trainable=False)
    head = Sequential(
        [Input((4,)), frozen, of.BatchNormalization(name="norm"), of.Dense(3, name="last")],
        name="head",
    )
    inside = Input((4,))
    around = Model(inside, of.Dense(4, name="inner")(inside) + inside, name="around")
    a, b = Input((5,), name="a"), Input((5,), name="b")
    first, second = shared(a), shared(b)
    both = of.Concatenate(name="both")([of.Dense(4)(first), of.Dense(4)(of.Dense(4)(a)), second])
    outputs = [of.Add(name="sum")([head(first), head(around(second))]), around(first), both]
    return Model([a, b], outputs, name="graph")


def states() -> Any:
    from keras import Input, Model
    from keras import layers as of

    x, start = Input((5, 3), name="x"), Input((2,), name="start")
    steps, *last = of.LSTM(4, return_sequences=True, return_state=True)(x)
    decoded = of.LSTM(4, return_sequences=True)(steps, initial_state=last)
    end = of.GRU(2)(decoded, initial_state=start)
    return Model([x, start], [decoded, end, last[1]], name="states")


def plain() -> Any:
    from keras import Input, Sequential
    from keras import layers as of

    known = of.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 0.25, 1.0])
    return Sequential(
        [
            *(Input((3,)), known, of.Dense(4, activation="hard_sigmoid", use_bias=False)),
            *(of.BatchNormalization(scale=False), of.BatchNormalization(center=False)),
            *(of.LayerNormalization(scale=False), of.Dense(4, activation="mish")),
            *(of.Activation("selu"), of.Dense(3, activation=of.ELU(0.5)), of.Softmax()),
        ],
        name="plain",
    )


def masked() -> Any:
    from keras import Input, Sequential
    from keras import layers as of

    frames = Sequential([of.Input((3,)), of.Dense(4), of.ReLU(max_value=1.0), of.Dense(3)])
    both = of.Bidirectional(of.GRU(2, return_sequences=True), merge_mode="ave")
    return Sequential(
        [
            *(Input((6, 3)), of.Masking(-1.0), both, of.Dense(3), of.LSTM(2)),
            *(of.RepeatVector(3), of.RMSNormalization(), of.EinsumDense("nti,io->nto", (3, 3))),
            of.TimeDistributed(frames),
        ],
        name="masked",
    )


def volumes() -> Any:
    from keras import Input, Model
    from keras import layers as of

    x = Input((4, 5, 4, 2))
    y = of.Conv3D(3, 2, activation="relu")(of.ZeroPadding3D(1)(x))
    y = of.Conv3DTranspose(2, 2, strides=2, padding="same")(of.Cropping3D(1)(y))
    row = of.GlobalAveragePooling3D()(y)
    steps = of.Reshape((8, -1))(of.UpSampling3D(2)(of.Cropping3D((2, 3, 2))(y)))
    steps = of.Conv1DTranspose(3, 3, strides=2)(of.LayerNormalization(axis=[1, 2])(steps))
    pooled = of.AdaptiveMaxPooling1D(4)(steps)
    product = of.Dot((2, 2))([pooled, of.Softmax(axis=1)(pooled)])
    merged = of.Average()([product, of.Maximum()([product, of.Permute((2, 1))(product)])])
    return Model(x, [row, merged], name="volumes")


MODELS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (images, sequences, words, graph, states, plain, masked, volumes)
}


def drawn(model: Any) -> None:
    """Draw all weights; variances and scales are positive."""
    for weight in model.weights:
        if "seed" not in weight.path:
            value = RANDOM.normal(0, 0.5, weight.shape).round(3)
            positive = "variance" in weight.path or "gamma" in weight.path
            weight.assign(np.abs(value) + 0.5 if positive else value)


def inputs_of(model: Any) -> list[Any]:
    """Draw inputs; sentences are padded behind their ends."""
    found = []
    for each in model.inputs:
        shape = (SAMPLES, *each.shape[1:])
        if each.dtype == "int32":
            ids = RANDOM.integers(1, 7, shape)
            ids[0, 4:] = ids[1, 1:] = 0
            found.append(ids)
        else:
            found.append(RANDOM.normal(size=shape).round(3))
    for value in (each.mask_value for each in model.layers if type(each).__name__ == "Masking"):
        found[0][0, 4:] = found[0][1, 1:] = value
    return found


def content(model: Any, path: Path) -> str:
    model.save(path)
    return base64.b64encode(zlib.compress(path.read_bytes(), 9)).decode()


def recorded(model: Any, folder: Path) -> dict[str, Any]:
    """Return files, inputs, outputs, and gradients as the weights of a file."""
    import tensorflow as tf

    drawn(model)
    x = inputs_of(model)
    with tf.GradientTape() as tape:
        y = tf.nest.flatten(model(x if len(x) > 1 else x[0], training=False))
        dy = [RANDOM.normal(size=each.shape).round(3) for each in y]
        total = sum(tf.reduce_sum(a * b) for a, b in zip(y, dy, strict=True))
    gradients = tape.gradient(total, model.trainable_variables)
    record = {
        **{name: content(model, folder / f"model.{name}") for name in ("keras", "h5")},
        "x": [each.tolist() for each in x],
        "y": [np.array(each).tolist() for each in y],
        "dy": [each.tolist() for each in dy],
    }
    for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
        weight.assign(tf.convert_to_tensor(gradient))
    return record | {"gradients": content(model, folder / "gradients.keras")}


def file_of(text: str, path: Path) -> Path:
    """Write a recorded file."""
    path.write_bytes(zlib.decompress(base64.b64decode(text)))
    return path


def load() -> dict[str, Any]:
    """Return the recorded models."""
    found: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())
    return found


if __name__ == "__main__":
    import tempfile

    import keras

    keras.config.set_floatx("float64")
    keras.utils.set_random_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        records = {name: recorded(make(), Path(folder)) for name, make in MODELS.items()}
    print(json.dumps(records))
