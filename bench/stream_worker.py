"""A step of a stream by one library, in one process: `python -m bench.stream_worker PEER WAY`.

Any request (see `bench.serving`) is answered by `us` (microseconds of a step), and `proof` (the
mean of the tenth output).
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data import recurrent_weights
from bench.peers import OWN
from bench.serving import serve
from bench.timing import repeated, seconds
from bench.workloads import Recurrent

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Weights = tuple[NDArray[np.float32], ...]
    # A step of one sample, (features,) to (units,).
    Step = Callable[[NDArray[np.float32]], NDArray[np.float32]]

FEATURES, UNITS = 8, 128
CELL, LAYER, SCRIPT, COMPILED = "LSTMCell", "LSTM", "LSTMCell, TorchScript", "LSTMCell, compiled"
JITTED, ROLLED, XLA = "jit", "tf.function", "tf.function with XLA"
WAYS = {
    "torch": (CELL, LAYER, SCRIPT, COMPILED),
    "jax": (JITTED,),
    "keras": (ROLLED, XLA),
    OWN: ("",),
}
"""Ways of each library to try."""


def with_gyaku(weights: Weights, way: str) -> Step:
    """Return a stream."""
    import gyaku as gk

    del way
    model = gk.Sequential(gk.LSTM(UNITS))
    model.build((1, FEATURES))
    for param, value in zip(model.params.values(), weights, strict=True):
        param[...] = value
    return model.stream()


def with_torch(weights: Weights, way: str) -> Step:
    """Return a loop's body around a cell or a layer, in inference mode."""
    import torch

    w, u, b = map(torch.from_numpy, weights)
    kind = torch.nn.LSTM if way == LAYER else torch.nn.LSTMCell
    made: Any = kind(FEATURES, UNITS)
    with torch.no_grad():
        for param, value in zip(made.parameters(), (w.T, u.T, b, 0 * b), strict=True):
            param.copy_(value)
    made.eval()
    zeros = torch.zeros((1, 1, UNITS) if way == LAYER else (1, UNITS))
    state = zeros, zeros
    if way == SCRIPT:
        made = torch.jit.freeze(torch.jit.script(made))
    elif way == COMPILED:
        made = torch.compile(made)

    def step(x: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal state
        with torch.inference_mode():
            if way == LAYER:
                _, state = made(torch.from_numpy(x)[None, None], state)
            else:
                state = made(torch.from_numpy(x)[None], state)
            found: NDArray[np.float32] = state[0].reshape(UNITS).numpy()
        return found

    return step


def with_jax(weights: Weights, way: str) -> Step:
    """Return a compiled step, whose state is donated."""
    import jax
    import jax.numpy as jnp

    del way
    w, u, b = map(jnp.array, weights)

    def cell(state: Any, x: Any) -> tuple[Any, Any]:
        h, c = state
        i, f, g, o = jnp.split(x @ w + b + h @ u, 4)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h + 0

    compiled = jax.jit(cell, donate_argnums=(0,))
    state = (jnp.zeros(UNITS), jnp.zeros(UNITS))

    def step(x: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal state
        state, y = compiled(state, x)
        return np.asarray(y)

    return step


def with_keras(weights: Weights, way: str) -> Step:
    """Return a `tf.function` around a cell."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    cell = keras.layers.LSTMCell(UNITS)
    cell.build((1, FEATURES))
    cell.set_weights(list(weights))
    compiled = tf.function(lambda x, h, c: cell(x, [h, c]), jit_compile=way == XLA)
    h = c = tf.zeros((1, UNITS))

    def step(x: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal h, c
        _, (h, c) = compiled(tf.constant(x[np.newaxis]), h, c)
        found: NDArray[np.float32] = h.numpy()[0]
        return found

    return step


BUILDERS = {"torch": with_torch, "jax": with_jax, "keras": with_keras, OWN: with_gyaku}


def measure(peer: str, way: str) -> dict[str, float]:
    """Return microseconds of a step and the mean of the tenth output."""
    random = np.random.default_rng(0)
    weights = recurrent_weights(Recurrent("lstm", UNITS), FEATURES, random)
    step = BUILDERS[peer](weights, way)
    x = random.standard_normal(FEATURES).astype(np.float32)
    *_, tenth = (float(step(x).mean()) for _ in range(10))
    return {"us": 1e6 * seconds(repeated(lambda: step(x))), "proof": tenth}


def main() -> None:
    """Answer requests."""
    parser = argparse.ArgumentParser(prog="python -m bench.stream_worker")
    parser.add_argument("peer", choices=WAYS)
    parser.add_argument("way", nargs="?", default="")
    asked = parser.parse_args()
    serve(lambda _: measure(asked.peer, asked.way))


if __name__ == "__main__":
    main()
