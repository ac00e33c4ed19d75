"""Training of a tagger by one library, in one process: `python -m bench.tagger_worker PEER WAY`.

Any request (see `bench.serving`) is answered by `us` (microseconds a real word), and `proof` (the
mean loss of the words in the last epoch).
"""

from __future__ import annotations

import argparse
import os
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.peers import OWN
from bench.sentences import BATCH, RATE, TAGS, UNITS, VOCABULARY, WIDTH
from bench.serving import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]
    # Trains for a number of epochs and returns the mean loss of the words in the last.
    Train = Callable[[int], float]

EPOCHS = 3
"""Timed epochs, after one for compilation."""
RANDOM, ONE = "packed, random batches", "packed, one thread"
UNROLLED, XLA = "scan unrolled 4 times", "tf.function with XLA"
WAYS = {
    "torch": ("packed", ONE, RANDOM),
    "jax": ("scan", UNROLLED),
    "keras": ("tf.function", XLA),
    OWN: ("",),
}
"""Ways of each library to try: batches have sentences of similar lengths, if not random ones."""


def with_gyaku(data: Arrays, way: str) -> Train:
    """Return `fit` with batches by length."""
    import gyaku as gk
    from bench.peers.with_gyaku import fill
    from bench.sentences import weights

    del way
    ids, tags, _ = data
    model = gk.Sequential(
        gk.Embedding(VOCABULARY, WIDTH, mask_zero=True),
        gk.Bidirectional(gk.LSTM(UNITS, return_sequences=True)),
        gk.Dense(TAGS),
    )
    model.build(ids.shape[1:])
    fill(model, weights())
    options: dict[str, Any] = {"optimizer": gk.Adam(RATE), "batch_size": BATCH, "by_length": True}

    def train(epochs: int) -> float:
        loss = "softmax_cross_entropy"
        history = model.fit(ids, tags, loss=loss, epochs=epochs, verbose=0, **options)
        return history["loss"][-1]

    return train


