"""Keras on TensorFlow: its own `fit`, or a loop in one tf.function, with or without XLA."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from bench.workloads import Adam, Conv, Dense, Dropout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload

# Rows of a call: as many epochs of a small data set share one.
ROWS = 1 << 16


def network(workload: Workload, weights: Weights) -> Any:
    """Return the model, with the common initial weights."""
    layers = [keras.Input(workload.inputs)]
    for before, layer, behind in workload.traced:
        if isinstance(layer, Dropout):
            layers.append(keras.layers.Dropout(layer.rate))
            continue
        activation = None if layer.activation == "identity" else layer.activation
        if isinstance(layer, Dense):
            if len(before) > 1:
                layers.append(keras.layers.Flatten())
            layers.append(keras.layers.Dense(layer.units, activation=activation))
        elif isinstance(layer, Conv):
            same = before[:2] == behind[:2]
            if layer.padding and not same:
                layers.append(keras.layers.ZeroPadding2D(layer.padding))
            padding = "same" if same else "valid"
            layers.append(
                keras.layers.Conv2D(
                    layer.filters, layer.kernel, padding=padding, activation=activation
                )
            )
        else:
            layers.append(keras.layers.MaxPooling2D(layer.window))
            if activation:
                layers.append(keras.layers.Activation(activation))
    model = keras.Sequential(layers)
    model.set_weights([array for pair in weights for array in pair])
    return model


def parts(workload: Workload) -> tuple[Any, Any]:
    """Return optimizer and loss."""
    how = workload.optimizer
    optimizer = (
        keras.optimizers.Adam(how.learning_rate, how.beta1, how.beta2, how.epsilon)
        if isinstance(how, Adam)
        else keras.optimizers.SGD(how.learning_rate)
    )
    if workload.loss == "mean_squared_error":
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
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, *, xla: bool
    ) -> None:
        self.batch, self.count = workload.batch, len(x)
        self.random = np.random.default_rng(0)
        self.x = tf.constant(x)
        self.autoencoder = y is x
        self.y = self.x if self.autoencoder else tf.constant(y)
        self.model = network(workload, weights)
        self.optimizer, self.criterion = parts(workload)
        self.optimizer.build(self.model.trainable_variables)
        self.run = tf.function(self.steps, jit_compile=xla)

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        self.epochs(epochs)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        self.epochs(epochs - 1)
        return self.epochs(1)

    def epochs(self, epochs: int) -> float:
        """Train, in calls of at most `ROWS` samples; return the mean loss of the last call."""
        whole = self.count // self.batch * self.batch
        together = max(1, ROWS // self.count) if whole == self.count else 1
        value = 0.0
        while epochs > 0:
            now = min(epochs, together)
            order = np.broadcast_to(np.arange(self.count, dtype=np.int32), (now, self.count))
            order = self.random.permuted(order, axis=1)
            total = float(self.run(tf.constant(order[:, :whole].reshape(-1, self.batch))))
            if whole < self.count:
                total += float(self.run(tf.constant(order[:, whole:])))
            value = total / (now * self.count)
            epochs -= now
        return value

    def steps(self, order: Any) -> Any:
        """Run the steps on the rows of `order`; return the sum of their losses."""
        total = tf.constant(0.0)
        for i in tf.range(tf.shape(order)[0]):
            rows = order[i]
            x = tf.gather(self.x, rows)
            y = x if self.autoencoder else tf.gather(self.y, rows)
            with tf.GradientTape() as tape:
                value = self.criterion(y, self.model(x, training=True))
            variables = self.model.trainable_variables
            self.optimizer.apply(tape.gradient(value, variables), variables)
            total += value * tf.cast(tf.shape(rows)[0], tf.float32)
        return total


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Fit | Loop:
    """Return the network; `option` chooses the loop and XLA."""
    tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["OMP_NUM_THREADS"]))
    return (Fit if option.startswith("fit") else Loop)(
        workload, x, y, weights, xla=option.endswith("XLA")
    )
