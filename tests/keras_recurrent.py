"""Record masked recurrent layers of Keras, with gradients, as JSON on the standard output.

The file beside this one, keras_recurrent.json, was made by Keras 3.15.1 on TensorFlow 2.21.0 in
float64::

    python tests/keras_recurrent.py > tests/keras_recurrent.json
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SAMPLES, TIME, FEATURES, UNITS, LENGTHS = 3, 4, 2, 3, [4, 2, 1]
WORDS, CLASSES, RATE = 7, 3, 0.5
# The layer, its options, and whether it is in both directions.
CASES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "rnn": ("SimpleRNN", {}, False),
    "lstm": ("LSTM", {}, False),
    "lstm, backwards": ("LSTM", {"go_backwards": True}, False),
    "lstm, both directions": ("LSTM", {}, True),
    "gru": ("GRU", {}, False),
    "gru, the gate before": ("GRU", {"reset_after": False}, False),
    "gru, both directions": ("GRU", {}, True),
}
MASK = np.arange(TIME) < np.array(LENGTHS)[:, np.newaxis]


def listed(arrays: Any) -> list[Any]:
    return [np.array(each).tolist() for each in arrays]


def drawn(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    return random.normal(0, 0.7, shape).round(3)


def recorded(kind: str, options: dict[str, Any], both: bool) -> dict[str, Any]:
    """Return inputs, weights, outputs and all gradients; padded outputs have none."""
    import keras
    import tensorflow as tf

    random = np.random.default_rng(len(kind))
    layer = getattr(keras.layers, kind)(UNITS, return_sequences=True, **options)
    if both:
        layer = keras.layers.Bidirectional(layer)
    x = tf.Variable(drawn((SAMPLES, TIME, FEATURES), random))
    layer(x, mask=tf.constant(MASK))
    layer.set_weights([drawn(each.shape, random) for each in layer.weights])
    with tf.GradientTape() as tape:
        y = layer(x, mask=tf.constant(MASK))
        dy = drawn(tuple(y.shape), random)
        dy[~(MASK[:, ::-1] if "go_backwards" in options else MASK)] = 0
        total = tf.reduce_sum(y * dy)
    dx, *grads = tape.gradient(total, [x, *(each.value for each in layer.trainable_weights)])
    return {
        "x": x.numpy().tolist(),
        "dy": dy.tolist(),
        "y": y.numpy().tolist(),
        "dx": dx.numpy().tolist(),
        "weights": listed(layer.get_weights()),
        "grads": listed(grads),
    }


def tagger() -> dict[str, Any]:
    """Return loss and accuracy of a tagger with a mask, before and after a step, and weights."""
    import keras

    random = np.random.default_rng(5)
    ids = np.where(MASK, random.integers(1, WORDS, MASK.shape), 0)
    tags = np.where(MASK, random.integers(0, CLASSES, MASK.shape), 2)
    layers = [
        keras.layers.Embedding(WORDS, FEATURES, mask_zero=True),
        keras.layers.LSTM(UNITS, return_sequences=True),
        keras.layers.Dense(CLASSES),
    ]
    model = keras.Sequential([keras.Input((TIME,), dtype="int32"), *layers])
    first = [drawn(each.shape, random) for each in model.weights]
    first[0][0] = 0
    model.set_weights(first)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(RATE), loss, metrics=["accuracy"], run_eagerly=True)
    before = model.evaluate(ids, tags, verbose=0)
    model.train_on_batch(ids, tags)
    return {
        "ids": ids.tolist(),
        "tags": tags.tolist(),
        "before": before,
        "after": model.evaluate(ids, tags, verbose=0),
        "weights": listed(first),
        "trained": listed(model.get_weights()),
    }


def load() -> dict[str, Any]:
    """Return the records by name."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())
    return loaded


def converted(kind: str, arrays: list[Any]) -> list[Array]:
    """Return weights, or their gradients, of a layer in the order of our parameters.

    The gates of a GRU are z, r, n in Keras, and r, z, n here.
    """
    found = [np.array(each) for each in arrays]
    if kind != "GRU":
        return found
    gates = [np.split(each, 3, axis=-1) for each in found]
    w, u, b = (np.concatenate([r, z, n], axis=-1) for z, r, n in gates)
    return [w, u, *np.atleast_2d(b)]


if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras as library

    library.config.set_floatx("float64")
    found = {name: recorded(*case) for name, case in CASES.items()}
    print(json.dumps(found | {"tagger": tagger()}))
