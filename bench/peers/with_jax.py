"""JAX: an epoch, or many small ones, is one compiled program; its state is donated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.workloads import (
    Adam,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalMean,
    MaxPool,
    Recurrent,
    Residual,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Layer, Workload

ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "identity": lambda x: x}
# Rows of a call: as many epochs of a small data set share one.
ROWS = 1 << 16


class Jax:
    """A network of JAX: its parameters, the optimizer's state, and the compiled epoch."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
    ) -> None:
        self.workload = workload
        self.batch, self.count = workload.batch, len(x)
        self.tail = self.count % self.batch
        self.together = max(1, ROWS // self.count)
        self.unroll = 8 if "unrolled 8 times" in option else 1
        self.time = workload.inputs[0] if "time unrolled" in option else 1
        self.random = np.random.default_rng(0)
        key = jax.random.key(0, impl="rbg" if "rbg" in option else "threefry2x32")
        params = jax.tree.map(jnp.array, weights)
        zeros = jax.tree.map(jnp.zeros_like, (params, params))
        norms = [before[-1] for before, at, _ in workload.leaves if isinstance(at, BatchNorm)]
        running = [(jnp.zeros(channels), jnp.ones(channels)) for channels in norms]
        self.state: Any = (params, zeros, running, jnp.zeros((), jnp.int32), key)
        self.x = jnp.array(x)
        self.autoencoder = y is x
        self.y = self.x if self.autoencoder else jnp.array(y)
        if option.startswith("step by step"):
            self.run = self.loop
            self.compiled = jax.jit(self.step, donate_argnums=(0,))
        else:
            self.run = self.whole
            self.compiled = jax.jit(self.scan, donate_argnums=(0,))

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
            total = self.run(self.random.permuted(order, axis=1))
            value = total.block_until_ready() / (now * self.count)
            epochs -= now
        return float(value)

    def whole(self, order: NDArray[np.int32]) -> Any:
        """Train on the rows of some epochs in one call; return the sum of the losses."""
        epochs = len(order)
        if self.tail:
            # One shape for any number of epochs, so that the program is compiled once.
            order = np.resize(order, (self.together, self.count))
        self.state, total = self.compiled(self.state, self.x, self.y, order, epochs)
        return total

    def loop(self, order: NDArray[np.int32]) -> Any:
        """Train on the rows of some epochs in a call for each step; return the sum."""
        total = jnp.zeros(())
        for epoch in order:
            for start in range(0, self.count, self.batch):
                rows = epoch[start : start + self.batch]
                self.state, value = self.compiled(self.state, self.x, self.y, rows)
                total += value
        return total

    def scan(self, state: Any, x: Any, y: Any, order: Any, epochs: Any) -> Any:
        """Return the state after all steps of some epochs, and the sum of the losses."""

        def step(carry: Any, rows: Any) -> tuple[Any, None]:
            state, value = self.step(carry[0], x, y, rows)
            return (state, carry[1] + value), None

        def steps(carry: Any, rows: Any) -> Any:
            rows = rows.reshape(-1, self.batch)
            return jax.lax.scan(step, carry, rows, unroll=self.unroll)[0]

        def epoch(number: Any, carry: Any) -> Any:
            carry = steps(carry, order[number, : -self.tail])
            return step(carry, order[number, -self.tail :])[0]

        # Without a remainder, many short epochs are one loop.
        start = (state, 0.0)
        return jax.lax.fori_loop(0, epochs, epoch, start) if self.tail else steps(start, order)

    def step(self, state: Any, x: Any, y: Any, rows: Any) -> tuple[Any, Any]:
        """Return the state after a step on some rows, and the sum of their losses."""
        params, moments, running, count, key = state
        batch = target = x.at[rows].get(mode="promise_in_bounds")
        if not self.autoencoder:
            target = y.at[rows].get(mode="promise_in_bounds")
        mask_key = jax.random.fold_in(key, count) if self.workload.has(Dropout) else key
        graded = jax.value_and_grad(self.forward, has_aux=True)
        (value, running), grads = graded(params, running, batch, target, mask_key)
        params, moments = self.update(params, grads, moments, count + 1)
        return (params, moments, running, count + 1, key), value * len(rows)

    def forward(self, params: Any, running: Any, x: Any, target: Any, key: Any) -> tuple[Any, Any]:
        """Return the loss of a batch, and the running statistics after it."""
        found: list[Any] = []
        at = Pass(iter(params), iter(running), found, key, self.time)
        x = run(self.workload.layers, x, at)
        if self.workload.squared:
            return jnp.mean((x - target) ** 2), found
        logp = jax.nn.log_softmax(x)
        return -jnp.sum(logp * jax.nn.one_hot(target, x.shape[1])) / len(x), found

    def update(self, params: Any, grads: Any, moments: Any, count: Any) -> tuple[Any, Any]:
        """Return parameters and moments after a step of the optimizer."""
        how = self.workload.optimizer
        if not isinstance(how, Adam):
            return jax.tree.map(lambda p, g: p - how.learning_rate * g, params, grads), moments
        mean = jax.tree.map(lambda m, g: how.beta1 * m + (1 - how.beta1) * g, moments[0], grads)
        square = jax.tree.map(
            lambda v, g: how.beta2 * v + (1 - how.beta2) * g * g, moments[1], grads
        )
        mean_share, square_share = 1 - how.beta1**count, 1 - how.beta2**count

        def move(p: Any, m: Any, v: Any) -> Any:
            root = jnp.sqrt(v / square_share) + how.epsilon
            return p - how.learning_rate * (m / mean_share) / root

        return jax.tree.map(move, params, mean, square), (mean, square)


class Pass:
    """A forward pass: parameters and running statistics to take, those found, and the key.

    `unroll` is the number of time steps in an iteration of a recurrent layer's loop.
    """

    def __init__(
        self, params: Iterator[Any], running: Iterator[Any], found: Any, key: Any, unroll: int
    ) -> None:
        self.params, self.running, self.found, self.key = params, running, found, key
        self.unroll = unroll

    def mask(self, shape: tuple[int, ...], kept: float) -> Any:
        """Return a random mask of a dropout."""
        self.key, key = jax.random.split(self.key)
        return jax.random.bernoulli(key, kept, shape)


def run(layers: tuple[Layer, ...], x: Any, at: Pass) -> Any:
    """Return the outputs of some layers."""
    for layer in layers:
        if isinstance(layer, Residual):
            inner = run(layer.layers, x, at)
            x = jax.nn.relu(inner + run(layer.shortcut, x, at))
        elif isinstance(layer, Dropout):
            x = jnp.where(at.mask(x.shape, 1 - layer.rate), x / (1 - layer.rate), 0)
        elif isinstance(layer, Recurrent):
            x = last_state(layer, x, at)
        elif isinstance(layer, GlobalMean):
            x = x.mean((1, 2))
        else:
            x = ACTIVATIONS[layer.activation](linear(layer, x, at))
    return x


def linear(layer: Dense | Conv | MaxPool | BatchNorm, x: Any, at: Pass) -> Any:
    """Return the outputs of a layer before its activation."""
    if isinstance(layer, MaxPool):
        window = (1, layer.window, layer.window, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
    if isinstance(layer, BatchNorm):
        return normalised(layer, x, at)
    weight, *bias = next(at.params)
    if isinstance(layer, Dense):
        x = x.reshape(len(x), -1) @ weight
    else:
        border = [(layer.padding, layer.padding)] * 2
        names = ("NHWC", "HWIO", "NHWC")
        strides = (layer.stride, layer.stride)
        x = jax.lax.conv_general_dilated(
            x,
            weight,
            strides,
            border,
            dimension_numbers=names,
            feature_group_count=x.shape[3] if layer.depthwise else 1,
        )
    return x + bias[0] if bias else x


def last_state(layer: Recurrent, x: Any, at: Pass) -> Any:
    """Return the state after the last step; the products with the inputs are one for all steps."""
    weight, recurrent, bias, *more = next(at.params)
    inputs = x @ weight + bias

    def step(carry: Any, inner: Any) -> tuple[Any, None]:
        h, c = carry
        if layer.kind == "rnn":
            return (jnp.tanh(inner + h @ recurrent), c), None
        outer = h @ recurrent
        if layer.kind == "lstm":
            i, f, g, o = jnp.split(inner + outer, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None
        (r, z, n), (hr, hz, hn) = (jnp.split(a, 3, axis=1) for a in (inner, outer + more[0]))
        z = jax.nn.sigmoid(z + hz)
        return ((1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + hr) * hn) + z * h, c), None

    zeros = jnp.zeros((len(x), layer.units))
    start = zeros, zeros if layer.kind == "lstm" else None
    (h, _), _ = jax.lax.scan(step, start, inputs.swapaxes(0, 1), unroll=at.unroll)
    return h


def normalised(layer: BatchNorm, x: Any, at: Pass) -> Any:
    """Return normalised images, and keep the new running statistics."""
    gamma, beta = next(at.params)
    mean, square = x.mean((0, 1, 2)), (x * x).mean((0, 1, 2))
    variance = square - mean * mean
    count = x.size // x.shape[-1]
    new = mean, variance * (count / (count - 1))
    old = next(at.running)
    at.found.append(tuple(a + layer.momentum * (b - a) for a, b in zip(old, new, strict=True)))
    scale = gamma * jax.lax.rsqrt(variance + layer.epsilon)
    return x * scale + (beta - mean * scale)


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Jax:
    """Return the network; `option` chooses loop, random numbers and unrolling."""
    return Jax(workload, x, y, weights, option)
