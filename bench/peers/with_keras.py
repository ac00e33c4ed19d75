"""Keras on TensorFlow: its own `fit`, or a loop in one tf.function, with or without XLA."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from bench.workloads import Adam, Conv, Dense, Dropout, GlobalMean, MaxPool, Recurrent, Residual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Layer, Workload

# Rows of a call: as many epochs of a small data set share one.
ROWS = 1 << 16


RECURRENT = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def network(workload: Workload, weights: Weights, *, unroll: bool = False) -> Any:
    """Return the model, with the common initial weights; `unroll` the time of recurrent layers."""
    inputs = keras.Input(workload.inputs)
    made: list[Any] = []
    model = keras.Model(inputs, run(workload.layers, inputs, made, unroll=unroll))
    for layer, params in zip(made, weights, strict=True):
        own = list(params)
        if isinstance(layer, keras.layers.GRU):
            own = in_order_of_keras(params)
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            own[0] = own[0].swapaxes(2, 3)  # (height, width, channels, 1)
        # A normalisation has its running statistics after them.
        layer.set_weights([*own, *layer.get_weights()[len(own) :]])
    return model


def in_order_of_keras(params: tuple[NDArray[Any], ...]) -> list[NDArray[Any]]:
    """Return the parameters of a GRU with gates z, r, n instead of r, z, n, and both biases."""

    def swapped(array: NDArray[Any]) -> NDArray[Any]:
        r, z, n = np.split(array, 3, axis=-1)
        return np.concatenate([z, r, n], axis=-1)

    weight, recurrent, *biases = map(swapped, params)
    return [weight, recurrent, np.stack(biases)]


def run(layers: tuple[Layer, ...], x: Any, made: list[Any], *, unroll: bool = False) -> Any:
    """Return the outputs of some layers; those with parameters are appended to `made`."""
    for layer in layers:
        if isinstance(layer, Residual):
            inner = run(layer.layers, x, made)
            x = keras.layers.add([inner, run(layer.shortcut, x, made)])
            x = keras.layers.Activation("relu")(x)
        elif isinstance(layer, Dropout):
            x = keras.layers.Dropout(layer.rate)(x)
        elif isinstance(layer, Recurrent):
            made.append(RECURRENT[layer.kind](layer.units, unroll=unroll))
            x = made[-1](x)
        elif isinstance(layer, GlobalMean):
            x = keras.layers.GlobalAveragePooling2D()(x)
        elif isinstance(layer, Dense | Conv):
            x = weighted(layer, x, made)
        else:
            if isinstance(layer, MaxPool):
                x = keras.layers.MaxPooling2D(layer.window)(x)
            else:
                norm = keras.layers.BatchNormalization(
                    momentum=1 - layer.momentum, epsilon=layer.epsilon
                )
                made.append(norm)
                x = norm(x)
            if layer.activation != "identity":
                x = keras.layers.Activation(layer.activation)(x)
    return x


def weighted(layer: Dense | Conv, x: Any, made: list[Any]) -> Any:
    """Return the outputs of a layer with weights."""
    activation = None if layer.activation == "identity" else layer.activation
    if isinstance(layer, Dense):
        if len(x.shape) > 2:
            x = keras.layers.Flatten()(x)
        made.append(keras.layers.Dense(layer.units, activation=activation))
        return made[-1](x)
    # With a stride, the padding of "same" is not that of both sides.
    same = layer.stride == 1 and 2 * layer.padding == layer.kernel - 1
    if layer.padding and not same:
        x = keras.layers.ZeroPadding2D(layer.padding)(x)
    options = {
        "strides": layer.stride,
        "padding": "same" if same else "valid",
        "activation": activation,
        "use_bias": layer.bias,
    }
    made.append(
        keras.layers.DepthwiseConv2D(layer.kernel, **options)
        if layer.depthwise
        else keras.layers.Conv2D(layer.filters, layer.kernel, **options)
    )
    return made[-1](x)


def parts(workload: Workload) -> tuple[Any, Any]:
    """Return optimizer and loss."""
    how = workload.optimizer
    optimizer = (
        keras.optimizers.Adam(how.learning_rate, how.beta1, how.beta2, how.epsilon)
        if isinstance(how, Adam)
        else keras.optimizers.SGD(how.learning_rate)
    )
    if workload.squared:
        return optimizer, keras.losses.MeanSquaredError()
    return optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Fit:
    """Training by `Model.fit`, with all steps of an epoch in one execution."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, *, xla: bool
    ) -> None:
        self.x, self.y, self.batch = x, y, workload.batch
        self.model = network(workload, weights)
        optimizer, criterion = parts(workload)
        steps = -(-len(x) // self.batch)
        self.model.compile(optimizer, criterion, steps_per_execution=steps, jit_compile=xla)

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        self.loss(epochs)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        history = self.model.fit(
            self.x, self.y, batch_size=self.batch, epochs=epochs, shuffle=True, verbose=0
        )
        return float(history.history["loss"][-1])


class Loop:
    """Training by a loop over the rows of an order, compiled as a whole."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, *, option: str
    ) -> None:
        self.batch, self.count = workload.batch, len(x)
        self.tail = self.count % self.batch
        self.together = max(1, ROWS // self.count)
        self.random = np.random.default_rng(0)
        self.x = tf.constant(x)
        self.autoencoder = y is x
        self.y = self.x if self.autoencoder else tf.constant(y)
        self.model = network(workload, weights, unroll="time unrolled" in option)
        self.optimizer, self.criterion = parts(workload)
        self.optimizer.build(self.model.trainable_variables)
        self.run = tf.function(self.nested if self.tail else self.flat, jit_compile="XLA" in option)

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        self.epochs(epochs)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        self.epochs(epochs - 1)
        return self.epochs(1)

    def epochs(self, epochs: int) -> float:
        """Train, in calls of at most `ROWS` samples; return the mean loss of the last call."""
        value = 0.0
        while epochs > 0:
            now = min(epochs, self.together)
            order = np.broadcast_to(np.arange(self.count, dtype=np.int32), (now, self.count))
            order = self.random.permuted(order, axis=1)
            if self.tail:
                # One shape for any number of epochs, so that the program is compiled once.
                order = np.resize(order, (self.together, self.count))
            total = self.run(tf.constant(order), tf.constant(now))
            value = float(total) / (now * self.count)
            epochs -= now
        return value

    def flat(self, order: Any, epochs: Any) -> Any:
        """Train on the rows of some epochs without a remainder, in one loop."""
        del epochs
        return self.steps(order)

    def nested(self, order: Any, epochs: Any) -> Any:
        """Train on the rows of some epochs, each with a smaller last batch."""
        total = tf.constant(0.0)
        for i in tf.range(epochs):
            whole, rest = tf.split(order[i], [self.count - self.tail, self.tail])
            total += self.steps(whole) + self.step(rest)
        return total

    def steps(self, rows: Any) -> Any:
        """Train on whole batches of rows; return the sum of their losses."""
        total = tf.constant(0.0)
        batches = tf.reshape(rows, (-1, self.batch))
        for i in tf.range(tf.shape(batches)[0]):
            total += self.step(batches[i])
        return total

    def step(self, rows: Any) -> Any:
        """Train on some rows; return the sum of their losses."""
        x = tf.gather(self.x, rows)
        y = x if self.autoencoder else tf.gather(self.y, rows)
        with tf.GradientTape() as tape:
            value = self.criterion(y, self.model(x, training=True))
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(value, variables), variables)
        return value * float(rows.shape[0])


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Fit | Loop:
    """Return the network; `option` chooses the loop and XLA."""
    tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["OMP_NUM_THREADS"]))
    if option.startswith("fit"):
        return Fit(workload, x, y, weights, xla=option.endswith("XLA"))
    return Loop(workload, x, y, weights, option=option)