def with_torch(data: Arrays, way: str) -> Train:
    """Return a loop over packed sequences."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    from bench.sentences import batches, weights

    if way == ONE:
        torch.set_num_threads(1)
    ids, tags, lengths = (torch.from_numpy(each) for each in data)
    table = torch.nn.Embedding(VOCABULARY, WIDTH, padding_idx=0)
    inner = torch.nn.LSTM(WIDTH, UNITS, batch_first=True, bidirectional=True)
    last = torch.nn.Linear(2 * UNITS, TAGS)
    (vectors,), *directions, (weight, bias) = weights()
    with torch.no_grad():
        table.weight.copy_(torch.from_numpy(vectors))
        last.weight.copy_(torch.from_numpy(weight.T))
        last.bias.copy_(torch.from_numpy(bias))
        for suffix, (w, u, b) in zip(("", "_reverse"), directions, strict=True):
            for name, value in (("weight_ih", w.T), ("weight_hh", u.T), ("bias_ih", b)):
                getattr(inner, f"{name}_l0{suffix}").copy_(torch.from_numpy(value))
            # The other frameworks have one bias; two that are trained move twice as fast.
            getattr(inner, f"bias_hh_l0{suffix}").zero_().requires_grad_(False)
    layers = torch.nn.ModuleList([table, inner, last])
    optimizer = torch.optim.Adam(layers.parameters(), lr=RATE, fused=True)
    random = np.random.default_rng(2)

    def packed(x: Any, sizes: Any) -> Any:
        return pack_padded_sequence(x, sizes, batch_first=True, enforce_sorted=False)

    def train(epochs: int) -> float:
        total = torch.zeros(())
        for epoch in range(epochs):
            for rows, _ in batches(data[2], random, sort=way != RANDOM):
                sizes = lengths[rows]
                steps = int(sizes.max())
                states = inner(packed(table(ids[rows, :steps]), sizes))[0]
                t = packed(tags[rows, :steps], sizes).data
                value = torch.nn.functional.cross_entropy(last(states.data), t)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                if epoch == epochs - 1:
                    total += value.detach() * len(t)
        return float(total) / int(lengths.sum())

    return train


def with_jax(data: Arrays, way: str) -> Train:
    """Return a loop over a compiled step; padded steps keep the state, as a mask says."""
    import jax
    import jax.numpy as jnp

    from bench.sentences import batches, weights

    unroll = 4 if way == UNROLLED else 1

    def direction(params: Any, x: Any, real: Any, reverse: bool) -> Any:
        w, u, b = params

        def step(carry: Any, at: Any) -> tuple[Any, Any]:
            (h, c), (inner, here) = carry, at
            i, f, g, o = jnp.split(inner + h @ u, 4, axis=1)
            new = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            c = jnp.where(here, new, c)
            h = jnp.where(here, jax.nn.sigmoid(o) * jnp.tanh(new), h)
            return (h, c), h

        zeros = jnp.zeros((x.shape[1], UNITS))
        steps = x @ w + b, real
        return jax.lax.scan(step, (zeros, zeros), steps, reverse=reverse, unroll=unroll)[1]

    def loss(params: Any, ids: Any, tags: Any) -> Any:
        (table,), onwards, back, (w, b) = params
        ids, tags = ids.T, tags.T
        real = (ids > 0)[..., None]
        x = jnp.where(real, table[ids], 0)
        both = direction(onwards, x, real, False), direction(back, x, real, True)
        logp = jax.nn.log_softmax(jnp.concatenate(both, axis=-1) @ w + b)
        found = -(logp * jax.nn.one_hot(tags, TAGS)).sum(-1) * real[..., 0]
        return found.sum() / real.sum(), real.sum()

    def step(state: Any, ids: Any, tags: Any) -> tuple[Any, Any]:
        params, mean, square, count = state
        (value, words), grads = jax.value_and_grad(loss, has_aux=True)(params, ids, tags)
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, grads)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, grads)
        count += 1
        rate = RATE / (1 - 0.9**count)
        root = 1 - 0.999**count
        params = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v / root) + 1e-8), params, mean, square
        )
        return (params, mean, square, count), value * words

    compiled = jax.jit(step, donate_argnums=(0,))
    params = jax.tree.map(jnp.array, weights())
    state = (params, *(jax.tree.map(jnp.zeros_like, params) for _ in range(2)), jnp.zeros(()))
    ids, tags, lengths = data
    random = np.random.default_rng(2)

    def train(epochs: int) -> float:
        nonlocal state
        values: list[Any] = []
        for _ in range(epochs):
            values = []
            for rows, steps in batches(lengths, random):
                state, value = compiled(state, ids[rows, :steps], tags[rows, :steps])
                values.append(value)
        return float(sum(values)) / int(lengths.sum())

    return train


def with_keras(data: Arrays, way: str) -> Train:
    """Return a loop over a `tf.function` for each shape; the mask travels from the embedding."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    from bench.sentences import batches, weights

    tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["OMP_NUM_THREADS"]))
    layers = [
        keras.layers.Embedding(VOCABULARY, WIDTH, mask_zero=True),
        keras.layers.Bidirectional(keras.layers.LSTM(UNITS, return_sequences=True)),
        keras.layers.Dense(TAGS),
    ]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
    (table,), onwards, back, last = weights()
    for layer, given in zip(layers, ((table,), (*onwards, *back), last), strict=True):
        layer.set_weights(list(given))
    optimizer = keras.optimizers.Adam(RATE, epsilon=1e-8)
    optimizer.build(model.trainable_variables)

    def step(ids: Any, tags: Any) -> Any:
        real = tf.cast(ids > 0, tf.float32)
        words = tf.reduce_sum(real)
        with tf.GradientTape() as tape:
            scores = model(ids, training=True)
            found = tf.nn.sparse_softmax_cross_entropy_with_logits(tags, scores)
            value = tf.reduce_sum(found * real) / words
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, variables), variables)
        return value * words

    compiled = tf.function(step, jit_compile=way == XLA)
    ids, tags, lengths = data
    random = np.random.default_rng(2)

    def train(epochs: int) -> float:
        values: list[Any] = []
        for _ in range(epochs):
            values = []
            for rows, steps in batches(lengths, random):
                x, t = tf.constant(ids[rows, :steps]), tf.constant(tags[rows, :steps])
                values.append(compiled(x, t))
        return float(sum(values)) / int(lengths.sum())

    return train


BUILDERS = {"torch": with_torch, "jax": with_jax, "keras": with_keras, OWN: with_gyaku}


def measure(train: Train, words: int) -> dict[str, float]:
    """Return microseconds a word and the loss of the last epoch, of a tagger trained before."""
    start = perf_counter()
    loss = train(EPOCHS)
    return {"us": 1e6 * (perf_counter() - start) / (EPOCHS * words), "proof": loss}


def main() -> None:
    """Answer requests."""
    from bench.sentences import sentences

    parser = argparse.ArgumentParser(prog="python -m bench.tagger_worker")
    parser.add_argument("peer", choices=WAYS)
    parser.add_argument("way", nargs="?", default="")
    asked = parser.parse_args()
    data = sentences()

    def answer(request: list[str]) -> dict[str, float]:
        del request
        train = BUILDERS[asked.peer](data, asked.way)
        train(1)
        return measure(train, int(data[2].sum()))

    serve(answer)


if __name__ == "__main__":
    main()
